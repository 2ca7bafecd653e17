"""Training region classifiers, and judging them on faces that they did not learn from."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax

from fairsal_core.device import process_count
from fairsal_core.errors import FairsalError, unknown_name
from fairsal_core.faces import FaceDataset
from fairsal_core.metrics import expected_calibration_error, fit_temperature, reliability, top_label
from fairsal_core.progress import Progress, silent
from fairsal_core.regions.atlas import Atlas, Head
from fairsal_core.regions.classifier import NETWORKS, RegionClassifier, build_network
from fairsal_core.regions.fitting import Examples, fit
from fairsal_core.regions.grid import PatchGrid
from fairsal_core.regions.maps import batches
from fairsal_core.regions.quality import quality_of
from fairsal_core.regions.settings import SCHEDULES, RegionTraining
from fairsal_core.tensors import resident, seed_everything, to_unit

_MOST_CLASSES = 100
_LOGITS_AT_ONCE = 64 * 2**20  # numbers: 256 MB
_FITTED_TO = 400_000  # patches: one number is fitted


def training_faces(faces: FaceDataset, settings: RegionTraining) -> FaceDataset:
    """Return those of these faces that are trained on; of a large set they are packed now, if they are not."""
    return faces.in_split("train").sample(settings.images, settings.seed)


def judging_faces(faces: FaceDataset, settings: RegionTraining) -> FaceDataset:
    """Return the validation faces that judge what was trained."""
    return faces.in_split("val").sample(settings.validation_images, settings.seed)


def train_region_classifier(
    faces: FaceDataset,
    attribute: str,
    settings: RegionTraining | None = None,
    *,
    device: torch.device | None = None,
    progress: Progress = silent,
) -> RegionClassifier:
    """Train a region classifier on the train split and judge it on the validation split: an atlas of one attribute.

    Parameters
    ----------
    attribute : str
        The attribute to predict, of two classes or more.
    faces, settings, device, progress
        As in `train_atlas`.

    Raises
    ------
    FairsalError
        As `train_atlas`.
    """
    return train_atlas(faces.with_label(attribute), (attribute,), settings, device=device, progress=progress).of(
        attribute
    )


def train_atlas(
    faces: FaceDataset,
    attributes: Sequence[str] | None = None,
    settings: RegionTraining | None = None,
    *,
    device: torch.device | None = None,
    progress: Progress = silent,
) -> Atlas:
    """Train one network that predicts many attributes, on the train split, and judge it on the validation split.

    Parameters
    ----------
    faces : FaceDataset
        Packed, at 128 pixels. Where a label is missing, the face counts for the other attributes alone.
    attributes : sequence of str, optional
        The attributes to predict, of two classes or more; by default the `atlas_attributes` of the training faces.
    settings : RegionTraining, optional
        By default those that take minutes on two cores.
    device : torch.device, optional
        By default the CPU.
    progress : Progress
        Called after every step; may raise to stop.

    Raises
    ------
    FairsalError
        If all faces of the train split are of one class, or the loss stops being a number.
    """
    settings = settings or RegionTraining()
    device = device or torch.device("cpu")
    if settings.compile and process_count() > 1:
        raise FairsalError("Several processes train without torch.compile; leave --compile out, or torchrun.")
    if settings.schedule not in SCHEDULES:
        raise unknown_name("schedule", settings.schedule, SCHEDULES)
    train = training_faces(faces, settings)
    names = tuple(attributes or atlas_attributes(train))
    labels, heads = _heads_of(train, names)
    seed_everything(settings.seed)
    grid = PatchGrid(image_size=train.images.shape[1], per_side=settings.per_side)
    shape = _shape(settings)
    classes = sum(len(head.classes) for head in heads)
    network = build_network(settings.network, classes, grid, shape).to(device).to(memory_format=torch.channels_last)
    what = names[0] if len(names) == 1 else f"{len(names)} attributes"
    validation = judging_faces(faces, settings)
    seen = Examples(validation.images, _labels_of(validation, names)) if len(validation) else None
    priors = [head.prior for head in heads]
    epochs = fit(network, grid, priors, Examples(train.images, labels), seen, settings, device, progress, what)
    atlas = Atlas(
        network=network.eval(),
        heads=heads,
        grid=grid,
        kind=settings.network,
        settings=shape,
        data={"name": faces.name, "train_faces": len(train)},
        training={**settings.model_dump(), "epochs_kept": epochs},
    )
    if settings.imbalance != "none":
        atlas.heads = tuple(replace(head, offset=tuple(np.log(head.prior).tolist())) for head in heads)
    return _judged(atlas, validation, settings, progress) if len(validation) else atlas


def untrained(attribute: str, settings: RegionTraining) -> RegionClassifier:
    """Return a region classifier of two classes as these settings ask for one, before it has learned anything."""
    grid, shape = PatchGrid(per_side=settings.per_side), _shape(settings)
    network = build_network(settings.network, 2, grid, shape).eval()
    return RegionClassifier(network, attribute, ("no", "yes"), (0.5, 0.5), grid, settings.network, shape)


def weight_bytes(settings: RegionTraining, classes: int) -> int:
    """Return how many bytes the weights take of a network of these settings, with heads for so many classes in all."""
    with torch.device("meta"):
        network = build_network(settings.network, classes, PatchGrid(per_side=settings.per_side), _shape(settings))
    return sum(value.numel() * value.element_size() for value in network.state_dict().values())


def _shape(settings: RegionTraining) -> dict[str, int]:
    """Return the settings that are the network's own, where they are given and it has such."""
    known = NETWORKS.find(settings.network).settings.model_fields
    given = {"width": settings.width, "head": settings.head, "training_stride": settings.training_stride}
    return {name: value for name, value in given.items() if value is not None and name in known}


