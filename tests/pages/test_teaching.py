"""The tour and the Methods page."""

import pytest

from pages.components.formulas import FORMULAS
from pages.components.miniatures import MINIATURES
from pages.components.tour import STEPS
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


def test_the_tour_fills_the_form_with_its_own_preset(open_page: OpenPage) -> None:
    app = open_page("training", tour="3")
    assert app.selectbox(key="preset").value == "tour"
    assert app.number_input(key="epochs").value == 4


@pytest.mark.parametrize("topic", FORMULAS)
def test_every_formula_has_its_source_and_a_miniature(open_page: OpenPage, topic: str) -> None:
    app = open_page("methods", topic=topic)
    assert len(app.latex) == len(FORMULAS[topic])
    assert texts(app).count("Source: ") == len(FORMULAS[topic])
    assert set(MINIATURES) == set(FORMULAS)
    assert app.slider


@pytest.mark.parametrize(
    ("topic", "slider", "value", "metric"),
    [
        ("Region maps", "mini_p", 0.5, "negative_entropy"),
        ("Schemes", "mini_quantile", 0.9, "Pixels changed"),
        ("Subgroups", "mini_blond men", 0.0, "Gap"),
        ("Intervals", "mini_n", 900, "Its width"),
        ("Attention", "mini_shift", 1.0, "RRF"),
        ("Explainers", "mini_steps", 40, "Completeness delta"),
    ],
)
def test_a_slider_moves_its_metric(open_page: OpenPage, topic: str, slider: str, value: float, metric: str) -> None:
    app = open_page("methods", topic=topic)

    def shown() -> str:
        return next(item.value for item in app.metric if item.label == metric)

    before = shown()
    app.slider(key=slider).set_value(value).run()
    assert not app.exception
    assert shown() != before


def test_relevance_that_left_the_region_is_measured_as_such(open_page: OpenPage) -> None:
    app = open_page("methods", topic="Attention")
    app.slider(key="mini_shift").set_value(1.0).run()
    numbers = {item.label: item.value for item in app.metric}
    assert float(numbers["RRF"]) < 0.1
    assert float(numbers["RDDT, p"]) < 0.01
