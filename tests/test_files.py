"""A file is the old one or the new one, never half of it; and what anyone may have written is read within bounds."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairsal_core import files
from fairsal_core.classifiers import load_classifier
from fairsal_core.errors import FairsalError
from fairsal_core.files import (
    new_array,
    open_regular,
    patiently,
    read_array,
    read_json,
    read_parquet,
    replacing,
    reserve,
    safe_name,
    write_json,
    write_parquet,
)
from fairsal_core.hashing import file_digest
from fairsal_core.runs import RunFiles


def test_json_round_trip_makes_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.json"
    write_json(path, {"naïve": [1, 2.5, None]})
    assert read_json(path) == {"naïve": [1, 2.5, None]}
    assert [entry.name for entry in path.parent.iterdir()] == ["b.json"]


def test_a_failed_write_keeps_the_old_content_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": True})
    with pytest.raises(TypeError):
        write_json(path, {"new": object()})
    assert read_json(path) == {"old": True}
    assert list(tmp_path.iterdir()) == [path]


def test_readers_see_the_old_content_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_an_exception_after_writing_discards_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def _in_use(winerror: int | None) -> PermissionError:
    error = PermissionError(errno.EACCES, "in use")
    if winerror is not None:
        error.winerror = winerror  # type: ignore[attr-defined]
    return error


def test_a_file_that_windows_says_is_in_use_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, refused = os.replace, [_in_use(5), _in_use(32)]

    def replace(source: Path, target: Path) -> None:
        if refused:
            raise refused.pop()
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    write_json(tmp_path / "a.json", {"there": True})
    assert read_json(tmp_path / "a.json") == {"there": True}
    assert refused == []


@pytest.mark.parametrize("winerror", [None, 19])
def test_what_may_not_be_done_is_not_tried_again(winerror: int | None) -> None:
    calls = []

    def refuse() -> NoReturn:
        calls.append(1)
        raise _in_use(winerror)

    with pytest.raises(PermissionError):
        patiently(refuse)
    assert calls == [1]


def test_a_file_in_use_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_IN_USE_SECONDS", 0.05)

    def refuse() -> NoReturn:
        raise _in_use(32)

    with pytest.raises(PermissionError):
        patiently(refuse)


def _cannot(number: int) -> object:
    def fallocate(*_: int) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return fallocate


@pytest.mark.parametrize("system", ["as it is", "none", "a file system that cannot"])
def test_a_reserved_file_has_its_content_and_its_room(
    system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if system == "none":
        monkeypatch.delattr(os, "posix_fallocate")
    elif system != "as it is":
        monkeypatch.setattr(os, "posix_fallocate", _cannot(errno.EOPNOTSUPP))
    monkeypatch.setattr(files, "_WRITTEN_AT_ONCE", 1000)
    path = tmp_path / "a"
    path.write_bytes(b"header")
    os.truncate(path, 100_001)
    reserve(path)
    content = path.read_bytes()
    assert (content[:6], len(content), set(content[6:])) == (b"header", 100_001, {0})
    assert path.stat().st_blocks * 512 >= 100_001


def test_other_errors_of_reserving_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "posix_fallocate", _cannot(errno.EIO))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        new_array(tmp_path / "a.npy", np.uint8, (3, 4))
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="pipe is no regular file"):
        open_regular(tmp_path / "pipe")


# ---- reading what anyone may have written


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_huge(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**40)  # a hole: it takes no room


READERS: dict[str, Callable[[Path], Any]] = {
    "json": read_json,
    "parquet": read_parquet,
    "array": read_array,
    "mapped array": lambda path: read_array(path, mapped=True),
    "weights": lambda path: load_classifier("three_conv", path),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", [make_pipe, make_device, make_huge, Path.mkdir], ids=lambda make: make.__name__)
@pytest.mark.parametrize("reader", READERS)
def test_what_only_looks_like_a_file_is_refused_at_once(
    tmp_path: Path, reader: str, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "file"
    make(path)
    with pytest.raises((OSError, FairsalError)):
        READERS[reader](path)


@pytest.mark.timeout(20)
def test_nobody_waits_for_a_pipe_to_make_a_digest(tmp_path: Path) -> None:
    make_pipe(tmp_path / "weights.safetensors")
    with pytest.raises(OSError, match="no regular file"):
        file_digest(tmp_path / "weights.safetensors")


@pytest.mark.parametrize("reader", ["json", "parquet", "array", "mapped array"])
@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"PAR1PAR1", b"\x93NUMPY", b"\x93NUMPY\x01\x00\x02\x00{}", b"[" * 10**5]
)
def test_junk_is_a_value_error(tmp_path: Path, reader: str, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ValueError):
        READERS[reader](path)


@pytest.mark.parametrize("mapped", [False, True])
def test_an_array_is_read_as_it_was_written(tmp_path: Path, mapped: bool) -> None:
    path = tmp_path / "a.npy"
    for array in (
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.zeros((0, 3)),
        np.float32(2),
    ):
        np.save(path, array)
        np.testing.assert_array_equal(read_array(path, mapped=mapped), np.load(path))


@pytest.mark.parametrize("mapped", [False, True])
def test_an_array_that_promises_more_than_there_is_takes_no_memory(tmp_path: Path, mapped: bool) -> None:
    path = tmp_path / "a.npy"
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,), }".ljust(117) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(8))
    with pytest.raises(ValueError, match="does not hold the array"):
        read_array(path, mapped=mapped)


def test_objects_are_never_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="array of numbers"):
        read_array(tmp_path / "a.npy")


def test_a_table_of_too_many_rows_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of equal values a million rows are a few bytes."""
    write_parquet(tmp_path / "a.parquet", pd.DataFrame({"a": np.zeros(1000), "b": 1}))
    assert len(read_parquet(tmp_path / "a.parquet", ["b"])) == 1000
    monkeypatch.setattr(files, "MOST_CELLS", 1999)
    with pytest.raises(OSError, match="1,000 rows"):
        read_parquet(tmp_path / "a.parquet")


# ---- names from data as files' names

TODAYS = [
    "original",
    "balanced",
    "general_mask@0.7",
    "specific_noise@0.85,p=0.5,normalised",
    "zhang:epochs=5,alphas=0.3+1",
    "race=East Asian",
    "5_o_Clock_Shadow",
    "more than 70",
    "Größe",
]


@pytest.mark.parametrize("name", TODAYS)
def test_names_of_today_keep_their_spelling(name: str) -> None:
    assert safe_name(name) == name
    assert RunFiles(Path("run")).weights(name, 3) == Path("run/weights") / f"{name}-seed3.safetensors"


@given(st.text(max_size=200))
def test_every_name_is_one_file_in_its_folder(name: str) -> None:
    spelled = safe_name(name)
    assert spelled == safe_name(spelled)
    assert (Path("folder") / f"{spelled}.json").parent == Path("folder")
    assert spelled not in ("", ".", "..")
    assert 0 < len(spelled.encode()) <= 150
    assert not any(letter in spelled for letter in "/\\\0\n")


def test_names_that_look_alike_are_two_files() -> None:
    names = ["Hat/Cap", "Hat_Cap", "Hat\\Cap", "../x", ".._x", "", "-", "CON", "con", "a" * 200, "a" * 201]
    assert len({safe_name(name).lower() for name in names}) == len(names)
