"""The Methods page."""

from dataclasses import replace

import pytest

from fairsal_core.metrics import METRICS
from fairsal_core.schemes import SCHEMES
from pages.components.methods.formulas import FORMULAS, formulas_of
from pages.components.methods.miniatures import MINIATURES
from tests.helpers import register
from tests.metrics.foreign import FOREIGN
from tests.pages.conftest import OpenPage, texts


@pytest.mark.parametrize("topic", FORMULAS)
def test_every_formula_has_its_source_and_a_miniature(open_page: OpenPage, topic: str) -> None:
    app = open_page("methods", topic=topic)
    assert len(app.latex) == len(formulas_of(topic))
    assert texts(app).count("Source: ") == len(formulas_of(topic))
    assert set(MINIATURES) == set(FORMULAS)
    assert app.slider


@pytest.mark.parametrize(
    ("topic", "slider", "value", "metric"),
    [
        ("Region maps", "mini_p", 0.5, "Negative entropy"),
        ("Schemes", "mini_quantile", 0.9, "Pixels changed"),
        ("Subgroups", "mini_blond men", 0.0, "Gap"),
        ("Intervals", "mini_n", 900, "Its width"),
        ("Attention", "mini_shift", 1.0, "share of attention in the region (RRF)"),
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
    assert float(numbers["share of attention in the region (RRF)"]) < 0.1
    assert float(numbers["test that attention in the region fell (RDDT), p"]) < 0.01


def test_formulas_of_metrics_are_the_registrys(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    titles = {topic: [formula.title for formula in formulas_of(topic)] for topic in ("Subgroups", "Attention")}
    assert titles == {
        "Subgroups": ["Gap", "Fairness differences", "Impact ratio", "Correlation of the training subset"],
        "Attention": ["Magnitude", "One map", "Before q and after p", "RDDT"],
    }
    for metric in METRICS.values():
        told = [formula for topic in titles for formula in formulas_of(topic) if metric.latex in formula.latex]
        assert not metric.latex or len(told) == 1, metric.name
    register(monkeypatch, METRICS, *FOREIGN)
    for topic, title, description in (
        ("Subgroups", "False alarms", "How often faces without the target attribute are said to have it."),
        ("Attention", "Peak inside", "How often the most relevant pixel lies in the region."),
    ):
        app = open_page("methods", topic=topic)
        assert title in [one.value for one in app.subheader]
        assert description in texts(app)
        assert "Source: nobody 2026" in texts(app)
    tiles = {item.label: item.value for item in app.metric}
    short = [tile.partition("(")[2].partition(")")[0] or tile for tile in tiles]
    assert short == ["RRF", "HRF", "MRR", "peak inside", "ADR", "DIF", "mean fall", "RDDT", "fall test, p"]
    assert "; RDDT rejects, fall test does not reject." in texts(app)


def test_the_scheme_miniature_offers_schemes_by_their_scope(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask = SCHEMES["specific_mask"]
    register(monkeypatch, SCHEMES, replace(mask, name="smear"), replace(SCHEMES["general_mask"], name="specific_not"))
    assert open_page("methods", topic="Schemes").selectbox(key="mini_scheme").options == [
        "Specific mask",
        "Specific noise",
        "Smear",
    ]
