"""torchvision's ResNets as audited classifiers (He et al. 2016); Sztukiewicz et al. (2025) audit ResNet50."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from fairsal_core.errors import FairsalError
from fairsal_core.home import workspace
from fairsal_core.tensors import Normalise

_HEAD = {"fc.weight", "fc.bias"}  # ImageNet's thousand classes, which nobody asks for here


def resnet18() -> nn.Module:
    """Return an untrained ResNet18: images (N, 3, H, W) in [0, 1] to two logits (N, 2)."""
    return _behind_normalisation("resnet18")


def resnet50() -> nn.Module:
    """Return an untrained ResNet50: images (N, 3, H, W) in [0, 1] to two logits (N, 2)."""
    return _behind_normalisation("resnet50")


def imagenet_path(name: str) -> Path:
    """Return where the ImageNet weights of a network are looked for."""
    return workspace() / "imagenet" / f"{name}.safetensors"


def start_from_imagenet(classifier: nn.Module, name: str) -> None:
    """Give a ResNet the weights that ImageNet taught it, all but the last layer's, from a file of the user's.

    Raises
    ------
    FairsalError
        If there is no such file, or it holds another network.
    """
    path = imagenet_path(name)
    if not path.is_file():
        raise FairsalError(
            f"ImageNet weights of '{name}' are expected in {path}: save torchvision's state_dict there "
            "with safetensors.torch.save_file, or train from random weights."
        )
    try:
        state = load_file(path)
        missing, unexpected = classifier[1].load_state_dict(  # type: ignore[index]
            {key: value for key, value in state.items() if key not in _HEAD}, strict=False
        )
    except (OSError, RuntimeError, SafetensorError) as error:
        raise FairsalError(f"{path} does not hold a '{name}' of torchvision ({str(error)[:120]}).") from error
    if set(missing) != _HEAD or unexpected:
        raise FairsalError(f"{path} does not hold a '{name}' of torchvision ({len(missing)} weights are missing).")


def _behind_normalisation(name: str) -> nn.Module:
    import torchvision  # seconds to import, and few train a ResNet

    return nn.Sequential(Normalise(), getattr(torchvision.models, name)(num_classes=2))
