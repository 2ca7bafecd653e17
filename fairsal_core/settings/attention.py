"""What the explain stage is asked: by which explainers, on how many faces, against which region of interest."""

from typing import Any, Literal

from pydantic import Field, SerializeAsAny, field_validator, model_validator

from fairsal_core.errors import FairsalError
from fairsal_core.faces import Roi
from fairsal_core.saliency import EXPLAINERS, ExplainerSettings
from fairsal_core.schemes import check_quantile
from fairsal_core.settings.base import FrozenSettings, chosen_settings, described

IMAGE = (128, 128)  # height and width of packed faces, and so of all maps
REGION_MAP, PRESET, PARTS, BOX, AUTO = "region_map", "preset", "parts", "box", "auto"


class ExplainerChoice(FrozenSettings):
    """An explainer and its settings, also readable from "lrp" or "integrated_gradients:steps=20,baseline=black"."""

    method: str = Field("lrp", description="a name in EXPLAINERS")
    settings: SerializeAsAny[ExplainerSettings] = Field(description="the explainer's settings")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return chosen_settings({"method": "lrp", **value} if isinstance(value, dict) else value, EXPLAINERS.find)

    @property
    def name(self) -> str:
        """The explainer's name in every table: the method, and whatever differs from its defaults."""
        return described(self.method, self.settings)


class RoiChoice(FrozenSettings):
    """A region of interest in words: "auto", "region_map@0.7", "preset", "parts", or a box "x,y,width,height".

    auto is the region map where the run has one, else the part masks, else the preset.
    """

    kind: Literal["auto", "region_map", "preset", "parts", "box"] = Field(
        "auto", description="where the region is from"
    )
    quantile: float = Field(0.7, description="of the region map: the region is what lies above it")
    box: tuple[int, int, int, int] | None = Field(None, description="x, y, width, height in pixels of 128 x 128")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value[:1].isdigit():
            return {"kind": BOX, "box": value.split(",")}
        kind, _, quantile = value.partition("@")
        return {"kind": kind, "quantile": quantile} if quantile else {"kind": kind}

    @model_validator(mode="after")
    def _fits(self) -> "RoiChoice":
        check_quantile(self.quantile)
        if (self.kind == BOX) != (self.box is not None):
            raise FairsalError("A box is given as its four numbers x,y,width,height, and nothing else has them.")
        if self.box is not None:
            Roi(*self.box).mask(IMAGE)
        return self

    @property
    def name(self) -> str:
        """The words that `RoiChoice` is readable from."""
        if self.box is not None:
            return ",".join(map(str, self.box))
        return f"{self.kind}@{self.quantile:g}" if self.kind == REGION_MAP else self.kind


class AttentionSettings(FrozenSettings):
    """How the classifiers' attention is measured, before (original) and after (every other variant)."""

    explainers: tuple[ExplainerChoice, ...] = Field(
        (ExplainerChoice.model_validate("lrp"),),
        description="explainers to run on every variant, as METHOD or METHOD:setting=value; none for none",
    )
    explained_faces: int = Field(64, ge=4, le=4096, description="test faces to explain, equally many of each cell")
    roi: RoiChoice = Field(
        RoiChoice(), description="region of interest: auto, region_map@QUANTILE, preset, parts or x,y,width,height"
    )
    magnitude: Literal["per_image", "raw"] = Field(
        "per_image", description="per_image scales each map by its largest value, as the paper does; raw keeps strength"
    )

    @field_validator("explainers", mode="before")
    @classmethod
    def _none(cls, value: Any) -> Any:
        return () if value in ("none", ["none"], ("none",)) else value

    @field_validator("explainers")
    @classmethod
    def _no_repeats(cls, choices: tuple[ExplainerChoice, ...]) -> tuple[ExplainerChoice, ...]:
        if len({choice.name for choice in choices}) < len(choices):
            raise ValueError("each explainer may be given once")
        return choices
