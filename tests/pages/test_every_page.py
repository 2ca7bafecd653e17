"""What all pages keep to."""

from dataclasses import replace

import pytest

from fairsal_core.schemes import SCHEMES
from tests.helpers import register
from tests.pages.conftest import OpenPage, texts


def test_no_page_promises_an_unbiased_model(open_page: OpenPage) -> None:
    for page in ("start", "data", "attribution", "training", "comparison", "methods"):
        shown = texts(open_page(page)).lower()
        assert not [word for word in ("debiased", "unbiased", "fair model") if word in shown], page


@pytest.mark.parametrize("page", ["start", "data", "attribution", "training"])
def test_every_page_with_faces_says_whose_labels_these_are(open_page: OpenPage, page: str) -> None:
    assert texts(open_page(page)).count("Labels are") == 1


def test_any_number_of_schemes_has_room(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5, 10):
        name = f"scheme_{number}"
        register(monkeypatch, SCHEMES, replace(SCHEMES["general_mask"], name=name, general=name))
    shown = texts(open_page("attribution"))
    assert [shown.count(f"**{SCHEMES.title(scheme)}**") > 0 for scheme in SCHEMES] == [True] * 9
    assert shown.count("% changed") == 9
    monkeypatch.setattr("pages.components.training.form_state.preset_settings", lambda name: {"schemes": [*SCHEMES]})
    form = open_page("training")
    assert [form.multiselect(key=f"quantiles_{scheme}").value for scheme in SCHEMES] == [[0.7]] * 9
