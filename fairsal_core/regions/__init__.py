"""Region classifiers and the maps they give: where in the image an attribute can be read off."""

from fairsal_core.regions.classifier import NETWORKS, RegionClassifier
from fairsal_core.regions.confidence import MEASURES, confidence
from fairsal_core.regions.grid import PatchGrid, min_max, to_pixel_map
from fairsal_core.regions.library import bundled_attributes, bundled_classifier, bundled_path
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
from fairsal_core.regions.together import heard, joined, tell
from fairsal_core.regions.training import REGION_PRESETS, RegionTraining, judge, train_region_classifier

__all__ = [
    "MEASURES",
    "NETWORKS",
    "REGION_PRESETS",
    "MapCost",
    "MapSummary",
    "PatchGrid",
    "RegionClassifier",
    "RegionTraining",
    "bundled_attributes",
    "bundled_classifier",
    "bundled_path",
    "confidence",
    "estimate_cost",
    "heard",
    "joined",
    "judge",
    "mean_colour",
    "mean_map",
    "min_max",
    "pixel_maps",
    "region_maps",
    "stream_maps",
    "summarise_maps",
    "tell",
    "to_pixel_map",
    "train_region_classifier",
    "weights_digest",
]
