"""The same accuracies as a population sees them: each cell weighs as much as it is common."""

from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from fairsal_core.faces import cell_name, counts_kept, group_name
from fairsal_core.results import cells_by_face, gap_name, natural_table, over_all_seeds, wide_results
from fairsal_core.scan import cells_of_faces, population_of
from fairsal_core.settings import with_titles
from pages.components.comparison.audit import Audit
from pages.components.comparison.groups import choose_protected, set_of
from pages.components.comparison.stored import predictions_of
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain


@in_one_sentence("The natural prevalence")
def prevalence_section(audit: Audit) -> None:
    """Show the natural-prevalence view beside the equal cells, its cells being of any groups."""
    predictions = predictions_of(audit.run.path, (audit.run.path / "predictions.parquet").stat().st_mtime)
    protected = choose_protected(audit)
    cells, prevalence = (
        _of_confounder(audit, predictions)
        if protected == (audit.confounder,)
        else _of_groups(audit, predictions, protected)
    )
    natural = natural_table(predictions, audit.target, cells, prevalence)
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
        _in_words(with_titles(table).rename(columns={"evaluation": "test faces", "treated_by": "treated by"}), texts),
        hide_index=True,
        key="prevalence",
        alt="Accuracies at natural prevalence beside those on equal cells, with 95% intervals",
    )
    weights = "; ".join(f"{cell} {count:,}" for cell, count in prevalence.items())
    st.caption(
        f"Weighed by how common the cells are in the held-out split: {plain(weights)}. Equal cells are fair to the rare ones; "
        f"this is what one would meet. Both come from the same test faces. {plain(_not_judged(cells, prevalence))}"
    )


def _of_confounder(audit: Audit, predictions: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return each face's cell, and how common the four are, which the run counted itself where it says so."""
    kept = audit.subsets.get("test_available")
    if not kept:
        return _of_groups(audit, predictions, (audit.confounder,))
    named = {cell_name(audit.target, audit.confounder, cell): count for cell, count in counts_kept(kept).items()}
    return cells_by_face(predictions, audit.target, audit.confounder), pd.Series(named)


def _of_groups(audit: Audit, predictions: pd.DataFrame, protected: tuple[str, ...]) -> tuple[pd.Series, pd.Series]:
    """Return each face's cell, of the groups' two labels, and how common cells are among the faces of the same split."""
    faces, _ = set_of(audit)
    has = predictions.drop_duplicates("face").set_index("face")["target"]
    pool = population_of(has.index.astype(str), faces, audit.target)
    labels = pd.Series(pool.labels(audit.target), index=pool.names)
    common = cells_of_faces(labels, audit.target, pool, protected).of.value_counts(sort=False)
    return cells_of_faces(has, audit.target, faces, protected).of.astype(str), common.rename(index=str)


def _not_judged(cells: pd.Series, prevalence: pd.Series) -> str:
    lacking = prevalence[(prevalence > 0) & ~prevalence.index.isin(cells.unique())]
    if lacking.empty:
        return ""
    share = lacking.sum() / prevalence.sum()
    return f"Left out, for no test face is of them: {', '.join(lacking.index)}, {share:.1%} of the split."


def _in_words(table: pd.DataFrame, texts: dict[str, list[str]]) -> Any:
    """Return a table of numbers, by which it sorts, that shows some of them with their intervals."""
    styler = table.style.format(precision=2)
    for column, said in texts.items():
        for row, text in zip(table.index, said, strict=True):
            styler = styler.format(partial(_instead, text), subset=pd.IndexSlice[[row], [column]])
    return styler


def _instead(text: str, _: float) -> str:
    return text
