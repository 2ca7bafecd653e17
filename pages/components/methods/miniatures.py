"""Live miniatures of the formulas: move a slider, see the number change. Each is a fragment, so only it runs again."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import streamlit as st
import torch
from numpy.typing import NDArray

from fairsal_core.drawing import draw_face
from fairsal_core.faces import CellCounts, Roi, to_square
from fairsal_core.metrics import (
    Interval,
    SaliencyMetric,
    SaliencyTest,
    gap,
    magnitude,
    metrics_of,
    one_sided_test,
    wilson,
)
from fairsal_core.pictures import colour_map, portrait, to_bytes
from fairsal_core.regions import MEASURES, bundled_classifier, confidence, pixel_maps, region_maps
from fairsal_core.schemes import SCHEMES, apply_scheme
from fairsal_core.tensors import resident, to_unit
from pages.components.shared.links import link_choice
from pages.components.shared.rows import in_rows

SIDE = 64
REGION = Roi(x=8, y=8, width=22, height=22)


@st.fragment
def confidence_miniature() -> None:
    """Show all four measures for one probability."""
    share, rate = st.columns(2)
    probability = share.slider(
        "The patch says “blond” with probability", 0.01, 0.99, 0.8, 0.01, key="mini_p", bind="query-params"
    )
    prior = rate.slider("Base rate of blond", 0.01, 0.99, 0.06, 0.01, key="mini_prior", bind="query-params")
    logits = np.log([[1 - probability, probability]])
    for column, measure in in_rows(list(MEASURES)):
        value = float(confidence(logits, measure, (1 - prior, prior))[0])
        column.metric(MEASURES.title(measure), f"{value:.2f}", help=MEASURES[measure].description)


@st.cache_data(show_spinner=False)
def _example() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    face = to_square(draw_face(seed=0, index=10, changes={"Blond_Hair": True, "Wearing_Hat": False}).image)
    classifier = bundled_classifier("Blond_Hair")
    return face, pixel_maps(region_maps(classifier, face[None])[0], classifier)


@st.fragment
def scheme_miniature() -> None:
    """Hide a drawn face's hair at a quantile."""
    face, values = _example()
    left, right = st.columns(2)
    specific = [name for name, entry in SCHEMES.items() if entry.scope == "specific"]
    with left:
        scheme = link_choice("Scheme", specific, "mini_scheme", names={name: SCHEMES.title(name) for name in specific})
    quantile = right.slider("Quantile q", 0.05, 0.95, 0.7, 0.05, key="mini_quantile", bind="query-params")
    images = to_unit(resident(face[None], torch.device("cpu")))
    treated = apply_scheme(
        images,
        torch.from_numpy(values[None].copy()),
        scheme,
        quantile,
        [float(channel) for channel in images.mean(dim=(0, 2, 3))],
        torch.Generator().manual_seed(0),
    )
    changed = float((treated != images).any(dim=1).float().mean())
    pictures = st.columns(4)
    pictures[0].image(portrait(face), width="stretch", alt="A drawn face with blond hair")
    pictures[1].image(portrait(colour_map(values)), width="stretch", alt="Its map of Blond_Hair, bright on the hair")
    pictures[2].image(
        portrait(to_bytes(treated[0].permute(1, 2, 0).numpy())),
        width="stretch",
        alt=f"The face under {scheme} at quantile {quantile:g}",
    )
    pictures[3].metric("Pixels changed", f"{changed:.0%}")


@st.fragment
def gap_miniature() -> None:
    """Let the accuracies of two cells move, and show gap and worst cell."""
    columns = st.columns(4)
    names = ("blond men", "other men", "blond women", "other women")
    starts = (0.35, 0.90, 0.95, 0.80)
    accuracies = [
        column.slider(f"Accuracy, {name}", 0.0, 1.0, start, 0.01, key=f"mini_{name}", bind="query-params")
        for column, name, start in zip(columns, names, starts, strict=True)
    ]
    men, women = float(np.mean(accuracies[:2])), float(np.mean(accuracies[2:]))
    shown = st.columns(4)
    shown[0].metric("Accuracy", f"{np.mean(accuracies):.2f}")
    shown[1].metric("Gap", f"{gap(men, women):+.2f}")
    shown[2].metric("Worst cell", f"{min(accuracies):.2f}")
    shown[3].metric("It is", names[int(np.argmin(accuracies))])
    blond = st.slider(
        "Of 1,000 women in the training subset, blond are", 0, 1000, 667, key="mini_blond", bind="query-params"
    )
    counts = CellCounts(target_with=0, target_without=1000, other_with=blond, other_without=1000 - blond)
    st.metric("Correlation φ, with no blond man among 1,000", f"{counts.phi:+.2f}")


@st.fragment
def interval_miniature() -> None:
    """Show how an interval narrows with the number of faces, and what that does to a verdict."""
    left, right = st.columns(2)
    n = left.slider("Test faces n", 5, 1000, 31, key="mini_n", bind="query-params")
    share = right.slider("Share that is right", 0.0, 1.0, 0.65, 0.01, key="mini_share", bind="query-params")
    interval: Interval = wilson(round(share * n), n)
    limit = 0.6
    verdict = "pass" if interval.low >= limit else "fail" if interval.high < limit else "too few images to say"
    shown = st.columns(3)
    shown[0].metric("95% interval", f"{interval.low:.2f} to {interval.high:.2f}")
    shown[1].metric("Its width", f"{interval.high - interval.low:.2f}")
    shown[2].metric(f"At least {limit:g}?", verdict)


