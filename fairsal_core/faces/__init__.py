"""Image sets: loading, packing, subsets, safe decoding, regions of interest, part masks, drawn demo faces."""

from fairsal_core.faces.celeba import load_celeba
from fairsal_core.faces.dataset import FaceDataset
from fairsal_core.faces.decoding import aligned_crop, decode_image, to_square
from fairsal_core.faces.demo import CELEBA_ATTRIBUTES, DRAWN_ATTRIBUTES, draw_demo_faces, draw_face
from fairsal_core.faces.fairface import draw_fairface, load_fairface
from fairsal_core.faces.packing import pack, packing_key, undecodable_files
from fairsal_core.faces.parts import PART_OF, part_mask, part_roi
from fairsal_core.faces.roi import ROI_PRESETS, AnyRoi, PixelRoi, Roi, roi_area
from fairsal_core.faces.sources import DEMO, demo_folder, load_faces, load_folder
from fairsal_core.faces.subsets import (
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
    "group_name",
    "load_celeba",
    "load_faces",
    "load_fairface",
    "load_folder",
    "pack",
    "packing_key",
    "part_mask",
    "part_roi",
    "roi_area",
    "to_square",
    "undecodable_files",
]
