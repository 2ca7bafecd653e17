"""The pages name a set that is not in CelebA's frame."""

from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.conftest import MakeCeleba
from tests.pages.conftest import APP, read


def test_every_page_that_takes_a_set_say_that_it_is_not_aligned(
    home: Path, make_celeba: MakeCeleba, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_celeba(count=6)
    for path in (folder / "img_align_celeba").iterdir():
        Image.new("RGB", (600, 400), "tan").save(path)
    monkeypatch.setenv("FAIRSAL_DATA_ROOTS", str(folder))
    app = AppTest.from_file(APP, default_timeout=60).run()
    for page in ("attribution", "training", "data"):
        app.switch_page(f"pages/{page}.py").run()
        app.selectbox(key="data").set_value(str(folder)).run()
        (warning,) = [read(one.value) for one in app.warning if "CelebA's frame" in one.value]
        assert "lose 46% at their edges" in warning
        assert f"`fairsal align {folder} --out ANOTHER-FOLDER`" in warning
        assert not app.exception
