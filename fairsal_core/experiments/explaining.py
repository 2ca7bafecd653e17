"""The explain stage: the same test faces explained for every subject, and what that says about a region of interest.

`attention.parquet` holds the summaries of all explainers. Each explainer has a folder in `attention/`, named like it:
`about.json`, `faces.parquet` (every value of every face), and for the pages `maps/VARIANT.npy` (some faces' signed maps
of the first seed) and `means/VARIANT.npy` (the mean map of each cell, over seeds).

A map is kept as float16 after division by its largest magnitude, the `peak`, which is kept beside it: relative to the
peak that is exact to 1/2048, and the paper's magnitude is half of it.
"""

import math
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fairsal_core.classifiers import CLASSIFIERS, Subject, stored_subject
from fairsal_core.device import pick_device
from fairsal_core.errors import FairsalError
from fairsal_core.experiments.provenance import are_test_faces
from fairsal_core.experiments.subjects import find_subjects
from fairsal_core.experiments.trusting import trusted_choices
from fairsal_core.faces import (
    AnyRoi,
    FaceDataset,
    cell_members,
    cells_of,
    data_digest,
    group_labels,
    groups_of_column,
    groups_of_faces,
    load_faces,
    only_groups,
    roi_area,
)
from fairsal_core.files import safe_name, write_json, write_parquet
from fairsal_core.metrics import numbered, rank_correlation, summarise
from fairsal_core.progress import Progress
from fairsal_core.regions import mean_colour
from fairsal_core.results import (
    KEPT_FACES,
    SignedMaps,
    WithheldError,
    attention_table,
    find_roi,
    magnitudes,
    measure,
    read_attention,
    read_predictions,
)
from fairsal_core.runs import (
    JobProgress,
    RunFiles,
    Stage,
    Step,
    check_may_be_added_to,
    check_run,
    load_run,
    recorded_versions,
    run_path,
    run_steps,
    seal_again,
)
from fairsal_core.saliency import EXPLAINERS, explain
from fairsal_core.settings import (
    COMPARED,
    AttentionSettings,
    ExperimentConfig,
    ExplainConfig,
    ExplainerChoice,
    RoiChoice,
    SubjectAuditConfig,
    checked_settings,
    run_settings,
)
from fairsal_core.tensors import IMAGENET_MEAN
from fairsal_core.versions import STAGES

SANITY_FACES = 32  # as good as all for a mean, and cheap even for occlusion
CHECKED_FACES = 8  # before LRP is shown of a network that no test knows
_SANITY_SEED = 0
_STAGE = "relevance"
_MAPS, _NUMBERS = "maps.npy", "numbers.parquet"


class Relevance(NamedTuple):
    """Maps (N, H, W), each divided by its largest magnitude, and each face's `peak` and diagnostics."""

    maps: SignedMaps
    numbers: pd.DataFrame


@dataclass(frozen=True)
class ExplainedFaces:
    """The faces that are explained, and what makes their cells."""

    faces: FaceDataset
    target: str
    confounder: str

    @property
    def targets(self) -> NDArray[np.bool_]:
        return self.faces.labels(self.target)

    @property
    def cells(self) -> NDArray[np.int64]:
        group, groups = groups_of_faces(self.faces, self.confounder)
        return numbered(self.targets, group, len(groups))

    @property
    def count(self) -> int:
        """How many cells there are."""
        _, groups = groups_of_faces(self.faces, self.confounder)
        return len(cells_of(groups))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        _, height, width, _ = self.faces.images.shape
        return height, width


RelevanceEngine = Callable[[Sequence[Subject], ExplainerChoice, ExplainedFaces, Progress], None]
"""(subjects, choice, faces, progress told in faces): has `relevance_stage` made for each subject, somewhere."""


