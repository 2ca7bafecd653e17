"""Comparison by groups of the reader's choice, without a browser."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from fairsal_core.faces import FaceDataset
from fairsal_core.runs import Run
from fairsal_core.scan import kept_groups
from tests.pages.conftest import OpenPage, read, texts

_RATES = ("true positive rate", "false positive rate", "accuracy")


def by_group(open_page: OpenPage, run: Run, **query: str) -> AppTest:
    app = open_page("comparison", run=run.id, tab="Accuracy", accuracy_view="By group", **query)
    assert not app.exception and not app.error
    return app


def rates(app: AppTest) -> pd.DataFrame:
    return next(frame.value for frame in app.dataframe if "selection rate" in frame.value.columns)


@pytest.fixture
def of_classes(drawn: FaceDataset, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> FaceDataset:
    """Give the drawn faces seven races, of which some are unknown, as FairFace has them."""
    names = [f"race {number}" for number in range(7)]
    race = pd.Categorical(np.random.default_rng(1).choice(names, len(drawn)), categories=names)
    race[::9] = None
    faces = replace(drawn, attributes=drawn.attributes.assign(race=race))
    monkeypatch.setattr("pages.components.comparison.groups.get_labels", lambda source: faces)
    return faces


def test_at_first_groups_are_the_confounders(open_page: OpenPage, run: Run) -> None:
    app = by_group(open_page, run)
    table = rates(app)
    assert list(dict.fromkeys(table["group"])) == [
        "Blond_Hair",
        "not Blond_Hair",
        "largest − smallest",
        "smallest / largest",
    ]
    assert table["variant"].tolist()[:4] == ["Original", "General mask, top 30%", "Δ General mask, top 30%", "Balanced"]
    assert "men with Blond_Hair" in read(texts(app)) and "protected" not in app.query_params


def test_a_population_has_the_labels_of_all_faces_that_could_be_judged(
    open_page: OpenPage, run: Run, of_classes: FaceDataset
) -> None:
    race = of_classes.attributes["race"].eq("race 1")
    share = float(of_classes.labels("Male")[race].mean())  # the judged faces are of all splits here
    app = by_group(open_page, run, protected="race")
    as_they_are = rates(app)
    app.segmented_control(key="group_view").set_value("population").run()
    assert not app.exception and not app.error
    table = rates(app)
    row = table[table["group"].eq("race=race 1") & table["variant"].eq("Original")].iloc[0]
    hit, false, accuracy = (float(row[name].split()[0]) for name in _RATES)
    assert accuracy == pytest.approx(share * hit + (1 - share) * (1 - false), abs=0.011)  # of two decimals each
    assert not as_they_are["accuracy"].equals(table["accuracy"])


def test_prevalence_is_of_any_groups(open_page: OpenPage, run: Run, of_classes: FaceDataset) -> None:
    app = open_page("comparison", run=run.id, tab="Accuracy", accuracy_view="As common as out there", protected="race")
    assert not app.exception and not app.error
    women = of_classes.attributes.loc[~of_classes.labels("Male"), "race"]
    said = read(texts(app))
    assert f"women with race=race 3 {women.eq('race 3').sum()};" in said
    assert f"women with race unknown {women.isna().sum()}" in said
    shown = next(frame.value for frame in app.dataframe if "women - men" in frame.value.columns)
    assert shown["women - men"].between(-1, 1).all() and not shown["all"].equals(shown["all, equal cells"])


def test_a_choice_is_in_the_link_and_holds_on_the_summary(
    open_page: OpenPage, run: Run, of_classes: FaceDataset
) -> None:
    app = by_group(open_page, run)
    app.multiselect(key="protected").set_value(["race"]).run()
    assert not app.exception and app.query_params["protected"] == "race"
    groups = set(rates(app)["group"])
    assert {"race=race 0", "race=race 6", "race unknown"} <= groups
    app = open_page("comparison", run=run.id, protected="race")
    assert not app.exception and "By race, as chosen under" in texts(app)
    assert any("worst group" in element.proto.body for element in app.get("html"))


def test_small_groups_are_named_and_left_out(open_page: OpenPage, run: Run, of_classes: FaceDataset) -> None:
    app = by_group(open_page, run)
    app.multiselect(key="protected").set_value(["race", "Smiling", "Wearing_Hat"]).run()
    assert not app.exception
    assert "are too small for a verdict" in texts(app)
    table = rates(app)
    assert table["group"].str.endswith("(too small)").any()
    assert table["faces"].dropna().gt(0).all()


def test_treated_faces_are_seen_by_group_too(open_page: OpenPage, run: Run, of_classes: FaceDataset) -> None:
    clean = rates(by_group(open_page, run, protected="race"))
    app = by_group(open_page, run, protected="race", group_faces="general_mask@0.7")
    assert "Test faces: faces treated by General mask" in texts(app)
    axes = [json.loads(chart.proto.spec)["layout"]["xaxis"].get("title", {}) for chart in app.get("plotly_chart")]
    assert {"text": "accuracy on faces treated by General mask, top 30%"} in axes
    treated = rates(app)
    assert treated["group"].tolist() == clean["group"].tolist()
    assert treated["accuracy"].tolist() != clean["accuracy"].tolist()
    assert not any("into the report" in button.label for button in app.button)  # verdicts rest on clean faces


def test_faces_and_maps_are_seen_by_the_chosen_groups(open_page: OpenPage, run: Run, of_classes: FaceDataset) -> None:
    app = open_page("comparison", run=run.id, tab="Faces", protected="race")
    assert not app.exception and not app.error
    groups = app.selectbox(key="group").options
    assert "men with race=race 0" in groups and "women with race unknown" in groups
    app.segmented_control(key="outcome").set_value("All").run()
    app.selectbox(key="group").set_value("women with race unknown").run()
    assert not app.exception
    shown = [caption.value for caption in app.caption if "→" in caption.value and "right" in caption.value[-80:]]
    assert all("women with race unknown" in each for each in shown if "**" in each)


def test_without_the_set_the_confounder_is_known_from_the_predictions(
    open_page: OpenPage, run: Run, drawn: FaceDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = drawn.take(range(10))
    monkeypatch.setattr("pages.components.comparison.groups.get_labels", lambda source: few)
    app = by_group(open_page, run, protected="Smiling")
    assert app.multiselect(key="protected").options == ["Blond_Hair"]
    assert "only the confounder is known" in texts(app)


def test_the_report_has_the_groups_once_they_are_put_there(open_page: OpenPage, run: Run) -> None:
    app = by_group(open_page, run)
    app.multiselect(key="protected").set_value(["Smiling"]).run()
    next(button for button in app.button if button.label == "Put these groups into the report").click().run()
    assert not app.exception
    kept = kept_groups(run.path)
    assert [each.variant for each in kept] == ["original", "balanced", "general_mask@0.7"]
    assert kept[1].reference == "original" and kept[1].changes and kept[0].protected == ("Smiling",)
