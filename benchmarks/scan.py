"""Whether the scan finds what was planted: `python -m benchmarks.scan [--draws 100] [--nothing 200] [--json]`.

Labels are the drawn faces' own. One or two of the columns go with the target, at phi 0.3, 0.5 or 0.7, among the faces that a
classifier learns from, and not among those that it is judged on. The classifier is simulated: a logistic regression on noisy
readings of the target and of the planted columns, which stand for what a network reads off pixels; the target's is noisier, so that
a shortcut pays. It sees no other column, so a difference by one is chance. In `--nothing` draws it sees the target's alone. Every
draw has faces of its own: judged on the same ones, draws repeat one another's chance correlations.

Told are the precision at 1 (whether the first family of the scan has a planted column), the share of planted columns that the scan
says differ, the false discovery proportion (families that are said to differ and have nothing to do with a planted column, among
those that are said to differ; its mean over draws is the rate, with a 95% interval), and the seconds and peak memory of one scan of
46,715 faces by 40 columns.
"""

import argparse
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import psutil
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from fairsal_core.drawing import CELEBA_ATTRIBUTES, DRAWN_ATTRIBUTES
from fairsal_core.drawing.labels import draw_labels
from fairsal_core.metrics import mean_interval
from fairsal_core.scan import DIFFERS, by_family, scan

TARGET = "Male"
POOL, LEARNED, JUDGED = 60_000, 3_000, 4_000
STRENGTHS = (0.3, 0.5, 0.7)
OF_TARGET, OF_OTHERS = 1.0, 0.4  # the noise of a reading, in units of the difference between yes and no
# These exclude each other: one that is planted moves the others.
HAIR = ("Black_Hair", "Brown_Hair", "Gray_Hair", "Blond_Hair")


def label_table(count: int) -> pd.DataFrame:
    """Return the drawn faces' labels, and CelebA's other columns, which are constant."""
    drawn = pd.DataFrame([draw_labels(0, index) for index in range(1, count + 1)])
    return drawn.reindex(columns=list(CELEBA_ATTRIBUTES), fill_value=False)


