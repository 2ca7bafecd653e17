"""An experiment from faces to results, stage by stage; what a stage made before is reused."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import accumulate, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from fairsal_core.classifiers import (
    Watch,
    decisions,
    has_thresholds,
    load_classifier,
    may_stack,
    predict_scores,
    save_classifier,
)
from fairsal_core.device import pick_device
from fairsal_core.errors import FairsalError, unknown_name
from fairsal_core.experiments import processes
from fairsal_core.experiments.artifacts import artifact
from fairsal_core.experiments.attention import explain_variants
from fairsal_core.experiments.config import BALANCED, ORIGINAL, ExperimentConfig, hash_of, parse_config
from fairsal_core.experiments.mitigate import (
    MethodOutcome,
    apply_method,
    classifier_of,
    mitigation_split,
    shown_variants,
    store_classifiers,
    write_outcomes,
)
from fairsal_core.experiments.partner import has_partner, partner
from fairsal_core.experiments.reporting import Report
from fairsal_core.experiments.results import CLEAN, PREDICTIONS, RESULTS, THRESHOLD, TREATED, VALIDATION, results_table
from fairsal_core.experiments.roi_choice import check_roi
from fairsal_core.experiments.variants import (
    Experiment,
    Maps,
    Regions,
    Variant,
    images_trained,
    make_treatment,
    train_seeds_of,
    train_variant,
    with_training,
)
from fairsal_core.faces import (
    CELLS,
    DEMO,
    CellCounts,
    FaceDataset,
    balanced_counts,
    balanced_test,
    biased_subset,
    cell_name,
    load_faces,
    packing_key,
)
from fairsal_core.files import read_json, replacing, write_json
from fairsal_core.home import cache_folder
from fairsal_core.metrics import cell_numbers, gap
from fairsal_core.progress import Progress, silent
from fairsal_core.regions import (
    RegionClassifier,
    RegionTraining,
    bundled_attributes,
    bundled_path,
    heard,
    mean_colour,
    mean_map,
    stream_maps,
    tell,
    train_region_classifier,
)
from fairsal_core.versions import versions

_SPLIT_SEED = 0  # of the test set, so that all seeds are judged on the same faces
_VALIDATION_PER_CELL = 200
# What a face costs in an epoch of a region classifier and in a map, beside one in an epoch of `three_conv`, on a CPU.
_REGION_WORK = _MAP_WORK = 3.5
_WATCHED_PER_CELL = 16  # between epochs: enough to see a cell fall behind, in a twentieth of a second

Judged = dict[str, pd.DataFrame]  # predictions of one classifier: file of the run directory -> table


def run_job(config: dict[str, Any], run: Path, report: Report) -> None:
    """Run the experiment that a run directory's config describes: the entry point of the worker."""
    run_experiment(parse_config(config), run, report)


