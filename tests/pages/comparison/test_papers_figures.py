"""The paper's figures, the seeds in the charts, and the natural prevalence: what is drawn are the run's numbers."""

import json
from typing import Any

import pandas as pd
import pytest

from fairsal_core.faces import FaceDataset
from fairsal_core.files import read_json, write_json
from fairsal_core.results import accuracy_and_gap, over_all_seeds, read_results
from fairsal_core.runs import Run, seal_run
from fairsal_core.settings import parse_config
from pages.components.comparison.papers_figures import quantiles_figure, schemes_figure
from tests.pages.conftest import OpenPage, texts
from tests.reports.conftest import MakeRun

CONFIG = parse_config({"schemes": ["general_mask@0.7", "general_mask@0.9"]})
KEYS = ["variant", "evaluation", "treated_by", "group"]


@pytest.fixture(scope="module")
def numbers(pooled: pd.DataFrame) -> Any:
    return pooled.set_index(KEYS)[["value", "low", "high"]].to_dict("index")


def test_schemes_at_one_quantile_beside_original_and_balanced(numbers: Any) -> None:
    figure = schemes_figure(CONFIG, numbers, 0.9, "treated")
    drawn = {trace.name: trace for trace in figure.data}
    assert list(drawn) == ["accuracy, all", "men", "women", "women - men"]
    assert list(drawn["men"].x) == ["Original", "Balanced", "General mask, top 10%"]
    keys = [("original", "clean", ""), ("balanced", "clean", ""), ("general_mask@0.9", "treated", "general_mask@0.9")]
    for name, group in (("accuracy, all", "all"), ("women - men", "women - men")):
        expected = [numbers[(*key, group)] for key in keys]
        assert list(drawn[name].y) == [one["value"] for one in expected]
        high = [y + above for y, above in zip(drawn[name].y, drawn[name].error_y.array, strict=True)]
        assert high == pytest.approx([one["high"] for one in expected])


def test_quantiles_of_one_scheme_with_the_original_dotted(numbers: Any) -> None:
    figure = quantiles_figure(CONFIG, numbers, CONFIG.schemes[::-1], "clean")
    drawn = {trace.name: trace for trace in figure.data}
    assert list(drawn["women"].x) == [0.7, 0.9]
    assert list(drawn["women"].y) == [numbers[(f"general_mask@{q}", "clean", "", "women")]["value"] for q in (0.7, 0.9)]
    dotted = {shape.y0 for shape in figure.layout.shapes if shape.line.dash == "dot"}
    assert dotted == {
        numbers[("original", "clean", "", group)]["value"] for group in ("all", "men", "women", "women - men")
    }


def test_comparison_shows_figures_and_prevalence(open_page: OpenPage, make_run: MakeRun, drawn: FaceDataset) -> None:
    run: Run = make_run()
    counts = {"target_with": 1, "target_without": 99, "other_with": 30, "other_without": 70}
    write_json(run.path / "subsets.json", {**read_json(run.path / "subsets.json"), "test_available": counts})
    seal_run(run.path)
    app = open_page("comparison", run=run.id, tab="Accuracy", accuracy_view="As common as out there")
    assert "men without Blond_Hair 99" in texts(app)
    shown = next(frame.value for frame in app.dataframe if "women - men" in frame.value.columns)
    results = over_all_seeds(accuracy_and_gap(read_results(run.path)))
    cell = results[(results["variant"] == "original") & (results["evaluation"] == "clean")].set_index("group")["value"]
    natural = 0.01 * cell["men with Blond_Hair"] + 0.99 * cell["men without Blond_Hair"]
    assert shown["men"].iloc[0] == pytest.approx(natural)  # a number, by which the table sorts
    assert shown["men, equal cells"].iloc[0] == pytest.approx(cell["men"])
    app.segmented_control(key="accuracy_view").set_value("The paper's figures").run()
    assert "The paper's figures" in texts(app)
    specs = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    names = [trace.get("name") for spec in specs for trace in spec["data"]]
    assert "accuracy, all" in names
