"""Where the classifier looks: by part of the face, and by attribute; and the quadrant of errors and attention."""

import numpy as np
import pandas as pd
import streamlit as st

from fairsal_core.drawing import DEMO
from fairsal_core.faces import is_photographed_celeba
from fairsal_core.regions import load_atlas
from fairsal_core.scan import QUADRANTS, atlas_regions, looks, overlaps, part_shares, parts_of, quadrant
from pages.components.scan.attention import Kept, kept_maps
from pages.components.scan.view import View, scanned
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain

_FEWEST = 10
_MAPPED = 48  # faces, whose mean region maps are taken


@in_one_sentence("Where it looks")
def looks_section(view: View) -> None:
    """Show the share of relevance by part of the face, and whether it looks where attributes live."""
    st.subheader("Where it looks")
    kept = kept_maps(view)
    if kept is None:
        return
    if len(kept.places) < _FEWEST:
        st.info(f"Maps are kept of {len(kept.places)} of these faces: too few to say where it looks.")
        return
    _by_part(view, kept)
    _by_attribute(view, kept)


def _by_part(view: View, kept: Kept) -> None:
    faces = view.faces.take(kept.places)
    parts, target = parts_of(faces), view.judged.has[kept.places]
    shares = part_shares(kept.maps, parts)
    groups = {"all": np.ones(len(faces), dtype=bool), view.judged.target: target, f"not {view.judged.target}": ~target}
    tables = {"": looks(shares, groups)}
    if kept.before is not None:
        tables[" − before"] = looks(shares - part_shares(kept.before, parts), groups)
    wide = pd.DataFrame(
        {
            f"{group}{when}": [
                f"{row.value:{'+' if when else ''}.2f} [{row.low:{'+' if when else ''}.2f}, {row.high:{'+' if when else ''}.2f}]"
                for row in part.itertuples()
            ]
            for when, table in tables.items()
            for group, part in table.groupby("group", sort=False)
        },
        index=tables[""]["part"].drop_duplicates(),
    )
    st.dataframe(wide, width="stretch", alt="Share of the relevance on each part of the face")
    st.caption(
        f"Share of the relevance ({plain(kept.attention.about['explainer'])}) on each part, mean over {len(faces)} faces with its "
        "95% interval. Parts are each face's own where the set has its mask, else what lies there on average in an aligned face."
    )


def _by_attribute(view: View, kept: Kept) -> None:
    if view.data == DEMO or not is_photographed_celeba(view.data):
        st.caption(
            "Attributes are mapped on photographs in CelebA's frame alone, so their overlap is not measured here."
        )
        return
    attention = overlaps(kept.maps, _regions(view.key, view, kept))
    cases = quadrant(scanned(view.key, 1, view), attention)
    counts = cases["case"].value_counts()
    st.markdown("**Errors and attention together**")
    for case, meaning in QUADRANTS.values():
        names = cases.loc[cases["case"] == case, "attribute"].tolist()
        st.markdown(f"- **{case}** ({counts.get(case, 0)}): {meaning}  \n  {plain(', '.join(names[:12])) or '–'}")
    with st.expander("Overlap with every attribute's region"):
        st.dataframe(attention.round(3), hide_index=True, width="stretch", alt="Overlap of relevance and regions")
        st.caption(
            "Overlap of the mean relevance with the atlas's region map, from 0 (disjoint) to 1 (the same), with its 95% interval "
            "over faces. Looked at: the interval lies above the mean over all attributes."
        )


@st.cache_data(max_entries=16, show_spinner="Mapping every attribute …")
def _regions(key: object, _view: View, _kept: Kept) -> dict[str, np.ndarray]:
    return atlas_regions(load_atlas(), _view.faces.take(_kept.places[:_MAPPED]).images)
