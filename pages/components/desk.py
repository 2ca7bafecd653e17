"""The review desk: which variants of which runs lie side by side, and the one table of their numbers."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import ORIGINAL, Run, changes_table, gap_name, list_runs, read_attention, read_predictions
from pages.components.audit import Audit, read_audit
from pages.components.words import plain

BETTER, WORSE = "rgba(0, 114, 178, 0.22)", "rgba(213, 94, 0, 0.22)"  # readable on light and dark; the words say it too
_SAME_DATA = ("data", "target", "confounder", "test_split", "test_per_cell")


@dataclass(frozen=True)
class Entry:
    """A variant of a run, as the desk names it."""

    label: str
    audit: Audit
    variant: str


@dataclass(frozen=True)
class Desk:
    """What lies on the desk.

    Attributes
    ----------
    audit : Audit
        The run the page is about.
    entries : sequence of Entry
        The chosen variants, of this run and of others on the same data.
    reference : Entry
        What changes are measured from.
    evaluations : sequence of str
        "clean", "treated" or both.
    """

    audit: Audit
    entries: Sequence[Entry]
    reference: Entry
    evaluations: Sequence[str]

    @cached_property
    def results(self) -> pd.DataFrame:
        """Rows of all chosen variants over all seeds, `variant` being the desk's label."""
        parts = [
            entry.audit.pooled_metrics[entry.audit.pooled_metrics["variant"] == entry.variant].assign(
                variant=entry.label
            )
            for entry in self.entries
        ]
        together = pd.concat(parts, ignore_index=True)
        return together[together["evaluation"].isin(self.evaluations)]

    @cached_property
    def by_seed(self) -> pd.DataFrame:
        """Rows of all chosen variants for each seed by itself, where there are several; `variant` is the desk's label."""
        parts = []
        for entry in self.entries:
            rows = entry.audit.results
            mine = rows[(rows["variant"] == entry.variant) & rows["seed"].notna()]
            alone = mine["seed"].nunique() < 2  # then it is the point itself
            parts.append(mine.iloc[: 0 if alone else len(mine)].assign(variant=entry.label))
        together = pd.concat(parts, ignore_index=True)
        return together[together["evaluation"].isin(self.evaluations)]

    @cached_property
    def attention(self) -> pd.DataFrame:
        """Summaries of the explainers for all chosen variants, `variant` being the desk's label; perhaps empty."""
        parts = []
        for entry in self.entries:
            table = attention_of(entry.audit.run.path)
            parts.append(table[table["variant"] == entry.variant].assign(variant=entry.label))
        filled = [part for part in parts if not part.empty]
        return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()


@st.cache_data(max_entries=16, show_spinner=False)
def predictions_of(run: Path, changed: float) -> pd.DataFrame:
    """Return the predictions of a run; a file that changed is another one."""
    return read_predictions(run)


def attention_of(run: Path) -> pd.DataFrame:
    """Return the summaries of a run's explainers; perhaps empty."""
    file = run / "attention.parquet"
    return _attention(run, file.stat().st_mtime if file.is_file() else 0.0)


@st.cache_data(max_entries=32, show_spinner=False)
def _attention(run: Path, changed: float) -> pd.DataFrame:
    return read_attention(run)


@st.cache_data(max_entries=256, show_spinner="Comparing face by face …")
def changes_between(
    before: tuple[Path, float, str], after: tuple[Path, float, str], target: str, confounder: str
) -> pd.DataFrame:
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


def source_of(entry: Entry) -> tuple[Path, float, str]:
    """Return what identifies an entry's predictions."""
    path = entry.audit.run.path
    return path, (path / "predictions.parquet").stat().st_mtime, entry.variant


def choose_desk(audit: Audit, evaluations: Sequence[str]) -> Desk:
    """Show the choice of runs, variants and reference, begun by the link, and return what was chosen."""
    others = {_short(run): run for run in list_runs() if _comparable(run, audit.run)}
    columns = st.columns([2, 3, 2])
    with columns[0]:
        also = st.multiselect(
            "Also from runs",
            list(others),
            key="also",
            bind="query-params",
            placeholder="None" if others else "No other run on the same data",
            help="Finished runs with the same faces, target, confounder and test set.",
        )
    entries = [
        *_entries(audit, ""),
        *(entry for short in also for entry in _entries(read_audit(others[short]), f" · {short}")),
    ]
    by_label = {entry.label: entry for entry in entries}
    unknown = [label for label in st.query_params.get_all("variants") if label not in by_label]
    if unknown:
        st.warning(
            f"These runs have no variant {plain(', '.join(map(repr, unknown)))}; what they have is shown instead."
        )
        del st.query_params["variants"]
    with columns[1]:
        chosen = st.multiselect(
            "Variants", list(by_label), key="variants", bind="query-params", placeholder="All variants"
        )
    with columns[2]:
        reference = st.selectbox(
            "Changes from", list(by_label), key="reference", bind="query-params", help="Same faces, same seeds."
        )
    return Desk(audit, [by_label[label] for label in chosen or by_label], by_label[reference], evaluations)


def _entries(audit: Audit, suffix: str) -> list[Entry]:
    variants = list(dict.fromkeys(audit.pooled["variant"]))
    variants.sort(key=lambda name: name != ORIGINAL)
    return [Entry(f"{variant}{suffix}", audit, variant) for variant in variants]


