"""Packing: every image once, in order, resumable, whatever lies in the folder."""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fairsal_core.errors import CancelledError, FairsalError
from fairsal_core.faces import (
    FaceDataset,
    files_key,
    list_faces,
    load_celeba,
    pack,
    packed_files,
    packed_folder,
    undecodable_files,
    with_pixels,
)
from fairsal_core.hashing import file_digest
from fairsal_core.locks import try_lock, unlock
from fairsal_core.manifests import read_manifest, write_manifest
from fairsal_core.rows import Rows
from tests.conftest import MakeCeleba
from tests.faces.decoding_spy import Decoded, spy_on_decoding


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Decoded:
    """Names of the files decoded, in chunks of four."""
    names = spy_on_decoding(monkeypatch)
    monkeypatch.setattr(packed_files, "_CHUNK", 4)
    return names


def slow_pixels(faces: FaceDataset, name: str) -> np.ndarray:
    """One image the obvious way: CelebA's frame squeezed to a square."""
    with Image.open(faces.image_folder / name) as image:
        return np.asarray(image.convert("RGB").resize((128, 128), Image.Resampling.BILINEAR, reducing_gap=3.0))


def stop_at(step: int) -> Callable[..., None]:
    def progress(done: float, total: float, message: str = "") -> None:
        if done >= step:
            raise CancelledError

    return progress


def test_content_and_order_equal_decoding_one_by_one(make_celeba: MakeCeleba, decoded: Decoded, tmp_path: Path) -> None:
    faces = load_celeba(make_celeba(count=10))
    packed = pack(faces, tmp_path / "cache")
    assert packed.images.shape == (10, 128, 128, 3)
    assert packed.images.dtype == np.uint8
    for image, name in zip(packed.images, packed.names, strict=True):
        np.testing.assert_array_equal(image, slow_pixels(faces, name))
    assert sorted(decoded) == faces.names.tolist()


def test_the_second_time_nothing_is_decoded(make_celeba: MakeCeleba, decoded: Decoded, tmp_path: Path) -> None:
    faces = load_celeba(make_celeba())
    first = pack(faces, tmp_path)
    decoded.clear()
    second = pack(faces, tmp_path)
    assert decoded == []
    np.testing.assert_array_equal(first.images, second.images)
    assert isinstance(second.packed, np.memmap)
    assert not second.packed.flags.writeable


@pytest.mark.parametrize("damage", [b"<html>not found</html>", b"", None], ids=["html", "empty", "missing"])
def test_a_bad_file_is_named_and_rows_stay_aligned(
    make_celeba: MakeCeleba, tmp_path: Path, damage: bytes | None
) -> None:
    faces = load_celeba(make_celeba(count=10))
    bad = faces.image_folder / "000004.jpg"
    bad.unlink()
    if damage is not None:
        bad.write_bytes(damage)
    packed = pack(faces, tmp_path / "cache")
    assert list(undecodable_files(faces, tmp_path / "cache")) == ["000004.jpg"]
    assert undecodable_files(faces, tmp_path / "cache")["000004.jpg"].startswith("000004.jpg ")
    assert "000004.jpg" not in packed.names
    assert len(packed) == len(packed.images) == 9
    for image, name in zip(packed.images, packed.names, strict=True):
        np.testing.assert_array_equal(image, slow_pixels(faces, name))
    assert packed.labels("Male").tolist() == faces.attributes.drop("000004.jpg")["Male"].tolist()


def test_a_truncated_file_is_left_out(make_celeba: MakeCeleba, tmp_path: Path) -> None:
    faces = load_celeba(make_celeba())
    cut = faces.image_folder / "000002.jpg"
    cut.write_bytes(cut.read_bytes()[:500])
    assert "000002.jpg" not in pack(faces, tmp_path).names
    assert "cut short" in undecodable_files(faces, tmp_path)["000002.jpg"]


def test_an_interrupted_packing_goes_on_where_it_stopped(
    make_celeba: MakeCeleba, decoded: Decoded, tmp_path: Path
) -> None:
    faces = load_celeba(make_celeba(count=10))
    (faces.image_folder / "000003.jpg").write_bytes(b"nothing")  # has to be remembered over the interruption
    with pytest.raises(CancelledError):
        pack(faces, tmp_path / "a", progress=stop_at(8))
    assert set(decoded) >= set(faces.names[:8])  # the next are begun before these are written down
    assert list(tmp_path.glob("a/*/images.npy")) == []
    decoded.clear()
    resumed = pack(faces, tmp_path / "a")
    assert sorted(decoded) == faces.names[8:].tolist()
    whole = pack(faces, tmp_path / "b")
    assert resumed.names.tolist() == whole.names.tolist()
    np.testing.assert_array_equal(resumed.images, whole.images)
    assert undecodable_files(faces, tmp_path / "a") == undecodable_files(faces, tmp_path / "b")
    assert sorted(path.name for path in tmp_path.glob("a/*/*")) == [
        "digests.npy",
        "images.npy",
        "lock",
        "manifest.json",
    ]


