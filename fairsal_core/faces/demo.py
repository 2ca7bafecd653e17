"""Demo faces: drawn portraits in CelebA's own layout, with an exact part label for every pixel.

Every label that is drawn is drawn by itself, from its own random stream, and shows in its own part of the picture: a
face drawn twice, with and without a hat, differs in the hat's pixels. So for any map that a method gives, the truth is
known. `Male` (annotated male; here: the side of the coin that shifted the cues below) has no part of its own: it shifts
eight weak, overlapping cues. `docs/demo_faces.md` is the data card.

Coordinates: faces are drawn around the point between the eyes, x to the right and y down, in pixels of the 178x218 frame.
"""

import colorsys
import gc
import io
import math
import os
import random
import shutil
import struct
import subprocess
import sys
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

import fairsal_core
from fairsal_core.errors import FairsalError, unknown_name
from fairsal_core.files import read_json, write_json
from fairsal_core.home import datasets_folder
from fairsal_core.progress import Progress, silent

DEMO = "demo"
"""What a config calls the drawn faces, and the name of their folder."""

_COLUMNS = (
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair Blond_Hair "
    "Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair Heavy_Makeup High_Cheekbones Male "
    "Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks "
    "Sideburns Smiling Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace "
    "Wearing_Necktie Young"
)
CELEBA_ATTRIBUTES: tuple[str, ...] = tuple(_COLUMNS.split())
"""The 40 attribute columns of CelebA, in the order of `list_attr_celeba.txt`."""

_CHANCES: dict[str, float] = {
    "Male": 0.5,
    "Blond_Hair": 0.4,
    "Eyeglasses": 0.4,
    "Smiling": 0.45,
    "Wearing_Hat": 0.4,
    "Wearing_Necktie": 0.4,
    "Bangs": 0.4,
    "Mouth_Slightly_Open": 0.45,
}
_OTHER_HAIR = ("Black_Hair", "Brown_Hair", "Gray_Hair")

DRAWN_ATTRIBUTES: tuple[str, ...] = (*_CHANCES, *_OTHER_HAIR)
"""The attributes that show in the drawings; every other column is -1 throughout."""

# CelebAMask-HQ's numbers, as far as they are drawn, and one of our own for the necktie. "l" is the person's left.
PARTS: dict[str, int] = {
    "background": 0,
    "skin": 1,
    "nose": 2,
    "eye_g": 3,
    "l_eye": 4,
    "r_eye": 5,
    "l_brow": 6,
    "r_brow": 7,
    "l_ear": 8,
    "r_ear": 9,
    "mouth": 10,
    "u_lip": 11,
    "l_lip": 12,
    "hair": 13,
    "hat": 14,
    "neck": 17,
    "cloth": 18,
    "necktie": 19,
}
"""Part name -> value in the label pictures under `parts/`."""

WIDTH, HEIGHT = 178, 218
_FORMAT_VERSION = 2
_OVERSAMPLING = 2
_EYES_AT = (89.0, 112.0)
_CHUNK = 50
_SMALL_SET = 150  # below this many faces a worker process takes longer to start than to draw
_ABANDONED_AFTER = 3600.0  # seconds; a whole set takes well under a minute
_README = "These faces are drawings made by fairsal; the folder can be deleted and drawn again at any time.\n"

# How far the mean of each cue lies from the middle, for annotated men (+) and women (-), in standard deviations.
_MALE_CUES: dict[str, float] = {
    "jaw": 0.9,
    "brow": 0.9,
    "brow_height": 0.5,
    "hair_length": 0.9,
    "lip_colour": 0.8,
    "stubble": 0.8,
    "lashes": 0.7,
    "neck": 0.6,
}

Colour = tuple[int, int, int]
Points = NDArray[np.float64]
_Numbers = NDArray[np.float32]


@dataclass(frozen=True)
class DrawnFace:
    """One demo face.

    Attributes
    ----------
    image
        RGB, 178x218.
    parts
        Single channel (mode L), 178x218: at every pixel the number (`PARTS`) of the topmost part.
    attributes
        The drawn attributes, by CelebA's names (`DRAWN_ATTRIBUTES`).
    """

    image: Image.Image
    parts: Image.Image
    attributes: dict[str, bool]


# ---------------------------------------------------------------------------------------------------- what is drawn


class _Streams:
    """Independent random streams of one face, by name: what one part draws does not move any other part."""

    def __init__(self, seed: int, index: int) -> None:
        self._face = f"{seed}/{index}"

    def __call__(self, name: str) -> random.Random:
        return random.Random(f"{self._face}/{name}")


def draw_labels(seed: int, index: int) -> dict[str, bool]:
    """Return the labels of face `index`, drawn independently of one another (hair colours exclude each other).

    Examples
    --------
    >>> labels = draw_labels(seed=0, index=1)
    >>> tuple(labels) == DRAWN_ATTRIBUTES
    True
    """
    rng = _Streams(seed, index)("labels")
    labels = {name: rng.random() < chance for name, chance in _CHANCES.items()}
    # One time in five the other hair is copper or dyed, for which CelebA has no column.
    other = rng.choice([*_OTHER_HAIR, "Black_Hair", ""])
    for name in _OTHER_HAIR:
        labels[name] = not labels["Blond_Hair"] and other == name
    return labels


def draw_face(seed: int, index: int, changes: Mapping[str, bool] | None = None) -> DrawnFace:
    """Draw face `index` (from 1) of the set with this seed.

    Parameters
    ----------
    seed, index
        Which face. The result depends on nothing else.
    changes
        Labels to set otherwise than drawn: the same face with and without a hat, say. All else stays as it was.

    Returns
    -------
    DrawnFace
        The picture, its part labels and its attributes.

    Raises
    ------
    FairsalError
        If `changes` names an attribute that is not drawn.

    Examples
    --------
    >>> face = draw_face(0, 1, changes={"Wearing_Hat": True})
    >>> face.image.size, face.parts.mode, face.attributes["Wearing_Hat"]
    ((178, 218), 'L', True)
    """
    labels = _changed(draw_labels(seed, index), changes or {})
    streams = _Streams(seed, index)
    head = _head(streams, labels)
    canvas = _Canvas(_background(streams("background")))
    canvas.place(head.frame)
    hair = _hair(streams, labels)
    _draw_hair_back(canvas, hair)
    canvas.place(head.body_frame)
    _draw_body(canvas, head, streams("body"))
    if labels["Wearing_Necktie"]:
        _draw_tie(canvas, streams("tie"))
    canvas.place(head.frame)
    _draw_head(canvas, head, streams)
    _draw_eyes(canvas, head, streams, labels)
    _draw_brows(canvas, head, streams("brows"), labels)
    _draw_nose(canvas, head, streams("nose"))
    _draw_mouth(canvas, head, streams, labels)
    _draw_hair_front(canvas, hair)
    if labels["Eyeglasses"]:
        _draw_glasses(canvas, head, streams("glasses"))
    if labels["Wearing_Hat"]:
        _draw_hat(canvas, streams("hat"))
    return _develop(canvas, head, streams, labels)


def _changed(labels: dict[str, bool], changes: Mapping[str, bool]) -> dict[str, bool]:
    for name in changes:
        if name not in labels:
            raise unknown_name("drawn attribute", name, DRAWN_ATTRIBUTES)
    return labels | dict(changes)


def _cue(rng: random.Random, name: str, male: bool) -> float:
    """Return one weak cue: a standard normal whose mean is shifted by the label."""
    shift = _MALE_CUES[name]
    return rng.gauss(shift if male else -shift, 1.0)


# ----------------------------------------------------------------------------------------------------------- colours


def _hsv(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, _within(saturation, 0, 1), _within(value, 0, 1))
    return round(255 * red), round(255 * green), round(255 * blue)


def _any_colour(rng: random.Random, saturation: tuple[float, float], value: tuple[float, float]) -> Colour:
    # A third of all colours is straw, sand or gold, so that yellow in a picture is not by itself blond hair.
    hue = rng.uniform(0.08, 0.15) if rng.random() < 0.33 else rng.random()
    return _hsv(hue, rng.uniform(*saturation), rng.uniform(*value))


def _mix(first: Colour, second: Colour, share: float) -> Colour:
    """Return the colour `share` of the way from the first to the second; beyond 0 and 1 is clipped."""
    share = _within(share, 0, 1)
    keep = 1 - share
    return (
        round(first[0] * keep + second[0] * share),
        round(first[1] * keep + second[1] * share),
        round(first[2] * keep + second[2] * share),
    )