def _short(run: Run) -> str:
    return f"{run.name or 'run'} {run.id[-4:]}"


def _comparable(run: Run, chosen: Run) -> bool:
    return (
        run.id != chosen.id
        and run.status.state == "finished"
        and run.kind == chosen.kind
        and all(run.config.get(name) == chosen.config.get(name) for name in _SAME_DATA)
    )


@st.fragment
def desk_section(desk: Desk) -> None:
    """Show the table: sortable, every number with its interval and its change from the reference."""
    results = desk.results
    gap = gap_name(desk.audit.target)
    groups = [*dict.fromkeys(results.loc[results["metric"] == "accuracy", "group"])]
    titles: dict[str, tuple[str, str | None]] = {"accuracy": ("accuracy", "all")}
    titles |= {group: ("accuracy", group) for group in groups[1:3]} | {f"gap ({gap})": ("gap", gap)}
    if results["metric"].eq("worst_cell").any():
        titles["worst cell"] = ("worst_cell", None)
    usual = list(titles)
    titles |= {group: ("accuracy", group) for group in groups[3:]}
    others = [metric for metric in dict.fromkeys(results["metric"]) if metric.endswith("_difference")]
    titles |= {metric.replace("_", " "): (metric, "all") for metric in others}
    shown = st.pills(
        "Columns",
        list(titles),
        selection_mode="multi",
        default=usual,
        key="columns",
        bind="query-params",
        help="A click on a column's head sorts by it.",
    )
    chosen = {title: place for title, place in titles.items() if title in shown}
    if not chosen:
        st.info("No column is chosen; the pills above bring them back.")
        return
    with st.container(key="summary"):
        st.dataframe(
            deepcopy(desk_table(results, _changes(desk), chosen)),  # streamlit fills it in, one copy for each reader
            hide_index=True,
            placeholder="–",
            column_config={"variant": st.column_config.Column(pinned=True)},
            alt="Accuracy, gap and other metrics of each variant, with 95% intervals and changes",
        )
    st.caption(
        f"95% intervals in brackets. Δ: change from *{plain(desk.reference.label)}* on the same test faces and seeds; "
        "for the gap, of its size. *Better* or *worse* only where the interval of the change leaves out 0."
    )


def _changes(desk: Desk) -> pd.DataFrame:
    before = source_of(desk.reference)
    tables = [
        changes_between(before, source_of(entry), desk.audit.target, desk.audit.confounder).assign(variant=entry.label)
        for entry in desk.entries
        if entry != desk.reference
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


@st.cache_resource(max_entries=64, show_spinner=False)
def desk_table(results: pd.DataFrame, changes: pd.DataFrame, columns: dict[str, tuple[str, str | None]]) -> Any:
    """Return one row per variant and evaluation as a styled table of numbers, which sorts by value and shows intervals.

    `columns` says which metric and group each title stands for; a group of None is any, as for the worst cell.
    """
    keys = ["variant", "evaluation", "treated_by"]
    table = results[keys].drop_duplicates().reset_index(drop=True)
    texts: dict[tuple[int, str], str] = {}
    marks: dict[tuple[int, str], str] = {}
    for title, (metric, group) in columns.items():
        part = results[results["metric"].eq(metric) & (results["group"].eq(group) if group else True)]
        merged = table[keys].merge(part, on=keys, how="left")
        table[title] = merged["value"]
        sign = "+" if metric == "gap" else ""
        for number, row in enumerate(merged.to_dict("records")):
            named = f"{row['group']}: " if group is None else ""
            texts[number, title] = f"{named}{row['value']:{sign}.2f} [{row['low']:{sign}.2f}, {row['high']:{sign}.2f}]"
        if changes.empty or group is None or metric not in ("accuracy", "gap"):
            continue
        moved = changes[changes["metric"].eq(metric) & changes["group"].eq(group)]
        merged = table[keys].merge(moved, on=keys, how="left")
        delta = f"Δ {title}" if metric == "accuracy" else "Δ |gap|"
        table[delta] = merged["change"]
        for number, row in enumerate(merged.to_dict("records")):
            texts[number, delta], marks[number, delta] = _in_words(row, falls=metric == "gap")
    return _styled(table, texts, marks)


def _in_words(row: dict[Any, Any], falls: bool) -> tuple[str, str]:
    """Return a change as text and its background; `falls` where less is better."""
    change, low, high = row["change"], row["change_low"], row["change_high"]
    if pd.isna(change):
        return "", ""  # the table's placeholder says it
    text = f"{change:+z.2f} [{low:+z.2f}, {high:+z.2f}]"
    if low <= 0 <= high:
        return text, ""
    better = (change < 0) == falls
    return f"{text} {'better' if better else 'worse'}", f"background-color: {BETTER if better else WORSE}"


def _styled(table: pd.DataFrame, texts: dict[tuple[int, str], str], marks: dict[tuple[int, str], str]) -> Any:
    renamed = table.rename(columns={"evaluation": "test faces", "treated_by": "treated by"})
    styles = pd.DataFrame("", index=renamed.index, columns=renamed.columns)
    for (row, column), mark in marks.items():
        styles.loc[row, column] = mark
    styler = renamed.style.apply(lambda _: styles, axis=None)
    for (row, column), text in texts.items():
        styler = styler.format(partial(_instead, text), subset=pd.IndexSlice[[row], [column]])
    return styler


def _instead(text: str, _: float) -> str:
    return text
