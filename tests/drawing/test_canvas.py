"""The canvas: shapes wait, which changes no label."""

import pytest

from fairsal_core.drawing import draw_face
from fairsal_core.drawing.canvas import Canvas


def test_a_face_is_placed_shape_by_shape_as_it_is_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    together = [draw_face(4, index) for index in range(1, 6)]
    fill, stroke = Canvas.fill, Canvas.stroke
    monkeypatch.setattr(Canvas, "fill", lambda self, *what, **how: (fill(self, *what, **how), self.finish()))
    monkeypatch.setattr(Canvas, "stroke", lambda self, *what, **how: (stroke(self, *what, **how), self.finish()))
    for index, face in enumerate(together, start=1):
        assert draw_face(4, index).parts.tobytes() == face.parts.tobytes()
