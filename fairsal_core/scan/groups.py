"""Groups: values of one or more protected attributes, crossed, and every rate of decisions by group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset
from fairsal_core.metrics import (
    GROUP_RATES,
    LEAST_SHARE,
    SELECTION_RATE,
    Rates,
    Spread,
    cross,
    group_rates,
    impact_ratios,
    large_enough,
    spread_of,
    tally,
)
from fairsal_core.scan.subjects import Judged

AS_THEY_ARE, EQUAL = "natural", "equal"
VIEWS = (AS_THEY_ARE, EQUAL)
UNKNOWN = "unknown"
IMPACT_RATIO = "impact_ratio"
GROUP_COLUMNS = ("group", "metric", "value", "low", "high", "n", "counted")
FEWEST_IN_GROUP = 10
"""Faces of a group, below which no verdict rests on it, however large their share is."""


@dataclass(frozen=True)
class Groups:
    """The rates of each group, and how far apart groups are.

    Attributes
    ----------
    table : DataFrame
        GROUP_COLUMNS, one row a group and metric. Among them is the impact ratio, the selection rate over that of the most
        selected. `counted` says whether verdicts rest on the group.
    spreads : mapping
        Metric -> `Spread` of the counted groups.
    sizes : Series
        Faces of each group.
    left_out : tuple of str
        Groups too small to count.
    view : str
        "natural": as the faces are. "equal": the two labels of the target weigh the same in each group.
    """

    table: pd.DataFrame
    spreads: Mapping[str, Spread]
    sizes: pd.Series
    left_out: tuple[str, ...]
    view: str

    @property
    def left_out_note(self) -> str:
        """Which groups were left out of verdicts, and how many faces they have, in a sentence; empty if none was."""
        if not self.left_out:
            return ""
        faces = int(self.sizes[list(self.left_out)].sum())
        return (
            f"{len(self.left_out)} of {len(self.sizes)} groups, with {faces:,} of {int(self.sizes.sum()):,} faces, are too small "
            f"for a verdict: {', '.join(self.left_out)}."
        )


def groups_of(
    judged: Judged,
    faces: FaceDataset,
    protected: Sequence[str],
    view: str = AS_THEY_ARE,
    least_share: float = LEAST_SHARE,
    fewest: int = FEWEST_IN_GROUP,
) -> Groups:
    """Return every rate of decisions by group.

    Parameters
    ----------
    judged : Judged
        What was said of which faces.
    faces : FaceDataset
        The set that they are of.
    protected : sequence of str
        One or more attributes of two or more values each, which are crossed. A face whose label is missing is of the group
        "unknown".
    view : "natural" or "equal"
        As the faces are, or with both labels of the target weighing the same in every group: selection rate and accuracy
        depend on it.
    least_share, fewest
        Of all faces, and faces, below which a group is left out of the spreads, and named.

    Raises
    ------
    FairsalError
        If no attribute is given or one is not there.
    """
    if not protected:
        raise FairsalError("Groups need one protected attribute at least.")
    if view not in VIEWS:
        raise FairsalError(f"Groups are seen {' or '.join(VIEWS)}, not '{view}'.")
    own = faces.take(faces.names.get_indexer(judged.faces))
    kinds = [own.classes(each) for each in protected]
    crossing = cross([codes for codes, _ in kinds])
    names = [_name(classes, protected, [each for _, each in kinds]) for classes in crossing.classes]
    found = tally(judged.yes, judged.has, crossing.numbers, len(names))
    share = 0.5 if view == EQUAL else None
    counted = large_enough(found.faces, least_share, fewest)
    rates = group_rates(found, share)

    def of(metric: str, level: float) -> Rates:
        return group_rates(found, share, level)[metric]

    tables = {**rates, IMPACT_RATIO: impact_ratios(partial(of, SELECTION_RATE), counted)}
    table = pd.concat([_rows(names, metric, each, counted) for metric, each in tables.items()], ignore_index=True)
    spreads = {metric: spread_of(partial(of, metric), counted) for metric in GROUP_RATES}
    left_out = tuple(name for name, kept in zip(names, counted, strict=True) if not kept)
    return Groups(table, spreads, pd.Series(found.faces.astype(int), index=names), left_out, view)


def _name(classes: NDArray[np.int64], protected: Sequence[str], known: Sequence[tuple[str, ...]]) -> str:
    """Return what to call a group, e.g. "Male, race=Black" or "race unknown"."""
    parts = []
    for number, attribute, names in zip(classes, protected, known, strict=True):
        named = f"{attribute} {UNKNOWN}" if number < 0 else names[number]
        own = number < 0 or attribute in named
        parts.append(named if own else f"{attribute}={named}")
    return ", ".join(parts)


def _rows(names: list[str], metric: str, rates: Rates, counted: NDArray[np.bool_]) -> pd.DataFrame:
    values = {"value": rates.value, "low": rates.low, "high": rates.high, "n": rates.n.astype(int)}
    return pd.DataFrame({"group": names, "metric": metric, **values, "counted": counted})[list(GROUP_COLUMNS)]
