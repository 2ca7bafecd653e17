"""One card for a face: what every chosen classifier says of it, and where it looks, beside where the attribute can be read off."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray

from fairsal_core.classifiers import Subject, stored_subject
from fairsal_core.errors import FairsalError
from fairsal_core.pictures import diverging_map, over_face, portrait
from fairsal_core.results import read_results
from fairsal_core.runs import RunFiles, list_runs
from fairsal_core.saliency import EXPLAINERS, explain
from fairsal_core.settings import explainer_title, parse_config, variant_title
from fairsal_core.tensors import resident, to_unit
from pages.components.attribution.reading import Mapped, Reading
from pages.components.shared.links import begin_with_linked, write_into_link
from pages.components.shared.words import plain, title_of

_MOST = 6
_EXPLAINED_BY = ("lrp", "integrated_gradients")
_RUNS = 20


class Asked(NamedTuple):
    """A trained variant of a finished run: where its weights are, and what it predicts."""

    title: str
    target: str
    architecture: str
    weights: Path
    variant: str
    seed: int


def subjects_section(reading: Reading, mapped: list[Mapped]) -> None:
    """Show the first face's card: score, region map, LRP and Integrated Gradients of each classifier that was chosen."""
    if not mapped or not mapped[0].picked.is_face:
        return
    offered = _offered()
    st.subheader("What classifiers say of this face, and where they look")
    if not offered:
        st.caption("Nothing to ask yet: the variants of finished runs are offered here, such as Training makes.")
        return
    begin_with_linked("asked", offered)
    chosen = st.multiselect(
        "Classifiers",
        list(offered),
        format_func=lambda name: offered[name].title if name in offered else name,
        key="asked",
        max_selections=_MOST,
        placeholder="the variants of finished runs",
        wrap=True,
    )
    write_into_link("asked", chosen)
    for name in chosen:
        _show(offered[name], reading, mapped[0])
    if chosen:
        st.caption(
            "Red speaks for what the classifier predicts, blue against it; each map on its own scale. The region map says where "
            f"{plain(reading.attribute)} can be read off, whoever predicts what."
        )


def _offered() -> Mapping[str, Asked]:
    """Return the trained variants of the newest finished runs, the first seed of each, by "RUN/VARIANT"."""
    found: dict[str, Asked] = {}
    finished = [run for run in list_runs() if run.kind == "experiment" and run.status.state == "finished"]
    for run in finished[:_RUNS]:
        try:
            config = parse_config(dict(run.config))
        except FairsalError:  # of another version
            continue
        for variant in _variants_of(run.path, run.status.ended):
            weights = RunFiles(run.path).weights(variant, config.seeds[0])
            if weights.is_file():
                title = f"{variant_title(variant)} · {title_of(run)}, {run.created:%d %b %H:%M}"
                about = (config.target, config.training.classifier, weights, variant, config.seeds[0])
                found[f"{run.id}/{variant}"] = Asked(title, *about)
    return found


@st.cache_data(max_entries=128, show_spinner=False)
def _variants_of(path: Path, ended: float | None) -> list[str]:
    """Return the variants of a run that ended then; none of one that is damaged, which its own pages say."""
    try:
        return list(dict.fromkeys(read_results(path)["variant"]))
    except (FairsalError, OSError, KeyError):
        return []


def _show(asked: Asked, reading: Reading, one: Mapped) -> None:
    with st.container(border=True):
        try:
            score, maps = _asked(one.picked.pixels, asked, asked.weights.stat().st_mtime)
        except (FairsalError, OSError) as error:
            st.error(plain(error))
            return
        columns = st.columns([2, 2, 2, 2])
        with columns[0]:
            st.markdown(f"**{plain(asked.title)}**")
            st.metric(plain(asked.target), f"{score:.0%}", help="What the classifier says of the whole face.")
            st.caption("no more than a network's own confidence")
        region = one.pixels - np.nanmin(one.pixels)
        shown = {f"Region map of {reading.attribute}": 2 * region / (np.nanmax(region) or 1.0) - 1}
        shown |= {explainer_title(name): values for name, values in maps.items()}
        for column, (title, values) in zip(columns[1:], shown.items(), strict=True):
            with column:
                colours = diverging_map(np.nan_to_num(values), float(np.nanmax(np.abs(values))) or 1.0)
                st.image(
                    portrait(over_face(colours, one.face)),
                    width="stretch",
                    alt=f"{title} over {one.name}, {asked.title}",
                )
                st.caption(plain(title))


@st.cache_data(max_entries=64, scope="session", show_spinner="Asking the classifier …")
def _asked(face: NDArray[np.uint8], asked: Asked, changed: float) -> tuple[float, dict[str, NDArray[np.float32]]]:
    """Return the probability of the target, and the maps (128, 128) of what the classifier predicts by each explainer."""
    subject: Subject = stored_subject(asked.variant, asked.seed, asked.architecture, asked.weights)
    network = subject.load().eval()
    with torch.inference_mode():
        chances = network(to_unit(resident(face[None], torch.device("cpu")))).softmax(dim=-1)[0]
    said = int(chances.argmax())
    maps = {name: explain(network, face[None], said, name).relevance[0] for name in _EXPLAINED_BY if name in EXPLAINERS}
    return float(chances[1]), maps
