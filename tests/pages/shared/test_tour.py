"""The tour."""

from pathlib import Path

import pytest

from fairsal_core.runs import example_run
from pages.components.shared.tour import STEPS, link_of
from tests.pages.conftest import OpenPage, texts


@pytest.mark.parametrize("number", range(1, len(STEPS) + 1))
def test_every_step_of_the_tour_opens_with_its_reason(open_page: OpenPage, number: int) -> None:
    step = STEPS[number - 1]
    app = open_page(step.page, **step.view, tour=str(number))
    assert f"step {number} of {len(STEPS)}: {step.title}" in texts(app)
    assert "Why: " in texts(app)


@pytest.mark.parametrize("number", ["0", "6", "x", ""])
def test_a_step_that_does_not_exist_is_no_tour(open_page: OpenPage, number: str) -> None:
    assert "Tour, step" not in texts(open_page("attribution", tour=number))


def test_the_tour_leads_through_the_example_and_waits_for_nothing(home: Path) -> None:
    example = example_run()
    assert example is not None
    for step in STEPS:
        assert step.page in ("attribution", "comparison")
        assert link_of(step).get("run") == (example.id if step.page == "comparison" else None)


def test_what_the_tour_ends_with_fills_the_form_with_its_own_preset(open_page: OpenPage) -> None:
    app = open_page("training", preset="tour")
    assert app.selectbox(key="preset").value == "tour"
    assert app.number_input(key="epochs").value == 4
