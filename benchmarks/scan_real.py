"""What the scan says of classifiers of real faces: `python -m benchmarks.scan_real FOLDER [--seeds 3] [--trained] [--json]`.

FOLDER is in CelebA's layout. The classifiers are logistic regressions on the features of the bundled atlas, averaged over 4 x 4
fields; they take seconds. Each is trained on the biased subset of De Coninck et al. (2024), or as much of it as the faces allow,
for one confounder, and scanned on all faces that it was not trained on. Told is the place of the confounder's family: in the scan,
among families that do not come with the target (|phi| below 0.5), and where rows stand by the raw differences alone.

With `--trained` they are the authors' instead: `three_conv` on 6,000 faces of Male and Blond_Hair, by their 20 epochs and rates.

One more is trained on faces as they are. Its mean relevance (Integrated Gradients) is laid over the atlas's region of each
attribute, and the order is compared, by Spearman's rank correlation, with the one that Attention-IoU (Serianni et al. 2025) prints
for Male over 20 ResNet50s. The atlas has learned where attributes are from faces of the same set, labels of Male among them.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from fairsal_core.classifiers import ClassifierTraining, TrainingTask, predict_scores, train_classifier
from fairsal_core.faces import CellCounts, FaceDataset, biased_subset, feasible_scale, load_faces
from fairsal_core.regions import load_atlas
from fairsal_core.saliency import explain
from fairsal_core.scan import FEWEST_FACES, SAME_FAMILY, atlas_regions, by_family, overlaps, scan
from fairsal_core.settings import PRESETS
from fairsal_core.tensors import to_unit

CASES = (
    *(("Male", name) for name in ("Blond_Hair", "Smiling", "Wearing_Hat", "Eyeglasses")),
    *(("Smiling", name) for name in ("Blond_Hair", "Wearing_Necktie", "Wearing_Hat", "Eyeglasses")),
)
ATTENTION_IOU = {
    "Wearing_Lipstick": 0.638, "5_o_Clock_Shadow": 0.629, "No_Beard": 0.592, "Mustache": 0.516, "Heavy_Makeup": 0.510,
    "Wearing_Necktie": 0.491, "Goatee": 0.475, "Sideburns": 0.412, "Arched_Eyebrows": 0.384, "Eyeglasses": 0.374,
    "Wearing_Earrings": 0.314, "Bald": 0.294, "Pale_Skin": 0.270, "Smiling": 0.167, "Wearing_Hat": 0.135, "Blond_Hair": 0.129,
    "Straight_Hair": 0.090, "Bangs": 0.077, "Brown_Hair": 0.072, "Wavy_Hair": 0.066, "Black_Hair": 0.038,
}  # fmt: skip
"""Overlap with Male, as Attention-IoU's authors publish it."""
LEARNED, EXPLAINED = 5_000, 64
_STRENGTH = 1e-3  # of the regression's weights, the inverse of their penalty
_FIELDS, _APART = 4, 4
_BATCH = 64


class Features(nn.Module):
    """The atlas's features of patches 8 pixels apart, averaged over 4 x 4 fields."""

    def __init__(self) -> None:
        super().__init__()
        self.network = load_atlas().network.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, F) of images (N, 3, 128, 128) in [0, 1]."""
        seen = self.network.get_submodule("body")(images, _APART)
        return nn.functional.adaptive_avg_pool2d(seen, _FIELDS).flatten(1)


def features_of(faces: FaceDataset) -> NDArray[np.float32]:
    """Return the features of all faces, (N, F)."""
    network, found = Features(), []
    with torch.inference_mode():
        for start in range(0, len(faces), _BATCH):
            pixels = np.array(faces.images[start : start + _BATCH])
            found.append(network(to_unit(torch.from_numpy(pixels))).numpy())
    return np.concatenate(found)


def learned(features: NDArray[np.float32], labels: NDArray[np.bool_]) -> Any:
    regression = LogisticRegression(C=_STRENGTH, max_iter=500)
    return make_pipeline(StandardScaler(), regression).fit(features, labels)


Scorer = Callable[[FaceDataset, FaceDataset], NDArray[np.float64]]
"""Faces to learn from, faces to judge -> scores (N,) of these."""


def on_features(faces: FaceDataset, features: NDArray[np.float32], target: str) -> Scorer:
    """Return what learns a logistic regression on features of all faces."""

    def scores(subset: FaceDataset, judged: FaceDataset) -> NDArray[np.float64]:
        rows = [faces.names.get_indexer(part.names) for part in (subset, judged)]
        found: NDArray[np.float64] = learned(features[rows[0]], subset.labels(target)).predict_proba(features[rows[1]])
        return found[:, 1]

    return scores


def as_the_authors(target: str, seed: int) -> Scorer:
    """Return what trains the authors' network as they do, for 20 epochs."""
    training = ClassifierTraining.model_validate(PRESETS["paper"].settings["training"])

    def scores(subset: FaceDataset, judged: FaceDataset) -> NDArray[np.float64]:
        task = TrainingTask(np.asarray(subset.images), subset.labels(target), seed)
        return predict_scores(train_classifier(task, training, torch.device("cpu")), judged.images)

    return scores