def atlas_attributes(train: FaceDataset) -> tuple[str, ...]:
    """Return the attributes that an atlas can learn of these faces: those of which they show two classes or more."""
    found = []
    for name in map(str, train.attributes.columns):
        labels, classes = train.classes(name)
        if len(np.unique(labels[labels >= 0])) > 1 and len(classes) <= _MOST_CLASSES:
            found.append(name)
    if not found:
        raise FairsalError(f"No attribute differs between the {len(train)} training faces; there is nothing to learn.")
    return tuple(found)


def _heads_of(train: FaceDataset, names: Sequence[str]) -> tuple[NDArray[np.int64], tuple[Head, ...]]:
    """Return the labels (N, A) of the training faces, and what there is to know of each attribute before the training."""
    labels = _labels_of(train, names)
    heads = []
    for column, name in zip(labels.T, names, strict=True):
        _, classes = train.classes(name)
        counts = np.bincount(column[column >= 0], minlength=len(classes))
        if (counts > 0).sum() < 2:
            raise FairsalError(f"'{name}' is the same on all {len(train)} training faces; there is nothing to learn.")
        heads.append(Head(name, classes, class_frequencies(counts), data={"class_counts": counts.tolist()}))
    return labels, tuple(heads)


def _labels_of(faces: FaceDataset, names: Sequence[str]) -> NDArray[np.int64]:
    """Return the class numbers (N, A), -1 where a label is missing."""
    return np.stack([faces.classes(name)[0] for name in names], axis=1)


def _judged(atlas: Atlas, faces: FaceDataset, settings: RegionTraining, progress: Progress) -> Atlas:
    """Return the atlas with temperatures, if they are wanted, and what these faces say of each head."""
    heads = []
    for head, known, logits in each_logits(atlas, faces, progress):
        labels = known.classes(head.attribute)[0]
        if not len(labels):
            heads.append(head)
            continue
        if settings.temperature_scaling:
            head = replace(head, temperature=_temperature(head, logits, labels))
        scaled = rescaled(logits, head)
        calibration = calibration_of(logits, labels, head.temperature, scaled)
        heads.append(replace(head, metrics=judge(scaled, labels), calibration=calibration))
    return replace(atlas, heads=tuple(heads))


