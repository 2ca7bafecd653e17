"""What an experiment is: the model that is the JSON on disk, the hash, the command line and the form."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator

from fairsal_core.classifiers import CLASSIFIERS, ClassifierTraining
from fairsal_core.drawing import DEMO
from fairsal_core.errors import FairsalError
from fairsal_core.faces import CellCounts
from fairsal_core.hashing import hash_of
from fairsal_core.regions import DEFAULT_MEASURE, MEASURES, NETWORKS, RegionTraining
from fairsal_core.schemes import SCHEMES, check_quantile, find_scheme
from fairsal_core.settings.attention import AttentionSettings
from fairsal_core.settings.base import FrozenSettings, checked_settings
from fairsal_core.settings.mitigation import MethodChoice

ORIGINAL, BALANCED = "original", "balanced"
Settings = TypeVar("Settings", bound=BaseModel)


class SchemeChoice(FrozenSettings):
    """A scheme at a quantile, also readable from its name, such as "general_mask@0.7" or "general_noise@0.7,p=0.5"."""

    scheme: str = Field("general_mask", description="a name in SCHEMES")
    quantile: float = Field(0.7, description="pixels above this quantile of the map are hidden")

    treat_probability: float = Field(
        1.0, gt=0, le=1, description="share of the training images that is treated; the paper treats all"
    )
    noise_domain: str = Field(
        "pixel", description="where noise is added: to pixels, or after normalisation as in the authors' code"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        content = _parts_of_name(value) if isinstance(value, str) else value
        if not isinstance(content, dict):
            return content
        content = dict(content)
        scheme = SCHEMES.get(str(content.get("scheme", cls.model_fields["scheme"].default)))
        if scheme is not None and not scheme.domains:
            content.pop("noise_domain", None)  # one variant shall have one name
        return content

    @field_validator("noise_domain")
    @classmethod
    def _of_the_scheme(cls, domain: str, info: ValidationInfo) -> str:
        scheme = SCHEMES.get(info.data.get("scheme", ""))
        if scheme is not None and scheme.domains and domain not in scheme.domains:
            raise ValueError(f"Input should be {' or '.join(map(repr, scheme.domains))}")
        return domain

    @field_validator("quantile", "treat_probability")
    @classmethod
    def _as_named(cls, number: float) -> float:
        return round(number, 4)  # the variant's name shows no more, and two variants of one name would be one row

    @model_validator(mode="after")
    def _fits(self) -> "SchemeChoice":
        find_scheme(self.scheme, self.noise_domain)
        check_quantile(self.quantile)
        return self

    @property
    def name(self) -> str:
        """The variant's name in every table."""
        options = [f"p={self.treat_probability:g}"] if self.treat_probability < 1 else []
        options += [self.noise_domain] if self.noise_domain != "pixel" else []
        return ",".join([f"{self.scheme}@{self.quantile:g}", *options])

    @property
    def general(self) -> "SchemeChoice":
        """The general scheme that hides the same way: what its test images, all of them, are treated by."""
        return self.model_copy(update={"scheme": SCHEMES.find(self.scheme).general, "treat_probability": 1.0})


class ExperimentConfig(FrozenSettings):
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
    measure: str = Field(DEFAULT_MEASURE, description="confidence measure of the maps")
    regions: RegionTraining = Field(RegionTraining(), description="how the region classifier is trained")
    training: ClassifierTraining = Field(ClassifierTraining(), description="how each variant is trained")
    mask_epochs: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="epochs for mask schemes, with an original and a balanced to match; by default as many as all others",
    )
    attention: AttentionSettings = Field(AttentionSettings(), description="how the classifiers' attention is measured")
    mitigation: tuple[MethodChoice, ...] = Field(
        (), description="mitigation methods to apply to the original, as METHOD or METHOD:setting=value,..."
    )
    mitigation_faces: int = Field(
        1000, ge=4, description="faces that mitigation methods learn from, in equal cells as far as there are enough"
    )
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

    @field_validator("seeds", "schemes", "mitigation")
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
        MEASURES.find(self.measure)
        NETWORKS.find(self.regions.network)
        CLASSIFIERS.find(self.training.classifier)
        if self.target == self.confounder:
            raise FairsalError(f"Target and confounder are both '{self.target}'; choose two different attributes.")
        return self

    @property
    def key(self) -> str:
        """Short hash: equal for experiments that ask for the same, wherever they are computed."""
        return hash_of(self.model_dump(mode="json", exclude={"device"}))

    @property
    def lengths(self) -> list[int]:
        """Numbers of epochs that its variants are trained for, the noise schemes' first."""
        return list(dict.fromkeys(map(self.epochs_of, sorted(self.schemes, key=_as_masks)))) or [self.training.epochs]

    @property
    def several_quantiles(self) -> dict[str, list[SchemeChoice]]:
        """Schemes (with their options) that are trained at several quantiles, of which one may be chosen."""
        kinds: dict[str, list[SchemeChoice]] = {}
        for choice in self.schemes:
            _, _, options = choice.name.partition(",")
            kinds.setdefault(f"{choice.scheme},{options}".removesuffix(","), []).append(choice)
        return {name: choices for name, choices in kinds.items() if len(choices) > 1}

    def epochs_of(self, choice: SchemeChoice) -> int:
        """Return for how many epochs a scheme is trained."""
        return self.mask_epochs if self.mask_epochs and _as_masks(choice) else self.training.epochs

    def reference_name(self, kind: str, epochs: int) -> str:
        """Return what the "original" or "balanced" is called that was trained for so many epochs."""
        return kind if epochs == self.lengths[0] else f"{kind}_{epochs}_epochs"

    @property
    def references(self) -> dict[str, int]:
        """Names of all that can be an "original" or "balanced" here, and for how many epochs each is trained."""
        return {self.reference_name(kind, count): count for count in self.lengths for kind in (ORIGINAL, BALANCED)}

    def original_of(self, variant: str) -> str:
        """Return the name of the original that a variant is compared with: the one trained for as many epochs."""
        epochs = {choice.name: self.epochs_of(choice) for choice in self.schemes} | self.references
        return self.reference_name(ORIGINAL, epochs.get(variant, self.lengths[0]))


def _parts_of_name(name: str) -> dict[str, Any]:
    """Return the settings in SCHEME[@QUANTILE][,p=PROBABILITY][,normalised]."""
    first, *options = name.split(",")
    scheme, _, quantile = first.partition("@")
    content: dict[str, Any] = {"scheme": scheme, **({"quantile": quantile} if quantile else {})}
    for option in options:
        if option.startswith("p="):
            content["treat_probability"] = option.removeprefix("p=")
        else:
            content["noise_domain"] = option
    return content


def _as_masks(choice: SchemeChoice) -> bool:
    return SCHEMES.find(choice.scheme).epochs == "mask_epochs"


def parse_config(content: dict[str, Any]) -> ExperimentConfig:
    """Return the config that `content` describes.

    Raises
    ------
    FairsalError
        One sentence that names every field that does not fit, and why.
    """
    return checked_settings(ExperimentConfig, content)
