"""What all settings share: how they are checked, and how a method's own are read from words and written as words."""

from collections.abc import Callable
from typing import Any, TypeVar, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from fairsal_core.errors import FairsalError

Settings = TypeVar("Settings", bound=BaseModel)


class FrozenSettings(BaseModel):
    """Base of all settings: frozen, and unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def settings_of(method: str, model: type[Settings], settings: dict[str, Any]) -> Settings:
    """Return a method's settings, or raise FairsalError with what it does not take."""
    try:
        return model(**settings)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        given = f"{place} = {first['input']!r}" if place else "these settings together"
        reason = first["msg"].removeprefix("Value error, ").rstrip(".")
        raise FairsalError(f"{method} does not take {given}: {reason}.") from None


def chosen_settings(value: Any, find: Callable[[str], Any]) -> Any:
    """Return what the model of a choice validates: `method` and `settings`, read from METHOD:name=value,... where it is text.

    Parameters
    ----------
    value : any
        What came: a text, a dict whose settings may be a dict, or anything that is no choice and passes as it is.
    find : callable
        A registry's, whose entries have a `settings` model.
    """
    if isinstance(value, str):
        method, _, rest = value.partition(":")
        value = {"method": method, "settings": _pairs_in(rest, find(method).settings)}
    if not isinstance(value, dict) or "method" not in value:
        return value
    settings = value.get("settings", {})
    if isinstance(settings, dict):
        settings = settings_of(value["method"], find(value["method"]).settings, settings)
    return {**value, "settings": settings}


def _pairs_in(text: str, model: type[BaseModel]) -> dict[str, Any]:
    """Return the settings in "name=value,name=value", with "a+b" as a list where the model takes several values."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair]
    fields = model.model_fields
    return {
        name: value.split("+") if name in fields and get_origin(fields[name].annotation) is tuple else value
        for name, _, value in pairs
    }


def described(method: str, settings: BaseModel) -> str:
    """Return what `chosen_settings` reads again: the method, and whatever differs from its defaults; "a+b" for several values."""
    changed = {
        name: "+".join(map(str, value)) if isinstance(value, tuple) else str(value)
        for name, value in settings.model_dump().items()
        if value != type(settings).model_fields[name].default
    }
    return method + (":" + ",".join(f"{name}={text}" for name, text in changed.items()) if changed else "")


def checked_settings(model: type[Settings], content: Any) -> Settings:
    """Return the settings that `content` describes, or raise FairsalError as `parse_config` does."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = [f"{'.'.join(map(_readable, item['loc'])) or 'all'}: {_plain(item)}" for item in error.errors()]
        raise FairsalError(f"The settings do not fit: {'; '.join(problems)}.") from error


def _readable(name: object) -> str:
    """Return a setting's name, which may hold anything: with line breaks and the like it would be no sentence."""
    text = str(name)
    return text if text.isprintable() else ascii(text)


def _plain(item: Any) -> str:
    if item["type"] == "extra_forbidden":
        return "there is no such setting"
    message = str(item["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"{message} (got {item['input']!r})" if not isinstance(item["input"], dict) else message
