"""Settings of a model that nobody here knows draw themselves, each kind of field with its widget."""

from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from streamlit.testing.v1 import AppTest

from pages.components.shared.settings_form import differing


class Aim(Enum):
    NEAR = "near"
    FAR = "far"


class Inner(BaseModel):
    depth: int = 3


class Foreign(BaseModel):
    """Settings as an extension may have them."""

    count: int | None = Field(None, gt=0, lt=10, description="how many")
    share: Annotated[float, Field(ge=0, lt=1)] = 0.25
    sure: bool | None = None
    aim: Aim = Aim.NEAR
    ways: tuple[Literal["up", "down"], ...] = ("up",)
    sizes: list[int] = [1, 2]
    named: str | None = None
    pair: tuple[int, int] = (3, 4)
    bounds: dict[str, float] = Field({"low": 0.5}, description="by name")
    inner: Inner = Inner()
    either: int | str = "auto"
    fill_colour: tuple[float, float, float] = (0.0, 0.0, 0.0)


def show_foreign() -> None:
    import streamlit

    from pages.components.shared.settings_form import settings_form
    from tests.pages.shared.test_settings_form import Foreign

    streamlit.session_state["said"] = settings_form(Foreign(), "foreign")


@pytest.fixture
def foreign() -> AppTest:
    app = AppTest.from_function(show_foreign, default_timeout=30).run()
    assert not app.exception
    assert app.session_state["said"] == {}
    return app


CHANGES: list[tuple[str, str, Any, Any]] = [
    ("count", "number_input", 4, 4),
    ("share", "number_input", 0.5, 0.5),
    ("sure", "selectbox", False, False),
    ("aim", "selectbox", "far", "far"),
    ("ways", "multiselect", ["up", "down"], ("up", "down")),
    ("sizes", "multiselect", ["1", "7"], [1, 7]),
    ("named", "text_input", "Ada", "Ada"),
    ("pair", "multiselect", ["3", "9"], (3, 9)),
    ("bounds", "text_input", '{"low": 1}', {"low": 1}),
    ("inner", "text_input", '{"depth": 9}', {"depth": 9}),
    ("either", "text_input", "12", 12),
    ("fill_colour", "color_picker", "#ffffff", (1.0, 1.0, 1.0)),
]


@pytest.mark.parametrize(("field", "kind", "held", "value"), CHANGES, ids=[change[0] for change in CHANGES])
def test_each_kind_of_field_has_a_widget(foreign: AppTest, field: str, kind: str, held: Any, value: Any) -> None:
    widget = next(one for one in getattr(foreign, kind) if one.key == f"foreign-{field}")
    before = widget.value
    widget.set_value(held)
    foreign.run()
    assert not foreign.exception
    assert foreign.session_state["said"] == {field: value}
    assert Foreign.model_validate(foreign.session_state["said"])
    foreign.run()
    assert foreign.session_state["said"] == {field: value}
    widget = next(one for one in getattr(foreign, kind) if one.key == f"foreign-{field}")
    widget.select_index(0) if kind == "selectbox" else widget.set_value(before)
    foreign.run()
    assert foreign.session_state["said"] == {}


def test_all_fields_are_among_the_changed_ones() -> None:
    assert [field for field, *_ in CHANGES] == list(Foreign.model_fields)


def test_a_line_of_text_says_what_it_expects(foreign: AppTest) -> None:
    helps = {widget.key: widget.proto.help.replace("\\", "") for widget in foreign.text_input}
    assert helps["foreign-bounds"] == 'By name. Expects dict[str, float], written as JSON. Default: {"low": 0.5}.'
    assert "Expects int | str" in helps["foreign-either"]
    assert "Expects Inner" in helps["foreign-inner"]


def test_bounds_are_those_of_the_model(foreign: AppTest) -> None:
    count = foreign.number_input(key="foreign-count")
    assert (count.min, count.max, count.value) == (1, 9, None)
    share = foreign.number_input(key="foreign-share")
    assert (share.min, share.max, share.step) == (0.0, 1.0, 0.01)


def test_settings_that_differ() -> None:
    changed = Foreign(count=2, bounds={"low": 0.5}, aim=Aim.FAR)
    assert differing(changed) == {"count": 2, "aim": Aim.FAR}