def _blob(shift: float, images: int = 1, seed: int = 0) -> NDArray[np.float64]:
    """Return relevance (N, SIDE, SIDE): a blob that leaves the region as `shift` goes from 0 to 1, the same seed each time."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    jitter = np.random.default_rng(seed).normal(0, 3, (images, 2))
    centre = 19 + 26 * shift
    distance = (rows - centre - jitter[:, :1, None]) ** 2 + (columns - centre - jitter[:, 1:, None]) ** 2
    return np.asarray(np.exp(-distance / (2 * 7.0**2)))


@st.fragment
def attention_miniature() -> None:
    """Move a blob of relevance out of a region, and show every metric."""
    shift = st.slider("Attention moves out of the region", 0.0, 1.0, 0.3, 0.05, key="mini_shift", bind="query-params")
    before, after = magnitude(_blob(0, 40)), magnitude(_blob(shift, 40, seed=1))
    pictures = st.columns([1, 1, 3])
    for column, maps, name in ((pictures[0], before, "before"), (pictures[1], after, "after")):
        column.image(
            _framed(maps[0] * 2),
            width="stretch",
            caption=name,
            alt=f"Relevance {name}: a bright blob, and the region of interest as a square at the top left",
        )
    shown = [metric for metric in metrics_of(SaliencyMetric) if metric.shown]
    values = {metric.name: metric.values(before, after, REGION) for metric in shown}
    tests = [test for test in metrics_of(SaliencyTest) if test.tests in values]
    tested = [(test, one_sided_test(values[test.tests])) for test in tests]
    compared = [(metric.in_words, _level(metric, values[metric.name])) for metric in shown if metric.needs_before]
    compared += [(f"{test.in_words}, p", f"{result.p_value:.2g}") for test, result in tested]
    with pictures[2]:
        for column, metric in in_rows([metric for metric in shown if not metric.needs_before], 3):
            level, start = (float(one.mean()) for one in (values[metric.name], metric.values(None, before, REGION)))
            column.metric(metric.in_words, f"{level:.2f}", f"{level - start:+.2f}", delta_color="off")
        for column, (title, text) in in_rows(compared, 3):
            column.metric(title, text)
        verdicts = [f"{test.title} {'rejects' if result.rejected else 'does not reject'}" for test, result in tested]
        st.caption(f"Means over {len(after)} made-up images; {', '.join(verdicts)}.")


def _level(metric: SaliencyMetric, values: NDArray[np.float64]) -> str:
    return f"{values.mean():+.3f}" if metric.signed else f"{values.mean():.2f}"


def _framed(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    picture = colour_map(values).copy()
    inside = REGION.mask((SIDE, SIDE))
    edge = inside & ~np.pad(inside, 1)[2:, 2:] | inside & ~np.pad(inside, 1)[:-2, :-2]
    picture[edge] = (255, 255, 255)
    return np.asarray(picture.repeat(4, axis=0).repeat(4, axis=1))


@st.fragment
def completeness_miniature() -> None:
    """Approximate Integrated Gradients of a curved function with few and many steps."""
    steps = st.slider("Steps of the sum", 1, 50, 3, key="mini_steps", bind="query-params")
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    x, baseline = 2.0, -1.0
    at = baseline + (x - baseline) * (nodes + 1) / 2
    approximate = float((x - baseline) * (weights / 2 * (1 - np.tanh(3 * at) ** 2) * 3).sum())
    exact = float(np.tanh(3 * x) - np.tanh(3 * baseline))
    shown = st.columns(3)
    shown[0].metric("Sum of IG", f"{approximate:.3f}")
    shown[1].metric("f(x) − f(x′)", f"{exact:.3f}")
    shown[2].metric("Completeness delta", f"{approximate - exact:+.3f}")
    st.caption("f(x) = tanh 3x, from x′ = −1 to x = 2, with Gauss-Legendre nodes.")


@st.fragment
def projection_miniature() -> None:
    """Turn a gradient against the adversary's, and show what the projection leaves."""
    left, right = st.columns(2)
    angle = left.slider("Angle between g and u, degrees", 0, 180, 40, 5, key="mini_angle", bind="query-params")
    alpha = right.slider("α", 0.0, 2.0, 0.5, 0.1, key="mini_alpha", bind="query-params")
    u, g = np.array([1.0, 0.0]), np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    step = g - (g @ u) / (u @ u) * u - alpha * u
    table = pd.DataFrame(
        {"along u": [g @ u, step @ u], "across u": [g[1], step[1]]}, index=["g", "after the projection"]
    )
    st.table(table.style.format("{:+.2f}"))
    st.caption("Along u the step always undoes α times what the adversary gains; across u it is untouched.")


MINIATURES: dict[str, Callable[[], None]] = {
    "Region maps": confidence_miniature,
    "Schemes": scheme_miniature,
    "Subgroups": gap_miniature,
    "Intervals": interval_miniature,
    "Attention": attention_miniature,
    "Explainers": completeness_miniature,
    "Mitigation": projection_miniature,
}
