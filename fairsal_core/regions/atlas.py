"""An atlas: a region classifier of many attributes, one network with a head for each.

The heads share all layers but the last, so that one pass over a face gives the maps of all attributes, and training them together
costs about what one costs.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fairsal_core.errors import FairsalError, unknown_name
from fairsal_core.files import read_json
from fairsal_core.regions.classifier import (
    RegionClassifier,
    build_network,
    file_pair,
    network_output,
    read_network,
    reading,
    write_pair,
)
from fairsal_core.regions.grid import PatchGrid


@dataclass(frozen=True)
class Head:
    """What an atlas knows of one attribute; the fields are those of `RegionClassifier`."""

    attribute: str
    classes: tuple[str, ...]
    prior: tuple[float, ...]
    temperature: float = 1.0
    offset: tuple[float, ...] | None = None
    data: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)


@dataclass
class Atlas:
    """A network that predicts many attributes of the whole face from each patch.

    Attributes
    ----------
    network : torch.nn.Module
        Images (N, 3, H, W) in [0, 1] to the classes of all heads, one after the other, (N, C, per_side, per_side).
    heads : tuple of Head
        What it predicts, in the order of the network's output.
    grid : PatchGrid
        Its patches.
    kind, settings
        Which registered network this is, and its settings.
    data, training : dict
        What it was trained on, and how.
    """

    network: nn.Module
    heads: tuple[Head, ...]
    grid: PatchGrid = field(default_factory=PatchGrid)
    kind: str = "dense"
    settings: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)

    @property
    def attributes(self) -> tuple[str, ...]:
        """What it predicts."""
        return tuple(head.attribute for head in self.heads)

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    def to(self, device: torch.device) -> "Atlas":
        """Move the network to a device; returns itself."""
        self.network.to(device)
        return self

    def logits(self, images: Tensor, precision: str = "fp32") -> Tensor:
        """Return the logits (N, A, per_side, per_side, C) of every patch of images (N, 3, H, W) in [0, 1], in one pass.

        C is the largest number of classes that one of the A attributes has; classes that another has not are -inf, of which
        softmax makes 0.
        """
        output = network_output(self.network, self.grid, images, precision).permute(0, 2, 3, 1)
        most = max(len(head.classes) for head in self.heads)
        logits = output.new_full((len(output), len(self.heads), *output.shape[1:3], most), -torch.inf)
        for number, (head, part) in enumerate(zip(self.heads, self._parts, strict=True)):
            own = output[..., part] / head.temperature
            logits[:, number, :, :, : len(head.classes)] = (
                own if head.offset is None else own + own.new_tensor(head.offset)
            )
        return logits

    def of(self, attribute: str) -> RegionClassifier:
        """Return the region classifier of one of the attributes: a network of its own, with copies of the weights.

        Raises
        ------
        FairsalError
            If the atlas does not know it; the nearest is named.
        """
        if attribute not in self.attributes:
            raise unknown_name("attribute of this atlas", attribute, self.attributes)
        number = self.attributes.index(attribute)
        head, part = self.heads[number], self._parts[number]
        return RegionClassifier(
            network=_with_classes(self, range(part.start, part.stop)),
            attribute=head.attribute,
            classes=head.classes,
            prior=head.prior,
            grid=self.grid,
            kind=self.kind,
            settings=self.settings,
            temperature=head.temperature,
            offset=head.offset,
            data={**self.data, **head.data},
            training=self.training,
            metrics=head.metrics,
            calibration=head.calibration,
        )

    def only(self, attributes: Sequence[str]) -> "Atlas":
        """Return the atlas of some of the attributes, with copies of the weights."""
        numbers = [self.attributes.index(name) for name in attributes]
        kept = [row for number in numbers for row in range(self._parts[number].start, self._parts[number].stop)]
        return replace(self, network=_with_classes(self, kept), heads=tuple(self.heads[number] for number in numbers))

    def save(self, path: Path | str, dtype: torch.dtype = torch.float32) -> Path:
        """Write `path`.safetensors, its numbers as `dtype`, and the JSON sidecar `path`.json; returns the path of the weights."""
        about = {
            "heads": [asdict(head) for head in self.heads],
            "grid": vars(self.grid),
            **{key: getattr(self, key) for key in ("kind", "settings", "data", "training")},
        }
        return write_pair(path, self.network, about, dtype)

    @classmethod
    def load(cls, path: Path | str) -> "Atlas":
        """Read what `save` wrote, given either file's path or the common stem.

        Raises
        ------
        FairsalError
            If a file is missing, the two do not belong together, or it is the region classifier of a single attribute.
        """
        with reading(path) as (about, weights):
            if "heads" not in about:
                raise ValueError(f"it is of one attribute, {about['attribute']}, and no atlas")
            heads = tuple(_head(each) for each in about["heads"])
            classes = sum(len(head.classes) for head in heads)
            return cls(
                network=read_network(about, weights, classes, f"{len(heads)} attributes"),
                heads=heads,
                grid=PatchGrid(**about["grid"]),
                **{key: about[key] for key in ("kind", "settings", "data", "training")},
            )

    @property
    def _parts(self) -> list[slice]:
        """Where in the network's output the classes of each head are."""
        ends = list(accumulate(len(head.classes) for head in self.heads))
        return [slice(end - len(head.classes), end) for end, head in zip(ends, self.heads, strict=True)]


