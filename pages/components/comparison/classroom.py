"""For teachers: a poll before the reveal, and faces of each student's own."""

from collections import Counter

import numpy as np
import pandas as pd
import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.results import CLEAN
from pages.components.comparison.desk import Desk
from pages.components.comparison.gallery import portrait_of
from pages.components.comparison.groups import cells_in_link
from pages.components.comparison.stored import predictions_of
from pages.components.shared.data import get_faces_of
from pages.components.shared.rows import abreast
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain

_ABREAST = 4


def poll(desk: Desk) -> bool:
    """Ask which subgroup fares worst, and return whether this browser has answered; then all answers are shown.

    Answers of all browsers on this server are counted, and forgotten when it ends.
    """
    candidate = (desk.candidate or desk.reference).label
    key, votes = f"voted-{desk.audit.run.id}", _votes(desk.audit.run.id)
    if key not in st.session_state:
        with st.form("poll"):
            answer = st.radio(
                f"Which subgroup fares worst under {plain(candidate)}?",
                list(_tested_cells(desk).cat.categories),
                format_func=plain,
            )
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
        faces = get_faces_of(audit.run)
    except (FairsalError, OSError) as error:
        st.info(f"The faces themselves cannot be shown: {plain(error)}")
        return
    drawn = drawn_faces(_tested_cells(desk), int(number))
    with abreast("student", 2):
        columns = st.columns(_ABREAST)
    for place, (label, name) in enumerate(drawn.items()):
        with columns[place % _ABREAST]:
            st.image(
                portrait_of(str(audit.run.config["data"]), name, faces), width="stretch", alt=f"Face {name}, {label}"
            )
            st.caption(plain(label))


def _tested_cells(desk: Desk) -> pd.Series:
    """Return which cell each test face is in, by the groups that the link names."""
    predictions = predictions_of(*desk.reference.source[:2])
    tested = predictions[predictions["evaluation"] == CLEAN].drop_duplicates("face").set_index("face")
    return cells_in_link(desk.audit, tested["target"].astype(bool))


def drawn_faces(cells: pd.Series, student: int) -> dict[str, str]:
    """Return cell -> a face of it, by a student's number; `cells` (index: faces) says which cell each is in."""
    generator = np.random.default_rng(student)
    by_cell = cells.groupby(cells, observed=True)
    return {str(cell): str(generator.choice(sorted(part.index))) for cell, part in by_cell}
