"""The causal check by groups of anybody's choice: how many decisions change in each when a region is hidden."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fairsal_core.faces import FaceDataset
from fairsal_core.results import ELSEWHERE, HIDDEN_COLUMNS, REGION, changed_decisions
from fairsal_core.scan.groups import cells_of_faces


def hidden_by_group(decisions: pd.DataFrame, target: str, faces: FaceDataset, protected: Sequence[str]) -> pd.DataFrame:
    """Return which share of decisions changes when a region is hidden, by group and by cell of each group.

    Parameters
    ----------
    decisions : DataFrame
        As `read_hidden_faces` gives them.
    target : str
        What was decided.
    faces, protected
        As for `groups_of`.

    Returns
    -------
    DataFrame
        Columns HIDDEN_COLUMNS: by the confounder alone those of `read_hidden`.

    Raises
    ------
    FairsalError
        As `groups_of`.
    """
    parts = []
    for (variant, scheme), part in decisions.groupby(["variant", "scheme"], sort=False, observed=True):
        found = cells_of_faces(part.set_index("face")["target"].astype(bool), target, faces, protected)
        numbers, names = np.asarray(found.of.cat.codes, dtype=np.int64), list(found.of.cat.categories)
        groups = {
            "all": tuple(range(len(names))),
            **found.groups,
            **{name: (number,) for number, name in enumerate(names)},
        }
        before, *after = (part[column].to_numpy(dtype=float) for column in ("before", REGION, ELSEWHERE))
        table = changed_decisions(before, dict(zip((REGION, ELSEWHERE), after, strict=True)), numbers, groups)
        parts.append(table.assign(variant=str(variant), scheme=str(scheme)))
    return pd.concat(parts, ignore_index=True)[list(HIDDEN_COLUMNS)]
