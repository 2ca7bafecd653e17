"""How long every mitigation method takes, and what it did in a run.

    python -m benchmarks.mitigation [--json] [--data demo] [--methods ...] [--faces 1000] [--epochs 6]
    python -m benchmarks.mitigation --run RUN [--by-seed] [--json]

The first trains `three_conv` on a biased subset and applies each method to it, on so many faces (goal: 90 s each on two
cores). The second prints accuracy, worst cell, equalized odds difference, and RRF, ADR, DIF and RDDT of the first explainer
for every variant of a finished run, clean test faces. Runs for it, five seeds each:

    python -m fairsal_core run --seeds 0 1 2 3 4 --mitigation threshold global_threshold zhang savani a_clarc p_clarc \\
        r_clarc rr_clarc leace fine_tune
"""

import argparse
import json
import sys
import time

import pandas as pd
import torch

from fairsal_core.classifiers import ClassifierTraining, TrainingTask, train_classifier
from fairsal_core.experiments.planning import find_validation, mitigation_split
from fairsal_core.faces import FaceDataset, biased_subset, load_faces
from fairsal_core.mitigation import METHODS, LabelledFaces, mitigate
from fairsal_core.mitigation.search import judge_classifier
from fairsal_core.results import over_all_seeds, read_attention, read_results
from fairsal_core.runs import run_path
from fairsal_core.settings import ExperimentConfig

GOAL_SECONDS = 90.0


def labelled(faces: FaceDataset, config: ExperimentConfig) -> LabelledFaces:
    return LabelledFaces(faces.images, faces.labels(config.target), faces.labels(config.confounder))


def time_methods(data: str, methods: list[str], count: int, epochs: int) -> dict[str, object]:
    """Return seconds per method, and how it ended."""
    config = ExperimentConfig(data=data, mitigation_faces=count)
    faces = load_faces(data)
    subset = biased_subset(faces, config.target, config.confounder, config.counts)
    training = ClassifierTraining(epochs=epochs)
    started = time.perf_counter()
    classifier = train_classifier(
        TrainingTask(subset.images, subset.labels(config.target), 0), training, torch.device("cpu")
    )
    trained = time.perf_counter() - started
    held_out = find_validation(config, faces)
    assert held_out is not None
    fit, validation = labelled(mitigation_split(config, faces, 0), config), labelled(held_out, config)
    rows: dict[str, object] = {"original": {"seconds": trained, **judge_classifier(classifier, validation)._asdict()}}
    for name in methods:
        cpu = time.process_time()
        result = mitigate(classifier, name, fit, validation)
        judged = judge_classifier(result.classifier, validation)._asdict() if result.classifier else {}
        rows[name] = {
            "seconds": result.seconds,
            "cpu_seconds": time.process_time() - cpu,
            "outcome": result.outcome,
            "reason": result.reason,
            **judged,
        }
    return {"threads": torch.get_num_threads(), "faces": len(fit), "validation": len(validation), "methods": rows}


def rows_of(run: str, by_seed: bool) -> pd.DataFrame:
    """Return one row per variant (and seed) and metric: fairness on clean test faces, and attention."""
    path = run_path(run)
    results, attention = read_results(path), read_attention(path)
    rows = results[(results["evaluation"] == "clean") & (results["metric"] != "gap")]
    rows = rows[(rows["metric"] != "accuracy") | (rows["group"] == "all")]
    rows = rows[rows["seed"].notna()] if by_seed else over_all_seeds(rows)
    if len(attention):
        first = attention[attention["explainer"] == attention["explainer"].iloc[0]]
        first = first[(first["group"] == "all") & first["metric"].isin(("rrf", "adr", "dif", "rddt"))]
        rows = pd.concat([rows, first[first["seed"].notna()] if by_seed else over_all_seeds(first)])
    return rows


def told(row: pd.Series) -> str:
    """Return a number with its 95% interval, or with the p-value of its test."""
    if row["metric"] == "rddt":
        return f"{row['value']:+z.2f} ({row['p_value']:.2g})"
    form = "{:+z.3f} [{:+z.3f}, {:+z.3f}]" if row["metric"] == "adr" else "{:.2f} [{:.2f}, {:.2f}]"
    return form.format(row["value"], row["low"], row["high"])


def main() -> None:
    parser = argparse.ArgumentParser(description="Time mitigation methods, or tabulate what they did in a run.")
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of a table")
    parser.add_argument("--run", help="a finished run to tabulate")
    parser.add_argument("--by-seed", action="store_true", help="each seed by itself")
    parser.add_argument("--data", default="demo", help="'demo' for the drawn faces, or a folder in CelebA's layout")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), help="which to time")
    parser.add_argument("--faces", type=int, default=1000, help="faces that methods learn from")
    parser.add_argument("--epochs", type=int, default=6, help="epochs of the original")
    options = parser.parse_args()
    if options.run:
        rows = rows_of(options.run, options.by_seed)
        rows["told"] = rows.apply(told, axis=1)
        table = rows.pivot(
            index=["variant", "seed"] if options.by_seed else "variant",
            columns="metric",
            values="value" if options.json else "told",
        ).reindex(rows["variant"].unique(), level="variant")
        print(table.reset_index().to_json(orient="records", indent=2) if options.json else table.fillna("").to_string())
        return
    result = time_methods(options.data, options.methods, options.faces, options.epochs)
    if options.json:
        json.dump(result, sys.stdout, indent=2)
        return
    methods = result["methods"]
    assert isinstance(methods, dict)
    table = pd.DataFrame.from_dict(methods, orient="index")
    print(f"{result['faces']} faces, {result['threads']} threads; goal {GOAL_SECONDS:g} s a method")
    print(table.round(3).to_string())


if __name__ == "__main__":
    main()
