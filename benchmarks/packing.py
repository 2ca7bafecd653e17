"""How much of what the cores can decode packing gets done.

`python -m benchmarks.packing --data FOLDER [--rounds 3] [--json]`

Decoding is what nobody gets around: each picture read, decoded and squeezed to 128 x 128 on every core, and thrown away. Packing
does the same, hashes what it read and writes pixels, digests and a manifest. Both do the whole set in turns, so that what else goes
on meets both; the shares are of their seconds and of their processor time, summed over the rounds. Where others are at work only
the second says something. The folder is read once before, so that reading the disk counts for neither.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from fairsal_core.faces import FaceDataset, decode_image, load_folder, pack, to_square


def decode_all(faces: FaceDataset) -> None:
    """Decode every picture on every core, and keep none."""
    files = [faces.image_folder / str(name) for name in faces.names]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(lambda file: to_square(decode_image(file)) is None, files):
            pass


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return seconds, and seconds of processor time."""
    began, spent = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - spent


def measure(folder: Path, rounds: int) -> dict[str, Any]:
    """Return what is printed."""
    faces = load_folder(folder)
    for name in faces.names:
        (faces.image_folder / str(name)).read_bytes()
    decoding, packing = [], []
    for _ in range(rounds):
        decoding.append(timed(lambda: decode_all(faces)))
        with tempfile.TemporaryDirectory() as cache:
            packing.append(timed(lambda: pack(faces, Path(cache)).readable))
    seconds, work = ([sum(one[side] for one in each) for each in (decoding, packing)] for side in (0, 1))
    count = rounds * len(faces)
    return {
        "faces": len(faces),
        "rounds": rounds,
        "decoded_a_second": count / seconds[0],
        "packed_a_second": count / seconds[1],
        "share_of_seconds": seconds[0] / seconds[1],
        "share_of_processor_time": work[0] / work[1],
        "shares": [before[0] / after[0] for before, after in zip(decoding, packing, strict=True)],
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of faces")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.data, options.rounds)
    print(
        json.dumps(found, indent=2)
        if options.json
        else "\n".join(f"{name:26} {value}" for name, value in found.items())
    )


if __name__ == "__main__":
    main()
