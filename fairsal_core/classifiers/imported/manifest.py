"""`manifest.json`: how a classifier from elsewhere is fed, and what its outputs mean. Frozen; unknown names are refused."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from fairsal_core.errors import FairsalError, unknown_name
from fairsal_core.hashing import hash_of

FRAME = 128
LARGEST_SIDE = 1024
MOST_OUTPUTS = 100_000


def _listed(value: Any) -> Any:
    """Return "0.5,0.5,0.5" as its parts, and one number as a list of it: what is typed means what JSON says."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [value] if isinstance(value, int | float) else value


def _square(value: Any) -> Any:
    """Return "224" or 224 as the sides of a square."""
    sides = _listed(value)
    return [*sides, *sides] if isinstance(sides, list) and len(sides) == 1 else sides


_Side = Annotated[int, Field(ge=1, le=LARGEST_SIDE)]
Sides = Annotated[tuple[_Side, _Side], BeforeValidator(_square)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(_listed)]
Indices = Annotated[tuple[Annotated[int, Field(ge=0, lt=MOST_OUTPUTS)], ...], BeforeValidator(_listed)]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Preprocessing(_Part):
    """What becomes of a frame, RGB in [0, 1], before the network sees it; in this order.

    Without a size of its own to resize to, the frame keeps its 128 x 128 pixels.
    """

    resize: Sides | None = Field(None, description="height, width that the frame is resized to, or one number for both")
    crop: Sides | None = Field(None, description="height, width of what is cut out of its middle")
    corner: Annotated[tuple[int, int], BeforeValidator(_listed)] | None = Field(
        None, description="row, column of the crop's top left corner, where that is not the middle's"
    )
    interpolation: Literal["bilinear", "bicubic", "nearest"] = Field("bilinear", description="how it is resized")
    channels: Literal["RGB", "BGR", "grey"] = Field("RGB", description="order of the colours, or grey for one channel")
    scale: float = Field(1.0, gt=0, le=65535, description="value of white: 1 or 255")
    mean: Numbers = Field((0.0,), description="subtracted then, for each channel or all")
    std: Numbers = Field((1.0,), description="divided by then, for each channel or all")

    @model_validator(mode="after")
    def _fits(self) -> "Preprocessing":
        for name in ("mean", "std"):
            if len(getattr(self, name)) not in (1, self.depth):
                raise ValueError(f"{name} has {len(getattr(self, name))} numbers for {self.depth} channels")
        if min(abs(each) for each in self.std) < 1e-6:
            raise ValueError("std is 0, which nothing can be divided by")
        top, left = self.origin
        resized = self.resized
        if min(top, left) < 0 or top + self.size[0] > resized[0] or left + self.size[1] > resized[1]:
            raise ValueError(
                f"the crop of {self.size[0]} x {self.size[1]} is not inside of {resized[0]} x {resized[1]}"
            )
        return self

    @property
    def depth(self) -> int:
        """How many channels the network sees."""
        return 1 if self.channels == "grey" else 3

    @property
    def resized(self) -> tuple[int, int]:
        """Height and width before the crop."""
        return self.resize or (FRAME, FRAME)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that the network sees."""
        return self.crop or self.resized

    @property
    def origin(self) -> tuple[int, int]:
        """Row and column of the crop's top left corner; torchvision's where it is the middle's: rounded to even."""
        middle = tuple(round((whole - part) / 2) for whole, part in zip(self.resized, self.size, strict=True))
        return self.corner or (middle[0], middle[1])


