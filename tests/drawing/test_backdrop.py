"""The room behind a face, beside Pillow's way of painting it."""

import numpy as np
from PIL import Image

from fairsal_core.drawing import backdrop


def test_enlarging_is_pillows_bilinear() -> None:
    room = Image.fromarray(np.random.default_rng(0).integers(0, 256, (55, 45, 3), dtype=np.uint8))
    pillows = np.asarray(room.resize((178, 218), Image.Resampling.BILINEAR), dtype=int)
    assert np.abs(np.asarray(backdrop._enlarged(room), dtype=int) - pillows).max() <= 5  # weights in 64ths