def test_interrupted_at_the_very_end(make_celeba: MakeCeleba, decoded: Decoded, tmp_path: Path) -> None:
    faces = load_celeba(make_celeba(count=8))
    with pytest.raises(CancelledError):
        pack(faces, tmp_path / "a", progress=stop_at(8))
    decoded.clear()
    assert len(pack(faces, tmp_path / "a").images) == 8
    assert decoded == []


def test_progress_goes_from_nothing_to_all(make_celeba: MakeCeleba, decoded: Decoded, tmp_path: Path) -> None:
    seen: list[tuple[float, float]] = []
    pack(
        load_celeba(make_celeba(count=10)),
        tmp_path,
        progress=lambda done, total, message="": seen.append((done, total)),
    )
    assert seen == [(0, 10), (4, 10), (8, 10), (10, 10)]


def test_two_packers_at_once_do_the_work_once(make_celeba: MakeCeleba, decoded: Decoded, tmp_path: Path) -> None:
    faces = load_celeba(make_celeba(count=12))
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: pack(faces, tmp_path), range(2))
    np.testing.assert_array_equal(first.images, second.images)
    assert sorted(decoded) == faces.names.tolist()


def test_one_that_waits_for_another_says_so(make_celeba: MakeCeleba, tmp_path: Path) -> None:
    faces = load_celeba(make_celeba(count=4))
    folder = packed_folder(faces, tmp_path)
    folder.mkdir()
    said: list[str] = []
    lock = try_lock(folder / "lock")
    assert lock is not None

    def progress(done: float, total: float, message: str = "") -> None:
        said.append(message)
        if "waiting" in message:
            unlock(lock)

    assert len(pack(faces, tmp_path, progress=progress)) == 4
    assert said[0] == "Another process packs celeba: waiting for it"


def test_nothing_decodes(make_celeba: MakeCeleba, tmp_path: Path) -> None:
    faces = load_celeba(make_celeba(count=3))
    for name in faces.names:
        (faces.image_folder / name).write_bytes(b"rubbish")
    with pytest.raises(FairsalError, match=r"None of the 3 images .* the first, 000001\.jpg: .*is not a PNG"):
        pack(faces, tmp_path)


def test_the_key_follows_names_size_and_folder(make_celeba: MakeCeleba) -> None:
    faces, other = load_celeba(make_celeba("a")), load_celeba(make_celeba("b"))
    keys = [files_key(faces), files_key(faces, 64), files_key(faces.take([0, 1])), files_key(other)]
    assert len(set(keys)) == 4
    assert files_key(faces) == keys[0]


def test_another_size(make_celeba: MakeCeleba, tmp_path: Path) -> None:
    assert pack(load_celeba(make_celeba(count=2)), tmp_path, image_size=32).images.shape == (2, 32, 32, 3)


def test_drawn_faces_pack_whole(drawn: FaceDataset) -> None:
    assert len(drawn) == 240
    assert drawn.images.shape == (240, 128, 128, 3)
    assert len(np.unique(drawn.images.reshape(240, -1), axis=0)) == 240


@pytest.mark.parametrize("reserving", [True, False], ids=["posix_fallocate", "without"])
def test_a_full_disk_is_an_error_and_no_crash(
    small_disk: Path, make_celeba: MakeCeleba, monkeypatch: pytest.MonkeyPatch, reserving: bool
) -> None:
    """Without room reserved first, writing to the memory map would kill the process, and with it the server."""
    if not reserving:
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    faces = load_celeba(make_celeba(count=12))  # 576 kB packed, on a disk of 512
    with pytest.raises(OSError, match="No space left"):
        pack(faces, small_disk / "cache")
    assert [path.name for path in small_disk.glob("cache/*/*")] == ["lock"]
    assert len(pack(faces.take([0, 1, 2]), small_disk / "cache")) == 3


