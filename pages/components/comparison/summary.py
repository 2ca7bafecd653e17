"""The answer first: four numbers a variant, three sentences, and how each subgroup fares."""

from functools import partial

import pandas as pd
import streamlit as st

from fairsal_core.faces import group_name
from fairsal_core.metrics import ACCURACY, GAP
from fairsal_core.results import (
    CLEAN,
    FEWEST,
    Compared,
    cautions,
    fewest_faces,
    gap_name,
    gaps_disagree,
    in_sentences,
)
from pages.components.comparison.cards import show_cards
from pages.components.comparison.cells_chart import cells_chart, cells_of
from pages.components.comparison.desk import Desk, Entry
from pages.components.comparison.groups import groups_in_link
from pages.components.comparison.interval_bars import NO_BAR
from pages.components.comparison.stored import attention_compared, compared
from pages.components.comparison.views import show_view
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain

FEW = 100


def summary_tab(desk: Desk) -> None:
    """Show what the candidate comes to against the reference, on clean faces, and which subgroup pays."""
    answer_section(desk)
    show_view(
        {"The subgroups": partial(cells_section, desk), "The paper's groups and gap": partial(paper_section, desk)},
        "summary_view",
    )


@in_one_sentence("The summary")
def answer_section(desk: Desk) -> None:
    """Show the three sentences and a card for each variant."""
    for sentence in cautions(pd.concat([desk.by_seed, desk.results])):
        st.warning(plain(sentence))
    if desk.candidate is None:
        st.info(
            "There is only the reference here: train or mitigate another variant, and what it changes appears here."
        )
        return
    others = [entry for entry in desk.entries if entry != desk.reference]
    cards = {entry.label: answers(desk, entry) for entry in others}
    before, after = (f"“{entry.label}”" for entry in (desk.reference, desk.candidate))
    sentences = in_sentences(cards[desk.candidate.label], before, after, desk.audit.confounder)
    st.markdown("\n".join(f"- {plain(sentence)}" for sentence in sentences))
    if grouped := groups_in_link(desk):
        cards = {entry.label: [*cards[entry.label], grouped.worst_under(entry)] for entry in others}
    show_cards(list(cards.items()), desk.reference.label, desk.candidate.label)
    fewest = fewest_faces(desk.results)
    st.caption(
        f"On clean faces, with 95% intervals. {_leaning(desk)} Attention: share of the relevance in the region of interest. A "
        "change is paired: the same faces and seeds. "
        + (f"The smallest cell has {fewest} test faces: read it with care." if FEWEST <= fewest < FEW else "")
    )


def _leaning(desk: Desk) -> str:
    if desk.audit.subsets["phi"] is None:
        return "Equalized odds difference: the larger of the differences in true and in false positive rates between the groups."
    return "Shortcut gap: accuracy where the training correlation gives the right answer, less that where it misleads."


def answers(desk: Desk, entry: Entry) -> list[Compared]:
    """Return a variant's worst cell, shortcut gap or equalized odds, accuracy and attention against the reference."""
    audit = desk.audit
    numbers = compared(desk.reference.source, entry.source, audit.target, audit.confounder, audit.subsets["phi"])
    return [*numbers, attention_compared(desk.reference.source[::2], entry.source[::2])]


@in_one_sentence("The subgroups")
def cells_section(desk: Desk) -> None:
    """Show the accuracy of each subgroup, and say where the paper's gap tells another story."""
    _disagreement(desk)
    candidate = desk.candidate.label if desk.candidate else None
    grouped = groups_in_link(desk)
    if grouped:
        st.caption(f"By {plain(' and '.join(grouped.protected))}, as chosen under *Accuracy*, *By group*.")
    st.plotly_chart(
        cells_chart(grouped.cells if grouped else cells_of(desk.results), desk.reference.label, candidate),
        key="cells",
        config=NO_BAR,
        alt="Accuracy of each subgroup on clean faces, reference and candidate, with 95% intervals",
    )


@in_one_sentence("The paper's table")
def paper_section(desk: Desk) -> None:
    """Show the paper's numbers, clean: each target group and the gap."""
    _disagreement(desk)
    target = desk.audit.target
    clean = desk.results[desk.results["evaluation"] == CLEAN]
    groups = {group_name(target, True): ACCURACY, group_name(target, False): ACCURACY, gap_name(target): GAP}
    table = pd.DataFrame({"variant": list(dict.fromkeys(clean["variant"]))}).set_index("variant")
    for group, metric in groups.items():
        rows = clean[clean["group"].eq(group) & clean["metric"].eq(metric)].set_index("variant")
        form = "{:+z.2f} [{:+z.2f}, {:+z.2f}]" if metric == GAP else "{:z.2f} [{:z.2f}, {:z.2f}]"
        table[f"gap: {group}" if metric == GAP else group] = [
            form.format(*numbers) for numbers in rows[["value", "low", "high"]].to_numpy(float)
        ]
    st.dataframe(table, key="papers_table", alt="Accuracy of the two target groups and the gap, clean faces")


def _disagreement(desk: Desk) -> None:
    """Say it where the paper's gap and the shortcut gap of reference or candidate disagree."""
    if desk.audit.subsets["phi"] is None:
        return  # no shortcut that leads one way or the other
    target = desk.audit.target
    gaps = desk.results[desk.results["evaluation"].eq(CLEAN) & desk.results["metric"].eq(GAP)].set_index("variant")
    told: dict[str, list[str]] = {}
    for entry in filter(None, (desk.reference, desk.candidate)):
        shortcut = answers(desk, entry)[1].candidate
        names = group_name(target, True), group_name(target, False)
        if shortcut and (said := gaps_disagree(float(gaps["value"].loc[entry.label]), shortcut.value, *names)):
            told.setdefault(said, []).append(entry.label)
    for said, labels in told.items():
        st.info(f"*{plain(' and '.join(labels))}*: {plain(said)}", icon=":material/balance:")
