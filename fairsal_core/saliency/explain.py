"""One call for every explainer: images in, relevance out, in batches that fit into memory."""

import copy
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fairsal_core.errors import FairsalError
from fairsal_core.progress import Progress, silent
from fairsal_core.saliency.base import Attribution, ExplainerSettings, chosen
from fairsal_core.saliency.registry import EXPLAINERS, Explainer
from fairsal_core.tensors import to_unit

Images = Tensor | NDArray[Any]

_CPU_BUDGET = 1 << 29  # bytes: some 30 images through `three_conv`, a fifth faster than 128 at once
_GPU_SHARE = 4  # of the GPU's memory one part in so many; not of what is free, so that batches do not vary
_COPIES = 6  # of every layer's output: graph, what the rules keep, their changed inputs and outputs (estimated for LRP)
_LARGEST_BATCH = 256


@dataclass(frozen=True)
class Explanation:
    """Where a classifier's logit came from.

    Attributes
    ----------
    relevance : array, (N, H, W) float32
        Signed, summed over channels, rows being y; in logits (the gradients: logits per unit of pixel value).
    method : str
        Name of the explainer.
    settings : ExplainerSettings
        Its settings.
    targets : array, (N,) int
        Whose logit was explained, for each image.
    diagnostics : dict of arrays, (N,) float32
        `relevance_kept` (LRP): sum of relevance over the logit; 1 is all. `completeness_delta` (Integrated Gradients):
        error of the sum, in logits. Empty for the others.
    seconds : float
        Wall-clock time of the call.
    """

    relevance: NDArray[np.float32]
    method: str
    settings: ExplainerSettings
    targets: NDArray[np.int64]
    diagnostics: dict[str, NDArray[np.float32]]
    seconds: float


def explain(
    classifier: nn.Module,
    images: Images,
    target: int | Sequence[int] | NDArray[np.integer[Any]] = 1,
    method: str = "lrp",
    settings: ExplainerSettings | None = None,
    progress: Progress = silent,
    *,
    batch_size: int | None = None,
) -> Explanation:
    """Explain the target's logit for each image.

    Parameters
    ----------
    classifier : torch.nn.Module
        Images (N, 3, H, W) in [0, 1] to logits (N, C); explained in eval mode and float32 on its device. It is copied,
        not touched, so that many threads may explain one classifier at once.
    images : tensor or array, (N, 3, H, W) float in [0, 1] or (N, H, W, 3) uint8
        Faces; a memory map is read batch by batch.
    target : int or (N,) ints
        The label whose logit is explained: one for all images, or each image's own. Where a classifier of two labels says
        that one's logit never moves (its `fixed_label`), what speaks for that label is what speaks against the other.
    method : str
        A name in `EXPLAINERS`.
    settings : ExplainerSettings, optional
        The explainer's settings; its defaults if not given.
    progress : Progress
        Called after every batch; may raise to stop.
    batch_size : int, optional
        Most images to pass through the network at once; as many as fit into memory if not given. It changes the rounding of
        activations, and LRP by more than that where these lie around 0, as in a network that is barely trained: a ReLU or a
        maximum then passes relevance another way.

    Returns
    -------
    Explanation

    Raises
    ------
    FairsalError
        If method, settings, images or target do not fit each other or the classifier.
    """
    started = time.perf_counter()
    explainer = EXPLAINERS.find(method)
    settings = explainer.settings() if settings is None else settings
    if type(settings) is not explainer.settings:
        raise FairsalError(f"{method} takes {explainer.settings.__name__}, not {type(settings).__name__}.")
    size = _image_size(images)
    targets = _targets(target, len(images))
    asked, signs = _with_evidence(classifier, targets)
    # Gradients are needed whatever the caller's context is, and never in half precision.
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(_device(classifier).type, enabled=False):
        relevance, diagnostics = _in_batches(classifier, images, size, asked, explainer, settings, progress, batch_size)
    relevance *= signs[:, None, None]
    return Explanation(relevance, method, settings, targets, diagnostics, time.perf_counter() - started)


