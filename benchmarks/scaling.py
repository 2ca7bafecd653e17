"""What a second process, and a Ray cluster of this machine, are worth: trials a minute, and images a second in shards.

`python -m benchmarks.scaling [--trials 6] [--faces 1200] [--shard 300] [--repeats 2] [--json]`

Trials: small experiments one after the other in this process; by the local engine, which starts a process for each; in two
processes without any engine, half of them each; and on a cluster of two workers. Maps: `dense` on one thread, at once and in
shards on a cluster of one worker and of two, a quarter of the faces and all of them: what the quarter takes longer than a quarter
is connecting, starting workers and importing torch. What sharding itself loses is told by the processor time of the tasks' own
function, done here, which a busy machine changes least. Every time is the shortest of the repeats, taken in turns.
`--trials 0` or `--shard 0` leaves one part out.
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

import numpy as np
import torch

from fairsal_core.experiments import SweepConfig, checked_settings, plan_trials, run_here, sharded_maps, stored_maps
from fairsal_core.experiments.reporting import Report
from fairsal_core.experiments.sharding import SHARD, map_shard
from fairsal_core.experiments.sweep import read_sweep, run_sweep
from fairsal_core.faces import FaceDataset, draw_demo_faces, load_faces
from fairsal_core.regions import bundled_classifier

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
    taken = seconds(lambda: run_sweep(sweep, out, Report()))
    assert all(trial.state == "finished" for trial in read_sweep(out)[0])
    return taken


def in_two_processes(data: Path, count: int, folder: Path) -> float:
    """Return the seconds that two processes take for half of the trials each, once both are ready."""
    halves = [(0, count - count // 2), (count - count // 2, count // 2)]
    workers = []
    for number, (first, half) in enumerate(halves):
        home = folder / f"half-{number}"
        command = [sys.executable, "-m", "benchmarks.scaling", "--half", str(data), str(half), str(first)]
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


def half_of_the_trials(data: str, count: str, first: str) -> None:
    """Be one of the two processes: get ready, say so, wait for the word, and do one's trials."""
    load_faces(data)
    import fairsal_core.experiments.pipeline  # noqa: F401

    print("ready", flush=True)
    sys.stdin.read()
    here(sweep_of(Path(data), int(count), int(first)))


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
            times["two_processes"].append(in_two_processes(data, count, home))
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
    """Time the maps at once and in shards, and return images a second and what sharding costs."""
    classifier = bundled_classifier("Eyeglasses")
    walls: dict[str, list[tuple[float, float]]] = {"at_once": [], "ray_1": [], "ray_2": []}
    computing: dict[str, list[float]] = {"at_once": [], "in_shards": []}

    def few_and_all(work: Callable[[Any], object]) -> tuple[float, float]:
        with workspace(folder):
            faces = load_faces(str(data))
            few = faces.take(range(len(faces) // 4))
            return seconds(lambda: work(few)), seconds(lambda: work(faces))

    def in_shards(faces: FaceDataset) -> None:
        names = faces.attributes.index.to_list()
        for start in range(0, len(names), shard):
            np.load(map_shard(classifier, str(data), names[start : start + shard], "margin", "fp32", "cpu"))

    for _ in range(repeats):
        with workspace(folder):
            faces = load_faces(str(data))
            at_once = partial(stored_maps, classifier, faces, "margin")
            computing["at_once"].append(seconds(at_once, time.process_time))
            computing["in_shards"].append(seconds(partial(in_shards, faces), time.process_time))
        walls["at_once"].append(few_and_all(lambda faces: stored_maps(classifier, faces, "margin")))
        for workers in (1, 2):
            with cluster(workers) as address:
                on = {"data": str(data), "device": "cpu", "address": address, "size": shard}
                on_ray = partial(sharded_maps, classifier, measure="margin", **on)
                walls[f"ray_{workers}"].append(few_and_all(on_ray))
    count = len(faces)
    least = {name: min(values) for name, values in computing.items()}
    per_shard = (least["in_shards"] - least["at_once"]) / -(-count // shard)
    big = SHARD * least["at_once"] / count
    return {
        "faces": count,
        "shard": shard,
        "processor_seconds": {name: round(value, 2) for name, value in least.items()},
        "processor_seconds_lost_per_shard": round(per_shard, 3),
        "lost_by_sharding": round(1 - least["at_once"] / least["in_shards"], 3),
        f"lost_at_{SHARD}_a_shard": round(per_shard / (per_shard + big), 3),
        "seconds_for_a_quarter": {name: round(min(few for few, _ in values), 1) for name, values in walls.items()},
        "seconds_for_all": {name: round(min(whole for _, whole in values), 1) for name, values in walls.items()},
        "all_seconds": {
            "processor": computing,
            **{name: [[round(few, 2), round(whole, 2)] for few, whole in values] for name, values in walls.items()},
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--faces", type=int, default=1200)
    parser.add_argument("--shard", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--half", nargs=3, metavar=("DATA", "COUNT", "FIRST"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # of the workers: one core each
    torch.set_num_threads(1)
    if options.half:
        half_of_the_trials(*options.half)
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
            if key == "all_seconds":
                continue
            shown = "  ".join(f"{way} {number}" for way, number in value.items()) if isinstance(value, dict) else value
            print(f"{part:7} {key:32} {shown}")


if __name__ == "__main__":
    main()
