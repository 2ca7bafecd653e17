"""Images a second while training `three_conv` for several seeds, ours against the plain way, both in one run.

    python -m benchmarks.training [--images 512] [--seeds 5] [--scheme specific_noise] [--batch 128] [--threads 2]

The plain way: a Dataset that turns one image at a time into a tensor and hides its regions, quantile and all, a DataLoader,
torch's own dropout and pooling, AdamW as it comes, float32, one seed after the other. Ours: `train_classifier`, one seed
after the other too; all at once, as one stacked network, is slower on a CPU, as the last line shows (it is of a GPU where
there is one). A step is one batch that is ready, forwards, back, and AdamW; an epoch has everything in it. A long experiment,
such as one of five seeds, trains in two processes besides (`fairsal_core/experiments/partner.py`): the lines in between show
what that is worth. Ours is timed in a process such as a run's, with what the environment of one says of memory.
"""

import argparse
import operator
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.pool import Pool

os.environ.setdefault("GOMP_SPINCOUNT", "0")

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from fairsal_core.classifiers import (
    CLASSIFIERS,
    ClassifierTraining,
    TrainingTask,
    Treatment,
    build_classifier,
    train_classifier,
    train_seeds,
)
from fairsal_core.device import pick_device
from fairsal_core.regions.grid import PatchGrid, min_max, to_pixel_map
from fairsal_core.runs import processes
from fairsal_core.schemes import SCHEMES, apply_scheme, select_pixels
from fairsal_core.tensors import Normalise, autocast

QUANTILE, FILL = 0.7, (0.5, 0.4, 0.4)


class PlainFaces(Dataset[tuple[Tensor, Tensor]]):
    """One image at a time, treated as it is fetched."""

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.bool_], maps: NDArray[np.float32], scheme: str):
        self.images, self.labels, self.maps, self.scheme = images, labels, maps, scheme

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = torch.from_numpy(self.images[index]).permute(2, 0, 1).float() / 255
        if self.scheme:
            specific = SCHEMES.find(self.scheme).scope == "specific"
            own = self.maps[index if specific else 0]
            pixels = torch.from_numpy(min_max(to_pixel_map(own, PatchGrid())).astype(np.float32))
            pixels = pixels[None] if specific else pixels
            image = apply_scheme(image[None], pixels, self.scheme, QUANTILE, FILL)[0]
        return image, torch.tensor([not self.labels[index], self.labels[index]], dtype=torch.float32)


def plain_network() -> nn.Module:
    """Return `three_conv` of torch's own layers."""

    def block(inputs: int, outputs: int) -> list[nn.Module]:
        convolution = nn.Conv2d(inputs, outputs, 5, padding="same")
        return [convolution, nn.Dropout(0.1), nn.BatchNorm2d(outputs), nn.MaxPool2d(2), nn.LeakyReLU(0.1)]

    head = [nn.Flatten(), nn.Linear(6144, 1000), nn.LeakyReLU(0.1), nn.Dropout(0.5)]
    head += [nn.Linear(1000, 100), nn.LeakyReLU(0.1), nn.Dropout(0.5), nn.Linear(100, 2)]
    return nn.Sequential(Normalise(), *block(3, 6), *block(6, 12), *block(12, 24), *head)


