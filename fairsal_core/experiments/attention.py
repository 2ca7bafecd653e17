"""The explain stage: the same test faces explained for every variant, and what that says about a region of interest.

`attention.parquet` holds the summaries of all explainers. Each explainer has a folder in `attention/`, named like it:
`about.json`, `faces.parquet` (every value of every face), and for the pages `maps/VARIANT.npy` (some faces' signed maps
of the first seed) and `means/VARIANT.npy` (the mean map of each cell, over seeds).

A map is kept as float16 after division by its largest magnitude, the `peak`, which is kept beside it: relative to the
peak that is exact to 1/2048, and the paper's magnitude is half of it.
"""

import hashlib
import math
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from fairsal_core.classifiers import build_classifier, load_classifier
from fairsal_core.device import pick_device
from fairsal_core.errors import FairsalError
from fairsal_core.experiments.artifacts import artifact
from fairsal_core.experiments.attention_results import (
    ATTENTION,
    FOLDER,
    KEPT_FACES,
    Maps,
    attention_table,
    magnitudes,
    measure,
    read_attention,
)
from fairsal_core.experiments.attention_settings import AttentionSettings, ExplainerChoice
from fairsal_core.experiments.config import ExperimentConfig, checked_settings, parse_config
from fairsal_core.experiments.reporting import Report
from fairsal_core.experiments.results import PREDICTIONS
from fairsal_core.experiments.roi_choice import find_roi
from fairsal_core.experiments.store import load_run, run_path
from fairsal_core.faces import (
    CELLS,
    AnyRoi,
    FaceDataset,
    cell_members,
    load_faces,
    packing_key,
    roi_area,
)
from fairsal_core.files import replacing, write_json
from fairsal_core.metrics import cell_numbers, rank_correlation, summarise
from fairsal_core.progress import Progress
from fairsal_core.regions import mean_colour
from fairsal_core.saliency import ExplainerSettings, explain
from fairsal_core.tensors import IMAGENET_MEAN

SANITY_FACES = 32  # as good as all for a mean, and cheap even for occlusion
_SANITY_SEED = 0


class ExplainConfig(AttentionSettings):
    """A later explanation of a finished run."""

    run: str
    device: str = "auto"


def run_job(config: dict[str, Any], run: Path, report: Report) -> None:
    """Explain the finished run that the config names: the entry point of the worker."""
    explain_finished(checked_settings(ExplainConfig, config), report)


def explain_finished(settings: ExplainConfig, report: Report) -> None:
    """Explain the stored classifiers of a finished run, and add the results to its directory.

    Raises
    ------
    FairsalError
        If there is no such run, it has no classifiers, or its faces are gone.
    """
    run = load_run(run_path(settings.run))
    if run.kind != "experiment" or run.status.state != "finished":
        raise FairsalError(f"{settings.run} is no finished experiment: it is {run.status.state}, of kind {run.kind}.")
    config = parse_config(dict(run.config))
    report.stage("faces", share=0.05)
    faces = load_faces(config.data, report)
    try:
        predictions = pd.read_parquet(run.path / PREDICTIONS, columns=["variant", "face"])
    except (OSError, ValueError) as error:
        raise FairsalError(f"The predictions of run {run.id} cannot be read ({str(error)[:120]}).") from error
    rows = faces.names.get_indexer(pd.Index(predictions["face"].unique()))
    if (rows < 0).any():
        raise FairsalError(f"{int((rows < 0).sum())} test faces of run {run.id} are no longer in {config.data}.")
    variants = list(dict.fromkeys(predictions["variant"]))
    explain_variants(config, settings, faces.take(rows), variants, run.path, pick_device(settings.device), report, 0.95)