def run_experiment(config: ExperimentConfig, run: Path, report: Report) -> None:
    """Train and evaluate every variant for every seed, and write the results into the run directory.

    Writes `versions.json`, `subsets.json`, `mitigation.json`, `weights/VARIANT-seedN.safetensors`, `mean_map.npy`,
    `attention/` and `attention.parquet`, `predictions.parquet`, the same of the other held-out split as
    `validation.parquet` if there are quantiles or mitigation methods to choose between, and, last, `results.parquet`.
    """
    device = pick_device(config.device)
    report.stage("faces", share=0.08)
    faces = load_faces(config.data, report)
    variants = plan_variants(config, faces)
    test = balanced_test(
        faces, config.target, config.confounder, config.test_per_cell, split=config.test_split, seed=_SPLIT_SEED
    )
    validation = find_validation(config, faces)
    write_json(run / "versions.json", versions())
    write_json(run / "subsets.json", _describe_subsets(config, faces, variants, test))

    explaining = 0.05 * bool(config.attention.explainers)
    images = images_trained(config, variants)
    shares = share_out(config, variants, 0.9 - explaining, has_partner(images, device.type))
    report.stage("region classifier", share=shares.regions)
    experiment = set_up(config, faces, validation, device, report)
    judge_on = {PREDICTIONS: test}
    if validation is not None and (config.several_quantiles or config.mitigation):
        judge_on[VALIDATION] = validation

    maps: dict[int, Maps | None] = {}
    if may_stack(config.training, device) and len(config.seeds) > 1:
        maps = {seed: maps_of(experiment, seed, shares.maps) for seed in config.seeds}
        shares = _train_at_once(experiment, variants, maps, shares)
    judged: list[Judged] = []
    with partner(run, images, device.type) as call_partner:
        for seed in config.seeds:
            if seed not in maps:
                maps[seed] = maps_of(experiment, seed, shares.maps)
            for variant in variants:
                report.stage(f"{variant.name}, seed {seed}", share=shares.trainings.get((seed, variant.name), 0.0))
                classifier = train_variant(experiment, variant, seed, maps[seed], call_partner)
                save_classifier(classifier, _weights(run, variant, seed))
                judged.append(_judge(experiment, variant, seed, classifier, maps[seed], judge_on))
    if first := maps[config.seeds[0]]:
        np.save(run / "mean_map.npy", first.mean)

    shown: list[str] = []
    if config.mitigation:
        assert validation is not None  # plan_variants has seen to it
        outcomes, mitigated = _mitigate(experiment, variants[0], validation, maps, judge_on, run, shares.method)
        shown = shown_variants(outcomes)
        judged += [tables for outcome, tables in zip(outcomes, mitigated, strict=True) if outcome.variant in shown]
    if explaining:
        names = [*(variant.name for variant in variants), *shown]
        explain_variants(config, config.attention, test, names, run, device, report, explaining)

    report.stage("results", share=1.0)  # all that is left
    predictions = {name: pd.concat([tables[name] for tables in judged], ignore_index=True) for name in judge_on}
    for name, table in predictions.items():
        write_parquet(table, run / name)
    write_parquet(results_table(predictions[PREDICTIONS], config.target, config.confounder), run / RESULTS)
    report(1, 1, "Done")


def set_up(
    config: ExperimentConfig,
    faces: FaceDataset,
    validation: FaceDataset | None,
    device: torch.device,
    report: Report,
) -> Experiment:
    """Return what an experiment's trainings share; its region classifier is trained first where it needs one."""
    regions = find_regions(config, faces, device, report) if config.schemes else None
    watch = watch_cells(config, validation) if validation else None
    return Experiment(config, faces, regions, device, report, watch)


def _train_at_once(
    experiment: Experiment, variants: list[Variant], maps: dict[int, Maps | None], shares: "Shares"
) -> "Shares":
    """Train all seeds of each variant where that is faster; return the shares without those of what it trained."""
    left = dict(shares.trainings)
    for variant in with_training(variants):
        own = [(seed, variant.name) for seed in experiment.config.seeds]
        if train_seeds_of(experiment, variant, maps, sum(left[key] for key in own)):
            left |= dict.fromkeys(own, 0.0)
    return shares._replace(trainings=left)


def _mitigate(
    experiment: Experiment,
    original: Variant,
    validation: FaceDataset,
    maps: dict[int, Maps | None],
    judge_on: dict[str, FaceDataset],
    run: Path,
    share: float,
) -> tuple[list[MethodOutcome], list[Judged]]:
    """Apply every method to the original of every seed; each is a `share` of the progress. Return what came of them."""
    config, faces, device = experiment.config, experiment.faces, experiment.device
    outcomes, judged = [], []
    for seed, choice in product(config.seeds, config.mitigation):
        experiment.report.stage(f"{choice.name}, seed {seed}", share=share)
        weights = _weights(run, original, seed)
        fit = mitigation_split(config, faces, seed)
        outcome = apply_method(config, choice, seed, weights, fit, validation, device, experiment.report)
        classifier = load_classifier(config.training.classifier, classifier_of(outcome, weights)).to(device)
        variant = replace(original, name=choice.name)
        outcomes.append(outcome)
        judged.append(_judge(experiment, variant, seed, classifier, maps[seed], judge_on))
    fit_counts = CellCounts.of(mitigation_split(config, faces, config.seeds[0]), config.target, config.confounder)
    write_outcomes(run, outcomes, {"fit": fit_counts.model_dump(), "validation": len(validation)})
    store_classifiers(run, outcomes, {seed: _weights(run, original, seed) for seed in config.seeds})
    return outcomes, judged