def biased(faces: FaceDataset, scorer: Scorer, target: str, confounder: str, seed: int) -> dict[str, Any]:
    """Return where the scan of a classifier with this confounder puts it."""
    wanted = CellCounts()
    scale = feasible_scale(wanted, CellCounts.of(faces.in_split("train"), target, confounder))
    subset = biased_subset(faces, target, confounder, wanted.scaled(scale), seed=seed)
    judged = faces.take(np.flatnonzero(~faces.names.isin(subset.names)))
    scores = scorer(subset, judged)
    has = judged.labels(target)
    table = scan(scores, has, judged.attributes.drop(columns=target))
    others = table[table["with_target"].abs() < SAME_FAMILY]
    raw = table[table["n"] >= FEWEST_FACES].sort_values("low", ascending=False)
    row = table[table["attribute"] == confounder].iloc[0]
    return {
        "target": target,
        "confounder": confounder,
        "seed": seed,
        "trained on": len(subset),
        "accuracy": round(float(((scores > 0.5) == has).mean()), 3),
        "place": _place(table, confounder),
        "of those not with the target": _place(others, confounder),
        "by raw differences": _place(raw, confounder),
        "first": table["attribute"][0],
        "own": f"{row['own']:.2f} [{row['own_low']:.2f}, {row['own_high']:.2f}]",
        "verdict": row["verdict"],
    }


def _place(table: pd.DataFrame, name: str) -> int:
    return 1 + [name in set(family["attribute"]) for family in by_family(table)].index(True)


def attention(faces: FaceDataset, features: NDArray[np.float32]) -> dict[str, Any]:
    """Return how a classifier of Male ranks attributes by overlap, against Attention-IoU's order."""
    chosen = np.random.default_rng(0).permutation(np.flatnonzero((faces.split == "train").to_numpy()))[:LEARNED]
    pipeline = learned(features[chosen], faces.take(chosen).labels("Male"))
    scaler, regression = pipeline[0], pipeline[-1]
    weights = torch.from_numpy(regression.coef_[0] / scaler.scale_).float()
    last = nn.Linear(len(weights), 2)
    with torch.no_grad():
        last.weight.copy_(torch.stack([torch.zeros_like(weights), weights]))
        last.bias.copy_(
            torch.tensor(
                [0.0, float(regression.intercept_[0]) - float(weights @ torch.from_numpy(scaler.mean_).float())]
            )
        )
    held = faces.take(np.flatnonzero((faces.split != "train").to_numpy()))
    shown = held.sample(EXPLAINED, 0).images
    relevance = explain(nn.Sequential(Features(), last), shown, method="integrated_gradients").relevance
    found = overlaps(relevance, atlas_regions(load_atlas(), shown)).set_index("attribute")["overlap"]
    both = [name for name in ATTENTION_IOU if name in found.index]
    rank = spearmanr(found[both], [ATTENTION_IOU[name] for name in both])
    return {
        "attributes": len(both),
        "spearman": round(float(rank.statistic), 3),
        "p": round(float(rank.pvalue), 4),
        "ours, the most first": found[both].sort_values(ascending=False).index.tolist(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Scan classifiers of real faces with a known confounder.")
    parser.add_argument("folder", type=Path, help="faces in CelebA's layout")
    parser.add_argument("--seeds", type=int, default=3, help="subsets of each kind")
    parser.add_argument("--trained", action="store_true", help="train the authors' network instead: minutes a subset")
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of a table")
    options = parser.parse_args()
    faces = load_faces(str(options.folder))
    if options.trained:
        case = CASES[0]
        rows = [biased(faces, as_the_authors(case[0], seed), *case, seed) for seed in range(options.seeds)]
        print(json.dumps(rows, indent=1) if options.json else pd.DataFrame(rows).to_string(index=False))
        return
    features = features_of(faces)
    rows = [
        biased(faces, on_features(faces, features, case[0]), *case, seed)
        for case in CASES
        for seed in range(options.seeds)
    ]
    looked = attention(faces, features)
    if options.json:
        print(json.dumps({"biased": rows, "attention": looked}, indent=1))
        return
    print(pd.DataFrame(rows).to_string(index=False))
    print("attention of a classifier of Male:", looked)


if __name__ == "__main__":
    main()
