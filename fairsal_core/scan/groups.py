"""Groups: values of one or more protected attributes, crossed, and every rate of decisions by group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset, group_name, side_name, with_or_without
from fairsal_core.metrics import (
    FALSE_POSITIVE_RATE,
    GROUP_RATES,
    LEAST_SHARE,
    TRUE_POSITIVE_RATE,
    GroupDecisions,
    Rates,
    Spread,
    cross,
    large_enough,
)
from fairsal_core.results import paired_answers
from fairsal_core.scan.subjects import Decided, Judged, places_of

AS_THEY_ARE, EQUAL, POPULATION = "natural", "equal", "population"
VIEWS = (AS_THEY_ARE, EQUAL, POPULATION)
UNKNOWN = "unknown"
IMPACT_RATIO = "impact_ratio"
GROUP_COLUMNS = ("group", "metric", "value", "low", "high", "n", "counted")
CELL_COLUMNS = ("group", "of", "value", "low", "high", "n", "counted")
FEWEST_IN_GROUP = 10
"""Faces of a group, below which no verdict rests on it, however large their share is."""


@dataclass(frozen=True)
class Groups:
    """The rates of each group over the seeds, and how far apart groups are.

    Attributes
    ----------
    table : DataFrame
        GROUP_COLUMNS, one row a group and metric. Among them is the impact ratio, the selection rate over that of the most
        selected. `counted` says whether verdicts rest on the group.
    cells : DataFrame
        CELL_COLUMNS, the accuracy of each group's faces with the target, and of those without. `group` is what the cell is called,
        such as "women with race=Black", `of` the group that it is of; `counted` says whether it can be named the worst.
    spreads : mapping
        Metric -> `Spread` of the counted groups.
    sizes : Series
        Faces of each group.
    left_out : tuple of str
        Groups too small to count.
    view : str
        "natural": as the faces are. "equal": the two labels of the target weigh the same in each group. "population": as common as
        among all faces of the set that could have been judged.
    """

    table: pd.DataFrame
    cells: pd.DataFrame
    spreads: Mapping[str, Spread]
    sizes: pd.Series
    left_out: tuple[str, ...]
    view: str

    @property
    def worst(self) -> pd.Series | None:
        """The counted cell with the lowest accuracy; its interval does not account for having been looked for."""
        return worst_of(self.cells)

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


@dataclass(frozen=True)
class GroupChanges:
    """What becomes of the groups from one variant to another, on the same faces and by the same seeds.

    Attributes
    ----------
    table, cells : DataFrame
        As those of `Groups`, of after minus before; without the impact ratio, whose two ends may be others after than before.
    seeds : int
        How many seeds both have.
    """

    table: pd.DataFrame
    cells: pd.DataFrame
    seeds: int


@dataclass(frozen=True)
class _Grouping:
    """Which group each face is in (N,), what each group is called, what its cells are, and the order of these."""

    numbers: NDArray[np.int64]
    names: list[str]
    phrases: list[str]
    order: list[int]

    def cells(self, target: str, has: bool) -> list[str]:
        """Return what to call each group's faces with the target, or those without."""
        return [f"{group_name(target, has)} {phrase}" for phrase in self.phrases]


def groups_of(
    judged: Judged | Decided,
    faces: FaceDataset,
    protected: Sequence[str],
    view: str = AS_THEY_ARE,
    least_share: float = LEAST_SHARE,
    fewest: int = FEWEST_IN_GROUP,
) -> Groups:
    """Return every rate of decisions by group.

    Parameters
    ----------
    judged : Judged or Decided
        What was said of which faces, by one classifier, or by those of several seeds.
    faces : FaceDataset
        The set that they are of.
    protected : sequence of str
        One or more attributes of two or more values each, which are crossed. A face whose label is missing is of the group
        "unknown".
    view : "natural", "equal" or "population"
        As the judged faces are, with both labels of the target weighing the same in every group, or each as common in a group as
        in all of the set's faces of the splits that the judged ones are of: selection rate and accuracy depend on it.
    least_share, fewest
        Of all faces, and faces, below which a group is left out of the spreads, and named.

    Raises
    ------
    FairsalError
        If no attribute is given or one is not there.
    """
    grouping, decisions = _grouped(judged, faces, protected, view)
    sizes = np.bincount(grouping.numbers, minlength=len(grouping.names)).astype(np.float64)
    counted = large_enough(sizes, least_share, fewest)
    rates = decisions.rates()
    tables = {**rates, IMPACT_RATIO: decisions.impact(counted)}
    left_out = tuple(name for name, kept in zip(grouping.names, counted, strict=True) if not kept)
    return Groups(
        _table(grouping, tables, counted),
        _cells(grouping, judged.target, rates, counted, fewest, whole=1.0),
        {metric: decisions.spread(metric, counted) for metric in GROUP_RATES},
        pd.Series(sizes.astype(int), index=grouping.names),
        left_out,
        view,
    )


