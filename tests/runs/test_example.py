"""The example that ships: it opens with its seals whole, is marked, takes nothing, and is made again by one command."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from fairsal_core.errors import FairsalError
from fairsal_core.reports import add_note, write_report
from fairsal_core.results import check_comparable, list_attention, read_predictions, read_results
from fairsal_core.runs import check_run, example_run, is_example, list_runs, pack_example, recorded_versions, standing
from fairsal_core.runs.example import ARCHIVE
from fairsal_core.versions import STAGES
from tests.reports.conftest import MakeRun, make_run  # noqa: F401

AGAIN = "make it again: python -m fairsal_core.experiments.example"
HELD = ("regions", "region_quality", "maps", "classifiers", "mitigated", "relevance", "results")


def test_it_opens_whole_in_an_empty_workspace_and_is_small(home: Path) -> None:
    run = example_run()
    assert run is not None
    assert run.status.state == "finished"
    assert is_example(run)
    assert list_runs() == []  # it lies beside the workspace's runs and not among them
    assert standing(run.path) == "not made here"
    check_run(run.path)
    check_comparable(run.id, run.config)
    variants = set(read_results(run.path)["variant"])
    assert {"original", "general_mask@0.7"} < variants
    assert set(read_predictions(run.path)["variant"]) == variants
    for attention in list_attention(run.path):
        for variant in attention.about["variants"]:
            assert np.isfinite(attention.maps(variant)).all()
    assert ARCHIVE.stat().st_size < 900_000
    again = example_run()
    assert again is not None
    assert again.path == run.path


def test_it_holds_what_the_stages_give_today(home: Path) -> None:
    run = example_run()
    assert run is not None
    made_with = dict(stage.split("=") for stage in recorded_versions(run.path)["stages"].split())
    today = {name: str(STAGES[name]) for name in HELD}
    assert {name: made_with.get(name) for name in HELD} == today, AGAIN


def test_nothing_is_added_to_it_and_damage_is_seen(home: Path) -> None:
    run = example_run()
    assert run is not None
    with pytest.raises(FairsalError, match="nothing is added"):
        add_note(run.path, "a note")
    (run.path / "results.parquet").write_bytes(b"PAR1")
    with pytest.raises(FairsalError, match="damaged"):
        read_results(run.path)


def test_the_report_of_it_needs_no_faces(home: Path, tmp_path: Path) -> None:
    run = example_run()
    assert run is not None
    assert "not made here" in write_report(run, tmp_path / "report", faces=False).html.read_text()


def test_a_run_is_packed_without_its_classifiers(make_run: MakeRun, tmp_path: Path) -> None:  # noqa: F811
    run = make_run()
    archive = pack_example(run.path, tmp_path / "example.zip")
    shutil.unpack_archive(archive, tmp_path / "there")
    there = tmp_path / "there" / run.id
    check_run(there)
    assert not (there / "weights").exists()
    assert read_results(there).equals(read_results(run.path))
