"""Which widget a field of a settings model is drawn with, and how its value and what the widget holds become each other."""

import json
import math
import types
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import streamlit as st
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

_SAFE = 2**53 - 1  # beyond that a browser's numbers are not whole
_NOT_SET = "not set"


def _as_it_is(value: Any) -> Any:
    return value


def _as_value(held: Any) -> dict[str, Any]:
    return {"value": held}


@dataclass(frozen=True)
class Widget:
    """A widget for one field.

    Attributes
    ----------
    draw : callable
        A streamlit widget, called with label, key, help and what to do on a change.
    held : callable
        From the field's value to what the widget holds.
    begin : callable or None
        From that to the argument of `draw` that says what the widget begins with; None where `draw` has it already, so that
        the widget can be emptied, and what it holds has to come from the session's state.
    read : callable
        From what the widget holds back to a value; what does not make sense comes back as it was typed, for the model to refuse.
    expects : str
        What to type, where the widget does not show it.
    """

    draw: Callable[..., Any]
    held: Callable[[Any], Any] = _as_it_is
    begin: Callable[[Any], dict[str, Any]] | None = _as_value
    read: Callable[[Any], Any] = _as_it_is
    expects: str = ""


@dataclass(frozen=True)
class _Kind:
    """What a field takes: its type, whether it may also be None, and its bounds."""

    type: Any
    optional: bool
    bounds: tuple[Any, ...]

    def bound(self, *names: str) -> Any:
        """Return the first of these bounds that is set, such as "ge" or "gt"."""
        found = (getattr(bound, name, None) for name in names for bound in self.bounds)
        return next((value for value in found if value is not None), None)


def widget_for(name: str, field: FieldInfo, value: Any) -> Widget:
    """Return the widget for a field that now has this value; a line of text for what no other can hold."""
    kind = _kind_of(field)
    if options := _options(kind.type):
        return _choice(options, kind.optional)
    if kind.type is bool:
        return _choice((True, False), True) if kind.optional else Widget(st.checkbox)
    if kind.type in (int, float):
        return _number(kind, value)
    if kind.type is str:
        return Widget(st.text_input, held=lambda text: text or "", read=partial(_text, optional=kind.optional))
    if name.endswith(("colour", "color")) and get_args(kind.type) == (float, float, float) and not kind.optional:
        return Widget(st.color_picker, held=_to_hex, read=_from_hex)
    if (item := _item_of(kind.type)) and not kind.optional:
        return _several(kind.type, item, value)
    return _line(kind.type)


def _kind_of(field: FieldInfo) -> _Kind:
    taken: Any = field.annotation
    optional, bounds = False, tuple(field.metadata)
    while True:
        if hasattr(taken, "__value__"):  # of `type Layers = tuple[str, ...]`
            taken = taken.__value__
        elif get_origin(taken) is Annotated:
            taken, *more = get_args(taken)
            bounds += tuple(bound for one in more for bound in getattr(one, "metadata", [one]))
        elif get_origin(taken) in (Union, types.UnionType) and len(_but_none(taken)) == 1:
            optional, taken = True, _but_none(taken)[0]
        else:
            return _Kind(taken, optional, bounds)


def _but_none(union: Any) -> list[Any]:
    return [one for one in get_args(union) if one is not types.NoneType]


def _options(taken: Any) -> tuple[Any, ...]:
    """Return the values that a type lists; nothing where it does not."""
    if get_origin(taken) is Literal:
        return get_args(taken)
    return tuple(one.value for one in taken) if isinstance(taken, type) and issubclass(taken, Enum) else ()


def _choice(options: Sequence[Any], optional: bool) -> Widget:
    shown = [None, *options] if optional else list(options)
    draw = partial(st.selectbox, options=shown, format_func=lambda one: _NOT_SET if one is None else str(one))
    return Widget(
        draw,
        held=lambda value: value.value if isinstance(value, Enum) else value,
        begin=lambda held: {"index": shown.index(held) if held in shown else None},
    )


