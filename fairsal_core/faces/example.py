"""A real face to begin with, for whoever has no photo at hand."""

from functools import cache
from pathlib import Path

EXAMPLE_NAME = "Eileen Collins"
EXAMPLE_SOURCE = "https://flic.kr/p/r9qvLn"
EXAMPLE_CREDIT = (
    "The astronaut Eileen Collins; NASA, in the public domain, from the NASA Great Images database by way of scikit-image "
    "(`skimage.data.astronaut`)."
)
_FILE = Path(__file__).parent / "bundled" / "eileen_collins.jpg"


@cache
def example_photo() -> bytes:
    """Return the JPEG file of a portrait, 512 x 512 pixels, of which the face is a fifth."""
    return _FILE.read_bytes()
