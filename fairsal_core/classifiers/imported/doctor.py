"""The preprocessing doctor: whether a classifier is fed as it was taught, told on labelled faces before any audit.

Feeding mistakes are silent: a network that wants BGR still answers for RGB, only worse. So the usual ways of feeding are
tried one after another, and one that is better than what the manifest says, by an interval that leaves out 0, is named: by its
scores, or by what the network's first batch norm remembers of how it was fed while it learned.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from fairsal_core.classifiers.imported.adapter import Adapter, prepare, two_logits
from fairsal_core.classifiers.imported.manifest import Manifest, as_manifest, with_settings
from fairsal_core.classifiers.imported.remembered import Seen, noting
from fairsal_core.classifiers.imported.source import to_frames
from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset
from fairsal_core.metrics import Interval, auc_change_interval, auc_interval, roc_auc
from fairsal_core.progress import Progress, silent
from fairsal_core.tensors import IMAGENET_MEAN, IMAGENET_STD

FACES, MORE = 200, 800  # of the first look, and of the second
LEVEL = 0.95
_CHANCE = 0.5
LEAST = 20
_SECOND_LOOKS = 3  # ways
_WORTH = 0.01  # of the AUC: less is not worth a word, however sure
_BATCH = 50
_RESAMPLES = 2000
_UNTOLD = Interval(math.nan, math.nan)
MISFIT = 0.05  # nats a channel: what other faces than a network's own make is below it
_CROPS = (1.0, 0.875, 0.75)
_RANGES: Mapping[str, tuple[float, tuple[float, ...], tuple[float, ...]]] = {
    "values from 0 to 1": (1.0, (0.0,), (1.0,)),
    "values from 0 to 255": (255.0, (0.0,), (1.0,)),
    "values from -1 to 1 (mean and deviation 0.5)": (1.0, (0.5,), (0.5,)),
    "ImageNet's mean and deviation": (1.0, IMAGENET_MEAN, IMAGENET_STD),
    "values from 0 to 255 less ImageNet's mean": (255.0, tuple(255 * each for each in IMAGENET_MEAN), (1.0,)),
}

_Way = tuple[str, dict[str, Any], Manifest]
"""In words, as settings, as a manifest."""


@dataclass(frozen=True)
class Trial:
    """One way of feeding, compared with the manifest's on the same faces.

    Attributes
    ----------
    what : str
        In words.
    settings : dict
        What to say for it, by the names of SETTINGS.
    auc : float
        Area under the ROC curve.
    accuracy : float
        At a score of one half.
    gain : float
        By how much the Brier score is smaller than the manifest's.
    interval : Interval
        Of the gain, over faces, at a level that allows for the number of trials.
    better : bool
        In the first look, whether the interval lies above 0, and the area is no smaller, and above one half for sure; in the
        second, whether the area is larger for sure, and by 0.01; with the labels swapped, whether the manifest's area is below
        one half for sure.
    misfit : float
        How far what the first batch norm is given is from what it keeps, in nats a channel; NaN where there is none.
    relief : Interval
        By how much that is less than as the manifest feeds it, at the same level.
    rise : Interval
        By how much the area is larger than the manifest's, at the same level.
    fits : bool
        Whether that is for sure, and at most half of what it was, which was more than MISFIT; and the area is not for sure
        smaller.
    """

    what: str
    settings: dict[str, Any]
    auc: float
    accuracy: float
    gain: float
    interval: Interval
    better: bool
    misfit: float = math.nan
    relief: Interval = _UNTOLD
    rise: Interval = _UNTOLD
    fits: bool = False


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor found.

    Attributes
    ----------
    n : int
        Faces.
    auc, accuracy : float
        Of the classifier as its manifest feeds it.
    auc_interval : Interval
        95%.
    trials : tuple of Trial
        Everything that was tried, best first.
    misfit : float
        As in `Trial`, of the manifest's way.
    """

    n: int
    auc: float
    auc_interval: Interval
    accuracy: float
    trials: tuple[Trial, ...]
    misfit: float = math.nan

    @property
    def better(self) -> tuple[Trial, ...]:
        """The trials that are better than what the manifest says, best first."""
        return tuple(trial for trial in self.trials if trial.better or trial.fits)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What there is to say, most important first."""
        low, high = self.auc_interval
        about = f"AUC {self.auc:.3f} [{low:.3f}, {high:.3f}] on {self.n} faces"
        if self.better:
            best = self.better[0]
            typed = " ".join(f"{key}={value}" for key, value in best.settings.items())
            if "reverse" in best.settings:
                return (
                    f"Its answers are the wrong way round: an AUC below one half means swapped labels, and here it is "
                    f"{self.auc:.3f} [{low:.3f}, {high:.3f}] on {self.n} faces. Say {typed} if that is how it was trained.",
                )
            swapped = " Below one half, an AUC means swapped labels." if high < _CHANCE else ""
            if best.fits:
                return (
                    f"Fed otherwise it sees what it saw in training: with {best.what} its first batch norm is given what differs "
                    f"from what it remembers by {best.misfit:.2g} nats a channel, not by {self.misfit:.2g}, and the AUC goes from "
                    f"{self.auc:.3f} to {best.auc:.3f} on {self.n} faces. Say {typed} if that is how it was trained.{swapped}",
                )
            if best.interval.low <= 0:
                return (
                    f"Fed otherwise it is better: with {best.what} the AUC goes from {self.auc:.3f} to {best.auc:.3f}, by "
                    f"{best.rise.low:+.3f} to {best.rise.high:+.3f}, on {self.n} faces. Say {typed} if that is how it was "
                    f"trained.{swapped}",
                )
            return (
                f"Fed otherwise it is better: with {best.what} the Brier score falls by {best.gain:.3f} "
                f"[{best.interval.low:.3f}, {best.interval.high:.3f}] and the AUC goes from {self.auc:.3f} to {best.auc:.3f} on "
                f"{self.n} faces. Say {typed} if that is how it was trained.{swapped}",
            )
        if low <= _CHANCE:
            return (
                f"It tells these labels no better than chance ({about}), however it is fed: is it about another target?",
            )
        return (f"No other way of feeding it is better: {about}, {len(self.trials)} ways tried.",)


def doctor_faces(
    faces: FaceDataset, target: str, count: int = FACES + MORE, seed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return some faces (n, 128, 128, 3) and their labels (n,), with and without the target in turn as long as there are both.

    Raises
    ------
    FairsalError
        If there is no such attribute, or a side of it has too few faces.
    """
    known = faces.with_label(target)
    labels, generator = known.labels(target), np.random.default_rng(seed)
    sides = [np.flatnonzero(labels == side) for side in (False, True)]
    if min(map(len, sides)) < LEAST // 2:
        raise FairsalError(
            f"{len(sides[1])} faces with '{target}' and {len(sides[0])} without are too few to judge by: "
            f"{LEAST // 2} of each at least."
        )
    first, second = (generator.permutation(side)[: count // 2] for side in sides)
    pairs = min(len(first), len(second))
    rows = np.concatenate([np.stack([first[:pairs], second[:pairs]], axis=1).ravel(), first[pairs:], second[pairs:]])
    order = np.argsort(rows)
    drawn, back = known.take(rows[order]), np.argsort(order)  # read as they lie
    return drawn.images[back], drawn.labels(target)[back]


def examine(
    classifier: Adapter, images: NDArray[np.uint8], labels: NDArray[np.bool_], progress: Progress = silent
) -> Diagnosis:
    """Try the usual ways of feeding a classifier on labelled faces: all on the first 200, on the others those in doubt.

    Parameters
    ----------
    classifier : Adapter
        In eval mode.
    images : array, (N, 128, 128, 3) uint8
        Faces, in no order that means something, as from `doctor_faces`.
    labels : array, (N,) bool
        Whether each has what the classifier's yes means.
    progress : Progress
        Called after each way; may raise to stop.

    Returns
    -------
    Diagnosis
        Of every way, with the interval of its gain over the manifest's; of those in doubt where the second look found one.

    Raises
    ------
    FairsalError
        If there are too few faces, or of one label alone.

    Notes
    -----
    The gain is the mean over faces of (s0 - y)^2 - (s1 - y)^2 (Brier 1950), s0 and s1 the two scores; its interval is
    Student's at level 1 - 0.05 / number of ways (Bonferroni). A way is better only if it also ranks no worse, so that scores
    that are merely flatter do not win. Swapped labels are known by the AUC alone. Of those that the first batch norm tells apart
    the one that fits best comes first; of others that are as good, to 0.01 of the AUC, the one that changes least.

    Where 200 faces name none, up to three ways whose AUC rises by more than the standard error of that are asked again on the
    others, which had no part in choosing them: there by the rise of the AUC alone (DeLong et al. 1988), since the Brier score of
    a classifier that is too sure falls with flatter scores, and on many faces that shows.
    """
    if len(labels) < LEAST or len(set(labels.tolist())) < 2:
        raise FairsalError(f"The doctor needs at least {LEAST} faces, with the target and without; got {len(labels)}.")
    first = _looked(classifier, candidates(classifier.manifest), images[:FACES], labels[:FACES], progress)
    doubted = [] if first.better else _doubted(classifier.manifest, first)
    others = labels[FACES:]
    if not doubted or min(int(others.sum()), int((~others).sum())) < LEAST:
        return first
    second = _looked(classifier, doubted, images[FACES:], others, progress)
    ranked = [replace(trial, better=_ranks_better(trial, second.auc)) for trial in second.trials]
    found = replace(
        second, trials=_simplest_first(sorted(ranked, key=lambda trial: (trial.better, trial.auc), reverse=True))
    )
    return found if found.better else first


def _simplest_first(ranked: list[Trial]) -> tuple[Trial, ...]:
    """Return ranked ways with the one that changes least at the head, of those as good as the first: to 0.01 of the area."""
    best = ranked[0]
    if not best.better or best.fits:
        return tuple(ranked)
    alike = [trial for trial in ranked if trial.better and trial.auc >= best.auc - _WORTH]
    head = min(alike, key=lambda trial: len(trial.settings))
    return (head, *(trial for trial in ranked if trial is not head))


def _ranks_better(trial: Trial, auc: float) -> bool:
    return trial.rise.low > 0 and trial.auc >= auc + _WORTH


def _doubted(manifest: Manifest, first: Diagnosis) -> list[_Way]:
    """Return the ways whose area is larger by more than the standard error of that, the surest first."""
    from scipy.stats import norm

    reach = float(norm.ppf(1 - (1 - LEVEL) / len(first.trials) / 2))

    def errors(trial: Trial) -> float:
        low, high = trial.rise
        return 2 * reach * (trial.auc - first.auc) / (high - low) if high > low else 0.0

    promising = [trial.what for trial in sorted(first.trials, key=errors, reverse=True) if errors(trial) > 1]
    ways = {way[0]: way for way in candidates(manifest) if "reverse" not in way[1]}
    return [ways[what] for what in promising if what in ways][:_SECOND_LOOKS]


@torch.inference_mode()
def _looked(
    classifier: Adapter, ways: list[_Way], images: NDArray[np.uint8], labels: NDArray[np.bool_], progress: Progress
) -> Diagnosis:
    """Return what some faces say of some ways of feeding."""
    frames = to_frames(images)
    base, misfits = _fed(classifier, classifier.manifest, frames)
    auc = _auc(base, labels)
    trials = []
    for done, (what, settings, manifest) in enumerate(ways, start=1):
        turned = "reverse" in settings
        scores, others = (1 - base, misfits) if turned else _fed(classifier, manifest, frames)
        trial = _trial(what, settings, (base, scores), labels, len(ways))
        if turned:  # how sure the scores are says nothing about which way round they are
            trial = replace(trial, better=_interval(auc, labels).high < _CHANCE)
        trials.append(_remembering(trial, (misfits, others), auc, labels, len(ways)))
        progress(done, len(ways), "feeding it in other ways")
    interval = _interval(auc, labels)
    # Below one half labels are swapped; that other feedings turn the answers round too is how an odd network may behave.
    swapped = interval.high < _CHANCE

    def rank(trial: Trial) -> tuple[bool, float, bool, float]:
        first = swapped and "reverse" in trial.settings
        return first, -trial.misfit if trial.fits else -math.inf, trial.better, trial.gain

    ranked = _simplest_first(sorted(trials, key=rank, reverse=True))
    return Diagnosis(len(labels), auc, interval, _accuracy(base, labels), ranked, float(misfits[0]))


def candidates(manifest: Manifest) -> list[_Way]:
    """Return the other ways of feeding a classifier: in words, as settings, as a manifest; those alike are left out."""
    now = manifest.preprocessing
    orders = ("RGB", "BGR") if now.channels != "grey" else ("grey",)
    found: list[tuple[str, dict[str, Any]]] = [("the labels swapped", {"reverse": not manifest.outputs.reverse})]
    for order in orders:
        if order != now.channels:
            found.append((f"channels in the order {order}", {"channels": order}))
        for what, (scale, mean, std) in _RANGES.items():
            if order == "grey":
                mean, std = (sum(mean) / len(mean),), (sum(std) / len(std),)
            settings: dict[str, Any] = {"scale": scale, "mean": _text(mean), "std": _text(std)}
            turned = {} if order == now.channels else {"channels": order}
            found.append((what if not turned else f"{what}, {order}", {**settings, **turned}))
    side = min(now.size)
    for share in _CROPS:
        whole = round(side / share)
        told = "the whole frame" if share == 1 else f"the middle {share:.0%} of the frame"
        found.append((told, {"resize": whole, "crop": side}))
    return _differing(manifest, found)


def _differing(manifest: Manifest, found: list[tuple[str, dict[str, Any]]]) -> list[_Way]:
    seen, kept = [manifest.preprocessing], []
    for what, settings in found:
        content = manifest.model_dump()
        if "crop" in settings:
            content["preprocessing"]["corner"] = None
        try:
            other = as_manifest(with_settings(content, settings))
        except (FairsalError, ValidationError):
            continue
        fed = other.preprocessing
        if "reverse" in settings or not any(_alike(fed, each) for each in seen):
            seen.append(fed)
            kept.append((what, settings, other))
    return kept


def _alike(one: Any, other: Any) -> bool:
    def spelled(each: Any) -> tuple[Any, ...]:
        mean, std = (tuple(values) * (each.depth // len(values)) for values in (each.mean, each.std))
        # (x scale - mean) / std is what counts, however it is written.
        slopes = [round(each.scale / deviation, 5) for deviation in std]
        offsets = [round(middle / deviation, 5) for middle, deviation in zip(mean, std, strict=True)]
        return each.resized, each.size, each.origin, each.channels, slopes, offsets

    return spelled(one) == spelled(other)


def _text(values: tuple[float, ...]) -> str:
    return ",".join(f"{value:g}" for value in values)


def _fed(
    classifier: Adapter, manifest: Manifest, frames: torch.Tensor
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the scores (N,) of a way of feeding, and its misfit, followed by that of resampled faces."""
    parts = []
    with noting(classifier.network) as seen:
        for part in frames.split(_BATCH):
            outputs = classifier.network(prepare(part, manifest.preprocessing))
            parts.append(two_logits(outputs, manifest.outputs).softmax(dim=1)[:, 1])
    scores: NDArray[np.float64] = torch.nan_to_num(torch.cat(parts), nan=0.5).double().numpy()
    return scores, _misfits(seen, len(frames))


def _misfits(seen: Seen, count: int) -> NDArray[np.float64]:
    if seen.norm is None or sum(map(len, seen.means)) != count:  # none, or one that each picture comes to several times
        return np.full(1 + _RESAMPLES, np.nan)
    resampled = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), _RESAMPLES)
    return seen.misfit(np.concatenate([np.ones((1, count)), resampled]))


def _remembering(
    trial: Trial,
    misfits: tuple[NDArray[np.float64], NDArray[np.float64]],
    auc: float,
    labels: NDArray[np.bool_],
    ways: int,
) -> Trial:
    """Return a trial with what the first batch norm says of it, by a bootstrap of the faces that all ways share."""
    before, after = misfits
    if not np.isfinite(before).all() or not np.isfinite(after).all():
        return trial
    tail = (1 - LEVEL) / ways / 2
    low, high = np.quantile((before - after)[1:], [tail, 1 - tail])
    nearer = low > 0 and before[0] > MISFIT and after[0] < before[0] / 2
    fits = bool(nearer and _interval(trial.auc, labels).high >= auc)
    return replace(trial, misfit=float(after[0]), relief=Interval(float(low), float(high)), fits=fits)


def _trial(
    what: str,
    settings: dict[str, Any],
    scores: tuple[NDArray[np.float64], NDArray[np.float64]],
    labels: NDArray[np.bool_],
    ways: int,
) -> Trial:
    from scipy.stats import t

    before, after = scores
    level = 1 - (1 - LEVEL) / ways
    gains = (before - labels) ** 2 - (after - labels) ** 2
    mean, error = float(gains.mean()), float(gains.std(ddof=1)) / math.sqrt(len(gains))
    reach = float(t.ppf((1 + level) / 2, len(gains) - 1)) * error
    auc = _auc(after, labels)
    better = mean - reach > 0 and auc >= _auc(before, labels) and _interval(auc, labels).low > _CHANCE
    interval, rise = Interval(mean - reach, mean + reach), auc_change_interval(before, after, labels, level)
    return Trial(what, settings, auc, _accuracy(after, labels), mean, interval, better, rise=rise)


def _interval(auc: float, labels: NDArray[np.bool_]) -> Interval:
    return auc_interval(auc, int(labels.sum()), int((~labels).sum()))


def _auc(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    return float(roc_auc(scores, labels))


def _accuracy(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    return float(((scores > 0.5) == labels).mean())
