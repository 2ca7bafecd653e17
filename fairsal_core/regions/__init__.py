"""Region classifiers and the maps they give: where in the image an attribute can be read off."""

from fairsal_core.regions.atlas import Atlas, Head, is_atlas, load_regions, open_atlas, stored_attributes
from fairsal_core.regions.classifier import NETWORKS, Network, RegionClassifier
from fairsal_core.regions.confidence import DEFAULT_MEASURE, MEASURES, Measure, confidence
from fairsal_core.regions.distributed import heard, joined, tell
from fairsal_core.regions.evidence import evidence
from fairsal_core.regions.filling import counted_pixel_map, uncounted_patches
from fairsal_core.regions.grid import PatchGrid, min_max, to_pixel_map
from fairsal_core.regions.judging import best_position, judge_atlas
from fairsal_core.regions.library import (
    atlas_names,
    atlas_path,
    bundled_attributes,
    bundled_classifier,
    bundled_path,
    load_atlas,
)
from fairsal_core.regions.maps import (
    MapCost,
    MapSummary,
    estimate_cost,
    mean_colour,
    mean_map,
    pixel_maps,
    region_maps,
    stream_maps,
    summarise_maps,
    weights_digest,
)
from fairsal_core.regions.quality import LOWEST_AUC, Quality, position_aucs, quality_of
from fairsal_core.regions.settings import REGION_PRESETS, RegionTraining
from fairsal_core.regions.training import (
    atlas_attributes,
    judge,
    judging_faces,
    patch_logits,
    train_atlas,
    train_region_classifier,
    training_faces,
    untrained,
    weight_bytes,
)

__all__ = [
    "DEFAULT_MEASURE",
    "LOWEST_AUC",
    "MEASURES",
    "NETWORKS",
    "REGION_PRESETS",
    "Atlas",
    "Head",
    "MapCost",
    "MapSummary",
    "Measure",
    "Network",
    "PatchGrid",
    "Quality",
    "RegionClassifier",
    "RegionTraining",
    "atlas_attributes",
    "atlas_names",
    "atlas_path",
    "best_position",
    "bundled_attributes",
    "bundled_classifier",
    "bundled_path",
    "confidence",
    "counted_pixel_map",
    "estimate_cost",
    "evidence",
    "heard",
    "is_atlas",
    "joined",
    "judge",
    "judge_atlas",
    "judging_faces",
    "load_atlas",
    "load_regions",
    "mean_colour",
    "mean_map",
    "min_max",
    "open_atlas",
    "patch_logits",
    "pixel_maps",
    "position_aucs",
    "quality_of",
    "region_maps",
    "stored_attributes",
    "stream_maps",
    "summarise_maps",
    "tell",
    "to_pixel_map",
    "train_atlas",
    "train_region_classifier",
    "training_faces",
    "uncounted_patches",
    "untrained",
    "weight_bytes",
    "weights_digest",
]
