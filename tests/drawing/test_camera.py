"""What a camera adds, beside Pillow's way of doing it."""

import numpy as np
from PIL import Image, ImageFilter

from fairsal_core.drawing import camera


def test_softening_is_pillows_box_blur() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 218, 178)).astype(np.float32)
    pillows = [Image.fromarray(plane.astype(np.uint8)).filter(ImageFilter.BoxBlur(0.4)) for plane in pixels]
    camera._soften(pixels, 0.4)
    assert np.abs(pixels - np.stack([np.asarray(plane) for plane in pillows])).max() <= 1.5  # it rounds after each axis
