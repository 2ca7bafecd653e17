"""What a run says of itself while it trains: loss, gap, accuracy of the four cells, pace."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from fairsal_core.experiments import Event

LOSS, GAP, PACE = "loss", "gap", "images_per_second"


def show_curves(events: Sequence[Event]) -> None:
    """Show the curves of all variants, and the cells of the one trained last."""
    table = epochs_of(events)
    if table.empty:
        return
    columns = st.columns(3)
    with columns[0]:
        st.caption("Training loss per epoch")
        st.line_chart(
            table, x="epoch", y=LOSS, color="variant", height=220, alt=f"Training loss per epoch: {_ends(table, LOSS)}"
        )
    if GAP not in table:
        return
    last = table["variant"].iloc[-1]
    cells = [name for name in table.columns if name not in ("variant", "epoch", LOSS, GAP, PACE)]
    with columns[1]:
        st.caption("Gap on a few clean validation faces")
        st.line_chart(table, x="epoch", y=GAP, color="variant", height=220, alt=f"Gap per epoch: {_ends(table, GAP)}")
    with columns[2]:
        st.caption(f"Accuracy of the four cells, {last}")
        ended = table[table["variant"] == last]
        said = ", ".join(f"{cell} {ended[cell].iloc[-1]:.2f}" for cell in cells)
        st.line_chart(ended, x="epoch", y=cells, height=220, alt=f"Accuracy per epoch, in the last one: {said}")
    pace = table[PACE].iloc[-1]
    st.caption(
        f"{pace:,.0f} images/s in the last epoch. The validation curves are rough: a few faces a cell, no interval."
    )


def _ends(table: pd.DataFrame, number: str) -> str:
    """Return where each variant's curve ends, in words."""
    last = table.groupby("variant", sort=False)[number].last()
    return "in the last one " + ", ".join(f"{variant} {value:.3f}" for variant, value in last.items())


def epochs_of(events: Sequence[Event]) -> pd.DataFrame:
    """Return one row per epoch that was told: `variant` (with its seed), `epoch`, and every number."""
    rows = [{"variant": event.stage, **event.numbers} for event in events if LOSS in event.numbers]
    table = pd.DataFrame(rows)
    if rows:
        table.insert(1, "epoch", table.groupby("variant").cumcount() + 1)
    return table
