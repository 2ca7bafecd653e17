"""The attention sections of Comparison: maps, region, metrics, trade-off, all from what a run left."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from fairsal_core.faces import Roi
from fairsal_core.files import write_json, write_parquet
from fairsal_core.pictures import diverging_map, outline_path, over_face
from fairsal_core.results import DIFFERENCE, ELSEWHERE, HIDDEN_COLUMNS, REGION, list_attention, region_map_roi
from fairsal_core.runs import RunFiles, run_here, seal_run
from fairsal_core.settings import RoiChoice
from pages.components.comparison.roi_editor import LABELS
from tests.pages.conftest import FinishRun, OpenPage, texts


@pytest.fixture
def run(finish_run: FinishRun, drawn_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run in the workspace that the pages see, on faces that are on offer."""
    monkeypatch.setenv("FAIRSAL_DATA_ROOTS", str(drawn_folder))
    return finish_run(balanced=False)


def grids(app: AppTest) -> str:
    """What the grids of maps were given, as text."""
    return " ".join(str(grid.proto) for grid in app.get("bidi_component"))


@pytest.mark.parametrize("view", ["Mean maps", "Face by face"])
def test_maps_are_shown_by_the_groups_in_the_link(open_page: OpenPage, run: Path, view: str) -> None:
    by_default = open_page("comparison", run=run.name, tab="Attention", attention_view=view)
    other = by_default.multiselect(key="protected").options[1]  # one that varies among the few test faces
    app = open_page("comparison", run=run.name, tab="Attention", attention_view=view, protected=other)
    assert not app.exception and not app.error
    assert app.multiselect(key="protected").value == [other]
    assert f"with {other}" in grids(app) and "with Blond_Hair" not in grids(app)
    assert "with Blond_Hair" in grids(by_default)
    assert ("Mean over the faces whose maps are kept" in texts(app)) == (view == "Mean maps")


def test_the_sections_follow_the_region_in_the_link(open_page: OpenPage, run: Path) -> None:
    app = open_page("comparison", run=run.name, tab="Attention", attention_view="Numbers")
    assert "".join(app.query_params["roi"]) == "region_map@0.7"
    assert app.selectbox(key="candidate").value == "general_mask@0.7"
    assert "Region: where the confounder can be read off, top 30%. 4 test faces" in texts(app)
    assert "test that attention in the region fell (RDDT)" in app.table[-1].value.columns
    assert (
        "Layer-wise relevance propagation: maps of Original, seed 0, and of the same network with random weights have a rank "
        in texts(app)
    )

    app = open_page("comparison", run=run.name, roi="70,12,20,40", attention_view="Numbers")
    assert app.selectbox(key="roi_kind").value == "box"
    assert [app.number_input(key=f"roi_{name}").value for name in ("x", "y", "width", "height")] == [70, 12, 20, 40]
    assert "Region: a box at 70, 12 of 20 × 40 pixels. 4 test faces" in texts(app)

    app.number_input(key="roi_x").set_value(100).run()  # 20 wide still fits; 40 would not
    assert "".join(app.query_params["roi"]) == "100,12,20,40"
    app.number_input(key="roi_x").set_value(120).run()
    assert "".join(app.query_params["roi"]) == "120,12,8,40"
    app.selectbox(key="roi_preset").set_value("Wearing_Hat").run()
    assert "".join(app.query_params["roi"]) == "7,12,108,29"
    app.selectbox(key="roi_kind").set_value("parts").run()
    assert not app.exception
    assert "Region: the confounder's part masks." in texts(app)


def test_a_region_in_the_link_that_is_none(open_page: OpenPage, run: Path) -> None:
    app = open_page("comparison", run=run.name, roi="9,9,400,1")
    assert any("'9,9,400,1' is not one" in warning.value for warning in app.warning)
    assert "".join(app.query_params["roi"]) == "region_map@0.7"


