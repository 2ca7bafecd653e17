from .celeba import load_celeba
from .dataset import FaceDataset
from .decoding import aligned_crop, decode_image, to_square
from .demo import CELEBA_ATTRIBUTES, DEMO, DRAWN_ATTRIBUTES, demo_folder, draw_demo_faces, draw_face
from .fairface import draw_fairface, load_fairface
from .packing import files_key, pack, packed_folder, packing_key, undecodable_files, with_pixels
from .parts import PART_OF, part_mask, part_roi
from .roi import ROI_PRESETS, AnyRoi, PixelRoi, Roi, roi_area
from .sources import list_faces, load_faces, load_folder
from .subsets import (
    CELLS,
    Cell,
    CellCounts,
    balanced_counts,
    balanced_test,
    biased_subset,
    cell_members,
    cell_name,
    cell_table,
    feasible_scale,
    group_name,
)

__all__ = [
    "CELEBA_ATTRIBUTES",
    "CELLS",
    "DEMO",
    "DRAWN_ATTRIBUTES",
    "PART_OF",
    "ROI_PRESETS",
    "AnyRoi",
    "Cell",
    "CellCounts",
    "FaceDataset",
    "PixelRoi",
    "Roi",
    "aligned_crop",
    "balanced_counts",
    "balanced_test",
    "biased_subset",
    "cell_members",
    "cell_name",
    "cell_table",
    "decode_image",
    "demo_folder",
    "draw_demo_faces",
    "draw_face",
    "draw_fairface",
    "feasible_scale",
    "files_key",
    "group_name",
    "list_faces",
    "load_celeba",
    "load_faces",
    "load_fairface",
    "load_folder",
    "pack",
    "packed_folder",
    "packing_key",
    "part_mask",
    "part_roi",
    "roi_area",
    "to_square",
    "undecodable_files",
    "with_pixels",
]
