"""The audited classifiers by name, and their files. A new one is one file and one line here."""

import json
import operator
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from fairsal_core.classifiers.corrections import describe, rebuild
from fairsal_core.classifiers.folded import folded_pass
from fairsal_core.classifiers.resnet import resnet18, resnet50, start_from_imagenet
from fairsal_core.classifiers.three_conv import three_conv
from fairsal_core.errors import FairsalError
from fairsal_core.files import MOST_WEIGHTS, open_bounded, replacing
from fairsal_core.registry import Registry


@dataclass(frozen=True)
class Architecture:
    """An audited classifier: images (N, 3, 128, 128) in [0, 1] to two logits.

    `memory_format` is the layout it trains fastest in; `training_pass` calls the network on a batch to learn from, by a faster
    way if there is one; `pretrain` gives it weights from elsewhere, if there are any. `stacks` says that its seeds may train as one
    stacked network, which is not worth trying where a single one fills a GPU.
    """

    name: str
    description: str
    build: Callable[[], nn.Module]
    memory_format: torch.memory_format = torch.channels_last
    training_pass: Callable[[nn.Module, Tensor], Tensor] = operator.call
    pretrain: Callable[[nn.Module, str], None] | None = None
    stacks: bool = False
    title: str = ""


CLASSIFIERS = Registry(
    "classifier",
    "fairsal.classifiers",
    Architecture,
    (
        Architecture(
            "three_conv",
            "Three convolutions and three linear layers (De Coninck et al. 2024).",
            three_conv,
            training_pass=folded_pass,
            title="Three convolutions",
            stacks=True,
        ),
        Architecture("resnet18", "torchvision's ResNet18.", resnet18, pretrain=start_from_imagenet, title="ResNet18"),
        Architecture(
            "resnet50",
            "torchvision's ResNet50 (Sztukiewicz et al. 2025).",
            resnet50,
            pretrain=start_from_imagenet,
            title="ResNet50",
        ),
    ),
)


def build_classifier(name: str) -> nn.Module:
    """Return an untrained classifier; an unknown name is an error that names the nearest."""
    return CLASSIFIERS.find(name).build()


def save_classifier(classifier: nn.Module, path: Path) -> None:
    """Write the weights as safetensors; its header says as JSON which corrections the classifier has, and where."""
    state = {name: value.detach().cpu().contiguous() for name, value in classifier.state_dict().items()}
    with replacing(path) as temporary:
        save_file(state, temporary, metadata={"corrections": json.dumps(describe(classifier))})


def load_classifier(name: str, path: Path) -> nn.Module:
    """Read a classifier of a registered kind, with its corrections, in eval mode.

    Raises
    ------
    FairsalError
        If the file is missing or holds another network.
    """
    classifier = build_classifier(name)
    try:
        open_bounded(path, MOST_WEIGHTS).close()
        with safe_open(path, "pt") as file:
            corrections = json.loads((file.metadata() or {}).get("corrections", "[]"))
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (it is no dict)
        rebuild(classifier, corrections, state)
        classifier.load_state_dict(state)
    except (OSError, RuntimeError, SafetensorError, ValueError, KeyError, TypeError, FairsalError) as error:
        reason = " ".join(str(error).split())[:120]
        raise FairsalError(f"{path} does not hold the weights of a '{name}' classifier ({reason}).") from error
    return classifier.eval()