def group_changes(
    before: pd.DataFrame,
    after: pd.DataFrame,
    target: str,
    faces: FaceDataset,
    protected: Sequence[str],
    view: str = AS_THEY_ARE,
    least_share: float = LEAST_SHARE,
    fewest: int = FEWEST_IN_GROUP,
) -> GroupChanges:
    """Return what becomes of every rate of each group from one variant to another, by the seeds that both have.

    Parameters
    ----------
    before, after : DataFrame
        Predictions of one variant and evaluation each, as in `predictions.parquet`.
    target : str
        What they predict.
    faces, protected, view, least_share, fewest
        As for `groups_of`.

    Raises
    ------
    FairsalError
        As `groups_of`; if the two were not judged on the same faces, or share no seed.
    """
    first, second = (Decided.of(said, "", target) for said in paired_answers(before, after))
    grouping, decisions = _grouped(first, faces, protected, view)
    _, later = _grouped(second, faces, protected, view)
    changes = decisions.changes(later)
    sizes = np.bincount(grouping.numbers, minlength=len(grouping.names)).astype(np.float64)
    counted = large_enough(sizes, least_share, fewest)
    cells = _cells(grouping, target, changes, counted, fewest, whole=0.0)
    return GroupChanges(_table(grouping, changes, counted), cells, len(first.seeds))


class Cells(NamedTuple):
    """Which cell each face is in, one of a group's two labels, and which cells each group has.

    `of` has the faces' names for an index, and for categories all cells with a face, named and ordered as `Groups.cells`;
    `groups` holds the numbers of these categories by group, named as in a phrase: "with race=Black".
    """

    of: pd.Series
    groups: dict[str, tuple[int, ...]]


def cells_of_faces(has: pd.Series, target: str, faces: FaceDataset, protected: Sequence[str]) -> Cells:
    """Return which cell each face is in.

    Parameters
    ----------
    has : Series of bool
        Whether each face has the target; the index holds their names.
    target : str
        The target's name.
    faces, protected
        As for `groups_of`.

    Raises
    ------
    FairsalError
        As `groups_of`.
    """
    labels = has.to_numpy(dtype=bool)
    told = Judged(target, target, has.index.astype(str), labels.astype(np.float64), labels)
    grouping = _grouping(faces.take(places_of(told, faces)), protected)
    names = {each: grouping.cells(target, each) for each in (True, False)}
    of = [names[each][number] for each, number in zip(labels.tolist(), grouping.numbers, strict=True)]
    found = set(of)
    order = [(names[each][group], group) for each in (True, False) for group in grouping.order]
    there = [(name, group) for name, group in order if name in found]
    cells = pd.Categorical(of, [name for name, _ in there], ordered=True)
    groups = {
        grouping.phrases[group]: tuple(number for number, (_, other) in enumerate(there) if other == group)
        for group in grouping.order
    }
    return Cells(pd.Series(cells, index=has.index, name="cell"), groups)


def worst_of(cells: pd.DataFrame) -> pd.Series | None:
    """Return the counted cell of `Groups.cells` with the lowest accuracy; None where none counts."""
    counted = cells[cells["counted"].astype(bool) & cells["value"].notna()]
    return None if counted.empty else counted.iloc[int(counted["value"].to_numpy(float).argmin())]