class Shares(NamedTuple):
    """How much of a run's progress (0 to 1) the region classifier is, a seed's maps, each training, a mitigation method.

    A training is found by its seed and variant; one that the partner does, or that a longer one passes, is none.
    """

    regions: float
    maps: float
    trainings: dict[tuple[int, str], float]
    method: float


def share_out(config: ExperimentConfig, variants: list[Variant], whole: float, has_partner: bool) -> Shares:
    """Share out the progress (0 to 1) that an experiment's stages make together, by the work in them."""
    work = {
        (seed, variant.name): variant.counts.total * variant.training.epochs
        for seed in config.seeds
        for variant in with_training(variants)
    }
    method = sum(work.values()) / len(work)
    if has_partner:
        before = accumulate(work.values(), initial=0)
        half = sum(work.values()) / 2
        work = {key: images for (key, images), done in zip(work.items(), before, strict=False) if done < half}
    regions = _REGION_WORK * config.regions.images * config.regions.epochs if _needs_regions(config) else 0.0
    maps = _MAP_WORK * config.counts.total if config.schemes else 0.0
    total = regions + sum(work.values()) + len(config.seeds) * (maps + len(config.mitigation) * method)
    return Shares(
        regions=whole * regions / total,
        maps=whole * maps / total,
        trainings={key: whole * images / total for key, images in work.items()},
        method=whole * method / total,
    )


def maps_of(experiment: Experiment, seed: int, share: float) -> Maps | None:
    """Return the region maps of a seed's biased subset, a `share` of the progress; None without a region classifier."""
    config, faces = experiment.config, experiment.faces
    experiment.report.stage(f"attribution maps, seed {seed}", share=share)
    if experiment.regions is None:
        return None
    biased = biased_subset(faces, config.target, config.confounder, config.counts, seed=seed)
    return make_maps(experiment.regions, biased, config.measure, faces, experiment.report)


def _weights(run: Path, variant: Variant, seed: int) -> Path:
    return run / "weights" / f"{variant.name}-seed{seed}.safetensors"


def find_validation(config: ExperimentConfig, faces: FaceDataset) -> FaceDataset | None:
    """Return equal cells of the held-out split that is not tested on, or None where a cell has no face."""
    split = "val" if config.test_split == "test" else "test"
    rarest = min(CellCounts.of(faces.in_split(split), config.target, config.confounder)[cell] for cell in CELLS)
    if not rarest:
        return None
    per_cell = min(rarest, _VALIDATION_PER_CELL)
    return balanced_test(faces, config.target, config.confounder, per_cell, split=split, seed=_SPLIT_SEED)


def watch_cells(config: ExperimentConfig, validation: FaceDataset) -> Watch:
    """Return what judges a network between epochs: accuracy of each cell and gap on a few clean validation faces."""
    cells = cell_numbers(validation.labels(config.target), validation.labels(config.confounder))
    few = np.concatenate([np.flatnonzero(cells == number)[:_WATCHED_PER_CELL] for number in range(len(CELLS))])
    watched, cells = validation.take(few), cells[few]
    images, target = watched.images, watched.labels(config.target)

    def watch(classifier: nn.Module) -> dict[str, float]:
        correct = (predict_scores(classifier, images) > THRESHOLD) == target
        accuracy = [float(correct[cells == number].mean()) for number in range(len(CELLS))]
        named = {
            cell_name(config.target, config.confounder, cell): value
            for cell, value in zip(CELLS, accuracy, strict=True)
        }
        return {**named, "gap": gap(sum(accuracy[:2]) / 2, sum(accuracy[2:]) / 2)}

    return watch


