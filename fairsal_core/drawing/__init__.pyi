from .face import DrawnFace, draw_face
from .folder import draw_demo_faces, is_drawn
from .labels import CELEBA_ATTRIBUTES, DRAWN_ATTRIBUTES, split_of
from .parts import PARTS
from .source import DEMO, demo_folder

__all__ = [
    "CELEBA_ATTRIBUTES",
    "DEMO",
    "DRAWN_ATTRIBUTES",
    "PARTS",
    "DrawnFace",
    "demo_folder",
    "draw_demo_faces",
    "draw_face",
    "is_drawn",
    "split_of",
]
