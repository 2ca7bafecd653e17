"""What an atlas costs beside the region classifier of one attribute as it was trained before, in one run on the same cores.

`python -m benchmarks.atlas --data FOLDER [--attribute Smiling] [--images 4000] [--epochs 4] [--train] [--json]`

Training: some faces of the train split once, by the preset `every_patch` for one attribute and by the defaults for all; the
processor seconds of what was asked for are scaled from that. With `--train` both are trained in full instead and judged on the
test split, positions chosen on the validation split. Mapping: one face at 49 x 49, one attribute by the layers of before and all
by the atlas.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from fairsal_core.faces import FaceDataset, load_faces
from fairsal_core.regions import REGION_PRESETS, Atlas, PatchGrid, RegionTraining, judge_atlas, load_atlas, train_atlas
from fairsal_core.regions.classifier import build_network

TIMED = 256  # faces of a training that is not finished
REPEATS = 15


def processor_seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the processor time of all threads, and what was made."""
    begun = time.process_time()
    made = work()
    return time.process_time() - begun, made


def trainings(faces: FaceDataset, attribute: str, images: int, epochs: int, *, full: bool) -> dict[str, Any]:
    """Return the processor seconds of both ways, and with `full` what each is worth."""
    before = RegionTraining.model_validate(
        {**REGION_PRESETS["every_patch"], "images": images if full else TIMED, "epochs": epochs if full else 1}
    )
    now = RegionTraining(images=before.images, epochs=before.epochs)
    if not full:  # judged on nobody, so that training alone is timed
        faces = faces.in_split("train")
    found: dict[str, Any] = {}
    for name, names, settings in (("before", (attribute,), before), ("atlas", None, now)):
        seconds, made = processor_seconds(lambda: train_atlas(faces, names, settings))  # noqa: B023
        share = 1 if full else images * epochs / TIMED
        found[name] = {"attributes": len(made.attributes), "processor_seconds": round(seconds * share, 1)}
        if full:
            judged = judge_atlas(made, faces.in_split("val"), faces.in_split("test"))
            found[name]["auc"] = {each: numbers["auc"] for each, numbers in judged.items() if each in (attribute,)}
            found[name]["mean_auc"] = round(statistics.mean(numbers["auc"] for numbers in judged.values()), 4)
    found["atlas_over_before"] = round(found["atlas"]["processor_seconds"] / found["before"]["processor_seconds"], 4)
    return found


@torch.inference_mode()
def mappings(atlas: Atlas) -> dict[str, float]:
    """Return milliseconds a face: one attribute by `dense` as it was, and all of an atlas, in turns."""
    one = build_network("dense", 2, PatchGrid(), {}).eval()
    image = torch.rand(1, 3, 128, 128)
    ways: dict[str, Callable[[], Any]] = {"before": lambda: one(image), "atlas": lambda: atlas.logits(image)}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(REPEATS):
        for name, way in ways.items():
            begun = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - begun)
    milliseconds = {name: round(1000 * statistics.median(values[1:]), 2) for name, values in times.items()}
    return {**milliseconds, "atlas_over_before": round(milliseconds["atlas"] / milliseconds["before"], 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--attribute", default="Smiling")
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--train", action="store_true", help="train both in full, and judge them")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    faces = load_faces(options.data)
    found = {
        "threads": torch.get_num_threads(),
        "mapping_milliseconds": mappings(load_atlas()),
        "training": trainings(faces, options.attribute, options.images, options.epochs, full=options.train),
    }
    print(
        json.dumps(found, indent=2) if options.json else "\n".join(f"{key:22} {value}" for key, value in found.items())
    )


if __name__ == "__main__":
    main()
