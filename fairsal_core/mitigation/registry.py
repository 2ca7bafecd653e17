"""The mitigation methods by name. A new one is one file with its settings and function, and one entry here."""

from dataclasses import dataclass
from typing import Literal

from fairsal_core.mitigation.a_clarc import AClarcSettings, a_clarc
from fairsal_core.mitigation.base import Apply, MitigationSettings
from fairsal_core.mitigation.class_scaling import ClassScalingSettings, class_scaling
from fairsal_core.mitigation.dfr import DfrSettings, dfr
from fairsal_core.mitigation.fine_tune import FineTuneSettings, fine_tune
from fairsal_core.mitigation.global_threshold import GlobalThresholdSettings, global_threshold
from fairsal_core.mitigation.group_dro import GroupDroSettings, group_dro
from fairsal_core.mitigation.jtt import JttSettings, jtt
from fairsal_core.mitigation.layerwise import LayerwiseSettings, layerwise
from fairsal_core.mitigation.leace import LeaceSettings, leace
from fairsal_core.mitigation.masktune import MaskTuneSettings, masktune
from fairsal_core.mitigation.p_clarc import PClarcSettings, p_clarc
from fairsal_core.mitigation.r_clarc import RClarcSettings, r_clarc
from fairsal_core.mitigation.random_perturbation import RandomPerturbationSettings, random_perturbation
from fairsal_core.mitigation.rr_clarc import RRClarcSettings, rr_clarc
from fairsal_core.mitigation.rwg import RwgSettings, rwg
from fairsal_core.mitigation.rwy import RwySettings, rwy
from fairsal_core.mitigation.savani import SavaniSettings, savani
from fairsal_core.mitigation.subg import SubgSettings, subg
from fairsal_core.mitigation.suby import SubySettings, suby
from fairsal_core.mitigation.threshold import ThresholdSettings, threshold
from fairsal_core.mitigation.zhang import ZhangSettings, zhang
from fairsal_core.registry import Registry

