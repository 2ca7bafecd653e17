"""How long LRP of any network takes, and what it keeps, with random weights of the size that people bring.

    python -m benchmarks.lrp_graph [--json] [--network vit_base_patch16_224] [--faces 64] [--device cpu]

`seconds` is by the clock and `cpu_seconds` of all threads together, the export apart from the rest; `forward_cpu_seconds`
is one pass through the network itself. Networks are timm's, behind a resize of 128 to their own size.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from fairsal_core.saliency import explain
from fairsal_core.saliency.lrp_graph import checked_program
from fairsal_core.tensors import Normalise
from fairsal_core.versions import versions


class Resized(nn.Module):
    """Faces of 128 pixels to a network of another size."""

    def __init__(self, network: nn.Module, side: int) -> None:
        super().__init__()
        self.network, self.units, self.side = network, Normalise(), side

    def forward(self, pictures: Tensor) -> Tensor:
        larger = nn.functional.interpolate(pictures, (self.side, self.side), mode="bilinear", antialias=True)
        logits: Tensor = self.network(self.units(larger))
        return logits


def timed(job: Callable[[], object]) -> tuple[float, float]:
    """Return seconds by the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    job()
    return time.perf_counter() - clock, time.process_time() - processor


def measure(name: str, faces: int, device: str) -> dict[str, object]:
    import timm

    torch.manual_seed(0)
    bare = timm.create_model(name, num_classes=2)
    network = Resized(bare, bare.pretrained_cfg["input_size"][-1]).eval().requires_grad_(False).to(device)
    pictures = torch.rand(faces, 3, 128, 128).to(device)
    export = timed(lambda: checked_program(network, pictures[:1]))
    kept: list[float] = []

    def lrp() -> None:
        kept.extend(explain(network, pictures, 1, "lrp_graph").diagnostics["relevance_kept"].tolist())

    clock, processor = timed(lrp)
    with torch.no_grad():
        _, forward = timed(lambda: [network(piece) for piece in pictures.split(4)])
    return {
        "network": name,
        "faces": faces,
        "threads": torch.get_num_threads(),
        "processor": versions()["processor"],
        "seconds": clock,
        "cpu_seconds": processor,
        "of_that_export_cpu_seconds": export[1],
        "forward_cpu_seconds": forward,
        "kept": float(np.median(kept)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Time LRP of any network.")
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of a sentence")
    parser.add_argument("--network", default="vit_base_patch16_224", help="a name of timm's")
    parser.add_argument("--faces", type=int, default=64)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    found = measure(options.network, options.faces, options.device)
    if options.json:
        json.dump(found, sys.stdout, indent=2)
        return
    print(
        f"{found['network']}, {found['faces']} faces: {found['seconds']:.1f} s, {found['cpu_seconds']:.1f} s of the "
        f"processor (export {found['of_that_export_cpu_seconds']:.1f} s; one pass {found['forward_cpu_seconds']:.1f} s), "
        f"{found['threads']} threads, {found['processor']}; kept {found['kept']:.4f}"
    )


if __name__ == "__main__":
    main()
