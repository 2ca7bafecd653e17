"""What a set's columns are: shown, changed, kept."""

import json
from pathlib import Path

import pandas as pd
import streamlit as st

from fairsal_core.drawing import DEMO, demo_folder
from fairsal_core.errors import FairsalError
from fairsal_core.faces import (
    Annotated,
    FaceDataset,
    Mapping,
    check_set,
    describe_values,
    forget_mapping,
    keep_mapping,
    kept_mapping,
    parse_mapping,
    read_folder,
)
from pages.components.shared.data import forget_faces
from pages.components.shared.words import plain


def columns_section(source: str, faces: FaceDataset) -> Mapping | None:
    """Show what each column is taken for, and offer to change it; returns the mapping, None for a format that shows none."""
    try:
        found = read_folder(demo_folder() if source == DEMO else Path(source))
        kept = kept_mapping(found.root)
    except FairsalError as error:
        st.caption(plain(error))
        return None
    mapping = kept or found.mapping
    st.subheader("Columns")
    given = {
        "picture": mapping.picture or "by file name",
        "person": mapping.identity or "none",
        "split": mapping.split or "none: drawn",
    }
    st.markdown(
        f"Read as **{mapping.format}**; "
        + " · ".join(f"{name}: **{plain(column)}**" for name, column in given.items())
        + f". This is {'kept for this folder' if kept else 'proposed by looking'}."
    )
    st.dataframe(
        columns_table(mapping, faces), hide_index=True, height=min(36 * (len(mapping.attributes) + 1) + 2, 300)
    )
    if mapping.ignored:
        count = len(mapping.ignored)
        with st.expander(f"{count} column{'s are' if count > 1 else ' is'} not used"):
            for column, why in mapping.ignored.items():
                st.markdown(f"- **{plain(column)}**: {plain(why)}")
    _choose_target(source, found, mapping)
    _edit(source, found, mapping, kept is not None)
    return mapping


def columns_table(mapping: Mapping, faces: FaceDataset) -> pd.DataFrame:
    """Return a row for each attribute: its column, its kind, what its texts mean, how many labels are missing."""
    missing = faces.attributes.isna().sum()
    return pd.DataFrame(
        {
            "attribute": [each.name for each in mapping.attributes],
            "column": [each.column for each in mapping.attributes],
            "kind": [each.kind for each in mapping.attributes],
            "what its texts mean": [describe_values(each) for each in mapping.attributes],
            "missing": [int(missing.get(each.name, 0)) for each in mapping.attributes],
        }
    )


def _choose_target(source: str, found: Annotated, mapping: Mapping) -> None:
    names = [each.name for each in mapping.attributes]
    first, second, third = st.columns([2, 3, 1], vertical_alignment="bottom")
    place = names.index(mapping.target) if mapping.target in names else None
    target = first.selectbox("Target", names, index=place, key=f"data_target-{source}", placeholder="choose one")
    protected = second.multiselect(
        "Protected attributes",
        names,
        default=[name for name in mapping.protected if name in names],
        key=f"data_protected-{source}",
        help="What a classifier should not rely on.",
    )
    changed = mapping.with_target(target, tuple(protected))
    if third.button("Keep", key="keep_target", disabled=changed == mapping, width="stretch"):
        keep_mapping(found.root, changed)
        st.rerun()


def _edit(source: str, found: Annotated, mapping: Mapping, is_kept: bool) -> None:
    with st.expander("Change what columns and texts mean"):
        st.caption(
            "A text means `yes`, `no` or a class; `null` means that nothing is known. Without a split one is drawn, by person "
            "where persons are known."
        )
        shown = json.dumps(mapping.model_dump(mode="json"), indent=1, ensure_ascii=False)
        written = st.text_area("Mapping", shown, height=300, key=f"mapping-{source}-{hash(shown)}")
        keep, back = st.columns([1, 4])
        if keep.button("Keep this", key="keep_mapping"):
            _keep(source, found, written)
        if is_kept and back.button("Back to what was proposed", key="forget_mapping"):
            forget_mapping(found.root)
            forget_faces(source)
            st.rerun()


def _keep(source: str, found: Annotated, written: str) -> None:
    """Keep a mapping that makes faces of what was found; else say why not."""
    try:
        mapping = parse_mapping(json.loads(written))
        check_set(found, mapping)
    except ValueError as error:
        st.error(f"This is no JSON: {plain(error)}.")
        return
    except FairsalError as error:
        st.error(plain(error))
        return
    keep_mapping(found.root, mapping)
    forget_faces(source)
    st.rerun()
