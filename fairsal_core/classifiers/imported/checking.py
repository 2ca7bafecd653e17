"""Whether a network from elsewhere does here what it does in its own library, on eight faces."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fairsal_core.classifiers.imported.adapter import Adapter, prepare
from fairsal_core.classifiers.imported.manifest import Manifest
from fairsal_core.classifiers.imported.registry import SOURCES
from fairsal_core.classifiers.imported.source import to_frames
from fairsal_core.errors import FairsalError
from fairsal_core.files import read_array

FACES = 8
TOLERANCE = 1e-5  # of the largest output, and of 1


def check_network(folder: Path, manifest: Manifest, faces: Path) -> dict[str, Any]:
    """Compare the adapter with the library's own pipeline.

    Parameters
    ----------
    folder : Path
        With the classifier's files.
    manifest : Manifest
        Of it.
    faces : Path
        Array of uint8 (8, 128, 128, 3).

    Returns
    -------
    dict
        `logits_error`: the largest difference of an output to the library's own, on the same pixels; `rounding`: that to its
        pipeline on pictures, which rounds to 8 bits while resizing; `logits` (8, 2); `parameters`: how many weights;
        `gradient`: whether the pixels get a gradient.

    Raises
    ------
    FairsalError
        If outputs are not what the manifest says, are no numbers, or differ from the library's.
    """
    source = SOURCES.find(manifest.format).ready()
    frames = to_frames(read_array(faces))
    network = source.build(folder, manifest)
    given = _outputs(network, frames, manifest)
    theirs = source.own(folder, manifest, frames, False)
    error = float((given - theirs).abs().max())
    if not error <= TOLERANCE * max(1.0, float(theirs.abs().max())):
        raise FairsalError(
            f"The classifier says something else here than in {manifest.source or manifest.format}: outputs differ by up to "
            f"{error:.2g} on {FACES} faces, {TOLERANCE:g} is the most."
        )
    rounding = float((given - source.own(folder, manifest, frames, True)).abs().max())
    with torch.inference_mode():
        logits = Adapter(network, manifest)(frames)
    weights = [*network.parameters(), *network.buffers()]
    return {
        "logits_error": error,
        "rounding": rounding,
        "logits": [[round(float(value), 6) for value in row] for row in logits],
        "parameters": sum(value.numel() for value in weights if value.is_floating_point()),
        "gradient": _has_gradient(network, frames, manifest),
    }


def _outputs(network: nn.Module, frames: Tensor, manifest: Manifest) -> Tensor:
    height, width = manifest.preprocessing.size
    try:
        with torch.inference_mode():
            outputs: Tensor = network(prepare(frames, manifest.preprocessing))
    except (RuntimeError, ValueError, AssertionError, TypeError, IndexError) as error:
        reason = " ".join(str(error).split())[:160]
        raise FairsalError(
            f"The network does not take {manifest.preprocessing.depth} x {height} x {width} pixels ({reason}); say what it takes "
            "with resize=SIDE, crop=SIDE or channels=grey."
        ) from None
    if tuple(outputs.shape) != (len(frames), manifest.outputs.count):
        raise FairsalError(
            f"The network gives outputs of shape {list(outputs.shape[1:])} for a face; "
            f"{manifest.outputs.count} numbers are expected."
        )
    if not torch.isfinite(outputs).all():
        raise FairsalError(
            "The network's outputs on eight faces are no finite numbers: its weights are damaged, or it is fed wrongly."
        )
    return outputs


def _has_gradient(network: nn.Module, frames: Tensor, manifest: Manifest) -> bool:
    pixels = frames[:1].clone().requires_grad_()
    logits = Adapter(network, manifest)(pixels)
    if not logits.requires_grad:
        return False
    (gradient,) = torch.autograd.grad(logits[:, 1].sum() - logits[:, 0].sum(), pixels, allow_unused=True)
    return gradient is not None and bool(gradient.abs().sum() > 0)