@dataclass(frozen=True)
class Explaining:
    """Subjects to explain, on which faces, against which region.

    Attributes
    ----------
    settings : AttentionSettings
        Explainers, magnitude.
    subjects : dict
        Variant -> its subject of each seed, in the order of the seeds; each original before those that are compared with it.
    originals : mapping
        Variant -> the one that it is compared with.
    explained : ExplainedFaces
        Equally many of each cell.
    used : RoiChoice or None
        What the choice of region came to; None where there is none: then there are maps and no numbers.
    withheld : str
        Why a region that there is was not taken; empty where none was withheld.
    roi : Roi or PixelRoi, optional
        The region.
    files : RunFiles
        Of the run whose attention this is.
    device : torch.device
        Where to compute.
    engine : callable, optional
        What explains subjects; by default this process, one after the other.
    """

    settings: AttentionSettings
    subjects: Mapping[str, Sequence[Subject]]
    originals: Mapping[str, str]
    explained: ExplainedFaces
    used: RoiChoice | None
    withheld: str
    roi: AnyRoi | None
    files: RunFiles
    device: torch.device
    engine: RelevanceEngine | None = None

    @classmethod
    def of_run(
        cls,
        config: ExperimentConfig,
        settings: AttentionSettings,
        variants: Sequence[str],
        test: FaceDataset,
        files: RunFiles,
        device: torch.device,
    ) -> Self:
        """Return what there is to explain in a run of this config.

        A variant without stored weights is passed over: its saliency is another's.

        Raises
        ------
        FairsalError
            If it has no stored classifiers, or the region does not fit.
        """
        faces = _equal_cells(test, config.target, config.confounder, settings.explained_faces)
        subjects = {
            variant: [
                stored_subject(variant, seed, config.training.classifier, files.weights(variant, seed))
                for seed in config.seeds
            ]
            for variant in variants
            if files.weights(variant, config.seeds[0]).is_file()
        }
        if not subjects:
            raise FairsalError(f"Run {files.folder.name} has no stored classifiers to explain.")
        used, roi, withheld = _trusted(settings.roi, files.folder, config.confounder, faces)
        originals = {variant: config.original_of(variant) for variant in subjects}
        explained = ExplainedFaces(faces, config.target, config.confounder)
        return cls(settings, subjects, originals, explained, used, withheld, roi, files, device)

    @classmethod
    def of_subjects(
        cls,
        config: SubjectAuditConfig,
        settings: AttentionSettings,
        subjects: Mapping[str, Sequence[Subject]],
        test: FaceDataset,
        files: RunFiles,
        device: torch.device,
    ) -> Self:
        """Return what there is to explain in an audit: each subject by itself, since none is the other's before."""
        faces = _equal_cells(test, config.target, config.confounder, settings.explained_faces)
        used, roi, withheld = _trusted(settings.roi, files.folder, config.confounder, faces)
        explained = ExplainedFaces(faces, config.target, config.confounder)
        return cls(settings, subjects, {name: name for name in subjects}, explained, used, withheld, roi, files, device)

    @property
    def first(self) -> Subject:
        """The first variant's of the first seed."""
        return next(iter(self.subjects.values()))[0]


def _trusted(
    choice: RoiChoice, run: Path, confounder: str, faces: FaceDataset
) -> tuple[RoiChoice | None, AnyRoi | None, str]:
    """Return what the choice of region came to, the region, and why there is none where it is withheld."""
    try:
        return *find_roi(choice, run, confounder, faces), ""
    except WithheldError as error:
        return None, None, str(error)


def run_job(config: dict[str, Any], run: Path, progress: JobProgress) -> None:
    """Explain the finished run that the config names: the entry point of the worker."""
    explain_finished(checked_settings(ExplainConfig, config), progress)


def explain_finished(settings: ExplainConfig, progress: JobProgress) -> None:
    """Explain the stored classifiers of a finished run, and add the results to its directory.

    Raises
    ------
    FairsalError
        If there is no such run, it has no classifiers, or its faces are gone.
    """
    run = load_run(run_path(settings.run))
    if run.kind not in COMPARED or run.status.state != "finished":
        raise FairsalError(f"{settings.run} is no finished experiment: it is {run.status.state}, of kind {run.kind}.")
    config, files = run_settings(run.kind, run.config), RunFiles(run.path)
    if not isinstance(config, ExperimentConfig | SubjectAuditConfig):
        raise FairsalError(f"{settings.run} is an audit of predictions alone: there is no network to explain.")
    progress.stage("faces", share=0.05)
    faces = load_faces(config.data, progress)
    check_may_be_added_to(run.path)
    check_run(run.path)
    predictions = read_predictions(run.path)
    rows = faces.names.get_indexer(pd.Index(predictions["face"].unique()))
    if (rows < 0).any():
        raise FairsalError(f"{int((rows < 0).sum())} test faces of run {run.id} are no longer in {config.data}.")
    test = _as_judged(run.path, config, faces.take(rows), predictions)
    variants = list(dict.fromkeys(predictions["variant"]))
    device = pick_device(settings.device)
    if isinstance(config, SubjectAuditConfig):
        subjects = {subject.name: [subject] for subject in find_subjects(config.subjects)}
        explaining = Explaining.of_subjects(config, settings, subjects, test, files, device)
    else:
        explaining = Explaining.of_run(config, settings, variants, test, files, device)
    run_steps(explaining_steps(explaining, progress), progress, 0.95)


