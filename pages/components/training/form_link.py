"""The form's settings in the page's link: a preset, and what differs from it; with what the form does not show."""

import json
from collections.abc import Mapping
from typing import Any

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.settings import PRESETS, ExperimentConfig, parse_config, preset_settings
from pages.components.shared.words import plain

PRESET, SETTINGS = "preset", "settings"
_WRITTEN = "form_link"  # what the form last wrote there: anything else came from outside
Content = dict[str, Any]


def linked_config() -> tuple[str, ExperimentConfig] | None:
    """Return the preset and the settings that the link says, unless the form itself wrote them there; None where it says none.

    What makes no sense is one sentence, and the form begins as it would without.
    """
    link = _link()
    if link == (None, None) or link == st.session_state.get(_WRITTEN):
        return None
    preset, changed = link
    try:
        base = parse_config(preset_settings(preset or next(iter(PRESETS))))
        content = json.loads(changed or "{}")
        return preset or next(iter(PRESETS)), parse_config(merged(base.model_dump(mode="json"), content))
    except (ValueError, TypeError, AttributeError, FairsalError) as error:
        st.warning(f"The settings in this link cannot be read, so the form begins anew: {plain(error)}")
        st.session_state[_WRITTEN] = link
        return None


def write_link(preset: str, config: ExperimentConfig) -> None:
    """Have the link say what the form says; the data have a name of their own there."""
    base = parse_config(preset_settings(preset)).model_dump(mode="json")
    changed = differing(base, config.model_dump(mode="json"))
    changed.pop("data", None)
    link = (preset, json.dumps(changed, separators=(",", ":"), ensure_ascii=False) if changed else None)
    st.session_state[_WRITTEN] = link
    if link == _link():
        return
    st.query_params[PRESET] = preset
    if link[1]:
        st.query_params[SETTINGS] = link[1]
    else:
        st.query_params.pop(SETTINGS, None)


def differing(base: Mapping[str, Any], other: Mapping[str, Any]) -> Content:
    """Return what is other, field by field, than in the base.

    Examples
    --------
    >>> differing({"a": 1, "b": {"c": 2, "d": 3}}, {"a": 1, "b": {"c": 2, "d": 4}})
    {'b': {'d': 4}}
    """
    found: Content = {}
    for name, value in other.items():
        before = base.get(name)
        if value == before:
            continue
        if isinstance(value, dict) and isinstance(before, dict) and set(value) == set(before):
            found[name] = differing(before, value)
        else:
            found[name] = value
    return found


def merged(base: Mapping[str, Any], changed: Mapping[str, Any]) -> Content:
    """Return the base with what `differing` gave put in."""
    result = dict(base)
    for name, value in changed.items():
        before = result.get(name)
        if isinstance(value, dict) and isinstance(before, dict) and set(value) <= set(before):
            result[name] = merged(before, value)
        else:
            result[name] = value
    return result


def _link() -> tuple[str | None, str | None]:
    return st.query_params.get(PRESET), st.query_params.get(SETTINGS)
