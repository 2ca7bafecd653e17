"""What no column names: faces of one predicted class that a classifier looks at in the same way.

Relevance maps are pooled to 16 x 16, or features weighted by their relevance taken as they are, and clustered spectrally, near and
far being measured by each one's own neighbourhood, into as many clusters as the largest gap between the Laplacian's eigenvalues
says, which may be one.

References
----------
Lapuschkin et al. (2019), *Unmasking Clever Hans predictors*. Zelnik-Manor and Perona (2004), *Self-tuning spectral clustering*.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.metrics import Rates, difference_of, difference_p, rates_of
from fairsal_core.scan.columns import columns_of
from fairsal_core.scan.parts import pooled

SIDE = 16
FEWEST_MAPS = 20
"""Maps of a class, below which nothing is clustered."""
MOST_CLUSTERS = 8
MOST_MAPS = 2000
_NEIGHBOURHOOD, _FEWEST_NEIGHBOURS = 10, 7  # a tenth of the maps, which sets how far is near
CLUSTER_COLUMNS = ("cluster", "n", "error", "error_low", "error_high", "difference", "low", "high", "enriched")
ENRICHED_COLUMNS = ("attribute", "inside", "outside", "difference", "low", "high", "adjusted_p")


@dataclass(frozen=True, eq=False)
class Clusters:
    """Clusters of maps.

    Attributes
    ----------
    labels : array, (N,) int
        Cluster of each map, 0 the largest.
    embedding : array, (N, 2)
        Where to draw each map: the first two eigenvectors of the graph that are not constant.
    eigenvalues : array
        The Laplacian's smallest; their largest gap says how many clusters there are.
    distances : array, (N,)
        Of each map from the mean of its cluster.
    """

    labels: NDArray[np.int64]
    embedding: NDArray[np.float64]
    eigenvalues: NDArray[np.float64]
    distances: NDArray[np.float64]

    @property
    def count(self) -> int:
        """How many clusters there are."""
        return int(self.labels.max()) + 1

    def nearest(self, cluster: int, most: int = 8) -> NDArray[np.int64]:
        """Return the maps of a cluster that are most like its mean, the nearest first."""
        members = np.flatnonzero(self.labels == cluster)
        return members[np.argsort(self.distances[members], kind="stable")[:most]]


def clusters_of(magnitudes: NDArray[np.floating], seed: int = 0) -> Clusters:
    """Cluster the relevance maps (N, H, W) of one predicted class; H and W multiples of 16.

    Raises
    ------
    FairsalError
        If there are too few maps, too many, or one without relevance.
    """
    _check_count(len(magnitudes))
    return _clusters(pooled(magnitudes, SIDE).reshape(len(magnitudes), -1), seed)


def clusters_of_features(relevance: NDArray[np.floating], seed: int = 0) -> Clusters:
    """Cluster the faces of one predicted class by the size of each feature's relevance, (N, D), as `clusters_of` does by maps."""
    _check_count(len(relevance))
    sizes = np.abs(relevance, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return _clusters(sizes / sizes.sum(axis=1, keepdims=True), seed)


def _check_count(count: int) -> None:
    if not FEWEST_MAPS <= count <= MOST_MAPS:
        raise FairsalError(
            f"Clusters need {FEWEST_MAPS} to {MOST_MAPS:,} relevance maps of one predicted class; there are {count:,}."
        )


def _clusters(maps: NDArray[np.float64], seed: int) -> Clusters:
    """Cluster rows (N, D), at least 0, each adding up to 1."""
    count = len(maps)
    if not np.isfinite(maps).all():
        raise FairsalError(
            f"{int((~np.isfinite(maps).all(axis=1)).sum())} maps have no relevance at all; leave them out."
        )
    from scipy.sparse.csgraph import laplacian
    from scipy.spatial.distance import cdist
    from sklearn.cluster import SpectralClustering

    distances = cdist(np.sqrt(maps), np.sqrt(maps))  # Hellinger's, but for a factor
    scale = np.sort(distances, axis=1)[:, max(count // _NEIGHBOURHOOD, _FEWEST_NEIGHBOURS)]
    affinity = np.exp(-(distances**2) / np.maximum(np.outer(scale, scale), np.finfo(float).tiny))
    np.fill_diagonal(affinity, 0)
    values, vectors = np.linalg.eigh(laplacian(affinity, normed=True))
    chosen = int(np.argmax(np.diff(values[1 : MOST_CLUSTERS + 1]))) + 2
    found = SpectralClustering(chosen, affinity="precomputed", assign_labels="cluster_qr", random_state=seed).fit(
        affinity
    )
    order = np.argsort(-np.bincount(found.labels_, minlength=chosen), kind="stable")
    labels = np.argsort(order)[found.labels_].astype(np.int64)
    means = np.stack([maps[labels == cluster].mean(axis=0) for cluster in range(int(labels.max()) + 1)])
    return Clusters(labels, vectors[:, 1:3], values[: MOST_CLUSTERS + 2], np.linalg.norm(maps - means[labels], axis=1))


def cluster_table(clusters: Clusters, wrong: NDArray[np.float64], attributes: pd.DataFrame) -> pd.DataFrame:
    """Return each cluster's size, how often it is judged wrongly, against the rest, and the columns it is enriched in.

    Parameters
    ----------
    clusters : Clusters
        Of N maps.
    wrong : array, (N,)
        Whether each face is judged wrongly, or how probably.
    attributes : DataFrame, N rows
        What is known of the faces.

    Returns
    -------
    DataFrame
        CLUSTER_COLUMNS; `difference` is the cluster's error less that of the rest, `enriched` names up to three columns, or
        is empty: that no column explains a cluster is the find.
    """
    rows = []
    for cluster in range(clusters.count):
        inside = clusters.labels == cluster
        own, rest = (rates_of(wrong[part].sum(), part.sum()) for part in (inside, ~inside))
        apart = difference_of(own, rest)
        named = ", ".join(enriched(inside, attributes)["attribute"][:3])
        rows.append((cluster, int(inside.sum()), *_three(own), *_three(apart), named))
    return pd.DataFrame(rows, columns=list(CLUSTER_COLUMNS))


def enriched(inside: NDArray[np.bool_], attributes: pd.DataFrame) -> pd.DataFrame:
    """Return the attributes that are more common inside than outside, ENRICHED_COLUMNS, by how much they are.

    Of those whose adjusted p-value (Benjamini and Hochberg, over all attributes) is at most 0.05.
    """
    from scipy.stats import false_discovery_control

    columns = columns_of(attributes)
    if not columns.names:
        return pd.DataFrame(columns=list(ENRICHED_COLUMNS))
    counts = [(columns.has[part].sum(axis=0), columns.known[part].sum(axis=0)) for part in (inside, ~inside)]
    (k1, n1), (k2, n2) = counts
    own, rest = rates_of(k1, n1), rates_of(k2, n2)
    apart, p = difference_of(own, rest), difference_p((k1, k2), (n1, n2))
    table = pd.DataFrame(
        {
            "attribute": columns.names,
            "inside": own.value,
            "outside": rest.value,
            "difference": apart.value,
            "low": apart.low,
            "high": apart.high,
            "adjusted_p": false_discovery_control(np.nan_to_num(p, nan=1.0)),
        }
    )
    found = table[(table["adjusted_p"] <= 0.05) & (table["difference"] > 0)]
    return found.sort_values("difference", ascending=False, ignore_index=True)


def _three(rates: Rates) -> tuple[float, float, float]:
    return float(rates.value), float(rates.low), float(rates.high)
