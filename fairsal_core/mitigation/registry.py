"""The mitigation methods by name. A new one is one file with its settings and function, and one entry here."""

from dataclasses import dataclass
from typing import Literal

from fairsal_core.errors import unknown_name
from fairsal_core.mitigation.a_clarc import AClarcSettings, a_clarc
from fairsal_core.mitigation.base import Apply, MitigationSettings
from fairsal_core.mitigation.fine_tune import FineTuneSettings, fine_tune
from fairsal_core.mitigation.global_threshold import GlobalThresholdSettings, global_threshold
from fairsal_core.mitigation.leace import LeaceSettings, leace
from fairsal_core.mitigation.p_clarc import PClarcSettings, p_clarc
from fairsal_core.mitigation.r_clarc import RClarcSettings, r_clarc
from fairsal_core.mitigation.rr_clarc import RRClarcSettings, rr_clarc
from fairsal_core.mitigation.savani import SavaniSettings, savani
from fairsal_core.mitigation.threshold import ThresholdSettings, threshold
from fairsal_core.mitigation.zhang import ZhangSettings, zhang

Need = Literal["confounder labels", "a layer", "groups at prediction"]


@dataclass(frozen=True)
class Method:
    """A way to mitigate what a trained classifier does with the confounder.

    Attributes
    ----------
    name, description : str
        For interface and tables; the description names its source.
    settings : type of MitigationSettings
        Its settings model; made without arguments it holds the defaults.
    apply : callable
        See `fairsal_core.mitigation.base.Apply`.
    needs : tuple of str
        What it cannot do without: labels of the confounder for the mitigation split; a layer of the network; the group of
        each face when it predicts.
    trains : bool
        Whether it changes the weights, or puts something beside them.
    same_saliency : bool
        Whether saliency maps are those of the classifier before, since its logits are.
    """

    name: str
    description: str
    settings: type[MitigationSettings]
    apply: Apply
    needs: tuple[Need, ...] = ("confounder labels",)
    trains: bool = False
    same_saliency: bool = False


METHODS = {
    method.name: method
    for method in (
        Method(
            "threshold",
            "Thresholds for each group that equalise odds, opportunity or positive rates (Hardt et al. 2016, by fairlearn).",
            ThresholdSettings,
            threshold,
            ("confounder labels", "groups at prediction"),
            same_saliency=True,
        ),
        Method(
            "global_threshold",
            "One threshold for everybody, where the groups differ least and accuracy stays above a floor.",
            GlobalThresholdSettings,
            global_threshold,
            same_saliency=True,
        ),
        Method(
            "zhang",
            "Fine-tuning against an adversary that reads the confounder off the logits (Zhang et al. 2018).",
            ZhangSettings,
            zhang,
            trains=True,
        ),
        Method(
            "savani",
            "Fine-tuning against a critic that reads the bias off the features (Savani et al. 2020).",
            SavaniSettings,
            savani,
            trains=True,
        ),
        Method(
            "a_clarc",
            "Fine-tuning while every face is given the confounder in a layer (augmentive ClArC, Anders et al. 2022).",
            AClarcSettings,
            a_clarc,
            ("confounder labels", "a layer"),
            trains=True,
        ),
        Method(
            "p_clarc",
            "Takes the confounder out of a layer of every face (projective ClArC, Anders et al. 2022).",
            PClarcSettings,
            p_clarc,
            ("confounder labels", "a layer"),
        ),
        Method(
            "r_clarc",
            "Takes the confounder out of a layer where it is detected (reactive ClArC, Bareeva et al. 2024).",
            RClarcSettings,
            r_clarc,
            ("confounder labels", "a layer"),
        ),
        Method(
            "rr_clarc",
            "Fine-tuning that penalises predictions which follow the confounder (right-reason ClArC, Dreyer et al. 2024).",
            RRClarcSettings,
            rr_clarc,
            ("confounder labels", "a layer"),
            trains=True,
        ),
        Method(
            "leace",
            "Erases all that a linear read-out could tell of the confounder in a layer (LEACE, Belrose et al. 2023).",
            LeaceSettings,
            leace,
            ("confounder labels", "a layer"),
        ),
        Method(
            "fine_tune",
            "More training on the mitigation split and nothing else: the baseline for the others.",
            FineTuneSettings,
            fine_tune,
            needs=(),
            trains=True,
        ),
    )
}


def find_method(name: str) -> Method:
    """Return the method of this name; an unknown one is an error that names the nearest."""
    if name not in METHODS:
        raise unknown_name("mitigation method", name, METHODS)
    return METHODS[name]
