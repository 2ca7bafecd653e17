"""A trained region classifier: sees one patch, predicts a label of the whole face."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel
from safetensors.torch import save_file
from torch import Tensor, nn

from fairsal_core.errors import FairsalError
from fairsal_core.files import read_json, replacing, write_json
from fairsal_core.regions.dense import DenseNetwork, DenseSettings
from fairsal_core.regions.grid import PatchGrid
from fairsal_core.regions.resnet18 import PatchResNet, ResNet18Settings
from fairsal_core.registry import Registry
from fairsal_core.tensors import autocast, load_weights

_FORMAT = 1
# Of what a file may ask for: the memory of a network is taken before its weights are read.
_MOST_PIXELS, _MOST_CLASSES = 512, 2000


@dataclass(frozen=True)
class Network:
    """A kind of region network: what builds it, from which settings.

    What is built turns images (N, 3, H, W) into logits (N, C, per_side, per_side) of all patches, and has `draw(count)`: the
    positions (count, P) of the patches that a step of training looks at, and `supervised(images, positions)`: their logits
    (N, C, P).
    """

    name: str
    description: str
    settings: type[BaseModel]
    build: Callable[[int, PatchGrid, Any], nn.Module]


NETWORKS = Registry(
    "region network",
    "fairsal.networks",
    Network,
    (
        Network("dense", "All patches of an image in one pass; exact, and the fastest.", DenseSettings, DenseNetwork),
        Network(
            "resnet18",
            "The paper's: one pass a patch, 3,000 times slower (De Coninck et al. 2024).",
            ResNet18Settings,
            PatchResNet,
        ),
    ),
)


def build_network(name: str, classes: int, grid: PatchGrid, settings: dict[str, Any]) -> nn.Module:
    """Return an untrained network of a registered kind."""
    kind = NETWORKS.find(name)
    return kind.build(classes, grid, kind.settings(**settings))


@dataclass
class RegionClassifier:
    """A network with what is needed to use and to judge it.

    Attributes
    ----------
    network : torch.nn.Module
        Images (N, 3, H, W) in [0, 1] to logits (N, C, per_side, per_side); in eval mode.
    attribute : str
        What it predicts.
    classes : tuple of str
        Class names, in the order of the logits.
    prior : tuple of float
        Class frequencies in the training images.
    grid : PatchGrid
        Its patches.
    kind, settings
        Which registered network this is, and its settings.
    temperature : float
        What the network's output is divided by; 1 unless it was fitted.
    offset : tuple of float, optional
        What is added to each class then: where the network tells the evidence alone, the logarithm of the prior.
    data, training, metrics, calibration : dict
        What it was trained on, how, how well it does on validation, and how well it knows that.
    """

    network: nn.Module
    attribute: str
    classes: tuple[str, ...]
    prior: tuple[float, ...]
    grid: PatchGrid = field(default_factory=PatchGrid)
    kind: str = "dense"
    settings: dict[str, Any] = field(default_factory=dict)
    temperature: float = 1.0
    offset: tuple[float, ...] | None = None
    data: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    @torch.inference_mode()
    def logits(self, images: Tensor, precision: str = "fp32") -> Tensor:
        """Return the logits (N, per_side, per_side, C) of every patch of images (N, 3, H, W) in [0, 1].

        With the `precision` "bf16" they are approximate: confidence is off by up to a few thousandths.
        """
        output = network_output(self.network, self.grid, images, precision).permute(0, 2, 3, 1) / self.temperature
        return output if self.offset is None else output + output.new_tensor(self.offset)

    def to(self, device: torch.device) -> "RegionClassifier":
        """Move the network to a device; returns itself."""
        self.network.to(device)
        return self

    def save(self, path: Path | str, dtype: torch.dtype = torch.float32) -> Path:
        """Write `path`.safetensors, its numbers as `dtype`, and the JSON sidecar `path`.json; returns the path of the weights."""
        return write_pair(
            path,
            self.network,
            {
                "attribute": self.attribute,
                "classes": self.classes,
                "prior": self.prior,
                "grid": vars(self.grid),
                "kind": self.kind,
                "settings": self.settings,
                "data": self.data,
                "training": self.training,
                "metrics": self.metrics,
                "temperature": self.temperature,
                **({} if self.offset is None else {"offset": self.offset}),
                "calibration": self.calibration,
            },
            dtype,
        )

    @classmethod
    def load(cls, path: Path | str) -> "RegionClassifier":
        """Read what `save` wrote, given either file's path or the common stem.

        Raises
        ------
        FairsalError
            If a file is missing or the two do not belong together.
        """
        with reading(path) as (about, weights):
            if "heads" in about:
                raise ValueError(f"it is an atlas of {len(about['heads'])} attributes: say which one is wanted")
            offset = about.get("offset")
            return cls(
                network=read_network(about, weights, len(about["classes"]), about["attribute"]),
                attribute=about["attribute"],
                classes=tuple(about["classes"]),
                prior=tuple(about["prior"]),
                grid=PatchGrid(**about["grid"]),
                **{key: about[key] for key in ("kind", "settings", "data", "training", "metrics")},
                temperature=float(about.get("temperature", 1.0)),
                offset=None if offset is None else tuple(map(float, offset)),
                calibration=about.get("calibration", {}),
            )


@torch.inference_mode()
def network_output(network: nn.Module, grid: PatchGrid, images: Tensor, precision: str = "fp32") -> Tensor:
    """Return what a region network says, in eval mode, of images (N, 3, H, W) in [0, 1]: (N, C, per_side, per_side)."""
    size = grid.image_size
    if images.ndim != 4 or tuple(images.shape[1:]) != (3, size, size):
        raise FairsalError(f"Expected images of shape (N, 3, {size}, {size}), got {tuple(images.shape)}.")
    network.eval()
    device = next(network.parameters()).device
    with autocast(device, precision):
        output: Tensor = network(images.to(device))
    return output


def write_pair(path: Path | str, network: nn.Module, about: dict[str, Any], dtype: torch.dtype = torch.float32) -> Path:
    """Write `path`.safetensors, numbers as `dtype`, and `path`.json beside it, what `about` says; returns the weights' path."""
    weights, sidecar = file_pair(path)
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    stored = {name: value.to(dtype) if value.is_floating_point() else value for name, value in state.items()}
    with replacing(weights) as temporary:
        save_file(stored, temporary)
    write_json(sidecar, {"format": _FORMAT, **about})
    return weights