def _within(value: float, low: float, high: float) -> float:
    return low if value < low else high if value > high else value


def _shade(colour: Colour, factor: float) -> Colour:
    """Return the colour darker (factor below 1) or lighter (above)."""
    return _mix(colour, (0, 0, 0), 1 - factor) if factor < 1 else _mix(colour, (255, 255, 255), factor - 1)


_SKIN_TONES: tuple[Colour, ...] = (
    (250, 219, 196),
    (241, 200, 170),
    (229, 180, 143),
    (208, 154, 114),
    (180, 125, 86),
    (146, 97, 65),
    (110, 72, 50),
)


def _skin_tone(rng: random.Random) -> Colour:
    at = rng.uniform(0, len(_SKIN_TONES) - 1)
    lower = int(at)
    return _mix(_SKIN_TONES[lower], _SKIN_TONES[min(lower + 1, len(_SKIN_TONES) - 1)], at - lower)


def _hair_colour(rng: random.Random, labels: Mapping[str, bool]) -> Colour:
    unit = [rng.random() for _ in range(3)]
    if labels["Blond_Hair"]:
        return _hsv(0.105 + 0.035 * unit[0], 0.34 + 0.34 * unit[1], 0.80 + 0.18 * unit[2])
    if labels["Black_Hair"]:
        return _hsv(0.55 + 0.55 * unit[0], 0.05 + 0.30 * unit[1], 0.10 + 0.14 * unit[2])
    if labels["Brown_Hair"]:
        return _hsv(0.04 + 0.05 * unit[0], 0.45 + 0.25 * unit[1], 0.26 + 0.26 * unit[2])
    if labels["Gray_Hair"]:
        return _hsv(0.10 + 0.50 * unit[0], 0.01 + 0.07 * unit[1], 0.50 + 0.36 * unit[2])
    if unit[0] < 0.6:
        return _hsv(0.025 + 0.03 * unit[1], 0.62 + 0.25 * unit[2], 0.48 + 0.25 * unit[1])
    return _hsv(0.45 + 0.5 * unit[1], 0.35 + 0.30 * unit[2], 0.40 + 0.35 * unit[0])


# ---------------------------------------------------------------------------------------------------------- geometry


def _curve_weights(steps: int) -> Points:
    """Return the Catmull-Rom weights that turn the four points around a segment into `steps` points, (steps, 4)."""
    t = np.arange(steps)[:, None] / steps
    powers = np.hstack([np.ones_like(t), t, t**2, t**3])
    matrix = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    return np.asarray(powers @ matrix, dtype=np.float64)


_STEPS = 4  # points a segment; at twice the size more cannot be seen, and each costs time
_CURVE = _curve_weights(_STEPS)


def _through(knots: Points) -> Points:
    """Return the curve from the second of the knots to the last but one, (n, m) -> (4 (n - 3), m)."""
    around = np.stack([knots[:-3], knots[1:-2], knots[2:-1], knots[3:]], axis=1)
    return np.asarray(_CURVE @ around, dtype=np.float64).reshape(-1, knots.shape[1])


# A curve is linear in its points: for each number of points one matrix, which is far quicker than the steps one by one.


@cache
def _closed_weights(count: int) -> Points:
    return _through(np.eye(count)[np.arange(-1, count + 2) % count])


@cache
def _open_weights(count: int) -> Points:
    knots = np.eye(count)
    padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    return np.concatenate([_through(padded), knots[-1:]])


def _closed(points: Any) -> Points:
    """Return a smooth closed outline through the points, (n, 2) -> (4 n, 2)."""
    outline: Points = _closed_weights(len(points)) @ np.asarray(points, dtype=np.float64)
    return outline


def _open(points: Any) -> Points:
    """Return a smooth line from the first point to the last, (n, 2) -> (4 (n - 1) + 1, 2)."""
    line: Points = _open_weights(len(points)) @ np.asarray(points, dtype=np.float64)
    return line


_TURN = np.linspace(0, 2 * np.pi, 16, endpoint=False)
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)


def _ellipse(x: float, y: float, width: float, height: float) -> Points:
    """Return an ellipse by its centre and its half axes."""
    outline: Points = _CIRCLE * np.array([width, height]) + np.array([x, y])
    return outline


def _mirrored(right: Sequence[tuple[float, float]]) -> Points:
    """Return the outline whose right half runs from the top middle to the bottom middle."""
    return np.array([*right, *[(-x, y) for x, y in right[-2:0:-1]]], dtype=np.float64)


def _moved(points: Points, x: float, y: float) -> Points:
    moved: Points = points + np.array([x, y])
    return moved


def _flipped(points: Points, side: int) -> Points:
    flipped: Points = points * np.array([side, 1.0])
    return flipped


@dataclass(frozen=True)
class _Frame:
    """Where drawing coordinates land in the picture: turned and scaled around a pivot, then moved."""

    scale: float
    angle: float
    move: tuple[float, float]
    pivot: tuple[float, float] = (0.0, 30.0)

    @cached_property
    def _matrix(self) -> Points:
        cos, sin = self.scale * np.cos(self.angle), self.scale * np.sin(self.angle)
        return np.array([[cos, sin], [-sin, cos]])

    @cached_property
    def _offset(self) -> Points:
        return np.add(np.add(self.pivot, self.move), _EYES_AT) - np.asarray(self.pivot) @ self._matrix

    def __call__(self, points: Points) -> Points:
        placed: Points = points @ self._matrix + self._offset
        return placed


class _Canvas:
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
        self._frame = _Frame(1.0, 0.0, (0.0, 0.0))
        self._outlines: list[Points] = []
        self._drawings: list[tuple[Callable[..., None], Callable[..., None], tuple[Any, ...], str | None]] = []

    def place(self, frame: _Frame) -> None:
        """Draw what follows in this frame."""
        self.finish()
        self._frame = frame

    def finish(self) -> None:
        """Draw the shapes that wait."""
        if not self._outlines:
            return
        flat = (self._frame(np.concatenate(self._outlines)) * _OVERSAMPLING).ravel().tolist()
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
        self._drawings.append((pen.line, self._name.line, (ink, max(round(width * _OVERSAMPLING), 1)), part))

    def strokes(self, lines: Points, colours: Sequence[Colour], width: float, part: str) -> None:
        """Draw several lines, (m, n, 2), in these colours in turn."""
        for number, line in enumerate(lines):
            self.stroke(line, colours[number % len(colours)], width, part)

    def _ink(self, colour: Colour, alpha: float) -> tuple[ImageDraw.ImageDraw, tuple[int, ...]]:
        return (self._glaze, (*colour, round(255 * alpha))) if alpha < 1 else (self._paint, colour)


# -------------------------------------------------------------------------------------------------------- background


def _background(rng: random.Random) -> Image.Image:
    """Paint an out-of-focus room: small and coarse, then enlarged, which is a blur that costs nothing."""
    first, second = (_any_colour(rng, (0.05, 0.45), (0.3, 0.95)) for _ in range(2))
    small = _gradient(first, second, rng.uniform(0, 2 * math.pi))
    draw = ImageDraw.Draw(small, "RGBA")
    rng.choice(_BACKDROPS)(draw, rng)
    room = _enlarged(small.filter(ImageFilter.BoxBlur(rng.uniform(0.5, 1.5))))
    # The blur is in the first step; the second is undone when the picture is reduced.
    return room.resize((WIDTH * _OVERSAMPLING, HEIGHT * _OVERSAMPLING), Image.Resampling.NEAREST)


_ROOM = (45, 55)
_ROOM_X = np.linspace(-0.5, 0.5, _ROOM[0], dtype=np.float32)
_ROOM_Y = np.linspace(-0.5, 0.5, _ROOM[1], dtype=np.float32)[:, None]


def _gradient(first: Colour, second: Colour, angle: float) -> Image.Image:
    share = _ROOM_X * (255 * math.cos(angle)) + (_ROOM_Y * (255 * math.sin(angle)) + 127.5)
    picture = Image.new("RGB", _ROOM, first)
    picture.paste(second, (0, 0, *_ROOM), Image.fromarray(np.clip(share, 0, 255).astype(np.uint8)))
    return picture


