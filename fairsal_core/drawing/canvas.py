"""What is drawn on: a picture and its part labels at twice their size."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from fairsal_core.drawing.colours import Colour
from fairsal_core.drawing.geometry import Frame, Points
from fairsal_core.drawing.parts import PARTS

WIDTH, HEIGHT = 178, 218
"""The frame of CelebA's aligned faces, in pixels."""

OVERSAMPLING = 2
"""How many pixels of the canvas, across and down, become one of the picture."""


class Canvas:
    """A picture and its part labels, drawn with the same shapes at twice the size.

    Shapes wait until the frame changes, and are then placed together: numpy takes as long for one outline as for forty.
    """

    def __init__(self, background: Image.Image) -> None:
        self.image = background
        self.parts = Image.new("L", background.size)
        self._paint = ImageDraw.Draw(self.image)
        # In "RGBA" mode Pillow blends a colour that has an alpha into the RGB picture, pixel by pixel and so slower.
        self._glaze = ImageDraw.Draw(self.image, "RGBA")
        self._name = ImageDraw.Draw(self.parts)
        self._frame = Frame(1.0, 0.0, (0.0, 0.0))
        self._outlines: list[Points] = []
        self._drawings: list[tuple[Callable[..., None], Callable[..., None], tuple[Any, ...], str | None]] = []

    def place(self, frame: Frame) -> None:
        """Draw what follows in this frame."""
        self.finish()
        self._frame = frame

    def finish(self) -> None:
        """Draw the shapes that wait."""
        if not self._outlines:
            return
        flat = (self._frame(np.concatenate(self._outlines)) * OVERSAMPLING).ravel().tolist()
        start = 0
        for outline, (draw, name, settings, part) in zip(self._outlines, self._drawings, strict=True):
            end = start + 2 * len(outline)
            points = flat[start:end]
            draw(points, *settings)
            if part is not None:
                name(points, PARTS[part], *settings[1:])
            start = end
        self._outlines.clear()
        self._drawings.clear()

    def fill(self, outline: Points, colour: Colour, part: str | None = None, alpha: float = 1.0) -> None:
        """Fill an outline, (n, 2). Without a part it is decoration: the label below stays.

        What lies wholly within its own part is decoration too: naming the same pixels twice takes time and changes none.
        """
        pen, ink = self._ink(colour, alpha)
        self._outlines.append(outline)
        self._drawings.append((pen.polygon, self._name.polygon, (ink,), part))

    def stroke(self, line: Points, colour: Colour, width: float, part: str | None = None, alpha: float = 1.0) -> None:
        """Draw a line, (n, 2), of this width."""
        pen, ink = self._ink(colour, alpha)
        self._outlines.append(line)
        self._drawings.append((pen.line, self._name.line, (ink, max(round(width * OVERSAMPLING), 1)), part))

    def strokes(self, lines: Points, colours: Sequence[Colour], width: float, part: str) -> None:
        """Draw several lines, (m, n, 2), in these colours in turn."""
        for number, line in enumerate(lines):
            self.stroke(line, colours[number % len(colours)], width, part)

    def _ink(self, colour: Colour, alpha: float) -> tuple[ImageDraw.ImageDraw, tuple[int, ...]]:
        return (self._glaze, (*colour, round(255 * alpha))) if alpha < 1 else (self._paint, colour)
