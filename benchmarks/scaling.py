"""What a second process, and a Ray cluster of this machine, are worth: trials a minute, and images a second in shards.

`python -m benchmarks.scaling [--trials 6] [--faces 2400] [--shard 200] [--repeats 1] [--json]`

Trials: small experiments one after the other in this process; by the local engine, which starts a process for each; in two
processes without any engine, half of them each; and on a cluster of two workers.

Maps: `dense` on one thread a worker, of a packed set: at once, as `stream_maps` does it, and in shards, here and on a cluster of
one worker and of two; two workers are compared with two processes that map a half each at once. Of a cluster the rate is told with
its start (connecting, starting workers, importing torch) and without: from when every worker has done its first shard. "From files"
is the same with nothing packed: pack and map all, or decode and map each shard. "lost" is 1 - rate / rate at once.

Every figure is the best of the repeats, taken in turns. `--trials 0` or `--shard 0` leaves one part out.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch

from fairsal_core.drawing import draw_demo_faces
from fairsal_core.faces import list_faces, load_faces, packed_folder
from fairsal_core.home import cache_folder
from fairsal_core.progress import Progress, silent
from fairsal_core.regions import bundled_classifier, stream_maps
from fairsal_core.runs import run_here
from fairsal_core.runs.events import JobProgress
from fairsal_core.scaling import on_ray, stored_maps
from fairsal_core.scaling.sweep import read_sweep, run_sweep
from fairsal_core.settings import SweepConfig, checked_settings, plan_trials

TRIAL = {
    "counts": "30,20,20,10",
    "schemes": [],
    "training": {"epochs": 2, "batch_size": 16, "learning_rate": 1e-3},
    "test_per_cell": 2,
    "attention": {"explainers": []},
}


@contextmanager
def workspace(folder: Path) -> Iterator[Path]:
    """Work in an empty workspace, where nothing is reused."""
    with tempfile.TemporaryDirectory(dir=folder) as home:
        os.environ["FAIRSAL_HOME"] = home
        yield Path(home)


@contextmanager
def cluster(workers: int) -> Iterator[str]:
    """Start a cluster on this machine and give its address."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    memory = {"object_store_memory": 100 * 2**20, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": workers, **memory})
    try:
        yield made.address
    finally:
        made.shutdown()


def sweep_of(data: Path, count: int, first: int = 0, **where: str) -> SweepConfig:
    seeds = [[seed] for seed in range(first, first + count)]
    return checked_settings(
        SweepConfig, {"base": {**TRIAL, "data": str(data)}, "grid": {"seeds": seeds}, "device": "cpu", **where}
    )


def here(sweep: SweepConfig) -> None:
    """Do the trials of a sweep one after the other in this process."""
    for config in plan_trials(sweep):
        run_here("experiment", {**config.model_dump(mode="json"), "device": "cpu"})


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    begun = clock()
    work()
    return clock() - begun


def by_engine(sweep: SweepConfig, home: Path) -> float:
    """Return the seconds that a sweep takes; raise if a trial was lost on the way."""
    out = home / "sweep"
    out.mkdir()
    taken = seconds(lambda: run_sweep(sweep, out, JobProgress()))
    assert all(trial.state == "finished" for trial in read_sweep(out)[0])
    return taken


