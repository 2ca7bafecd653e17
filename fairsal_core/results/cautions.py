"""What a table of results cannot carry, said in sentences: constant classifiers, cells of a few faces, undefined differences."""

from collections.abc import Iterator

import pandas as pd

from fairsal_core.metrics import ACCURACY, title_of

FEWEST = 10
"""Test faces of a cell, below which no verdict rests on it."""
FEWEST_SEEDS = 3
"""Of fewer, nothing is known of other networks that the same scheme or method would give."""


def about_these_networks(seeds: int) -> str:
    """Return what so few seeds do not allow to be said of a scheme or method, in a sentence; empty for enough."""
    if seeds >= FEWEST_SEEDS:
        return ""
    trained = "One seed was" if seeds == 1 else f"{seeds} seeds were"
    return (
        f"{trained} trained: this is about these networks and not about what made them, of which {FEWEST_SEEDS} seeds or more "
        "would tell."
    )


def cautions(results: pd.DataFrame) -> list[str]:
    """Return a sentence for each thing that makes numbers of these results mean less than they seem to.

    Parameters
    ----------
    results : DataFrame
        As from `results_table`, of any variants; rows of single seeds, of all seeds together, or both.
    """
    return [*_constant(results), *_few(results), *_undefined(results)]


def fewest_faces(results: pd.DataFrame) -> int:
    """Return how many test faces the smallest cell has; 0 for a table without cells."""
    cells = _cells(results)
    return int(cells["n"].min()) if len(cells) else 0


def says_the_same_of_all(results: pd.DataFrame) -> bool:
    """Return whether the rows, of one variant and evaluation, are of a classifier that decides alike for every face.

    All with one label are then right, and all with the other wrong.
    """
    accuracies = results[results["metric"] == ACCURACY]
    groups = accuracies[(accuracies["group"] != "all") & ~_is_cell(accuracies)]
    return len(groups) > 1 and set(groups["value"]) == {0.0, 1.0}


def _cells(results: pd.DataFrame) -> pd.DataFrame:
    return results[(results["metric"] == ACCURACY) & _is_cell(results)]


def _is_cell(results: pd.DataFrame) -> pd.Series:
    return results["group"].str.contains(" with | without ")


def _constant(results: pd.DataFrame) -> Iterator[str]:
    keys = ["variant", "evaluation", "treated_by"]
    for (variant, evaluation, treated_by), part in results.groupby(keys, sort=False, observed=True):
        rows = part[part["seed"].notna()] if part["seed"].notna().any() else part
        seeds = [seed for seed, one in rows.groupby("seed", dropna=False) if says_the_same_of_all(one)]
        if not seeds:
            continue
        named = ", ".join(str(seed) for seed in seeds if not pd.isna(seed))
        where = f"{evaluation} faces treated by {treated_by}" if treated_by else f"{evaluation} faces"
        yield (
            f"{variant} says the same of every face ({where}{f', seed {named}' if named else ''}): it has learned nothing "
            "that tells them apart, and that groups differ little, or do not differ, is not to its credit."
        )


def _few(results: pd.DataFrame) -> Iterator[str]:
    cells = _cells(results).drop_duplicates("group")
    few = cells[cells["n"] < FEWEST]
    if len(few):
        named = ", ".join(f"{name} ({n})" for name, n in zip(few["group"], few["n"], strict=True))
        yield (
            f"Fewer than {FEWEST} test faces in a cell: {named}. That is too few for a verdict on such a cell, on the worst cell, "
            "or on any difference that it is part of."
        )


def _undefined(results: pd.DataFrame) -> Iterator[str]:
    missing = results[results["value"].isna()]
    for metric, part in missing.groupby("metric", sort=False, observed=True):
        variants = ", ".join(dict.fromkeys(part["variant"].astype(str)))
        yield f"{title_of(str(metric))} is not defined for {variants}: a group that it compares has no test face."
