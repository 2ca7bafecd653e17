"""Every formula of the methods: what it says, where it is from, what differs from the authors' code and why.

Those of metrics are the registry's.
"""

from collections.abc import Sequence
from typing import NamedTuple

from fairsal_core.metrics import GroupMetric, Metric, SaliencyMetric, SaliencyTest, metrics_of
from fairsal_core.mitigation import METHODS, Method

DC = "De Coninck, Leroux, Simoens 2024"
SZ = "Sztukiewicz, Stępka, Wiliński, Stefanowski 2025"


class Formula(NamedTuple):
    """A formula in LaTeX with its meaning, its source, and how fairsal differs from it, if it does."""

    title: str
    latex: str
    meaning: str
    source: str
    differs: str = ""


# A kind of metric, or Method, stands for the formulas of all that are registered.
FORMULAS: dict[str, tuple[Formula | type[Metric] | type[Method], ...]] = {
    "Region maps": (
        Formula(
            "Grid",
            r"x_i = 2\,(i \bmod 49), \qquad y_i = 2\,\lfloor i / 49 \rfloor, \qquad s = \frac{128 - 32}{49 - 1} = 2",
            "Patches of 32 pixels at 49 × 49 = 2401 positions of a 128-pixel image.",
            f"{DC}, section 3.1",
            "The paper prints 2041 positions; the authors' command line says 2401, and only that gives whole strides.",
        ),
        Formula(
            "Confidence",
            r"c_{\text{entropy}} = 1 - \frac{H(p)}{\log C}, \quad c_{\text{top}} = \max_k p_k, \quad "
            r"c_{\text{margin}} = p_{(1)} - p_{(2)}, \quad "
            r"c_{\text{gain}} = \frac{\mathrm{KL}(p \,\|\, \pi)}{-\log \min_k \pi_k}",
            "How sure the region classifier is of one patch, with p its softmax over C classes and π the base rates.",
            f"{DC}, equations 2 to 4; the gain is ours",
            "Equation 4 as printed is the entropy itself; the authors' code computes what is meant, its negative. The gain is for "
            "rare attributes, where the other three call every patch confident as “no” is nearly always right; it is the default.",
        ),
        Formula(
            "Evidence",
            r"e_k = \log_2 \frac{p_k}{\pi_k}",
            "What a patch says for (above 0) or against (below 0) class k, in bits: one bit is twice as likely as the base rate.",
            "ours; the confidence measures have no sign",
            "Where a confidence map is brightest, the patch may say “surely not”; the evidence tells which.",
        ),
        Formula(
            "Pixel map",
            r"P = \operatorname{minmax}\left(M\,C\,M^{\top}\right), \qquad M_{ui} = \frac{[\,s i \le u < s i + 32\,]}"
            r"{\sum_j [\,s j \le u < s j + 32\,]}",
            "Every pixel is the mean confidence of the patches that contain it; C is the 49 × 49 map of positions.",
            f"{DC}, Algorithm 1",
            "The authors' loop swaps x and y once in extraction and once in mapping; here a row is y throughout.",
        ),
    ),
    "Schemes": (
        Formula(
            "Selection",
            r"S = \{\, u : P_u > Q_q(P) \,\}",
            "The pixels strictly above the map's q-quantile: q = 0.7 selects the top 30%. General schemes take the mean map, "
            "specific ones each image's own.",
            f"{DC}, section 3.3",
        ),
        Formula(
            "Mask and noise",
            r"x'_u = \begin{cases} \bar{x} & \text{mask} \\ \operatorname{clip}_{[0,1]}\!\left(x_u + \varepsilon_u\right),\;"
            r"\varepsilon_u \sim \mathcal{N}(0, 0.5) & \text{noise} \end{cases} \qquad u \in S",
            "Selected pixels get the data set's mean colour, or noise that is fresh in every batch.",
            f"{DC}, section 3.3",
            "The authors' code adds noise after ImageNet normalisation and then clips to [0, 1], which also blackens every "
            "below-mean pixel of the image. Here noise stays in pixel space; theirs is an option.",
        ),
    ),
    "Subgroups": (
        GroupMetric,
        Formula(
            "Correlation of the training subset",
            r"\varphi = \frac{n_{11} n_{00} - n_{10} n_{01}}{\sqrt{n_{1\cdot}\, n_{0\cdot}\, n_{\cdot 1}\, n_{\cdot 0}}}",
            "How strongly target and confounder go together in the four cells.",
            "Pearson",
        ),
    ),
    "Intervals": (
        Formula(
            "Wilson's interval",
            r"\frac{\hat p + \frac{z^2}{2n} \pm z \sqrt{\frac{\hat p (1 - \hat p)}{n} + \frac{z^2}{4 n^2}}}{1 + \frac{z^2}{n}}",
            "For the accuracy of one classifier over n faces; it holds at 0 and 1 too.",
            "Wilson 1927",
        ),
        Formula(
            "Bootstrap over faces and seeds",
            r"\left[\, Q_{0.025}(T^*),\; Q_{0.975}(T^*) \,\right], \qquad T^*_1, \dots, T^*_{2000}",
            "Faces are drawn within their cells, once for all classifiers and seeds, and seeds are drawn too; so differences "
            "profit from the pairing.",
            "Efron 1979",
            "The paper gives no intervals.",
        ),
    ),
    "Attention": (
        Formula(
            "Magnitude",
            r"m = \frac{1}{2}\,\frac{\left|\sum_c r_c\right|}{\max \left|\sum_c r_c\right|}",
            "Relevance summed over channels, scaled by the image's largest, without its sign.",
            f"{SZ}, their code",
            "`raw` leaves the scaling out, which otherwise hides a change in strength. A map of zeros is counted as not measured.",
        ),
        SaliencyMetric,
        SaliencyTest,
    ),
    "Explainers": (
        Formula(
            "Layer-wise relevance propagation",
            r"R_i = \sum_j \frac{a_i\, w_{ij}^{+}}{\sum_k a_k\, w_{kj}^{+} + \epsilon}\, R_j, \qquad \sum_i R_i = f(x)",
            "The logit handed back layer by layer; convolutions by the rule shown, linear layers by the ε rule with "
            "signed weights.",
            "Bach et al. 2015; zennit, composite EpsilonPlus",
            "Batch norms are merged into the layers before them on a copy, and biases take no relevance, so that the sum is "
            "conserved; the authors' code lets biases take it.",
        ),
        Formula(
            "Integrated Gradients",
            r"\mathrm{IG}_i = (x_i - x'_i) \int_0^1 \frac{\partial f\left(x' + t (x - x')\right)}{\partial x_i}\,\mathrm{d}t, "
            r"\qquad \sum_i \mathrm{IG}_i = f(x) - f(x')",
            "The gradient summed along the way from a baseline x′; what the sum misses is shown as the completeness delta.",
            "Sundararajan et al. 2017; captum",
            "Gauss-Legendre nodes, 50 steps; the baseline is a named choice.",
        ),
    ),
    "Mitigation": (
        Formula(
            "Zhang's adversary",
            r"g \leftarrow g - \frac{\langle g, u \rangle}{\langle u, u \rangle}\,u - \alpha\,u, \qquad "
            r"u = \nabla_w L_{\text{adversary}}",
            "Each step leaves out what would help an adversary that reads the confounder from the logits.",
            "Zhang, Lemoine, Mitchell 2018",
            "DetoxAI leaves out the division by ⟨u, u⟩; fairlearn's inner product is wrong for the weights of convolutions.",
        ),
        Formula(
            "Concept vector and P-ClArC",
            r"v = \frac{\operatorname{cov}(a, y)}{\left\|\operatorname{cov}(a, y)\right\|}, \qquad "
            r"a' = a + \left(z^- - v^{\top} a\right) v",
            "Moves the activation a of a layer, along the concept's direction v, to where faces without the concept lie.",
            "Anders et al. 2022; Pahde et al. 2022 (signal vectors)",
        ),
        Formula(
            "RR-ClArC",
            r"L = L_{\text{CE}} + \lambda\,\mathbb{E}\left[\left(\nabla_a s^{\top} v\right)^2\right]",
            "Fine-tuning that makes the score s insensitive to the concept's direction; λ is chosen on validation faces.",
            "Dreyer et al. 2024",
        ),
        Formula(
            "Threshold optimisation",
            r"\hat y = [\,s > t_a\,], \qquad (t_a) \text{ chosen on validation faces under a fairness constraint}",
            "A threshold for each group of the confounder. It needs that membership at prediction time, and cannot "
            "move a saliency map.",
            "Hardt et al. 2016; fairlearn's ThresholdOptimizer",
        ),
        Method,
    ),
}


