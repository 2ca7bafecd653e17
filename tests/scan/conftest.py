"""A finished run whose predictions are made up on drawn labels: the columns that it errs by are known."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairsal_core.faces import load_celeba
from fairsal_core.files import write_json
from fairsal_core.runs import Run, load_run, seal_run

MakeRun = Callable[..., Run]


def made_up(folder: Path, planted: str, seeds: tuple[int, ...] = (0, 1)) -> pd.DataFrame:
    """Predictions of Male on all faces of a folder that say "yes" to whoever lacks an attribute, in the variant "original"."""
    faces = load_celeba(folder)
    generator = np.random.default_rng(0)
    target, confounder = faces.labels("Male"), faces.labels(planted)
    parts = []
    for variant, reliance in (("original", 0.45), ("general_mask@0.7", 0.0)):
        for seed in seeds:
            chance = 0.5 + 0.4 * (2 * target - 1) * (1 - reliance) - 0.4 * reliance * (2 * confounder - 1)
            yes = generator.random(len(faces)) < chance
            labels = {"face": faces.names, "target": target, "confounder": confounder, "score": np.where(yes, 0.8, 0.2)}
            parts.append(pd.DataFrame(labels).assign(variant=variant, seed=seed, evaluation="clean", treated_by=""))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def make_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn_folder: Path) -> MakeRun:
    """Write a finished run on the drawn faces, in a workspace of its own."""
    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path / "home"))

    def make(planted: str = "Eyeglasses") -> Run:
        path = tmp_path / "home" / "runs" / "20260101-000000-scanned-0001"
        path.mkdir(parents=True)
        config = {"data": str(drawn_folder), "target": "Male", "confounder": planted, "seeds": [0, 1]}
        about = {"format": 1, "kind": "experiment", "config": config, "name": "scanned"}
        write_json(path / "config.json", {**about, "created": datetime.now(UTC).isoformat()})
        write_json(path / "status.json", {"state": "finished", "fraction": 1.0, "started": 1.0, "ended": 2.0})
        made_up(drawn_folder, planted).to_parquet(path / "predictions.parquet", index=False)
        seal_run(path)
        return load_run(path)

    return make
