"""What a scan is of: the judgements of one classifier about faces, out of a finished run or a table, and the faces' attributes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError, unknown_name
from fairsal_core.faces import FaceDataset, list_faces
from fairsal_core.metrics import Hits
from fairsal_core.results import CLEAN, THRESHOLD, Answers, TableOf, positive, read_one, read_predictions
from fairsal_core.runs import Run


@dataclass(frozen=True)
class Subject:
    """Which predictions of a run: those of one network, clean or treated."""

    variant: str
    seed: int
    evaluation: str = CLEAN
    treated_by: str = ""

    @property
    def name(self) -> str:
        """What to call it, e.g. "original, seed 0"."""
        treated = f", faces treated by {self.treated_by}" if self.evaluation != CLEAN else ""
        return f"{self.variant}, seed {self.seed}{treated}"


@dataclass(frozen=True)
class Judged:
    """What a classifier said of faces.

    Attributes
    ----------
    name, target : str
        What to call it, and what it predicts.
    faces : pandas.Index
        The faces' names, each once.
    yes : array, (N,)
        The probability of saying "yes": 0 or 1, unless thresholds are drawn.
    has : array, (N,) bool
        Whether each face has the target.
    scores : array, (N,), optional
        What "yes" was decided by; None where there are decisions alone.
    """

    name: str
    target: str
    faces: pd.Index
    yes: NDArray[np.float64]
    has: NDArray[np.bool_]
    scores: NDArray[np.float64] | None = None

    def only(self, names: set[str] | frozenset[str]) -> "Judged":
        """Return what was said of these faces.

        Raises
        ------
        FairsalError
            If none of them was judged.
        """
        kept = self.faces.isin(list(names))
        if not kept.any():
            raise FairsalError(f"None of the {len(names):,} faces was judged by {self.name}.")
        scores = None if self.scores is None else self.scores[kept]
        return Judged(self.name, self.target, self.faces[kept], self.yes[kept], self.has[kept], scores)

    @property
    def wrong(self) -> NDArray[np.float64]:
        """How probably each face is judged wrongly, (N,)."""
        return np.where(self.has, 1 - self.yes, self.yes)


@dataclass(frozen=True)
class Decided:
    """What the classifiers of a variant, one for each seed, said of the same faces.

    Attributes
    ----------
    name, target : str
        What to call it, and what it predicts.
    faces : pandas.Index
        The faces' names, each once.
    yes : array, (S, N)
        Whether each says "yes", or how probably.
    has : array, (N,) bool
        Whether each face has the target.
    seeds : tuple of int
        Their seeds.
    """

    name: str
    target: str
    faces: pd.Index
    yes: Hits
    has: NDArray[np.bool_]
    seeds: tuple[int, ...]

    @classmethod
    def of(cls, said: Answers, name: str, target: str) -> "Decided":
        """Return what answers say, by name."""
        return cls(name, target, said.faces.astype(str), said.yes, said.target, tuple(said.seeds))


def labels_in(predictions: pd.DataFrame, confounder: str, name: str) -> FaceDataset:
    """Return the faces of predictions with the one attribute that these tell, the confounder: without any file."""
    labels = predictions.drop_duplicates("face").set_index("face")["confounder"]
    labels = labels if pd.api.types.is_bool_dtype(labels) else labels.astype("category")
    attributes = labels.rename(confounder).to_frame().set_axis(labels.index.astype(str))
    split = pd.Series("test", index=attributes.index)
    return FaceDataset(name, Path(), Path(), attributes, split)


def subjects_of(predictions: pd.DataFrame) -> list[Subject]:
    """Return whose predictions a run left, in their order."""
    keys = predictions[["variant", "seed", "evaluation", "treated_by"]].drop_duplicates()
    return [
        Subject(str(row.variant), int(str(row.seed)), str(row.evaluation), str(row.treated_by))
        for row in keys.itertuples()
    ]


def judged_by(run: Run, subject: Subject | None = None) -> Judged:
    """Return what one of a run's networks said; by default its first, of clean faces.

    Raises
    ------
    FairsalError
        If the run left no predictions, or none of that network.
    """
    target = _target(run.config, run.id)
    predictions = read_predictions(run.path)
    known = subjects_of(predictions)
    if not known:
        raise FairsalError(f"The predictions of run {run.id} are of no face.")
    chosen = subject or next((each for each in known if each.evaluation == CLEAN), known[0])
    if chosen not in known:
        raise unknown_name(f"subject of run {run.id}", chosen.name, [each.name for each in known])
    rows = predictions[
        (predictions["variant"] == chosen.variant)
        & (predictions["seed"] == chosen.seed)
        & (predictions["evaluation"] == chosen.evaluation)
        & (predictions["treated_by"] == chosen.treated_by)
    ].drop_duplicates("face")
    scores = rows["score"].to_numpy(dtype=np.float64)
    return Judged(
        chosen.name,
        target,
        pd.Index(rows["face"].astype(str)),
        positive(rows).to_numpy(dtype=np.float64),
        rows["target"].to_numpy(dtype=bool),
        scores if np.isfinite(scores).all() else None,
    )


def judged_in(file: Path, faces: FaceDataset, asked: TableOf) -> list[Judged]:
    """Return what a table says of a set's faces, as an audit reads it, one for each model in it.

    Raises
    ------
    FairsalError
        If it cannot be read so, or says nothing of labelled faces.
    """
    target = asked.target
    labelled = faces.with_label(target)
    found = []
    for model, rows in read_one(file, asked, faces).table.groupby("model", sort=False):
        known = rows[rows["face"].isin(labelled.names)].set_index("face")
        own = labelled.take(labelled.names.get_indexer(known.index))
        scores = known["score"].to_numpy(dtype=np.float64)
        decided = known["decision"].to_numpy(dtype=np.float64)
        yes = np.where(np.isfinite(decided), decided, scores > THRESHOLD)
        known_scores = scores if np.isfinite(scores).all() else None
        if len(known):
            found.append(Judged(str(model), target, own.names, yes, own.labels(target), known_scores))
    if not found:
        raise FairsalError(f"No row of {file} is about a face of '{faces.name}' with a label '{target}'.")
    return found


def attributes_of(data: str | FaceDataset, judged: Judged) -> pd.DataFrame:
    """Return the attributes of judged faces, in their order, without the target's column.

    Raises
    ------
    FairsalError
        If the set lacks some of the faces.
    """
    faces = data if isinstance(data, FaceDataset) else list_faces(data)
    own = faces.attributes.iloc[places_of(judged, faces)]
    return own.drop(columns=faces.column_of(judged.target))


def places_of(judged: Judged | Decided, faces: FaceDataset) -> NDArray[np.int64]:
    """Return where judged faces stand in their set.

    Raises
    ------
    FairsalError
        If it lacks some of them.
    """
    places = np.asarray(faces.names.get_indexer(judged.faces), dtype=np.int64)
    lacking = judged.faces[places < 0]
    if len(lacking):
        raise FairsalError(
            f"{len(lacking):,} of {len(places):,} judged faces are not in '{faces.name}' any more, such as {lacking[0]}."
        )
    return places


def data_of(run: Run) -> str:
    """Return the data that a run judged, as `list_faces` takes it."""
    data = run.config.get("data")
    if not isinstance(data, str) or not data:
        raise FairsalError(f"The settings of run {run.id} do not say what data it is about.")
    return data


def _target(config: Mapping[str, Any], run: str) -> str:
    target = config.get("target")
    if not isinstance(target, str) or not target:
        raise FairsalError(f"Run {run} predicts no attribute that could be scanned: it is of another kind.")
    return target
