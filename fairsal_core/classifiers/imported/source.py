"""What a kind of source does: read what its files say, build the network, run its library's own pipeline, save it again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fairsal_core.classifiers.imported.contents import Contents
from fairsal_core.classifiers.imported.manifest import FRAME, Manifest, Preprocessing
from fairsal_core.errors import FairsalError
from fairsal_core.tensors import to_unit


@dataclass
class Reading:
    """What the files of a folder say.

    Attributes
    ----------
    content : dict
        Of a manifest, as far as it can be read.
    assumed : list of str
        What is not in the files, and is taken to be so unless somebody says otherwise.
    questions : list of str
        What nobody but the owner knows; nothing goes on before it is said.
    """

    content: dict[str, Any]
    assumed: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Source:
    """A kind of classifier from elsewhere.

    Attributes
    ----------
    name, description : str
        As for every entry of a registry.
    needs : tuple of str
        Modules that have to be installed.
    extra : str
        What brings them: `pip install fairsal[EXTRA]`.
    recognises : callable
        (contents, what was said) -> whether the folder holds this kind; opens nothing.
    read : callable
        (contents, what was said) -> Reading.
    build : callable
        (folder, manifest) -> the network with its weights, in eval mode: pixels to outputs (N, K).
    blank : callable
        (folder, manifest, seed) -> the same with random weights.
    own : callable
        (folder, manifest, frames (N, 3, 128, 128) in [0, 1], whether to round to 8 bits as pictures are) -> outputs (N, K) of the
        library's own pipeline.
    save : callable
        (network, folder, manifest, new folder) -> None: write its files with the network's weights.
    """

    name: str
    description: str
    needs: tuple[str, ...]
    extra: str
    recognises: Callable[[Contents, Mapping[str, Any]], bool]
    read: Callable[[Contents, Mapping[str, Any]], Reading]
    build: Callable[[Path, Manifest], nn.Module]
    blank: Callable[[Path, Manifest, int], nn.Module]
    own: Callable[[Path, Manifest, Tensor, bool], Tensor]
    save: Callable[[nn.Module, Path, Manifest, Path], None]

    def ready(self) -> "Source":
        """Return itself; what it needs and is not installed is an error that says how to get it."""
        missing = [module for module in self.needs if find_spec(module) is None]
        if missing:
            raise FairsalError(
                f"{self.description} needs {' and '.join(missing)}, not installed here: pip install 'fairsal[{self.extra}]'."
            )
        return self


def ordinary_pixels(frames: Tensor, settings: Preprocessing, rounded: bool) -> Tensor:
    """Return the pixels that torchvision's own transforms make of frames, of 8-bit pictures where `rounded`."""
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms import functional as transforms

    given: list[Any] = pictures(frames) if rounded else list(frames)
    top, left = settings.origin
    done = []
    for each in given:
        if settings.resized != (FRAME, FRAME):
            mode = InterpolationMode(settings.interpolation)
            each = transforms.resize(each, list(settings.resized), interpolation=mode, antialias=True)
        each = transforms.crop(each, top, left, *settings.size)
        pixels = transforms.to_tensor(each) if rounded else each
        if settings.channels == "BGR":
            pixels = pixels[[2, 1, 0]]
        if settings.channels == "grey":
            pixels = grey(pixels)
        mean, std = (list(each) * (settings.depth // len(each)) for each in (settings.mean, settings.std))
        done.append(transforms.normalize(pixels * settings.scale, mean, std))
    return torch.stack(done)


def grey(pixels: Tensor) -> Tensor:
    """Return pixels (..., 3, H, W) with one channel: Pillow's, of ITU-R BT.601; torchvision rounds its weights otherwise."""
    red, green, blue = pixels.unbind(dim=-3)
    return (0.299 * red + 0.587 * green + 0.114 * blue).unsqueeze(-3)


def pictures(frames: Tensor) -> list[Any]:
    """Return frames as pictures of 8 bits."""
    from PIL import Image

    return [Image.fromarray(each) for each in to_pixels(frames)]


def to_pixels(frames: Tensor) -> NDArray[np.uint8]:
    """Return frames (N, 3, H, W) in [0, 1] as uint8 (N, H, W, 3)."""
    pixels: NDArray[np.uint8] = (frames * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
    return pixels


def to_frames(images: NDArray[np.uint8]) -> Tensor:
    """Return uint8 (N, H, W, 3) as frames (N, 3, H, W) in [0, 1]."""
    return to_unit(torch.from_numpy(np.array(images))).contiguous()


def said_of_outputs(
    count: int, labels: tuple[str, ...], said: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str], list[str]]:
    """Return the content of `Outputs` for K outputs with these names, what was assumed for it, and what has to be asked.

    `positive` may be said as a label, and `target` finds its label.
    """
    content, assumed, asked = _outputs_by_name(count, labels, said)
    if said.get("reads") == "threshold" and said.get("threshold") in (None, ""):
        asked = [*asked, "above which value of this quantity the answer is yes: threshold=NUMBER"]
    return content, assumed, asked


def _outputs_by_name(
    count: int, labels: tuple[str, ...], said: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str], list[str]]:
    names = _split(said["labels"]) if said.get("labels") else labels
    content: dict[str, Any] = {"count": count, **({"labels": names} if names else {})}
    wanted, target = said.get("positive"), str(said.get("target", ""))
    numbered = {name.lower(): index for index, name in enumerate(names)}
    if isinstance(wanted, str) and wanted.lower() in numbered:
        content["positive"] = (numbered[wanted.lower()],)
    elif wanted is not None:
        content["positive"] = _numbers(wanted)
    elif target.lower() in numbered:
        content["positive"] = (numbered[target.lower()],)
    if count == 1:
        return {**content, "reads": "sigmoid", "positive": content.get("positive", (0,))}, [], []
    if "positive" in content:
        asked = [] if count == 2 or "reads" in said else [_which_kind(count)]
        return content, [], asked
    if count > 2:
        shown = f" ({', '.join(names[:12])}{', ...' if len(names) > 12 else ''})" if names else ""
        asked = [f"which of the {count} outputs{shown} says yes: positive=NUMBER, from 0, or its label"]
        return content, [], asked if "reads" in said else [*asked, _which_kind(count)]
    denied = [index for index, name in enumerate(names) if _denies(name)]
    if len(denied) == 1:
        return {**content, "positive": (1 - denied[0],), "target": target or names[1 - denied[0]]}, [], []
    which = f", '{names[1]}'," if names else ""
    return {**content, "positive": (1,)}, [f"output 1{which} says yes and output 0 no (positive=1)"], []


def _numbers(said: Any) -> tuple[int, ...]:
    parts = said.split(",") if isinstance(said, str) else said if isinstance(said, list | tuple) else [said]
    try:
        return tuple(int(part) for part in parts)
    except (TypeError, ValueError):
        raise FairsalError(f"positive={said} is neither the number of an output nor its label.") from None


def _which_kind(count: int) -> str:
    return (
        f"how the {count} outputs are read: reads=softmax if one class is chosen (among=7,8 if only those compete), "
        "reads=sigmoid if each is a yes or no of its own, reads=threshold if it is a quantity (threshold=NUMBER)"
    )


def _split(labels: Any) -> tuple[str, ...]:
    parts = labels.split(",") if isinstance(labels, str) else labels
    return tuple(str(part).strip() for part in parts)


_DENIALS = ("no", "not", "non", "without", "negative", "false", "none", "absent", "0", "neg", "other")


def _denies(label: str) -> bool:
    words = label.lower().replace("_", " ").replace("-", " ").split()
    return bool(words) and (words[0] in _DENIALS or words[0].startswith(("un", "non")))
