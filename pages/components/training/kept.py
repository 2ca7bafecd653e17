"""What an earlier run was asked for and the form does not show: kept, and said, until the reader lets it go."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import streamlit as st

from fairsal_core.settings import ExperimentConfig
from pages.components.shared.words import plain

_KEPT = "kept_settings"
DRAWN = {
    "data",
    "target",
    "confounder",
    "counts",
    "balanced",
    "schemes",
    "measure",
    "regions",
    "training",
    "mask_epochs",
    "attention",
    "seeds",
    "device",
}


class Kept(NamedTuple):
    """Fields that the form lacks, seeds that are not 0, 1, 2, ..., and schemes by what the form would call them."""

    fields: dict[str, Any]
    seeds: tuple[int, ...]
    schemes: dict[str, list[str]]


def keep(config: ExperimentConfig, called: Sequence[str]) -> None:
    """Keep what the form does not show of a config, whose schemes it would ask for as they are `called`."""
    content = config.model_dump(mode="json")
    usual = ExperimentConfig().model_dump(mode="json")
    fields = {name: value for name, value in content.items() if name not in DRAWN and value != usual[name]}
    seeds = config.seeds if config.seeds != tuple(range(len(config.seeds))) else ()
    schemes: dict[str, list[str]] = {}
    for name, choice in zip(called, config.schemes, strict=True):
        schemes.setdefault(name, []).append(choice.name)
    finer = {name: names for name, names in schemes.items() if names != [name]}
    st.session_state[_KEPT] = Kept(fields, seeds, finer)


def with_kept(content: dict[str, Any]) -> dict[str, Any]:
    """Return what the form says with what is kept beside it."""
    kept: Kept | None = st.session_state.get(_KEPT)
    if kept is None:
        return content
    schemes = [name for asked in content["schemes"] for name in kept.schemes.get(asked, [asked])]
    seeds = list(kept.seeds) if len(kept.seeds) == len(content["seeds"]) else content["seeds"]
    return {**kept.fields, **content, "schemes": list(dict.fromkeys(schemes)), "seeds": seeds}


def kept_section() -> None:
    """Say what is kept, and offer to let it go; nothing where nothing is."""
    kept: Kept | None = st.session_state.get(_KEPT)
    if kept is None or not any(kept):
        return
    said = [f"{_meaning(name)}: **{plain(_shown(value))}**" for name, value in kept.fields.items()]
    said += [f"seeds **{', '.join(map(str, kept.seeds))}**"] if kept.seeds else []
    said += [f"scheme **{plain(name)}**" for names in kept.schemes.values() for name in names]
    with st.container(border=True, key="kept"):
        st.markdown("Kept, though this form does not show it: " + "; ".join(said) + ".")
        st.button("Let it go", key="let_go", on_click=let_go, help="Begin again from what the form shows.")


def let_go() -> None:
    """Keep nothing any more."""
    st.session_state.pop(_KEPT, None)


def _meaning(name: str) -> str:
    return plain(ExperimentConfig.model_fields[name].description or name.replace("_", " "))


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(one.get("method", one)) if isinstance(one, dict) else str(one) for one in value)
    return str(value)
