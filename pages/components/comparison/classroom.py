"""For teachers: a poll before the reveal, and faces of each student's own."""

from collections import Counter

import numpy as np
import pandas as pd
import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.faces import CELLS, cell_name
from fairsal_core.results import CLEAN
from pages.components.comparison.cells_chart import subgroups_of
from pages.components.comparison.desk import Desk
from pages.components.comparison.gallery import portrait_of
from pages.components.comparison.stored import predictions_of
from pages.components.shared.data import get_faces
from pages.components.shared.rows import abreast
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain


def poll(desk: Desk) -> bool:
    """Ask which subgroup fares worst, and return whether this browser has answered; then all answers are shown.

    Answers of all browsers on this server are counted, and forgotten when it ends.
    """
    candidate = (desk.candidate or desk.reference).label
    key, votes = f"voted-{desk.audit.run.id}", _votes(desk.audit.run.id)
    if key not in st.session_state:
        with st.form("poll"):
            answer = st.radio(f"Which subgroup fares worst under {plain(candidate)}?", subgroups_of(desk.results))
            if not st.form_submit_button("That one"):
                return False
        st.session_state[key] = answer
        votes[str(answer)] += 1
    st.markdown(
        "**What was guessed** · " + ", ".join(f"{plain(group)}: {count}" for group, count in votes.most_common())
    )
    return True


@st.cache_resource(max_entries=64, show_spinner=False)
def _votes(run: str) -> Counter[str]:
    return Counter()


@in_one_sentence("The faces of a student")
def faces_of_a_student(desk: Desk) -> None:
    """Show a test face of each cell, drawn by the student's number: the same number gives the same faces."""
    audit = desk.audit
    number = st.number_input("Student", 0, 9999, 0, key="student", bind="query-params", width=160)
    try:
        faces = get_faces(str(audit.run.config["data"]))
    except (FairsalError, OSError) as error:
        st.info(f"The faces themselves cannot be shown: {plain(error)}")
        return
    predictions = predictions_of(*desk.reference.source[:2])
    tested = predictions[predictions["evaluation"] == CLEAN].drop_duplicates("face")
    with abreast("student", 2):
        columns = st.columns(len(CELLS))
    for column, name in zip(columns, drawn_faces(tested, int(number)), strict=True):
        row = tested[tested["face"] == name].iloc[0]
        cell = next(cell for cell in CELLS if cell == (bool(row["target"]), bool(row["confounder"])))
        label = cell_name(audit.target, audit.confounder, cell)
        with column:
            st.image(
                portrait_of(str(audit.run.config["data"]), name, faces), width="stretch", alt=f"Face {name}, {label}"
            )
            st.caption(plain(label))


def drawn_faces(tested: pd.DataFrame, student: int) -> list[str]:
    """Return a face of each cell, in the order of CELLS, by a student's number."""
    generator = np.random.default_rng(student)
    by_cell = {cell: sorted(part["face"]) for cell, part in tested.groupby(["target", "confounder"])}
    return [str(generator.choice(by_cell[tuple(cell)])) for cell in CELLS]
