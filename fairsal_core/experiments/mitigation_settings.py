"""What an experiment is asked to mitigate with: methods and their settings."""

from typing import Any, get_origin

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, model_validator

from fairsal_core.experiments.attention_settings import described, pairs_in, settings_of
from fairsal_core.mitigation import MitigationSettings, find_method


class MethodChoice(BaseModel):
    """A mitigation method and its settings, also readable from "zhang" or "a_clarc:layers=5+10,epochs=2"."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str = Field(description="a name in METHODS")
    settings: SerializeAsAny[MitigationSettings] = Field(description="the method's settings")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            method, _, rest = value.partition(":")
            value = {"method": method, "settings": _with_lists(method, pairs_in(rest))}
        if not isinstance(value, dict) or "method" not in value:
            return value
        settings = value.get("settings", {})
        if isinstance(settings, dict):
            settings = settings_of(value["method"], find_method(value["method"]).settings, settings)
        return {**value, "settings": settings}

    @property
    def name(self) -> str:
        """The variant's name in every table: the method, and whatever differs from its defaults."""
        return described(self.method, self.settings)


def _with_lists(method: str, settings: dict[str, str]) -> dict[str, Any]:
    """Return settings with "a+b" as a list where the method takes several values."""
    fields = find_method(method).settings.model_fields
    return {
        name: value.split("+") if name in fields and get_origin(fields[name].annotation) is tuple else value
        for name, value in settings.items()
    }