def explain_variants(
    config: ExperimentConfig,
    settings: AttentionSettings,
    test: FaceDataset,
    variants: Sequence[str],
    run: Path,
    device: torch.device,
    report: Report,
    share: float,
) -> None:
    """Explain the stored classifiers of a run directory with every explainer asked for.

    Parameters
    ----------
    config : ExperimentConfig
        What the run trained: target, confounder, seeds, architecture.
    settings : AttentionSettings
        Explainers, faces, region.
    test : FaceDataset
        The faces that the run was judged on; equally many of each cell are explained.
    variants : sequence of str
        Names, each original before those that are compared with it. One without stored weights is passed over: its
        classifier is another variant's.
    run : Path
        Its directory.
    device, report, share
        Where to compute; progress, and how much of the whole job this is.
    """
    faces = _equal_cells(test, config.target, config.confounder, settings.explained_faces)
    stored = [variant for variant in variants if _weights(run, variant, config.seeds[0]).is_file()]
    if not stored:
        raise FairsalError(f"Run {run.name} has no stored classifiers to explain.")
    used, roi = find_roi(settings.roi, run, config.confounder, faces)
    for choice in settings.explainers:
        report.stage(f"explain with {choice.name}", share=share / len(settings.explainers))
        with _replacing_folder(run / FOLDER / choice.name) as folder:
            values = _explain_all(config, settings, choice, faces, stored, run, roi, device, report, folder)
            about = {
                "explainer": choice.name,
                "method": choice.method,
                "settings": choice.settings.model_dump(mode="json"),
                "roi": settings.roi.name,
                "roi_used": used.name if used else None,
                "roi_area": roi_area(roi, faces.images.shape[1:3]) if roi else None,
                "magnitude": settings.magnitude,
                "faces": len(faces),
                "variants": stored,
                "originals": {variant: config.original_of(variant) for variant in stored},
                "seeds": list(config.seeds),
                "maps_of_seed": config.seeds[0],
                "sanity": _sanity(config, choice, faces, stored[0], folder, device, report),
            }
            write_json(folder / "about.json", about)
            values.to_parquet(folder / "faces.parquet", index=False)
        _add_rows(run, choice.name, attention_table(values, config.target, config.confounder, choice.name, used))


def _explain_all(
    config: ExperimentConfig,
    settings: AttentionSettings,
    choice: ExplainerChoice,
    faces: FaceDataset,
    variants: Sequence[str],
    run: Path,
    roi: AnyRoi | None,
    device: torch.device,
    report: Report,
    folder: Path,
) -> pd.DataFrame:
    """Explain all variants and seeds with one explainer, write the maps, and return the values of every face."""
    (folder / "maps").mkdir()
    (folder / "means").mkdir()
    targets, confounders = faces.labels(config.target), faces.labels(config.confounder)
    cells = cell_numbers(targets, confounders)
    about = {"face": faces.names.to_numpy(), "target": targets, "confounder": confounders}
    explainer = _with_colour(choice.settings, faces)
    means = {variant: np.zeros((len(CELLS), *faces.images.shape[1:3]), dtype=np.float64) for variant in variants}
    tables: list[pd.DataFrame] = []
    total = len(config.seeds) * len(variants)
    for seed in config.seeds:
        originals: dict[str, NDArray[np.floating[Any]]] = {}
        for variant in variants:
            progress = _part(report, len(tables), total, f"{variant}, seed {seed}")
            weights = _weights(run, variant, seed)
            maps, numbers = _relevance(config, choice.method, explainer, weights, faces, targets, device, progress)
            after = magnitudes(maps, numbers["peak"].to_numpy(), settings.magnitude)
            original = config.original_of(variant)
            measured = measure(originals.get(original), after, roi) if roi else {}
            if variant == original:
                originals[variant] = after
            tables.append(pd.DataFrame({"variant": variant, "seed": seed, **about, **numbers, **measured}))
            for cell in range(len(CELLS)):
                means[variant][cell] += maps[cells == cell].mean(axis=0, dtype=np.float64) / len(config.seeds)
            if seed == config.seeds[0]:
                np.save(folder / "maps" / f"{variant}.npy", maps[:KEPT_FACES])
    for variant, mean in means.items():
        np.save(folder / "means" / f"{variant}.npy", mean.astype(np.float32))
    return pd.concat(tables, ignore_index=True)


def _relevance(
    config: ExperimentConfig,
    method: str,
    settings: ExplainerSettings,
    weights: Path,
    faces: FaceDataset,
    labels: NDArray[np.bool_],
    device: torch.device,
    progress: Progress,
) -> tuple[Maps, pd.DataFrame]:
    """Return the scaled maps (N, H, W) of a stored classifier, and each face's `peak` and diagnostics.

    Explained is the logit of each face's annotated label, for all variants alike.
    """

    def load() -> nn.Module:
        return load_classifier(config.training.classifier, weights)

    key = {"weights": hashlib.sha256(weights.read_bytes()).hexdigest()}
    return _explained(config, method, settings, key, load, faces, labels, device, progress)


