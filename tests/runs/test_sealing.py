"""A finished run is what it was when it finished, and is known as made here."""

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairsal_core.errors import FairsalError
from fairsal_core.files import read_json, write_json
from fairsal_core.runs import (
    RunFiles,
    adopt,
    append_event,
    check_may_be_added_to,
    check_run,
    checked,
    is_there,
    map_array,
    read_array,
    read_content,
    read_table,
    seal_again,
    standing,
    store,
)
from fairsal_core.runs.events import Event

DAMAGED = r"Run \S+ is damaged, or was changed after it finished: .*\. Take it from a backup, or run it again\."
TABLE = pd.DataFrame({"metric": ["gap"] * 40, "value": np.linspace(0.1, 0.5, 40)})


@pytest.fixture
def run(home: Path) -> Path:
    """A finished run with a file of each kind."""
    path = store.create_run("experiment", {"a": 1})
    files = RunFiles(path)
    TABLE.to_parquet(files.results)
    write_json(files.subsets, {"faces": 4})
    np.save(files.mean_map, np.arange(9.0))
    weights = files.weights("original", 0)
    weights.parent.mkdir()
    weights.write_bytes(b"weights")
    (files.attention_folder / "lrp").mkdir(parents=True)
    np.save(files.attention_folder / "lrp" / "maps.npy", np.ones(9))
    store.update_status(path, state="running")
    store.end_run(path, "finished")
    return path