def _as_judged(
    run: Path, config: ExperimentConfig | SubjectAuditConfig, test: FaceDataset, predictions: pd.DataFrame
) -> FaceDataset:
    """Return the test faces of a run with the groups that it judged; FairsalError if they have other pictures or labels by now."""
    judged = predictions.drop_duplicates("face")
    then, groups = groups_of_column(judged["confounder"])
    grouped = only_groups(test, config.confounder, groups)
    now, _ = groups_of_faces(grouped, config.confounder)
    same = np.array_equal(test.labels(config.target), judged["target"].to_numpy(dtype=bool)) and np.array_equal(
        now, then
    )
    if not same or not are_test_faces(recorded_versions(run), config, test):
        raise FairsalError(f"The test faces of run {run.name} have other pictures or labels in {config.data} by now.")
    return grouped


def explaining_steps(explaining: Explaining, progress: JobProgress) -> list[Step]:
    """Return the steps that explain with every explainer asked for, one a step."""
    return [
        Step(
            f"explain with {choice.name}",
            lambda: 1.0,
            partial(_explain, explaining, choice, progress),
            ("explaining", choice.name),
        )
        for choice in explaining.settings.explainers
    ]


def relevance_stage(
    subject: Subject, choice: ExplainerChoice, explained: ExplainedFaces, device: torch.device
) -> Stage[Relevance]:
    """Return the stage that explains a subject's logit of each face's annotated label."""
    faces = explained.faces
    depends_on = {
        "subject": subject.digest,
        "faces": data_digest(faces, explained.target),
        "target": explained.target,
        "method": choice.method,
        "settings": choice.settings.model_dump(mode="json"),
        "device": device.type,
        "extensions": [EXPLAINERS.origin(choice.method), CLASSIFIERS.origin(subject.architecture)],
    }

    def build(folder: Path, progress: Progress) -> None:
        labels = explained.targets.astype(int)
        explanation = explain(subject.load().to(device), faces.images, labels, choice.method, choice.settings, progress)
        peaks = np.abs(explanation.relevance).max(axis=(1, 2))
        scaled = explanation.relevance / np.where(peaks > 0, peaks, 1)[:, None, None]
        np.save(folder / _MAPS, scaled.astype(np.float16))
        write_parquet(folder / _NUMBERS, pd.DataFrame({"peak": peaks, **explanation.diagnostics}))

    def read(folder: Path) -> Relevance:
        return Relevance(np.load(folder / _MAPS), pd.read_parquet(folder / _NUMBERS))

    return Stage(_STAGE, STAGES[_STAGE], depends_on, build, read)


def _explain(explaining: Explaining, choice: ExplainerChoice, progress: JobProgress) -> None:
    """Explain with what was chosen, or, where that cannot be trusted, with what is shown instead."""
    few = _first(explaining.explained, CHECKED_FACES)

    def still(done: float, total: float, message: str = "") -> None:
        progress(0, 1, "Checking what LRP says of random weights")

    faces = (few.faces.images, few.targets.astype(np.int64))
    subjects = [subject for of_seeds in explaining.subjects.values() for subject in of_seeds]
    choices, instead = trusted_choices(choice, subjects, faces, explaining.device, still)
    for each in choices:
        _explain_with(explaining, each, instead, progress)


def _first(explained: ExplainedFaces, count: int) -> ExplainedFaces:
    return replace(explained, faces=explained.faces.take(np.arange(min(count, len(explained.faces)))))


def _explain_with(explaining: Explaining, choice: ExplainerChoice, instead: str, progress: JobProgress) -> None:
    """Explain with one explainer, and put the results in the place of its earlier ones."""
    explained, used = explaining.explained, explaining.used
    coloured = _coloured(choice, explained.faces)
    if explaining.engine:
        explaining.engine([each for one in explaining.subjects.values() for each in one], coloured, explained, progress)
    with _replacing_folder(explaining.files.attention_folder / safe_name(choice.name)) as folder:
        values = _explain_all(explaining, coloured, progress, folder)
        about = {
            "explainer": choice.name,
            "method": choice.method,
            "settings": choice.settings.model_dump(mode="json"),
            "roi": explaining.settings.roi.name,
            "roi_used": used.name if used else None,
            "roi_withheld": explaining.withheld,
            "roi_area": roi_area(explaining.roi, explained.shape) if explaining.roi else None,
            "magnitude": explaining.settings.magnitude,
            "faces": len(explained.faces),
            "variants": list(explaining.subjects),
            "originals": dict(explaining.originals),
            "seeds": [subject.seed for subject in explaining.subjects[explaining.first.name]],
            "maps_of_seed": explaining.first.seed,
            "sanity": _sanity(explaining, coloured, folder, progress),
            "instead": instead,
        }
        write_json(folder / "about.json", about)
        write_parquet(folder / "faces.parquet", values)
    _add_rows(
        explaining.files,
        choice.name,
        attention_table(values, explained.target, explained.confounder, choice.name, used),
    )
    seal_again(explaining.files.folder, [explaining.files.attention_folder / choice.name, explaining.files.attention])


