"""A sweep takes only runs that were made here, of the same faces, labels and versions."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fairsal_core import versions
from fairsal_core.files import read_json, write_json
from fairsal_core.runs import RunFiles, adopt, launcher, list_runs, seal_run
from fairsal_core.runs.events import Event, JobProgress
from fairsal_core.scaling import sweep
from fairsal_core.scaling.sweep import read_sweep, run_sweep
from fairsal_core.settings.base import checked_settings
from fairsal_core.settings.sweep import SweepConfig

SETTINGS: dict[str, Any] = {
    "counts": "2,8,6,4",
    "schemes": [],
    "balanced": False,
    "training": {"epochs": 1, "batch_size": 10},
    "test_per_cell": 2,
    "attention": {"explainers": ["none"]},
}
Sweep = Callable[[], tuple[bool, str]]


@pytest.fixture
def faces(home: Path, drawn_folder: Path) -> Path:
    return Path(shutil.copytree(drawn_folder, home / "faces"))


@pytest.fixture
def swept(home: Path, faces: Path, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    """Sweep one trial, and return whether a run was reused for it, and all that was said."""
    monkeypatch.setattr(launcher, "start", lambda kind, config, name: launcher.run_here(kind, config, name))
    monkeypatch.setattr(sweep, "_POLL_SECONDS", 0.02)
    config = checked_settings(SweepConfig, {"base": {**SETTINGS, "data": str(faces)}, "device": "cpu"})

    def do() -> tuple[bool, str]:
        folder = home / "sweep"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        events: list[Event] = []
        run_sweep(config, folder, JobProgress(show=events.append))
        (trial,) = read_sweep(folder)[0]
        assert trial.state == "finished"
        return trial.reused, "\n".join(dict.fromkeys(event.message for event in events))

    assert do()[0] is False
    assert do()[0] is True
    return do


def the_run() -> Path:
    (run,) = [run.path for run in list_runs() if run.kind == "experiment"]
    return run


def overwrite(run: Path) -> None:
    file = RunFiles(run).results
    pd.read_parquet(file).assign(value=0.99).to_parquet(file)


def test_a_run_with_overwritten_values_is_not_taken(swept: Sweep) -> None:
    overwrite(the_run())
    reused, said = swept()
    assert not reused
    assert "is not reused: Run" in said
    assert "results.parquet is not what was written" in said
    assert swept()[0] is True  # of the two, the one that is whole


def test_a_run_from_elsewhere_is_not_taken_unless_someone_vouches_for_it(swept: Sweep, home: Path) -> None:
    run = the_run()
    (home / "keys" / "runs.key").write_bytes(b"another workspace's key, 32 long")
    overwrite(run)
    seal_run(run)
    (home / "keys" / "runs.key").unlink()
    reused, said = swept()
    assert (reused, "it is not made here" in said) == (False, True)
    shutil.rmtree(
        next(path for path in run.parent.iterdir() if path.is_dir() and path != run and "trial" not in path.name)
    )
    adopt(run)
    assert swept()[0] is True


def test_a_run_without_a_manifest_is_not_taken(swept: Sweep) -> None:
    RunFiles(the_run()).manifest.unlink()
    reused, said = swept()
    assert (reused, "it is not verified" in said) == (False, True)


def test_other_labels_or_pictures_are_other_results(swept: Sweep, faces: Path) -> None:
    table = faces / "list_attr_celeba.txt"
    content = table.read_text()
    count, columns, *rows = content.splitlines()
    number = columns.split().index("Blond_Hair") + 1
    fields = rows[0].split()
    fields[number] = str(-int(fields[number]))
    table.write_text("\n".join([count, columns, " ".join(fields), *rows[1:]]) + "\n")
    reused, said = swept()
    assert (reused, "it was computed for other faces or labels" in said) == (False, True)
    table.write_text(content)
    assert swept()[0] is True  # the run of before fits again
    picture = faces / "img_align_celeba" / "000001.jpg"
    shutil.copy(faces / "img_align_celeba" / "000002.jpg", picture)
    assert swept()[0] is False


def test_other_versions_are_other_results(swept: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(versions.STAGES, "results", 999)  # type: ignore[arg-type]
    reused, said = swept()
    assert (reused, "the versions of its stages are others" in said) == (False, True)
    assert swept()[0] is True
    newest = max(list_runs(), key=lambda run: run.created)
    content = read_json(RunFiles(newest.path).versions)
    write_json(RunFiles(newest.path).versions, {**content, "torch": "1.0.0"})
    seal_run(newest.path)
    assert "it was computed with torch 1.0.0" in swept()[1]


def test_a_run_says_what_it_was_computed_of(swept: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    from fairsal_core import cli

    recorded = read_json(RunFiles(the_run()).versions)
    assert {"fairsal", "torch", "numpy", "processor", "device", "stages", "extensions", "data", "test faces"} <= set(
        recorded
    )
    assert recorded["device"] == "cpu"
    assert cli.main(["runs", the_run().name, "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert (about["made"], about["versions"]) == ("made here", recorded)
    RunFiles(the_run()).manifest.unlink()
    assert cli.main(["runs", the_run().name]) == 0
    assert "not verified" in capsys.readouterr().out
    assert cli.main(["runs", the_run().name, "--adopt"]) == 0
    assert "made here (fairsal" in capsys.readouterr().out
