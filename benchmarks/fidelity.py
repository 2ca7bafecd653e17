"""Do `dense` and a narrow `resnet18` tell the same story? Both trained on the same faces, for each attribute.

`python -m benchmarks.fidelity --data FOLDER [--attributes Blond_Hair Eyeglasses ...] [--images 4000] [--width 16] [--json]`

Per attribute: patch accuracy of both and its correlation over the positions that both grids have, top-label ECE (100 bins, all
validation patches), the Pearson correlation of their mean maps over the validation faces, by each measure, and, where there are
part masks, what `benchmarks.parts` measures, for both. Trained networks are kept and reused.
"""

import argparse
import json
from typing import Any

import numpy as np

from benchmarks.parts import share_in_part
from fairsal_core.device import pick_device
from fairsal_core.experiments import region_stage
from fairsal_core.faces import PART_OF, FaceDataset, load_faces
from fairsal_core.regions import REGION_PRESETS, RegionClassifier, RegionTraining, confidence, mean_map, pixel_maps
from fairsal_core.regions.training import patch_logits


def at_common_positions(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the values at the positions that both grids have: 25 a side are every other one of 49."""
    few = min(len(first), len(second))
    steps = [(len(values) - 1) // (few - 1) for values in (first, second)]
    return first[:: steps[0], :: steps[0]].ravel(), second[:: steps[1], :: steps[1]].ravel()


def compare(
    first: RegionClassifier, second: RegionClassifier, faces: FaceDataset, measures: list[str]
) -> dict[str, Any]:
    """Return both networks' figures and how alike their accuracies and, by each measure, their mean maps are."""
    seen = faces.in_split("val").sample(first.metrics["faces"])
    right = seen.classes(first.attribute)[0][:, None, None]
    both = [(one, patch_logits(one, seen)) for one in (first, second)]
    accuracy = [(logits.argmax(axis=-1) == right).mean(axis=0) for _, logits in both]

    def alike(measure: str) -> float:
        each = [confidence(logits, measure, one.prior).astype(np.float32) for one, logits in both]
        pixels = [pixel_maps(mean_map(maps), one).ravel() for maps, (one, _) in zip(each, both, strict=True)]
        return round(float(np.corrcoef(*pixels)[0, 1]), 3)

    named = ("patch_accuracy", "best_position_accuracy", "ece")
    return {
        **{one.kind: {name: one.metrics[name] for name in named} for one in (first, second)},
        "majority": first.metrics["majority"],
        "accuracy_correlation": round(float(np.corrcoef(*at_common_positions(*accuracy))[0, 1]), 3),
        "mean_map_correlation": {measure: alike(measure) for measure in measures},
        "faces": len(seen),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--attributes", nargs="+", default=list(PART_OF))
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--validation-images", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=4, help="of dense")
    parser.add_argument("--resnet-epochs", type=int, default=30)
    parser.add_argument("--width", type=int, default=16, help="of resnet18")
    parser.add_argument("--per-side", type=int, default=25, help="of resnet18; 49 is the paper's")
    parser.add_argument("--measures", nargs="+", default=["negative_entropy", "information_gain"])
    parser.add_argument("--temperature-scaling", action="store_true")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    faces, device = load_faces(options.data), pick_device(options.device)
    shared = {
        **REGION_PRESETS["every_patch"],
        "training_stride": None,  # of `dense` alone
        "images": options.images,
        "validation_images": options.validation_images,
        "temperature_scaling": options.temperature_scaling,
    }
    dense = RegionTraining.model_validate({**shared, "training_stride": 2, "epochs": options.epochs})
    paper = RegionTraining.model_validate(
        {
            **shared,
            "network": "resnet18",
            "epochs": options.resnet_epochs,
            "batch_size": 64,
            "learning_rate": 1e-3,
            "width": options.width,
            "per_side": options.per_side,
        }
    )
    rows = {}
    for attribute in options.attributes:
        both = []
        for settings in (dense, paper):
            path = region_stage(faces, attribute, settings, device).make()
            both.append(RegionClassifier.load(path).to(device))
        rows[attribute] = compare(both[0], both[1], faces, options.measures)
        if faces.parts_folder is not None:
            rows[attribute]["parts"] = {
                one.kind: {measure: share_in_part(one, faces, measure) for measure in options.measures} for one in both
            }
        if not options.json:
            print(attribute, json.dumps(rows[attribute]), flush=True)
    means = {
        measure: round(float(np.mean([row["mean_map_correlation"][measure] for row in rows.values()])), 3)
        for measure in options.measures
    }
    if options.json:
        print(json.dumps({"attributes": rows, "mean_map_correlation": means}, indent=2))
    else:
        print(f"mean over attributes: correlation of mean maps {means}")


if __name__ == "__main__":
    main()