def load_regions(path: Path | str, attribute: str | None = None) -> RegionClassifier:
    """Return a stored region classifier: the one in the file, or of an atlas the one of `attribute`.

    Raises
    ------
    FairsalError
        If there is none, it is of another attribute, or an atlas and no attribute is named.
    """
    if attribute is not None and is_atlas(path):
        return Atlas.load(path).of(attribute)
    found = RegionClassifier.load(path)
    if attribute is not None and found.attribute != attribute:
        raise FairsalError(f"{path} is a region classifier of {found.attribute}, not of {attribute}.")
    return found


def stored_attributes(path: Path | str) -> tuple[str, ...]:
    """Return the attributes of a stored atlas, without its weights."""
    with reading(path) as (about, _):
        return tuple(str(head["attribute"]) for head in about["heads"])


def open_atlas(path: Path | str) -> Atlas:
    """Return a stored atlas; the region classifier of one attribute is one of a single head.

    Raises
    ------
    FairsalError
        If there is none.
    """
    if is_atlas(path):
        return Atlas.load(path)
    one = RegionClassifier.load(path)
    head = Head(one.attribute, one.classes, one.prior, one.temperature, one.offset, {}, one.metrics, one.calibration)
    return Atlas(one.network, (head,), one.grid, one.kind, one.settings, one.data, one.training)


def is_atlas(path: Path | str) -> bool:
    """Return whether a stored region classifier is one of several attributes."""
    try:
        return "heads" in read_json(file_pair(path)[1])
    except (OSError, ValueError, TypeError):
        return False


def _head(about: dict[str, Any]) -> Head:
    offset = about["offset"]
    return Head(
        **{key: about[key] for key in ("attribute", "data", "metrics", "calibration")},
        classes=tuple(about["classes"]),
        prior=tuple(about["prior"]),
        temperature=float(about["temperature"]),
        offset=None if offset is None else tuple(map(float, offset)),
    )


def _with_classes(atlas: Atlas, kept: Sequence[int]) -> nn.Module:
    """Return a network of the same kind that tells these of the atlas's classes, in this order.

    What the number of classes decides the shape of is the last layer, whose first axis they are.
    """
    smaller = build_network(atlas.kind, len(kept), atlas.grid, atlas.settings).to(atlas.device)
    with torch.device("meta"):
        larger = build_network(atlas.kind, len(kept) + 1, atlas.grid, atlas.settings).state_dict()
    last = {name for name, value in smaller.state_dict().items() if value.shape != larger[name].shape}
    rows = torch.tensor(kept, device=atlas.device)
    state = atlas.network.state_dict()
    smaller.load_state_dict({name: value[rows] if name in last else value for name, value in state.items()})
    return smaller.eval()
