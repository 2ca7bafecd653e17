"""A finished run with made-up predictions, in a workspace of its own: quick, and its numbers are known."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fairsal_core.files import write_json
from fairsal_core.results import results_table
from fairsal_core.runs import Run, load_run, seal_run
from fairsal_core.settings import parse_config

MakeRun = Callable[..., Run]
PER_CELL = 30
# Accuracy of each cell: target with, target without, other with, other without.
SKILL = {"original": (0.1, 0.95, 0.95, 0.5), "balanced": (0.9, 0.9, 0.9, 0.9), "general_mask@0.7": (0.6, 0.8, 0.7, 0.8)}


def made_up_predictions(seeds: tuple[int, ...] = (0, 1), per_cell: int = PER_CELL) -> pd.DataFrame:
    generator = np.random.default_rng(3)
    target = np.repeat([True, True, False, False], per_cell)
    confounder = np.tile(np.repeat([True, False], per_cell), 2)
    cell = np.repeat(np.arange(4), per_cell)
    parts = []
    for variant, skill in SKILL.items():
        for seed in seeds:
            for evaluation, treated_by in (("clean", ""), ("treated", "general_mask@0.7")):
                right = generator.random(len(cell)) < np.array(skill)[cell]
                distance = generator.uniform(0.05, 0.45, len(cell))
                score = np.where(right == target, 0.5 + distance, 0.5 - distance)
                parts.append(
                    pd.DataFrame(
                        {
                            "variant": variant,
                            "seed": seed,
                            "face": [f"{number:06d}.jpg" for number in range(1, len(cell) + 1)],
                            "target": target,
                            "confounder": confounder,
                            "evaluation": evaluation,
                            "treated_by": treated_by,
                            "score": score,
                        }
                    )
                )
    return pd.concat(parts, ignore_index=True)


@lru_cache
def made_up_results(seeds: tuple[int, ...], per_cell: int, target: str, confounder: str) -> pd.DataFrame:
    return results_table(made_up_predictions(seeds, per_cell), target, confounder)


@pytest.fixture
def make_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeRun:
    """Write a finished run: `make_run(data="demo", name="Audit <1>")`; what else is given goes into its config."""
    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path / "home"))

    def make(name: str = "Audit", seeds: tuple[int, ...] = (0, 1), per_cell: int = PER_CELL, **settings: Any) -> Run:
        runs = tmp_path / "home" / "runs"
        path = runs / f"20260101-000000-audit-{len(list(runs.glob('*'))):04x}"
        path.mkdir(parents=True)
        config = parse_config({"seeds": seeds, **settings})
        about = {"kind": "experiment", "config": config.model_dump(mode="json"), "name": name}
        write_json(path / "config.json", {"format": 1, **about, "created": datetime.now(UTC).isoformat()})
        write_json(path / "status.json", {"state": "finished", "fraction": 1.0, "started": 1.0, "ended": 2.0})
        equal = dict.fromkeys(type(config.counts).model_fields, per_cell)
        write_json(
            path / "subsets.json",
            {
                "faces": 240,
                "available": equal,
                "train": {"original": config.counts.model_dump(), "balanced": equal, "general_mask@0.7": equal},
                "test": equal,
                "phi": -0.71,
            },
        )
        made_up_predictions(seeds, per_cell).to_parquet(path / "predictions.parquet", index=False)
        results = made_up_results(seeds, per_cell, config.target, config.confounder)
        results.to_parquet(path / "results.parquet", index=False)
        (path / "weights").mkdir()
        for seed in seeds:
            (path / "weights" / f"original-seed{seed}.safetensors").write_bytes(b"weights")
        np.save(path / "mean_map.npy", np.random.default_rng(0).random((49, 49), dtype=np.float32))
        seal_run(path)
        return load_run(path)

    return make
