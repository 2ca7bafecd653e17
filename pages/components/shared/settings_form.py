"""Settings that draw themselves: one widget for each field of a pydantic model, whoever wrote the model."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import streamlit as st
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from pages.components.shared.rows import in_rows
from pages.components.shared.settings_widgets import Widget, widget_for
from pages.components.shared.words import plain

Changed = dict[str, Any]


def settings_form(
    defaults: BaseModel,
    key: str,
    *,
    leave_out: Collection[str] = (),
    across: int = 2,
    on_change: Callable[[], None] | None = None,
) -> Changed:
    """Show every field of a settings model, and return those that differ from the defaults.

    What differs is kept in the session's state under `key`; set that before to begin with other values.

    Parameters
    ----------
    defaults : BaseModel
        The settings to begin with; its class says what each field takes.
    key : str
        Under which the session keeps what differs, and begins the widgets' keys.
    leave_out : collection of str
        Fields that are drawn elsewhere.
    across : int
        Widgets side by side.
    on_change : callable, optional
        Called when the reader has changed a field, after what differs was kept.
    """
    changed: Changed = st.session_state.setdefault(key, {})
    names = [name for name in type(defaults).model_fields if name not in leave_out]
    for column, name in in_rows(names, across, align="bottom"):  # a checkbox has no line above it
        field = type(defaults).model_fields[name]
        default = getattr(defaults, name)
        value = changed.get(name, default)
        widget = widget_for(name, field, value)
        held = widget.held(value)
        place = f"{key}-{name}"
        if widget.begin is None or st.session_state.get(place, held) != held:  # set from elsewhere
            st.session_state[place], begin = held, {}
        else:
            begin = widget.begin(held)
        with column:
            widget.draw(
                field.title or name.replace("_", " ").capitalize(),
                key=place,
                **begin,  # in every run: the browser asks when a popover opens, which may be many runs later
                help=_help(field.description, widget, default),
                on_change=_keep,
                args=(defaults, key, names, on_change),
            )
    return {name: changed[name] for name in names if name in changed}


def differing(settings: BaseModel) -> Changed:
    """Return the fields of settings that differ from their class's defaults."""
    defaults = type(settings)()
    return {
        name: getattr(settings, name)
        for name in type(settings).model_fields
        if not _same(getattr(settings, name), getattr(defaults, name))
    }


def _keep(defaults: BaseModel, key: str, names: Collection[str], on_change: Callable[[], None] | None) -> None:
    """Keep what the widgets now say."""
    before: Mapping[str, Any] = st.session_state[key]
    now = {}
    for name in names:
        default = getattr(defaults, name)
        value = before.get(name, default)
        widget = widget_for(name, type(defaults).model_fields[name], value)
        held = st.session_state[f"{key}-{name}"]
        if held != widget.held(value):  # else the value stays to the last digit, which not every widget shows
            value = widget.read(held)
        if not _same(value, default):
            now[name] = value
    st.session_state[key] = now
    if on_change:
        on_change()


def _same(one: Any, other: Any) -> bool:
    return bool(to_jsonable_python(one, fallback=str) == to_jsonable_python(other, fallback=str))


def _help(description: str | None, widget: Widget, default: Any) -> str:
    """Return what the model says of a field, what to type, and the default."""
    said = [description[:1].upper() + description[1:]] if description else []
    said += [f"Expects {widget.expects}"] if widget.expects else []
    shown = widget.held(default)
    words = ", ".join(map(str, shown)) if isinstance(shown, list) else str("" if shown is None else shown)
    return plain(". ".join([*said, f"Default: {words or 'none'}."]))
