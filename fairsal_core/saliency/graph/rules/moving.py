"""Operations that pick, order, join, repeat or pad: every piece of relevance goes where its number came from."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from fairsal_core.saliency.graph.rules.base import Call, Rule, Shares, moved, total

_ONE = (
    "view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze", "permute", "transpose", "t",
    "numpy_T", "movedim", "moveaxis", "swapaxes", "swapdims", "expand", "expand_as", "repeat", "repeat_interleave",
    "slice", "select", "narrow", "index", "index_select", "gather", "take_along_dim", "split", "split_with_sizes",
    "chunk", "unbind", "tensor_split", "unsafe_split", "unsafe_chunk", "roll", "flip", "diagonal", "unfold", "im2col",
    "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "native_channel_shuffle", "broadcast_to", "view_as",
    "reshape_as", "getitem", "clone", "contiguous",
)  # fmt: skip
_JOINED = (
    "cat", "concat", "concatenate", "stack", "hstack", "vstack", "where", "masked_fill", "pad", "constant_pad_nd",
    "reflection_pad2d", "replication_pad2d", "slice_scatter", "select_scatter",
)  # fmt: skip
_RESIZED = (
    "upsample_nearest2d", "upsample_bilinear2d", "upsample_bicubic2d", "_upsample_nearest_exact2d",
    "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", "interpolate", "avg_pool2d", "adaptive_avg_pool2d",
    "grid_sampler", "grid_sampler_2d", "matmul", "mm", "bmm", "einsum",
)  # fmt: skip


def joined(call: Call, relevance: Any) -> Shares:
    """Return each piece where it came from; what came from a constant, as a class token, is the constants'."""
    shares = moved(call, relevance).inputs
    rest = total(relevance)
    taken = [total(share) for share in shares if isinstance(share, Tensor) and len(share) == len(rest)]
    return Shares(shares, rest - sum(taken)) if taken else Shares(shares)


RULES: Mapping[str, Rule] = {**dict.fromkeys(_ONE, moved), **dict.fromkeys(_JOINED, joined)}
# A pixel of a resized picture is a mean of pixels, of weights that sum to 1. By these weights alone, whatever the pixels'
# values, relevance does not depend on the units, before or after normalisation.
PICTURE_RULES: Mapping[str, Rule] = {**RULES, **dict.fromkeys(_RESIZED, moved)}
