"""The last layer by itself: what a network makes of its faces before it, computed once, and a layer that learns on that.

Features are kept by face for the network they are of, so that all candidates, all methods and all sets of faces share them.
"""

import copy
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fairsal_core.classifiers import find_layer, has_thresholds
from fairsal_core.errors import FairsalError
from fairsal_core.mitigation.base import Batch, LabelledFaces, device_of, image_batches, labels_of
from fairsal_core.mitigation.layers import output_layer

_BATCH = 128


@dataclass(frozen=True)
class FeatureFaces:
    """Faces as the last layer sees them.

    Attributes
    ----------
    features : tensor, (N, D)
        What goes into the last layer, on the classifier's device.
    target, confounder : arrays, (N,) bool
        Labels.
    """

    features: Tensor
    target: NDArray[np.bool_]
    confounder: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.features)

    def batch(self, rows: NDArray[np.int64], device: torch.device) -> Batch:
        """Return the features in these rows, on a device."""
        chosen = self.features[torch.from_numpy(rows).to(self.features.device)]
        return Batch(chosen.to(device), *labels_of(self, rows, device))

    @torch.no_grad()
    def scores(self, classifier: nn.Module) -> NDArray[np.float32]:
        """Return the probability of the target attribute that a last layer gives each face, (N,)."""
        result: NDArray[np.float32] = classifier(self.features).softmax(dim=-1)[:, 1].cpu().numpy()
        return result


class LastLayer(NamedTuple):
    """A classifier's last layer, and the faces as it sees them."""

    layer: nn.Linear
    fit: FeatureFaces
    validation: FeatureFaces


def last_layer_of(classifier: nn.Module, fit: LabelledFaces, validation: LabelledFaces) -> LastLayer:
    """Return a copy of the last layer of a classifier in eval mode, and what goes into it for two sets of faces.

    Raises
    ------
    FairsalError
        If it is no linear layer with two outputs, or has thresholds behind it.
    """
    layer = copy.deepcopy(_linear(classifier, fit.images))
    own, others = (
        FeatureFaces(features_of(classifier, faces.images), faces.target, faces.confounder)
        for faces in (fit, validation)
    )
    return LastLayer(layer, own, others)


def with_last_layer(classifier: nn.Module, layer: nn.Linear, images: NDArray[np.uint8]) -> nn.Module:
    """Return a copy of a classifier with the weights of another last layer."""
    result = copy.deepcopy(classifier)
    _linear(result, images).load_state_dict(layer.state_dict())
    return result


@torch.no_grad()
def features_of(classifier: nn.Module, images: NDArray[np.uint8]) -> Tensor:
    """Return what goes into the last layer of a classifier in eval mode for each face, (N, D), flat.

    Faces whose features are known, from whichever call for the same network, are not looked at again.
    """
    if not len(images):
        raise FairsalError("There are no faces to compute features of.")
    known, keys = _known_features(classifier, images), _keys_of(images)
    missing = list({key: row for row, key in enumerate(keys) if key not in known}.values())
    for start in range(0, len(missing), _BATCH):
        rows = missing[start : start + _BATCH]
        for row, features in zip(rows, _before_last(classifier, images[rows]), strict=True):
            known[keys[row]] = features
    return torch.stack([known[key] for key in keys])


@torch.no_grad()
def know_features(classifier: nn.Module, images: NDArray[np.uint8], features: NDArray[np.float32]) -> None:
    """Take what goes into the last layer for these faces as known, so that `features_of` looks at none of them again."""
    rows = torch.from_numpy(features).to(device_of(classifier))
    _known_features(classifier, images).update(zip(_keys_of(images), rows, strict=True))


def _keys_of(images: NDArray[np.uint8]) -> list[bytes]:
    return [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images]


@contextmanager
def seen_by(layer: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what goes into a layer at each pass, (n, D) float32, flat; nothing stays on it afterwards."""
    seen: list[Tensor] = []
    handle = layer.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0].float().flatten(1)))
    try:
        yield seen
    finally:
        handle.remove()


def last_linear(classifier: nn.Module, images: NDArray[np.uint8]) -> nn.Linear | None:
    """Return the last layer of a classifier, if it is one whose features are known by it: linear, with two outputs."""
    if not any(isinstance(module, nn.Linear) and module.out_features == 2 for module in classifier.modules()):
        return None  # which costs no look at a face
    try:
        return _linear(classifier, images)
    except FairsalError:
        return None


@torch.no_grad()
def relevance_of_features(
    classifier: nn.Module, images: NDArray[np.uint8], features: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Return what each feature before the last layer adds to "yes" and takes from "no", for each face, (N, D).

    A feature times the difference of its two weights: with the bias they add up to the difference of the two logits. Where the
    features are known, only the layer is looked for.

    Raises
    ------
    FairsalError
        If the last layer is no linear one with two outputs, or has thresholds behind it.
    """
    weight = _linear(classifier, images).weight
    known = features_of(classifier, images) if features is None else torch.from_numpy(features).to(weight.device)
    found: NDArray[np.float32] = (known * (weight[1] - weight[0])).cpu().numpy()
    return found


_kept: tuple[bytes, dict[bytes, Tensor]] = (b"", {})  # of the last network only: they may be many


def _known_features(classifier: nn.Module, images: NDArray[np.uint8]) -> dict[bytes, Tensor]:
    """Return the features by face that are known of this network, to be added to."""
    global _kept
    last = f"{output_layer(classifier, images)}."
    digest = hashlib.blake2b(str(device_of(classifier)).encode())
    for name, value in classifier.state_dict().items():
        if not name.startswith(last):
            digest.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    # What is no weight, such as how images are scaled, shows in what becomes of a grey face.
    grey = np.full((1, *images.shape[1:]), 128, dtype=np.uint8)
    grey[:, ::2, ::3] = (40, 90, 200)
    digest.update(_before_last(classifier, grey).cpu().numpy().tobytes())
    if _kept[0] != digest.digest():
        _kept = (digest.digest(), {})
    return _kept[1]


def _before_last(classifier: nn.Module, images: NDArray[np.uint8]) -> Tensor:
    """Return what goes into the last layer, (N, D), computed."""
    with seen_by(find_layer(classifier, output_layer(classifier, images))) as seen:
        for batch in image_batches(images, device_of(classifier), _BATCH):
            classifier(batch)
    return torch.cat(seen)


def _linear(classifier: nn.Module, images: NDArray[np.uint8]) -> nn.Linear:
    if has_thresholds(classifier):
        raise FairsalError("This classifier has thresholds; start from the one they were put on.")
    name = output_layer(classifier, images)
    layer = find_layer(classifier, name)
    if not isinstance(layer, nn.Linear) or layer.out_features != 2:
        raise FairsalError(
            f"Only a linear last layer with two outputs can learn by itself; '{name}' is {layer}. Train all layers."
        )
    return layer
