"""Jobs beside experiments: train one region classifier, map many faces, explain a finished run."""

from typing import Literal

from pydantic import Field

from fairsal_core.drawing import DEMO
from fairsal_core.regions import DEFAULT_MEASURE, RegionTraining
from fairsal_core.settings.attention import AttentionSettings
from fairsal_core.settings.base import FrozenSettings
from fairsal_core.settings.mitigation import MethodChoice

REGIONS, ATTRIBUTION, MITIGATION = "regions", "attribution", "mitigation"  # kinds of job


class RegionJob(FrozenSettings):
    """Train a region classifier of one attribute, or an atlas of all."""

    data: str = Field(DEMO, min_length=1, description="'demo' for the drawn faces, or a folder of faces")
    attribute: str = Field(description="attribute to predict, or 'all'")
    training: RegionTraining = Field(RegionTraining(), description="how")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:1")


class MapJob(FrozenSettings):
    """Map many faces, and average."""

    data: str = Field(DEMO, min_length=1, description="'demo' for the drawn faces, or a folder of faces")
    attribute: str = Field(description="attribute whose region classifier maps")
    measure: str = Field(DEFAULT_MEASURE, description="confidence measure")
    split: Literal["train", "val", "test"] = Field("test", description="which faces")
    images: int | None = Field(None, ge=1, description="how many, drawn at random; by default all")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="bf16 is approximate, and faster with matrix units")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:1")


class MitigationJob(FrozenSettings):
    """Apply mitigation methods to an imported classifier."""

    subject: str = Field(min_length=1, description="name or digest of an imported classifier")
    data: str = Field(DEMO, min_length=1, description="'demo' for the drawn faces, or a folder of faces")
    target: str = Field(description="attribute that it predicts")
    confounder: str = Field(description="attribute that it should not rely on")
    methods: tuple[MethodChoice, ...] = Field(description="what is applied")
    faces: int = Field(2000, ge=4, description="faces to learn from, where the data has as many")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:1")


class ExplainConfig(AttentionSettings):
    """A later explanation of a finished run."""

    run: str
    device: str = "auto"