def train_plainly(faces: PlainFaces, batch_size: int, seed: int) -> None:
    torch.manual_seed(seed)
    network = plain_network()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-5, weight_decay=1e-3)
    for images, targets in DataLoader(faces, batch_size=batch_size, shuffle=True):
        loss = nn.functional.binary_cross_entropy_with_logits(network(images), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def step(network: nn.Module, run: Callable[[nn.Module, Tensor], Tensor], images: Tensor, fused: bool) -> None:
    """Learn from one batch; the optimiser's state is new, so that a step is like any other."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-5, weight_decay=1e-3, fused=fused)
    targets = nn.functional.one_hot(torch.arange(len(images)) % 2).float()
    nn.functional.binary_cross_entropy_with_logits(run(network, images).float(), targets).backward()
    optimiser.step()


def seconds_of_steps(batch: int, repeats: int) -> tuple[float, float]:
    """Return the median seconds of a step, the plain one and ours, in turns."""
    images = torch.rand(batch, 3, 128, 128)
    plain, ours = plain_network().train(), build_classifier("three_conv").train()
    training_pass = CLASSIFIERS.find("three_conv").training_pass

    def in_bf16(network: nn.Module, images: Tensor) -> Tensor:
        with autocast(torch.device("cpu"), "bf16"):
            return training_pass(network, images)

    times = [
        (
            seconds(lambda: step(plain, operator.call, images, fused=False)),
            seconds(lambda: step(ours, in_bf16, images, fused=True)),
        )
        for _ in range(repeats + 1)
    ][1:]
    plainly, mine = (statistics.median(column) for column in zip(*times, strict=True))
    return plainly, mine


def seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def random_faces(images: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.float32]]:
    """Return images, labels and region maps."""
    generator = np.random.default_rng(0)
    faces = generator.integers(0, 256, (images, 128, 128, 3), dtype=np.uint8)
    return faces, generator.random(images) < 0.5, generator.random((images, 49, 49), dtype=np.float32)


def make_treatment(maps: NDArray[np.float32], name: str) -> Treatment | None:
    """Return the scheme of a name; None for no name."""
    if not name:
        return None
    scheme = SCHEMES.find(name)
    chosen = maps if scheme.scope == "specific" else maps[0]
    pixels = torch.from_numpy(min_max(to_pixel_map(chosen, PatchGrid())).astype(np.float32))
    return Treatment(scheme, select_pixels(pixels, QUANTILE), FILL)


def second_epoch(threads: int, images: int, batch: int, scheme: str) -> float:
    """Return the seconds of an epoch, the second one, so that what the first pays for once is left out."""
    torch.set_num_threads(threads)
    faces, labels, maps = random_faces(images)
    settings = ClassifierTraining(epochs=2, batch_size=batch, learning_rate=1e-5)
    ends: list[float] = []
    train_classifier(
        TrainingTask(
            faces,
            labels,
            0,
            make_treatment(maps, scheme),
            on_epoch_end=lambda epoch, classifier, numbers: ends.append(time.perf_counter()),
        ),
        settings,
        torch.device("cpu"),
    )
    return ends[1] - ends[0]


@contextmanager
def worker_processes(count: int) -> Iterator[Pool]:
    """Give a pool of processes that are started as a run's are."""
    before = dict(os.environ)
    os.environ.update(processes.child_environment())
    try:
        with get_context("spawn").Pool(count) as pool:
            yield pool
    finally:
        os.environ.clear()
        os.environ.update(before)


def train_ours(threads: int, images: int, batch: int, seeds: int, scheme: str) -> float:
    """Return the seconds in which several seeds are trained for an epoch, the treatment made once for all of them."""
    torch.set_num_threads(threads)
    faces, labels, maps = random_faces(images)
    settings = ClassifierTraining(epochs=1, batch_size=batch, learning_rate=1e-5)

    def train() -> None:
        treated = make_treatment(maps, scheme)
        for seed in range(seeds):
            train_classifier(TrainingTask(faces, labels, seed, treated), settings, torch.device("cpu"))

    return seconds(train)


def one_process_and_two(images: int, batch: int, scheme: str) -> tuple[float, float]:
    """Return images a second of one process with two threads, and of two with one each, at the same time."""
    with worker_processes(2) as pool:
        alone = pool.apply(second_epoch, (2, images, batch, scheme))
        together = pool.starmap(second_epoch, [(1, images, batch, scheme)] * 2, chunksize=1)
    return images / alone, sum(images / each for each in together)


def one_by_one_and_at_once(images: int, batch: int, seeds: int, device: torch.device) -> tuple[float, float]:
    """Return images a second of one seed after the other, and of all as one stacked network."""
    faces, labels, _ = random_faces(images)
    settings = ClassifierTraining(epochs=2, batch_size=batch, learning_rate=1e-5)
    paces: list[float] = []

    def tell(epoch: int, classifier: nn.Module, numbers: dict[str, float]) -> None:
        paces.append(numbers["images_per_second"])

    train_classifier(TrainingTask(faces, labels, 0, on_epoch_end=tell), settings, device)
    alone = paces[-1]
    train_seeds([TrainingTask(faces, labels, seed, on_epoch_end=tell) for seed in range(seeds)], settings, device)
    return alone, paces[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--scheme", default="specific_noise", help="or '' for none")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    images, labels, maps = random_faces(options.images)
    options_of_ours = (options.threads, options.images, options.batch, options.seeds, options.scheme)

    def plain() -> None:
        for seed in range(options.seeds):
            train_plainly(PlainFaces(images, labels, maps, options.scheme), options.batch, seed)

    step_plain, step_ours = seconds_of_steps(options.batch, repeats=5)
    # In turns, so that whatever else the machine does meets both.
    with worker_processes(1) as pool:
        times = [(seconds(plain), pool.apply(train_ours, options_of_ours)) for _ in range(2)]
    plainly, mine = (min(column) for column in zip(*times, strict=True))
    count = options.images * options.seeds
    print(f"{options.seeds} seeds, {options.images} images, {options.scheme or 'untreated'}, {options.threads} threads")
    print("             a step           an epoch")
    print(f"plain  {options.batch / step_plain:7.0f} images/s {count / plainly:7.0f} images/s")
    print(f"ours   {options.batch / step_ours:7.0f} images/s {count / mine:7.0f} images/s")
    print(f"       {step_plain / step_ours:7.2f} times    {plainly / mine:7.2f} times")
    for batch in (32, options.batch):
        alone, together = one_process_and_two(options.images, batch, options.scheme)
        than_plain = f", {together * plainly / count:.2f} times the plain epoch" if batch == options.batch else ""
        print(f"batches of {batch}: one process {alone:.0f} images/s, two processes {together:.0f}{than_plain}")
    device = pick_device("auto")
    one_by_one, at_once = one_by_one_and_at_once(options.images, options.batch, options.seeds, device)
    print(f"untreated, on {device}: one seed after the other {one_by_one:.0f} images/s, all at once {at_once:.0f}")


if __name__ == "__main__":
    main()