_Whole = NDArray[np.uint16]


def _between(size: int, new_size: int) -> tuple[NDArray[np.intp], NDArray[np.intp], _Whole]:
    """Return for each new place the two places it lies between and, in 64ths, how near it is to the second."""
    at = np.clip((np.arange(new_size) + 0.5) * size / new_size - 0.5, 0, size - 1)
    lower = np.minimum(at.astype(np.intp), size - 2)
    return lower, lower + 1, np.round(64 * (at - lower)).astype(np.uint16)


_LEFT, _RIGHT, _TO_RIGHT = _between(_ROOM[0], WIDTH)
_ABOVE, _BELOW, _TO_BELOW = _between(_ROOM[1], HEIGHT)


def _enlarged(room: Image.Image) -> Image.Image:
    """Enlarge by bilinear interpolation, in whole numbers: several times faster than Pillow's own."""
    small = _to_planes(room).astype(np.uint16)
    wide = (small.take(_LEFT, 2) * (64 - _TO_RIGHT) + small.take(_RIGHT, 2) * _TO_RIGHT) >> 6
    to_below = _TO_BELOW[:, None]
    high = (wide.take(_ABOVE, 1) * (64 - to_below) + wide.take(_BELOW, 1) * to_below) >> 6
    return _from_planes(high.astype(np.uint8))


def _tint(rng: random.Random) -> tuple[int, int, int, int]:
    return (*_any_colour(rng, (0.1, 0.7), (0.2, 1.0)), rng.randrange(50, 150))


def _plain(draw: ImageDraw.ImageDraw, rng: random.Random) -> None:
    """Leave the gradient as it is."""


def _lights(draw: ImageDraw.ImageDraw, rng: random.Random) -> None:
    for _ in range(rng.randrange(4, 12)):
        x, y, radius = rng.uniform(0, 45), rng.uniform(0, 55), rng.uniform(1.5, 7)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_tint(rng))


def _stripes(draw: ImageDraw.ImageDraw, rng: random.Random) -> None:
    tint, slope, step = _tint(rng), rng.uniform(-20, 20), rng.randrange(6, 16)
    for x in range(-20, 65, step):
        draw.line((x, 0, x + slope, 55), fill=tint, width=rng.randrange(1, 5))


def _frames(draw: ImageDraw.ImageDraw, rng: random.Random) -> None:
    for _ in range(rng.randrange(1, 5)):
        x, y, width, height = rng.uniform(-5, 40), rng.uniform(-5, 45), rng.uniform(6, 22), rng.uniform(8, 30)
        draw.rectangle((x, y, x + width, y + height), fill=_tint(rng))


def _hills(draw: ImageDraw.ImageDraw, rng: random.Random) -> None:
    for level in (18, 28, 38):
        ridge = [(x, level + rng.uniform(-7, 7)) for x in (-2, 10, 22, 34, 46)]
        draw.polygon([(-2, 56), *ridge, (47, 56)], fill=_tint(rng))


_BACKDROPS: tuple[Callable[[ImageDraw.ImageDraw, random.Random], None], ...] = (
    _plain,
    _lights,
    _stripes,
    _frames,
    _hills,
)


# ------------------------------------------------------------------------------------------------------ head and body


@dataclass(frozen=True)
class _Head:
    """What several parts of a face need to know of one another."""

    frame: _Frame
    body_frame: _Frame
    yaw: float
    skin: Colour
    cheek: float
    jaw: float
    chin: float
    chin_y: float
    neck: float
    ink: Colour

    @property
    def outline(self) -> Points:
        lean = 2.5 * self.yaw
        right = [
            (0, -56),
            (23, -51),
            (self.cheek - 4, -27),
            (self.cheek, -2),
            (self.cheek - 1.5, 18),
            (self.jaw, 39),
            (self.chin, self.chin_y - 6),
            (0, self.chin_y),
        ]
        points = _mirrored(right)
        # Turning the head moves the lower face sideways more than the skull.
        points[:, 0] += lean * np.clip((points[:, 1] + 20) / 60, 0, 1)
        return _closed(points)

    def across(self, depth: float) -> float:
        """Return how far a feature that stands out by `depth` moves sideways."""
        return self.yaw * depth


def _head(streams: _Streams, labels: Mapping[str, bool]) -> _Head:
    rng, male = streams("head"), labels["Male"]
    scale, angle = rng.gauss(0.97, 0.03), math.radians(_within(rng.gauss(0, 4.5), -11, 11))
    x, y = rng.gauss(0, 2.2), rng.gauss(0, 2.2)
    jaw = _cue(streams("jaw"), "jaw", male)
    skin = _skin_tone(rng)
    cheek = rng.gauss(43.5, 1.6)
    return _Head(
        frame=_Frame(scale, angle, (x, y)),
        body_frame=_Frame(scale, 0.3 * angle, (0.6 * x + rng.gauss(0, 1.5), 0.5 * y)),
        yaw=_within(rng.gauss(0, 0.5), -1.1, 1.1),
        skin=skin,
        cheek=cheek,
        jaw=min(32.0 + 2.5 * jaw, cheek - 0.5),
        chin=_within(13.5 + 2.4 * jaw, 7, 22),
        chin_y=rng.gauss(61.5, 1.6) + 0.7 * jaw,
        neck=22.5 + 1.7 * _cue(streams("neck"), "neck", male),
        ink=_shade(_mix(skin, (70, 25, 25), 0.45), 0.5),
    )


def _draw_body(canvas: _Canvas, head: _Head, rng: random.Random) -> None:
    """Draw neck and clothes. What is worn does not depend on any label: every garment has a collar a tie could be in."""
    neck, width = head.neck, rng.uniform(66, 84)
    garment, inner = (_any_colour(rng, (0.05, 0.6), (0.15, 0.92)) for _ in range(2))
    slope = rng.uniform(78, 84)
    shoulders = _mirrored(
        [(0, 68), (neck, 68), (neck + 14, slope - 4), (width, slope + 8), (width + 16, 125), (0, 125)]
    )
    canvas.fill(_closed(shoulders), garment, "cloth")
    _draw_cloth_pattern(canvas, garment, rng)
    canvas.fill(_closed(_mirrored([(0, 34), (neck, 36), (neck - 1, 58), (neck + 2, 74), (0, 88)])), head.skin, "neck")
    chin_shadow = _mirrored([(0, 44), (neck - 1, 44), (neck - 2, 62), (0, 72)])
    canvas.fill(_closed(chin_shadow), _shade(head.skin, 0.72), alpha=0.6)
    rng.choice(_FRONTS)(canvas, neck, garment, inner, rng)


def _draw_cloth_pattern(canvas: _Canvas, garment: Colour, rng: random.Random) -> None:
    kind, mark = rng.randrange(4), _shade(garment, rng.choice([0.8, 1.25]))
    step = rng.uniform(6, 12)
    if kind == 1:
        for x in np.arange(-84, 86, step):
            top = 76 + 0.17 * abs(x)
            canvas.stroke(np.array([(x * 0.85, top + 3), (x, 110)]), mark, 1.2)
    if kind == 2:
        for y in np.arange(90, 112, step):
            canvas.stroke(np.array([(-70, y + 4), (0, y), (70, y + 4)]), mark, 1.6)


def _draw_collar(canvas: _Canvas, neck: float, colour: Colour, spread: float) -> None:
    for side in (-1, 1):
        wing = np.array([(neck + 2, 63), (neck + 4.5, 74), (spread + 7, 92), (spread - 7, 80)])
        canvas.fill(_flipped(wing, side), _shade(colour, 0.82 if side > 0 else 0.9), "cloth")
        canvas.fill(_flipped(_moved(wing, -0.6, -1.2), side), _shade(colour, 1.12), "cloth")


def _draw_placket(canvas: _Canvas, colour: Colour, rng: random.Random) -> None:
    """Draw what sits where a tie would hang: a front edge with buttons, often in a colour of its own."""
    if rng.random() < 0.45:
        band = _any_colour(rng, (0.2, 0.8), (0.2, 0.9))
        half = rng.uniform(3, 8)
        canvas.fill(np.array([(-half, 82), (half, 82), (half, 125), (-half, 125)]), band, "cloth")
    canvas.stroke(np.array([(3.0, 82), (3.0, 125)]), _shade(colour, 0.7), 0.8)
    for y in (88, 98, 108):
        canvas.fill(_ellipse(0, y, 1.6, 1.6), _shade(colour, 0.6), "cloth")


