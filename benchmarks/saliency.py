"""How fast the saliency metrics and LRP are, each against a plain version of the same, timed in one run.

    python -m benchmarks.saliency [--json] [--maps 10000] [--batch 128] [--faces 512] [--repeats 5]

`metrics_ms_per_map` times ours against a loop over images (and Quantus, where it is installed); `lrp_seconds` times
`explain` against a bare zennit call: composite, canonizer and attribution on the classifier itself; `stage` times the whole
explain stage of an experiment.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from zennit.attribution import Gradient
from zennit.canonizers import SequentialMergeBatchNorm
from zennit.composites import EpsilonPlus

from fairsal_core.classifiers import build_classifier, save_classifier
from fairsal_core.experiments.explaining import Explaining, explaining_steps
from fairsal_core.faces import FaceDataset, Roi
from fairsal_core.metrics import adr, det, dif, hrf, magnitude, mrr, rddt, rrf
from fairsal_core.runs import JobProgress, RunFiles, run_steps
from fairsal_core.saliency import explain
from fairsal_core.settings import parse_config

Maps = NDArray[np.float32]
SIDE = 128
REGION = Roi(x=30, y=84, width=60, height=24)


def seconds(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def all_metrics(q: Maps, p: Maps) -> dict[str, Callable[[], object]]:
    """Return each metric as a job on signed relevance before and after; the magnitudes are made in the first."""
    before, after = magnitude(q), magnitude(p)
    return {
        "magnitude (twice)": lambda: (magnitude(q), magnitude(p)),
        "rrf": lambda: rrf(after, REGION),
        "hrf": lambda: hrf(after, REGION),
        "mrr": lambda: mrr(after, REGION),
        "adr": lambda: adr(before, after, REGION),
        "dif": lambda: dif(before, after, REGION),
        "rddt": lambda: rddt(before, after, REGION),
        "det": lambda: det(after, REGION),
    }


def loops(q: Maps, p: Maps) -> dict[str, Callable[[], object]]:
    """Return each metric as one would write it for one image, in a loop over the images."""
    mask = REGION.mask((SIDE, SIDE))

    def each(one: Callable[[Maps, Maps], float]) -> Callable[[], object]:
        return lambda: [one(before, after) for before, after in zip(q, p, strict=True)]

    return {
        "rrf": each(lambda before, after: after[mask].sum() / after.sum()),
        "hrf": each(lambda before, after: (after[mask] > 0.05).mean()),
        "mrr": each(lambda before, after: after[mask].mean() / after[~mask].mean()),
        "adr": each(lambda before, after: (before - after)[mask].mean()),
        "dif": each(lambda before, after: ((before - after)[mask] > 1e-3).mean()),
    }


def quantus_rrf(p: Maps, images: int) -> float | None:
    """Return milliseconds a map of Quantus' RelevanceMassAccuracy, the same number as RRF; None where it is missing."""
    try:
        import quantus
    except ImportError:
        return None
    metric = quantus.RelevanceMassAccuracy(abs=False, normalise=False, disable_warnings=True)
    mask = np.broadcast_to(REGION.mask((SIDE, SIDE)), (images, 1, SIDE, SIDE))
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(SIDE * SIDE, 2))
    maps = p[:images, None]
    took = seconds(
        lambda: metric(model=model, x_batch=maps, y_batch=np.zeros(images, int), a_batch=maps, s_batch=mask.copy())
    )
    return took / images * 1000


def measure_metrics(count: int, repeats: int) -> dict[str, object]:
    generator = np.random.default_rng(0)
    q, p = (generator.standard_normal((count, SIDE, SIDE), dtype=np.float32) for _ in range(2))
    jobs = all_metrics(q, p)
    took: dict[str, list[float]] = {name: [] for name in jobs}
    totals = []
    for _ in range(repeats):
        for name, job in jobs.items():
            took[name].append(seconds(job))
        totals.append(sum(times[-1] for times in took.values()))
    few = slice(0, min(500, count))
    before, after = magnitude(q[few]), magnitude(p[few])
    plain, ours = loops(before, after), all_metrics(q[few], p[few])
    per_map = {}
    for name, job in plain.items():
        slow = statistics.median(seconds(job) for _ in range(repeats)) / len(after) * 1000
        fast = statistics.median(seconds(ours[name]) for _ in range(repeats)) / len(after) * 1000
        per_map[name] = {"ours": fast, "loop": slow, "ratio": slow / fast}
    return {
        "maps": count,
        "all_metrics_seconds": statistics.median(totals),
        "seconds": {name: statistics.median(times) for name, times in took.items()},
        "metrics_ms_per_map": per_map,
        "quantus_rrf_ms_per_map": quantus_rrf(after, 100),
    }


