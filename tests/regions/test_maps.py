"""From faces to maps: the planted square has to light up where it is, and not at its mirror place."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from fairsal_core.errors import CancelledError, FairsalError
from fairsal_core.faces import FaceDataset, Roi
from fairsal_core.regions import (
    PatchGrid,
    RegionClassifier,
    bundled_attributes,
    bundled_classifier,
    confidence,
    estimate_cost,
    maps,
    mean_colour,
    mean_map,
    pixel_maps,
    region_maps,
    stream_maps,
    summarise_maps,
    to_pixel_map,
)
from fairsal_core.regions.classifier import build_network
from fairsal_core.tensors import to_unit
from tests.regions.conftest import CUE


def area(truth: Roi, pixels: np.ndarray) -> float:
    return float(roc_auc_score(truth.mask(pixels.shape[-2:]).ravel(), pixels.ravel()))


def test_the_mean_map_finds_the_cue(trained: RegionClassifier, planted: FaceDataset) -> None:
    positions = region_maps(trained, planted.images)
    assert positions.shape == (64, 49, 49)
    assert positions.dtype == np.float16
    pixels = pixel_maps(mean_map(positions), trained)
    assert pixels.shape == (128, 128)
    mirrored = Roi(x=CUE.y, y=CUE.x, width=CUE.height, height=CUE.width)
    assert area(CUE, pixels) > 0.8
    assert area(mirrored, pixels) < 0.7
    # On average over the patches that can see it, and those that cannot.
    sees = np.zeros((49, 49), dtype=bool)
    sees[max(0, (CUE.y - 16) // 2) : CUE.y // 2, (CUE.x - 16) // 2 : CUE.x // 2] = True
    assert mean_map(positions)[sees].mean() > 3 * mean_map(positions)[~sees].mean()


def test_single_faces_find_it_too(trained: RegionClassifier, planted: FaceDataset) -> None:
    pixels = pixel_maps(region_maps(trained, planted.images[:10]), trained)
    assert pixels.shape == (10, 128, 128)
    assert (pixels.min(axis=(1, 2)) == 0).all()
    assert (pixels.max(axis=(1, 2)) == 1).all()
    assert np.median([area(CUE, one) for one in pixels]) > 0.8


@pytest.mark.parametrize("measure", ["negative_entropy", "information_gain"])
def test_maps_equal_one_face_at_a_time(
    trained: RegionClassifier, planted: FaceDataset, measure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maps, "_BATCH_ON_CPU", 3)
    fast = region_maps(trained, planted.images[:7], measure)
    for image, positions in zip(planted.images[:7], fast, strict=True):
        logits = trained.logits(to_unit(torch.from_numpy(image[None].copy())))
        alone = confidence(logits, measure, trained.prior)[0].numpy()
        np.testing.assert_allclose(positions, alone, atol=1e-3)


def test_progress_and_cancelling(trained: RegionClassifier, planted: FaceDataset) -> None:
    seen: list[tuple[float, float]] = []
    region_maps(
        trained,
        np.tile(planted.images[:1], (70, 1, 1, 1)),
        progress=lambda done, total, message="": seen.append((done, total)),
    )
    assert [total for _, total in seen] == [70] * len(seen)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert seen[0] == (1, 70)
    assert seen[-1] == (70, 70)

    def cancel(done: float, total: float, message: str = "") -> None:
        raise CancelledError

    with pytest.raises(CancelledError):
        region_maps(trained, planted.images[:1], progress=cancel)


def test_the_mean_of_half_precision_maps_does_not_drift() -> None:
    many = np.full((5000, 3, 3), 0.1, dtype=np.float16)
    np.testing.assert_allclose(mean_map(many), float(np.float16(0.1)), rtol=1e-6)


def test_the_mean_colour() -> None:
    images = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    images[0, ..., 0], images[..., 1], images[:, :2, :, 2] = 255, 51, 102
    assert mean_colour(images) == pytest.approx((0.5, 0.2, 0.2))


def test_an_unknown_bundled_classifier() -> None:
    with pytest.raises(FairsalError, match="no bundled region classifier for attribute 'Tail'"):
        bundled_classifier("Tail")


@pytest.mark.parametrize("attribute", bundled_attributes())
def test_bundled_classifiers_load_and_are_of_use(attribute: str) -> None:
    classifier = bundled_classifier(attribute)
    assert classifier.attribute == attribute
    assert classifier.metrics["best_position_accuracy"] > classifier.metrics["majority"]


class TestSummaries:
    def test_against_numpy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(maps, "_SUMMED", 3)
        values = np.random.default_rng(0).uniform(size=(11, 49, 49)).astype(np.float16)
        summary = summarise_maps(values)
        np.testing.assert_allclose(summary.mean, values.astype(float).mean(axis=0), rtol=1e-5)
        error = values.astype(float).std(axis=0, ddof=1) / np.sqrt(11)
        np.testing.assert_allclose(summary.standard_error, error, rtol=1e-4)
        assert summary.count == 11

    def test_pixels_against_one_map_at_a_time(self) -> None:
        values = np.random.default_rng(1).uniform(size=(5, 49, 49)).astype(np.float16)
        rows = np.array([0, 2, 4])
        summary = summarise_maps(values, PatchGrid(), rows)
        each = np.stack([to_pixel_map(values[row], PatchGrid()) for row in rows]).astype(float)
        np.testing.assert_allclose(summary.mean, each.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(summary.standard_error, each.std(axis=0, ddof=1) / np.sqrt(3), rtol=1e-3, atol=1e-7)

    def test_the_difference_has_both_errors(self) -> None:
        generator = np.random.default_rng(2)
        first, second = (summarise_maps(generator.uniform(size=(n, 3, 3))) for n in (8, 20))
        difference = first - second
        np.testing.assert_allclose(difference.mean, first.mean - second.mean)
        np.testing.assert_allclose(
            difference.standard_error, np.sqrt(first.standard_error**2 + second.standard_error**2), rtol=1e-6
        )
        assert difference.count == 28

    def test_one_image_has_no_error_and_none_has_no_mean(self) -> None:
        assert np.isnan(summarise_maps(np.ones((1, 3, 3))).standard_error).all()
        with pytest.raises(FairsalError, match="at least one image"):
            summarise_maps(np.ones((0, 3, 3)))


class TestStreaming:
    def test_the_file_equals_maps_in_memory(
        self, trained: RegionClassifier, drawn: FaceDataset, tmp_path: Path
    ) -> None:
        few = drawn.take(range(9))
        streamed = stream_maps(trained, few, tmp_path / "maps.npy")
        assert streamed.dtype == np.float16
        np.testing.assert_allclose(streamed, region_maps(trained, few.images), atol=1e-3)
        assert [path.name for path in tmp_path.iterdir()] == ["maps.npy"]

    def test_a_full_disk_is_an_error_and_no_crash(
        self, trained: RegionClassifier, drawn: FaceDataset, small_disk: Path
    ) -> None:
        with pytest.raises(OSError, match="No space left"):  # 4.8 kB a face, on a disk of 512
            stream_maps(trained, drawn.take(range(120)), small_disk / "maps.npy")
        assert list(small_disk.iterdir()) == []
        assert len(stream_maps(trained, drawn.take(range(3)), small_disk / "maps.npy")) == 3

    def test_it_goes_on_where_it_was_stopped(
        self, trained: RegionClassifier, drawn: FaceDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(maps, "_SAVE_SECONDS", 0)
        few = drawn.take(range(20))

        def stop(done: float, total: float, message: str = "") -> None:
            if done >= 7:
                raise CancelledError

        with pytest.raises(CancelledError):
            stream_maps(trained, few, tmp_path / "maps.npy", progress=stop)
        assert not (tmp_path / "maps.npy").exists()
        told: list[tuple[float, float, str]] = []
        streamed = stream_maps(trained, few, tmp_path / "maps.npy", progress=lambda *said: told.append(said))
        assert told[-1][:2] == (13, 13)  # the 7 that were there are not done again
        assert re.fullmatch(r"Mapping Cue: 20 of 20 faces, .* a second", told[-1][2])
        np.testing.assert_allclose(streamed, region_maps(trained, few.images), atol=1e-3)

    @pytest.mark.parametrize("state", ["", "{", "[]", '{"done": 5}'])
    def test_a_partial_file_of_something_else_is_begun_anew(
        self, trained: RegionClassifier, drawn: FaceDataset, tmp_path: Path, state: str
    ) -> None:
        (tmp_path / ".maps.npy.partial").write_bytes(b"rubbish")
        (tmp_path / ".maps.npy.json").write_text(state)
        streamed = stream_maps(trained, drawn.take(range(3)), tmp_path / "maps.npy")
        assert streamed.shape == (3, 49, 49)

    def test_killed_and_started_again(
        self, trained: RegionClassifier, drawn_folder: Path, drawn: FaceDataset, tmp_path: Path
    ) -> None:
        weights = trained.save(tmp_path / "cue")
        script = tmp_path / "job.py"
        script.write_text(
            "import sys, time\n"
            "from pathlib import Path\n"
            "from fairsal_core.faces import load_celeba, pack\n"
            "from fairsal_core.regions import RegionClassifier, maps, stream_maps\n"
            "maps._SAVE_SECONDS = 0\n"
            "folder, cache, weights, out, pause = sys.argv[1:]\n"
            "faces = pack(load_celeba(folder), Path(cache))\n"
            "def tell(done, total, message=''):\n"
            "    print(int(done), int(total), flush=True)\n"
            "    time.sleep(float(pause))\n"
            "stream_maps(RegionClassifier.load(weights), faces, Path(out), progress=tell)\n"
        )
        cache, out = str(drawn.packed.filename), tmp_path / "maps.npy"  # type: ignore[union-attr]
        arguments = [str(drawn_folder), str(Path(cache).parents[1]), str(weights), str(out)]
        command = [sys.executable, str(script), *arguments]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
        with subprocess.Popen([*command, "0.3"], stdout=subprocess.PIPE, text=True, env=environment) as first:
            assert first.stdout is not None
            for _ in range(4):
                assert first.stdout.readline()
            first.kill()
        assert not out.exists()
        saved = json.loads((tmp_path / ".maps.npy.json").read_text())["done"]
        assert 0 < saved < 240
        again = subprocess.run([*command, "0"], capture_output=True, text=True, env=environment, check=True)
        assert again.stdout.splitlines()[-1] == f"{240 - saved} {240 - saved}"
        np.testing.assert_allclose(np.load(out), region_maps(trained, drawn.images), atol=1e-3)


@pytest.mark.parametrize("per_side", [49, 13])
def test_the_estimate_is_of_the_right_size(per_side: int) -> None:
    network = build_network("resnet18", 2, PatchGrid(per_side=per_side), {"width": 4}).eval()
    classifier = RegionClassifier(network, "Cue", ("no", "yes"), (0.5, 0.5), PatchGrid(per_side=per_side), "resnet18")
    cost = estimate_cost(classifier, 1000)
    assert cost.bytes == 1000 * per_side**2 * 2
    images = np.zeros((1, 128, 128, 3), dtype=np.uint8)
    seconds = []
    for _ in range(3):  # the best of them: other tests use the machine
        begun = time.perf_counter()
        region_maps(classifier, images)
        seconds.append(time.perf_counter() - begun)
    took = min(seconds)
    assert took / 20 < cost.seconds / 1000 < took * 20
