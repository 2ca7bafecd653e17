"""The one table of the numbers of all variants on the desk."""

from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from fairsal_core.metrics import ACCURACY, IMPACT_RATIO, METRICS, in_order, title_of
from fairsal_core.results import FEWEST_SEEDS, Column, columns_of
from fairsal_core.settings import with_titles
from pages.components.comparison.desk import Desk
from pages.components.comparison.stored import changes_between
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain

BETTER, WORSE = "rgba(0, 114, 178, 0.22)", "rgba(213, 94, 0, 0.22)"  # readable on light and dark; the words say it too


@st.fragment
@in_one_sentence("The table")
def desk_section(desk: Desk) -> None:
    """Show the table: sortable, every number with its interval and its change from the reference."""
    results = desk.results
    usual, others = desk_columns(results)
    shown = st.pills(
        "Columns",
        [column.title for column in (*usual, *others)],
        selection_mode="multi",
        format_func=plain,
        default=[column.title for column in usual],
        key="columns",
        bind="query-params",
        help="A click on a column's head sorts by it.",
    )
    chosen = [column for column in (*usual, *others) if column.title in shown]
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
        "for the gap, of its size. *Better* or *worse* only where the interval of the change leaves out 0 and at least "
        f"{FEWEST_SEEDS} seeds were trained; of fewer, a change is told of *these networks* and not of what made them."
    )


def desk_columns(results: pd.DataFrame) -> tuple[list[Column], list[Column]]:
    """Return the columns that are shown at first, and the others.

    At first: what a review can demand, and accuracy of all and of the two target groups. Then the cells, and every other metric.
    """
    groups = dict.fromkeys(results.loc[results["metric"] == ACCURACY, "group"])
    accuracy = [Column(title_of(ACCURACY) if group == "all" else group, ACCURACY, group) for group in groups]
    names = [name for name in in_order(results["metric"]) if name != ACCURACY]
    demanded = [name for name in names if name in METRICS and METRICS[name].criterion]
    of_review = [column for name in demanded for column in columns_of(results, name)]
    by_rule = [column for column in of_review if column.metric == IMPACT_RATIO]
    leading = [
        column for column in reversed(of_review) if column not in by_rule
    ]  # the worst cell first, to be in sight
    usual = [*leading, *accuracy[:3], *by_rule]
    rest = [column for name in names if name not in demanded for column in columns_of(results, name)]
    return usual, [*accuracy[3:], *rest]


def _changes(desk: Desk) -> pd.DataFrame:
    before = desk.reference.source
    tables = [
        with_titles(changes_between(before, entry.source, desk.audit.target, desk.audit.confounder)).assign(
            variant=entry.label
        )
        for entry in desk.entries
        if entry != desk.reference
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


@st.cache_resource(max_entries=64, show_spinner=False)
def desk_table(results: pd.DataFrame, changes: pd.DataFrame, columns: Sequence[Column]) -> Any:
    """Return one row per variant and evaluation as a styled table of numbers, which sorts by value and shows intervals."""
    keys = ["variant", "evaluation", "treated_by"]
    table = results[keys].drop_duplicates().reset_index(drop=True)
    texts: dict[tuple[int, str], str] = {}
    marks: dict[tuple[int, str], str] = {}
    for column in columns:
        merged = table[keys].merge(column.rows(results), on=keys, how="left")
        table[column.title] = merged["value"]
        number = f"{column.sign}.2f"
        for place, row in enumerate(merged.to_dict("records")):
            if pd.isna(row["metric"]):
                continue  # a run without this metric; the table's placeholder says it
            named = f"{row['group']}: " if column.group is None else ""
            texts[place, column.title] = (
                f"{named}{row['value']:{number}} [{row['low']:{number}}, {row['high']:{number}}]"
            )
        if changes.empty or column.group is None or column.metric not in set(changes["metric"]):
            continue
        moved = changes[changes["metric"].eq(column.metric) & changes["group"].eq(column.group)]
        merged = table[keys].merge(moved, on=keys, how="left")
        delta = f"Δ {_changing(column)}"
        table[delta] = merged["change"]
        for place, row in enumerate(merged.to_dict("records")):
            texts[place, delta], marks[place, delta] = _in_words(row, column.metric)
    return _styled(table, texts, marks)


def _changing(column: Column) -> str:
    """Return what a change is of: where size counts, of the size."""
    metric = METRICS.get(column.metric)
    return f"|{metric.title}|" if metric and metric.of_size else column.title


def _in_words(row: dict[Any, Any], metric: str) -> tuple[str, str]:
    """Return a change as text and its background, as the metric says which way is better."""
    change, low, high = row["change"], row["change_low"], row["change_high"]
    if pd.isna(change):
        return "", ""  # the table's placeholder says it
    text = f"{change:+z.2f} [{low:+z.2f}, {high:+z.2f}]"
    bound = METRICS[metric].bound if metric in METRICS else None
    if low <= 0 <= high or bound is None:
        return text, ""
    if row["seeds"] < FEWEST_SEEDS:
        return f"{text} these networks", ""
    better = (change < 0) == (bound == "at most")
    return f"{text} {'better' if better else 'worse'}", f"background-color: {BETTER if better else WORSE}"


def _styled(table: pd.DataFrame, texts: dict[tuple[int, str], str], marks: dict[tuple[int, str], str]) -> Any:
    faces = table["evaluation"].where(table["treated_by"] == "", "under " + table["treated_by"].astype(str))
    renamed = table.assign(evaluation=faces).drop(columns="treated_by").rename(columns={"evaluation": "test faces"})
    styles = pd.DataFrame("", index=renamed.index, columns=renamed.columns)
    for (row, column), mark in marks.items():
        styles.loc[row, column] = mark
    styler = renamed.style.apply(lambda _: styles, axis=None)
    for (row, column), text in texts.items():
        styler = styler.format(partial(_instead, text), subset=pd.IndexSlice[[row], [column]])
    return styler


def _instead(text: str, _: float) -> str:
    return text