def _temperature(head: Head, logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the temperature of the evidence, given the base rates of these faces, that makes their labels likeliest."""
    evidence, wanted = _flat(logits - _offset(head), labels)
    step = -(-len(wanted) // _FITTED_TO)
    step += step % 2 == 0  # an even one would see half of the columns of a grid
    here = np.log(class_frequencies(np.bincount(labels, minlength=len(head.classes))))
    return fit_temperature(evidence[::step], wanted[::step], None if head.offset is None else here)


def rescaled(logits: NDArray[np.float32], head: Head | RegionClassifier) -> NDArray[np.float32]:
    """Return logits of temperature 1 as the head's own temperature makes them."""
    offset = _offset(head)
    scaled: NDArray[np.float32] = (logits - offset) / np.float32(head.temperature) + offset
    return scaled


def _offset(head: Head | RegionClassifier) -> NDArray[np.float32]:
    """Return what is added to the evidence for each class (C,)."""
    return np.asarray(head.offset or np.zeros(len(head.classes)), dtype=np.float32)


def each_logits(
    atlas: Atlas, faces: FaceDataset, progress: Progress = silent
) -> Iterator[tuple[Head, FaceDataset, NDArray[np.float32]]]:
    """Give each head, the faces that are labelled of it, and the logits (N, per_side, per_side, C) of all their patches.

    A few heads are computed in one pass, as many as memory holds.
    """
    most = max(len(head.classes) for head in atlas.heads)
    together = max(_LOGITS_AT_ONCE // (len(faces) * atlas.grid.count * most), 1)
    for start in range(0, len(atlas.heads), together):
        names = atlas.attributes[start : start + together]
        part = atlas if len(names) == len(atlas.heads) else atlas.only(names)
        side = part.grid.per_side
        logits = np.empty((len(names), len(faces), side, side, most), dtype=np.float32)
        what = names[0] if len(names) == 1 else f"{len(names)} attributes"
        for rows in batches(len(faces), part.device):
            images = resident(faces.take(range(len(faces))[rows]).images, part.device)
            logits[:, rows] = part.logits(to_unit(images)).float().transpose(0, 1).cpu().numpy()
            progress(rows.stop, len(faces), f"Judging the regions of {what} on validation faces")
        for head, own in zip(part.heads, logits, strict=True):
            known = np.flatnonzero(faces.labelled(head.attribute))
            of_head = own[..., : len(head.classes)]
            yield head, faces.take(known), of_head if len(known) == len(faces) else of_head[known]


def class_frequencies(counts: NDArray[np.int64]) -> tuple[float, ...]:
    """Return the share of each class; one that no face shows counts half a face, as a frequency of 0 has no logarithm."""
    counted = np.maximum(counts, 0.5)
    return tuple((counted / counted.sum()).tolist())


def patch_logits(classifier: RegionClassifier, faces: FaceDataset, progress: Progress = silent) -> NDArray[np.float32]:
    """Return the logits (N, per_side, per_side, C) of all patches of these faces."""
    side = classifier.grid.per_side
    logits = np.empty((len(faces), side, side, len(classifier.classes)), dtype=np.float32)
    for part in batches(len(faces), classifier.device):
        images = resident(faces.take(range(len(faces))[part]).images, classifier.device)
        logits[part] = classifier.logits(to_unit(images)).float().cpu().numpy()
        progress(part.stop, len(faces), f"Judging the regions of {classifier.attribute} on validation faces")
    return logits


def judge(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, float | int | None]:
    """Return how well patches tell the label.

    Parameters
    ----------
    logits : array, (N, per_side, per_side, C)
        Of all patches, on faces that were not trained on.
    labels : array, (N,) int
        Class numbers.

    Returns
    -------
    dict
        `faces`; `patch_accuracy` over all patches; `best_position_accuracy`; `vote_accuracy` when the mean log-probability of
        all patches decides; `majority`, the accuracy of always saying the commonest label; `ece`, the top-label expected
        calibration error over all patches (100 bins); and what `Quality` tells of the patch at the best position.
    """
    accuracy = (logits.argmax(axis=-1) == labels[:, None, None]).mean(axis=0)
    votes = log_softmax(logits, axis=-1).mean(axis=(1, 2)).argmax(axis=-1) == labels
    diagram = reliability(*top_label(*_flat(logits, labels)))
    return {
        **quality_of(logits, labels).as_json(),
        "patch_accuracy": round(float(accuracy.mean()), 4),
        "best_position_accuracy": round(float(accuracy.max()), 4),
        "vote_accuracy": round(float(votes.mean()), 4),
        "majority": round(int(np.bincount(labels).max()) / len(labels), 4),
        "ece": round(expected_calibration_error(diagram), 4),
    }


def calibration_of(
    logits: NDArray[np.float32],
    labels: NDArray[np.int64],
    temperature: float = 1.0,
    scaled: NDArray[np.float32] | None = None,
) -> dict[str, Any]:
    """Return the reliability diagram of all patches as JSON-able lists: as trained, and with the temperature.

    `scaled` are the logits with the temperature; by default divided by it.

    Returns
    -------
    dict
        `kind`, `faces`, `patches`, `temperature`, and for "before" and "after" `ece`, `count`, `confidence` and `correct`
        (sums per bin, as in `fairsal_core.metrics.Reliability`).
    """
    sides = {"before": logits}
    if temperature != 1:
        sides["after"] = logits / temperature if scaled is None else scaled
    diagrams = {name: reliability(*top_label(*_flat(side, labels))) for name, side in sides.items()}
    return {
        "kind": "top-label",
        "faces": len(labels),
        "patches": int(np.prod(logits.shape[:-1])),
        "temperature": round(temperature, 4),
        **{
            name: {
                "ece": round(expected_calibration_error(diagram), 5),
                "count": diagram.count.tolist(),
                "confidence": diagram.confidence.round(3).tolist(),
                "correct": diagram.correct.tolist(),
            }
            for name, diagram in diagrams.items()
        },
    }


def _flat(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return logits (M, C) and labels (M,), one row a patch."""
    patches = logits.reshape(-1, logits.shape[-1])
    return patches, np.repeat(labels, len(patches) // len(labels))