def formulas_of(topic: str) -> list[Formula]:
    """Return a topic's formulas, those of metrics that are explained together as one."""
    found: list[Formula] = []
    for part in FORMULAS[topic]:
        found += [part] if isinstance(part, Formula) else _of_registered(part)
    return found


def _of_registered(kind: type[Metric] | type[Method]) -> list[Formula]:
    return (
        _of_metrics(kind) if issubclass(kind, Metric) else [_of_method(each) for each in METHODS.values() if each.latex]
    )


def _of_method(method: Method) -> Formula:
    meaning = f"{method.description} It learns from the {method.learns_from} and needs: {method.needed}."
    return Formula(METHODS.title(method.name), method.latex, meaning, method.source, method.differs)


def _of_metrics(kind: type[Metric]) -> list[Formula]:
    together: dict[object, list[Metric]] = {}
    for metric in metrics_of(kind):
        if metric.latex:
            together.setdefault(metric.explanation or metric.name, []).append(metric)
    return [_of_explained(metrics) for metrics in together.values()]


def _of_explained(metrics: Sequence[Metric]) -> Formula:
    """Return the formula of one metric, or of several that share an explanation."""
    first, explanation = metrics[0], metrics[0].explanation
    sources = "; ".join(dict.fromkeys(metric.source for metric in metrics))
    if explanation is None:
        return Formula(first.heading, first.latex, first.description, sources)
    latex = explanation.between.join(metric.latex for metric in metrics)
    return Formula(explanation.title, latex, explanation.meaning, sources, explanation.differs)
