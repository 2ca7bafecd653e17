"""From the word in a config to faces that are ready."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairsal_core.drawing import DEMO, DEMO_COUNT, demo_folder
from fairsal_core.errors import FairsalError
from fairsal_core.faces import FORMATS, draw_fairface, list_labels, load_celeba, load_faces, load_folder, sources
from fairsal_core.home import cache_folder, datasets_folder
from tests.conftest import MakeCeleba


def test_a_folder_is_packed_into_the_cache(make_celeba: MakeCeleba) -> None:
    root = make_celeba("somewhere", count=3)
    faces = load_faces(str(root))
    assert faces.images.shape == (3, 128, 128, 3)
    assert any(folder.name.startswith("somewhere-") for folder in cache_folder().iterdir())


def test_demo_draws_into_the_workspace(make_celeba: MakeCeleba, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn_to: list[Path] = []

    def draw(root: Path, **options: object) -> Path:
        drawn_to.append(root)
        return make_celeba("drawing", count=3)

    monkeypatch.setattr(sources, "draw_demo_faces", draw)
    assert len(load_faces("demo")) == 3
    assert drawn_to == [demo_folder()] == [datasets_folder() / "demo"]


@pytest.mark.parametrize("source", ["", "  "])
def test_no_source(source: str) -> None:
    with pytest.raises(FairsalError, match="No data chosen"):
        load_faces(source)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FairsalError, match="There is no folder"):
        load_faces(str(tmp_path / "x"))


def test_each_format_recognises_its_own_alone(make_celeba: MakeCeleba, tmp_path: Path) -> None:
    folders = {
        "fairface": draw_fairface(tmp_path / "fairface", count=5),
        "celeba": make_celeba("text", count=3),
        "csv": make_celeba("csv", count=3, layout="csv"),
    }
    recognised = {
        key: [name for name, one in FORMATS.items() if one.recognises(folder)] for key, folder in folders.items()
    }
    assert recognised == {"fairface": ["fairface"], "celeba": ["celeba"], "csv": ["celeba"]}
    assert list(load_folder(folders["fairface"]).attributes) == ["age", "gender", "race"]
    assert list(load_folder(folders["celeba"]).attributes) == list(load_folder(folders["csv"]).attributes)


def test_a_folder_in_no_known_format(tmp_path: Path) -> None:
    with pytest.raises(FairsalError) as caught:
        load_folder(tmp_path)
    expected = f"'{tmp_path}' is no CelebA folder: list_attr_celeba.txt (or list_attr_celeba.csv) is missing."
    assert str(caught.value) == expected


def test_a_folder_in_the_home(make_celeba: MakeCeleba, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    make_celeba("mine", count=3)
    assert len(load_folder(Path("~/mine"))) == 3


def test_progress_covers_packing(make_celeba: MakeCeleba) -> None:
    seen: list[float] = []
    load_faces(str(make_celeba("p", count=3)), lambda done, total, message="": seen.append(done / total))
    assert seen[0] == 0
    assert seen[-1] == 1
    assert np.all(np.diff(seen) >= 0)


def test_the_labels_of_the_demo_set_are_there_before_it_is_drawn(
    drawn_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path))
    drawn = load_celeba(drawn_folder)
    early = sources.demo_labels(count=len(drawn))
    pd.testing.assert_frame_equal(early.attributes, drawn.attributes, check_names=False)
    assert early.split.tolist() == drawn.split.tolist()
    assert len(list_labels(DEMO)) == DEMO_COUNT and not demo_folder().exists()
