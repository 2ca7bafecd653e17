from .face import DrawnFace, draw_face
from .face_files import face_picture
from .folder import DEMO_COUNT, draw_demo_faces, is_drawn
from .labels import CELEBA_ATTRIBUTES, DRAWN_ATTRIBUTES, split_of
from .parts import PARTS
from .source import DEMO, demo_folder
from .tables import drawn_rows

__all__ = [
    "CELEBA_ATTRIBUTES",
    "DEMO",
    "DEMO_COUNT",
    "DRAWN_ATTRIBUTES",
    "PARTS",
    "DrawnFace",
    "demo_folder",
    "draw_demo_faces",
    "draw_face",
    "drawn_rows",
    "face_picture",
    "is_drawn",
    "split_of",
]
