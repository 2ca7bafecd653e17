"""The review desk: what the table says, which faces are shown, what stays with the run."""

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from fairsal_core.experiments import Run, read_results
from fairsal_core.faces import FaceDataset
from fairsal_core.reports import Acceptance, read_acceptance, read_notes
from pages.components.desk import desk_table
from tests.pages.conftest import OpenPage, texts
from tests.reports.conftest import MakeRun, make_run  # noqa: F401


@pytest.fixture
def run(open_page: OpenPage, make_run: MakeRun, drawn: FaceDataset) -> Run:  # noqa: F811
    """A finished run in the workspace of the pages, on faces that the drawn set has."""
    return make_run()


def test_the_table_sorts_by_value_and_shows_intervals_and_signs() -> None:
    results = pd.DataFrame(
        [
            ("a", "clean", "", "accuracy", "all", 0.5, 0.4, 0.6),
            ("b", "clean", "", "accuracy", "all", 0.7, 0.6, 0.8),
            ("a", "clean", "", "gap", "women - men", -0.3, -0.4, -0.2),
            ("b", "clean", "", "gap", "women - men", 0.1, 0.0, 0.2),
        ],
        columns=["variant", "evaluation", "treated_by", "metric", "group", "value", "low", "high"],
    )
    changes = pd.DataFrame(
        [
            ("b", "clean", "", "accuracy", "all", 0.2, 0.1, 0.3),
            ("b", "clean", "", "gap", "women - men", -0.2, -0.3, 0.1),
        ],
        columns=["variant", "evaluation", "treated_by", "metric", "group", "change", "change_low", "change_high"],
    )
    columns = {"accuracy": ("accuracy", "all"), "gap": ("gap", "women - men")}
    styler = desk_table(results, changes, columns)
    assert styler.data["accuracy"].tolist() == [0.5, 0.7]
    shown = styler.to_html()
    for text in ("0.50 [0.40, 0.60]", "-0.30 [-0.40, -0.20]", "+0.20 [+0.10, +0.30] better", "-0.20 [-0.30, +0.10]<"):
        assert text in shown


def test_a_change_for_the_worse_is_said_in_words() -> None:
    keys = {"variant": ["b"], "evaluation": ["clean"], "treated_by": [""]}
    results = pd.DataFrame({**keys, "metric": "gap", "group": "g", "value": 0.4, "low": 0.3, "high": 0.5})
    moved = {"metric": "gap", "group": "g", "change": 0.2, "change_low": 0.1, "change_high": 0.3}
    shown = desk_table(results, pd.DataFrame({**keys, **moved}), {"gap": ("gap", "g")}).to_html()
    assert "+0.20 [+0.10, +0.30] worse" in shown


def open_desk(open_page: OpenPage, run: Run, **query: str) -> AppTest:
    return open_page("comparison", run=run.id, **query)


def test_numbers_on_the_desk_are_those_of_the_run(open_page: OpenPage, run: Run) -> None:
    table = open_desk(open_page, run).dataframe[0].value
    results = read_results(run.path)
    pooled = results[results["seed"].isna() & results["metric"].eq("accuracy") & results["group"].eq("all")]
    expected = {(row.variant, row.evaluation): row.value for row in pooled.itertuples()}
    assert {(row[0], row[1]): row[3] for row in table.itertuples(index=False)} == expected


def test_variants_and_reference_come_from_the_link(open_page: OpenPage, run: Run) -> None:
    app = open_desk(open_page, run, reference="balanced", evaluation="clean")
    app.multiselect(key="variants").set_value(["balanced", "general_mask@0.7"]).run()
    assert app.dataframe[0].value["variant"].tolist() == ["balanced", "general_mask@0.7"]
    assert app.selectbox(key="reference").value == "balanced"


def test_a_variant_that_no_run_has_is_said(open_page: OpenPage, run: Run) -> None:
    app = open_desk(open_page, run, variants="nonsense")
    assert any("no variant 'nonsense'" in warning.value for warning in app.warning)
    assert "original" in set(app.dataframe[0].value["variant"])


def test_variants_of_another_run_on_the_same_data_join(open_page: OpenPage, run: Run, make_run: MakeRun) -> None:  # noqa: F811
    other = make_run(name="Second", training={"epochs": 2})
    make_run(name="Elsewhere", confounder="Eyeglasses")
    app = open_desk(open_page, run)
    also = app.multiselect(key="also")
    assert also.options == [f"Second {other.id[-4:]}"]
    also.set_value(also.options).run()
    assert f"balanced · Second {other.id[-4:]}" in set(app.dataframe[0].value["variant"])
    assert not app.exception


def test_thresholds_stay_with_the_run(open_page: OpenPage, run: Run) -> None:
    app = open_desk(open_page, run)
    verdicts = app.dataframe[1].value
    assert verdicts.set_index(["variant", "test faces"])["verdict"][("original", "clean")] == "✗ fail"
    app.number_input(key=f"gap_at_most-{run.id}").set_value(0.95).run()
    assert read_acceptance(run.path) == Acceptance(gap_at_most=0.95)
    assert "|gap| at most 0.95" in app.dataframe[1].value.columns


def test_the_gallery_shows_who_changed_sides(open_page: OpenPage, run: Run) -> None:
    app = open_desk(open_page, run)
    app.selectbox(key="after").set_value("balanced").run()
    app.selectbox(key="group").set_value("men with Blond_Hair").run()
    app.segmented_control(key="outcome").set_value("Newly right").run()
    opened = [button for button in app.button if button.label == "Open"]
    assert 0 < len(opened) <= 12
    assert texts(app).count("✓ right") == len(opened)


def test_a_face_opens_from_a_link_and_an_unknown_one_is_said(open_page: OpenPage, run: Run) -> None:
    app = open_desk(open_page, run, face="000001.jpg")
    assert "**Attributes**" in texts(app)
    app = open_desk(open_page, run, face="999999.jpg")
    assert any("no test face '999999.jpg'" in warning.value for warning in app.warning)


def test_a_note_is_kept_and_shown(open_page: OpenPage, run: Run) -> None:
    app = open_desk(open_page, run)
    app.text_area[0].set_value("Looked at the blond men.")
    app.text_input[0].set_value("Ada")
    next(button for button in app.button if button.label == "Keep the note").click()
    app.run()
    assert [note.text for note in read_notes(run.path)] == ["Looked at the blond men."]
    assert any("Looked at the blond men." in text.value for text in app.text)
