"""Importing on the Audit page, without a browser and without a process of its own."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fairsal_core.classifiers import INCOMING, Inspection, classifiers_folder, stored_classifiers
from fairsal_core.classifiers.imported.checking import check_network
from fairsal_core.classifiers.imported.contents import look_into
from fairsal_core.classifiers.imported.registry import manifest_of, read_contents
from fairsal_core.errors import FairsalError
from pages.components.audit import import_section
from tests.classifiers.imported.makers import torchvision_folder
from tests.pages.conftest import OpenPage, texts


@pytest.fixture(autouse=True)
def _read_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Read in this process what a process of its own would."""

    def inspect(folder: Path, said: Mapping[str, Any], faces: NDArray[np.uint8], progress: object) -> Inspection:
        contents = look_into(folder)
        found = read_contents(contents, said)
        np.save(tmp_path / "faces.npy", faces)
        check = {} if found.questions else check_network(folder, manifest_of(found), tmp_path / "faces.npy")
        return Inspection(found.content, tuple(found.assumed), tuple(found.questions), (), check, 1.0, 2**20)

    monkeypatch.setattr(import_section, "inspect_folder", inspect)


def incoming(tmp_path: Path, **config: Any) -> None:
    target = classifiers_folder() / INCOMING / "smile_net"
    shutil.copytree(torchvision_folder(tmp_path / "made", **config), target)
    (target / "fairsal.json").write_text('{"resize": 32, "crop": 32}')


def test_where_nothing_lies_it_begins_with_an_upload_and_says_where_to_put_it(open_page: OpenPage) -> None:
    app = open_page("audit")
    way = app.segmented_control(key="import_way")
    assert way.value == "An upload"
    way.set_value("A folder").run()
    assert "FAIRSAL_CLASSIFIER_ROOTS" in texts(app)


def test_a_folder_is_read_shown_examined_and_stored(open_page: OpenPage, home: Path, tmp_path: Path) -> None:
    incoming(tmp_path)
    app = open_page("audit", target="Eyeglasses")
    assert "As the network gets them" in texts(app) and "32 × 32 pixels" in texts(app)
    assert stored_classifiers() == []
    app.button(key="import_doctor_button").click().run()
    assert not app.exception and "faces" in texts(app)
    assert stored_classifiers() == []
    app.button(key="import_store").click().run()
    assert not app.exception
    (stored,) = stored_classifiers()
    assert stored.name == "smile_net" and stored.outputs.target == "Eyeglasses"
    assert app.multiselect(key="audit_subjects").value == [stored.digest], "what was stored is chosen"
    assert "Nothing was brought yet" not in texts(app)
    assert not app.button(key="audit_start").disabled


def test_what_is_asked_is_said_in_the_form(open_page: OpenPage, home: Path, tmp_path: Path) -> None:
    incoming(tmp_path, outputs=40)
    app = open_page("audit", target="Eyeglasses")
    assert any("which of the 40 outputs" in warning.value for warning in app.warning)
    says_yes = next(box for box in app.selectbox if box.label == "Output that says yes")
    says_yes.select(7)
    next(button for button in app.button if button.label == "Read it so").click().run()
    assert not app.exception
    assert "As the network gets them" in texts(app)


def test_a_refusal_is_one_sentence(
    open_page: OpenPage, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    incoming(tmp_path)

    def refuse(*given: object) -> Inspection:
        raise FairsalError("It holds *no* head.")

    monkeypatch.setattr(import_section, "inspect_folder", refuse)
    app = open_page("audit")
    assert [error.value for error in app.error] == ["It holds \\*no\\* head."]