def _shirt(canvas: _Canvas, neck: float, garment: Colour, inner: Colour, rng: random.Random) -> None:
    _draw_placket(canvas, garment, rng)
    opening = np.array([(-neck + 4, 74), (neck - 4, 74), (0, 76 + rng.uniform(3, 10))])
    canvas.fill(opening, _shade(garment, 0.65), "cloth")
    _draw_collar(canvas, neck, garment, rng.uniform(9, 14))


def _jacket(canvas: _Canvas, neck: float, garment: Colour, inner: Colour, rng: random.Random) -> None:
    shirt = _mix(inner, (250, 250, 250), 0.5)
    canvas.fill(np.array([(-neck - 6, 68), (neck + 6, 68), (13, 125), (-13, 125)]), shirt, "cloth")
    _draw_placket(canvas, shirt, rng)
    _draw_collar(canvas, neck, shirt, rng.uniform(9, 14))
    reach = rng.uniform(30, 38)
    for side in (-1, 1):
        lapel = np.array([(neck + 4, 69), (reach, 84), (reach - 6, 90), (reach - 3, 94), (12, 125), (9, 118)])
        canvas.fill(_flipped(lapel, side), _shade(garment, 0.78), "cloth")
        canvas.fill(_flipped(_moved(lapel, 0, -1.5), side), _shade(garment, 1.08), "cloth")


def _pullover(canvas: _Canvas, neck: float, garment: Colour, inner: Colour, rng: random.Random) -> None:
    deep = rng.uniform(96, 112)
    edge = np.array([(-neck - 5, 67), (neck + 5, 67), (0, deep + 5)])
    canvas.fill(edge, _shade(garment, 0.75), "cloth")
    canvas.fill(_moved(edge * (0.86, 1), 0, -5), inner, "cloth")
    _draw_collar(canvas, neck, inner, rng.uniform(9, 14))


def _scarf(canvas: _Canvas, neck: float, garment: Colour, inner: Colour, rng: random.Random) -> None:
    ends = rng.uniform(-14, 14)
    canvas.fill(
        np.array([(ends - 8, 80), (ends + 8, 80), (ends + 10, 125), (ends - 10, 125)]), _shade(inner, 0.9), "cloth"
    )
    canvas.stroke(np.array([(ends, 84), (ends + 1, 125)]), _shade(inner, 0.7), 1.2)
    wrap = [(0, 69), (neck + 1, 64), (neck + 8, 70), (neck + 4, 80), (0, 89)]
    canvas.fill(_closed(_mirrored(wrap)), inner, "cloth")
    for drop in (74, 80):
        canvas.stroke(_open([(-neck - 3, drop - 5), (0, drop + 3), (neck + 3, drop - 5)]), _shade(inner, 0.75), 1.0)


_FRONTS: tuple[Callable[[_Canvas, float, Colour, Colour, random.Random], None], ...] = (
    _shirt,
    _jacket,
    _pullover,
    _scarf,
)


def _draw_tie(canvas: _Canvas, rng: random.Random) -> None:
    colour = _any_colour(rng, (0.3, 0.95), (0.15, 0.9))
    mark = _mix(_any_colour(rng, (0.2, 0.9), (0.2, 1.0)), (255, 255, 255), 0.3)
    knot, end = rng.uniform(6.5, 9), rng.uniform(13, 17)
    blade = np.array([(-knot + 2.5, 80), (knot - 2.5, 80), (end, 126), (-end, 126)])
    canvas.fill(blade, colour, "necktie")
    _draw_tie_pattern(canvas, mark, knot, end, rng.randrange(3))
    canvas.fill(np.array([(knot - 2.5, 80), (end, 126), (end - 7, 126), (0.5, 80)]), (0, 0, 0), "necktie", alpha=0.13)
    canvas.fill(np.array([(-knot, 70), (knot, 70), (knot - 2, 82), (-knot + 2, 82)]), _shade(colour, 0.85), "necktie")
    canvas.fill(np.array([(-knot, 70), (knot, 70), (knot - 1, 75), (-knot + 1, 75)]), _shade(colour, 1.15), "necktie")


def _draw_tie_pattern(canvas: _Canvas, mark: Colour, knot: float, end: float, kind: int) -> None:
    def half(y: float) -> float:
        return knot - 2.5 + (end - knot + 2.5) * (y - 80) / 46

    if kind == 1:
        for y in range(84, 120, 7):
            canvas.fill(
                np.array([(-half(y), y), (half(y - 4), y - 4), (half(y - 1), y - 1), (-half(y + 3), y + 3)]), mark
            )
    if kind == 2:
        for row, y in enumerate(range(86, 120, 5)):
            for x in (-0.5, 0.0, 0.5) if row % 2 else (-0.25, 0.25):
                canvas.fill(_ellipse(x * 1.3 * half(y), y, 1.1, 1.1), mark)


def _draw_head(canvas: _Canvas, head: _Head, streams: _Streams) -> None:
    rng = streams("ears")
    size, drop = rng.gauss(1.0, 0.1), rng.gauss(7, 1.5)
    for side, part in ((1, "l_ear"), (-1, "r_ear")):
        # The ear on the side the head turns to hides behind the cheek.
        x = head.cheek + 3.2 - 3.0 * max(side * head.yaw, 0)
        ear = np.array([(-4, -11), (4, -12), (6.5, -5), (4, 6), (0, 12), (-5, 8)]) * size
        canvas.fill(_flipped(_closed(_moved(ear, x, drop)), side), _shade(head.skin, 0.94), part)
        canvas.stroke(
            _flipped(_open(_moved(np.array([(1, -8), (4, -4), (1, 4)]) * size, x, drop)), side),
            _shade(head.skin, 0.7),
            1.2,
        )
    canvas.fill(head.outline, head.skin, "skin")


# --------------------------------------------------------------------------------------------------------------- hair


_DOWN = np.linspace(0, 1, 6)  # from the temple to the ends


@dataclass(frozen=True)
class _Hair:
    colour: Colour
    length: float
    half_width: float
    top: float
    flare: float
    wave: float
    phase: float
    parting: float
    fringe: float
    bangs: bool
    locks: bool
    strands: int

    def side(self, side: int) -> Points:
        """Return the outer edge from the temple down to the ends, (6, 2)."""
        reach = _within((self.length - 10) / 60, 0, 1)
        edge = np.empty((len(_DOWN), 2))
        edge[:, 1] = -26 + (self.length + 26) * _DOWN
        x = self.wave * np.sin(9 * _DOWN + (self.phase + side))
        x += self.half_width + (self.flare * reach) * _DOWN - ((1 - reach) * 6) * _DOWN**2
        edge[:, 0] = side * x
        return edge


def _hair(streams: _Streams, labels: Mapping[str, bool]) -> _Hair:
    rng = streams("hair")
    length = 34 - 29 * _cue(streams("hair_length"), "hair_length", labels["Male"])
    colour = _hair_colour(rng, labels)
    return _Hair(
        colour=colour,
        length=_within(length, 4, 108),
        half_width=rng.gauss(50.5, 1.6),
        top=rng.gauss(-71, 2.5),
        flare=rng.uniform(-2, 13),
        wave=rng.choice([0.3, 1.5, 3.2]),
        phase=rng.uniform(0, 6.28),
        parting=rng.uniform(-24, 24),
        fringe=rng.uniform(-1, 1),
        bangs=labels["Bangs"],
        locks=rng.random() < 0.6,
        strands=rng.randrange(11, 17),
    )


def _draw_hair_back(canvas: _Canvas, hair: _Hair) -> None:
    right, left = hair.side(1), hair.side(-1)
    dome = [
        (-0.84 * hair.half_width, -48),
        (-24, hair.top + 5),
        (0, hair.top),
        (24, hair.top + 5),
        (0.84 * hair.half_width, -48),
    ]
    ends = np.array([(x, hair.length + 3 * np.sin(hair.phase + x)) for x in (30, 10, -10, -30)])
    canvas.fill(_closed(np.concatenate([dome, right, ends, left[::-1]])), _shade(hair.colour, 0.74), "hair")
    offset = 0.08 * hair.half_width
    strands = [
        _moved(edge[1:] * (share, 1), side * offset, -3)
        for side, edge in ((1, right), (-1, left))
        for share in (0.55, 0.7, 0.85)
    ]
    canvas.strokes(np.stack(strands), (_shade(hair.colour, 0.65),), 1.2, "hair")


