"""One card for a face: what every chosen classifier says of it, and where it looks, beside where the attribute can be read off."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray

from fairsal_core.classifiers import Subject, imported_subject, stored_classifiers, stored_subject
from fairsal_core.errors import FairsalError
from fairsal_core.experiments import trusted_choices
from fairsal_core.pictures import diverging_map, over_face, portrait
from fairsal_core.progress import silent
from fairsal_core.results import read_results
from fairsal_core.runs import RunFiles, list_runs
from fairsal_core.saliency import explain
from fairsal_core.settings import ExplainerChoice, explainer_title, parse_config, variant_title
from fairsal_core.tensors import resident, to_unit
from pages.components.attribution.reading import Mapped, Reading
from pages.components.shared.links import begin_with_linked, write_into_link
from pages.components.shared.rows import abreast
from pages.components.shared.words import plain, title_of

_MOST = 6
_LRP, _IG = (ExplainerChoice.model_validate(name) for name in ("lrp", "integrated_gradients"))
_RUNS = 20


class Asked(NamedTuple):
    """A classifier that can be asked: a trained variant of a finished run, or an imported one; and what it predicts."""

    title: str
    target: str
    find: Callable[[], Subject]


def subjects_section(reading: Reading, mapped: list[Mapped]) -> None:
    """Show the first face's card: score, region map, LRP and Integrated Gradients of each classifier that was chosen."""
    if not mapped or not mapped[0].picked.is_face:
        return
    offered = _offered()
    st.subheader("What classifiers say of this face, and where they look")
    if not offered:
        st.caption(
            "Nothing to ask yet: the variants of finished runs are offered here, such as Training makes, and classifiers that were "
            "imported on Audit."
        )
        return
    begin_with_linked("asked", offered)
    chosen = st.multiselect(
        "Classifiers",
        list(offered),
        format_func=lambda name: offered[name].title if name in offered else name,
        key="asked",
        max_selections=_MOST,
        placeholder="the variants of finished runs, and imported ones",
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
    """Return all that can be asked: variants of the newest finished runs, one seed each, by "RUN/VARIANT"; imported, by digest."""
    imported = {
        each.digest: Asked(
            f"{each.name or each.digest} · imported",
            each.outputs.target or "yes",
            partial(imported_subject, each.digest),
        )
        for each in stored_classifiers()
    }
    return {**_trained(), **imported}


def _trained() -> Mapping[str, Asked]:
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
                find = partial(stored_subject, variant, config.seeds[0], config.training.classifier, weights)
                found[f"{run.id}/{variant}"] = Asked(title, config.target, find)
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
            subject = asked.find()
            score, maps, instead = _asked(one.picked.pixels, subject.digest, subject)
        except (FairsalError, OSError) as error:
            st.error(plain(error))
            return
        with abreast(f"asked-{subject.digest}", 2):
            columns = st.columns(2 + len(maps))
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
        if instead:
            st.caption(plain(instead))


@st.cache_data(max_entries=64, scope="session", show_spinner="Asking the classifier …")
def _asked(
    face: NDArray[np.uint8], digest: str, _subject: Subject
) -> tuple[float, dict[str, NDArray[np.float32]], str]:
    """Return the probability of the target, the maps (128, 128) of what is predicted by each explainer, and why not by LRP."""
    network = _subject.load().eval()
    with torch.inference_mode():
        chances = network(to_unit(resident(face[None], torch.device("cpu")))).softmax(dim=-1)[0]
    said = int(chances.argmax())
    by_lrp, instead = trusted_choices(_LRP, [_subject], (face[None], np.array([said])), torch.device("cpu"), silent)
    choices = dict.fromkeys((*by_lrp, _IG))
    maps = {
        choice.name: explain(network, face[None], said, choice.method, choice.settings).relevance[0]
        for choice in choices
    }
    return float(chances[1]), maps, instead