def _number(kind: _Kind, value: Any) -> Widget:
    whole = kind.type is int
    low, high = _whole_bounds(kind) if whole else (kind.bound("ge", "gt"), kind.bound("le", "lt"))
    step = kind.bound("multiple_of") or (1 if whole else _fine_step(value))
    draw = partial(
        st.number_input,
        min_value=_reachable(low, value, kind.type, min),
        max_value=_reachable(high, value, kind.type, max),
        step=kind.type(step),
        format="%d" if whole else "%g",
    )
    if not kind.optional:
        return Widget(draw, held=kind.type)
    empty = partial(draw, value=None, placeholder=_NOT_SET)
    return Widget(empty, held=lambda number: None if number is None else kind.type(number), begin=None)


def _whole_bounds(kind: _Kind) -> tuple[int | None, int | None]:
    """Return the smallest and the largest whole number; of fractions, where gt and lt have none, the model says so."""
    at_least, above, at_most, below = (kind.bound(name) for name in ("ge", "gt", "le", "lt"))
    low = math.ceil(at_least) if at_least is not None else None if above is None else math.floor(above) + 1
    high = math.floor(at_most) if at_most is not None else None if below is None else math.ceil(below) - 1
    return low, high


def _reachable(bound: Any, value: Any, number: type, outer: Callable[..., Any]) -> Any:
    """Return a bound as the widget takes it: of the number's type, and no tighter than the value that is there."""
    if bound is None or (number is int and abs(bound) > _SAFE) or not math.isfinite(bound):
        return None
    return number(bound if value is None else outer(bound, value))


def _fine_step(value: Any) -> float:
    """Return a tenth of the value's order of magnitude, such as 0.01 for 0.25 and 1e-7 for 1e-6."""
    return float(f"1e{math.floor(math.log10(abs(value))) - 1}") if value else 0.01


def _text(text: str | None, optional: bool) -> str | None:
    return None if optional and not text else text or ""


def _to_hex(colour: Sequence[float]) -> str:
    return "#" + "".join(f"{round(255 * min(max(part, 0.0), 1.0)):02x}" for part in colour)


def _from_hex(text: str) -> tuple[float, ...]:
    return tuple(round(int(text[start : start + 2], 16) / 255, 4) for start in (1, 3, 5))


def _item_of(taken: Any) -> Any:
    """Return the type of the items of a tuple or list of any length, or of a tuple of equal items; else None."""
    items = get_args(taken)
    if get_origin(taken) not in (tuple, list) or not items:
        return None
    first, *others = items
    alike = all(one in (first, ...) for one in others)
    item = get_args(first)[0] if get_origin(first) is Annotated else first
    return item if alike and (item in (int, float, str) or _options(item)) else None


def _several(taken: Any, item: Any, value: Any) -> Widget:
    """Return a widget for several numbers or names, typed one by one or chosen where the type lists them."""
    listed = _options(item)
    options = list(listed) or list(dict.fromkeys(map(_shortest, value or ())))
    kept = len(get_args(taken)) if get_origin(taken) is tuple and ... not in get_args(taken) else None
    draw = partial(
        st.multiselect,
        options=options,
        accept_new_options=not listed,
        max_selections=kept,
        placeholder="choose" if listed else "type a " + ("name" if item is str else "number"),
    )
    container = get_origin(taken)
    return Widget(
        draw,
        held=lambda values: list(values) if listed else [_shortest(one) for one in values],
        begin=lambda texts: {"default": texts},
        read=lambda texts: container(one if listed else _parsed(one, item) for one in texts),
    )


def _shortest(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def _parsed(text: str, item: type) -> Any:
    with suppress(ValueError):
        return item(text)
    return text


def _line(taken: Any) -> Widget:
    name = taken.__name__ if isinstance(taken, type) and not get_args(taken) else str(taken).replace("typing.", "")
    return Widget(st.text_input, held=_as_json, read=_from_json, expects=f"{name}, written as JSON")


def _as_json(value: Any) -> str:
    plain = to_jsonable_python(value, fallback=str)
    return plain if isinstance(plain, str) else json.dumps(plain)


def _from_json(text: str) -> Any:
    with suppress(ValueError):
        return json.loads(text)
    return text
