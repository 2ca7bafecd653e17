"""Who was tested, and on whom it was trained: the cells, counted."""

import streamlit as st

from fairsal_core.faces import counts_kept, counts_table
from fairsal_core.settings import variant_title
from pages.components.comparison.desk import Desk
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain_table


@in_one_sentence("Who was tested")
def tested_section(desk: Desk) -> None:
    """Show how many faces of each cell were trained on and tested."""
    audit = desk.audit
    counted = {f"trained on, {variant_title(name)}": counts for name, counts in audit.subsets["train"].items()}
    counted["tested"] = audit.subsets["test"]
    columns = {title: counts_kept(counts) for title, counts in counted.items()}
    st.table(plain_table(counts_table(columns, audit.target, audit.confounder).rename_axis("faces")))
    st.caption("Whoever is missing here, nothing below says anything about.")
