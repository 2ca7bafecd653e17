"""Attribution of one face and of 64, by the authors' way, by our `resnet18` and by `dense`, in one run.

`python -m benchmarks.regions [--device cpu] [--patches 490] [--repeats 3] [--json]`

The authors' way: patches cut one by one, 49 to a batch, eager, fp32. It and `resnet18` are timed on a share of an image's
2401 patches and scaled, since the cost of a patch does not depend on how many there are. The rate of matrix products is
measured between them, in the same run and for as long, since a core's first tenths of a second are its fastest; the share
of it counts a convolution's multiplications with padding.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from fairsal_core.device import pick_device
from fairsal_core.regions import PatchGrid, RegionClassifier, confidence, to_pixel_map
from fairsal_core.regions.classifier import build_network
from fairsal_core.regions.resnet18 import PatchResNet
from fairsal_core.tensors import autocast

SIDES = {49: 2401, 25: 625, 17: 289, 13: 169, 9: 81}
MATRIX = 2048
PRODUCTS = 32  # one takes less than a tenth of a second on two cores


def timed(work: Callable[[], Any], device: torch.device) -> float:
    """Return seconds, with the device's queue empty before and after."""
    _wait(device)
    begun = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - begun


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def multiplications(network: PatchResNet) -> int:
    """Return multiplications a patch, padding included."""
    total = 0

    def count(layer: nn.Conv2d, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal total
        total += layer.weight.numel() * output.shape[-1] * output.shape[-2]

    handles = [layer.register_forward_hook(count) for layer in network.trunk.modules() if isinstance(layer, nn.Conv2d)]
    network.trunk(torch.rand(1, 4, 32, 32, device=next(network.parameters()).device))
    for handle in handles:
        handle.remove()
    return total


def authors_way(network: PatchResNet, image: torch.Tensor, positions: list[tuple[int, int, int]]) -> torch.Tensor:
    """Return logits of patches cut in a loop and classified 49 at a time."""
    logits, batch = [], []
    for number, (position, x, y) in enumerate(positions, start=1):
        place = network.position.weight[position].view(1, 32, 32)
        batch.append(torch.cat([network.normalise(image[None])[0, :, y : y + 32, x : x + 32], place]))
        if len(batch) == 49 or number == len(positions):
            logits.append(network.trunk(torch.stack(batch).contiguous()))
            batch = []
    return torch.cat(logits)


@torch.inference_mode()
def measure(device: torch.device, patches: int, repeats: int) -> dict[str, Any]:
    """Time every way `repeats` times in turns and return medians, rates and errors."""
    torch.manual_seed(0)
    side = min((side for side, count in SIDES.items() if count >= patches), default=49)
    part, whole = PatchGrid(per_side=side), PatchGrid()
    paper = build_network("resnet18", 2, part, {}).eval().to(device)
    assert isinstance(paper, PatchResNet)
    dense = RegionClassifier(build_network("dense", 2, whole, {}).to(device), "", ("no", "yes"), (0.5, 0.5))
    image, many = torch.rand(1, 3, 128, 128, device=device), torch.rand(64, 3, 128, 128, device=device)
    positions = [(number, *part.top_left(number)) for number in range(part.count)]
    left, right = (torch.rand(MATRIX, MATRIX, device=device) for _ in range(2))

    def in_bf16() -> torch.Tensor:
        with autocast(device, "bf16"):
            return paper(image)

    ways: dict[str, Callable[[], Any]] = {
        "matmul_fp32": lambda: [left @ right for _ in range(PRODUCTS)],
        "authors": lambda: authors_way(paper, image[0], positions),
        "resnet18_fp32": lambda: paper(image),
        "resnet18_bf16": in_bf16,
        "dense_1": lambda: dense.logits(image),
        "dense_64": lambda: dense.logits(many),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()  # the first call of each pays for what the others reuse
    for _ in range(repeats):
        for name, way in ways.items():
            times[name].append(timed(way, device))
    median = {name: statistics.median(values) for name, values in times.items()}

    reference = authors_way(paper, image[0], positions).float().view(1, side, side, 2)
    exact, rough = (way().float().permute(0, 2, 3, 1) for way in (ways["resnet18_fp32"], in_bf16))
    maps = [to_pixel_map(confidence(logits), part) for logits in (exact, rough)]
    multiplied = multiplications(paper)
    matmul = PRODUCTS * MATRIX**3 / median["matmul_fp32"]
    scale = whole.count / part.count
    seconds = {
        "authors": median["authors"] * scale,
        "resnet18_fp32": median["resnet18_fp32"] * scale,
        "resnet18_bf16": median["resnet18_bf16"] * scale,
        "dense": median["dense_1"],
    }
    return {
        "device": str(device),
        "threads": torch.get_num_threads(),
        "patches_timed": part.count,
        "matmul_gmac_per_s": matmul / 1e9,
        "gmac_per_patch": multiplied / 1e9,
        "seconds_per_image": seconds,
        "seconds_per_64_images": {
            **{name: 64 * value for name, value in seconds.items() if name != "dense"},
            "dense": median["dense_64"],
        },
        "share_of_matmul": {
            name: multiplied * part.count / median[name] / matmul for name in ("authors", "resnet18_fp32")
        },
        "bf16_times_faster_than_fp32": seconds["resnet18_fp32"] / seconds["resnet18_bf16"],
        "bf16_in_use": not torch.equal(exact, rough),
        "dense_times_faster_than_authors": {
            "1": seconds["authors"] / seconds["dense"],
            "64": 64 * seconds["authors"] / median["dense_64"],
        },
        "largest_difference_of_logits_from_authors": float((exact - reference).abs().max()),
        "bf16_largest_error_of_confidence": float((confidence(exact) - confidence(rough)).abs().max()),
        "bf16_largest_error_of_pixel_map_range": float(
            (maps[0] - maps[1]).abs().max() / (maps[0].max() - maps[0].min())
        ),
        "all_seconds": {name: [round(value, 5) for value in values] for name, values in times.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--patches", type=int, default=490, help="at least this many of an image's 2401 are timed")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(pick_device(options.device), options.patches, options.repeats)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        if name == "all_seconds":
            continue
        shown = (
            value
            if not isinstance(value, dict)
            else "  ".join(f"{key} {np.round(item, 4)}" for key, item in value.items())
        )
        print(f"{name:44} {shown}")


if __name__ == "__main__":
    main()
