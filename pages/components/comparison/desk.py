"""The review desk: which variants of which runs lie side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fairsal_core.results import CLEAN, TREATED
from fairsal_core.runs import Run, list_runs
from fairsal_core.settings import BALANCED, COMPARED, ORIGINAL, titles, with_titles
from pages.components.comparison.audit import Audit, read_audit
from pages.components.comparison.stored import Source, attention_if_readable
from pages.components.shared.links import begin_with_linked, link_choice, write_into_link
from pages.components.shared.words import plain

_REFERENCES = (ORIGINAL, BALANCED)
_SAME_DATA = ("data", "target", "confounder", "test_split", "test_per_cell")


@dataclass(frozen=True)
class Entry:
    """A variant of a run.

    Attributes
    ----------
    name : str
        What links and the log call it: the variant's name, with its run where that is another one.
    label : str
        What a reader is told.
    audit : Audit
        Its run.
    variant : str
        Its name in that run.
    """

    name: str
    label: str
    audit: Audit
    variant: str

    @property
    def source(self) -> Source:
        """What identifies its predictions."""
        path = self.audit.run.path
        return path, (path / "predictions.parquet").stat().st_mtime, self.variant


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
    candidate : Entry or None
        What the decision is about; None where there is nothing but the reference.
    evaluations : sequence of str
        "clean", "treated" or both.
    """

    audit: Audit
    entries: Sequence[Entry]
    reference: Entry
    candidate: Entry | None
    evaluations: Sequence[str] = (CLEAN, TREATED)

    @cached_property
    def results(self) -> pd.DataFrame:
        """Rows of all chosen variants over all seeds, `variant` being the desk's label."""
        parts = [
            _as_told(entry, entry.audit.pooled_metrics[entry.audit.pooled_metrics["variant"] == entry.variant])
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
            parts.append(_as_told(entry, mine.iloc[: 0 if alone else len(mine)]))
        together = pd.concat(parts, ignore_index=True)
        return together[together["evaluation"].isin(self.evaluations)]

    @cached_property
    def attention(self) -> pd.DataFrame:
        """Summaries of the explainers for all chosen variants, `variant` being the desk's label; perhaps empty."""
        parts = []
        for entry in self.entries:
            table = attention_if_readable(entry.audit.run.path)
            parts.append(table[table["variant"] == entry.variant].assign(variant=entry.label))
        filled = [part for part in parts if not part.empty]
        return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()


def _as_told(entry: Entry, rows: pd.DataFrame) -> pd.DataFrame:
    return with_titles(rows).assign(variant=entry.label)


def choose_desk(audit: Audit, places: Sequence[DeltaGenerator]) -> Desk:
    """Show the choice of reference, candidate and other variants, begun by the link, and return what was chosen.

    Parameters
    ----------
    audit : Audit
        The run the page is about.
    places : sequence of DeltaGenerator
        Where the three are shown.
    """
    with places[2].popover("Variants", icon=":material/tune:", width="stretch"):
        by_name, chosen = _choose_variants(audit)

    called = {name: entry.label for name, entry in by_name.items()}
    names = list(by_name)
    with places[0]:
        reference = link_choice("Reference", names, "reference", names=called)
    others = [name for name in names if name != reference]
    if not others:
        return Desk(audit, list(by_name.values()), by_name[reference], None)
    with places[1]:
        start = next((place for place, name in enumerate(others) if name not in _REFERENCES), 0)
        candidate = link_choice("Candidate", others, "candidate", start=start, names=called)
    shown = [name for name in names if not chosen or name in {*chosen, reference, candidate}]
    return Desk(audit, [by_name[name] for name in shown], by_name[reference], by_name[candidate])


def _choose_variants(audit: Audit) -> tuple[dict[str, Entry], list[str]]:
    """Return every variant on offer by its name, and those that were chosen to lie beside reference and candidate."""
    others = {_short(run): run for run in list_runs() if _comparable(run, audit.run)}
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
        *(entry for short in also if (other := read_audit(others[short])) for entry in _entries(other, f" · {short}")),
    ]
    by_name = {entry.name: entry for entry in entries}
    unknown = [name for name in st.query_params.get_all("variants") if name not in by_name]
    if unknown:
        st.warning(
            f"These runs have no variant {plain(', '.join(map(repr, unknown)))}; what they have is shown instead."
        )
        del st.query_params["variants"]
    begin_with_linked("variants", by_name)
    chosen = st.multiselect(
        "Beside reference and candidate",
        list(by_name),
        format_func=lambda name: by_name[name].label,
        key="variants",
        placeholder="All variants",
    )
    write_into_link("variants", chosen)
    return by_name, chosen


def _entries(audit: Audit, suffix: str) -> list[Entry]:
    variants = list(dict.fromkeys(audit.pooled["variant"]))
    variants.sort(key=lambda name: name != ORIGINAL)
    return [Entry(f"{name}{suffix}", f"{label}{suffix}", audit, name) for name, label in titles(variants).items()]


def _short(run: Run) -> str:
    return f"{run.name or 'run'} {run.id[-4:]}"


def _comparable(run: Run, chosen: Run) -> bool:
    return (
        run.id != chosen.id
        and run.status.state == "finished"
        and run.kind in COMPARED
        and all(run.config.get(name) == chosen.config.get(name) for name in _SAME_DATA)
    )