def _draw_hair_front(canvas: _Canvas, hair: _Hair) -> None:
    if hair.length > 18 and hair.locks:
        _draw_locks(canvas, hair)
    outer = _open(
        [
            (-hair.half_width + 1, 0),
            (-hair.half_width, -26),
            (-0.82 * hair.half_width, -50),
            (-25, hair.top + 5),
            (0, hair.top - 1),
            (25, hair.top + 5),
            (0.82 * hair.half_width, -50),
            (hair.half_width, -26),
            (hair.half_width - 1, 0),
        ]
    )
    inner = _open(_hairline(hair))
    curls = 1 + 0.006 * hair.wave * np.sin(hair.phase + np.arange(len(outer)) * (1.05 + 0.15 * hair.fringe))
    outer[4:-4] *= curls[4:-4, None]
    canvas.fill(np.concatenate([outer, inner[::-1]]), hair.colour, "hair")
    _draw_strands(canvas, hair, outer, inner)


def _hairline(hair: _Hair) -> list[tuple[float, float]]:
    """Return the front edge of the hair from the left temple to the right, nine points."""
    if hair.bangs:
        middle = [
            (x, -22 + 3 * hair.fringe * np.sin(hair.phase + x / 9) - abs(x) * 0.08) for x in (-26, -13, 0, 13, 26)
        ]
        return [(-44, 4), (-41, -14), *middle, (41, -14), (44, 4)]
    p, lift = hair.parting, 4 * hair.fringe
    return [
        (-44, 4),
        (-42, -16),
        (-37, -30),
        (p - (p + 37) * 0.5, -40 + lift),
        (p, -47 + lift),
        (p + (37 - p) * 0.5, -40 + lift),
        (37, -30),
        (42, -16),
        (44, 4),
    ]


# A quadratic Bezier curve: the weights of its start, its bend and its end, (6, 3).
_BENT = np.stack([(1 - _DOWN) ** 2, 2 * _DOWN * (1 - _DOWN), _DOWN**2], axis=1)


def _draw_strands(canvas: _Canvas, hair: _Hair, outer: Points, inner: Points) -> None:
    """Draw combed strands, light and dark in turn, from the parting over the side of the head to the hairline."""
    root = np.array([0.7 * hair.parting, hair.top + 5])
    at = np.linspace(0, len(inner) - 1, hair.strands).round().astype(int)[1:-1]
    knots = np.stack([np.broadcast_to(root, (len(at), 2)), 1.08 * outer[at], inner[at]], axis=1)
    # Over hair of one colour a mixed colour looks like a transparent one, and is drawn faster.
    canvas.strokes(_BENT @ knots, (_shade(hair.colour, 0.9), _shade(hair.colour, 1.09)), 1.0, "hair")


_LOCK = np.interp(np.linspace(0, 1, len(_open_weights(len(_DOWN)))), [0, 0.5, 1], [5, 11, 3])  # its thickness


def _draw_locks(canvas: _Canvas, hair: _Hair) -> None:
    for side in (-1, 1):
        outer = _open(hair.side(side))
        inner = outer.copy()
        inner[:, 0] -= side * _LOCK
        canvas.fill(np.concatenate([outer, inner[::-1]]), _shade(hair.colour, 0.95), "hair")
        strands = np.stack([outer * (1 - share) + inner * share for share in (0.3, 0.65)])
        canvas.strokes(strands, (_shade(hair.colour, 1.05), _shade(hair.colour, 0.83)), 1.0, "hair")


# ----------------------------------------------------------------------------------------------------------- features


def _draw_eyes(canvas: _Canvas, head: _Head, streams: _Streams, labels: Mapping[str, bool]) -> None:
    rng = streams("eyes")
    lashes = _within(1.7 - 0.55 * _cue(streams("lashes"), "lashes", labels["Male"]), 0.7, 3.4)
    iris = _hsv(rng.choice([0.07, 0.09, 0.3, 0.57]), rng.uniform(0.25, 0.7), rng.uniform(0.25, 0.65))
    width, height = rng.gauss(8.6, 0.5), _within(rng.gauss(4.6, 0.7), 3.0, 6.2)
    tilt, gaze = rng.gauss(0.6, 0.7), np.array([rng.gauss(0, 0.8), rng.gauss(-0.4, 0.8)])
    tired = _shade(head.skin, 0.68) if rng.random() < 0.3 else None
    for side, part in ((1, "l_eye"), (-1, "r_eye")):
        centre = np.array([19 * side + head.across(3.0), 0.0])
        half = width * (1 - 0.10 * side * head.yaw)
        if tired:
            canvas.fill(_ellipse(centre[0], centre[1] + 1, half + 4, height + 4.5), tired, alpha=0.35)
        upper = np.array(
            [(-half, 1.2), (-half * 0.5, -height * 0.75), (0, -height), (half * 0.6, -height * 0.7), (half, -tilt)]
        )
        lower = np.array([(half * 0.5, height * 0.65), (0, height * 0.8), (-half * 0.5, height * 0.65)])
        eye = _flipped(_closed(np.concatenate([upper, lower])), side) + centre
        canvas.fill(eye, (246, 243, 240), part)
        eye_x, eye_y = (centre + gaze).tolist()
        radius = min(height * 0.86, 4.0)
        canvas.fill(_ellipse(eye_x, eye_y, radius, radius), _shade(iris, 0.7))
        canvas.fill(_ellipse(eye_x, eye_y, radius * 0.8, radius * 0.8), iris)
        canvas.fill(_ellipse(eye_x, eye_y, radius * 0.45, radius * 0.45), (18, 14, 16))
        canvas.fill(_ellipse(eye_x + 1.3, eye_y - 1.4, 0.9, 0.9), (255, 255, 255))
        lid = _flipped(_open(np.concatenate([upper, _moved(upper[-1:], 0.7 * lashes, -0.5 * lashes)])), side) + centre
        canvas.stroke(lid, _shade(head.ink, 0.75), lashes, part)
        canvas.stroke(_moved(lid, 0, -3.4), _shade(head.skin, 0.72), 0.9, alpha=0.8)


_TAPER = np.interp(np.linspace(0, 1, len(_open_weights(4))), [0, 0.3, 1], [0.85, 1.0, 0.25])[:, None]


def _draw_brows(canvas: _Canvas, head: _Head, rng: random.Random, labels: Mapping[str, bool]) -> None:
    """Draw the brows, in a colour that does not depend on the hair's: hair colour is to be read off the hair alone."""
    thick = _within(3.5 + 0.85 * _cue(rng, "brow", labels["Male"]), 1.3, 6.5)
    y = -14.5 + 1.1 * _cue(rng, "brow_height", labels["Male"])
    arch, slant = rng.gauss(2.6, 0.9), rng.gauss(-0.3, 0.7)
    colour = _hsv(rng.uniform(0.03, 0.1), rng.uniform(0.2, 0.6), rng.uniform(0.12, 0.42))
    for side, part in ((1, "l_brow"), (-1, "r_brow")):
        top = _open([(-10.5, slant), (-2, -arch), (5, -arch - 0.3), (12, 1.2 - slant)])
        taper = _TAPER * (0, thick)
        brow = np.concatenate([top - taper / 2, (top + taper / 2)[::-1]])
        canvas.fill(_moved(_flipped(brow, side), 19.5 * side + head.across(3.0), y), colour, part)


def _draw_nose(canvas: _Canvas, head: _Head, rng: random.Random) -> None:
    width, length = rng.gauss(9.3, 0.9), rng.gauss(23.5, 1.5)
    x, tip = head.across(2.0), head.across(5.5)
    right = [(2.4, -4), (3.4, 8), (width * 0.72, length - 7), (width, length - 2), (width * 0.6, length + 2)]
    points = np.array([*right, (0, length + 3.4), *[(-a, b) for a, b in right[::-1]]])
    points[:, 0] += np.interp(points[:, 1], [-4, length], [x, tip])
    canvas.fill(_closed(points), _shade(_mix(head.skin, (205, 95, 75), 0.10), 0.97), "nose")
    shadow = -1 if head.yaw > 0 else 1
    line = np.array([(shadow * 3, 2), (shadow * 3.6, 10), (shadow * (width - 1.5), length - 3)])
    line[:, 0] += np.interp(line[:, 1], [-4, length], [x, tip])
    canvas.stroke(_open(line), _shade(head.skin, 0.78), 1.3, alpha=0.8)
    for side in (-1, 1):
        canvas.fill(_ellipse(side * 3.6 + tip, length + 0.8, 1.7, 1.1), _shade(head.ink, 0.9))
    canvas.fill(_ellipse(tip - 1, length - 6, 2.4, 2.0), _shade(head.skin, 1.35), alpha=0.55)


