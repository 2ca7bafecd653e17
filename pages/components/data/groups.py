"""How many faces of each group are in each split."""

import pandas as pd
import streamlit as st

from fairsal_core.faces import FaceDataset, Mapping, group_counts
from pages.components.shared.links import keep_among

FEW = 30


def groups_section(faces: FaceDataset, mapping: Mapping | None) -> None:
    """Show the groups that target and protected attributes make, with how many faces of each are in each split."""
    st.subheader("Groups")
    names = [str(name) for name in faces.attributes.columns]
    proposed = [] if mapping is None else [name for name in (mapping.target, *mapping.protected) if name in names][:2]
    keep_among("groups", names)
    chosen = st.multiselect(
        "Crossing of", names, default=proposed or names[:1], max_selections=3, key="groups", bind="query-params"
    )
    if not chosen:
        return
    table = pd.DataFrame(group_counts(faces, chosen))
    st.dataframe(table, hide_index=True)
    few = int((table["test"] < FEW).sum()) if len(table) else 0
    if few:
        st.caption(
            f"{few} of {len(table)} groups have fewer than {FEW} test faces: too few to say much about errors on them."
        )
