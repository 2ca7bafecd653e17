"""An uploaded photo: the faces that are found in it, one of which is brought into CelebA's frame; or a crop by hand."""

from collections.abc import Sequence

import numpy as np
import streamlit as st
from PIL import Image, ImageDraw

from fairsal_core.faces import FRAME, Face, aligned_square, decode_image, find_faces, is_aligned, to_frame
from pages.components.attribution.crops import Box, choose_crop
from pages.components.attribution.reading import Picked
from pages.components.shared.words import plain

BY_HAND = "By hand"
_SHOWN = 480  # pixels on the longer side
_MOST_OFFERED = 9
_ENOUGH = 0.6  # of a face's box, for a crop to show that face


def choose_from_photo(content: bytes, name: str, number: int) -> Picked:
    """Return the face to look at in the upload of this number, and let another one, or a crop by hand, be chosen.

    Raises
    ------
    FairsalError
        If the content is no usable picture.
    """
    picture = decode_image(content, name)
    faces = _faces_in(content, name)[:_MOST_OFFERED]
    if not faces:
        return _without_a_face(picture, name, number)
    if is_aligned(picture, faces[0]):
        return Picked(name, *aligned_square(picture, faces[0]))
    several = len(faces) > 1
    with st.expander(f"{len(faces)} faces in {plain(name)}" if several else f"Face in {plain(name)}", expanded=several):
        place = st.empty()
        choices = [*map(str, range(1, len(faces) + 1)), BY_HAND] if several else ["Found", BY_HAND]
        chosen = st.segmented_control(
            "Which",
            choices,
            default=choices[0],
            required=True,
            key=f"which_{number}",
            bind="query-params",
            help="1 is the largest." if several else None,
            wrap=True,
        )
        if chosen == BY_HAND:
            pixels, box = choose_crop(picture, name, number)
            shows_face = any(_share_inside(face, box) >= _ENOUGH for face in faces)
            if not shows_face:
                st.warning("None of the faces that were found is in this part.")
            return Picked(name, pixels, is_face=shows_face)
        face = faces[choices.index(str(chosen))]
        place.image(outlined(picture, faces, face), width="stretch", alt=f"{name} with what is used of it framed")
    return Picked(name, *aligned_square(picture, face))


def _without_a_face(picture: Image.Image, name: str, number: int) -> Picked:
    st.warning(
        f"No face was found in {plain(name)}. If there is one, frame it as a passport photo would, and say so; until then "
        "nothing is said about the picture as a whole."
    )
    with st.expander(f"Crop of {plain(name)}", expanded=True):
        pixels, _ = choose_crop(picture, name, number)
        is_face = st.checkbox("There is a face in this crop", key=f"face_seen_{number}")
    return Picked(name, pixels, is_face=is_face)


@st.cache_data(max_entries=16, scope="session", show_spinner="Finding faces …")
def _faces_in(content: bytes, name: str) -> list[Face]:
    return find_faces(decode_image(content, name))


def _share_inside(face: Face, box: Box) -> float:
    """Return how much of a face's box lies in another one."""
    width = min(face.box[2], box[2]) - max(face.box[0], box[0])
    height = min(face.box[3], box[3]) - max(face.box[1], box[1])
    return max(width, 0) * max(height, 0) / face.area


def outlined(picture: Image.Image, faces: Sequence[Face], chosen: Face) -> Image.Image:
    """Return the part of a photo with its faces, small, darkened outside of the chosen one's frame; several are numbered."""
    corners = to_frame(chosen.points).back(np.array([(0, 0), (FRAME[0], 0), FRAME, (0, FRAME[1])], dtype=np.float64))
    boxes = np.array([face.box for face in faces])
    everything = np.concatenate([corners, boxes[:, :2], boxes[:, 2:]])
    margin = 0.1 * np.ptp(everything, axis=0).max()
    begin = np.clip(np.floor(everything.min(axis=0) - margin), 0, np.subtract(picture.size, 1)).astype(int)
    end = np.clip(np.ceil(everything.max(axis=0) + margin), begin + 1, picture.size).astype(int)
    part = picture.crop((*begin.tolist(), *end.tolist()))
    scale = min(_SHOWN / max(part.size), 1)
    small = part.resize((max(round(part.width * scale), 1), max(round(part.height * scale), 1)))
    frame = [(float(x), float(y)) for x, y in (corners - begin) * scale]
    used = Image.new("L", small.size)
    ImageDraw.Draw(used).polygon(frame, fill=255)
    shown = Image.composite(small, Image.blend(small, Image.new("RGB", small.size), 0.55), used)
    pen = ImageDraw.Draw(shown)
    pen.line([*frame, frame[0]], fill="white", width=max(round(max(small.size) / 120), 1))
    if len(faces) > 1:
        for number, box in enumerate((boxes.reshape(-1, 2, 2) - begin) * scale, 1):
            middle = (float(box[:, 0].mean()), float(box[0, 1]))
            size = max(small.size) / 9
            pen.text(
                middle, str(number), fill="white", stroke_width=3, stroke_fill="black", font_size=size, anchor="mm"
            )
    return shown
