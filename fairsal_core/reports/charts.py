"""Points with intervals as plain SVG: sharp in print, nothing to load, colours from the page's style."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

_LEFT, _RIGHT, _TOP, _ROW, _AXIS, _LETTER = 230, 20, 26, 22, 470, 6.8


class Point(NamedTuple):
    """A number with its interval; `style` is a class of the stylesheet ("clean" is filled, "treated" open)."""

    label: str
    value: float
    low: float
    high: float
    style: str


def interval_chart(title: str, points: Sequence[Point], low: float, high: float) -> Markup:
    """Return an SVG with one row a point, on an axis from `low` to `high`; what lies outside is cut off at the edge.

    The drawing carries its content as text too: a title, and a tooltip on every row.
    """
    height = _TOP + _ROW * len(points) + 8
    frame = _Frame(low, high, max(_LEFT, _LETTER * max((len(point.label) for point in points), default=0)))
    rows = [_row(point, _TOP + _ROW * (index + 0.5), frame) for index, point in enumerate(points)]
    axis = [_tick(value, height, frame) for value in _ticks(low, high)]
    return Markup(
        '<svg class="chart" role="img" viewBox="0 0 {} {}" aria-label="{}"><title>{}</title>{}{}</svg>'
    ).format(frame.width, height, title, title, Markup("").join(axis), Markup("").join(rows))


class _Frame(NamedTuple):
    """The ends of the axis, and how much room the labels take before it: groups that are crossed have long names."""

    low: float
    high: float
    left: float

    @property
    def width(self) -> float:
        return self.left + _AXIS + _RIGHT

    def x(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.left + share * _AXIS, 1)


def _ticks(low: float, high: float) -> list[float]:
    step = 0.25 if high - low > 0.75 else 0.1
    return [step * number for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _tick(value: float, height: float, frame: _Frame) -> Markup:
    x, kind = frame.x(value), "zero" if abs(value) < 1e-9 else "grid"
    return Markup(
        '<line class="{}" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="tick" x="{}" y="14">{:g}</text>'
    ).format(kind, x, x, _TOP - 6, height, x, round(value, 2))


def _row(point: Point, y: float, frame: _Frame) -> Markup:
    if math.isnan(point.value):
        return Markup('<text class="name" x="0" y="{}">{}: not measured</text>').format(y + 4, point.label)
    described = f"{point.label}: {point.value:.3f}, 95% interval {point.low:.3f} to {point.high:.3f}"
    return Markup(
        '<g class="{}"><title>{}</title><text class="name" x="0" y="{}">{}</text>'
        '<line class="whisker" x1="{}" x2="{}" y1="{}" y2="{}"/><circle cx="{}" cy="{}" r="5"/></g>'
    ).format(
        escape(point.style),
        described,
        y + 4,
        point.label,
        frame.x(point.low),
        frame.x(point.high),
        y,
        y,
        frame.x(point.value),
        y,
    )
