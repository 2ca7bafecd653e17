"""Whether clusters find a confounder that no column names: `python -m benchmarks.scan_clusters [--draws 3] [--data demo] [--json]`.

A `three_conv` is trained on drawn faces whose labels of Male go with another attribute (0 / 600 / 400 / 200, phi -0.71), for each
of several attributes. Held-out faces of all four cells are explained by LRP: those that it calls "yes", and those that it calls
"no", each for what it called them. Their relevance maps, and the features before the last layer weighted by their relevance,
are clustered with the confounder's column withheld. Told of the top cluster, the one whose errors are most surely commoner than the
rest's: which share of it is alike in the confounder (purity, at least 0.8 wanted), how common that is among all faces that were
clustered, and the difference in errors. At the end the same of the surer of a draw's two, over all draws.
"""

import argparse
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from fairsal_core.classifiers import ClassifierTraining, TrainingTask, predict_scores, train_classifier
from fairsal_core.faces import CellCounts, FaceDataset, balanced_test, biased_subset, load_faces
from fairsal_core.mitigation import relevance_of_features
from fairsal_core.saliency import explain
from fairsal_core.scan import Clusters, cluster_table, clusters_of, clusters_of_features

TARGET = "Male"
CONFOUNDERS = ("Eyeglasses", "Wearing_Hat", "Blond_Hair", "Wearing_Necktie")
COUNTS = CellCounts(target_with=0, target_without=600, other_with=400, other_without=200)
PER_CELL = 75
WANTED = 0.8  # purity


def trained(faces: FaceDataset, confounder: str, seed: int, epochs: int) -> nn.Module:
    subset = biased_subset(faces, TARGET, confounder, COUNTS, seed=seed)
    task = TrainingTask(np.asarray(subset.images), subset.labels(TARGET), seed)
    return train_classifier(task, ClassifierTraining(epochs=epochs), torch.device("cpu"))


def outcomes(faces: FaceDataset, confounder: str, seed: int, epochs: int) -> Iterator[dict[str, Any]]:
    """Give what the top clusters are, of each predicted class and each kind of vector."""
    network = trained(faces, confounder, seed, epochs)
    test = balanced_test(faces, TARGET, confounder, PER_CELL, seed=seed)
    images, has = np.asarray(test.images), test.labels(TARGET)
    yes = predict_scores(network, images) > 0.5
    columns = test.attributes.drop(columns=[TARGET, confounder])
    for said in (True, False):
        rows = np.flatnonzero(yes == said)
        relevance = explain(network, images[rows], int(said)).relevance
        found = {
            "maps": clusters_of(relevance),
            "features": clusters_of_features(relevance_of_features(network, images[rows])),
        }
        for kind, clusters in found.items():
            table = cluster_table(clusters, (yes != has)[rows].astype(np.float64), columns.iloc[rows])
            yield {
                "confounder": confounder,
                "seed": seed,
                "said": "yes" if said else "no",
                "of": kind,
                "faces": len(rows),
                "clusters": clusters.count,
                **top(clusters, table, test.labels(confounder)[rows]),
            }


def top(clusters: Clusters, table: pd.DataFrame, confounder: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the purity of the cluster whose errors are most surely commoner than those of the rest."""
    row = table.iloc[int(table["low"].to_numpy().argmax())]
    inside = confounder[clusters.labels == row["cluster"]]
    alike = inside.mean() >= 0.5
    return {
        "size": len(inside),
        "purity": round(float((inside == alike).mean()), 2),
        "common": round(float((confounder == alike).mean()), 2),
        "low": float(row["low"]),
        "difference": f"{row['difference']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]",
        "enriched": row["enriched"],
    }


def tops(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return, for each confounder and kind of vector, how pure the draws' top clusters are, of both predicted classes."""
    table = pd.DataFrame(rows)
    surest = table.loc[table.groupby(["confounder", "seed", "of"])["low"].idxmax()]
    found = surest.groupby(["of", "confounder"])["purity"].agg(
        draws="size", mean="mean", least="min", reached=lambda purity: int((purity >= WANTED).sum())
    )
    return found.round(2).reset_index()


def main() -> None:
    parser = argparse.ArgumentParser(description="Cluster maps of classifiers whose confounder no column names.")
    parser.add_argument("--draws", type=int, default=3, help="trainings of each confounder")
    parser.add_argument("--data", default="demo", help="faces")
    parser.add_argument("--epochs", type=int, default=6, help="of training")
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of a table")
    options = parser.parse_args()
    faces = load_faces(options.data)
    rows = [
        row
        for name in CONFOUNDERS
        for seed in range(options.draws)
        for row in outcomes(faces, name, seed, options.epochs)
    ]
    found = tops(rows)
    if options.json:
        print(json.dumps({"clusters": rows, "tops": found.to_dict("records")}, indent=1))
        return
    print(pd.DataFrame(rows).drop(columns="low").to_string(index=False))
    print(found.to_string(index=False))


if __name__ == "__main__":
    main()
