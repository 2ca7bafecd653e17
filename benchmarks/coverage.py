"""How often intervals hold: `python -m benchmarks.coverage`, by simulation.

Networks judge the same faces, of which some are harder than others for all of them; seeds go up in two cells where they go down in
the others, as networks do that follow a shortcut more or less. For each number, the share of experiments whose 95% interval holds
the truth, for the least and the most of the accuracies tried; and the gap's mean width beside that of a percentile bootstrap over
faces and seeds.
"""

import argparse
import json
import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from fairsal_core.metrics import (
    Decisions,
    Interval,
    bootstrap_rates,
    bootstrap_seeds,
    change_interval,
    contrast_interval,
    odds_change,
    percentile_interval,
)
from fairsal_core.metrics.groups import difference_intervals

FACES, SEEDS, SPREADS = (3, 5, 10, 20, 50, 182), (1, 2, 3, 5, 10), (0.0, 0.03, 0.1)
ACCURACIES = {
    "all 0.5": (0.5,) * 4,
    "all 0.9": (0.9,) * 4,
    "all 0.99": (0.99,) * 4,
    "a shortcut": (0.35, 0.9, 0.95, 0.8),
}
GAP, CELL = np.array([-0.5, -0.5, 0.5, 0.5]), np.array([1.0, 0.0, 0.0, 0.0])
UP_AND_DOWN = np.array([-1.0, -1.0, 1.0, 1.0])
_HARDNESS = math.sqrt(0.5)  # half of what makes an answer wrong is the face


def main() -> None:
    parser = argparse.ArgumentParser(description="Simulate how often intervals hold.")
    parser.add_argument("--experiments", type=int, default=400, help="of each kind")
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of a table")
    options = parser.parse_args()
    rows = list(simulate(options.experiments))
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    print("| seeds | seed sd | faces a cell | " + " | ".join(name for name in rows[0] if name[0] != "_") + " |")
    for row in rows:
        about = row["_about"]
        shown = " | ".join(str(value) for name, value in row.items() if name[0] != "_")
        print(f"| {about['seeds']} | {about['spread']:.2f} | {about['faces']} | {shown} |", flush=True)


def simulate(experiments: int) -> Iterator[dict[str, Any]]:
    """Give, for each number of seeds, their spread and number of faces, the coverage of each number and the widths of the gap's."""
    for seeds, spread, faces in product(SEEDS, SPREADS, FACES):
        if seeds == 1 and spread:
            continue  # nothing is claimed about other networks
        held: dict[str, list[float]] = {}
        widths, plain = [], []
        for accuracy in ACCURACIES.values():
            each: dict[str, list[bool]] = {}
            generator = np.random.default_rng([seeds, faces, round(100 * spread)])
            for number in range(experiments):
                found, gap, hits, cells = _experiment(generator, seeds, spread, faces, np.array(accuracy))
                for name, value in found.items():
                    each.setdefault(name, []).append(value)
                widths.append(gap.high - gap.low)
                if number % 20 == 0:
                    plain.append(_bootstrap_width(hits, cells))
            for name, values in each.items():
                held.setdefault(name, []).append(float(np.mean(values)))
        shown = {name: f"{min(values):.2f} to {max(values):.2f}" for name, values in held.items()}
        about = {"seeds": seeds, "spread": spread, "faces": faces}
        yield {"_about": about, **shown, "width": f"{np.mean(widths):.2f} ({np.mean(plain):.2f})"}


def _experiment(
    generator: np.random.Generator, seeds: int, spread: float, faces: int, accuracy: NDArray[np.float64]
) -> tuple[dict[str, bool], Interval, NDArray[np.bool_], NDArray[np.int64]]:
    cells = np.repeat(np.arange(4), faces)
    hard = generator.normal(size=len(cells))
    before, after = (_answers(generator, seeds, spread, accuracy, hard, cells) for _ in range(2))
    truth = _expected(accuracy, spread)
    odds = float(np.abs(truth[::2] - truth[1::2]).max())
    gap = contrast_interval(before, cells, GAP)
    return (
        {
            "cell": _holds(contrast_interval(before, cells, CELL), float(truth @ CELL)),
            "gap": _holds(gap, float(truth @ GAP)),
            "change of gap": _holds(change_interval(before, after, cells, GAP), 0.0),
            "odds": _holds(difference_intervals(Decisions(before, cells))[2], odds),
            "change of odds": _holds(odds_change(before, after, cells).interval, 0.0),
        },
        gap,
        before,
        cells,
    )


def _answers(
    generator: np.random.Generator,
    seeds: int,
    spread: float,
    accuracy: NDArray[np.float64],
    hard: NDArray[np.float64],
    cells: NDArray[np.int64],
) -> NDArray[np.bool_]:
    effect = generator.normal(0, spread, seeds) if spread else np.zeros(seeds)
    right = np.clip(accuracy + np.outer(effect, UP_AND_DOWN), 0.001, 0.999)[:, cells]
    noise = generator.normal(size=right.shape)
    return np.asarray(_HARDNESS * (hard + noise) < stats.norm.ppf(right))


def _expected(accuracy: NDArray[np.float64], spread: float) -> NDArray[np.float64]:
    """Return what the accuracies are on average over seeds, which cannot go beyond what an accuracy can be."""
    if not spread:
        return accuracy
    effects = spread * stats.norm.ppf((np.arange(2000) + 0.5) / 2000)
    return np.asarray(np.clip(accuracy[:, None] + effects, 0.001, 0.999).mean(axis=1))


def _holds(interval: Interval, truth: float) -> bool:
    return interval.low - 1e-12 <= truth <= interval.high + 1e-12


def _bootstrap_width(hits: NDArray[np.bool_], cells: NDArray[np.int64]) -> float:
    rates = bootstrap_rates(hits, cells, replicates=500)
    low, high = percentile_interval(np.einsum("rsc,rs,c->r", rates, bootstrap_seeds(len(hits), 500), GAP))
    return high - low


if __name__ == "__main__":
    main()
