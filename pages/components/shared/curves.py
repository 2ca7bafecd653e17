"""What a run says of itself while it trains: loss, gap, accuracy of the four cells, pace."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from fairsal_core.runs import Event
from pages.components.shared.palette import COLOURS
from pages.components.shared.words import in_chart, plain, step_title

LOSS, GAP, PACE = "loss", "gap", "images_per_second"


def show_curves(events: Sequence[Event]) -> None:
    """Show the curves of all variants, and the cells of the one trained last."""
    table = epochs_of(events)
    if table.empty:
        return
    columns = st.columns(3)
    with columns[0]:
        st.caption("Training loss per epoch")
        st.plotly_chart(
            _curves(table, LOSS, "variant"),
            key="loss_curve",
            alt=f"Training loss per epoch: {_ends(table, LOSS, 'variant')}",
        )
    if GAP not in table:
        return
    last = table["variant"].iloc[-1]
    cells = [name for name in table.columns if name not in ("variant", "epoch", LOSS, GAP, PACE)]
    with columns[1]:
        st.caption("Gap on a few clean validation faces")
        st.plotly_chart(
            _curves(table, GAP, "variant"), key="gap_curve", alt=f"Gap per epoch: {_ends(table, GAP, 'variant')}"
        )
    if cells:  # a run that was cut off, or comes from elsewhere, may have none
        ended = table[table["variant"] == last].melt("epoch", cells, "cell", "accuracy")
        with columns[2]:
            st.caption(f"Accuracy of the cells, {plain(last)}")
            st.plotly_chart(
                _curves(ended, "accuracy", "cell"),
                key="cell_curves",
                alt=f"Accuracy per epoch: {_ends(ended, 'accuracy', 'cell')}",
            )
    pace = table[PACE].iloc[-1]
    st.caption(
        f"{pace:,.0f} images/s in the last epoch. The validation curves are rough: a few faces a cell, no interval."
    )


def _curves(table: pd.DataFrame, number: str, of: str) -> Any:
    """Return a number over the epochs, one curve for each name in the column `of`, with all names below."""
    import plotly.express as px

    table = table.assign(**{of: table[of].map(in_chart)})
    figure = px.line(table, x="epoch", y=number, color=of, height=340, markers=True, color_discrete_sequence=COLOURS)
    figure.update_xaxes(dtick=max(1, int(table["epoch"].max()) // 8))
    return figure.update_layout(
        margin={"l": 0, "r": 0, "t": 8, "b": 150},  # the same for all, so that their axes stand on one line
        legend={"orientation": "h", "y": 0, "yref": "container", "yanchor": "bottom", "title": None},
    )


def _ends(table: pd.DataFrame, number: str, of: str) -> str:
    """Return where each curve ends, in words."""
    last = table.groupby(of, sort=False)[number].last()
    return "in the last one " + ", ".join(f"{name} {value:.3f}" for name, value in last.items())


def epochs_of(events: Sequence[Event]) -> pd.DataFrame:
    """Return one row per epoch that was told: `variant` (with its seed), `epoch`, and every number."""
    rows = [{"variant": step_title(event.stage), **event.numbers} for event in events if LOSS in event.numbers]
    table = pd.DataFrame(rows)
    if rows:
        table.insert(1, "epoch", table.groupby("variant").cumcount() + 1)
    return table