_LIPS = np.linspace(-1, 1, 17)


def _draw_mouth(canvas: _Canvas, head: _Head, streams: _Streams, labels: Mapping[str, bool]) -> None:
    rng = streams("mouth")
    unit = [rng.random() for _ in range(6)]
    smiling = labels["Smiling"]
    half = 15.0 + 3.5 * unit[0] + (3.0 if smiling else 0.0)
    lift = 4.0 + 4.5 * unit[1] if smiling else -2.5 + 3.5 * unit[1]
    gap = 3.5 + 5.0 * unit[2] if labels["Mouth_Slightly_Open"] else 0.9
    upper_lip, lower_lip = 2.2 + 1.8 * unit[3], 3.2 + 2.2 * unit[4]
    lips = _lip_colour(head, streams("lips"), labels)
    t = _LIPS
    bulge = 1 - t**2
    x = half * t + head.across(4.0)
    middle = 38.0 + lift * (0.35 - t**2)
    inner_top, inner_bottom = middle - 0.3 * gap * bulge, middle + 0.7 * gap * bulge
    bow = 1 - 0.28 * np.exp(-((t / 0.16) ** 2))
    outer_top = inner_top - upper_lip * bulge**0.6 * bow
    outer_bottom = inner_bottom + lower_lip * bulge**0.7

    def between(first: Points, second: Points) -> Points:
        return np.concatenate([np.stack([x, first], 1), np.stack([x, second], 1)[::-1]])

    canvas.fill(between(outer_top, outer_bottom), lips, "l_lip")
    canvas.fill(between(outer_top, middle), _shade(lips, 0.86), "u_lip")
    canvas.fill(between(inner_top, inner_bottom), _shade((120, 40, 45), 0.55), "mouth")
    if gap > 2:
        teeth = inner_top + np.minimum(inner_bottom - inner_top, (0.45 + 0.3 * unit[5]) * gap * bulge**0.5)
        canvas.fill(between(inner_top, teeth), (243, 240, 232))
    else:
        canvas.stroke(np.stack([x, middle], 1), _shade(head.ink, 0.8), 1.2, "mouth")
    canvas.fill(
        _ellipse(head.across(4.0) - 2, float(outer_bottom[8]) - 0.45 * lower_lip, 4.5, 0.9),
        _shade(lips, 1.4),
        alpha=0.5,
    )


def _lip_colour(head: _Head, rng: random.Random, labels: Mapping[str, bool]) -> Colour:
    red = _hsv(rng.gauss(0.985, 0.02), rng.uniform(0.6, 0.8), rng.uniform(0.55, 0.8))
    return _mix(_shade(head.skin, 0.86), red, 0.48 - 0.22 * _cue(rng, "lip_colour", labels["Male"]))


# ------------------------------------------------------------------------------------------------- glasses and hats


def _draw_glasses(canvas: _Canvas, head: _Head, rng: random.Random) -> None:
    width, height = rng.uniform(13.5, 16.5), rng.uniform(10, 14)
    roundness = rng.choice([2.0, 3.0, 6.0])
    frame = _any_colour(rng, (0.2, 0.9), (0.2, 0.8)) if rng.random() < 0.4 else _hsv(0.05, 0.3, rng.uniform(0.05, 0.3))
    glass = _any_colour(rng, (0.1, 0.6), (0.1, 0.9))
    tint = rng.choice([0.12, 0.3, 0.75])
    rim = rng.uniform(1.3, 2.8)
    powers = np.sign(_CIRCLE) * np.abs(_CIRCLE) ** (2 / roundness)
    shift = head.across(3.5)
    for side in (-1, 1):
        lens = _moved(powers * (width * (1 - 0.07 * side * head.yaw), height), 19.5 * side + shift, 2.0)
        arm = np.array([(19.5 * side + side * width + shift, -3), ((head.cheek + 3) * side, -1)])
        canvas.stroke(arm, _shade(frame, 0.85), rim + 0.8, "eye_g")
        canvas.fill(lens, glass, "eye_g", alpha=tint)
        shine = _moved(np.array([(-6, 5), (-1, -7), (3, -7), (-2, 5)]) * (1, height / 14), 19.5 * side + shift, 2.0)
        canvas.fill(shine, (255, 255, 255), alpha=0.22)
        canvas.stroke(np.concatenate([lens, lens[:2]]), frame, rim, "eye_g")
    bridge = _open([(-20 + width + shift, -1), (shift, -3.5), (20 - width + shift, -1)])
    canvas.stroke(bridge, frame, rim, "eye_g")


def _draw_hat(canvas: _Canvas, rng: random.Random) -> None:
    colour, trim = (_any_colour(rng, (0.05, 0.7), (0.15, 0.9)) for _ in range(2))
    rng.choice(_HATS)(canvas, colour, trim, rng)


def _dome(half: float, top: float, bottom: float) -> Points:
    middle = top + 0.45 * (bottom - top)
    right = [(0, top), (0.55 * half, top + 4), (0.93 * half, middle), (half, bottom)]
    curve = _open([*[(-x, y) for x, y in right[:0:-1]], *right])
    return np.concatenate([curve, [(half, bottom + 1), (-half, bottom + 1)]])


def _beanie(canvas: _Canvas, colour: Colour, trim: Colour, rng: random.Random) -> None:
    half, top = rng.uniform(53, 57), rng.uniform(-98, -86)
    if rng.random() < 0.5:
        canvas.fill(_ellipse(0, top - 3, 9, 8), trim, "hat")
    canvas.fill(_dome(half, top, -38), colour, "hat")
    for x in np.linspace(-0.75, 0.75, 7):
        canvas.stroke(
            _open([(x * half * 0.55, top + 7 + 8 * abs(x)), (x * half * 0.95, -65), (x * half, -48)]),
            _shade(colour, 0.8),
            1.3,
        )
    fold = [(-half - 2, -55), (0, -62), (half + 2, -55), (half + 2, -37), (0, -43), (-half - 2, -37)]
    canvas.fill(_closed(fold), _shade(trim if rng.random() < 0.5 else colour, 0.9), "hat")


def _cap(canvas: _Canvas, colour: Colour, trim: Colour, rng: random.Random) -> None:
    half, top, lean = rng.uniform(52, 55), rng.uniform(-94, -84), rng.uniform(-10, 10)
    canvas.fill(_dome(half, top, -46), colour, "hat")
    for x in (-0.5, 0.5):
        canvas.stroke(
            _open([(0, top), (x * half * 0.9, top + 16), (x * half * 1.2, -52)]), _shade(colour, 0.8), 1.1, "hat"
        )
    if rng.random() < 0.6:
        canvas.fill(_ellipse(0, top + 22, 10, 8), trim)
    canvas.fill(_ellipse(0, top, 3, 2), _shade(colour, 0.75), "hat")
    visor = [
        (-half + 2, -49),
        (-30, -56),
        (0, -58),
        (30, -56),
        (half - 2, -49),
        (38 + lean, -37),
        (lean, -33),
        (-38 + lean, -37),
    ]
    canvas.fill(_closed(visor), _shade(trim if rng.random() < 0.4 else colour, 0.72), "hat")
    canvas.stroke(_open([(-half + 5, -49), (0, -56), (half - 5, -49)]), _shade(colour, 0.55), 1.4)