def _explained(
    config: ExperimentConfig,
    method: str,
    settings: ExplainerSettings,
    weights: dict[str, Any],
    load: Callable[[], nn.Module],
    faces: FaceDataset,
    labels: NDArray[np.bool_],
    device: torch.device,
    progress: Progress,
) -> tuple[Maps, pd.DataFrame]:
    """Return what `_relevance` does for the classifier that `load` gives; `weights` tells it from others."""

    def build(folder: Path) -> None:
        explanation = explain(load().to(device), faces.images, labels.astype(int), method, settings, progress)
        peaks = np.abs(explanation.relevance).max(axis=(1, 2))
        scaled = explanation.relevance / np.where(peaks > 0, peaks, 1)[:, None, None]
        np.save(folder / "maps.npy", scaled.astype(np.float16))
        numbers = pd.DataFrame({"peak": peaks, **explanation.diagnostics})
        numbers.to_parquet(folder / "numbers.parquet", index=False)

    key = {
        **weights,
        "classifier": config.training.classifier,
        "faces": packing_key(faces),
        "names": faces.names.tolist(),
        "target": config.target,
        "method": method,
        "settings": settings.model_dump(mode="json"),
        "device": device.type,
    }
    folder = artifact("relevance", key, build)
    progress(1, 1)
    return np.load(folder / "maps.npy"), pd.read_parquet(folder / "numbers.parquet")


def _sanity(
    config: ExperimentConfig,
    choice: ExplainerChoice,
    faces: FaceDataset,
    variant: str,
    folder: Path,
    device: torch.device,
    report: Report,
) -> dict[str, Any]:
    """Compare the kept maps of a variant with those of the same network with random weights (Adebayo et al. 2018)."""
    few = faces.take(np.arange(min(SANITY_FACES, len(faces))))

    def load() -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(_SANITY_SEED)
            return build_classifier(config.training.classifier).eval()

    def progress(done: float, total: float, message: str = "") -> None:
        report(1, 1, "Explaining with random weights")

    random, _ = _explained(
        config,
        choice.method,
        _with_colour(choice.settings, faces),
        {"random_weights": _SANITY_SEED},
        load,
        few,
        few.labels(config.target),
        device,
        progress,
    )
    learned = np.load(folder / "maps" / f"{variant}.npy")[: len(few)]
    values = rank_correlation(*(np.abs(maps.astype(np.float32)) for maps in (learned, random)))
    summary = summarise(values)
    numbers = {"correlation": summary.mean, "low": summary.interval.low, "high": summary.interval.high}
    return {
        "variant": variant,
        "seed": config.seeds[0],
        **{name: number if math.isfinite(number) else None for name, number in numbers.items()},
        "n": summary.n,
    }


def _equal_cells(test: FaceDataset, target: str, confounder: str, count: int) -> FaceDataset:
    """Return the first faces of each cell, equally many, cell by cell in turn: any beginning of them is balanced too."""
    members = cell_members(test, target, confounder)
    per_cell = min(max(1, count // len(CELLS)), *(len(members[cell]) for cell in CELLS))
    return test.take(np.stack([members[cell][:per_cell] for cell in CELLS], axis=1).ravel())


def _with_colour(settings: ExplainerSettings, faces: FaceDataset) -> ExplainerSettings:
    """Put the faces' mean colour in the place of ImageNet's, for explainers that paint with one."""
    if getattr(settings, "colour", None) != IMAGENET_MEAN:
        return settings
    red, green, blue = (round(value, 4) for value in mean_colour(faces.images))
    return settings.model_copy(update={"colour": (red, green, blue)})


def _weights(run: Path, variant: str, seed: int) -> Path:
    return run / "weights" / f"{variant}-seed{seed}.safetensors"


def _part(report: Report, index: int, parts: int, name: str) -> Progress:
    """Return the progress of one of several equal parts of a stage."""

    def progress(done: float, total: float, message: str = "") -> None:
        report(index + (done / total if total else 1.0), parts, f"{message or 'Explained'}: {name}")

    return progress


def _add_rows(run: Path, explainer: str, rows: pd.DataFrame) -> None:
    """Put the rows of an explainer in the place of its earlier ones."""
    before = read_attention(run)
    others = before[before["explainer"] != explainer]
    table = pd.concat([others, rows], ignore_index=True) if len(others) else rows
    with replacing(run / ATTENTION) as temporary:
        table.to_parquet(temporary, index=False)


@contextmanager
def _replacing_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder that takes the place of `path` when all went well, and is removed when not."""
    draft = path.with_name(f".{uuid.uuid4().hex}")
    draft.mkdir(parents=True)
    try:
        yield draft
        shutil.rmtree(path, ignore_errors=True)
        draft.rename(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
