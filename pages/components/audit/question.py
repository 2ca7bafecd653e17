"""What an audit asks: of which faces, what is predicted, and on what it should not depend."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from fairsal_core.drawing import DEMO, demo_folder
from fairsal_core.faces import FaceDataset, audit_target
from fairsal_core.regions import bundled_attributes
from fairsal_core.settings import ALL_SPLITS
from pages.components.shared.data import choose_source, faces_or_stop

_SPLITS = {"test": "the test split", "val": "the validation split", "train": "the train split", ALL_SPLITS: "all faces"}


@dataclass(frozen=True)
class Question:
    """What was chosen.

    Attributes
    ----------
    source : str
        A data source that is on offer.
    faces : FaceDataset
        Its faces, packed.
    target, confounder : str
        What is predicted, and the protected attribute.
    split : str
        The faces that are judged on.
    """

    source: str
    faces: FaceDataset
    target: str
    confounder: str
    split: str

    @property
    def settings(self) -> dict[str, Any]:
        """What `AuditConfig` calls it."""
        return {
            "data": self.source,
            "target": self.target,
            "confounder": self.confounder,
            "test_split": self.split,
        }


def choose_question() -> Question:
    """Show the choice of faces, target and protected attribute, begun by the link; a sentence ends the page where there is none."""
    first, second, third, fourth = st.columns(4)
    with first:
        source = choose_source()
    faces = faces_or_stop(source)
    choices = faces.choices
    if len(choices) < 2:
        st.error("These faces have fewer than two attributes that vary: there is nothing to compare.")
        st.stop()
    proposed, protected = audit_target(str(demo_folder()) if source == DEMO else source, faces)
    with second:
        target = _choice("What it predicts", choices, "target", proposed)
    others = [name for name in faces.protectable if faces.column_of(name) != faces.column_of(target)]
    # What a region classifier comes for is audited at once; for others one has to be trained first.
    wishes = (*protected, *(bundled_attributes() if source == DEMO else ()))
    wished = next((name for each in wishes for name in others if name.partition("=")[0] == each), None)
    with third:
        confounder = _choice(
            "Protected attribute",
            others,
            "protected",
            wished,
            help="What it should not depend on: with it and without, one class against the rest, or all of an attribute's classes.",
        )
    with fourth:
        split = _choice(
            "Judged on",
            list(_SPLITS),
            "split",
            ALL_SPLITS,
            names=_SPLITS,
            help="All faces, unless the classifier was trained on some of them.",
        )
    return Question(source, faces, target, confounder, split)


def _choice(
    label: str,
    options: list[str],
    key: str,
    start: str | None = None,
    names: dict[str, str] | None = None,
    help: str | None = None,
) -> str:
    """Show a choice that is part of the link, and return what was chosen."""
    place = f"audit_{key}"
    if st.session_state.get(place) not in options:
        wanted = st.query_params.get(key, start)
        st.session_state[place] = wanted if wanted in options else options[0]
    chosen = str(
        st.selectbox(label, options, key=place, format_func=lambda name: (names or {}).get(name, name), help=help)
    )
    st.query_params[key] = chosen
    return chosen