def planted_rows(
    labels: pd.DataFrame, columns: list[str], phi: float, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Return faces to learn from: half of them with the target, and each column in (1 + phi) / 2 of them, else in (1 - phi) / 2."""
    has = labels[columns].to_numpy(dtype=bool)
    rows = []
    for target in (True, False):
        left = np.flatnonzero((labels[TARGET] == target).to_numpy())
        chance = (1 + phi) / 2 if target else (1 - phi) / 2
        base = has[left].mean(axis=0)
        weights = np.where(has[left], chance / base, (1 - chance) / (1 - base)).prod(axis=1)
        rows.append(generator.choice(left, LEARNED // 2, replace=False, p=weights / weights.sum()))
    return np.concatenate(rows)


def simulated(labels: pd.DataFrame, columns: list[str], phi: float, seed: int) -> tuple[Any, Any, pd.DataFrame]:
    """Return the scores, targets and attributes of faces that a classifier is judged on, after it learned from others."""
    generator = np.random.default_rng(seed)
    labels = labels.iloc[generator.permutation(len(labels))].reset_index(drop=True)
    values = labels[[TARGET, *columns]].to_numpy(dtype=np.float64)
    noise = np.array([OF_TARGET, *(OF_OTHERS for _ in columns)])
    readings = values + noise * generator.standard_normal(values.shape)
    learned = planted_rows(labels.iloc[: POOL - JUDGED], columns, phi, generator)
    judged = np.arange(POOL - JUDGED, POOL)
    targets = labels[TARGET].to_numpy(dtype=bool)
    network = LogisticRegression().fit(readings[learned], targets[learned])
    attributes = labels.iloc[judged].drop(columns=TARGET)
    return network.predict_proba(readings[judged])[:, 1], targets[judged], attributes


def outcome(table: pd.DataFrame, columns: list[str]) -> dict[str, float]:
    related = {*columns, *(HAIR if set(columns) & set(HAIR) else ())}
    families = by_family(table)
    said = [family for family in families if (family["verdict"] == DIFFERS).any()]
    false = [family for family in said if not set(family["attribute"]) & related]
    found = set(table.loc[table["verdict"] == DIFFERS, "attribute"])
    return {
        "first": float(bool(set(families[0]["attribute"]) & set(columns)) and bool(said)),
        "found": float(np.mean([column in found for column in columns])) if columns else np.nan,
        "false": len(false) / len(said) if said else 0.0,
        "any_false": float(bool(false)),
    }


def simulate(draws: int, nothing: int) -> Iterator[dict[str, Any]]:
    labels = label_table(POOL)
    # Of the hair's colours, one alone: faces with neither of two that are planted differ more than those with one of them.
    choices = [name for name in DRAWN_ATTRIBUTES if name not in (TARGET, *HAIR[:-1])]
    for count in (1, 2):
        for phi in STRENGTHS:
            yield summary(labels, draws, phi, count, choices)
    yield summary(labels, nothing, 0.0, 0, choices)


def summary(labels: pd.DataFrame, draws: int, phi: float, count: int, choices: list[str]) -> dict[str, Any]:
    outcomes = []
    for draw in range(draws):
        seed = 1000 * count + round(100 * phi) + 10_000 * draw
        columns = np.random.default_rng(seed).choice(choices, count, replace=False).tolist()
        outcomes.append(outcome(scan(*simulated(labels, columns, phi, seed)), columns))
    table = pd.DataFrame(outcomes)
    means = table.mean()
    rate = mean_interval(table["false"].to_numpy()[None])
    return {
        "planted": count,
        "phi": phi,
        "draws": draws,
        "precision_at_1": round(float(means["first"]), 3) if count else None,
        "found": round(float(means["found"]), 3) if count else None,
        "false_discovery_rate": round(float(means["false"]), 3),
        "rate_low": round(max(rate.low, 0), 3),
        "rate_high": round(rate.high, 3),
        "draws_with_any_false": round(float(means["any_false"]), 3),
    }


def cost(faces: int = 46_715, columns: int = 40) -> dict[str, Any]:
    generator = np.random.default_rng(0)
    has = generator.random((faces, columns)) < generator.uniform(0.02, 0.6, columns)
    attributes = pd.DataFrame(has, columns=[f"column {number}" for number in range(columns)])
    scores, target = generator.random(faces), generator.random(faces) < 0.4
    seconds = {}
    with peak_memory() as peak:
        for depth in (1, 2):
            started = time.perf_counter()
            scan(scores, target, attributes, depth=depth)
            seconds[f"seconds_depth_{depth}"] = round(time.perf_counter() - started, 2)
    return {"faces": faces, "columns": columns, **seconds, "peak_gb": round(max(peak) / 2**30, 2)}


@contextmanager
def peak_memory(every: float = 0.005) -> Iterator[list[int]]:
    """Give what will be the memory of this process, in bytes, every so many seconds until the block ends."""
    process, done = psutil.Process(), threading.Event()
    seen = [process.memory_info().rss]

    def look() -> None:
        while not done.wait(every):
            seen.append(process.memory_info().rss)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()


def main() -> None:
    parser = argparse.ArgumentParser(description="Scan simulated classifiers with planted shortcuts.")
    parser.add_argument("--draws", type=int, default=100, help="of each strength and number of planted columns")
    parser.add_argument("--nothing", type=int, default=200, help="draws in which nothing is planted")
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of a table")
    options = parser.parse_args()
    spent = cost()
    rows = list(simulate(options.draws, options.nothing))
    if options.json:
        print(json.dumps({"cost": spent, "planted": rows}, indent=1))
        return
    print(pd.DataFrame(rows).to_string(index=False))
    print("one scan:", spent)


if __name__ == "__main__":
    main()
