"""What a set of many folders costs before anything is trained: reading it, planning, packing what is read, knowing its shards.

    python -m benchmarks.sharded SAMPLE OUT [--rows 1000000] [--folder 500000] [--json]

SAMPLE is a folder in CelebA's layout. OUT is made of it where it is not there: folders of as many rows as asked for, each with all
of CelebA's 40 attributes in Parquet, identity and split; pictures are hard links to a pool of 2,000 of SAMPLE's, since annotations
are to be real in size and pixels are not. Then, one after the other in one process: the set is read as any command reads it
(annotations by column, the size and date of every picture); an experiment at the paper's size is planned, and what it reads is
packed; the shards of a mapping of the whole set are told apart, and one is mapped. Seconds, seconds a million rows, and the most
memory until then.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from fairsal_core.experiments.planning import faces_read, plan_experiment
from fairsal_core.faces import FaceDataset, list_faces, load_celeba, pack, packed_folder
from fairsal_core.home import cache_folder
from fairsal_core.progress import silent
from fairsal_core.regions import RegionClassifier, bundled_classifier
from fairsal_core.scaling import stored_maps
from fairsal_core.scaling.shards import SHARD, Shard, map_here
from fairsal_core.settings import ExperimentConfig, preset_settings
from fairsal_core.versions import versions

POOL = 2_000
OF_ALL = ("read", "plan", "tell shards apart")  # what grows with the set


def make(sample: Path, out: Path, rows: int, per_folder: int) -> None:
    """Write the set."""
    faces, generator = load_celeba(sample), np.random.default_rng(0)
    pool = out / ".pool"  # a link cannot leave its file system
    pool.mkdir(parents=True)
    for name in map(str, faces.names[:POOL]):
        (pool / name).write_bytes((faces.image_folder / name).read_bytes())
    files = [str(pool / str(name)) for name in faces.names[:POOL]]
    for number, start in enumerate(range(0, rows, per_folder)):
        folder, count = out / f"part-{number:04d}", min(per_folder, rows - start)
        (folder / "img").mkdir(parents=True)
        drawn = generator.integers(0, len(files), count)
        names = [f"img/{start + row:08d}.jpg" for row in range(count)]
        for row, name in zip(drawn.tolist(), names, strict=True):
            os.link(files[row], f"{folder}{os.sep}{name}")
        table = faces.attributes.iloc[drawn].set_axis(range(count), axis=0)
        table.insert(0, "image", names)
        table["identity"] = generator.integers(0, rows // 20 + 1, count)
        table["split"] = generator.choice(["train", "val", "test"], count, p=[0.8, 0.1, 0.1])
        table.to_parquet(folder / "labels.parquet", index=False)
    (out / "sets.txt").write_text("part-*\n", encoding="utf-8")


def measure(root: Path) -> dict[str, Any]:
    """Return what is printed."""
    told: dict[str, Any] = {}
    config = ExperimentConfig.model_validate({**preset_settings("paper"), "data": str(root)})
    faces = timed(told, "read", lambda: list_faces(str(root)))
    read = timed(told, "plan", lambda: faces_read(plan_experiment(config, faces)))
    timed(told, "pack what an experiment reads", lambda: _pixels(faces, read))
    missing: list[Shard] = []
    classifier = bundled_classifier("Eyeglasses")

    def ask(_: RegionClassifier, shards: list[Shard], __: object) -> None:
        missing.extend(shards)

    whole = packed_folder(faces, cache_folder())
    timed(told, "tell shards apart", lambda: stored_maps(classifier, faces, "margin", whole, engine=ask))
    timed(told, "map one shard", lambda: map_here(classifier, missing[:1], silent))
    return {
        "rows": len(faces),
        "attributes": faces.attributes.shape[1],
        "folders": len({name.split("/")[0] for name in map(str, faces.names)}),
        "read_by_the_experiment": len(read),
        "shards": len(missing),
        "steps": told,
        "processor": versions()["processor"],
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def timed(told: dict[str, Any], name: str, work: Callable[[], Any]) -> Any:
    """Return what the work gives, and note seconds and the most memory until now."""
    began = time.perf_counter()
    made = work()
    told[name] = {"seconds": time.perf_counter() - began, "gigabytes": _most_memory() / 1e9}
    return made


def _most_memory() -> int:
    used = psutil.Process().memory_info()
    return int(getattr(used, "peak_wset", 0) or _high_water() or used.rss)


def _high_water() -> int:
    status = Path("/proc/self/status")
    if not status.is_file():
        return 0
    lines = dict(line.split(":", 1) for line in status.read_text(encoding="ascii").splitlines())
    return int(lines["VmHWM"].split()[0]) * 1024


def _pixels(faces: FaceDataset, read: FaceDataset) -> None:
    packed = pack(faces, cache_folder())
    rows = packed.names.get_indexer(read.names)
    for start in range(0, len(rows), SHARD):
        packed.take(rows[start : start + SHARD]).images.sum()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sample", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=int, default=500_000, help="rows a folder")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not options.out.exists():
        make(options.sample, options.out, options.rows, options.folder)
    with tempfile.TemporaryDirectory() as home:
        os.environ["FAIRSAL_HOME"] = home
        found = measure(options.out)
    if options.json:
        print(json.dumps(found))
        return
    millions = found["rows"] / 1e6
    print(
        f"{found['rows']:,} rows x {found['attributes']} attributes in {found['folders']} folders; {found['processor']}"
    )
    for name, each in found["steps"].items():
        print(
            f"{name:32} {each['seconds']:8.1f} s {each['seconds'] / millions:8.2f} s a million {each['gigabytes']:6.2f} GB"
        )
    print(
        f"the experiment reads {found['read_by_the_experiment']:,} faces; {found['shards']:,} shards; load {found['load']}"
    )


if __name__ == "__main__":
    main()
