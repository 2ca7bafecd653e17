"""The same accuracies as a population sees them: each cell weighs as much as it is common."""

from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from fairsal_core.faces import CELLS, CellCounts, cell_name, group_name
from fairsal_core.results import gap_name, natural_table, over_all_seeds, wide_results
from fairsal_core.settings import with_titles
from pages.components.comparison.audit import Audit
from pages.components.comparison.stored import predictions_of
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain


@in_one_sentence("The natural prevalence")
def prevalence_section(audit: Audit) -> None:
    """Offer the natural-prevalence view beside the equal cells; nothing for runs that did not keep the prevalence."""
    if not audit.subsets.get("test_available"):
        return
    with st.expander("As common as in the held-out split"):
        counts = CellCounts.model_validate(audit.subsets["test_available"])
        path = audit.run.path
        predictions = predictions_of(path, (path / "predictions.parquet").stat().st_mtime)
        natural = natural_table(predictions, audit.target, audit.confounder, [counts[cell] for cell in CELLS])
        groups = ["all", group_name(audit.target, True), group_name(audit.target, False), gap_name(audit.target)]
        shown = {column: wide_results(natural, column) for column in ("value", "low", "high")}
        equal = wide_results(over_all_seeds(audit.results))
        table = shown["value"][["variant", "evaluation", "treated_by"]].copy()
        texts = {}
        for group in groups:
            table[group] = shown["value"][group]
            table[f"{group}, equal cells"] = equal[group]
            numbers = zip(*(shown[column][group] for column in ("value", "low", "high")), strict=True)
            texts[group] = [f"{value:.2f} [{low:.2f}, {high:.2f}]" for value, low, high in numbers]
        st.dataframe(
            _in_words(
                with_titles(table).rename(columns={"evaluation": "test faces", "treated_by": "treated by"}), texts
            ),
            hide_index=True,
            key="prevalence",
        )
        weights = "; ".join(f"{cell_name(audit.target, audit.confounder, cell)} {counts[cell]:,}" for cell in CELLS)
        st.caption(
            f"Weighed by how common the cells are there: {plain(weights)}. Equal cells are fair to the rare ones; this is what one "
            "would meet. Both come from the same test faces."
        )


def _in_words(table: pd.DataFrame, texts: dict[str, list[str]]) -> Any:
    """Return a table of numbers, by which it sorts, that shows some of them with their intervals."""
    styler = table.style.format(precision=2)
    for column, said in texts.items():
        for row, text in zip(table.index, said, strict=True):
            styler = styler.format(partial(_instead, text), subset=pd.IndexSlice[[row], [column]])
    return styler


def _instead(text: str, _: float) -> str:
    return text
