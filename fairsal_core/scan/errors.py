"""Errors by column: for every attribute of a table, whether the classifier errs differently on the faces that have it.

Compared are the true and the false positive rate, each among faces of one label of the target, and never plain accuracy, which
follows how common the target is. Everything that is looked at is looked at together: p-values are adjusted for all of them.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.faces import side_name
from fairsal_core.metrics import (
    Numbers,
    Rates,
    difference_of,
    difference_p,
    faces_needed,
    rates_of,
    ratio_of,
    size_of_difference,
)
from fairsal_core.scan.columns import Columns, columns_of
from fairsal_core.scan.families import correlations_of, families_of
from fairsal_core.scan.own import own_differences

LEVEL = 0.95
MARGIN = 0.05
"""The difference that a scan shall be able to see."""
FEWEST_FACES = 30
"""Faces of the smallest cell, below which nothing is said."""
DIFFERS, ALIKE, CANNOT_SAY = "differs", f"within {MARGIN:g}", "cannot say"
WORST_CELLS = ("target with", "target without", "other with", "other without")
SCAN_COLUMNS = (
    "attribute",
    "value",
    "low",
    "high",
    "n",
    "adjusted_p",
    "verdict",
    "family",
    "needed",
    "p",
    "missing",
    "true_positive_difference",
    "true_positive_low",
    "true_positive_high",
    "false_positive_difference",
    "false_positive_low",
    "false_positive_high",
    "worst_cell",
    "worst_value",
    "worst_low",
    "worst_high",
    "worst_n",
    "selection_ratio",
    "selection_low",
    "selection_high",
    "own",
    "own_low",
    "own_high",
    "with_target",
)
_MOST_TIMES = 1e6

Counts = NDArray[np.float64]
"""(..., 4): faces with the target that are said to have it, all with it, those without that are said to have it, all without."""


class _Compared(NamedTuple):
    """What two groups differ by, for many pairs of them."""

    size: Rates
    p: Numbers
    smallest: Numbers
    needed: Numbers
    by_rate: tuple[Rates, Rates]
    both: Rates


def scan(
    judgements: ArrayLike,
    target: ArrayLike,
    attributes: pd.DataFrame,
    threshold: float | None = 0.5,
    depth: int = 1,
    fewest: int = FEWEST_FACES,
) -> pd.DataFrame:
    """Return by which attributes a classifier's errors differ, most certain first.

    Parameters
    ----------
    judgements : array, (N,)
        What the classifier says of each face: scores in [0, 1], or decisions (bool).
    target : array, (N,) bool
        Whether each face has what it predicts.
    attributes : DataFrame, N rows
        One column an attribute: bool, "boolean" with missing labels, or classes, each of which is compared with the rest.
    threshold : float, optional
        Scores above it are a "yes". None: `judgements` are the probabilities of saying "yes", as where thresholds are drawn.
    depth : int
        1 for columns, 2 for crossings of two as well.
    fewest : int
        Faces of the smallest of the four cells below which the verdict is "cannot say".

    Returns
    -------
    DataFrame
        SCAN_COLUMNS, one row an attribute. `value` is the size of the larger of the differences in true and in false positive
        rate, between the faces with the attribute and those without, and `low` to `high` its 95% interval. `n` counts the
        faces of the smallest of the four cells; `needed` is how many that cell would need for a difference of 0.05 to be
        seen with 80% power, all cells growing alike. `adjusted_p` is Benjamini and Hochberg's, over all rows with enough
        faces. `verdict` is "differs" (adjusted p at most 0.05), "within 0.05" (the interval ends below), or "cannot say".
        `family` names the first attribute in the table of those that come together (|phi|). `missing` counts faces without
        the label, which are left out. The worst cell is the one most often judged wrongly. The selection ratio is the lower
        of the two rates of "yes" over the higher. Rows with too few faces stand last.

        `own` is the mean size of the two differences with the columns of other families held fixed: what a column shows only
        because it comes with another one falls away. Rows that differ stand first, by the lower end of its 95% interval, and
        where that is 0 by `low`. `with_target` is phi with the target among these faces: what comes with the target, as an
        open mouth with a smile, may be a part of it.

        A crossing ("A and not B") differs as far as it does from *both* of its neighbours, "A and B" and "not A and not
        B": what one of its parts alone explains is not put down to it.

    Raises
    ------
    FairsalError
        If the three are not of the same faces, or there is nothing to compare.

    Notes
    -----
    A row's p-value is twice the smaller of those of its two rates (Bonferroni), a crossing's the larger of its two neighbours'
    (intersection-union). The lower end of `value` allows for two rates having been looked at.

    References
    ----------
    Benjamini and Hochberg (1995). Hardt et al. (2016) for the two rates. Newcombe (1998) for the intervals.
    """
    columns, weights = columns_of(attributes), _weights(judgements, target, len(attributes), threshold)
    if depth not in (1, 2):
        raise FairsalError(f"A scan looks at columns (depth 1) or at crossings of two as well (depth 2), not {depth}.")
    if not columns.names:
        said = "; ".join(f"{name}: {why}" for name, why in columns.left_out.items()) or "it has no columns"
        raise FairsalError(f"There is no attribute to compare by in this table ({said[:300]}).")
    parts = [_by_column(columns, weights)] + ([_by_crossing(columns, weights, fewest)] if depth == 2 else [])
    return _judged(pd.concat(parts, ignore_index=True), fewest)


def by_family(table: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the families of a scan, the most certain first, each the rows of its members in the scan's order."""
    return [part for _, part in table.groupby("family", sort=False)]


