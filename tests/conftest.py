"""What all tests share: a workspace that is not anyone's, drawn faces, tiny CelebA folders, the real sample."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from fairsal_core.drawing import draw_demo_faces
from fairsal_core.faces import FaceDataset, load_celeba, pack
from tests.helpers import face_names, write_celeba

MakeCeleba = Callable[..., Path]

# On a busy machine an example may take any time; how long tests may take is pytest-timeout's business.
settings.register_profile("fairsal", deadline=None, max_examples=60)
settings.load_profile("fairsal")


# Shells start background jobs with Ctrl-C ignored, and children inherit that; tests that send it mean it to be heard.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The whole suite runs on every core, a thread each; what is picked by hand runs here, where a debugger can stop it.

    One process more than there are cores, since the one with the browser's tests mostly waits for pages.
    """
    if config.args != config.getini("testpaths"):
        return 0
    os.environ["OMP_NUM_THREADS"] = "1"  # two processes of two threads on two cores are several times slower
    return (os.cpu_count() or 1) + 1


class _FileByFile(LoadFileScheduling):
    """A file's tests share a worker and what they set up; those in a browser all share one, with its server and its faces."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/browser" if nodeid.startswith("tests/browser/") else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling:
    return _FileByFile(config, log)


@pytest.fixture(scope="session", autouse=True)
def _own_workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test touches ./workspace: artifacts, runs and data sets go to a folder of this session."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAIRSAL_HOME", str(home))
        patch.delenv("FAIRSAL_DATA_ROOTS", raising=False)
        yield home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace for this test alone."""
    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="session")
def drawn_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """240 drawn faces in CelebA's layout: 192 train, 24 val, 24 test."""
    # One worker: starting processes takes longer than drawing this few faces, and changes no byte.
    return draw_demo_faces(tmp_path_factory.mktemp("drawn") / "faces", count=240, seed=0, workers=1)


@pytest.fixture(scope="session")
def drawn(drawn_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> FaceDataset:
    """The 240 drawn faces, packed."""
    return pack(load_celeba(drawn_folder), tmp_path_factory.mktemp("drawn-cache"))


@pytest.fixture
def make_celeba(tmp_path: Path) -> MakeCeleba:
    """Write a tiny CelebA folder: `make_celeba("name", count=6, layout="csv")`; labels alternate, splits go round."""

    def make(name: str = "celeba", count: int = 6, **options: object) -> Path:
        numbers = np.arange(count)
        labels = {"Male": numbers % 2 == 0, "Blond_Hair": numbers % 3 == 0, "Smiling": numbers % 4 < 2}
        attributes = pd.DataFrame(labels, index=face_names(count))
        return write_celeba(tmp_path / name, attributes, (numbers % 3).tolist(), **options)  # type: ignore[arg-type]

    return make


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A workspace on a file system of 512 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", disk], check=False, capture_output=True
    ).returncode:
        pytest.skip("may not mount a small file system here (needs root)")
    monkeypatch.setenv("FAIRSAL_HOME", str(disk))
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


@pytest.fixture(scope="session")
def celeba_sample() -> Path:
    """The folder of real CelebA images; tests that use it are marked `real`."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "celeba_sample"
    folder = Path(os.environ.get("FAIRSAL_CELEBA_SAMPLE", beside))
    if not (folder / "list_attr_celeba.txt").is_file():
        pytest.skip(f"the CelebA sample is not at {folder}; set FAIRSAL_CELEBA_SAMPLE to its folder")
    return folder
