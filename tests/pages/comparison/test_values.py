"""A protected attribute of several values, in every part of Comparison."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairsal_core.faces import draw_fairface, list_labels, load_faces, load_folder
from fairsal_core.runs import Run, load_run, run_here
from fairsal_core.settings import AUDIT, parse_audit
from tests.pages.conftest import OpenPage, read, texts


@pytest.fixture
def by_race(open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """An audit by race of two models, of which one takes women with glasses for men."""
    folder = draw_fairface(tmp_path / "fairface", count=400, seed=0)
    monkeypatch.setenv("FAIRSAL_DATA_ROOTS", str(folder))
    monkeypatch.setattr("pages.components.shared.data.load_faces", load_faces)
    monkeypatch.setattr("pages.components.shared.data.list_labels", list_labels)
    faces = load_folder(folder)
    race, kinds = faces.classes("race")
    has = faces.labels("gender=Female")
    worse = np.where(has & (race != kinds.index("Eyeglasses")), 0.9, 0.1)
    pd.DataFrame({"file": faces.names, "good": np.where(has, 0.8, 0.3), "worse": worse}).to_csv(
        tmp_path / "scores.csv", index=False
    )
    asked = {
        "data": str(folder),
        "target": "gender=Female",
        "confounder": "race",
        "test_split": "all",
        "test_per_cell": 16,
        "predictions": [str(tmp_path / "scores.csv")],
    }
    return load_run(run_here(AUDIT, parse_audit(asked).model_dump(mode="json"), name="by race"))


def test_the_summary_compares_groups_and_no_shortcut(open_page: OpenPage, by_race: Run) -> None:
    app = open_page("comparison", run=by_race.id)
    assert not app.exception
    said = read(texts(app))
    assert "φ =" not in said
    assert "fails gender=Female with race=Eyeglasses most" in said
    assert "errors of “worse” differ more between groups of race than those of “good”" in said
    assert "Equalized odds difference: the larger" in said
    assert "Shortcut gap" not in said


@pytest.mark.parametrize(
    ("view", "told"),
    [
        ({"tab": "Accuracy"}, "95% intervals in brackets"),
        (
            {"tab": "Accuracy", "accuracy_view": "By group"},
            "Worst under *worse*: **gender=Female with race=Eyeglasses**",
        ),
        ({"tab": "Accuracy", "accuracy_view": "As common as out there"}, "gender=Female with race=Eyeglasses"),
        ({"tab": "Attention"}, "predictions alone"),
        ({"tab": "Faces"}, "newly wrong"),
        ({"tab": "Decide"}, "verdict"),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else "",
)
def test_every_part_shows_it(open_page: OpenPage, by_race: Run, view: dict[str, str], told: str) -> None:
    app = open_page("comparison", run=by_race.id, **view)
    assert not app.exception
    assert not app.error
    assert told in read(texts(app))


def test_the_audit_page_offers_the_attribute_and_its_values(open_page: OpenPage, by_race: Run) -> None:
    app = open_page("audit", data="fairface", target="gender=Female", protected="race")
    assert not app.exception
    offered = app.selectbox(key="audit_protected")
    assert offered.value == "race"
    assert "race=Eyeglasses" in offered.options
    assert "age" in offered.options
    table = pd.DataFrame({"file": load_folder(Path(str(by_race.config["data"]))).names, "score": 0.7})
    app.file_uploader(key="audit_uploads").set_value(("m.csv", table.to_csv(index=False).encode(), "text/csv")).run()
    assert "gender=Female with race=Eyeglasses" in app.dataframe[1].value["cell"].tolist()