def test_a_region_map_that_knows_nothing_is_not_offered(open_page: OpenPage, run: Path) -> None:
    knows_nothing = {"auc": 0.6, "auc_low": 0.4, "auc_high": 0.8, "bits": 0.0, "bits_low": 0.0, "bits_high": 0.1}
    content = {"attribute": "Smiling", **knows_nothing, "faces": 24, "rarest": 4}
    offered = LABELS["region_map"]
    assert offered in open_page("comparison", run=run.name, tab="Attention").selectbox(key="roi_kind").options
    write_json(run / "region_quality.json", content)
    seal_run(run)
    app = open_page("comparison", run=run.name, tab="Attention")
    assert not app.exception
    assert any("nothing is measured against it" in warning.value for warning in app.warning)
    assert offered not in app.selectbox(key="roi_kind").options


def test_a_run_without_explanations_offers_them(open_page: OpenPage, finish_run: FinishRun) -> None:
    path = finish_run(balanced=False, attention={"explainers": ["none"]})
    app = open_page("comparison", run=path.name, tab="Attention")
    assert any("Nothing was explained in this run yet" in info.value for info in app.info)
    assert app.multiselect(key="explain_methods").value == ["lrp"]
    run_here("explain", {"run": path.name, "explainers": ["gradient"], "explained_faces": 4, "device": "cpu"})
    app.run()
    assert not app.exception
    assert app.selectbox(key="explainer").value == "gradient"
    assert [choice for choice in list_attention(path) if choice.about["roi_used"] == RoiChoice(kind="region_map").name]
    assert region_map_roi(path, 0.7).pixels.any()


def test_what_hiding_changes_is_shown_before_and_after_there_are_explanations(
    open_page: OpenPage, finish_run: FinishRun
) -> None:
    path = finish_run(balanced=False, attention={"explainers": ["none"]})
    rows = [
        ("original", "general_mask@0.7", where, "all", changed, changed - 0.1, changed + 0.1, 0.1, 0.2, 40)
        for where, changed in ((REGION, 0.3), (ELSEWHERE, 0.1), (DIFFERENCE, 0.2))
    ]
    write_parquet(RunFiles(path).hidden, pd.DataFrame(rows, columns=list(HIDDEN_COLUMNS)))
    seal_run(path)
    app = open_page("comparison", run=path.name, tab="Attention")
    assert "What hiding changes" in [heading.value for heading in app.subheader]
    before = app.dataframe[-1].value
    assert before["difference"].tolist() == ["+20.0% [+10.0%, +30.0%]"]

    run_here("explain", {"run": path.name, "explainers": ["gradient"], "explained_faces": 4, "device": "cpu"})
    app = open_page("comparison", run=path.name, tab="Attention", attention_view="What hiding changes")
    assert not app.exception
    pd.testing.assert_frame_equal(app.dataframe[-1].value, before)


# Pictures


def test_the_outline_is_the_border_of_the_mask() -> None:
    mask = Roi(x=3, y=1, width=2, height=1).mask((4, 6))
    assert sorted(outline_path(mask).replace("M", " M").split(" M")[1:]) == sorted(
        ["3 1h1", "4 1h1", "3 2h1", "4 2h1", "3 1v1", "5 1v1"]
    )
    assert outline_path(np.zeros((4, 6), dtype=bool)) == ""
    assert outline_path(np.ones((2, 2), dtype=bool)).count("M") == 8


def test_signed_values_are_coloured_symmetrically() -> None:
    colours = diverging_map(np.array([[-2.0, -1.0, 0.0, 1.0, 2.0]]), 1.0)[0].astype(int)
    assert colours[0].tolist() == colours[1].tolist()
    assert colours[3].tolist() == colours[4].tolist()
    assert min(colours[2]) > 240  # zero is white
    assert colours[1][2] > colours[1][0] + 60  # below zero blue
    assert colours[3][0] > colours[3][2] + 60  # above zero red
    assert (diverging_map(np.zeros((2, 2)), 0.0) == colours[2]).all()
    face = np.zeros((1, 5, 3), dtype=np.uint8)
    over = over_face(diverging_map(np.array([[-2.0, -1.0, 0.0, 1.0, 2.0]]), 1.0), face)[0].astype(int)
    assert (over <= colours).all()
    assert (over >= colours // 2).all()