def flip(file: Path, at: int) -> None:
    content = bytearray(file.read_bytes())
    content[at // 8 % len(content)] ^= 1 << at % 8
    file.write_bytes(content)


def test_whole_it_reads_as_it_was_written(run: Path) -> None:
    files = RunFiles(run)
    assert standing(run) == "made here"
    check_run(run)
    pd.testing.assert_frame_equal(read_table(run, files.results), TABLE)
    assert read_table(run, files.results, ["value"]).columns.tolist() == ["value"]
    assert read_content(run, files.subsets) == {"faces": 4}
    assert read_array(run, files.mean_map).tolist() == np.arange(9.0).tolist()
    assert map_array(run, files.attention_folder / "lrp" / "maps.npy").sum() == 9
    assert checked(run, files.weights("original", 0)).read_bytes() == b"weights"


def test_a_flipped_bit_never_gives_another_table(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairsal_core.runs.reading._AGAIN_SECONDS", 0)
    file = RunFiles(run).results
    whole = file.read_bytes()
    for at in np.random.default_rng(0).choice(8 * len(whole), 300, replace=False):
        flip(file, int(at))
        with pytest.raises(FairsalError, match=DAMAGED):
            read_table(run, file)
        file.write_bytes(whole)
    read_table(run, file)


def test_a_flipped_bit_in_a_run_without_a_manifest_is_a_table_or_one_sentence(run: Path) -> None:
    """Such a run is older than manifests: nobody can know, but nothing else escapes."""
    RunFiles(run).manifest.unlink()
    file = RunFiles(run).results
    whole, sentences = file.read_bytes(), 0
    for at in np.random.default_rng(0).choice(8 * len(whole), 300, replace=False):
        flip(file, int(at))
        try:
            read_table(run, file)
        except FairsalError as error:
            sentences += 1
            assert "results.parquet of run" in str(error)
        file.write_bytes(whole)
    assert sentences > 100


@pytest.mark.parametrize(
    "name",
    ["results.parquet", "subsets.json", "mean_map.npy", "weights/original-seed0.safetensors", "attention/lrp/maps.npy"],
)
@pytest.mark.parametrize("gone", [False, True], ids=["changed", "gone"])
def test_every_reader_refuses_what_is_damaged(
    run: Path, name: str, gone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairsal_core.runs.reading._AGAIN_SECONDS", 0)
    file = run / name
    file.unlink() if gone else flip(file, 100)
    assert is_there(run, file)
    with pytest.raises(FairsalError, match=DAMAGED):
        check_run(run)
    for read in (read_table, read_content, read_array, map_array, checked):
        with pytest.raises(FairsalError, match=DAMAGED):
            read(run, file)


@pytest.mark.parametrize("name", ["config.json", "manifest.json"])
def test_results_of_other_settings_are_refused(run: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairsal_core.runs.reading._AGAIN_SECONDS", 0)
    (run / name).write_text((run / name).read_text().replace('"a": 1', '"a": 2').replace("results", "Results"))
    with pytest.raises(FairsalError, match=DAMAGED):
        read_table(run, RunFiles(run).results)


def test_what_is_not_there_is_not_damage(run: Path) -> None:
    file = RunFiles(run).validation
    assert not is_there(run, file)
    with pytest.raises(FileNotFoundError):
        read_table(run, file)


def test_a_file_that_was_slipped_in_is_not_the_runs(run: Path) -> None:
    TABLE.to_parquet(RunFiles(run).validation)
    with pytest.raises(FairsalError, match=r"validation\.parquet is not in the manifest"):
        read_table(run, RunFiles(run).validation)


def test_what_comes_later_is_not_covered(run: Path) -> None:
    files = RunFiles(run)
    append_event(run, Event(1.0, "late", 1.0, ""))
    files.log.write_text("late")
    write_json(files.notes / "one.json", {})
    write_json(files.acceptance, {})
    files.report.mkdir()
    (files.report / "report.html").write_text("")
    files.artifacts.write_text("maps/0")
    check_run(run)
    check_may_be_added_to(run)


def test_what_is_added_on_purpose_is_sealed_and_no_damage_with_it(run: Path) -> None:
    files = RunFiles(run)
    flip(files.weights("original", 0), 3)
    (files.attention_folder / "lrp" / "maps.npy").unlink()
    np.save(files.attention_folder / "lrp" / "other.npy", np.zeros(3))
    TABLE.to_parquet(files.attention)
    seal_again(run, [files.attention_folder / "lrp", files.attention])
    assert not is_there(run, files.attention_folder / "lrp" / "maps.npy")
    assert map_array(run, files.attention_folder / "lrp" / "other.npy").sum() == 0
    pd.testing.assert_frame_equal(read_table(run, files.attention), TABLE)
    assert standing(run) == "made here"
    with pytest.raises(FairsalError, match=r"original-seed0\.safetensors is not what was written"):
        checked(run, files.weights("original", 0))


def test_a_reader_waits_for_the_manifest_of_what_is_replaced(run: Path) -> None:
    file = RunFiles(run).results
    (2 * TABLE[["value"]]).to_parquet(file)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read_table, run, file)
        seal_again(run, [file])
        assert reading.result(10)["value"].iloc[0] == 0.2


def test_only_a_finished_run_has_a_manifest(home: Path) -> None:
    for state in ("failed", "cancelled", "interrupted"):
        path = store.create_run("experiment", {})
        store.end_run(path, state)  # type: ignore[arg-type]
        assert not RunFiles(path).manifest.exists()
        check_may_be_added_to(path)
    store.end_run(path, "finished")  # it has ended before
    assert not RunFiles(path).manifest.exists()


def test_a_run_from_elsewhere_opens_and_nothing_is_added(
    run: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIRSAL_HOME", str(home / "elsewhere"))
    there = Path(shutil.copytree(run, home / "elsewhere" / "runs" / run.name))
    assert standing(there) == "not made here"
    pd.testing.assert_frame_equal(read_table(there, RunFiles(there).results), TABLE)
    with pytest.raises(FairsalError, match=r"is not made here: it can be read, and nothing is added to it"):
        check_may_be_added_to(there)
    adopt(there)
    assert standing(there) == "made here"
    check_may_be_added_to(there)


def test_a_copy_under_another_name_is_not_the_run(run: Path) -> None:
    copy = run.with_name(f"{run.name[:-4]}0000")
    shutil.copytree(run, copy)
    assert (standing(run), standing(copy)) == ("made here", "not made here")


def test_one_older_than_manifests_opens_and_can_be_taken_over(run: Path) -> None:
    RunFiles(run).manifest.unlink()
    assert standing(run) == "not verified"
    pd.testing.assert_frame_equal(read_table(run, RunFiles(run).results), TABLE)
    with pytest.raises(FairsalError, match="is not verified: it can be read"):
        check_may_be_added_to(run)
    adopt(run)
    assert standing(run) == "made here"


def test_a_damaged_run_is_not_taken_over(run: Path) -> None:
    flip(RunFiles(run).results, 100)
    with pytest.raises(FairsalError, match=DAMAGED):
        adopt(run)


def test_a_manifest_that_fits_other_numbers_is_not_signed(run: Path) -> None:
    """Whoever overwrites values can write a manifest that fits them, but has no key."""
    from fairsal_core.manifests import entries_of, write_manifest

    TABLE.assign(value=0.99).to_parquet(RunFiles(run).results)
    seal = read_json(RunFiles(run).manifest)["of"]["seal"]
    write_manifest(run, {"run": run.name, "files": entries_of(run, RunFiles(run).results_of_the_run()), "seal": seal})
    check_run(run)
    assert standing(run) == "not made here"


def test_the_key_is_one_and_its_owners(home: Path) -> None:
    from fairsal_core.runs import sealing

    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: sealing._key(make=True), range(32)))
    assert len(keys) == 1
    key = home / "keys" / "runs.key"
    assert key.stat().st_mode & 0o077 == 0 or os.name == "nt"
    assert json.dumps(len(key.read_bytes())) == "32"