class Outputs(_Part):
    """What the network's K numbers mean: how two logits are made of them, for "without" and "with" the target.

    `sigmoid`: output z says it alone, (0, z). `softmax`: the positive outputs against the rest of `among`, (logsumexp of the
    rest, logsumexp of the positive ones). `threshold`: a quantity above a threshold, (0, (z - threshold) / unit).
    """

    reads: Literal["sigmoid", "softmax", "threshold"] = Field("softmax", description="what an output is")
    count: int = Field(2, ge=1, le=MOST_OUTPUTS, description="how many outputs the network has")
    positive: Indices = Field((1,), min_length=1, description="number of the output that says yes, from 0; or several")
    among: Indices = Field((), description="softmax: outputs that compete with each other (default: all)")
    labels: Names = Field((), description="names of the outputs, in their order")
    target: str = Field("", max_length=200, description="what yes means")
    reverse: bool = Field(False, description="whether a higher value says no")
    probabilities: bool = Field(False, description="whether they are probabilities already, not logits")
    threshold: float = Field(0.0, description="threshold: what a quantity is above for yes")
    unit: float = Field(1.0, gt=0, description="threshold: the difference that is one logit")
    decides: float = Field(0.5, gt=0, lt=1, description="score above which the decision is yes")

    @model_validator(mode="after")
    def _fits(self) -> "Outputs":
        rivals = self.rivals
        if any(index >= self.count for index in (*self.positive, *self.among)):
            raise ValueError(f"there are {self.count} outputs, numbered from 0 to {self.count - 1}")
        if self.labels and len(self.labels) != self.count:
            raise ValueError(f"there are {self.count} outputs and {len(self.labels)} labels")
        if self.reads != "softmax" and len(self.positive) != 1:
            raise ValueError(f"{self.reads} reads one output, not {len(self.positive)}")
        if self.reads == "softmax" and (not rivals or not set(self.positive) <= set(self.among or range(self.count))):
            raise ValueError("softmax needs outputs that say yes and others, all among those that compete")
        return self

    @property
    def rivals(self) -> tuple[int, ...]:
        """The outputs that the positive ones compete with."""
        return tuple(index for index in self.among or range(self.count) if index not in self.positive)


class SourceFile(_Part):
    """A file of the classifier, as it came."""

    name: str = Field(pattern=r"^\w[\w.-]*$", max_length=120)
    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Rules(_Part):
    """Decision rules that mitigation put behind the outputs: rows of `fairsal_core.classifiers.Decision`, and their groups."""

    rules: tuple[tuple[float, ...], ...]
    groups: tuple[int, ...]


_Argument = str | bool | int | float | tuple[int, ...]


class Manifest(_Part):
    """Everything that is needed to feed a classifier, and to know it again."""

    version: Literal[1] = 1
    name: str = Field("", max_length=200, description="what to call it")
    format: str = Field(description="what it is stored as")
    architecture: str = Field("", max_length=200, description="the network's name in its library")
    arguments: dict[str, _Argument] = Field({}, description="what the architecture is built with")
    weights: str = Field(description="name of the file with the weights")
    files: tuple[SourceFile, ...] = ()
    preprocessing: Preprocessing = Preprocessing()
    outputs: Outputs = Outputs()
    source: str = Field("", description="the library that it comes from, with its version")
    assumed: tuple[str, ...] = Field((), description="what could not be read, and was taken to be so")
    rules: Rules | None = Field(None, description="decision rules, where mitigation made some")
    parent: str = Field("", description="digest of the classifier that it was made of by mitigation")

    @property
    def digest(self) -> str:
        """A name for its logits and decisions: of the weights, and of all that is done before and after them."""
        said = self.model_dump(mode="json", exclude={"name", "source", "assumed", "parent"})
        return hash_of({**said, "outputs": {**said["outputs"], "labels": [], "target": ""}})


_PARTS: Mapping[str, type[_Part]] = {"preprocessing": Preprocessing, "outputs": Outputs}
OWN = ("name", "architecture", "weights")
SETTINGS: Mapping[str, str] = {
    **dict.fromkeys(OWN, ""),
    **{name: part for part, model in _PARTS.items() for name in model.model_fields},
}
"""What may be said of a classifier by hand -> the part of the manifest it belongs to."""


def describe_settings() -> str:
    """Return one line for each name of SETTINGS."""
    models: Mapping[str, type[_Part]] = {"": Manifest, **_PARTS}
    return "; ".join(f"{name}: {models[part].model_fields[name].description}" for name, part in SETTINGS.items())


def with_settings(content: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a manifest with what somebody says of it, by the names of SETTINGS, in its place.

    Raises
    ------
    FairsalError
        For a name that is none; the nearest one is named.
    """
    result = {**content, **{part: dict(content.get(part, {})) for part in _PARTS}}
    for key, value in said.items():
        name = key.rpartition(".")[2]
        if name not in SETTINGS:
            raise unknown_name("setting of a classifier", key.rpartition(".")[2], SETTINGS)
        (result[SETTINGS[name]] if SETTINGS[name] else result)[name] = value
    return result


def as_manifest(content: Mapping[str, Any]) -> Manifest:
    """Return a manifest that was checked.

    Raises
    ------
    FairsalError
        One sentence on the first thing that does not fit.
    """
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise FairsalError(f"The classifier's manifest does not fit: {place}: {first['msg']}.") from None