def _in_batches(
    classifier: nn.Module,
    images: Images,
    size: tuple[int, int],
    targets: NDArray[np.int64],
    explainer: Explainer,
    settings: ExplainerSettings,
    progress: Progress,
    batch_size: int | None,
) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
    device = _device(classifier)
    count = len(images)
    relevance = np.zeros((count, *size), dtype=np.float32)
    if count == 0:
        return relevance, {}
    network = copy.deepcopy(classifier).eval().float().requires_grad_(False)
    sample = _batch(images, slice(0, 1), device)
    classes, footprint = _probe(network, sample)
    missing = targets[(targets < 0) | (targets >= classes)]
    if len(missing):
        raise FairsalError(f"The classifier has the labels 0 to {classes - 1}; there is no label {missing[0]}.")
    limit = batch_size or _fitting(footprint, device)
    most = max(1, limit // explainer.evaluations(settings, size))
    step = math.ceil(count / math.ceil(count / most))  # batches of one size, not a last one of two images
    attribute = explainer.prepare(network, settings, sample)
    diagnostics: dict[str, list[NDArray[np.float32]]] = {}
    for start in range(0, count, step):
        rows = slice(start, min(start + step, count))
        labels = torch.from_numpy(targets[rows]).to(device)
        attribution: Attribution = attribute(_batch(images, rows, device), labels, limit)
        relevance[rows] = attribution.relevance.cpu().numpy()
        for name, values in attribution.diagnostics.items():
            diagnostics.setdefault(name, []).append(values.float().cpu().numpy())
        progress(rows.stop, count, f"Explaining with {explainer.name}")
    return relevance, {name: np.concatenate(values) for name, values in diagnostics.items()}


def _image_size(images: Images) -> tuple[int, int]:
    """Return (H, W) after checking shape and type."""
    shape = tuple(images.shape)
    if str(images.dtype).endswith("uint8"):
        if len(shape) == 4 and shape[3] == 3:
            return shape[1], shape[2]
        raise FairsalError(f"Expected uint8 images of shape (N, H, W, 3), got {shape}.")
    if "float" in str(images.dtype) and len(shape) == 4 and shape[1] == 3:
        return shape[2], shape[3]
    raise FairsalError(
        f"Expected float images (N, 3, H, W) in [0, 1] or uint8 images (N, H, W, 3), got {images.dtype} {shape}."
    )


def _targets(target: int | Sequence[int] | NDArray[np.integer[Any]], count: int) -> NDArray[np.int64]:
    targets = np.asarray(target)
    if targets.dtype.kind not in "iu" and count:
        raise FairsalError(f"A target is the number of a label, not {target!r}.")
    if targets.shape not in ((), (count,)):
        raise FairsalError(f"Expected one target, or one for each of the {count} images; got shape {targets.shape}.")
    return np.broadcast_to(targets.astype(np.int64), (count,)).copy()


def _with_evidence(classifier: nn.Module, targets: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the labels to explain instead, of which each has a logit that moves, and 1 or -1 by which to take their relevance."""
    fixed = getattr(classifier, "fixed_label", None)
    turned = targets == fixed
    return np.where(turned, 1 - targets, targets), np.where(turned, -1, 1).astype(np.float32)


@torch.inference_mode()
def explained_logits(classifier: nn.Module, images: Images, targets: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
    """Return what `explain` explains of a few images (N, H, W, 3) or (N, 3, H, W): each one's logit, (N,) float32."""
    asked, _ = _with_evidence(classifier, np.asarray(targets, dtype=np.int64))
    device = _device(classifier)
    logits = classifier(_batch(images, slice(None), device)).float()
    explained: NDArray[np.float32] = chosen(logits, torch.from_numpy(asked).to(device)).cpu().numpy()
    return explained


def _device(classifier: nn.Module) -> torch.device:
    weights = next(classifier.parameters(), None)
    return torch.device("cpu") if weights is None else weights.device


def _batch(images: Images, rows: slice, device: torch.device) -> Tensor:
    """Return these images as float32 (n, 3, H, W) in [0, 1] on the device."""
    piece = images[rows]
    tensor = piece if isinstance(piece, Tensor) else torch.from_numpy(np.array(piece))
    if tensor.dtype == torch.uint8:
        return to_unit(tensor.to(device))
    tensor = tensor.detach().to(device, torch.float32)
    low, high = float(tensor.min()), float(tensor.max())
    if not (low >= 0 and high <= 1):
        raise FairsalError(
            f"Expected images in [0, 1], before any normalisation; these reach from {low:g} to {high:g}."
        )
    return tensor


def _probe(network: nn.Module, sample: Tensor) -> tuple[int, int]:
    """Return the number of labels, and the bytes that one image takes up while it is explained."""
    sizes: list[int] = []

    def count(module: nn.Module, arguments: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            sizes.append(output.numel())

    handles = [module.register_forward_hook(count) for module in network.modules() if not any(module.children())]
    with torch.no_grad():
        logits = network(sample)
    for handle in handles:
        handle.remove()
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        raise FairsalError(f"Expected a classifier that gives logits (N, C), got {getattr(logits, 'shape', logits)}.")
    return logits.shape[1], 4 * _COPIES * (sum(sizes) + sample.numel())


def _fitting(footprint: int, device: torch.device) -> int:
    """Return how many images fit into the memory that an explanation may use."""
    budget = _CPU_BUDGET
    if device.type == "cuda":
        budget = torch.cuda.get_device_properties(device).total_memory // _GPU_SHARE
    return min(max(1, budget // footprint), _LARGEST_BATCH)