def _explain_all(explaining: Explaining, choice: ExplainerChoice, progress: JobProgress, folder: Path) -> pd.DataFrame:
    """Explain all subjects with one explainer, write the maps, and return the values of every face."""
    (folder / "maps").mkdir()
    (folder / "means").mkdir()
    explained, cells = explaining.explained, explaining.explained.cells
    about = {
        "face": explained.faces.names.to_numpy(),
        "target": explained.targets,
        "confounder": group_labels(explained.faces, explained.confounder),
    }
    shape = (explained.count, *explained.shape)
    means = {variant: np.zeros(shape, dtype=np.float64) for variant in explaining.subjects}
    tables: list[pd.DataFrame] = []
    of_seeds = list(zip(*explaining.subjects.values(), strict=True))
    total = sum(map(len, of_seeds))
    for subjects in of_seeds:
        originals: dict[str, NDArray[np.floating[Any]]] = {}
        for subject in subjects:
            part = _part(progress, len(tables), total, f"{subject.name}, seed {subject.seed}")
            maps, numbers = relevance_stage(subject, choice, explained, explaining.device).make(part)
            part(1, 1)
            after = magnitudes(maps, numbers["peak"].to_numpy(), explaining.settings.magnitude)
            original = explaining.originals[subject.name]
            measured = measure(originals.get(original), after, explaining.roi) if explaining.roi else {}
            if subject.name == original:
                originals[original] = after
            row = {"variant": subject.name, "seed": subject.seed, **about, **numbers, **measured}
            tables.append(pd.DataFrame(row))
            for cell in range(explained.count):
                means[subject.name][cell] += maps[cells == cell].mean(axis=0, dtype=np.float64) / len(of_seeds)
            if subject.seed == explaining.first.seed:
                np.save(folder / "maps" / f"{safe_name(subject.name)}.npy", maps[:KEPT_FACES])
    for variant, mean in means.items():
        np.save(folder / "means" / f"{safe_name(variant)}.npy", mean.astype(np.float32))
    return pd.concat(tables, ignore_index=True)


def _sanity(explaining: Explaining, choice: ExplainerChoice, folder: Path, progress: JobProgress) -> dict[str, Any]:
    """Compare the kept maps of a subject with those of the same network with random weights (Adebayo et al. 2018)."""
    subject, explained = explaining.first, explaining.explained
    few = _first(explained, SANITY_FACES)
    random = replace(
        subject,
        digest=f"{subject.architecture}, random weights {_SANITY_SEED}",
        load=partial(subject.untrained, _SANITY_SEED),
    )

    def still(done: float, total: float, message: str = "") -> None:
        progress(1, 1, "Explaining with random weights")

    unlearned = relevance_stage(random, choice, few, explaining.device).make(still)
    learned = np.load(folder / "maps" / f"{safe_name(subject.name)}.npy")[: len(few.faces)]
    values = rank_correlation(*(np.abs(maps.astype(np.float32)) for maps in (learned, unlearned.maps)))
    summary = summarise(values)
    numbers = {"correlation": summary.mean, "low": summary.interval.low, "high": summary.interval.high}
    return {
        "variant": subject.name,
        "seed": subject.seed,
        **{name: number if math.isfinite(number) else None for name, number in numbers.items()},
        "n": summary.n,
    }


def _equal_cells(test: FaceDataset, target: str, confounder: str, count: int) -> FaceDataset:
    """Return the first faces of each cell, equally many, cell by cell in turn: any beginning of them is balanced too."""
    members = cell_members(test, target, confounder)
    per_cell = min(max(1, count // len(members)), *map(len, members.values()))
    return test.take(np.stack([each[:per_cell] for each in members.values()], axis=1).ravel())


def _coloured(choice: ExplainerChoice, faces: FaceDataset) -> ExplainerChoice:
    """Put the faces' mean colour in the place of ImageNet's, for explainers that paint with one."""
    if getattr(choice.settings, "colour", None) != IMAGENET_MEAN:
        return choice
    red, green, blue = (round(value, 4) for value in mean_colour(faces.images))
    return choice.model_copy(update={"settings": choice.settings.model_copy(update={"colour": (red, green, blue)})})


def _part(progress: JobProgress, index: int, parts: int, name: str) -> Progress:
    """Return the progress of one of several equal parts of a stage."""

    def part(done: float, total: float, message: str = "") -> None:
        progress(index + (done / total if total else 1.0), parts, f"{message or 'Explained'}: {name}")

    return part


def _add_rows(files: RunFiles, explainer: str, rows: pd.DataFrame) -> None:
    """Put the rows of an explainer in the place of its earlier ones."""
    before = read_attention(files.folder)
    others = before[before["explainer"] != explainer]
    write_parquet(files.attention, pd.concat([others, rows], ignore_index=True) if len(others) else rows)


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