def in_two_processes(what: str, data: Path, halves: list[tuple[int, int]], folder: Path, shared: bool = False) -> float:
    """Return the seconds that two processes take for a half each, once both are ready."""
    workers = []
    for number, half in enumerate(halves):
        home = folder if shared else folder / f"half-{number}"
        command = [sys.executable, "-m", "benchmarks.scaling", what, str(data), *map(str, half)]
        workers.append(
            subprocess.Popen(
                command, env={**os.environ, "FAIRSAL_HOME": str(home)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        )
    for each in workers:
        assert each.stdout and each.stdout.readline()
    begun = time.perf_counter()
    for each in workers:
        assert each.stdin
        each.stdin.close()
    assert [each.wait() for each in workers] == [0, 0]
    return time.perf_counter() - begun


def be_one_of_two(data: Path, work: Callable[[], object]) -> None:
    """Get ready, say so, wait for the word, and do one's half."""
    load_faces(str(data))
    import fairsal_core.experiments.pipeline  # noqa: F401

    bundled_classifier("Eyeglasses")
    print("ready", flush=True)
    sys.stdin.read()
    work()


def measure_trials(data: Path, count: int, repeats: int, folder: Path) -> dict[str, Any]:
    """Time the trials every way, and return trials a minute and what each trial costs beyond its own work."""
    times: dict[str, list[float]] = {"here": [], "local": [], "two_processes": [], "ray_2": []}
    for _ in range(repeats):
        with workspace(folder):
            load_faces(str(data))
            times["here"].append(seconds(lambda: here(sweep_of(data, count))))
        with workspace(folder) as home:
            load_faces(str(data))
            times["local"].append(by_engine(sweep_of(data, count), home))
        with workspace(folder) as home:
            halves = [(0, count - count // 2), (count - count // 2, count // 2)]
            times["two_processes"].append(in_two_processes("--half-trials", data, halves, home))
        with workspace(folder) as home, cluster(2) as address:
            load_faces(str(data))
            times["ray_2"].append(by_engine(sweep_of(data, count, engine="ray", address=address), home))
    best = {name: min(values) for name, values in times.items()}
    return {
        "trials": count,
        "trials_per_minute": {name: round(60 * count / value, 1) for name, value in best.items()},
        "overhead_seconds_per_trial": {
            "local": round((best["local"] - best["here"]) / count, 2),
            "ray_2": round(2 * (best["ray_2"] - best["two_processes"]) / count, 2),
        },
        "all_seconds": {name: [round(value, 2) for value in values] for name, values in times.items()},
    }


def measure_maps(data: Path, shard: int, repeats: int, folder: Path) -> dict[str, Any]:
    """Time the maps of a packed set at once and in shards, here and on clusters; return images a second and what sharding loses."""
    classifier = bundled_classifier("Eyeglasses")
    count = len(list_faces(str(data)))
    rates: dict[str, list[float]] = {}
    begun: dict[str, list[float]] = {}

    def note(way: str, images_a_second: float, start: float = 0.0) -> None:
        rates.setdefault(way, []).append(images_a_second)
        begun.setdefault(way, []).append(start)

    def in_shards(engine: Any = None, progress: Progress = silent) -> None:
        faces = list_faces(str(data))
        stored_maps(
            classifier, faces, "margin", packed_folder(faces, cache_folder()), progress, engine=engine, size=shard
        )

    for number in range(2 * repeats):
        ways = (("at_once", lambda: at_once(data, 0, 1)), ("shards", in_shards))
        for way, work in ways if number % 2 else reversed(ways):  # neither is always the first
            with workspace(folder):
                load_faces(str(data))
                note(way, count / seconds(work))
    for _ in range(repeats):
        with workspace(folder):
            note("from_files_at_once", count / seconds(lambda: at_once(data, 0, 1)))
        with workspace(folder):
            note("from_files_shards", count / seconds(in_shards))
        with workspace(folder) as home:
            load_faces(str(data))
            note(
                "two_processes_at_once",
                count / in_two_processes("--half-maps", data, [(0, 2), (1, 2)], home, shared=True),
            )
        for workers in (1, 2):
            with workspace(folder), cluster(workers) as address:
                load_faces(str(data))
                marks = times_of(partial(in_shards, on_ray("cpu", address)))
                (start, _), (end, done) = marks[0], marks[-1]
                assert done == count
                # From when every worker has done its first shard; what comes before is starting, importing, and that shard.
                ready, before = next(mark for mark in marks if mark[1] >= workers * shard)
                note(f"ray_{workers}_start_included", count / (end - start))
                note(f"ray_{workers}", (count - before) / (end - ready), ready - start)
    best = {way: max(values) for way, values in rates.items()}
    twins = {
        "shards": "at_once",
        "from_files_shards": "from_files_at_once",
        "ray_1": "at_once",
        "ray_1_start_included": "at_once",
        "ray_2": "two_processes_at_once",
        "ray_2_start_included": "two_processes_at_once",
    }
    return {
        "faces": count,
        "shard": shard,
        "images_a_second": {way: round(value, 1) for way, value in best.items()},
        "lost": {way: round(1 - best[way] / best[twin], 3) for way, twin in twins.items()},
        "seconds_until_each_worker_did_a_shard": {
            way: round(min(values), 1) for way, values in begun.items() if max(values)
        },
        "all_images_a_second": {way: [round(value, 1) for value in values] for way, values in rates.items()},
    }


def times_of(work: Callable[[Progress], object]) -> list[tuple[float, float]]:
    """Return when work began, and when how much of it was done."""
    marks = [(time.perf_counter(), 0.0)]
    work(lambda done, total, message="": marks.append((time.perf_counter(), done)))
    return marks


def at_once(data: Path, part: int, parts: int) -> None:
    """Map every so many-th face of a set in one go, the way it was done before there were shards."""
    faces = load_faces(str(data))
    chosen = faces if parts == 1 else faces.take(range(part, len(faces), parts))
    with tempfile.TemporaryDirectory() as folder:
        stream_maps(bundled_classifier("Eyeglasses"), chosen, Path(folder) / "maps.npy", "margin")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--faces", type=int, default=2400)
    parser.add_argument("--shard", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--half-trials", nargs=3, metavar=("DATA", "FIRST", "COUNT"), help=argparse.SUPPRESS)
    parser.add_argument("--half-maps", nargs=3, metavar=("DATA", "PART", "PARTS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # of the workers: one core each
    torch.set_num_threads(1)
    if options.half_trials:
        half, first, count = (kind(value) for kind, value in zip((Path, int, int), options.half_trials, strict=True))
        be_one_of_two(half, lambda: here(sweep_of(half, count, first)))
        return
    if options.half_maps:
        half, part, parts = (kind(value) for kind, value in zip((Path, int, int), options.half_maps, strict=True))
        be_one_of_two(half, lambda: at_once(half, part, parts))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = draw_demo_faces(folder / "faces", options.faces)
        found = {}
        if options.trials:
            found["trials"] = measure_trials(data, options.trials, options.repeats, folder)
        if options.shard:
            found["maps"] = measure_maps(data, options.shard, options.repeats, folder)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for part, values in found.items():
        for key, value in values.items():
            if key.startswith("all_"):
                continue
            shown = "  ".join(f"{way} {number}" for way, number in value.items()) if isinstance(value, dict) else value
            print(f"{part:7} {key:32} {shown}")


if __name__ == "__main__":
    main()