@contextmanager
def reading(path: Path | str) -> Iterator[tuple[dict[str, Any], Path]]:
    """Give what the sidecar of a region classifier says, and the path of its weights, given either file's path or the stem.

    Raises
    ------
    FairsalError
        If a file is missing; also for whatever is wrong with what the sidecar says.
    """
    weights, sidecar = file_pair(path)
    for file in (weights, sidecar):
        if not file.is_file():
            raise FairsalError(f"The region classifier is incomplete: {file} is missing.")
    try:
        about = read_json(sidecar)
        if about["format"] != _FORMAT:
            raise ValueError(f"its format is {about['format']}, not {_FORMAT}")
        yield about, weights
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise FairsalError(
            f"{weights} is no region classifier of this version of fairsal ({str(error)[:120]})."
        ) from error


def read_network(about: dict[str, Any], weights: Path, classes: int, what: str) -> nn.Module:
    """Return the network that a sidecar describes, for so many classes, with the weights in a file."""
    grid = PatchGrid(**about["grid"])
    if grid.image_size > _MOST_PIXELS or classes > _MOST_CLASSES:
        raise ValueError(f"more than {_MOST_PIXELS} pixels a side, or {_MOST_CLASSES} classes")
    network = build_network(about["kind"], classes, grid, about["settings"])
    return load_weights(network, weights, f"this region classifier of {what}")


def file_pair(path: Path | str) -> tuple[Path, Path]:
    """Return the paths of weights and sidecar, given either's path or the common stem."""
    path = Path(path)
    stem = path.with_suffix("") if path.suffix in (".safetensors", ".json") else path
    return stem.with_name(stem.name + ".safetensors"), stem.with_name(stem.name + ".json")
