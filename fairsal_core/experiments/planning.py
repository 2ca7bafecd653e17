"""What an experiment will do: its variants, and the faces that they are trained and judged on."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fairsal_core.classifiers import ClassifierTraining
from fairsal_core.errors import FairsalError
from fairsal_core.faces import (
    CELLS,
    CellCounts,
    FaceDataset,
    available_counts,
    balanced_counts,
    balanced_test,
    biased_subset,
    equal_cells,
)
from fairsal_core.mitigation import METHODS
from fairsal_core.results import check_roi
from fairsal_core.settings import BALANCED, ORIGINAL, ExperimentConfig, SchemeChoice

_SPLIT_SEED = 0  # of the test set, so that all seeds are judged on the same faces
VALIDATION_PER_CELL = 200


@dataclass(frozen=True)
class Variant:
    """One row of the result table.

    Attributes
    ----------
    name : str
        In every table.
    counts : CellCounts
        Which faces it is trained on.
    training : ClassifierTraining
        How.
    treated_by : tuple of SchemeChoice
        General schemes that its test images are treated by.
    scheme : SchemeChoice, optional
        What hides regions while training.
    passes : tuple of int
        Epochs after which its training has been that of another variant, which so needs none of its own.
    """

    name: str
    counts: CellCounts
    training: ClassifierTraining
    treated_by: tuple[SchemeChoice, ...]
    scheme: SchemeChoice | None = None
    passes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Plan:
    """An experiment that its faces allow.

    Attributes
    ----------
    config : ExperimentConfig
        What was asked for.
    faces : FaceDataset
        All of them.
    variants : tuple of Variant
        In the order of the tables; the first is an original.
    test : FaceDataset
        What all are judged on: equal cells.
    validation : FaceDataset or None
        Equal cells of the other held-out split, to choose by; None where a cell has no face there.
    """

    config: ExperimentConfig
    faces: FaceDataset
    variants: tuple[Variant, ...]
    test: FaceDataset
    validation: FaceDataset | None

    @property
    def has_choices(self) -> bool:
        """Whether something is chosen on the validation faces: one of several quantiles, or of a method's candidates."""
        return bool(self.config.several_quantiles or self.config.mitigation)


def plan_experiment(config: ExperimentConfig, faces: FaceDataset) -> Plan:
    """Return the plan of an experiment; raises FairsalError as `plan_variants` does, or if the test split has too few faces."""
    variants = tuple(plan_variants(config, faces))
    test = balanced_test(
        faces, config.target, config.confounder, config.test_per_cell, split=config.test_split, seed=_SPLIT_SEED
    )
    return Plan(config, faces, variants, test, find_validation(config, faces))


def plan_variants(config: ExperimentConfig, faces: FaceDataset) -> list[Variant]:
    """Return the variants of an experiment, after checking that the faces allow them.

    Raises
    ------
    FairsalError
        If an attribute does not exist, a cell has too few faces, the region of interest does not fit, or no faces are
        left to mitigate with.
    """
    for attribute in (config.target, config.confounder):
        faces.labelled(attribute)  # an attribute that does not exist is an error that names the nearest
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


def with_training(variants: tuple[Variant, ...] | list[Variant]) -> list[Variant]:
    """Return the variants that need a training of their own: not those that a longer one passes on its way."""
    passed = {(variant.counts, variant.scheme, epochs) for variant in variants for epochs in variant.passes}
    return [variant for variant in variants if (variant.counts, variant.scheme, variant.training.epochs) not in passed]


def images_trained(config: ExperimentConfig, variants: tuple[Variant, ...] | list[Variant]) -> int:
    """Return how many images all trainings see together: faces, epochs, variants and seeds."""
    own = with_training(variants)
    return len(config.seeds) * sum(variant.counts.total * variant.training.epochs for variant in own)


def split_to_choose_on(config: ExperimentConfig) -> str:
    """Return the held-out split that is not tested on."""
    return "val" if config.test_split == "test" else "test"


def find_validation(config: ExperimentConfig, faces: FaceDataset) -> FaceDataset | None:
    """Return equal cells of the held-out split that is not tested on, or None where a cell has no face."""
    split = split_to_choose_on(config)
    per_cell = equal_cells(faces.in_split(split), config.target, config.confounder, VALIDATION_PER_CELL)
    if not per_cell:
        return None
    return balanced_test(faces, config.target, config.confounder, per_cell, split=split, seed=_SPLIT_SEED)


def mitigation_split(config: ExperimentConfig, faces: FaceDataset, seed: int) -> FaceDataset:
    """Return the faces that methods learn from: of the train split, but none that the original of this seed was trained on.

    As many of each cell as `mitigation_faces` asks for, or as there are.

    Raises
    ------
    FairsalError
        If none is left.
    """
    train = faces.in_split("train")
    used = biased_subset(faces, config.target, config.confounder, config.counts, seed=seed).names
    rest = train.take(np.flatnonzero(~train.names.isin(used)))
    wanted = max(1, config.mitigation_faces // len(CELLS))
    left = available_counts(rest, config.target, config.confounder, CellCounts.equal(wanted))
    counts = CellCounts(**{field: min(count, wanted) for field, count in left.model_dump().items()})
    if not counts.total:
        raise FairsalError(
            "The biased subset uses every face of the train split, and mitigation needs others: scale the counts down."
        )
    return biased_subset(rest, config.target, config.confounder, counts, seed=seed)


def faces_to_learn_from(config: ExperimentConfig, faces: FaceDataset, seed: int, method: str) -> FaceDataset:
    """Return the faces that a method is given for a seed, which are those it says it learns from."""
    whence = METHODS.find(method).learns_from
    if whence == "mitigation split":
        return mitigation_split(config, faces, seed)
    trained_on = biased_subset(faces, config.target, config.confounder, config.counts, seed=seed)
    if whence == "training faces":
        return trained_on
    others = mitigation_split(config, faces, seed)  # shares none with them
    rows = [faces.names.get_indexer(part.names) for part in (trained_on, others)]
    return faces.take(np.sort(np.concatenate(rows)))


def faces_read(plan: Plan) -> FaceDataset:
    """Return all faces whose pictures an experiment trains or judges on, in the set's order; its region classifier has its own."""
    config, faces = plan.config, plan.faces
    parts = [plan.test] if plan.validation is None else [plan.test, plan.validation]
    for seed in config.seeds:
        parts += [
            biased_subset(faces, config.target, config.confounder, counts, seed=seed)
            for counts in {variant.counts for variant in plan.variants}
        ]
        if config.mitigation:
            parts.append(mitigation_split(config, faces, seed))
    rows = [faces.names.get_indexer(part.names) for part in parts]
    return faces.take(np.unique(np.concatenate(rows)))


def describe_subsets(plan: Plan) -> dict[str, Any]:
    """Return what `subsets.json` says: how many faces there are of each cell, and how many are used for what."""
    config, faces = plan.config, plan.faces

    def cells_of(part: FaceDataset) -> dict[str, int]:
        return CellCounts.of(part, config.target, config.confounder).model_dump()

    unlabelled = int((~faces.labelled(config.target, config.confounder)).sum())
    return {
        "faces": len(faces),
        **({"without_label": unlabelled} if unlabelled else {}),
        **({"notes": list(faces.notes)} if faces.notes else {}),
        "available": cells_of(faces.in_split("train")),
        "train": {variant.name: variant.counts.model_dump() for variant in plan.variants},
        "test": cells_of(plan.test),
        "test_available": cells_of(faces.in_split(config.test_split)),
        "phi": round(config.counts.phi, 4),
    }
