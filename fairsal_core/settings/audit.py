"""What an audit is asked: which classifiers, or predictions that somebody brings, on which faces."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from fairsal_core.drawing import DEMO
from fairsal_core.errors import FairsalError
from fairsal_core.settings.base import FrozenSettings

AUDIT = "audit"
ROLES = ("face", "score", "decision", "label", "model")
ALL_SPLITS = "all"
ON_VALIDATION = "validation"
NO_DEVICE = "none"  # of an audit of predictions, which needs no network
_MOST_FILES = 20


def columns_in(text: str) -> dict[str, str]:
    """Return role -> column of "ROLE=COLUMN,..."; raises FairsalError for what is no role of ROLES."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    return check_roles({role.strip(): column.strip() for role, _, column in pairs})


def check_roles(columns: dict[str, str]) -> dict[str, str]:
    """Return role -> column; raises FairsalError for what is no role of ROLES."""
    if wrong := [role for role in columns if role not in ROLES]:
        raise FairsalError(f"A column is {', '.join(ROLES)}; not '{wrong[0]}'.")
    return columns


class AuditConfig(FrozenSettings):
    """Predictions to audit: a target, an attribute that they should not depend on, and the faces that they are about."""

    data: str = Field(
        DEMO, min_length=1, description="'demo' for the drawn faces, or a folder of faces and their labels"
    )
    target: str = Field(min_length=1, description="attribute that the classifier predicts")
    confounder: str = Field(min_length=1, description="protected attribute, which it should not rely on")
    predictions: tuple[str, ...] = Field(
        (), max_length=_MOST_FILES, description="tables with a file name and a score or a decision in each row"
    )
    columns: dict[str, str] = Field(
        default={},
        description=f"what columns are, as ROLE=COLUMN,..., of {', '.join(ROLES)}; by default it is looked at",
    )
    scores: Literal["probabilities", "logits"] = Field(
        "probabilities", description="what scores are: probabilities of the target, or logits, of which they are made"
    )
    threshold: float | Literal["validation"] = Field(
        0.5,
        description="scores above it mean yes, where no decision is given; 'validation': chosen on the other held-out split",
    )
    test_split: Literal["test", "val", "train", "all"] = Field(
        "test", description="faces that are judged on: of a split, or of all"
    )
    test_per_cell: int | None = Field(
        None, ge=1, description="test faces per cell; by default as many as the rarest has"
    )
    seeds: tuple[int, ...] = Field((0,), min_length=1, max_length=1, description="one: nothing is trained")
    device: str = Field(NO_DEVICE, description="none: predictions need no network")

    @field_validator("data")
    @classmethod
    def _whole_path(cls, data: str) -> str:
        return data if data == DEMO else str(Path(data).expanduser().resolve())

    @field_validator("predictions")
    @classmethod
    def _whole_paths(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(str(Path(file).expanduser().resolve()) for file in files))

    @field_validator("columns", mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return columns_in(value) if isinstance(value, str) else value

    @field_validator("threshold", mode="before")
    @classmethod
    def _number_or_word(cls, value: Any) -> Any:
        try:
            return float(value)
        except (TypeError, ValueError):
            return value

    @model_validator(mode="after")
    def _fits(self) -> "AuditConfig":
        if self.target == self.confounder:
            raise FairsalError(f"Target and protected attribute are both '{self.target}'; choose two different ones.")
        check_roles(self.columns)
        if isinstance(self.threshold, float) and not 0 <= self.threshold <= 1:
            raise FairsalError(f"A threshold lies between 0 and 1; {self.threshold:g} does not.")
        if self.threshold == ON_VALIDATION and self.test_split == ALL_SPLITS:
            raise FairsalError(
                "A threshold that is chosen on the validation faces cannot be judged on them too: give it, or judge on one split."
            )
        if not self.predictions and not getattr(self, "subjects", ()):
            raise FairsalError(
                "An audit needs predictions, a table with file names and scores or decisions; or classifiers."
            )
        return self

    @property
    def references(self) -> dict[str, int]:
        """Names of those that a training would be compared with: none, since nothing is trained."""
        return {}