LearnsFrom = Literal["mitigation split", "training faces", "training faces and mitigation split"]
_GROUPS = ("confounder labels", "groups at validation")
_BOTH: LearnsFrom = "training faces and mitigation split"


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
        What it cannot do without, as NEEDS calls it: labels of the confounder for the faces it learns from; the group of each
        face that it chooses on, and of each when it predicts; a layer of the network. Labels of the target all need.
    trains : bool
        Whether it changes the weights, or puts something beside them.
    same_saliency : bool
        Whether saliency maps are those of the classifier before, since its logits are.
    title : str
        A short name for pages; its name if there is none.
    learns_from : str
        Which faces it is given: the mitigation split, in cells as equal as there are enough; the biased faces that the
        classifier was trained on; or both together.
    latex, source, differs : str
        Its formula for the Methods page, where that is from, and how this product differs from it; empty for those that the
        page explains itself.
    """

    name: str
    description: str
    settings: type[MitigationSettings]
    apply: Apply
    needs: tuple[str, ...] = _GROUPS
    trains: bool = False
    same_saliency: bool = False
    title: str = ""
    learns_from: LearnsFrom = "mitigation split"
    latex: str = ""
    source: str = ""
    differs: str = ""

    @property
    def needed(self) -> str:
        """What it needs, in words."""
        return ", ".join(self.needs) or "target labels only"


METHODS = Registry(
    "mitigation method",
    "fairsal.methods",
    Method,
    (
        Method(
            "threshold",
            "Thresholds for each group that equalise odds, opportunity or positive rates (Hardt et al. 2016, by fairlearn).",
            ThresholdSettings,
            threshold,
            ("groups at validation", "groups at prediction"),
            same_saliency=True,
            title="Thresholds for each group",
        ),
        Method(
            "global_threshold",
            "One threshold for everybody, where the groups differ least and accuracy stays above a floor.",
            GlobalThresholdSettings,
            global_threshold,
            ("groups at validation",),
            same_saliency=True,
        ),
        Method(
            "class_scaling",
            "A factor for each class, which is one threshold, chosen for the worst group: the control (Seo and Han 2025).",
            ClassScalingSettings,
            class_scaling,
            ("groups at validation",),
            same_saliency=True,
            title="Class scaling",
            latex=r"\hat y = [\, s\,p(y) > p(\lnot y) \,] = \left[\, p(y) > \tfrac{1}{1 + s} \,\right]",
            source="Seo, Han 2025 (class-specific scaling)",
            differs="With two classes it is one threshold for everybody.",
        ),
        Method(
            "zhang",
            "Fine-tuning against an adversary that reads the confounder off the logits (Zhang et al. 2018).",
            ZhangSettings,
            zhang,
            trains=True,
            title="Adversary on the logits",
        ),
        Method(
            "savani",
            "Fine-tuning against a critic that reads the bias off the features (Savani et al. 2020).",
            SavaniSettings,
            savani,
            trains=True,
            title="Adversary on the features",
        ),
        Method(
            "a_clarc",
            "Fine-tuning while every face is given the confounder in a layer (augmentive ClArC, Anders et al. 2022).",
            AClarcSettings,
            a_clarc,
            (*_GROUPS, "a layer"),
            trains=True,
            title="A-ClArC",
        ),
        Method(
            "p_clarc",
            "Takes the confounder out of a layer of every face (projective ClArC, Anders et al. 2022).",
            PClarcSettings,
            p_clarc,
            (*_GROUPS, "a layer"),
            title="P-ClArC",
        ),
        Method(
            "r_clarc",
            "Takes the confounder out of a layer where it is detected (reactive ClArC, Bareeva et al. 2024).",
            RClarcSettings,
            r_clarc,
            (*_GROUPS, "a layer"),
            title="R-ClArC",
        ),
        Method(
            "rr_clarc",
            "Fine-tuning that penalises predictions which follow the confounder (right-reason ClArC, Dreyer et al. 2024).",
            RRClarcSettings,
            rr_clarc,
            (*_GROUPS, "a layer"),
            trains=True,
            title="RR-ClArC",
        ),
        Method(
            "leace",
            "Erases all that a linear read-out could tell of the confounder in a layer (LEACE, Belrose et al. 2023).",
            LeaceSettings,
            leace,
            (*_GROUPS, "a layer"),
            title="LEACE",
        ),
        Method(
            "random_perturbation",
            "All weights times random factors around 1, many times, with one threshold; the best is kept (Savani et al. 2020).",
            RandomPerturbationSettings,
            random_perturbation,
            trains=True,
            title="Random perturbation",
            latex=r"w' = w\,\epsilon, \qquad \epsilon \sim N(1, 0.1^2)",
            source="Savani, White, Govindarajulu 2020, algorithm 1",
            differs="The best is what all methods are chosen by; the paper's is the accuracy where the bias is small, else 0.",
        ),
        Method(
            "layerwise",
            "One layer changed by a search without gradients, with one threshold; the best layer is kept (Savani et al. 2020).",
            LayerwiseSettings,
            layerwise,
            trains=True,
            title="Layer-wise optimisation",
            latex=r"w'_u = f_u\,w_u, \qquad f = \operatorname{argmax} \varphi(f) \text{ by gradient-boosted trees}",
            source="Savani, White, Govindarajulu 2020, section 4",
            differs="A factor for every unit of the layer is searched, not every weight; φ is what all methods are chosen by.",
        ),
        Method(
            "rwy",
            "Training goes on with both classes drawn equally often (RWY, Idrissi et al. 2022).",
            RwySettings,
            rwy,
            needs=(),
            trains=True,
            learns_from="training faces",
            title="Reweighting by class",
            latex=r"P(i) = \frac{1}{2\,n_{y_i}}",
            source="Idrissi, Arjovsky, Pezeshki, Lopez-Paz 2022",
            differs="Training goes on from the classifier; the authors train anew.",
        ),
        Method(
            "rwg",
            "Training goes on with all four groups drawn equally often (RWG, Idrissi et al. 2022).",
            RwgSettings,
            rwg,
            trains=True,
            learns_from=_BOTH,
            title="Reweighting by group",
            latex=r"P(i) = \frac{1}{4\,n_{g_i}}",
            source="Idrissi, Arjovsky, Pezeshki, Lopez-Paz 2022",
            differs="Training goes on from the classifier; the authors train anew.",
        ),
        Method(
            "suby",
            "Training goes on with as many faces of each class as the smaller has (SUBY, Idrissi et al. 2022).",
            SubySettings,
            suby,
            needs=(),
            trains=True,
            learns_from="training faces",
            title="Subsampling by class",
            latex=r"n'_y = \min_{y'} n_{y'}",
            source="Idrissi, Arjovsky, Pezeshki, Lopez-Paz 2022",
            differs="Training goes on from the classifier; the authors train anew.",
        ),
        Method(
            "subg",
            "Training goes on with as many faces of each group as the smallest has (SUBG, Idrissi et al. 2022).",
            SubgSettings,
            subg,
            trains=True,
            learns_from=_BOTH,
            title="Subsampling by group",
            latex=r"n'_g = \min_{g'} n_{g'}",
            source="Idrissi, Arjovsky, Pezeshki, Lopez-Paz 2022",
            differs="Training goes on from the classifier; the authors train anew.",
        ),
        Method(
            "group_dro",
            "Training goes on for the group that it is worst at (group DRO, Sagawa et al. 2020).",
            GroupDroSettings,
            group_dro,
            trains=True,
            learns_from=_BOTH,
            title="Group DRO",
            latex=r"q_g \leftarrow \frac{q_g\,e^{\eta \ell_g}}{\sum_{g'} q_{g'}\,e^{\eta \ell_{g'}}}, \qquad "
            r"\ell_g = L_g + \frac{C}{\sqrt{n_g}}, \qquad w \leftarrow w - \alpha\,\nabla_w \sum_g q_g L_g",
            source="Sagawa, Koh, Hashimoto, Liang 2020, algorithm 1 and section 3.3",
            differs="Adam, from the classifier on; a group that a batch lacks keeps its weight.",
        ),
        Method(
            "jtt",
            "Training goes on with what an early-stopped network gets wrong weighted (just train twice, Liu et al. 2021).",
            JttSettings,
            jtt,
            needs=(),
            trains=True,
            learns_from="training faces",
            title="Just train twice",
            latex=r"E = \{ i : f_T(x_i) \ne y_i \}, \qquad L = \lambda \sum_{i \in E} \ell_i + \sum_{i \notin E} \ell_i",
            source="Liu et al. 2021, equations 1 to 3",
            differs="Faces are drawn by these weights, an epoch having as many as before; training goes on from the classifier.",
        ),
        Method(
            "dfr",
            "The last layer learns again on held-out features, as many of each group (DFR, Kirichenko et al. 2023).",
            DfrSettings,
            dfr,
            trains=True,
            title="Deep feature reweighting",
            latex=r"w = \frac{1}{10} \sum_{k=1}^{10} \operatorname{argmin}_w \lVert w \rVert_1 + C \sum_{i \in B_k} "
            r"\log\left(1 + e^{-y_i w^\top \phi(x_i)}\right)",
            source="Kirichenko, Izmailov, Wilson 2023",
            differs="Learned on the mitigation split and chosen on the validation faces, where the authors halve the latter.",
        ),
        Method(
            "masktune",
            "What it looks at most is masked in its training faces; one more epoch on these (MaskTune, Asgari et al. 2022).",
            MaskTuneSettings,
            masktune,
            ("a layer",),
            trains=True,
            learns_from="training faces",
            title="MaskTune",
            latex=r"x' = x \text{ where } A(x) \le \mu_{A(x)} + 2\,\sigma_{A(x)}, \text{ else the mean colour}",
            source="Asgari et al. 2022; A: XGrad-CAM, Fu et al. 2020",
        ),
        Method(
            "fine_tune",
            "More training on the mitigation split and nothing else: the baseline for the others.",
            FineTuneSettings,
            fine_tune,
            needs=(),
            trains=True,
        ),
    ),
)