def _grouped(
    judged: Judged | Decided, faces: FaceDataset, protected: Sequence[str], view: str
) -> tuple[_Grouping, GroupDecisions]:
    if not protected:
        raise FairsalError("Groups need one protected attribute at least.")
    if view not in VIEWS:
        raise FairsalError(f"Groups are seen {' or '.join(VIEWS)}, not '{view}'.")
    grouping = _grouping(faces.take(places_of(judged, faces)), protected)
    yes = np.atleast_2d(np.asarray(judged.yes, dtype=np.float64))
    share = None if view == AS_THEY_ARE else 0.5 if view == EQUAL else _shares(grouping, judged, faces, protected)
    return grouping, GroupDecisions(yes, judged.has, grouping.numbers, len(grouping.names), share)


def _shares(
    grouping: _Grouping, judged: Judged | Decided, faces: FaceDataset, protected: Sequence[str]
) -> NDArray[np.float64]:
    """Return how large a share of each group has the target among all faces that could have been judged, (G,)."""
    pool = population_of(judged.faces, faces, judged.target)
    among = _grouping(pool, protected)
    shares = pd.Series(pool.labels(judged.target)).groupby(np.array(among.names)[among.numbers]).mean()
    return shares.reindex(grouping.names).to_numpy(dtype=np.float64)


def population_of(judged: pd.Index, faces: FaceDataset, target: str) -> FaceDataset:
    """Return the faces that judged ones stand for: those of the same splits of their set whose label of the target is known."""
    splits = faces.split.loc[judged].unique()
    return faces.take(np.flatnonzero(faces.split.isin(splits).to_numpy())).with_label(target)


def _grouping(faces: FaceDataset, protected: Sequence[str]) -> _Grouping:
    kinds = {each: faces.classes(each) for each in protected}
    crossing = cross([codes for codes, _ in kinds.values()])
    groups = [
        [
            _part(number, attribute, known)
            for number, (attribute, (_, known)) in zip(classes, kinds.items(), strict=True)
        ]
        for classes in crossing.classes.tolist()
    ]
    names = [", ".join(name for name, _, _ in parts) for parts in groups]
    phrases = [" and ".join(phrase for _, phrase, _ in parts) for parts in groups]
    order = sorted(range(len(groups)), key=lambda group: [place for _, _, place in groups[group]])
    return _Grouping(crossing.numbers, names, phrases, order)


def _part(number: int, attribute: str, known: tuple[str, ...]) -> tuple[str, str, int]:
    """Return what a class is called alone, e.g. "not Male" or "race=Black"; in a phrase, e.g. "without Male"; and its place."""
    if number < 0:
        return f"{attribute} {UNKNOWN}", f"with {attribute} {UNKNOWN}", len(known)
    named = known[number]
    if known == (side_name(attribute, False), side_name(attribute, True)):
        return named, with_or_without(attribute, number == 1), 1 - number
    return f"{attribute}={named}", with_or_without(attribute, named), number


def _table(grouping: _Grouping, tables: Mapping[str, Rates], counted: NDArray[np.bool_]) -> pd.DataFrame:
    rows = [
        _columns(each).assign(group=grouping.names, metric=metric, counted=counted) for metric, each in tables.items()
    ]
    return pd.concat(rows, ignore_index=True)[list(GROUP_COLUMNS)]


def _cells(
    grouping: _Grouping, target: str, rates: Mapping[str, Rates], counted: NDArray[np.bool_], fewest: int, whole: float
) -> pd.DataFrame:
    """Return the rows of the cells: right is a true positive, or no false one, of which there are `whole`: 1, of changes 0."""
    false = rates[FALSE_POSITIVE_RATE]
    right = (rates[TRUE_POSITIVE_RATE], Rates(whole - false.value, whole - false.high, whole - false.low, false.n))
    parts = []
    for has, each in zip((True, False), right, strict=True):
        named = grouping.cells(target, has)
        rows = _columns(each).assign(group=named, of=grouping.names, counted=counted & (each.n >= fewest))
        parts.append(rows.iloc[grouping.order])
    together = pd.concat(parts, ignore_index=True)[list(CELL_COLUMNS)]
    return together[together["n"] > 0].reset_index(drop=True)


def _columns(rates: Rates) -> pd.DataFrame:
    return pd.DataFrame({"value": rates.value, "low": rates.low, "high": rates.high, "n": rates.n.astype(int)})
