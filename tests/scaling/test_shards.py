"""Maps in shards equal maps at once, and only what is missing is mapped."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fairsal_core.errors import CancelledError, FairsalError
from fairsal_core.faces import FaceDataset, list_faces, load_faces, pack, packed_folder, with_pixels
from fairsal_core.home import cache_folder
from fairsal_core.regions import RegionClassifier, bundled_classifier, region_maps, summarise_maps
from fairsal_core.runs import remote as storage
from fairsal_core.scaling import open_maps, stored_maps
from fairsal_core.scaling import shards as sharding
from tests.conftest import MakeCeleba


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many faces each shard had that was mapped."""
    counts: list[int] = []
    stream = sharding.stream_maps

    def spy(classifier: RegionClassifier, faces: FaceDataset, *rest: object) -> None:
        counts.append(len(faces))
        stream(classifier, faces, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(sharding, "stream_maps", spy)
    return counts


def in_shards(faces: FaceDataset, listed: FaceDataset | None = None, **how: object) -> Path:
    whole = packed_folder(faces if listed is None else listed, cache_folder())
    return stored_maps(bundled_classifier("Eyeglasses"), faces, "margin", whole, size=10, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("packed", [True, False])
def test_shards_are_the_whole(drawn_folder: Path, mapped: list[int], packed: bool) -> None:
    listed = list_faces(str(drawn_folder))
    chosen = listed.in_split("test")
    if packed:
        pack(listed, cache_folder())
    else:
        assert with_pixels(chosen, packed_folder(listed, cache_folder())).packed is not None
    seen: list[tuple[float, float]] = []
    path = in_shards(chosen, listed, progress=lambda done, total, message="": seen.append((done, total)))
    maps, names = open_maps(path)
    assert names == chosen.names.tolist()
    assert mapped == [10, 10, 4]
    assert seen == sorted(seen)
    assert seen[-1] == (24, 24)
    assert bool(list(cache_folder().glob("*/images.npy"))) == packed  # no pixel is kept that was not packed

    # The slow twin: every face by itself, from one packed set.
    classifier = bundled_classifier("Eyeglasses")
    faces = load_faces(str(drawn_folder)).in_split("test")
    at_once = np.concatenate([region_maps(classifier, image[None], "margin") for image in faces.images])
    np.testing.assert_allclose(maps[:], at_once, atol=1e-3)
    assert at_once.std() > 0.01
    summary, expected = (summarise_maps(each, classifier.grid) for each in (maps, at_once))
    np.testing.assert_allclose(summary.mean, expected.mean, atol=1e-4)
    np.testing.assert_allclose(summary.standard_error, expected.standard_error, atol=1e-4)

    again = in_shards(chosen, listed)
    assert again == path
    assert mapped == [10, 10, 4]


def test_only_shards_with_other_files_are_mapped_again(make_celeba: MakeCeleba, mapped: list[int]) -> None:
    folder = str(make_celeba(count=25))
    faces = list_faces(folder)
    (faces.image_folder / "000003.jpg").write_bytes(b"nothing")
    faces = list_faces(folder)
    path = in_shards(faces)
    maps, names = open_maps(path)
    assert mapped == [9, 10, 5]
    assert (len(maps), names) == (24, [name for name in faces.names if name != "000003.jpg"])
    before = maps[:]
    mapped.clear()

    Image.new("RGB", (178, 218), "white").save(faces.image_folder / "new.jpg")
    (faces.image_folder / "new.jpg").replace(faces.image_folder / "000015.jpg")
    faces = list_faces(folder)
    changed, names = open_maps(in_shards(faces))
    assert mapped == [10]
    assert names[13] == "000015.jpg"
    assert np.flatnonzero((changed[:] != before).any(axis=(1, 2))).tolist() == [13]

    # More faces at the end are more shards; those of other settings are others.
    mapped.clear()
    in_shards(faces.take(range(10)))
    assert mapped == []
    in_shards(faces, precision="bf16")
    assert mapped == [9, 10, 5]


def test_a_stop_keeps_the_shards_that_are_done(drawn_folder: Path, mapped: list[int]) -> None:
    listed = list_faces(str(drawn_folder))
    chosen = listed.in_split("test")

    def stop(done: float, total: float, message: str = "") -> None:
        if done > 12:
            raise CancelledError

    with pytest.raises(CancelledError):
        in_shards(chosen, listed, progress=stop)
    assert mapped == [10, 10]
    mapped.clear()
    maps, _ = open_maps(in_shards(chosen, listed))
    assert (mapped, len(maps)) == ([10, 4], 24)


def test_shards_of_no_face_that_decodes(make_celeba: MakeCeleba, mapped: list[int]) -> None:
    faces = list_faces(str(make_celeba(count=12)))
    for name in faces.names[:10]:
        (faces.image_folder / name).write_bytes(b"nothing")
    maps, names = open_maps(in_shards(faces))
    assert (mapped, names, maps.shape) == ([2], ["000011.jpg", "000012.jpg"], (2, 49, 49))


def test_shards_in_a_storage_are_read_from_there(
    drawn_folder: Path, tmp_path: Path, mapped: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"memory://{tmp_path.name}"
    listed = list_faces(str(drawn_folder))
    chosen = listed.in_split("test")
    here, _ = open_maps(in_shards(chosen, listed))
    mapped.clear()

    def elsewhere(classifier: RegionClassifier, shards: list[sharding.Shard], progress: object) -> None:
        monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path / "node"))
        with storage.using(url):
            for shard in shards:
                sharding.map_shard(classifier, shard)
        monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path / "head"))

    for _ in range(2):
        monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path / "head"))
        path = in_shards(chosen, listed, engine=elsewhere, storage_url=url)
        maps, names = open_maps(path)
        assert mapped == [10, 10, 4]  # by the node, once
        assert names == chosen.names.tolist()
        np.testing.assert_allclose(maps[:], here[:], atol=1e-3)
        assert not (tmp_path / "head" / "cache" / "shards").exists()
    (manifest, *_) = storage.names(url, "cache/shards")
    _remove(url, manifest)
    with pytest.raises(
        FairsalError, match=r"are gone, or damaged; delete cache/shards/\w+ if it is there, and run it again"
    ):
        open_maps(path)
    in_shards(chosen, listed, engine=elsewhere, storage_url=url)
    assert len(open_maps(path)[1]) == 24


def _remove(url: str, name: str) -> None:
    import fsspec

    files, root = fsspec.url_to_fs(url)
    files.rm_file(f"{root}/{name}/{storage.MANIFEST}")
