"""The data audit: what is wrong with a set before there is a model."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from fairsal_core.drawing import DEMO, demo_folder
from fairsal_core.faces import (
    LOOKED_AT,
    FaceDataset,
    Mapping,
    audit_data,
    frame_sentences,
    keep_audit,
    labels_digest,
    list_faces,
    undecodable_files,
)
from fairsal_core.home import cache_folder
from pages.components.shared.links import keep_among
from pages.components.shared.words import plain

SHOWN = 6


def audit_section(source: str, faces: FaceDataset, mapping: Mapping | None) -> None:
    """Offer the audit, and show it once it is made."""
    st.subheader("Data audit")
    choices = faces.choices
    target = mapping.target if mapping else None
    named = [name for name in choices if target in (name, faces.column_of(name))]
    keep_among("audit_target", choices)
    first, second = st.columns([2, 3], vertical_alignment="bottom")
    chosen = first.selectbox(
        "Correlations with",
        choices,
        index=choices.index(named[0]) if named else 0,
        key="audit_target",
        bind="query-params",
    )
    every = second.toggle(
        "Look for a face in every picture",
        key="audit_every",
        bind="query-params",
        help=f"Else in {LOOKED_AT} of them, drawn at random. Twenty a second on two cores.",
    )
    if not st.toggle(
        "Audit the data",
        key="audit",
        bind="query-params",
        help="In the link too: whoever opens it sees the audit made.",
    ):
        st.caption("Compares all pictures with each other: some seconds for ten thousand faces.")
        return
    about = _audited(source, chosen, mapping.protected if mapping else (), None if every else LOOKED_AT, faces)
    _figures(about)
    for sentence in frame_sentences(about):
        st.markdown(sentence)
    _details(about)
    _correlations(about)
    st.download_button("As JSON", json.dumps(about, indent=2), "data_audit.json", "application/json", key="audit_json")


def _audited(
    source: str, target: str | None, protected: tuple[str, ...], look: int | None, faces: FaceDataset
) -> dict[str, Any]:
    """Return the audit, made once a session behind a progress bar for as long as nothing that it depends on changes."""
    stamps = b"" if faces.stamps is None else faces.stamps.tobytes()
    labels = labels_digest(faces, *map(str, faces.attributes.columns))
    asked = (source, target, protected, look, faces.notes, labels, hashlib.sha256(stamps).hexdigest())
    kept = st.session_state.setdefault("audits", {})
    if asked not in kept:
        place = st.empty()

        def show(done: float, total: float, message: str = "") -> None:
            place.progress(min(done / total, 1.0) if total else 1.0, text=f"{message}: {done:,.0f} of {total:,.0f}")

        readable = faces.readable  # of a large set the rest is packed now
        undecodable = undecodable_files(list_faces(source), cache_folder())
        kept[asked] = audit_data(readable, target, protected, undecodable, show, look)
        keep_audit(demo_folder() if source == DEMO else Path(source), kept[asked])
        place.empty()
    return dict(kept[asked])


def _figures(about: dict[str, Any]) -> None:
    identities, frame = about["leaks"]["identities"], about["frame"]
    figures = {
        "Unreadable": about["unreadable"]["count"],
        "Equal pictures": about["duplicates"]["exact"],
        "Nearly equal": about["duplicates"]["near"],
        "Pictures in two splits": about["leaks"]["pictures"]["count"],
        "Persons in two splits": "unknown" if identities is None else identities["count"],
        "Contradicting labels": sum(about["disagreements"]["by_attribute"].values()),
        "Without a face": f"{frame['no_face']['count']:,} of {frame['looked_at']:,}",
        "Not in the frame": f"{frame['elsewhere']['count']:,} of {frame['looked_at']:,}",
    }
    listed = list(figures.items())
    for row in (listed[:4], listed[4:]):
        for column, (name, value) in zip(st.columns(4), row, strict=True):
            column.metric(name, f"{value:,}" if isinstance(value, int) else value)


def _details(about: dict[str, Any]) -> None:
    lines = [f"unreadable: {plain(why)}" for why in list(about["unreadable"]["shown"].values())[:SHOWN]]
    lines += [f"no face was found in {plain(name)}" for name in about["frame"]["no_face"]["shown"][:SHOWN]]
    lines += [f"the face lies elsewhere in {plain(name)}" for name in about["frame"]["elsewhere"]["shown"][:SHOWN]]
    lines += [f"the same picture: {plain(', '.join(names))}" for names in about["duplicates"]["shown"][:SHOWN]]
    lines += [
        "the same picture in two splits: " + plain(", ".join(f"{name} ({split})" for name, split in where.items()))
        for where in about["leaks"]["pictures"]["shown"][:SHOWN]
    ]
    if about["leaks"]["identities"]:
        shown = about["leaks"]["identities"]["shown"]
        lines += [f"person {who} is in {' and '.join(where)}" for who, where in list(shown.items())[:SHOWN]]
    lines += [
        f"{plain(one['attribute'])} differs on {plain(', '.join(one['faces']))}"
        for one in about["disagreements"]["shown"][:SHOWN]
    ]
    if lines:
        with st.expander("Which", expanded=True):
            st.markdown("\n".join(f"- {line}" for line in lines))


def _correlations(about: dict[str, Any]) -> None:
    rows = [row for row in about["correlations"] if row["value"] is not None]
    if not rows:
        return
    st.markdown(f"**How strongly each attribute goes with {plain(about['target'])}**, the strongest first")
    table = pd.DataFrame(rows).rename(columns={"measure": "φ or V", "value": "strength", "faces": "faces with both"})
    table["φ or V"] = table["φ or V"].map({"phi": "φ", "V": "V"})
    st.dataframe(
        table,
        hide_index=True,
        height=min(36 * (len(table) + 1) + 2, 300),
        column_config={"strength": st.column_config.NumberColumn(format="%+.2f")},
    )
    st.caption("φ for two attributes that are there or not, −1 to 1; Cramér's V where there are more classes, 0 to 1.")
