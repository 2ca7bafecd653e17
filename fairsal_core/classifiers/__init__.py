"""The audited classifiers: architectures, training, scores, files."""

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
    "ClassifierTraining",
    "Treatment",
    "Watch",
    "build_classifier",
    "find_classifier",
    "load_classifier",
    "predict_scores",
    "save_classifier",
    "train_classifier",
]
