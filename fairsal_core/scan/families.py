"""Families of attributes that come together, such as lipstick and make-up: what differs by one differs by the others too."""

import numpy as np
from numpy.typing import NDArray

from fairsal_core.scan.columns import Columns

SAME_FAMILY = 0.5
"""The least mean |phi| between the members of two families that become one."""


def correlations_of(columns: Columns) -> NDArray[np.float64]:
    """Return phi between every two attributes, (A, A), each over the faces of which both are known; 0 where one is constant."""
    has, known = columns.has.astype(np.float64), columns.known.astype(np.float64)
    n, both = known.T @ known, has.T @ has
    first = has.T @ known  # how many have the row's, among those of which the column's is known too
    second = first.T
    with np.errstate(invalid="ignore", divide="ignore"):
        phi = (n * both - first * second) / np.sqrt((n - first) * first * (n - second) * second)
    found: NDArray[np.float64] = np.nan_to_num(phi, nan=0.0, posinf=0.0, neginf=0.0)
    return found


def families_of(columns: Columns, alike: float = SAME_FAMILY) -> NDArray[np.int64]:
    """Return the family of each attribute, (A,): average linkage on 1 - |phi|, cut where the mean |phi| falls below `alike`.

    Classes of one column are always one family.
    """
    count = len(columns.names)
    if count < 2:
        return np.zeros(count, dtype=np.int64)
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    distance = 1 - np.clip(np.abs(correlations_of(columns)), 0, 1)
    sources = np.array(columns.sources)
    distance[sources[:, None] == sources] = 0
    tree = linkage(squareform(distance, checks=False), method="average")
    return np.asarray(fcluster(tree, t=1 - alike, criterion="distance"), dtype=np.int64) - 1
