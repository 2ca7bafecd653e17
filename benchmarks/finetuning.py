"""Images a second of fine-tuning ResNets on a CPU, by what is done to them; all sides in turns in one run.

    python -m benchmarks.finetuning [--batch 32] [--repeats 3] [--threads 2] [--json]

The plain way: float32, channels first, batch norms that learn. Training here keeps the channels last, and computes in bf16 where
the processor multiplies it; mitigation methods besides leave the batch norms their statistics, and ClArC's leave alone what lies
before their layer. Folded: those statistics in the convolutions' weights. That is timed, and not used: Adam would take other steps.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import pandas as pd
import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

from fairsal_core.classifiers import build_classifier
from fairsal_core.mitigation.tuning import classification_loss, to_training_mode
from fairsal_core.tensors import autocast

_NETWORKS = ("resnet18", "resnet50")
_STAGES = ("conv1", "bn1", "layer1", "layer2", "layer3")


def last(name: str) -> nn.Module:
    return build_classifier(name).train().to(memory_format=torch.channels_last)


def still(name: str) -> nn.Module:
    network = last(name)
    to_training_mode(network)
    return network


def folded(name: str) -> nn.Module:
    normalise, network = last(name).eval()  # type: ignore[misc]
    return nn.Sequential(normalise, fuse(network)).to(memory_format=torch.channels_last)


def frozen(name: str) -> nn.Module:
    network = still(name)
    for stage in _STAGES:
        network[1].get_submodule(stage).requires_grad_(False)  # type: ignore[index, operator, union-attr]
    return network


WAYS: dict[str, tuple[Callable[[str], nn.Module], torch.memory_format, str]] = {
    "plain": (lambda name: build_classifier(name).train(), torch.contiguous_format, "fp32"),
    "channels last": (last, torch.channels_last, "fp32"),
    "and statistics kept": (still, torch.channels_last, "fp32"),
    "and folded": (folded, torch.channels_last, "fp32"),
    "statistics kept, all but the last stage frozen": (frozen, torch.channels_last, "fp32"),
    "channels last, bf16": (last, torch.channels_last, "bf16"),
    "and statistics kept, bf16": (still, torch.channels_last, "bf16"),
    "statistics kept, all but the last stage frozen, bf16": (frozen, torch.channels_last, "bf16"),
}


def seconds_of_step(network: nn.Module, optimiser: torch.optim.Optimizer, images: Tensor, precision: str) -> float:
    begun = time.perf_counter()
    optimiser.zero_grad(set_to_none=True)
    with autocast(images.device, precision):
        logits = network(images)
    classification_loss(logits.float(), torch.arange(len(images)) % 2 > 0).backward()
    optimiser.step()
    return time.perf_counter() - begun


def rows_of(name: str, batch: int, repeats: int) -> list[dict[str, object]]:
    """Return one row a way: images a second, and how many times the plain way's that is."""
    images = torch.rand(batch, 3, 128, 128)
    ready = {}
    for way, (make, layout, precision) in WAYS.items():
        with autocast(images.device, precision):
            if precision == "bf16" and not torch.is_autocast_enabled("cpu"):
                continue  # the processor gains nothing from it
        network = make(name)
        weights = [weight for weight in network.parameters() if weight.requires_grad]
        ready[way] = (network, torch.optim.Adam(weights), images.contiguous(memory_format=layout), precision)
    times: dict[str, list[float]] = {way: [] for way in ready}
    for turn in range(repeats + 1):  # the first prepares
        for way, given in ready.items():
            took = seconds_of_step(*given)
            if turn:
                times[way].append(took)
    pace = {way: batch / statistics.median(took) for way, took in times.items()}
    return [
        {"network": name, "way": way, "images/s": round(found, 1), "times": round(found / pace["plain"], 2)}
        for way, found in pace.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of a table")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = [row for name in _NETWORKS for row in rows_of(name, options.batch, options.repeats)]
    print(json.dumps(rows, indent=1) if options.json else pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