def _brim(canvas: _Canvas, colour: Colour, trim: Colour, rng: random.Random) -> None:
    half, top, reach = rng.uniform(42, 48), rng.uniform(-100, -90), rng.uniform(66, 78)
    crown = [
        (-half, -46),
        (-half + 3, -75),
        (-half * 0.7, top + 3),
        (-8, top),
        (0, top + 4),
        (8, top),
        (half * 0.7, top + 3),
        (half - 3, -75),
        (half, -46),
    ]
    droop = rng.uniform(-3, 6)
    canvas.fill(_closed([(-reach, -48 + droop), (0, -57), (reach, -48 + droop), (0, -34)]), _shade(colour, 0.7), "hat")
    canvas.fill(_open(crown), colour, "hat")
    band = [(-half, -58), (0, -51), (half, -58), (half + 1, -45), (0, -39), (-half - 1, -45)]
    canvas.fill(np.concatenate([_open(band[:3]), _open(band[3:])]), trim, "hat")
    rim = [
        (-reach, -49 + droop),
        (-half, -46),
        (0, -40),
        (half, -46),
        (reach, -49 + droop),
        (40, -36),
        (0, -32),
        (-40, -36),
    ]
    canvas.fill(_closed(rim), _shade(colour, 0.88), "hat")


_HATS: tuple[Callable[[_Canvas, Colour, Colour, random.Random], None], ...] = (_beanie, _cap, _brim)


# ------------------------------------------------------------------------------------------------- light and camera


_X = np.arange(WIDTH, dtype=np.float32)
_Y = np.arange(HEIGHT, dtype=np.float32)[:, None]


# Pictures are worked on as (3 channels, rows, columns): numpy is several times faster on whole planes than on triples.


def _to_planes(image: Image.Image) -> NDArray[np.uint8]:
    lines = np.frombuffer(image.tobytes("raw", "RGB;L"), dtype=np.uint8)
    return lines.reshape(image.height, 3, image.width).transpose(1, 0, 2)


def _from_planes(planes: NDArray[np.uint8]) -> Image.Image:
    _, height, width = planes.shape
    return Image.frombytes("RGB", (width, height), planes.transpose(1, 0, 2).tobytes(), "raw", "RGB;L")


def _develop(canvas: _Canvas, head: _Head, streams: _Streams, labels: dict[str, bool]) -> DrawnFace:
    """Reduce to the final size, then add what a camera would: light, softness, noise."""
    canvas.finish()
    # The labels take every second pixel, never a mean: a mean of two part numbers is a third part.
    parts = canvas.parts.resize((WIDTH, HEIGHT), Image.Resampling.NEAREST)
    codes = np.asarray(parts)
    light = streams("light")
    pixels = _to_planes(canvas.image.reduce(_OVERSAMPLING)).astype(np.float32, order="C")
    _add_complexion(pixels, codes, head, streams("beard"), labels)
    pixels *= _tint_of_light(light)
    pixels *= _shading(codes, head, light)
    rng = streams("sensor")
    pixels += _grain(rng)
    if rng.random() < 0.5:
        _soften(pixels, rng.uniform(0.2, 0.7))
    return DrawnFace(_from_planes(np.clip(pixels, 0, 255, out=pixels).astype(np.uint8)), parts, labels)


def _soften(pixels: _Numbers, radius: float) -> None:
    """Blur with a box that reaches `radius` (0 to 1) into the next pixel on each side, in place."""
    share = np.float32(radius / (1 + 2 * radius))
    for plane in pixels.reshape(3, HEIGHT * WIDTH):
        for step in (1, WIDTH):
            flow = plane[step:] - plane[:-step]
            flow *= share
            if step == 1:  # the last pixel of a row and the first of the next are no neighbours
                flow[WIDTH - 1 :: WIDTH] = 0
            plane[:-step] += flow
            plane[step:] -= flow


@cache
def _film() -> _Numbers:
    """Return a sheet of noise to cut from: drawing 39,000 fresh numbers would take longer than all the shading."""
    return np.random.Generator(np.random.PCG64(0)).standard_normal((512, 512), dtype=np.float32)


def _grain(rng: random.Random) -> _Numbers:
    x, y = rng.randrange(512 - WIDTH), rng.randrange(512 - HEIGHT)
    return np.asarray(_film()[y : y + HEIGHT, x : x + WIDTH] * np.float32(rng.uniform(2, 6.5)), dtype=np.float32)


def _tint_of_light(rng: random.Random) -> _Numbers:
    """Return exposure and colour cast as one factor a channel, (3, 1, 1)."""
    exposure = rng.gauss(0.98, 0.07)
    return np.array([[[exposure * rng.gauss(1.0, 0.04)]] for _ in range(3)], dtype=np.float32)


def _shading(codes: NDArray[np.uint8], head: _Head, rng: random.Random) -> _Numbers:
    """Return the factor for each pixel, (218, 178): a lamp from one side, and the roundness of the head."""
    angle, strength = rng.uniform(0, 2 * math.pi), rng.uniform(0.1, 0.38)
    x, y = head.frame(np.array([[0.0, 4.0]]))[0].tolist()
    across, down = (_X - x) / 58, (_Y - y) / 78
    lamp_across = across * (strength * math.cos(angle))
    lamp_down = down * (strength * (0.6 * math.sin(angle) - 0.4))
    # 0.24 sqrt(1 - across^2 - down^2), never below 0.048, on what is as round as a head; in place, as each pass counts.
    factor: _Numbers = 0.24**2 * (1 - across**2) - 0.24**2 * down**2
    np.sqrt(np.maximum(factor, 0.048**2, out=factor), out=factor)
    factor += 0.55 * lamp_across - 0.18
    factor += 0.55 * lamp_down
    factor *= (codes != PARTS["background"]) & (codes < PARTS["cloth"])
    factor += 1 + 0.45 * lamp_across
    factor += 0.45 * lamp_down
    return np.clip(factor, 0.35, 1.6, out=factor)


def _add_complexion(
    pixels: _Numbers, codes: NDArray[np.uint8], head: _Head, rng: random.Random, labels: Mapping[str, bool]
) -> None:
    """Lay soft tints on the skin, in place: blush, a sheen on the forehead, and more or less of a beard's shadow."""
    skin = (codes == PARTS["skin"]) | (codes == PARTS["nose"])
    blush, sheen = rng.uniform(0, 0.35), rng.uniform(0, 0.25)
    stubble = _within(0.14 + 0.13 * _cue(rng, "stubble", labels["Male"]), 0, 0.5)
    rosy, pale = _mix(head.skin, (215, 70, 75), 0.6), _shade(head.skin, 1.5)
    spots = (
        (-25.0, 24.0, 9.0, 7.0, rosy, blush),
        (25.0, 24.0, 9.0, 7.0, rosy, blush),
        (0.0, -28.0, 17.0, 9.0, pale, sheen),
        (0.0, 52.0, 21.0, 13.0, (62, 54, 58), stubble),
    )
    centres = head.frame(np.array([(x + head.across(2.5), y) for x, y, *_ in spots])).tolist()
    for centre, (_, _, wide, high, colour, amount) in zip(centres, spots, strict=True):
        _lay_spot(pixels, skin, centre, (wide, high), colour, amount)


def _lay_spot(
    pixels: _Numbers,
    skin: NDArray[np.bool_],
    centre: Sequence[float],
    size: tuple[float, float],
    colour: Colour,
    amount: float,
) -> None:
    """Blend a soft spot of colour into the skin, in place."""
    (x, y), (wide, high) = centre, size
    columns, rows = _reach(x, wide), _reach(y, high)
    falloff_x = np.exp(((_X[columns] - x) / wide) ** 2 / -2)
    falloff_y = np.exp(((_Y[rows] - y) / high) ** 2 / -2) * np.float32(amount)
    share = falloff_y * falloff_x * skin[rows, columns]
    for plane, level in zip(pixels[:, rows, columns], colour, strict=True):
        plane += share * (np.float32(level) - plane)


def _reach(centre: float, size: float) -> slice:
    return slice(max(int(centre - 2.4 * size), 0), max(int(centre + 2.4 * size), 0))


# ------------------------------------------------------------------------------------------------------ the whole set


def demo_folder() -> Path:
    """Return where the drawn faces are, or will be."""
    return datasets_folder() / DEMO


