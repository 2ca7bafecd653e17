"""The recipe of one face: what is drawn, and in which order."""

from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image

from fairsal_core.drawing.backdrop import paint_backdrop
from fairsal_core.drawing.camera import develop
from fairsal_core.drawing.canvas import Canvas
from fairsal_core.drawing.clothes import draw_clothes
from fairsal_core.drawing.features import draw_brows, draw_eyes, draw_mouth, draw_nose
from fairsal_core.drawing.glasses import draw_glasses
from fairsal_core.drawing.hair import draw_hair_back, draw_hair_front, hair_of
from fairsal_core.drawing.hats import draw_hat
from fairsal_core.drawing.head import draw_head, head_of
from fairsal_core.drawing.labels import changed, draw_labels
from fairsal_core.drawing.necktie import draw_necktie
from fairsal_core.drawing.streams import Streams


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
    labels = changed(draw_labels(seed, index), changes or {})
    streams = Streams(seed, index)
    head = head_of(streams, labels)
    canvas = Canvas(paint_backdrop(streams("background")))
    canvas.place(head.frame)
    hair = hair_of(streams, labels)
    draw_hair_back(canvas, hair)
    canvas.place(head.body_frame)
    draw_clothes(canvas, head, streams("body"))
    if labels["Wearing_Necktie"]:
        draw_necktie(canvas, streams("tie"))
    canvas.place(head.frame)
    draw_head(canvas, head, streams("ears"))
    draw_eyes(canvas, head, streams, labels)
    draw_brows(canvas, head, streams("brows"), labels)
    draw_nose(canvas, head, streams("nose"))
    draw_mouth(canvas, head, streams, labels)
    draw_hair_front(canvas, hair)
    if labels["Eyeglasses"]:
        draw_glasses(canvas, head, streams("glasses"))
    if labels["Wearing_Hat"]:
        draw_hat(canvas, streams("hat"))
    image, parts = develop(canvas, head, streams, labels)
    return DrawnFace(image, parts, labels)
