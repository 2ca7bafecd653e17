"""Of a large set what is wanted is packed when it is wanted, once, and is what packing all of it would give."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import region_stage
from fairsal_core.experiments.pipeline import run_experiment
from fairsal_core.experiments.planning import faces_read, plan_experiment
from fairsal_core.faces import (
    CELLS,
    CellCounts,
    FaceDataset,
    balanced_counts,
    balanced_test,
    biased_subset,
    list_faces,
    load_celeba,
    load_faces,
    pack,
    packed_folder,
    packing,
    pixels_digest,
    undecodable_files,
    with_pixels,
)
from fairsal_core.regions import RegionTraining
from fairsal_core.runs import JobProgress
from fairsal_core.settings import parse_config
from tests.conftest import MakeCeleba
from tests.faces.decoding_spy import Decoded, spy_on_decoding

CPU = torch.device("cpu")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Decoded:
    """Names of the files decoded; sets of more than four faces are large."""
    names = spy_on_decoding(monkeypatch)
    monkeypatch.setattr(packing, "PACKED_WHOLE", 4)
    return names


def packed_whole(faces: FaceDataset, cache: Path, monkeypatch: pytest.MonkeyPatch) -> FaceDataset:
    """Return the faces packed as a small set is: all of them, in one file."""
    with monkeypatch.context() as patch:
        patch.setattr(packing, "PACKED_WHOLE", 10**6)
        return pack(faces, cache)


def spoil(faces: FaceDataset, *names: str) -> None:
    for name in names:
        (faces.image_folder / name).write_bytes(b"nothing")


def test_only_what_is_read_is_packed_and_once(
    make_celeba: MakeCeleba, decoded: Decoded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = load_celeba(make_celeba(count=10))
    whole = packed_whole(faces, tmp_path / "whole", monkeypatch)
    decoded.clear()
    large = pack(faces, tmp_path / "large")
    assert len(large) == 10 and decoded == []
    np.testing.assert_array_equal(large.take([7, 2, 7]).images, whole.images[[7, 2, 7]])
    assert sorted(decoded) == ["000003.jpg", "000008.jpg"]
    assert large.take([2, 3]).images.shape == (2, 128, 128, 3)
    assert sorted(decoded) == ["000003.jpg", "000004.jpg", "000008.jpg"]
    assert pixels_digest(large.take([7, 2])) == pixels_digest(whole.take([7, 2]))
    assert len(decoded) == 3

    decoded.clear()  # nor is it in another process, or of some of the faces
    again = pack(faces, tmp_path / "large")
    np.testing.assert_array_equal(again.take([3, 7]).images, whole.images[[3, 7]])
    assert decoded == []
    np.testing.assert_array_equal(again.images, whole.images)
    assert pixels_digest(again) == pixels_digest(whole)
    assert len(decoded) == 7


def test_a_picture_that_changed_is_packed_again_alone(
    make_celeba: MakeCeleba, decoded: Decoded, tmp_path: Path
) -> None:
    faces = load_celeba(make_celeba(count=10))
    before = np.array(pack(faces, tmp_path).images)
    decoded.clear()
    Image.new("RGB", (178, 218), "white").save(faces.image_folder / "000009.jpg")
    after = pack(faces, tmp_path)
    np.testing.assert_array_equal(after.images[:8], before[:8])
    assert (after.images[8] == 255).all()
    assert decoded == ["000009.jpg"]


def test_what_does_not_decode_is_left_out_when_it_is_read(
    make_celeba: MakeCeleba, decoded: Decoded, tmp_path: Path
) -> None:
    faces = load_celeba(make_celeba(count=10))
    spoil(faces, "000006.jpg", "000008.jpg")
    large = pack(faces, tmp_path)
    assert large.take([5, 1]).readable.names.tolist() == ["000002.jpg"]
    assert list(undecodable_files(faces, tmp_path)) == ["000006.jpg"]
    with pytest.raises(FairsalError, match=r"000006\.jpg is not a PNG"):
        large.take([1, 5]).images  # noqa: B018
    assert len(large.readable) == 8
    assert sorted(undecodable_files(faces, tmp_path)) == ["000006.jpg", "000008.jpg"]


@pytest.mark.parametrize("everything_first", [False, True])
def test_a_draw_depends_on_the_files_and_not_on_what_is_packed(
    make_celeba: MakeCeleba, decoded: Decoded, tmp_path: Path, everything_first: bool
) -> None:
    """Exactly as many as are wanted, and none that does not decode: so it is what is drawn without those."""
    faces = load_celeba(make_celeba(count=72))
    faces = replace(faces, split=faces.split.where(faces.split == "test", "train"))
    wanted = CellCounts.equal(3)
    first = biased_subset(faces, "Male", "Smiling", wanted, seed=5).names
    spoil(faces, *first[:2])
    large = pack(load_celeba(faces.root), tmp_path)
    large = replace(large, split=faces.split)
    if everything_first:
        assert len(large.readable) == 70
    drawn = biased_subset(large, "Male", "Smiling", wanted, seed=5)
    assert CellCounts.of(drawn, "Male", "Smiling") == wanted
    expected = biased_subset(
        faces.take(np.flatnonzero(~faces.names.isin(first[:2]))), "Male", "Smiling", wanted, seed=5
    )
    assert drawn.names.tolist() == expected.names.tolist()
    assert not set(large.sample(40).names) & set(first[:2])


def test_the_rarest_cell_counts_what_decodes(make_celeba: MakeCeleba, decoded: Decoded, tmp_path: Path) -> None:
    faces = load_celeba(make_celeba(count=36))
    test = faces.in_split("test")
    rarest = min(CellCounts.of(test, "Male", "Smiling")[cell] for cell in CELLS)
    rare = test.take(np.flatnonzero(test.labels("Male") & test.labels("Smiling")))
    spoil(faces, rare.names[0])
    large = pack(load_celeba(faces.root), tmp_path)
    drawn = balanced_test(large, "Male", "Smiling")
    assert len(drawn) == 4 * (len(rare) - 1) <= 4 * rarest
    assert balanced_counts(large, "Male", "Smiling", 100, split="test").total == len(drawn)


def test_a_damaged_part_is_packed_again(
    make_celeba: MakeCeleba, decoded: Decoded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faces = load_celeba(make_celeba(count=10))
    before = pack(faces, tmp_path)
    whole = np.array(before.images)
    (images,) = tmp_path.glob("*/*/images.npy")
    content = bytearray(images.read_bytes())
    content[-1] ^= 1
    images.write_bytes(content)
    decoded.clear()
    np.testing.assert_array_equal(pack(faces, tmp_path).images, whole)
    assert len(decoded) == 10
    assert "is damaged (images.npy is not what was written): it is packed again." in capsys.readouterr().err


@pytest.mark.parametrize("damage", [b"", b"{}", b"[]", b'{"names": ["a"], "stamps": []}'])
def test_a_damaged_list_of_a_part_is_written_again(
    make_celeba: MakeCeleba, decoded: Decoded, tmp_path: Path, damage: bytes
) -> None:
    faces = load_celeba(make_celeba(count=10))
    whole = np.array(pack(faces, tmp_path).images)
    (listed,) = tmp_path.glob("*/*.json")
    content = json.loads(listed.read_text())
    listed.write_bytes(damage)
    decoded.clear()
    np.testing.assert_array_equal(pack(faces, tmp_path).images, whole)
    assert decoded == []  # the part itself is whole
    assert json.loads(listed.read_text()) == content


def test_two_at_once_decode_once(make_celeba: MakeCeleba, decoded: Decoded, tmp_path: Path) -> None:
    faces = load_celeba(make_celeba(count=12))
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: pack(faces, tmp_path).images, range(2))
    np.testing.assert_array_equal(first, second)
    assert sorted(decoded) == faces.names.tolist()


@pytest.mark.parametrize("packed", [True, False])
def test_tasks_read_what_is_packed(
    make_celeba: MakeCeleba, decoded: Decoded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    faces = list_faces(str(make_celeba(count=10)))
    spoil(faces, "000004.jpg")
    if packed:
        assert len(pack(list_faces(str(faces.root)), tmp_path).take([1, 3, 7]).readable) == 2
    decoded.clear()
    few = with_pixels(list_faces(str(faces.root)).take([7, 3, 1]), packed_folder(faces, tmp_path))
    assert few.names.tolist() == ["000008.jpg", "000002.jpg"]
    assert few.digests is not None and len(few.digests) == len(few.images) == 2
    assert sorted(decoded) == ([] if packed else ["000002.jpg", "000004.jpg", "000008.jpg"])


SETTINGS: dict[str, Any] = {
    "counts": "2,8,6,4",
    "schemes": [],
    "balanced": False,
    "training": {"epochs": 1, "batch_size": 10},
    "test_per_cell": 1,
    "device": "cpu",
}


def test_an_experiment_packs_what_it_reads(
    drawn_folder: Path, decoded: Decoded, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = parse_config({**SETTINGS, "data": str(drawn_folder)})
    (home / "run").mkdir()
    run_experiment(config, home / "run", JobProgress())
    plan = plan_experiment(config, list_faces(str(drawn_folder)))
    assert sorted(decoded) == sorted(faces_read(plan).names)
    assert len(decoded) < 60 < len(plan.faces)


def test_a_region_classifier_packs_what_it_reads(drawn_folder: Path, decoded: Decoded, home: Path) -> None:
    settings = RegionTraining(images=30, validation_images=8, epochs=1, precision="fp32")
    stage = region_stage(load_faces(str(drawn_folder)), "Smiling", settings, CPU)
    stage.make()
    assert len(decoded) == 38
