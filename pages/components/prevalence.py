"""The same accuracies as a population sees them: each cell weighs as much as it is common."""

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import gap_name, natural_table, over_all_seeds, wide_results
from fairsal_core.faces import CELLS, CellCounts, cell_name, group_name
from pages.components.audit import Audit
from pages.components.desk import predictions_of
from pages.components.words import plain


def prevalence_section(audit: Audit) -> None:
    """Offer the natural-prevalence view beside the equal cells; nothing for runs that did not keep the prevalence."""
    if "test_available" not in audit.subsets:
        return
    with st.expander("As common as in the held-out split"):
        counts = CellCounts.model_validate(audit.subsets["test_available"])
        path = audit.run.path
        try:
            predictions = predictions_of(path, (path / "predictions.parquet").stat().st_mtime)
        except (FairsalError, OSError) as error:
            st.warning(plain(error))
            return
        natural = natural_table(predictions, audit.target, audit.confounder, [counts[cell] for cell in CELLS])
        groups = ["all", group_name(audit.target, True), group_name(audit.target, False), gap_name(audit.target)]
        shown = {column: wide_results(natural, column) for column in ("value", "low", "high")}
        equal = wide_results(over_all_seeds(audit.results))
        table = shown["value"][["variant", "evaluation", "treated_by"]].copy()
        for group in groups:
            numbers = zip(shown["value"][group], shown["low"][group], shown["high"][group], equal[group], strict=True)
            table[group] = [
                f"{value:.2f} [{low:.2f}, {high:.2f}], equal cells {alike:.2f}" for value, low, high, alike in numbers
            ]
        st.dataframe(table, hide_index=True, key="prevalence")
        weights = "; ".join(f"{cell_name(audit.target, audit.confounder, cell)} {counts[cell]:,}" for cell in CELLS)
        st.caption(
            f"Weighed by how common the cells are there: {weights}. Equal cells are fair to the rare ones; this is what one "
            "would meet. Both come from the same test faces."
        )
