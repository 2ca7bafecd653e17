"""The paper's figures, the seeds in the charts, and the natural prevalence: what is drawn are the run's numbers."""

import json
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fairsal_core.experiments import Run, accuracy_and_gap, over_all_seeds, parse_config, read_results, results_table
from fairsal_core.faces import FaceDataset
from fairsal_core.files import read_json, write_json
from pages.components.accuracy import chart
from pages.components.figures import quantiles_figure, schemes_figure
from pages.components.labels import HEIGHT, LETTER, LINE, PLACES, WIDTH, _box, _overlap, label_places
from tests.pages.conftest import OpenPage, texts
from tests.reports.conftest import MakeRun, made_up_predictions, make_run  # noqa: F401

CONFIG = parse_config({"schemes": ["general_mask@0.7", "general_mask@0.9"]})
KEYS = ["variant", "evaluation", "treated_by", "group"]


@pytest.fixture(scope="module")
def pooled() -> pd.DataFrame:
    """Results of an original and of one scheme at two quantiles."""
    table = made_up_predictions()
    scheme = table[table["variant"] == "general_mask@0.7"].assign(variant="general_mask@0.9")
    scheme["score"] = 1 - scheme["score"]  # other numbers than at the first quantile
    scheme["treated_by"] = scheme["treated_by"].str.replace("0.7", "0.9")
    results = results_table(pd.concat([table, scheme]), "Male", "Blond_Hair")
    return over_all_seeds(accuracy_and_gap(results))


@pytest.fixture(scope="module")
def numbers(pooled: pd.DataFrame) -> Any:
    return pooled.set_index(KEYS)[["value", "low", "high"]].to_dict("index")


def test_schemes_at_one_quantile_beside_original_and_balanced(numbers: Any) -> None:
    figure = schemes_figure(CONFIG, numbers, 0.9, "treated")
    drawn = {trace.name: trace for trace in figure.data}
    assert list(drawn) == ["accuracy, all", "men", "women", "women - men"]
    assert list(drawn["men"].x) == ["original", "balanced", "general_mask@0.9"]
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


def test_each_seed_is_a_point_of_the_chart(pooled: pd.DataFrame) -> None:
    by_seed = accuracy_and_gap(results_table(made_up_predictions(), "Male", "Blond_Hair"))
    by_seed = by_seed[by_seed["seed"].notna()]
    figure = chart(pooled, ["men"], "Accuracy", by_seed)
    ticks = [trace for trace in figure.data if trace.marker.symbol == "line-ns-open"]
    clean = by_seed[(by_seed["group"] == "men") & (by_seed["evaluation"] == "clean")]
    assert sorted(ticks[0].x) == sorted(clean["value"])
    assert len(ticks[0].x) == 3 * 2


def test_comparison_shows_figures_and_prevalence(open_page: OpenPage, make_run: MakeRun, drawn: FaceDataset) -> None:  # noqa: F811
    run: Run = make_run()
    counts = {"target_with": 1, "target_without": 99, "other_with": 30, "other_without": 70}
    write_json(run.path / "subsets.json", {**read_json(run.path / "subsets.json"), "test_available": counts})
    app = open_page("comparison", run=run.id)
    assert "The paper's figures" in texts(app)
    assert "men without Blond_Hair 99" in texts(app)
    shown = next(frame.value for frame in app.dataframe if "women - men" in frame.value.columns)
    results = over_all_seeds(accuracy_and_gap(read_results(run.path)))
    cell = results[(results["variant"] == "original") & (results["evaluation"] == "clean")].set_index("group")["value"]
    natural = 0.01 * cell["men with Blond_Hair"] + 0.99 * cell["men without Blond_Hair"]
    assert shown["men"].iloc[0].startswith(f"{natural:.2f} [")
    assert shown["men"].iloc[0].endswith(f"equal cells {cell['men']:.2f}")
    specs = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    names = [trace.get("name") for spec in specs for trace in spec["data"]]
    assert "accuracy, all" in names


def test_names_of_points_that_meet_lie_apart() -> None:
    names = ["rr_clarc", "fine_tune", "a_clarc", "p_clarc", "alone"]
    x, y = [0.10, 0.10, 0.11, 0.10, 0.9], [0.70, 0.71, 0.70, 0.69, 0.2]
    places = label_places(x, y, names, 1.0, 1.0)
    assert places[-1] == "top right"
    boxes = [
        _box(np.array([across * WIDTH, down * HEIGHT]), PLACES[place], LETTER * len(name), LINE)
        for across, down, place, name in zip(x, y, places, names, strict=True)
    ]
    assert not [(a, b) for a, b in combinations(range(5), 2) if _overlap(boxes[a], boxes[b])]
    assert label_places([], [], [], 1.0, 1.0) == []


def test_clean_and_treated_share_a_row_where_there_is_one_treatment() -> None:
    keys = {"variant": ["original", "original", "zhang", "zhang"], "evaluation": ["clean", "treated"] * 2}
    table = pd.DataFrame({**keys, "treated_by": ["", "general_mask@0.7"] * 2, "group": "men", "n": 4})
    table = table.assign(value=0.5, low=0.4, high=0.6, seed=0)
    drawn = chart(table, ["men"], "Accuracy", table.head(0)).data
    assert {name for trace in drawn for name in trace.y} == {"original", "zhang"}
    twice = pd.concat([table, table.tail(1).assign(treated_by="general_mask@0.9")])
    drawn = chart(twice, ["men"], "Accuracy", twice.head(0)).data
    assert {name for trace in drawn for name in trace.y} == {
        "original",
        "zhang",
        "zhang under general_mask@0.7",
        "zhang under general_mask@0.9",
    }
