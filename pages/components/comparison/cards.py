"""One card a variant: four questions, each with the reference's number, the candidate's, the change, and what it is worth."""

import html
import math
from collections.abc import Sequence

import streamlit as st

from fairsal_core.metrics import SHORTCUT_GAP
from fairsal_core.results import BEYOND_NOISE, CANNOT_SAY, Compared, Number
from pages.components.comparison.desk_table import BETTER, WORSE

SHOWN = 2  # cards; of more variants the rest is folded away
_STYLE = """<style>
.fs-cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr)); gap: 0.75rem; }
.fs-card { border: 1px solid color-mix(in srgb, currentColor 22%, transparent); border-radius: 0.5rem; padding: 0.6rem 0.8rem; }
.fs-card.fs-chosen { border: 2px solid currentColor; }
.fs-card table { width: 100%; border-collapse: collapse; font-size: 0.8125rem; font-variant-numeric: tabular-nums; }
.fs-card caption { text-align: left; font-weight: 600; font-size: 0.9375rem; padding-bottom: 0.2rem; overflow-wrap: anywhere; }
.fs-card th, .fs-card td { text-align: left; vertical-align: top; padding: 0.2rem 0.3rem; border: 0; line-height: 1.3; }
.fs-card tbody tr { border-top: 1px solid color-mix(in srgb, currentColor 14%, transparent); }
.fs-card th { font-weight: 500; overflow-wrap: break-word; }
.fs-card small { display: block; font-size: 0.75rem; }
.fs-card b { font-weight: 600; font-size: 1rem; }
.fs-word { border-radius: 0.25rem; padding: 0 0.25rem; white-space: nowrap; }
@media (max-width: 40rem) {
  .fs-card thead { display: none; }
  .fs-card tbody tr { display: grid; grid-template-columns: 1fr 1fr; }
  .fs-card tbody th { grid-column: 1 / -1; }
  .fs-card tbody td:last-child { grid-column: 1 / -1; }
  .fs-card tbody td:not(:last-child)::before { content: attr(data-of); display: block; font-size: 0.75rem; }
  .fs-card td small { display: inline; }
}
</style>"""


def show_cards(cards: Sequence[tuple[str, Sequence[Compared]]], reference: str, chosen: str) -> None:
    """Show a card for each variant, the chosen one first and marked; names are shown letter by letter.

    Parameters
    ----------
    cards : sequence of (name, comparisons)
        Each variant and what it comes to against the reference.
    reference, chosen : str
        What to call the reference, and which variant the page is about.
    """
    ordered = sorted(cards, key=lambda card: card[0] != chosen)
    st.html(_STYLE + _grid(ordered[:SHOWN], reference, chosen))
    if len(ordered) > SHOWN:
        with st.expander(f"{len(ordered) - SHOWN} more variants"):
            st.html(_STYLE + _grid(ordered[SHOWN:], reference, chosen))


def _grid(cards: Sequence[tuple[str, Sequence[Compared]]], reference: str, chosen: str) -> str:
    return f'<div class="fs-cards">{"".join(_card(*card, reference, card[0] == chosen) for card in cards)}</div>'


def _card(name: str, compared: Sequence[Compared], reference: str, is_chosen: bool) -> str:
    rows = "".join(_row(one, reference, name) for one in compared)
    # Roles are told, since on a phone the rows are laid out as no table is.
    heads = "".join(
        f'<th scope="col" role="columnheader">{_text(head)}</th>'
        for head in ("clean faces", reference, "this", "change")
    )
    return (
        f'<div class="fs-card{" fs-chosen" if is_chosen else ""}"><table role="table"><caption>{_text(name)}</caption>'
        f'<thead role="rowgroup"><tr role="row">{heads}</tr></thead><tbody role="rowgroup">{rows}</tbody></table></div>'
    )


def _row(one: Compared, reference: str, name: str) -> str:
    about = one.candidate.about if one.candidate else ""
    faces = f"n = {one.candidate.n:,}" if one.candidate else ""
    named = f"<small>{_text(', '.join(filter(None, (about, faces))))}</small>"
    sign = "+" if one.question == SHORTCUT_GAP else ""
    return (
        f'<tr role="row"><th scope="row" role="rowheader">{_text(one.title)}{named}</th>'
        f'<td role="cell" data-of="{_text(reference)}">{_number(one.reference, sign, about)}</td>'
        f'<td role="cell" data-of="{_text(name)}">{_number(one.candidate, sign, about)}</td>'
        f'<td role="cell">{_change(one)}</td></tr>'
    )


def _number(number: Number | None, sign: str, about: str) -> str:
    """Return a number with its interval; the group it is of is named where it is not the row's."""
    if number is None or math.isnan(number.value):
        return "not measured"
    other = f"<small>{_text(number.about)}</small>" if number.about and number.about != about else ""
    form = f"{sign}z.2f"
    return f"<b>{number.value:{form}}</b> <small>[{number.low:{form}}, {number.high:{form}}]</small> {other}"


def _change(one: Compared) -> str:
    if one.change is None or math.isnan(one.change.value):
        return "–"
    colour = {True: BETTER, False: WORSE, None: "transparent"}[one.better]
    interval = f"{one.change.value:+z.2f} <small>[{one.change.low:+z.2f}, {one.change.high:+z.2f}]</small>"
    return f'{interval}<span class="fs-word" style="background:{colour}">{in_words(one)}</span>'


def in_words(one: Compared) -> str:
    """Return what a change is worth, in two or three words with a sign that needs no colour."""
    if one.word == BEYOND_NOISE:
        return "▲ better, beyond noise" if one.better else "▼ worse, beyond noise"
    return f"? {one.word}" if one.word == CANNOT_SAY else f"~ {one.word}"


def _text(written: str) -> str:
    return html.escape(written, quote=True)
