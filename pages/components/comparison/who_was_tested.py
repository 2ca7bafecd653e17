"""Who was tested, and on whom it was trained: the cells, counted."""

import pandas as pd
import streamlit as st

from fairsal_core.faces import CELLS, CellCounts, cell_name
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
    columns = {title: CellCounts.model_validate(counts) for title, counts in counted.items()}
    names = [cell_name(audit.target, audit.confounder, cell) for cell in CELLS]
    table = pd.DataFrame({title: [counts[cell] for cell in CELLS] for title, counts in columns.items()})
    st.table(plain_table(table.assign(faces=names).set_index("faces")))
    st.caption("Whoever is missing here, nothing below says anything about.")