def plan_variants(config: ExperimentConfig, faces: FaceDataset) -> list[Variant]:
    """Return the variants of an experiment, after checking that the faces allow them.

    Raises
    ------
    FairsalError
        If an attribute does not exist, a cell has too few faces, the region of interest does not fit, or no faces are
        left to mitigate with.
    """
    for attribute in (config.target, config.confounder):
        if attribute not in faces.attributes.columns:
            raise unknown_name("attribute", attribute, faces.attributes.columns)
    biased_subset(faces, config.target, config.confounder, config.counts)
    if config.attention.explainers:
        check_roi(config.attention.roi, config.confounder, faces, schemes=bool(config.schemes))
    if config.mitigation:
        mitigation_split(config, faces, config.seeds[0])
        if find_validation(config, faces) is None:
            raise FairsalError(
                "Mitigation methods are chosen on the other held-out split, and a cell has no face there."
            )
    counts = {ORIGINAL: config.counts}
    if config.balanced:
        counts[BALANCED] = balanced_counts(faces, config.target, config.confounder, config.counts.total)
    variants = []
    for epochs in config.lengths:
        alike = tuple(dict.fromkeys(choice.general for choice in config.schemes if config.epochs_of(choice) == epochs))
        training = config.training.model_copy(update={"epochs": epochs})
        shorter = tuple(length for length in config.lengths if length < epochs)
        variants += [
            Variant(config.reference_name(kind, epochs), faces_per_cell, training, alike, passes=shorter)
            for kind, faces_per_cell in counts.items()
        ]
    for choice in config.schemes:
        training = config.training.model_copy(update={"epochs": config.epochs_of(choice)})
        variants.append(Variant(choice.name, config.counts, training, (choice.general,), choice))
    return variants


def find_regions(
    config: ExperimentConfig, faces: FaceDataset, device: torch.device, progress: Progress = silent
) -> Regions:
    """Return the confounder's region classifier: the bundled one for the drawn faces, else one trained for this data."""
    if not _needs_regions(config):
        weights = bundled_path(config.confounder)
        key: dict[str, Any] = {
            "bundled": config.confounder,
            "weights": hashlib.sha256(weights.read_bytes()).hexdigest(),
        }
        return Regions(RegionClassifier.load(weights).to(device), key)

    path, key = trained_regions(faces, config.confounder, config.regions, device, progress)
    return Regions(RegionClassifier.load(path).to(device), key)


def trained_regions(
    faces: FaceDataset,
    attribute: str,
    settings: RegionTraining,
    device: torch.device,
    progress: Progress = silent,
) -> tuple[Path, dict[str, Any]]:
    """Return the path of the region classifier trained on these faces, trained now if it was not before, and its key.

    Under torchrun this is the first process's; the others `help_to_train`.
    """
    key = {"faces": packing_key(faces), "attribute": attribute, "training": settings.model_dump(mode="json")}

    def build(folder: Path) -> None:
        tell({**key, "root": str(faces.root)})
        trained = train_region_classifier(faces, attribute, settings, device=device, progress=progress)
        trained.save(folder / "regions")

    return artifact("regions", key, build) / "regions", key


def help_to_train(device: torch.device) -> None:
    """Train along with the first of torchrun's processes whatever it trains, and return when there is nothing more."""
    while wanted := heard():
        faces = load_faces(wanted["root"])
        if packing_key(faces) != wanted["faces"]:
            raise FairsalError(
                f"{wanted['root']} holds other faces here than for the first process; mount the same folder."
            )
        settings = RegionTraining.model_validate(wanted["training"])
        with _own_gpu(device):
            train_region_classifier(faces, wanted["attribute"], settings, device=device)


def _own_gpu(device: torch.device) -> AbstractContextManager[None]:
    """Hold the lock of the GPU that torchrun gave this process, waiting for whoever computes on it.

    The first process has its own run's. Locks tell the devices of one machine apart, so those of further machines have none.
    """
    rank, here = os.environ["RANK"], os.environ["LOCAL_RANK"]
    if device.type == "cpu" or rank != here:
        return nullcontext()
    return processes.holding(processes.device_lock(f"{device.type}-{here}"))