def _weights(judgements: ArrayLike, target: ArrayLike, faces: int, threshold: float | None) -> Counts:
    """Return what each face adds to the counts, (N, 4)."""
    said, has = np.asarray(judgements), np.asarray(target)
    if said.shape != (faces,) or has.shape != (faces,):
        raise FairsalError(
            f"Judgements, target and attributes have to be of the same faces, one number each, not "
            f"{said.shape}, {has.shape} and {faces} rows."
        )
    if not faces:
        raise FairsalError("There are no faces to scan.")
    numbers = said.astype(np.float64)
    if not np.isfinite(numbers).all() or numbers.min() < 0 or numbers.max() > 1:
        raise FairsalError("Scores and decisions lie from 0 to 1, and each face has one.")
    yes = numbers if threshold is None else (numbers > threshold).astype(np.float64)
    with_it = has.astype(bool).astype(np.float64)
    return np.stack([with_it * yes, with_it, (1 - with_it) * yes, 1 - with_it], axis=1)


def _by_column(columns: Columns, weights: Counts) -> pd.DataFrame:
    with_it, known = columns.has.T @ weights, columns.known.T @ weights
    without = known - with_it
    families = families_of(columns)
    target = weights[:, 1] > 0
    own = own_differences(columns, families, weights[:, 0] + weights[:, 2], target, LEVEL**0.5)
    leaders = [columns.names[int(np.flatnonzero(families == family)[0])] for family in families]
    return pd.DataFrame(
        {
            "attribute": columns.names,
            "family": leaders,
            "missing": (~columns.known).sum(axis=0),
            **_as_columns(_compared(with_it, without)),
            **_worst(with_it, without),
            **_selected(with_it, without),
            **_as_own(_of_both(*own)),
            "with_target": correlations_of(_beside(columns, target))[:-1, -1],
        }
    )


def _beside(columns: Columns, target: NDArray[np.bool_]) -> Columns:
    """Return the columns with the target as the last."""
    return columns._replace(
        has=np.column_stack([columns.has, target]),
        known=np.column_stack([columns.known, np.ones_like(target)]),
    )


def _as_own(found: Rates) -> dict[str, Any]:
    return {"own": found.value, "own_low": found.low, "own_high": found.high}


def _by_crossing(columns: Columns, weights: Counts, fewest: int) -> pd.DataFrame:
    """Compare each crossing of two that has enough faces with its two neighbours, and keep the lesser of the differences."""
    sides = columns.has.astype(np.float64), (columns.known & ~columns.has).astype(np.float64)
    first, second = np.triu_indices(len(columns.names), 1)
    sources = np.array(columns.sources)
    apart = sources[first] != sources[second]
    first, second = first[apart], second[apart]
    counts = {
        (one, other): np.stack([(sides[one] * each[:, None]).T @ sides[other] for each in weights.T], axis=-1)[
            first, second
        ]
        for one in (0, 1)
        for other in (0, 1)
    }
    tables = []
    for (one, other), group in counts.items():
        neighbours = counts[1 - one, other], counts[one, 1 - other]
        enough = np.minimum.reduce([each[:, [1, 3]].min(axis=1) for each in (group, *neighbours)]) >= fewest
        places = np.flatnonzero(enough)
        names = [
            f"{side_name(columns.names[first[place]], one == 0)} and {side_name(columns.names[second[place]], other == 0)}"
            for place in places
        ]
        edges = [_compared(group[places], each[places]) for each in neighbours]
        surer = edges[0].p > edges[1].p  # the less certain of the two stands for both
        tables.append(
            pd.DataFrame({"attribute": names, "family": names, "missing": 0, **_either(edges, surer)}).assign(
                with_target=np.nan,
                **_worst(group[places], np.where(surer[:, None], neighbours[0][places], neighbours[1][places])),
                **_selected(group[places], np.where(surer[:, None], neighbours[0][places], neighbours[1][places])),
            )
        )
    return pd.concat(tables, ignore_index=True)


def _either(edges: list[_Compared], first: NDArray[np.bool_]) -> dict[str, Any]:
    one, other = (_as_columns(edge) for edge in edges)
    return {name: np.where(first, one[name], other[name]) for name in one}


