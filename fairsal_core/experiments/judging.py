"""Judging a subject on held-out faces, clean and treated; and, more quickly, a network between two epochs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from fairsal_core.classifiers import Subject, Treatment, decisions, has_thresholds, predict_scores
from fairsal_core.faces import CELLS, FaceDataset, cell_name
from fairsal_core.metrics import cell_numbers, gap
from fairsal_core.results import CLEAN, THRESHOLD, TREATED
from fairsal_core.settings import ExperimentConfig

_WATCHED_PER_CELL = 16  # between epochs: enough to see a cell fall behind, in a twentieth of a second


@dataclass(frozen=True)
class HeldOut:
    """Faces to judge on, and what makes their cells."""

    faces: FaceDataset
    target: str
    confounder: str


def judge(
    subject: Subject, held_out: HeldOut, treatments: Sequence[tuple[str, Treatment]], device: torch.device
) -> pd.DataFrame:
    """Return the predictions of a subject on clean faces, and on the same faces under each treatment.

    Parameters
    ----------
    subject : Subject
        Its seed fixes the treatments' noise.
    held_out : HeldOut
        What to judge on.
    treatments : sequence of (name, Treatment)
        General schemes.
    device : torch.device
        Where to compute.

    Returns
    -------
    DataFrame
        As `results_table` takes it.
    """
    classifier = subject.load().to(device)
    images, groups = held_out.faces.images, held_out.faces.labels(held_out.confounder)
    about = {
        "variant": subject.name,
        "seed": subject.seed,
        "face": held_out.faces.names.to_numpy(),
        "target": held_out.faces.labels(held_out.target),
        "confounder": groups,
    }

    def judged(evaluation: str, treated_by: str, scores: NDArray[np.float32]) -> pd.DataFrame:
        table = pd.DataFrame({**about, "evaluation": evaluation, "treated_by": treated_by, "score": scores})
        return table.assign(decision=decisions(classifier, scores, groups)) if has_thresholds(classifier) else table

    def tables() -> Iterator[pd.DataFrame]:
        yield judged(CLEAN, "", predict_scores(classifier, images))
        for name, treatment in treatments:
            yield judged(TREATED, name, predict_scores(classifier, images, treatment, subject.seed))

    return pd.concat(tables(), ignore_index=True)


def cell_watcher(config: ExperimentConfig, validation: FaceDataset | None) -> Callable[[nn.Module], dict[str, float]]:
    """Return what judges a network between epochs: accuracy of each cell and gap on a few clean validation faces."""
    if validation is None:
        return lambda classifier: {}
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
