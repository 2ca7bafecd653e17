"""Choosing explainers or mitigation methods by name, each with its settings; every one is also a text, as in every table."""

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import chain, count
from typing import Any, NamedTuple, Protocol, TypeVar

import streamlit as st
from pydantic import BaseModel

from fairsal_core.errors import FairsalError
from fairsal_core.settings import ExplainerChoice, MethodChoice, checked_settings, choice_title
from pages.components.shared.settings_form import differing, settings_form
from pages.components.shared.words import explained, plain

Choice = TypeVar("Choice", ExplainerChoice, MethodChoice)
Content = str | dict[str, Any]  # as the model of a choice reads it


class Entry(Protocol):
    """What a registry says of an explainer or a method."""

    @property
    def description(self) -> str: ...

    @property
    def settings(self) -> type[BaseModel]: ...


class _Slot(NamedTuple):
    """A chosen one's method, and where the session keeps its settings."""

    method: str
    key: str


def fill_choices(key: str, choices: Iterable[ExplainerChoice] | Iterable[MethodChoice]) -> None:
    """Set what is chosen, with its settings."""
    slots: dict[str, _Slot] = {}
    for choice in choices:
        slots[choice.name] = _new_slot(key, choice, slots)
    st.session_state[key] = list(slots)
    st.session_state[_slots_key(key)] = slots


def choose_names(label: str, registry: Mapping[str, Entry], key: str, example: str) -> list[str]:
    """Show what can be chosen, and return it: names, each with the settings that the reader typed or set."""
    return st.multiselect(
        label,
        list(dict.fromkeys([*registry, *st.session_state[key]])),
        key=key,
        accept_new_options=True,
        placeholder="none",
        wrap=True,  # with settings they are long
        select_all=False,  # or Enter would choose all that match
        format_func=partial(choice_title, registry),
        help=f"{explained(registry)}\n\nSettings can be typed too: `{example}`.",
    )


def choose_settings(registry: Mapping[str, Entry], model: type[Choice], key: str) -> list[Content]:
    """Show the settings of each that is chosen, and return all as their model reads them.

    A text that makes no sense comes back as it is, for whoever reads it to say why.
    """
    earlier: Mapping[str, _Slot] = st.session_state.get(_slots_key(key), {})
    slots = {name: earlier[name] for name in st.session_state[key] if name in earlier}
    contents: list[Content] = []
    with st.container(horizontal=True):
        for name in st.session_state[key]:
            if name not in slots:
                try:
                    slots[name] = _new_slot(key, read_choice(model, name), slots)
                except FairsalError:
                    contents.append(name)
                    continue
            slot = slots[name]
            title = slot.key.removeprefix(f"{key}-")  # stays while its settings change, or else the popover would close
            changed = _settings_of(registry[slot.method], slot, title, partial(_rename, model, key, slot))
            contents.append({"method": slot.method, "settings": changed})
    st.session_state[_slots_key(key)] = slots
    return contents


def read_choices(model: type[Choice], contents: Iterable[Content]) -> list[Choice]:
    """Return what was chosen; if any of it makes no sense say why, and return nothing."""
    try:
        return [read_choice(model, content) for content in contents]
    except FairsalError as error:
        st.error(plain(error))
        return []


def read_choice(model: type[Choice], content: Content) -> Choice:
    """Return the choice that a text or a dict describes, or raise FairsalError."""
    return checked_settings(model, content)


def _settings_of(entry: Entry, slot: _Slot, title: str, on_change: partial[None]) -> dict[str, Any]:
    defaults = entry.settings()
    if not type(defaults).model_fields:
        return {}
    with st.popover(title, icon=":material/tune:"):
        st.caption(entry.description)
        return settings_form(defaults, slot.key, on_change=on_change)


def _rename(model: type[Choice], key: str, slot: _Slot) -> None:
    """Call a chosen one by what its settings are now, if they make sense and no other is called so."""
    slots: dict[str, _Slot] = st.session_state[_slots_key(key)]
    name = next(one for one, its in slots.items() if its == slot)  # another change may just have given it this one
    try:
        now = read_choice(model, {"method": slot.method, "settings": st.session_state[slot.key]}).name
    except FairsalError:
        return
    if now in slots:
        return
    st.session_state[key] = [now if one == name else one for one in st.session_state[key]]
    st.session_state[_slots_key(key)] = {now if one == name else one: its for one, its in slots.items()}


def _new_slot(key: str, choice: ExplainerChoice | MethodChoice, slots: Mapping[str, _Slot]) -> _Slot:
    """Give a chosen one a place for its settings, and put them there."""
    taken = {slot.key for slot in slots.values()}
    first = f"{key}-{choice.method}"
    places = chain([first], (f"{first}-{number}" for number in count(2)))
    place = next(one for one in places if one not in taken)
    st.session_state[place] = differing(choice.settings)
    return _Slot(choice.method, place)


def _slots_key(key: str) -> str:
    return f"{key}-slots"
