"""What hiding changes, by groups of the reader's choice."""

import pandas as pd
import streamlit as st

from fairsal_core.results import read_hidden, read_hidden_faces
from fairsal_core.scan import hidden_by_group
from pages.components.comparison.audit import Audit
from pages.components.comparison.groups import choose_protected, labels_of
from pages.components.shared.hiding import TITLE, show_hidden
from pages.components.shared.told import in_one_sentence


@in_one_sentence(TITLE)
def hiding_by_group(audit: Audit) -> None:
    """Show how many decisions change when the region is hidden, by the groups that are chosen."""
    protected = choose_protected(audit)
    show_hidden(audit.run, _hidden(audit, protected))


def _hidden(audit: Audit, protected: tuple[str, ...]) -> pd.DataFrame:
    if protected == (audit.confounder,):
        return read_hidden(audit.run.path)
    decisions = read_hidden_faces(audit.run.path)
    if decisions.empty:
        st.info("This run kept no decisions of single faces: audit again to see what hiding changes in other groups.")
        return read_hidden(audit.run.path)
    faces, _ = labels_of(audit)
    return hidden_by_group(decisions, audit.target, faces, protected)