@pytest.mark.parametrize("file", ["digests.npy", "images.npy", "manifest.json"])
@pytest.mark.parametrize("damage", ["cut", "rubbish", "gone", "empty"])
def test_a_damaged_cache_is_packed_again(make_celeba: MakeCeleba, tmp_path: Path, file: str, damage: str) -> None:
    faces = load_celeba(make_celeba())
    whole = np.array(pack(faces, tmp_path).images)
    (path,) = tmp_path.glob(f"*/{file}")
    content = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes({"cut": content[: len(content) // 2], "rubbish": b"rubbish" * 99, "empty": b""}[damage])
    np.testing.assert_array_equal(pack(faces, tmp_path).images, whole)


@pytest.mark.parametrize("file", ["partial.json", "images.partial.npy"])
def test_a_damaged_beginning_is_begun_again(
    make_celeba: MakeCeleba, decoded: Decoded, tmp_path: Path, file: str
) -> None:
    faces = load_celeba(make_celeba(count=10))
    with pytest.raises(CancelledError):
        pack(faces, tmp_path / "a", progress=stop_at(8))
    (path,) = tmp_path.glob(f"a/*/{file}")
    path.write_bytes(path.read_bytes()[:20])
    np.testing.assert_array_equal(pack(faces, tmp_path / "a").images, pack(faces, tmp_path / "b").images)


@pytest.mark.parametrize("packed", [True, False])
def test_pixels_of_a_few_faces(make_celeba: MakeCeleba, decoded: Decoded, tmp_path: Path, packed: bool) -> None:
    faces = list_faces(str(make_celeba(count=10)))
    (faces.image_folder / "000004.jpg").write_bytes(b"nothing")
    if packed:
        pack(faces, tmp_path)
    decoded.clear()
    few = with_pixels(faces.take([7, 3, 1]), packed_folder(faces, tmp_path))
    assert few.names.tolist() == ["000008.jpg", "000002.jpg"]  # one does not decode
    for image, name in zip(few.images, few.names, strict=True):
        np.testing.assert_array_equal(image, slow_pixels(faces, name))
    assert sorted(decoded) == ([] if packed else ["000002.jpg", "000004.jpg", "000008.jpg"])


def test_rows_of_several_arrays_are_rows_of_one() -> None:
    generator = np.random.default_rng(0)
    lengths = [3, 0, 5, 1]
    parts = [generator.integers(0, 99, (length, 2)) for length in lengths]
    opened: list[int] = []

    def open_part(number: int) -> np.ndarray:
        opened.append(number)
        return parts[number]

    rows, whole = Rows(lengths, open_part, (2,), np.int64), np.concatenate(parts)
    assert (len(rows), rows.shape, rows.dtype) == (9, (9, 2), np.int64)
    for wanted in (
        slice(None),
        slice(1, 7, 2),
        [8, 0, 3, 3],
        np.array([-1, 2]),
        4,
        whole[:, 0] > 50,
        np.array([], int),
    ):
        np.testing.assert_array_equal(rows[wanted], whole[wanted])
    opened.clear()
    for start in range(9):
        rows[start : start + 1]
    assert opened == [0, 2, 3]  # each once while they are read in order
    with pytest.raises(IndexError):
        rows[9]


def test_pixels_that_were_zeroed_are_packed_again_and_that_is_said(
    make_celeba: MakeCeleba,
    decoded: Decoded,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    faces = load_celeba(make_celeba(count=10))
    whole = np.array(pack(faces, tmp_path).images)
    decoded.clear()
    damaged = max(tmp_path.glob("*/images.npy"), key=lambda path: path.stat().st_size)
    pixels = np.load(damaged, mmap_mode="r+")
    pixels[::2] = 0
    count = len(pixels)
    del pixels
    os.utime(damaged, ns=(1, 1))  # a memory map sets the time when it likes
    told: list[str] = []
    again = pack(faces, tmp_path, progress=lambda done, total, message="": told.append(message))
    np.testing.assert_array_equal(again.images, whole)
    assert len(decoded) == count
    assert "is damaged (images.npy is not what was written): it is packed again." in capsys.readouterr().err
    assert any("is packed again" in message for message in told)


def test_a_digest_is_of_the_bytes_that_were_decoded(make_celeba: MakeCeleba, tmp_path: Path) -> None:
    faces = load_celeba(make_celeba(count=10))
    (faces.image_folder / "000004.jpg").write_bytes(b"nothing")
    packed = pack(faces, tmp_path)
    assert packed.digests is not None
    for name, digest in zip(packed.names, packed.digests, strict=True):
        assert digest.tobytes() == hashlib.sha256((faces.image_folder / name).read_bytes()).digest()


def test_damaged_pixels_of_a_few_faces_are_decoded_instead(
    make_celeba: MakeCeleba, decoded: Decoded, tmp_path: Path
) -> None:
    faces = list_faces(str(make_celeba(count=10)))
    whole = np.array(pack(faces, tmp_path).images)
    (images,) = tmp_path.glob("*/images.npy")
    content = bytearray(images.read_bytes())
    content[-1] ^= 1
    images.write_bytes(content)
    decoded.clear()
    np.testing.assert_array_equal(with_pixels(faces.take([9]), images.parent).images, whole[[9]])
    assert decoded == ["000010.jpg"]


def test_what_was_packed_before_digests_were_in_blocks_is_compared_as_a_whole(
    make_celeba: MakeCeleba, decoded: Decoded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faces = load_celeba(make_celeba())
    whole = np.array(pack(faces, tmp_path).images)
    (images,) = tmp_path.glob("*/images.npy")
    manifest = read_manifest(images.parent)
    assert manifest is not None and set(manifest["files"]["images.npy"]) == {"bytes", "blocks_sha256"}
    manifest["files"]["images.npy"] = {"bytes": images.stat().st_size, "sha256": file_digest(images)}
    write_manifest(images.parent, manifest)
    decoded.clear()
    np.testing.assert_array_equal(pack(faces, tmp_path).images, whole)
    assert not decoded
    content = bytearray(images.read_bytes())
    content[-1] ^= 1
    images.write_bytes(content)
    np.testing.assert_array_equal(pack(faces, tmp_path).images, whole)
    assert "is damaged (images.npy is not what was written): it is packed again." in capsys.readouterr().err
