"""Intervals around the points of a chart."""

import pandas as pd

NO_BAR = {"displayModeBar": False}  # plotly's tools lie over titles, and what they offer nobody needs here


def interval_bars(part: pd.DataFrame) -> dict[str, object]:
    """Return plotly's error bars from `value` to `low` and `high`."""
    return {
        "type": "data",
        "symmetric": False,
        "array": (part["high"] - part["value"]).to_numpy(),
        "arrayminus": (part["value"] - part["low"]).to_numpy(),
        "thickness": 1.5,
    }
