"""What if: hide something from a face, and see score and decision of every chosen classifier move; then over 200 faces."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from torch import nn

from fairsal_core.classifiers import Subject
from fairsal_core.errors import FairsalError
from fairsal_core.experiments import (
    Area,
    Hidden,
    available_regions,
    find_subjects,
    hide_in,
    moved,
    moved_on_average,
    ways,
)
from fairsal_core.faces import PART_OF, FaceDataset, Roi, flags_of, groups_of_faces, with_or_without
from fairsal_core.pictures import portrait
from fairsal_core.regions import RegionClassifier, load_regions
from pages.components.audit.question import Question
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain

_MANY = 200
_BOX, _PART, _REGION = "rectangle", "part", "region map"
_NAMES = {"general_mask": "hide", "general_noise": "noise"}


@st.fragment
@in_one_sentence("What if")
def what_if_section(question: Question, named: list[str]) -> None:
    """Let something be hidden from a face, and show what the chosen classifiers then say."""
    st.subheader("What if it were not to be seen?")
    if not named:
        st.caption(
            "Choose classifiers above, and hide a rectangle, a part or a region from a face to see their scores move."
        )
        return
    try:
        subjects = {subject.name: subject for subject in find_subjects(named)}
        area, way = _choose_area(question)
        face = _choose_face(question)
        hidden = hide_in(face, area, way)
    except FairsalError as error:
        st.error(plain(error))
        return
    before, after, said = st.columns([1, 1, 3])
    before.image(portrait(face.images[0]), width="stretch", caption="as it is", alt=f"Face {face.names[0]}")
    after.image(
        portrait(hidden.images[0]), width="stretch", caption="hidden", alt=f"Face {face.names[0]}, partly hidden"
    )
    with said:
        st.dataframe(
            scores_table(subjects, hidden, question), hide_index=True, alt="Score and decision before and after"
        )
        label = "has" if face.labels(question.target)[0] else "has not"
        st.caption(f"By its label this face {label} {plain(question.target)}.")
    if st.button(f"Over {_MANY} faces", key="what_if_many", icon=":material/groups:"):
        _over_many(question, subjects, area, way)


def scores_table(subjects: dict[str, Subject], hidden: Hidden, question: Question) -> pd.DataFrame:
    """Return score and decision of one face before and after, a row a classifier."""
    rows = []
    for name, subject in subjects.items():
        row = moved(_network(subject.digest, subject), hidden, flags_of(hidden.faces, question.confounder)).iloc[0]
        decided = [f"{'yes' if row[when] > 0.5 else 'no'}" for when in ("yes_before", "yes_after")]
        rows.append(
            {
                "classifier": name,
                "score": f"{row['before']:.3f} → {row['after']:.3f}",
                "change": round(float(row["after"] - row["before"]), 3),
                "decision": decided[0] if decided[0] == decided[1] else f"{decided[0]} → {decided[1]}",
            }
        )
    return pd.DataFrame(rows)


@st.cache_resource(max_entries=8, show_spinner="Loading …")
def _network(digest: str, _subject: Subject) -> nn.Module:
    return _subject.load()


def _pool(question: Question) -> FaceDataset:
    faces = question.faces if question.split == "all" else question.faces.in_split(question.split)
    return faces.with_label(question.target, question.confounder)


def _choose_face(question: Question) -> FaceDataset:
    """Return the face that was chosen, by its number among those that are judged on."""
    pool = _pool(question)
    number = st.number_input("Face", 1, len(pool), 1, key="what_if_face", bind="query-params")
    face = pool.take([int(number) - 1]).readable
    if not len(face):
        raise FairsalError("The picture of this face does not decode; choose another.")
    return face


def _choose_area(question: Question) -> tuple[Area, str]:
    faces = question.faces
    regions = available_regions(faces, question.source)
    kinds = [_BOX, *([_PART] if faces.parts_folder else []), *([_REGION] if regions else [])]
    first, second, third = st.columns([2, 2, 3])
    kind = first.segmented_control(
        "What", kinds, default=kinds[0], required=True, key="what_if_kind", bind="query-params"
    )
    way = second.segmented_control(
        "How",
        list(ways()),
        default="general_mask",
        required=True,
        key="what_if_way",
        bind="query-params",
        format_func=lambda name: _NAMES.get(name, name),
    )
    with third:
        if kind == _PART:
            return Area(
                part=str(st.selectbox("Part that shows", list(PART_OF), key="what_if_part", bind="query-params"))
            ), str(way)
        if kind == _REGION:
            return _region(regions, question), str(way)
        across = st.slider("From left to right", 0, 128, (32, 96), key="what_if_x", bind="query-params")
        down = st.slider("From top to bottom", 0, 128, (80, 110), key="what_if_y", bind="query-params")
    if across[0] == across[1] or down[0] == down[1]:
        raise FairsalError("The rectangle is empty: move its sides apart.")
    return Area(Roi(across[0], down[0], across[1] - across[0], down[1] - down[0])), str(way)


def _region(regions: dict[str, Path], question: Question) -> Area:
    names = list(regions)
    start = names.index(question.confounder) if question.confounder in names else 0
    attribute = str(st.selectbox("Where it can be read off", names, index=start, key="what_if_attribute"))
    share = st.slider("Top share of its map", 0.05, 0.95, 0.3, 0.05, key="what_if_share", bind="query-params")
    return Area(regions=_classifier(regions[attribute], attribute), share=share)


@st.cache_resource(max_entries=8, show_spinner=False)
def _classifier(path: Path, attribute: str) -> RegionClassifier:
    return load_regions(path, attribute)


def _over_many(question: Question, subjects: dict[str, Subject], area: Area, way: str) -> None:
    """Show how far scores move on average, and how many decisions change, by group."""
    try:
        with st.spinner(f"Hiding it in {_MANY} faces …"):
            hidden = hide_in(_pool(question).sample(_MANY), area, way)
            of, kinds = groups_of_faces(hidden.faces, question.confounder)
            groups = {
                "all": np.ones(len(of), dtype=bool),
                **{with_or_without(question.confounder, kind): of == place for place, kind in enumerate(kinds)},
            }
            loaded = {name: _loaded(subject) for name, subject in subjects.items()}
            table = moved_on_average(loaded, hidden, groups, flags_of(hidden.faces, question.confounder))
    except FairsalError as error:
        st.error(plain(error))
        return
    st.dataframe(_in_words(table), hide_index=True, alt="Change of scores and decisions over many faces")
    left = f" {hidden.without} of {_MANY} faces have no such part." if hidden.without else ""
    st.caption(f"95% intervals over faces drawn at random of those that are judged on.{left}")


def _loaded(subject: Subject) -> Subject:
    return replace(subject, load=partial(_network, subject.digest, subject))


def _in_words(table: pd.DataFrame) -> pd.DataFrame:
    rows = table.to_dict("records")
    return pd.DataFrame(
        {
            "classifier": table["subject"],
            "group": table["group"],
            "change in score": [
                f"{row['score']:+.3f} [{row['score_low']:+.3f}, {row['score_high']:+.3f}]" for row in rows
            ],
            "decisions that change": [f"{row['changed']:.1%} [{row['low']:.1%}, {row['high']:.1%}]" for row in rows],
            "n": table["n"],
        }
    )
