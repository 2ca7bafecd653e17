"""Clusters of relevance maps: planted ones are found, and what no column names is left without a name."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from fairsal_core.classifiers import build_classifier
from fairsal_core.errors import FairsalError
from fairsal_core.metrics import difference_interval
from fairsal_core.mitigation import relevance_of_features
from fairsal_core.scan import FEWEST_MAPS, cluster_table, clusters_of, clusters_of_features, enriched
from fairsal_core.tensors import to_unit


def planted(seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Maps of 150 faces that are looked at in one of three places."""
    generator = np.random.default_rng(seed)
    kinds = generator.choice(3, 150, p=[0.5, 0.3, 0.2])
    y, x = np.mgrid[:128, :128]
    centres = np.array([(30, 64), (90, 64), (64, 20)])[kinds] + generator.normal(0, 4, (150, 2))
    blobs = np.exp(-((y - centres[:, :1, None]) ** 2 + (x - centres[:, 1:, None]) ** 2) / 400)
    return blobs + 0.1 * generator.random(blobs.shape), kinds


@pytest.mark.parametrize("seed", range(3))
def test_as_many_clusters_as_were_planted_and_pure(seed: int) -> None:
    maps, kinds = planted(seed)
    found = clusters_of(maps)
    assert found.count == 3
    assert np.bincount(found.labels).tolist() == sorted(np.bincount(found.labels), reverse=True)
    purity = [
        np.bincount(kinds[found.labels == cluster]).max() / (found.labels == cluster).sum() for cluster in range(3)
    ]
    assert min(purity) > 0.95
    assert found.embedding.shape == (150, 2)
    assert (found.labels[found.nearest(1, 5)] == 1).all()


def test_features_are_clustered_by_the_size_of_their_relevance_alone() -> None:
    generator = np.random.default_rng(0)
    kinds = generator.choice(2, 120, p=[0.6, 0.4])
    relevance = np.where(np.arange(40) // 20 == kinds[:, None], 1.0, 0.1) * (1 + 0.2 * generator.random((120, 40)))
    found = clusters_of_features(relevance)
    assert found.count == 2 and (found.labels == kinds).all()
    of_another_size = -relevance * generator.uniform(1, 5, (120, 1))
    assert (clusters_of_features(of_another_size).labels == kinds).all()
    with pytest.raises(FairsalError, match="1 maps have no relevance"):
        clusters_of_features(np.vstack([relevance, np.zeros(40)]))


def test_a_cluster_is_told_by_its_errors_and_columns() -> None:
    maps, kinds = planted()
    generator = np.random.default_rng(1)
    wrong = (generator.random(150) < np.where(kinds == 1, 0.7, 0.1)).astype(float)
    attributes = pd.DataFrame({"one": kinds == 1, "noise": generator.random(150) < 0.5})
    found = clusters_of(maps)
    table = cluster_table(found, wrong, attributes)
    row = table.loc[table["difference"].idxmax()]
    inside = found.labels == row["cluster"]
    assert (row["low"], row["high"]) == pytest.approx(
        difference_interval(int(wrong[inside].sum()), inside.sum(), int(wrong[~inside].sum()), (~inside).sum())
    )
    assert row["low"] > 0 and row["enriched"] == "one"
    assert cluster_table(found, wrong, attributes[["noise"]])["enriched"].eq("").all()
    assert enriched(inside, attributes)["attribute"].tolist() == ["one"]


@pytest.mark.parametrize(
    ("maps", "said"),
    [(np.ones((FEWEST_MAPS - 1, 128, 128)), "there are 19"), (np.zeros((30, 128, 128)), "30 maps have no relevance")],
)
def test_what_cannot_be_clustered_is_a_sentence(maps: NDArray[np.float64], said: str) -> None:
    with pytest.raises(FairsalError, match=said):
        clusters_of(maps)


def test_features_add_up_to_the_difference_of_the_logits() -> None:
    torch.manual_seed(0)
    network = build_classifier("three_conv").eval()
    images = np.random.default_rng(0).integers(0, 256, (5, 128, 128, 3), dtype=np.uint8)
    with torch.inference_mode():
        logits = network(to_unit(torch.from_numpy(images)))
    bias = [module for module in network.modules() if isinstance(module, torch.nn.Linear)][-1].bias
    relevance = relevance_of_features(network, images)
    assert relevance.shape == (5, 100)
    expected = (logits[:, 1] - logits[:, 0] - (bias[1] - bias[0])).detach()
    assert relevance.sum(axis=1) == pytest.approx(expected.numpy(), abs=1e-5)
