"""The pipeline of an experiment: its steps from region classifier to mitigation, then explanations and results."""

import shutil
from collections.abc import Callable
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fairsal_core.classifiers import Subject, may_stack, stored_subject
from fairsal_core.device import pick_device
from fairsal_core.experiments.data_audit import audit_faces_read
from fairsal_core.experiments.experiment import Experiment, Judged
from fairsal_core.experiments.explaining import Explaining, explaining_steps
from fairsal_core.experiments.judging import HeldOut, judge
from fairsal_core.experiments.maps import make_treatment
from fairsal_core.experiments.mitigating import MitigationFaces, classifier_of, mitigation_stage, store_classifiers
from fairsal_core.experiments.partner import has_partner, partner
from fairsal_core.experiments.planning import (
    Plan,
    Variant,
    describe_subsets,
    faces_read,
    faces_to_learn_from,
    images_trained,
    mitigation_split,
    with_training,
)
from fairsal_core.experiments.provenance import provenance
from fairsal_core.experiments.regions import needs_regions
from fairsal_core.experiments.training import SeedsAtOnce, train_variant
from fairsal_core.faces import CellCounts
from fairsal_core.files import write_json, write_parquet
from fairsal_core.results import results_table, shown_variants, write_outcomes
from fairsal_core.runs import JobProgress, Step, run_steps
from fairsal_core.settings import ExperimentConfig, MethodChoice, parse_config

_FACES_SHARE, _EXPLAINING_SHARE, _RESULTS_SHARE = 0.08, 0.05, 0.02  # of a run's progress; the rest is the pipeline's
# What a face costs in an epoch of a region classifier and in a map, beside one in an epoch of `three_conv`, on a CPU.
_REGION_WORK = _MAP_WORK = 3.5

Work = dict[tuple[int, str], float]
"""Seed and variant -> images that its training is yet to see."""


def run_job(config: dict[str, Any], run: Path, progress: JobProgress) -> None:
    """Run the experiment that a run directory's config describes: the entry point of the worker."""
    run_experiment(parse_config(config), run, progress)


def run_experiment(config: ExperimentConfig, run: Path, progress: JobProgress) -> None:
    """Train and evaluate every variant for every seed, and write the results into the run directory.

    Writes `versions.json`, `subsets.json`, `data_audit.json`, `region_quality.json`, `mitigation.json`,
    `weights/VARIANT-seedN.safetensors`, `mean_map.npy`, `attention/` and `attention.parquet`, `predictions.parquet`, the same of
    the other held-out split as `validation.parquet` if there are quantiles or mitigation methods to choose between, and, last,
    `results.parquet`.
    """
    device = pick_device(config.device)
    progress.stage("faces", share=_FACES_SHARE)
    experiment = Experiment.begin(config, run, device, progress)
    plan, files = experiment.plan, experiment.files
    write_json(files.versions, provenance(plan, device))
    write_json(files.subsets, describe_subsets(plan))
    read = faces_read(plan)
    audit_faces_read(read, config.data, config.target, config.confounder, files.data_audit, progress)

    explaining = _EXPLAINING_SHARE if config.attention.explainers else 0.0
    images = images_trained(config, plan.variants)
    with partner(run, images, device.type) as call_partner:
        work = training_work(plan, has_partner(images, device.type))
        steps = experiment_steps(experiment, work, call_partner)
        run_steps(steps, progress, share=1 - _FACES_SHARE - _RESULTS_SHARE - explaining)
    if first := experiment.maps[config.seeds[0]]:
        np.save(files.mean_map, first.mean)
    shown = _keep_mitigated(experiment) if config.mitigation else []
    if explaining:
        names = [*(variant.name for variant in plan.variants), *shown]
        explanations = Explaining.of_run(config, config.attention, names, plan.test, files, device)
        run_steps(explaining_steps(explanations, progress), progress, explaining)

    progress.stage("results", share=1.0)  # all that is left
    _write_results(experiment)
    progress(1, 1, "Done")


def experiment_steps(experiment: Experiment, work: Work, begins: Callable[[], None]) -> list[Step]:
    """Return the steps from region classifier to mitigation, each with its work in images of a training.

    Parameters
    ----------
    experiment : Experiment
        At its beginning.
    work : dict
        See `training_work`; what is trained otherwise is taken out of it.
    begins : callable
        Called when there is something to train.
    """
    plan, config = experiment.plan, experiment.plan.config
    regions = _REGION_WORK * config.regions.images * config.regions.epochs if needs_regions(config, plan.faces) else 0.0
    method = _work_of_method(plan)
    at_once = may_stack(config.training, experiment.device) and len(config.seeds) > 1
    steps = [Step("region classifier", lambda: regions, experiment.find_regions, ("regions",))]
    if at_once:
        steps += [_map_step(experiment, seed) for seed in config.seeds]
        for variant in with_training(plan.variants):
            steps += _at_once_steps(experiment, variant, work)
    for seed in config.seeds:
        if not at_once:
            steps.append(_map_step(experiment, seed))
        for variant in plan.variants:
            left = partial(_left, work, seed, variant)
            do = partial(_train_and_judge, experiment, variant, seed, begins)
            steps.append(Step(f"{variant.name}, seed {seed}", left, do, ("training", variant.name)))
    for seed in config.seeds:
        for choice in config.mitigation:
            do = partial(_mitigate_and_judge, experiment, choice, seed)
            steps.append(Step(f"{choice.name}, seed {seed}", lambda: method, do, ("method", choice.name)))
    return steps


