"""How often intervals hold: `python -m benchmarks.coverage`, by simulation.

Networks judge the same faces, of which some are harder than others for all of them; seeds go up in two cells where they go down in
the others, as networks do that follow a shortcut more or less. For each number, the share of experiments whose 95% interval holds
the truth, for the least and the most of the accuracies tried; and the gap's mean width beside that of a percentile bootstrap over
faces and seeds. Then, for fewer faces and spreads, the same of the change of sizes, the gap's and the equalized odds difference:
where it stays as the shortcut makes it, goes (to all 0.9), or is none before and after. Then what a few seeds at the ceiling show.
"""

import argparse
import json
import math
from collections.abc import Iterable, Iterator
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
    gap_change,
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
    parser.add_argument("--table", choices=TABLES, help="that one alone")
    parser.add_argument(
        "--rows",
        nargs="+",
        type=_row,
        metavar="SEEDS,SD,FACES",
        help="of the first table those alone, such as 3,0.1,182",
    )
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of a table")
    options = parser.parse_args()
    tables = {name: TABLES[name](options.experiments) for name in ([options.table] if options.table else TABLES)}
    if options.rows:
        tables = {"intervals": simulate(options.experiments, options.rows)}
    if options.json:
        print(json.dumps({name: list(rows) for name, rows in tables.items()}, indent=1))
        return
    for rows in tables.values():
        for number, row in enumerate(rows):
            if not number:
                print(f"\n| {' | '.join(row)} |\n|{'---|' * len(row)}")
            print(f"| {' | '.join(map(str, row.values()))} |", flush=True)


def _row(text: str) -> tuple[int, float, int]:
    seeds, spread, faces = text.split(",")
    return int(seeds), float(spread), int(faces)


def simulate(
    experiments: int, rows: Iterable[tuple[int, float, int]] = tuple(product(SEEDS, SPREADS, FACES))
) -> Iterator[dict[str, Any]]:
    """Give, for each number of seeds, their spread and number of faces, the coverage of each number and the widths of the gap's."""
    for seeds, spread, faces in rows:
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
        width = f"{np.mean(widths):.2f} ({np.mean(plain):.2f})"
        yield {"seeds": seeds, "seed sd": f"{spread:.2f}", "faces a cell": faces, **shown, "width": width}


def changes(experiments: int) -> Iterator[dict[str, Any]]:
    """Give, for each number of seeds, their spread and number of faces, the coverage of what sizes change by."""
    uneven, even = (np.array(ACCURACIES[name]) for name in ("a shortcut", "all 0.9"))
    kinds = {"stays": (uneven, uneven), "goes": (uneven, even), "is none": (even, even)}
    for seeds, spread, faces in product(SEEDS, (0.0, 0.1), (10, 50, 182)):
        if seeds == 1 and spread:
            continue
        generator = np.random.default_rng([seeds, faces, round(100 * spread)])
        held: dict[str, list[bool]] = {}
        for _, (name, (before, after)) in product(range(experiments), kinds.items()):
            gap, odds = _change(generator, seeds, spread, faces, before, after)
            held.setdefault(f"gap, {name}", []).append(gap)
            held.setdefault(f"odds, {name}", []).append(odds)
        shown = {name: f"{np.mean(values):.2f}" for name, values in held.items()}
        yield {"seeds": seeds, "seed sd": f"{spread:.2f}", "faces a cell": faces, **shown}


def at_the_ceiling(experiments: int) -> Iterator[dict[str, Any]]:
    """Give, for a few seeds, how often all are near the ceiling, where they differ and where not, and what then is said."""
    accuracy, faces, few = 0.99, FACES[-1], 2
    cell = np.zeros(faces, dtype=np.int64)
    for seeds, spread in product((2, 3), (0.0, 0.1)):
        generator = np.random.default_rng(seeds)
        truth = float(_expected(np.array([accuracy]), spread)[0])
        lows = []
        for _ in range(10 * experiments):
            hard = generator.normal(size=faces)
            hits = _answers(generator, seeds, spread, np.full(4, accuracy), hard, cell)
            if ((~hits).sum(axis=1) <= few).all():
                lows.append(contrast_interval(hits, cell, np.ones(1)).low)
        yield {
            "seeds": seeds,
            "seed sd": f"{spread:.2f}",
            "accuracy on average": f"{truth:.3f}",
            f"all have at most {few} of {faces} wrong": f"{len(lows) / experiments / 10:.2f}",
            "then the interval begins at": f"{np.mean(lows):.3f}",
            "and holds it in": f"{np.mean(np.array(lows) <= truth):.2f}",
        }


def _experiment(
    generator: np.random.Generator, seeds: int, spread: float, faces: int, accuracy: NDArray[np.float64]
) -> tuple[dict[str, bool], Interval, NDArray[np.bool_], NDArray[np.int64]]:
    cells = np.repeat(np.arange(4), faces)
    hard = generator.normal(size=len(cells))
    before, after = (_answers(generator, seeds, spread, accuracy, hard, cells) for _ in range(2))
    truth = _expected(accuracy, spread)
    gap = contrast_interval(before, cells, GAP)
    return (
        {
            "cell": _holds(contrast_interval(before, cells, CELL), float(truth @ CELL)),
            "gap": _holds(gap, float(truth @ GAP)),
            "change of gap": _holds(change_interval(before, after, cells, GAP), 0.0),
            "odds": _holds(difference_intervals(Decisions(before, cells))[2], _odds(truth)),
        },
        gap,
        before,
        cells,
    )


def _change(
    generator: np.random.Generator,
    seeds: int,
    spread: float,
    faces: int,
    before: NDArray[np.float64],
    after: NDArray[np.float64],
) -> tuple[bool, bool]:
    """Return whether the change of the gap's size and that of the odds difference are held, in one experiment."""
    cells = np.repeat(np.arange(4), faces)
    hard = generator.normal(size=len(cells))
    first, second = (_answers(generator, seeds, spread, each, hard, cells) for each in (before, after))
    truths = [_expected(each, spread) for each in (before, after)]
    gaps, odds = [abs(float(each @ GAP)) for each in truths], [_odds(each) for each in truths]
    return (
        _holds(gap_change(first, second, cells).interval, gaps[1] - gaps[0]),
        _holds(odds_change(first, second, cells).interval, odds[1] - odds[0]),
    )


def _odds(rates: NDArray[np.float64]) -> float:
    return float(np.abs(rates[::2] - rates[1::2]).max())


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


TABLES = {"intervals": simulate, "changes": changes, "ceiling": at_the_ceiling}


if __name__ == "__main__":
    main()
