"""What a set of faces costs in hours and bytes, from rates measured on this device.

`python -m benchmarks.costs --data FOLDER [--device cpu] [--faces 256] [--repeats 3] [--json]`, or, without measuring,
`python -m benchmarks.costs --tflops 100`: what the multiplications alone would take at a rate that a GPU might sustain.

Measures how many of the folder's pictures one core decodes and scales a second, and how many faces `dense` and the paper's
`resnet18` train on (one epoch's steps) and map (all 2401 patches) a second on the device; then divides. Hours are of one core
for packing, and of the device for the rest: on a CPU core hours, of processor time on one thread; on a GPU GPU hours. A
`resnet18` face is timed on 169 of its patches and scaled: what a patch costs does not depend on how many there are.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from fairsal_core.device import pick_device
from fairsal_core.faces import decode_image, load_faces, to_square
from fairsal_core.regions import (
    REGION_PRESETS,
    PatchGrid,
    RegionClassifier,
    RegionTraining,
    region_maps,
    train_region_classifier,
)
from fairsal_core.regions.classifier import build_network

SETS = {"CelebA": 202_599, "10 million": 10_000_000, "1 billion": 1_000_000_000}
PACKED_BYTES = 128 * 128 * 3
MAP_BYTES = 2 * 49 * 49
BATCHES = {"dense": 32, "resnet18": 256}


Clock = Callable[[], float]


def clock_of(device: torch.device) -> Clock:
    """Return what to measure by: the processor's time on a CPU, which others on the machine change little; else the wall's."""
    return time.process_time if device.type == "cpu" else time.perf_counter


def rate(count: int, work: Callable[[], object], repeats: int, clock: Clock) -> float:
    """Return how many of `count` things are done a second, in the quickest of the repeats after a first one."""
    work()
    seconds = []
    for _ in range(repeats):
        begun = clock()
        work()
        seconds.append(clock() - begun)
    return count / min(seconds)


def rates(source: Path, device: torch.device, count: int, repeats: int) -> dict[str, Any]:
    """Return pictures decoded, and faces trained on and mapped, a second."""
    faces = load_faces(str(source)).in_split("train").sample(count)
    files = [faces.image_folder / name for name in faces.names]
    attribute = next(name for name in faces.attributes.columns if 0 < faces.labels(name).mean() < 1)

    def decode() -> None:
        for file in files:
            to_square(decode_image(file))

    found: dict[str, Any] = {"packed": rate(count, decode, repeats, time.process_time)}
    for network, batch in BATCHES.items():
        settings = RegionTraining.model_validate(
            {
                **REGION_PRESETS["every_patch"],
                "network": network,
                "per_side": 49 if network == "dense" else 13,  # its step trains one patch of a face, whatever there are
                "images": count,
                "batch_size": min(batch, count),
                "warm_up": 0,
                "validation_images": 1,
            }
        )
        found[f"trained_{network}"] = trained_rate(faces, attribute, settings, device, repeats)
        found[f"mapped_{network}"] = mapped_rate(network, faces.images, device, repeats)
    return found


@torch.inference_mode()
def multiplications(network: str) -> float:
    """Return the multiplications of one pass of a region classifier: over an image for `dense`, a patch for `resnet18`."""
    module = build_network(network, 2, PatchGrid() if network == "dense" else PatchGrid(per_side=13), {}).eval()
    total = 0.0

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        weight = cast(nn.Parameter, layer.weight)
        total += weight.numel() * output[0, 0].numel() * len(output)

    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(count)
    if network == "dense":
        module(torch.rand(1, 3, 128, 128))
    else:
        module.train().supervised(torch.rand(2, 3, 128, 128), torch.zeros(2, 1, dtype=torch.int64))
        total /= 2
    return total


def arithmetic(tflops: float) -> dict[str, float]:
    """Return faces a second at so many TFLOP/s: two operations a multiplication, three passes to train, 2401 patches to map."""
    found = {}
    for network in BATCHES:
        a_second = tflops * 1e12 / (2 * multiplications(network))
        found[f"trained_{network}"] = a_second / 3
        found[f"mapped_{network}"] = a_second / (1 if network == "dense" else PatchGrid().count)
    return found


def trained_rate(faces: Any, attribute: str, settings: RegionTraining, device: torch.device, repeats: int) -> float:
    """Return faces a second over the steps of an epoch, without what comes before and after them."""
    seen: list[tuple[float, float]] = []
    clock = clock_of(device)

    def note(done: float, total: float, message: str = "") -> None:
        if message.startswith("Training"):
            seen.append((clock(), done))

    best = 0.0
    steps = -(-settings.images // settings.batch_size)
    several = settings.model_copy(update={"epochs": max(2, -(-20 // steps))})  # it tells every tenth step
    for _ in range(repeats):
        seen.clear()
        train_region_classifier(faces, attribute, several, device=device, progress=note)
        (begun, first), (ended, last) = seen[0], seen[-1]
        best = max(best, (last - first) * settings.images / steps / (ended - begun))
    return best


def mapped_rate(network: str, images: Any, device: torch.device, repeats: int) -> float:
    """Return faces mapped a second, with the precision that is quickest there."""
    whole = PatchGrid()
    if network == "dense":
        classifier = RegionClassifier(build_network(network, 2, whole, {}).to(device), "", ("no", "yes"), (0.5, 0.5))
        return rate(len(images), lambda: region_maps(classifier, images), repeats, clock_of(device))
    part = PatchGrid(per_side=13)
    classifier = RegionClassifier(build_network(network, 2, part, {}).to(device), "", ("no", "yes"), (0.5, 0.5), part)
    few = images[:2] if device.type == "cpu" else images
    scale = part.count / whole.count
    return scale * max(
        rate(len(few), partial(region_maps, classifier, few, precision=precision), repeats, clock_of(device))
        for precision in ("fp32", "bf16")
    )


def costs(found: dict[str, Any]) -> dict[str, Any]:
    """Return hours and bytes for each set."""

    def hours(count: int, name: str) -> float:
        return float(f"{count / found[name] / 3600:.3g}")

    return {
        name: {
            **({"pack_core_hours": hours(count, "packed")} if "packed" in found else {}),
            "packed_bytes": count * PACKED_BYTES,
            "map_bytes": count * MAP_BYTES,
            **{
                network: {
                    "train_hours_an_epoch": hours(count, f"trained_{network}"),
                    "map_hours": hours(count, f"mapped_{network}"),
                }
                for network in BATCHES
            },
        }
        for name, count in SETS.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="a folder in CelebA's layout")
    source.add_argument("--tflops", type=float, help="do not measure, but divide by this rate")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--faces", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = (
        arithmetic(options.tflops)
        if options.tflops
        else rates(options.data, pick_device(options.device), options.faces, options.repeats)
    )
    table = costs(found)
    if options.json:
        device = f"{options.tflops:g} TFLOP/s" if options.tflops else options.device
        print(json.dumps({"device": device, "a_second": found, "costs": table}, indent=2))
        return
    print("a second: " + "  ".join(f"{name} {np.round(value, 3)}" for name, value in found.items()))
    for name, row in table.items():
        print(name, json.dumps(row))


if __name__ == "__main__":
    main()