def training_work(plan: Plan, has_partner: bool) -> Work:
    """Return the images that each training of this process is to see: its faces, as often as it has epochs.

    A training that the partner does, from the last on, is none; nor is one that a longer one passes.
    """
    work: Work = {
        (seed, variant.name): float(variant.counts.total * variant.training.epochs)
        for seed in plan.config.seeds
        for variant in with_training(plan.variants)
    }
    if not has_partner:
        return work
    before, half = accumulate(work.values(), initial=0.0), sum(work.values()) / 2
    return {key: images for (key, images), done in zip(work.items(), before, strict=False) if done < half}


def _left(work: Work, seed: int, variant: Variant) -> float:
    return work.get((seed, variant.name), 0.0)


def _work_of_method(plan: Plan) -> float:
    """Return the work of a mitigation method, roughly: that of a training."""
    every = training_work(plan, has_partner=False)
    return sum(every.values()) / len(every)


def _map_step(experiment: Experiment, seed: int) -> Step:
    config = experiment.plan.config
    work = _MAP_WORK * config.counts.total if config.schemes else 0.0
    return Step(f"attribution maps, seed {seed}", lambda: work, partial(experiment.map_subset, seed), ("maps",))


def _at_once_steps(experiment: Experiment, variant: Variant, work: Work) -> list[Step]:
    """Return the steps that train all seeds of a variant at once, where that turns out to be faster."""
    own = {key: images for key, images in work.items() if key[1] == variant.name}
    chosen: list[SeedsAtOnce] = []

    def choose() -> None:
        seeds = SeedsAtOnce(experiment, variant)
        if seeds.faster:
            chosen.append(seeds)
            work.update(dict.fromkeys(own, 0.0))

    def train() -> None:
        if chosen and not chosen[0].train():
            work.update(own)

    return [
        Step(f"{variant.name}: how seeds train faster", lambda: 0.0, choose),
        Step(
            f"{variant.name}, all seeds",
            lambda: sum(own.values()) if chosen else 0.0,
            train,
            ("training", variant.name),
        ),
    ]


def _train_and_judge(experiment: Experiment, variant: Variant, seed: int, begins: Callable[[], None]) -> None:
    kept = experiment.files.weights(variant.name, seed)
    kept.parent.mkdir(exist_ok=True)
    shutil.copyfile(train_variant(experiment, variant, seed, begins), kept)
    subject = stored_subject(variant.name, seed, variant.training.classifier, kept)
    experiment.judged.append(_judge(experiment, subject, variant))


def _mitigate_and_judge(experiment: Experiment, choice: MethodChoice, seed: int) -> None:
    plan, config, original = experiment.plan, experiment.plan.config, experiment.plan.variants[0]
    assert plan.validation is not None  # plan_variants has seen to it
    weights = experiment.files.weights(original.name, seed)
    subject = stored_subject(original.name, seed, config.training.classifier, weights)
    fit = faces_to_learn_from(config, plan.faces, seed, choice.method)
    faces = MitigationFaces(fit, plan.validation, config.target, config.confounder)
    outcome = mitigation_stage(subject, choice, faces, experiment.device).make(experiment.progress)
    mitigated = stored_subject(choice.name, seed, config.training.classifier, classifier_of(outcome, weights))
    experiment.mitigated.append((outcome, _judge(experiment, mitigated, original)))


def _judge(experiment: Experiment, subject: Subject, variant: Variant) -> Judged:
    """Return the predictions on all faces that matter, clean, and treated by the general map of what the variant is treated by."""
    plan, files, maps = experiment.plan, experiment.files, experiment.maps[subject.seed]
    treatments = []
    if experiment.regions and maps:
        treatments = [
            (choice.name, make_treatment(choice, experiment.regions, maps, experiment.device))
            for choice in variant.treated_by
        ]
    judge_on = {files.predictions: plan.test}
    if plan.validation is not None and plan.has_choices:
        judge_on[files.validation] = plan.validation
    return {
        file: judge(subject, HeldOut(faces, plan.config.target, plan.config.confounder), treatments, experiment.device)
        for file, faces in judge_on.items()
    }


def _keep_mitigated(experiment: Experiment) -> list[str]:
    """Write how the methods ended, keep the classifiers and predictions of those that are variants, and return their names."""
    plan, config = experiment.plan, experiment.plan.config
    assert plan.validation is not None
    outcomes = [outcome for outcome, _ in experiment.mitigated]
    fit = mitigation_split(config, plan.faces, config.seeds[0])
    counts = CellCounts.of(fit, config.target, config.confounder).model_dump()
    write_outcomes(experiment.files.folder, outcomes, {"fit": counts, "validation": len(plan.validation)})
    store_classifiers(experiment.files, outcomes, plan.variants[0].name)
    shown = shown_variants(outcomes)
    experiment.judged += [judged for outcome, judged in experiment.mitigated if outcome.variant in shown]
    return shown


def _write_results(experiment: Experiment) -> None:
    config, files = experiment.plan.config, experiment.files
    predictions = {
        file: pd.concat([judged[file] for judged in experiment.judged], ignore_index=True)
        for file in experiment.judged[0]
    }
    for file, table in predictions.items():
        write_parquet(file, table)
    write_parquet(files.results, results_table(predictions[files.predictions], config.target, config.confounder))
