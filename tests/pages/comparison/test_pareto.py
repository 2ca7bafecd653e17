"""Accuracy against fairness: dominated variants fade."""

import pandas as pd
import pytest

from pages.components.comparison.pareto import pareto_chart, pareto_points


def results(points: dict[str, tuple[float, float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "variant": variant,
                "evaluation": evaluation,
                "metric": metric,
                "group": "all",
                "value": value,
                "low": value - 0.05,
                "high": value + 0.05,
            }
            for variant, (accuracy, odds) in points.items()
            for metric, value in (("accuracy", accuracy), ("equalized_odds_difference", odds))
            for evaluation in ("clean", "treated")
        ]
    )


def test_what_another_beats_in_both_is_faded() -> None:
    points = pareto_points(results({"original": (0.8, 0.5), "zhang": (0.82, 0.2), "threshold": (0.7, 0.05)}))
    assert dict(zip(points["variant"], points["dominated"], strict=True)) == {
        "original": True,
        "zhang": False,
        "threshold": False,
    }
    figure = pareto_chart(points, "Blond_Hair")
    opacity = {name: trace.marker.opacity for trace in figure.data for name in trace.text}
    assert opacity["original"] < opacity["zhang"] == 1.0
    trace = next(trace for trace in figure.data if "zhang" in trace.text)
    at = list(trace.text).index("zhang")
    assert (trace.x[at], trace.y[at]) == (0.2, 0.82)
    assert trace.error_x["array"][at] == pytest.approx(0.05)
