"""What runs left, read once for all sessions: predictions, summaries of explainers, changes from variant to variant."""

from pathlib import Path

import pandas as pd
import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.results import (
    CLEAN,
    Compared,
    changes_table,
    check_attention,
    compare_attention,
    compare_variants,
    list_attention,
    read_attention,
    read_predictions,
)
from fairsal_core.runs import RunFiles

Source = tuple[Path, float, str]  # a run's folder, when its predictions changed, a variant


@st.cache_data(max_entries=16, show_spinner=False)
def predictions_of(run: Path, changed: float) -> pd.DataFrame:
    """Return the predictions of a run; a file that changed is another one."""
    return read_predictions(run)


def attention_of(run: Path) -> pd.DataFrame:
    """Return the summaries of a run's explainers; perhaps empty."""
    file = run / "attention.parquet"
    return _attention(run, file.stat().st_mtime if file.is_file() else 0.0)


def attention_if_readable(run: Path) -> pd.DataFrame:
    """Return the summaries of a run's explainers; none where they cannot be read, which the sections on attention say."""
    try:
        return attention_of(run)
    except FairsalError:
        return pd.DataFrame(columns=["variant"])


@st.cache_data(max_entries=32, show_spinner=False)
def _attention(run: Path, changed: float) -> pd.DataFrame:
    return read_attention(run)


@st.cache_data(max_entries=256, show_spinner="Comparing face by face …")
def changes_between(before: Source, after: Source, target: str, confounder: str) -> pd.DataFrame:
    """Return the changes from one variant to another for every evaluation that both have; empty where none can be paired."""
    keys = ["evaluation", "treated_by"]
    parts = []
    for run, changed, variant in (before, after):
        table = predictions_of(run, changed)
        parts.append(dict(list(table[table["variant"] == variant].groupby(keys, sort=False, observed=True))))
    tables = []
    for key in parts[0].keys() & parts[1].keys():
        try:
            changes = changes_table(parts[0][key], parts[1][key], target, confounder)
        except FairsalError:  # other seeds or faces: the numbers stand, their difference cannot be paired
            continue
        tables.append(changes.assign(evaluation=str(key[0]), treated_by=str(key[1])))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


@st.cache_data(max_entries=256, show_spinner="Comparing face by face …")
def compared(before: Source, after: Source, target: str, confounder: str, phi: float | None) -> list[Compared]:
    """Return worst cell, shortcut gap and accuracy of two variants on clean faces, and what changed."""
    return compare_variants(_on_clean_faces(before), _on_clean_faces(after), target, confounder, phi)


def _on_clean_faces(source: Source) -> pd.DataFrame:
    run, changed, variant = source
    rows = predictions_of(run, changed)
    return rows[rows["variant"].eq(variant) & rows["evaluation"].eq(CLEAN)]


def attention_compared(before: tuple[Path, str], after: tuple[Path, str]) -> Compared:
    """Return how much of the attention of two variants, each of a run, lies in the region; not measured where unreadable."""
    changed = tuple(_when_explained(run) for run, _ in (before, after))
    return _attention_compared(before, after, changed)


def _when_explained(run: Path) -> float:
    file = RunFiles(run).attention
    return file.stat().st_mtime if file.is_file() else 0.0


@st.cache_data(max_entries=256, show_spinner=False)
def _attention_compared(before: tuple[Path, str], after: tuple[Path, str], changed: tuple[float, ...]) -> Compared:
    return compare_attention(_attention_values(*before), _attention_values(*after))


def _attention_values(run: Path, variant: str) -> pd.DataFrame:
    try:
        found = list_attention(run)[:1]
        for one in found:
            check_attention(one)
    except FairsalError:  # which the tab on attention says
        found = []
    if not found:
        return pd.DataFrame()
    values = found[0].values
    return values[values["variant"] == variant]