def available_regions(faces: FaceDataset, source: str) -> dict[str, Path]:
    """Return the region classifiers there are for these faces: attribute -> path for `RegionClassifier.load`.

    Those of the drawn faces come with the repository; for others they are what runs and `train-regions` left.
    """
    found: dict[str, Path] = {}
    key = packing_key(faces)
    for about in sorted((cache_folder() / "regions").glob("*/depends_on.json"), key=lambda path: path.stat().st_mtime):
        content = read_json(about)
        if content.get("faces") == key:
            found[content["attribute"]] = about.parent / "regions"
    if source == DEMO:
        found |= {attribute: bundled_path(attribute) for attribute in bundled_attributes()}
    return dict(sorted(found.items()))


def make_maps(
    regions: Regions, subset: FaceDataset, measure: str, faces: FaceDataset, progress: Progress = silent
) -> Maps:
    """Return the region maps of a training subset."""

    def build(folder: Path) -> None:
        grow_maps(folder / "maps.npy", key, regions.classifier, subset, measure, progress)
        write_json(folder / "colour.json", mean_colour(subset.images))

    key = {
        "regions": regions.key,
        "measure": measure,
        "faces": packing_key(faces),
        "subset": subset.names.tolist(),
    }
    folder = artifact("maps", key, build)
    each = np.load(folder / "maps.npy", mmap_mode="r")
    red, green, blue = read_json(folder / "colour.json")
    return Maps(each, mean_map(each), (red, green, blue), key)


def grow_maps(
    path: Path,
    key: dict[str, Any],
    classifier: RegionClassifier,
    faces: FaceDataset,
    measure: str,
    progress: Progress = silent,
    precision: str = "fp32",
) -> None:
    """Write the region maps of these faces to `path`, in an artifact's folder, going on where a kill stopped it.

    They grow outside of that folder, which a kill leaves to be swept.
    """
    growing = cache_folder() / "unfinished" / f"{hash_of(key)}.npy"
    stream_maps(classifier, faces, growing, measure, progress, precision)
    growing.rename(path)


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write a table atomically."""
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False)


def _needs_regions(config: ExperimentConfig) -> bool:
    """Return whether a region classifier has to be trained: the drawn faces have theirs, at the default settings."""
    bundled = config.data == DEMO and config.regions == RegionTraining() and config.confounder in bundled_attributes()
    return bool(config.schemes) and not bundled


def _judge(
    experiment: Experiment,
    variant: Variant,
    seed: int,
    classifier: nn.Module,
    maps: Maps | None,
    judge_on: dict[str, FaceDataset],
) -> Judged:
    """Return the predictions on clean faces, and on those treated by the general map of each scheme that matters."""
    config, regions = experiment.config, experiment.regions

    def tables(test: FaceDataset) -> Iterator[pd.DataFrame]:
        images, groups = test.images, test.labels(config.confounder)
        about = {
            "variant": variant.name,
            "seed": seed,
            "face": test.names.to_numpy(),
            "target": test.labels(config.target),
            "confounder": groups,
        }

        def judged(evaluation: str, treated_by: str, scores: NDArray[np.float32]) -> pd.DataFrame:
            table = pd.DataFrame({**about, "evaluation": evaluation, "treated_by": treated_by, "score": scores})
            return table.assign(decision=decisions(classifier, scores, groups)) if has_thresholds(classifier) else table

        yield judged(CLEAN, "", predict_scores(classifier, images))
        if regions is None or maps is None:
            return
        for choice in variant.treated_by:
            treatment = make_treatment(choice, regions, maps, experiment.device)
            yield judged(TREATED, choice.name, predict_scores(classifier, images, treatment, seed))

    return {name: pd.concat(tables(test), ignore_index=True) for name, test in judge_on.items()}


def _describe_subsets(
    config: ExperimentConfig, faces: FaceDataset, variants: list[Variant], test: FaceDataset
) -> dict[str, Any]:
    available = CellCounts.of(faces.in_split("train"), config.target, config.confounder)
    return {
        "faces": len(faces),
        "available": available.model_dump(),
        "train": {variant.name: variant.counts.model_dump() for variant in variants},
        "test": CellCounts.of(test, config.target, config.confounder).model_dump(),
        "test_available": CellCounts.of(
            faces.in_split(config.test_split), config.target, config.confounder
        ).model_dump(),
        "phi": round(config.counts.phi, 4),
    }