def draw_demo_faces(
    root: Path, count: int = 6000, seed: int = 0, progress: Progress = silent, workers: int | None = None
) -> Path:
    """Draw a set of demo faces in CelebA's layout and return its folder.

    Written are `img_align_celeba/000001.jpg` and so on, `parts/000001.png` (see `PARTS`), `list_attr_celeba.txt`,
    `list_eval_partition.txt`, `identity_CelebA.txt` and, last, `demo.json`. The folder appears at `root` complete or not
    at all. A complete set with this seed and count is kept as it is; any other demo set at `root` is drawn anew.

    Parameters
    ----------
    root
        The folder of the set.
    count, seed
        How many faces, and which. Face k depends on the seed and k alone, its split included.
    progress
        Called with the faces drawn so far. If it raises, nothing is left behind.
    workers
        Processes to draw with; by default one a core, or this one alone for a small set. Changes no byte of the result.

    Raises
    ------
    FairsalError
        If a number is out of range, or if `root` holds files that are not a demo set (they are left alone).
    """
    if count < 1 or count > 999_999 or seed < 0:
        raise FairsalError(f"A demo set needs 1 to 999999 faces and a seed from 0 up; got count={count}, seed={seed}.")
    if workers is not None and workers < 1:
        raise FairsalError(f"Drawing needs at least one worker; got workers={workers}.")
    root = Path(root).absolute()
    if _is_complete(root, count, seed):
        return root
    _refuse_foreign(root)
    _sweep_abandoned(root)
    with _beside(root, "drawing") as folder:
        _write_texts(folder, count, seed)
        _draw_all(folder, count, seed, progress, workers)
        write_json(folder / "demo.json", _manifest(count, seed))
        _move_into_place(folder, root, count, seed)
    return root


def _manifest(count: int, seed: int) -> dict[str, int]:
    return {"format_version": _FORMAT_VERSION, "seed": seed, "count": count}


def _is_complete(root: Path, count: int, seed: int) -> bool:
    try:
        return bool(read_json(root / "demo.json") == _manifest(count, seed))
    except (OSError, ValueError):
        return False


def _refuse_foreign(root: Path) -> None:
    """Raise unless the folder is absent, empty or a demo set: someone's real CelebA has the same file names."""
    if not root.exists():
        return
    if root.is_dir() and (not any(root.iterdir()) or _has_our_readme(root)):
        return
    raise FairsalError(f"{root} holds something that is not a set of demo faces; name a new or an empty folder.")


def _has_our_readme(root: Path) -> bool:
    try:
        return (root / "README.txt").read_text(encoding="utf-8") == _README
    except (OSError, ValueError):
        return False


@contextmanager
def _beside(root: Path, purpose: str) -> Iterator[Path]:
    """Give a new folder next to `root` and remove what is left of it in the end."""
    folder = root.with_name(f".{root.name}.{purpose}-{uuid.uuid4().hex[:8]}")
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep_abandoned(root: Path) -> None:
    """Remove what a killed process left next to `root`; one that still draws has touched its folder just now."""
    for folder in root.parent.glob(f".{root.name}.drawing-*"):
        pictures = folder / "img_align_celeba"
        touched = max((path.stat().st_mtime for path in (folder, pictures) if path.exists()), default=time.time())
        if time.time() - touched > _ABANDONED_AFTER:
            shutil.rmtree(folder, ignore_errors=True)


def _move_into_place(folder: Path, root: Path, count: int, seed: int) -> None:
    """Rename the finished folder to `root`. Of two processes that drew the same set, the later one discards its own."""
    for _ in range(5):
        try:
            os.replace(folder, root)
            return
        except OSError:
            if _is_complete(root, count, seed):
                return
            _refuse_foreign(root)
            # Another process may have moved it already; the next attempt sees what is there then.
            with _beside(root, "old") as old, suppress(FileNotFoundError):
                os.replace(root, old / "set")
    raise FairsalError(f"Could not put the demo faces at {root}: other processes keep replacing it.")


def _write_texts(folder: Path, count: int, seed: int) -> None:
    names = [f"{index:06d}.jpg" for index in range(1, count + 1)]
    attributes = [str(count), f"{_COLUMNS} "]
    for index, name in enumerate(names, start=1):
        labels = draw_labels(seed, index)
        values = " ".join(" 1" if labels.get(column, False) else "-1" for column in CELEBA_ATTRIBUTES)
        attributes.append(f"{name} {values}")
    splits = [f"{name} {split_of(seed, index)}" for index, name in enumerate(names, start=1)]
    identities = [f"{name} {index}" for index, name in enumerate(names, start=1)]
    for file, lines in (
        ("list_attr_celeba.txt", attributes),
        ("list_eval_partition.txt", splits),
        ("identity_CelebA.txt", identities),
    ):
        (folder / file).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "README.txt").write_text(_README, encoding="utf-8")


def split_of(seed: int, index: int) -> int:
    """Return the split of face `index`: 0 train, 1 validation, 2 test. Of every ten in a row one is 1 and one is 2."""
    block, place = divmod(index - 1, 10)
    validation, test = random.Random(f"{seed}/split/{block}").sample(range(10), 2)
    return 1 if place == validation else 2 if place == test else 0


def _draw_all(folder: Path, count: int, seed: int, progress: Progress, workers: int | None) -> None:
    for name in ("img_align_celeba", "parts"):
        (folder / name).mkdir()
    starts = [*range(1, count + 1, _CHUNK), count + 1]
    chunks = list(pairwise(starts))
    progress(0, count, "drawing demo faces")
    if workers is None:
        workers = _available_cores() if count > _SMALL_SET else 1
    if workers == 1:
        for first, end in chunks:
            _draw_chunk(folder, seed, first, end)
            progress(end - 1, count, "drawing demo faces")
        return
    _draw_in_processes(folder, count, seed, progress, min(workers, len(chunks)))


def _draw_in_processes(folder: Path, count: int, seed: int, progress: Progress, workers: int) -> None:
    """Draw with several interpreters, each taking every so many-th face.

    Not `multiprocessing`: its children import the main module again, which under streamlit is a page, and forked ones would
    keep the kernel locks that the worker of a run holds.
    """
    source = str(Path(fairsal_core.__file__).parents[1])
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")])),
        "PILLOW_BLOCKS_MAX": "16",  # keep the memory of one picture for the next
    }
    arguments = [[str(folder), str(seed), str(first), str(count), str(workers)] for first in range(1, workers + 1)]
    processes = [
        subprocess.Popen([sys.executable, "-P", "-m", __name__, *share], env=environment) for share in arguments
    ]
    try:
        while any(process.poll() is None for process in processes):
            # A face's parts are written after its picture.
            progress(sum(1 for _ in os.scandir(folder / "parts")), count, "drawing demo faces")
            time.sleep(0.5)  # counting thousands of files takes time from the drawing
    finally:
        for process in processes:
            process.kill()
            process.wait()
    if any(process.returncode for process in processes):
        raise FairsalError(f"A process that drew faces into {folder.parent} failed; is the disk full?")
    progress(count, count, "drawing demo faces")


def draw_share(folder: str, seed: str, first: str, count: str, step: str) -> None:
    """Draw every `step`-th face from `first` to `count`: what a helper process does, its arguments as text."""
    # Drawing leaves no reference cycles behind, and looking for some takes a tenth of its time.
    gc.disable()
    for index in range(int(first), int(count) + 1, int(step)):
        _draw_chunk(Path(folder), int(seed), index, index + 1)


def _available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _draw_chunk(folder: Path, seed: int, first: int, end: int) -> None:
    for index in range(first, end):
        face = draw_face(seed, index)
        quality = _Streams(seed, index)("jpeg").randrange(72, 94)
        picture = io.BytesIO()  # Pillow writes to a file in many small pieces
        face.image.save(picture, "JPEG", quality=quality)
        (folder / "img_align_celeba" / f"{index:06d}.jpg").write_bytes(picture.getbuffer())
        (folder / "parts" / f"{index:06d}.png").write_bytes(_png(face.parts))


def _png(parts: Image.Image) -> bytes:
    """Return part labels as a PNG. Pillow tries five filters on every row, which takes longer than drawing the head."""
    rows = np.zeros((parts.height, 1 + parts.width), dtype=np.uint8)  # each row starts with its filter: 0, none
    rows[:, 1:] = np.asarray(parts)
    header = struct.pack(">IIBBBBB", parts.width, parts.height, 8, 0, 0, 0, 0)
    packer = zlib.compressobj(1, strategy=zlib.Z_RLE)  # a row is a few runs: nothing else is worth looking for
    body = packer.compress(rows.tobytes()) + packer.flush()
    chunks = ((b"IHDR", header), (b"IDAT", body), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


if __name__ == "__main__":
    draw_share(*sys.argv[1:])
