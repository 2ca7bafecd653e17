"""State dicts that were pickled, as safetensors: on the machine of whoever trained the network."""

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from fairsal_core.classifiers.imported.contents import MOST_BYTES
from fairsal_core.errors import FairsalError
from fairsal_core.files import open_bounded, replacing

_INSIDE = ("state_dict", "model_state_dict", "model", "net", "network", "ema_state_dict")  # where checkpoints keep them


def convert_state_dict(path: Path, to: Path) -> dict[str, tuple[int, ...]]:
    """Write the tensors of a pickled state dict as safetensors, and return their names and shapes.

    Only tensors and plain containers are read (torch's `weights_only`); a file that wants more is not opened.

    Raises
    ------
    FairsalError
        If it wants more, or holds no state dict.
    """
    if path.suffix.lower() == ".pt2":
        raise FairsalError(
            f"{path} is an exported program, which runs what it says when it is opened: save a state dict instead."
        )
    try:
        open_bounded(path, MOST_BYTES).close()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it may not understand what it then refuses
            content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise FairsalError(f"{path} cannot be read ({error.strerror or error}).") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split(". ")[0].split())[:100]
        raise FairsalError(
            f"{path} holds more than tensors, and opening that could run anything ({reason}): where the model is, save its "
            "state_dict() alone."
        ) from None
    tensors = _tensors(content)
    if not tensors:
        raise FairsalError(f"{path} holds no state dict: a mapping of names to tensors is looked for.")
    with replacing(to) as temporary:
        save_file(tensors, temporary)
    return {name: tuple(value.shape) for name, value in tensors.items()}


def _tensors(content: Any) -> dict[str, Tensor]:
    if not isinstance(content, Mapping):
        return {}
    for name in _INSIDE:
        if isinstance(content.get(name), Mapping):
            return _tensors(content[name])
    # Clones: safetensors refuses tensors that share memory.
    return {
        str(name): value.detach().contiguous().clone() for name, value in content.items() if isinstance(value, Tensor)
    }
