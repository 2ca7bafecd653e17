"""Mitigation: methods that take a trained classifier and give back another that relies less on the confounder."""

from fairsal_core.mitigation.base import Applied, LabelledFaces, MitigationSettings, Trial
from fairsal_core.mitigation.cav import ESTIMATORS, Cav, fit_cav
from fairsal_core.mitigation.clarc import concept_directions
from fairsal_core.mitigation.features import know_features, last_linear, relevance_of_features, seen_by
from fairsal_core.mitigation.layers import mean_activations, stages
from fairsal_core.mitigation.mitigate import Mitigation, mitigate
from fairsal_core.mitigation.needs import NEEDS, Given, unmet
from fairsal_core.mitigation.registry import METHODS, Method
from fairsal_core.mitigation.search import Judgement, judge
from fairsal_core.mitigation.thresholds import cuts

__all__ = [
    "ESTIMATORS",
    "METHODS",
    "NEEDS",
    "Applied",
    "Cav",
    "Given",
    "Judgement",
    "LabelledFaces",
    "Method",
    "Mitigation",
    "MitigationSettings",
    "Trial",
    "concept_directions",
    "cuts",
    "fit_cav",
    "judge",
    "know_features",
    "last_linear",
    "mean_activations",
    "mitigate",
    "relevance_of_features",
    "seen_by",
    "stages",
    "unmet",
]
