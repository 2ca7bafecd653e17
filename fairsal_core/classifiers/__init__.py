"""The audited classifiers: architectures, training, scores, files."""

from fairsal_core.classifiers.corrections import (
    THRESHOLD,
    Corrected,
    Correction,
    Decision,
    Erasure,
    GatedShift,
    Shift,
    decisions,
    find_layer,
    has_thresholds,
    insert,
    mean_activation,
    remove,
)
from fairsal_core.classifiers.registry import (
    CLASSIFIERS,
    build_classifier,
    find_classifier,
    load_classifier,
    save_classifier,
)
from fairsal_core.classifiers.training import ClassifierTraining, Treatment, Watch, predict_scores, train_classifier

__all__ = [
    "CLASSIFIERS",
    "THRESHOLD",
    "ClassifierTraining",
    "Corrected",
    "Correction",
    "Decision",
    "Erasure",
    "GatedShift",
    "Shift",
    "Treatment",
    "Watch",
    "build_classifier",
    "decisions",
    "find_classifier",
    "find_layer",
    "has_thresholds",
    "insert",
    "load_classifier",
    "mean_activation",
    "predict_scores",
    "remove",
    "save_classifier",
    "train_classifier",
]