def measure_lrp(batch: int, repeats: int) -> dict[str, object]:
    torch.manual_seed(0)
    classifier = build_classifier("three_conv").eval()
    images = torch.rand(batch, 3, SIDE, SIDE)
    start = torch.tensor([[0.0, 1.0]]).expand(batch, 2)

    def bare() -> object:
        composite = EpsilonPlus(canonizers=[SequentialMergeBatchNorm()], zero_params=["bias"])
        with Gradient(model=classifier, composite=composite) as attributor:
            return attributor(images, start)

    def ours() -> object:
        return explain(classifier, images)

    bare(), ours()
    pairs = [(seconds(ours), seconds(bare)) for _ in range(repeats)]  # in turn: both see the same load of the machine
    mine, theirs = (statistics.median(times) for times in zip(*pairs, strict=True))
    overhead = statistics.median(one / other for one, other in pairs) - 1
    return {"batch": batch, "ours": mine, "bare_zennit": theirs, "overhead": overhead}


def measure_stage(count: int) -> dict[str, object]:
    """Time the explain stage whole: two variants, LRP, maps, metrics, tables and files; nothing is reused."""
    generator = np.random.default_rng(0)
    names = pd.Index([f"{row:06}.jpg" for row in range(count)])
    labels = {"Male": np.arange(count) % 4 < 2, "Wearing_Necktie": np.arange(count) % 2 == 0}
    pixels = generator.integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)
    variants = ("original", "general_mask@0.7")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        os.environ["FAIRSAL_HOME"] = folder  # where artifacts go
        table = pd.DataFrame(labels, index=names)
        faces = FaceDataset("noise", root, root, table, pd.Series("test", names), packed=pixels, rows=np.arange(count))
        for seed, variant in enumerate(variants):
            torch.manual_seed(seed)
            save_classifier(build_classifier("three_conv"), root / "weights" / f"{variant}-seed0.safetensors")
        config = parse_config(
            {"confounder": "Wearing_Necktie", "schemes": ["general_mask@0.7"], "attention": {"explained_faces": count}}
        )
        explaining = Explaining.of_run(config, config.attention, variants, faces, RunFiles(root), torch.device("cpu"))
        job = partial(run_steps, explaining_steps(explaining, JobProgress()), JobProgress(), 1.0)
        return {"faces": count, "variants": len(variants), "seconds": seconds(job)}


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the saliency metrics and LRP.")
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of a table")
    parser.add_argument("--maps", type=int, default=10_000, help="maps of 128 x 128 for the metrics")
    parser.add_argument("--batch", type=int, default=128, help="images for LRP")
    parser.add_argument("--faces", type=int, default=512, help="faces for the explain stage")
    parser.add_argument("--repeats", type=int, default=5, help="how often each is timed; medians are reported")
    options = parser.parse_args()
    result = {
        "threads": torch.get_num_threads(),
        "metrics": measure_metrics(options.maps, options.repeats),
        "lrp_seconds": measure_lrp(options.batch, options.repeats),
        "stage": measure_stage(options.faces),
    }
    if options.json:
        json.dump(result, sys.stdout, indent=2)
        return
    metrics, lrp, stage = result["metrics"], result["lrp_seconds"], result["stage"]
    assert isinstance(metrics, dict)
    assert isinstance(lrp, dict)
    assert isinstance(stage, dict)
    print(f"All metrics for {metrics['maps']} maps of {SIDE} x {SIDE}: {metrics['all_metrics_seconds']:.2f} s (goal 3)")
    for name, took in metrics["seconds"].items():
        print(f"  {name:18} {took:6.2f} s")
    print("Per map, against a loop over images:")
    for name, row in metrics["metrics_ms_per_map"].items():
        print(f"  {name:4} {row['ours']:.4f} ms, loop {row['loop']:.4f} ms: {row['ratio']:.1f} times as fast")
    quantus_ms, ours_ms = metrics["quantus_rrf_ms_per_map"], metrics["metrics_ms_per_map"]["rrf"]["ours"]
    print(
        "Quantus is not installed."
        if quantus_ms is None
        else f"Quantus RelevanceMassAccuracy {quantus_ms:.2f} ms a map, {quantus_ms / ours_ms:.0f} times rrf's (goal 20)"
    )
    print(
        f"LRP of {lrp['batch']} faces, three_conv: {lrp['ours']:.2f} s, bare zennit {lrp['bare_zennit']:.2f} s, "
        f"overhead {lrp['overhead']:+.0%} (goal below +15%)"
    )
    print(
        f"Explain stage, {stage['variants']} variants, LRP, {stage['faces']} faces, three_conv: {stage['seconds']:.1f} s "
        "(goal 60)"
    )


if __name__ == "__main__":
    main()
