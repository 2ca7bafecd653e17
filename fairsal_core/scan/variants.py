"""Groups of a run's variants, over all seeds: what each comes to, and what changed since a reference."""

from collections.abc import Sequence

import pandas as pd

from fairsal_core.faces import FaceDataset, list_labels
from fairsal_core.metrics import Interval, difference_of_sizes
from fairsal_core.progress import Progress, silent
from fairsal_core.results import CLEAN, Compared, Number, answers, word_of
from fairsal_core.scan.groups import AS_THEY_ARE, POPULATION, GroupChanges, Groups, group_changes, groups_of
from fairsal_core.scan.keeping import KeptGroups
from fairsal_core.scan.subjects import Decided, labels_in

WORST_GROUP = "worst_group"


def labels_for(
    data: str,
    predictions: pd.DataFrame,
    confounder: str,
    protected: Sequence[str],
    view: str = AS_THEY_ARE,
    progress: Progress = silent,
) -> FaceDataset:
    """Return the faces with the attributes that groups are made of; predictions tell the confounder, where that is all.

    Raises
    ------
    FairsalError
        If other attributes are asked for, or the population that the faces are of, and the set cannot be read.
    """
    if tuple(protected) == (confounder,) and view != POPULATION:
        return labels_in(predictions, confounder, data)
    return list_labels(data, progress)


def groups_by_variant(
    predictions: pd.DataFrame,
    target: str,
    faces: FaceDataset,
    protected: Sequence[str],
    reference: str,
    view: str = AS_THEY_ARE,
) -> list[KeptGroups]:
    """Return the groups of every variant on clean faces, over all seeds, each with what changed since the reference.

    Parameters
    ----------
    predictions : DataFrame
        As in `predictions.parquet`.
    target : str
        What they predict.
    faces, protected, view
        As for `groups_of`.
    reference : str
        The variant that changes are measured from.
    """
    clean = predictions[predictions["evaluation"] == CLEAN]
    parts = {str(name): part for name, part in clean.groupby("variant", sort=False, observed=True)}
    kept = []
    for variant, part in parts.items():
        said = answers(part)
        decided = Decided.of(said, f"{variant}, seeds {', '.join(map(str, said.seeds))}", target)
        groups = groups_of(decided, faces, protected, view)
        changes = None
        if variant != reference and reference in parts:
            changes = group_changes(parts[reference], part, target, faces, protected, view)
        kept.append(KeptGroups.of(decided, groups, protected, variant=variant, reference=reference, changes=changes))
    return kept


def compare_groups(before: Groups, after: Groups, changes: GroupChanges | None) -> Compared:
    """Return the group that fares worst under a reference and under a candidate, of those that count, and what changed.

    Where it is the same group, the faces pair the two. Else their intervals are put together as if nothing did, as for the worst
    cell. Without `changes` nothing is said of a change.
    """
    first, second = (_worst(each) for each in (before, after))
    change = None
    if first and second and changes:
        moved = changes.cells[changes.cells["group"] == second.about]
        paired = Interval(float(moved["low"].iloc[0]), float(moved["high"].iloc[0]))
        apart = difference_of_sizes(
            first.value, Interval(first.low, first.high), second.value, Interval(second.low, second.high)
        )
        interval = paired if first.about == second.about else apart
        change = Number(second.value - first.value, *interval, second.n, second.about)
    fewest = int(after.cells.loc[after.cells["counted"], "n"].min()) if second else 0
    word = word_of(change, changes.seeds if changes else 0, fewest)
    return Compared(WORST_GROUP, "worst group", "higher", first, second, change, word)


def _worst(groups: Groups) -> Number | None:
    worst = groups.worst
    if worst is None:
        return None
    return Number(
        float(worst["value"]), float(worst["low"]), float(worst["high"]), int(worst["n"]), str(worst["group"])
    )
