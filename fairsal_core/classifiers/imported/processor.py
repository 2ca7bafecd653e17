"""`preprocessor_config.json` of transformers: what its image processors do to a square picture."""

from collections.abc import Mapping
from typing import Any

from fairsal_core.classifiers.imported.manifest import FRAME, Preprocessing, as_manifest
from fairsal_core.errors import FairsalError

CONFIG = "preprocessor_config.json"
_RESAMPLE = {0: "nearest", 2: "bilinear", 3: "bicubic"}
_WARPS_FROM = 384  # ConvNextImageProcessor crops what is smaller


def processor_settings(config: Any) -> Preprocessing:
    """Return what the configuration of an image processor says.

    Raises
    ------
    FairsalError
        If it is none, or does what an adapter cannot.
    """
    if not isinstance(config, Mapping):
        raise FairsalError(f"{CONFIG} is no JSON object.")
    try:
        content = _content(config)
    except (TypeError, ValueError, KeyError) as error:
        raise FairsalError(f"{CONFIG} says nothing that can be followed ({type(error).__name__}: {error}).") from None
    return as_manifest({"format": "x", "weights": "x", "preprocessing": content}).preprocessing


def _content(config: Mapping[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    resized = (FRAME, FRAME)
    if config.get("do_resize", True):
        resized = _sides(config.get("size", 224))
        resample = config.get("resample", 2)
        if resample not in _RESAMPLE:
            raise FairsalError(
                f"{CONFIG} resizes by resample={resample}; 0, 2 and 3 are known: nearest, bilinear, bicubic."
            )
        content["interpolation"] = _RESAMPLE[resample]
    crop = _sides(config.get("crop_size", resized)) if config.get("do_center_crop", False) else resized
    share = config.get("crop_pct")
    if share and config.get("do_resize", True) and crop == resized and resized[0] < _WARPS_FROM:
        resized = (int(resized[0] / share), int(resized[1] / share))
    content["resize"], content["crop"] = resized, crop
    content["corner"] = [int((whole - part) / 2) for whole, part in zip(resized, crop, strict=True)]
    content["scale"] = 255 * float(config.get("rescale_factor", 1 / 255)) if config.get("do_rescale", True) else 255.0
    if config.get("do_normalize", True):
        content["mean"], content["std"] = config.get("image_mean") or [0.5] * 3, config.get("image_std") or [0.5] * 3
    return content


def _sides(size: Any) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    if not isinstance(size, Mapping):
        height, width = size
        return int(height), int(width)
    if "height" in size:
        return int(size["height"]), int(size["width"])
    side = int(size.get("shortest_edge") or size["longest_edge"])
    return side, side
