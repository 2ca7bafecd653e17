"""What an experiment is asked to mitigate with: methods and their settings."""

from typing import Any

from pydantic import Field, SerializeAsAny, model_validator

from fairsal_core.mitigation import METHODS, MitigationSettings
from fairsal_core.settings.base import FrozenSettings, chosen_settings, described


class MethodChoice(FrozenSettings):
    """A mitigation method and its settings, also readable from "zhang" or "a_clarc:layers=5+10,epochs=2"."""

    method: str = Field(description="a name in METHODS")
    settings: SerializeAsAny[MitigationSettings] = Field(description="the method's settings")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return chosen_settings(value, METHODS.find)

    @property
    def name(self) -> str:
        """The variant's name in every table: the method, and whatever differs from its defaults."""
        return described(self.method, self.settings)
