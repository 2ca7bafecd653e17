"""What a metric says of itself: its words, which way is better, its formula; and what computes it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.metrics.decisions import Decisions, Estimate
from fairsal_core.metrics.intervals import Hits
from fairsal_core.metrics.saliency import Maps, Region, Values

Better = Literal["lower", "higher", "nearer zero"]
Bound = Literal["at most", "at least"]
About = Literal["groups", "targets", "cell", "faces"]


@dataclass(frozen=True)
class Criterion:
    """What a review can demand of a metric. Whether its limit is an upper or a lower one, the metric's direction says.

    Attributes
    ----------
    meaning : str
        What is demanded, in a sentence.
    limit : float, optional
        What is demanded until somebody says otherwise; None if nothing is.
    of_each_cell : str
        For the worst cell of another metric, that metric's name: then each of the cells has to keep the limit, since the
        cell that looks worst need not be the one that is.
    """

    meaning: str
    limit: float | None = None
    of_each_cell: str = ""


@dataclass(frozen=True)
class Axis:
    """How a change is called where fairness is drawn against attention: in the choice, and along the axis."""

    label: str
    title: str


@dataclass(frozen=True)
class Explanation:
    """What the Methods page says under one heading, of one metric or of several together.

    Attributes
    ----------
    title, meaning : str
        The heading, and what the formulas say.
    differs : str
        How fairsal differs from the source, if it does.
    between : str
        LaTeX between the formulas.
    """

    title: str
    meaning: str
    differs: str = ""
    between: str = r", \qquad "


@dataclass(frozen=True)
class Metric:
    """What all metrics have.

    Attributes
    ----------
    name : str
        In results and summaries, on disk.
    title : str
        In tables and charts, such as "RRF" or "worst cell".
    description : str
        What it says, in a sentence.
    better : "lower", "higher" or "nearer zero", optional
        Which way is better; for attention, which way it goes when attention leaves the region. None if neither is.
    span : (float, float)
        The least and the largest value there can be.
    latex, source : str
        Its formula and where it is from; without a formula it is not on the Methods page.
    explanation : Explanation, optional
        What stands there beside the formula; otherwise title and description do.
    criterion : Criterion, optional
        What a review can demand of it.
    axis : Axis, optional
        For a change, or a metric whose change is computed: how it is called where fairness is drawn against attention.
    words : str, optional
        What it says in a few words, where the title is an abbreviation.
    """

    name: str
    title: str
    description: str
    _: KW_ONLY
    better: Better | None = None
    span: tuple[float, float] = (-math.inf, math.inf)
    latex: str = ""
    source: str = ""
    explanation: Explanation | None = None
    criterion: Criterion | None = None
    axis: Axis | None = None
    words: str = ""

    @property
    def in_words(self) -> str:
        """What it says, before its title: for a reader who does not know the abbreviation."""
        return f"{self.words} ({self.title})" if self.words else self.title

    @property
    def heading(self) -> str:
        """The title as it begins a sentence or stands over something."""
        return self.title[:1].upper() + self.title[1:]

    @property
    def signed(self) -> bool:
        """Whether values have a sign to show."""
        return self.span[0] < 0

    @property
    def of_size(self) -> bool:
        """Whether it is the size of a value that counts, whatever its sign."""
        return self.better == "nearer zero"

    @property
    def bound(self) -> Bound | None:
        """What kind of limit a review sets; None where neither way is better."""
        return None if self.better is None else "at least" if self.better == "higher" else "at most"

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the largest limit that says something: of the size, where that is what counts."""
        low, high = self.span
        return (0.0, max(abs(low), abs(high))) if self.of_size else (low, high)


@dataclass(frozen=True)
class SaliencyMetric(Metric):
    """A value of every face: of the magnitudes of its map against a region, or of its maps before and after.

    Attributes
    ----------
    measure : callable
        (after (N, H, W), roi) -> (N,), or (before, after, roi) -> (N,) if it needs a before. NaN where there is no value.
    needs_before : bool
        Whether it compares a map with that of the original.
    shown : bool
        Whether charts and the report have it; False for values that only a test or the axis of a chart is about.
    """

    measure: Callable[..., Values]
    _: KW_ONLY
    needs_before: bool = False
    shown: bool = True

    def values(self, before: Maps | None, after: Maps, roi: Region) -> Values:
        """Return each face's value, NaN for all where a before is needed and there is none.

        Raises
        ------
        FairsalError
            If `measure` does not give one number a face.
        """
        if self.needs_before and before is None:
            return np.full(len(after), np.nan)
        maps = (before, after) if self.needs_before else (after,)
        values = np.asarray(self.measure(*maps, roi), dtype=np.float64)
        if values.shape != (len(after),):
            raise FairsalError(
                f"The metric '{self.name}' gives numbers of shape {values.shape} for {len(after)} maps; one a map is needed."
            )
        return values


@dataclass(frozen=True)
class SaliencyTest(Metric):
    """A one-sided test over faces that the values of a saliency metric lie above zero: `one_sided_test`, signed ranks.

    Attributes
    ----------
    tests : str
        Name of that metric. Where that is not shown, the report leaves the test out too.
    question : str
        What it asks, such as "did the mean in the region fall?".
    """

    tests: str
    question: str


Change = Callable[[Hits, Hits, NDArray[np.int64]], Estimate]
"""(correct before (S, N), correct after, cells (N,)) -> after minus before; where size counts, of the size."""


@dataclass(frozen=True)
class GroupMetric(Metric):
    """One number or several of a classifier's decisions about faces in the cells.

    Attributes
    ----------
    estimate : callable
        Decisions -> an `Estimate`, or a list of them.
    about : "groups", "targets", "cell" or "faces"
        What its estimates are about: each of several groups, the difference of the two target groups, one cell, which is
        then named, or all faces.
    change : callable, optional
        How much it changes from one classifier to another on the same faces.
    """

    estimate: Callable[[Decisions], Estimate | Sequence[Estimate]]
    _: KW_ONLY
    about: About = "faces"
    change: Change | None = None

    def estimates(self, decisions: Decisions) -> list[Estimate]:
        """Return what there is to say of a classifier's decisions, under this metric's name."""
        found = decisions.once(self.estimate)
        each = [found] if isinstance(found, Estimate) else found
        return [estimate._replace(metric=self.name) for estimate in each]