def _compared(one: Counts, other: Counts) -> _Compared:
    """Compare groups by their two rates."""
    differences, p, needed = [], [], []
    for hit, of in ((0, 1), (2, 3)):
        pair = (one[..., hit], other[..., hit]), (one[..., of], other[..., of])
        differences.append([_difference(*pair, level) for level in (LEVEL, LEVEL**0.5)])
        p.append(difference_p(*pair))
        needed.append(_needed(*pair))
    (hits, sure_hits), (false, sure_false) = differences
    plain, sure = ([size_of_difference(each) for each in both] for both in ((hits, false), (sure_hits, sure_false)))
    smallest = np.minimum.reduce([each[..., of] for each in (one, other) for of in (1, 3)])
    return _Compared(
        Rates(
            np.maximum(plain[0].value, plain[1].value),
            np.maximum(sure[0].low, sure[1].low),
            np.maximum(plain[0].high, plain[1].high),
            smallest,
        ),
        np.minimum(2 * np.minimum(*p), 1),
        smallest,
        np.maximum(*needed),
        (hits, false),
        _of_both(sure_hits, sure_false),
    )


def _of_both(one: Rates, other: Rates) -> Rates:
    """Return the mean size of two signed rates of independent faces, the larger of what their sum and difference come to.

    The sum is what moves decisions the same way whatever the label, the difference what makes errors of both kinds commoner.
    """
    below, above = one.value - one.low, one.high - one.value
    ends = []
    for sign, low, high in (
        (1, other.value - other.low, other.high - other.value),
        (-1, other.high - other.value, other.value - other.low),
    ):
        middle = (one.value + sign * other.value) / 2
        ends.append(
            size_of_difference(
                Rates(middle, middle - np.hypot(below, low) / 2, middle + np.hypot(above, high) / 2, one.n)
            )
        )
    return Rates(*(np.fmax(*pair) for pair in zip(*ends, strict=True)))


def _difference(hits: tuple[Numbers, Numbers], n: tuple[Numbers, Numbers], level: float) -> Rates:
    return difference_of(*(rates_of(each, of, level) for each, of in zip(hits, n, strict=True)))


def _needed(hits: tuple[Numbers, Numbers], n: tuple[Numbers, Numbers]) -> Numbers:
    """Return how many faces the smaller of two cells needs, at the larger one's rate and as many times its faces."""
    larger = n[0] > n[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = np.where(larger, hits[0], hits[1]) / np.maximum(*n)
        times = np.maximum(*n) / np.minimum(*n)
    return faces_needed(rate, np.minimum(times, _MOST_TIMES), MARGIN, LEVEL)


def _as_columns(found: _Compared) -> dict[str, Any]:
    columns = {
        "value": found.size.value,
        "low": found.size.low,
        "high": found.size.high,
        "n": found.smallest,
        "needed": found.needed,
        "p": found.p,
        **_as_own(found.both),
    }
    for name, rates in zip(("true_positive", "false_positive"), found.by_rate, strict=True):
        columns |= {f"{name}_difference": rates.value, f"{name}_low": rates.low, f"{name}_high": rates.high}
    return columns


def _worst(one: Counts, other: Counts) -> dict[str, Any]:
    """Return the cell of each row that is most often judged wrongly; cells without faces are none."""
    right = np.stack([one[:, 0], other[:, 0], one[:, 3] - one[:, 2], other[:, 3] - other[:, 2]], axis=1)
    faces = np.stack([one[:, 1], other[:, 1], one[:, 3], other[:, 3]], axis=1)
    rates = rates_of(right, faces)
    rows, place = np.arange(len(one)), np.where(np.isnan(rates.value), 2.0, rates.value).argmin(axis=1)
    worst = rates.at((rows, place))
    names = np.array(WORST_CELLS)[place]
    return {
        "worst_cell": names,
        "worst_value": worst.value,
        "worst_low": worst.low,
        "worst_high": worst.high,
        "worst_n": worst.n,
    }


def _selected(one: Counts, other: Counts) -> dict[str, Any]:
    """Return the lower of two rates of "yes" over the higher."""
    rates = [rates_of(each[:, 0] + each[:, 2], each[:, 1] + each[:, 3]) for each in (one, other)]
    lower = rates[0].value <= rates[1].value
    forward, backward = ratio_of(*rates), ratio_of(*reversed(rates))
    value, low, high = (np.where(lower, first, second) for first, second in zip(forward[:3], backward[:3], strict=True))
    return {"selection_ratio": value, "selection_low": low, "selection_high": np.minimum(high, 1)}


def _judged(table: pd.DataFrame, fewest: int) -> pd.DataFrame:
    """Adjust the p-values, say what can be said, and put the most certain first."""
    from scipy.stats import false_discovery_control

    enough = (table["n"] >= fewest) & table["p"].notna()
    adjusted = np.full(len(table), np.nan)
    if enough.any():
        adjusted[enough] = false_discovery_control(table.loc[enough, "p"])
    verdict = np.select(
        [enough & (adjusted <= 1 - LEVEL), enough & (table["high"] <= MARGIN)], [DIFFERS, ALIKE], CANNOT_SAY
    )
    counts = {"n": "int64", "missing": "int64", "worst_n": "int64"}
    rows = table.assign(adjusted_p=adjusted, verdict=verdict).astype(counts)
    keys = [rows["adjusted_p"], -rows["low"].fillna(0), -rows["own_low"].fillna(0), verdict != DIFFERS, ~enough]
    order = np.lexsort(keys)
    return rows.iloc[order].reset_index(drop=True)[list(SCAN_COLUMNS)]
