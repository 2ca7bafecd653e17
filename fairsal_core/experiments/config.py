"""What an experiment is: the model that is the JSON on disk, the hash, the command line and the form."""

import hashlib
import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from fairsal_core.classifiers import CLASSIFIERS, ClassifierTraining
from fairsal_core.errors import FairsalError, unknown_name
from fairsal_core.faces import DEMO, CellCounts
from fairsal_core.regions import MEASURES, NETWORKS, RegionTraining
from fairsal_core.schemes import check_quantile, find_scheme

Settings = TypeVar("Settings", bound=BaseModel)


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SchemeChoice(_Settings):
    """A scheme at a quantile, also readable from "general_mask@0.7"."""

    scheme: str = Field("general_mask", description="general or specific, mask or noise")
    quantile: float = Field(0.7, description="pixels above this quantile of the map are hidden")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        scheme, _, quantile = value.partition("@")
        return {"scheme": scheme, "quantile": quantile} if quantile else {"scheme": scheme}

    @field_validator("quantile")
    @classmethod
    def _as_named(cls, quantile: float) -> float:
        return round(quantile, 4)  # the variant's name shows no more, and two variants of one name would be one row

    @model_validator(mode="after")
    def _fits(self) -> "SchemeChoice":
        find_scheme(self.scheme)
        check_quantile(self.quantile)
        return self

    @property
    def name(self) -> str:
        """The variant's name in every table."""
        return f"{self.scheme}@{self.quantile:g}"

    @property
    def general(self) -> "SchemeChoice":
        """The general scheme that hides the same way: what its test images are treated by."""
        return SchemeChoice(scheme=self.scheme.replace("specific", "general"), quantile=self.quantile)


class ExperimentConfig(_Settings):
    """One experiment: a confounder, a biased subset, and the variants trained on it."""

    data: str = Field(DEMO, min_length=1, description="'demo' for the drawn faces, or a folder in CelebA's layout")
    target: str = Field("Male", description="attribute that the classifier predicts")
    confounder: str = Field("Blond_Hair", description="attribute that it should not rely on")
    counts: CellCounts = Field(
        CellCounts(target_with=0, target_without=600, other_with=400, other_without=200),
        description="biased training faces: target with, target without, other with, other without",
    )
    balanced: bool = Field(True, description="also train on equal cells, for comparison")
    schemes: tuple[SchemeChoice, ...] = Field(
        (SchemeChoice(),), description="schemes to train with, as SCHEME@QUANTILE"
    )
    measure: str = Field("negative_entropy", description="confidence measure of the maps")
    regions: RegionTraining = Field(RegionTraining(), description="how the region classifier is trained")
    training: ClassifierTraining = Field(ClassifierTraining(), description="how each variant is trained")
    seeds: tuple[int, ...] = Field(
        (0,), min_length=1, max_length=100, description="one training of each variant per seed"
    )
    test_split: str = Field("test", pattern="^(val|test)$", description="held-out split that the test set comes from")
    test_per_cell: int | None = Field(
        None, ge=1, description="test faces per cell; by default as many as the rarest has"
    )
    device: str = Field("auto", description="auto, cpu, cuda or cuda:1")

    @field_validator("data")
    @classmethod
    def _whole_path(cls, data: str) -> str:
        # A worker may start elsewhere, and the same folder is the same data however it was written.
        return data if data == DEMO else str(Path(data).expanduser().resolve())

    @field_validator("seeds", "schemes")
    @classmethod
    def _no_repeats(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(values)) < len(values):
            raise ValueError("each may be given once")
        return values

    @field_validator("seeds")
    @classmethod
    def _no_negative_seed(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if min(seeds) < 0:
            raise ValueError("seeds are 0 or more")
        return seeds

    @model_validator(mode="after")
    def _fits(self) -> "ExperimentConfig":
        if self.measure not in MEASURES:
            raise unknown_name("confidence measure", self.measure, MEASURES)
        if self.regions.network not in NETWORKS:
            raise unknown_name("region network", self.regions.network, NETWORKS)
        if self.training.classifier not in CLASSIFIERS:
            raise unknown_name("classifier", self.training.classifier, CLASSIFIERS)
        if self.target == self.confounder:
            raise FairsalError(f"Target and confounder are both '{self.target}'; choose two different attributes.")
        return self

    @property
    def key(self) -> str:
        """Short hash: equal for equal experiments."""
        return hash_of(self.model_dump(mode="json"))


def parse_config(content: dict[str, Any]) -> ExperimentConfig:
    """Return the config that `content` describes.

    Raises
    ------
    FairsalError
        One sentence that names every field that does not fit, and why.
    """
    return checked_settings(ExperimentConfig, content)


def checked_settings(model: type[Settings], content: dict[str, Any]) -> Settings:
    """Return the settings that `content` describes, or raise FairsalError as `parse_config` does."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, item['loc'])) or 'all'}: {_plain(item)}" for item in error.errors()]
        raise FairsalError(f"The settings do not fit: {'; '.join(problems)}.") from error


def hash_of(content: Any) -> str:
    """Return a short hash of JSON-able content, the same in every process."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(item: Any) -> str:
    if item["type"] == "extra_forbidden":
        return "there is no such setting"
    message = str(item["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"{message} (got {item['input']!r})" if not isinstance(item["input"], dict) else message
