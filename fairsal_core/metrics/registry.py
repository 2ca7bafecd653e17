"""The metrics by name. A new one is one file with its function, and one entry here."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar, get_args

from fairsal_core.metrics.base import (
    About,
    Axis,
    Better,
    Criterion,
    Explanation,
    GroupMetric,
    Metric,
    SaliencyMetric,
    SaliencyTest,
)
from fairsal_core.metrics.groups import (
    ACCURACY,
    DEMOGRAPHIC_PARITY,
    EQUAL_OPPORTUNITY,
    EQUALIZED_ODDS,
    GAP,
    IMPACT_RATIO,
    WORST_CELL,
    accuracies,
    demographic_parity_difference,
    equal_opportunity_difference,
    equalized_odds_difference,
    gap_estimate,
    impact_ratio,
    worst_cell_estimate,
)
from fairsal_core.metrics.paired import gap_change, odds_change
from fairsal_core.metrics.saliency import adr, dif, hrf, inside_minus_outside, mrr, rrf, rrf_change
from fairsal_core.registry import Registry

M = TypeVar("M", bound=Metric)

# A face's values are columns beside these.
_COLUMNS = ("variant", "seed", "face", "target", "confounder", "peak")
_DE_CONINCK = "De Coninck, Leroux, Simoens 2024"
_SZTUKIEWICZ = "Sztukiewicz, Stępka, Wiliński, Stefanowski 2025"
_DIFFERENCES_BY = "Dwork et al. 2012; Hardt et al. 2016; computed by fairlearn"
_SHARE = (0.0, 1.0)

_GAP = Explanation(
    "Gap",
    "With target Male: women minus men, on a test set with equally many faces in each cell.",
    "The paper evaluates three schemes on treated test faces and one on clean ones; here both are always shown. "
    "The worst cell is named too, since a small gap may hide it.",
)
_DIFFERENCES = Explanation(
    "Fairness differences",
    "Demographic parity, equal opportunity and equalized odds between faces with and without the confounder a.",
    between=r", \quad ",
)
_ONE_MAP = Explanation(
    "One map",
    "Share of the relevance inside the region of interest R, share of its pixels that are highly relevant, ratio of the means. "
    "All fall when attention leaves R.",
)
_TWO_MAPS = Explanation(
    "Before q and after p",
    "How much, and over how much of R, relevance fell. Both rise when attention leaves R.",
)
_RDDT = Explanation(
    "RDDT",
    "A one-sided test over images that the mean in R fell.",
    "The paper says Wilcoxon signed-rank (the default here), its code does a one-sample t test (an option). Statistic, "
    "p, effect size and n are given, not a bare yes or no.",
)


def problem_of(metric: Metric, known: Mapping[str, Metric]) -> str | None:
    """Return why a metric cannot be registered among others, itself one of them; None if it can."""
    if metric.better is not None and metric.better not in get_args(Better):
        return f"better is one of {', '.join(get_args(Better))}, or None; not {metric.better!r}"
    if any(other is not metric and other.title == metric.title for other in known.values()):
        return f"there is a metric with the title '{metric.title}' already"
    if metric.criterion and metric.better is None:
        return "what a review can demand has a direction that is better"
    match metric:
        case SaliencyMetric():
            return _problem_of_saliency(metric)
        case SaliencyTest():
            return _problem_of_test(metric, known)
        case GroupMetric():
            return _problem_of_group(metric, known)
    return "it is no SaliencyMetric, SaliencyTest or GroupMetric"


def _problem_of_saliency(metric: SaliencyMetric) -> str | None:
    if metric.name in _COLUMNS:
        return "each face has a column of that name already"
    if metric.axis and not (metric.needs_before and metric.better in ("lower", "higher")):
        return "an axis is for a change from before to after that is better lower or higher"
    return None


def _problem_of_test(metric: SaliencyTest, known: Mapping[str, Metric]) -> str | None:
    if not isinstance(known.get(metric.tests), SaliencyMetric):
        return f"it tests the values of a saliency metric, and '{metric.tests}' is none"
    if metric.criterion or metric.axis:
        return "a test has a p-value, and no interval to judge or to draw"
    return None


def _problem_of_group(metric: GroupMetric, known: Mapping[str, Metric]) -> str | None:
    if metric.about not in get_args(About):
        return f"about is one of {', '.join(get_args(About))}; not {metric.about!r}"
    if metric.axis and not (metric.change and metric.better in ("lower", "nearer zero")):
        return "an axis is for a metric with a change that is better lower or nearer zero"
    of = metric.criterion.of_each_cell if metric.criterion else ""
    each = known.get(of)
    if of and not (isinstance(each, GroupMetric) and each.about == "groups"):
        return f"each cell's limit is judged by a metric about groups, and '{of}' is none"
    return None


METRICS = Registry(
    "metric",
    "fairsal.metrics",
    Metric,
    (
        GroupMetric(
            ACCURACY,
            "accuracy",
            "Share of the faces that are classified rightly.",
            accuracies,
            about="groups",
            better="higher",
            span=_SHARE,
        ),
        GroupMetric(
            GAP,
            "gap",
            "Accuracy of the faces without the target attribute minus that of the faces with it.",
            gap_estimate,
            about="targets",
            change=gap_change,
            better="nearer zero",
            span=(-1.0, 1.0),
            latex=r"\Delta = \operatorname{acc}(\text{other}) - \operatorname{acc}(\text{target})",
            source=f"{_DE_CONINCK}, Table 1",
            explanation=_GAP,
            criterion=Criterion("Size of the gap in accuracy between the two target groups.", 0.1),
            axis=Axis("gap", "change in the gap's size"),
        ),
        GroupMetric(
            WORST_CELL,
            "worst cell",
            "The lowest accuracy of the cells, and which cell it is.",
            worst_cell_estimate,
            about="cell",
            better="higher",
            span=_SHARE,
            criterion=Criterion("Accuracy of every one of the cells.", 0.6, of_each_cell=ACCURACY),
        ),
        GroupMetric(
            DEMOGRAPHIC_PARITY,
            "demographic parity difference",
            "By how much the groups of the confounder differ in how often the target attribute is predicted.",
            demographic_parity_difference,
            better="lower",
            span=_SHARE,
            latex=r"\Delta_{\mathrm{DP}} = \left|\Pr[\hat y \mid a] - \Pr[\hat y \mid \bar a]\right|",
            source=_DIFFERENCES_BY,
            explanation=_DIFFERENCES,
        ),
        GroupMetric(
            EQUAL_OPPORTUNITY,
            "equal opportunity difference",
            "By how much the groups of the confounder differ in their true positive rates.",
            equal_opportunity_difference,
            better="lower",
            span=_SHARE,
            latex=r"\Delta_{\mathrm{EO}} = \left|\mathrm{TPR}_a - \mathrm{TPR}_{\bar a}\right|",
            source=_DIFFERENCES_BY,
            explanation=_DIFFERENCES,
        ),
        GroupMetric(
            EQUALIZED_ODDS,
            "equalized odds difference",
            "The larger of the differences in true and in false positive rates between the groups of the confounder.",
            equalized_odds_difference,
            change=odds_change,
            better="lower",
            span=_SHARE,
            latex=r"\Delta_{\mathrm{odds}} = \max\left(\Delta_{\mathrm{EO}}, "
            r"\left|\mathrm{FPR}_a - \mathrm{FPR}_{\bar a}\right|\right)",
            source=_DIFFERENCES_BY,
            explanation=_DIFFERENCES,
            axis=Axis("equalized odds", "change in the equalized odds difference"),
        ),
        GroupMetric(
            IMPACT_RATIO,
            "impact ratio",
            "How often the target attribute is predicted in the confounder's group where it is rarest, over where it is commonest.",
            impact_ratio,
            better="higher",
            span=_SHARE,
            latex=r"\mathrm{IR} = \min\left(\frac{\Pr[\hat y \mid a]}{\Pr[\hat y \mid \bar a]}, "
            r"\frac{\Pr[\hat y \mid \bar a]}{\Pr[\hat y \mid a]}\right)",
            source="29 CFR 1607.4 D, the four-fifths rule",
            criterion=Criterion(
                "Selection rate of the least selected group over that of the most selected; four fifths by the rule."
            ),
        ),
        SaliencyMetric(
            "rrf",
            "RRF",
            "Share of the relevance that lies in the region.",
            rrf,
            words="share of attention in the region",
            better="lower",
            span=_SHARE,
            latex=r"\mathrm{RRF} = \frac{\sum_{R} p}{\sum p}",
            source=f"{_SZTUKIEWICZ}, section 3",
            explanation=_ONE_MAP,
            criterion=Criterion("Share of the relevance inside the region of interest, where it was measured."),
        ),
        SaliencyMetric(
            "hrf",
            "HRF",
            "Share of the region's pixels that are highly relevant.",
            hrf,
            words="share of the region that draws strongly",
            better="lower",
            span=_SHARE,
            latex=r"\mathrm{HRF} = \frac{1}{|R|}\sum_{R} [\,p > 0.05\,]",
            source=f"{_SZTUKIEWICZ}, section 3",
            explanation=_ONE_MAP,
        ),
        SaliencyMetric(
            "mrr",
            "MRR",
            "Mean relevance in the region over the mean outside.",
            mrr,
            words="attention inside over outside",
            better="lower",
            span=(0.0, math.inf),
            latex=r"\mathrm{MRR} = \frac{\operatorname{mean}_R p}{\operatorname{mean}_{\bar R} p}",
            source=f"{_SZTUKIEWICZ}, section 3",
            explanation=_ONE_MAP,
        ),
        SaliencyMetric(
            "contrast",
            "contrast",
            "Mean relevance in the region minus the mean outside.",
            inside_minus_outside,
            shown=False,
            better="lower",
        ),
        SaliencyMetric(
            "adr",
            "ADR",
            "By how much the mean relevance in the region fell.",
            adr,
            needs_before=True,
            words="fall of attention in the region",
            better="higher",
            latex=r"\mathrm{ADR} = \operatorname{mean}_R (q - p)",
            source=f"{_SZTUKIEWICZ}, section 3",
            explanation=_TWO_MAPS,
            axis=Axis("fall of attention in the region (ADR)", "mean fall of magnitude in the region (ADR)"),
        ),
        SaliencyMetric(
            "dif",
            "DIF",
            "Share of the region's pixels whose relevance fell.",
            dif,
            needs_before=True,
            words="share of the region that lost attention",
            better="higher",
            span=_SHARE,
            latex=r"\mathrm{DIF} = \operatorname{mean}_R [\,q - p > 10^{-3}\,]",
            source=f"{_SZTUKIEWICZ}, section 3",
            explanation=_TWO_MAPS,
        ),
        SaliencyMetric(
            "rrf_change",
            "change in RRF",
            "By how much the share of the relevance in the region changed.",
            rrf_change,
            needs_before=True,
            shown=False,
            better="lower",
            span=(-1.0, 1.0),
            axis=Axis(
                "share of attention in the region (RRF)",
                "change in the share of attention in the region (RRF), after − before",
            ),
        ),
        SaliencyTest(
            "rddt",
            "RDDT",
            "A one-sided test over faces that the mean relevance in the region fell.",
            "adr",
            "did the mean in the region fall?",
            words="test that attention in the region fell",
            better="higher",
            latex=r"H_0:\ \operatorname{med}_i\,\mathrm{ADR}_i \le 0 \quad \text{against} \quad H_1:\ "
            r"\operatorname{med}_i\,\mathrm{ADR}_i > 0",
            source=f"{_SZTUKIEWICZ}, section 3; Wilcoxon 1945",
            explanation=_RDDT,
        ),
        SaliencyTest(
            "det",
            "DET",
            "A one-sided test over faces that the region is more relevant than the rest.",
            "contrast",
            "does the region draw more than the rest?",
            words="test that the region draws more than the rest",
            better="lower",
        ),
    ),
    problem_of,
)


def metrics_of(kind: type[M]) -> list[M]:
    """Return the metrics of one kind, such as `SaliencyMetric`, in their order."""
    return [metric for metric in METRICS.values() if isinstance(metric, kind)]


def in_order(names: Iterable[str]) -> list[str]:
    """Return each name once: those of metrics in their order, then those of no metric, or of none that is still installed."""
    return sorted(dict.fromkeys(names), key=METRICS.place)


def title_of(name: str) -> str:
    """Return a metric's title; a name that no metric has stands for itself."""
    return METRICS[name].title if name in METRICS else name


def words_of(name: str) -> str:
    """Return what a metric says, before its title; a name that no metric has stands for itself.

    Examples
    --------
    >>> words_of("rrf"), words_of("worst_cell")
    ('share of attention in the region (RRF)', 'worst cell')
    """
    return METRICS[name].in_words if name in METRICS else name


def directions(metrics: Sequence[Metric]) -> str:
    """Return which of some saliency metrics fall and which rise when attention leaves the region; perhaps nothing.

    Examples
    --------
    >>> directions([METRICS[name] for name in ("rrf", "mrr", "adr")])
    'RRF and MRR fall, ADR rises'
    """
    told = []
    for better, one, several in (("lower", "falls", "fall"), ("higher", "rises", "rise")):
        titles = [metric.title for metric in metrics if metric.better == better]
        if titles:
            told.append(f"{_enumerated(titles)} {one if len(titles) == 1 else several}")
    return ", ".join(told)


def _enumerated(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
