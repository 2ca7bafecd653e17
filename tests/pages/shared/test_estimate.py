"""What a job takes is told before it starts: by itself, or when it is asked for."""

from collections import namedtuple

import pytest

from tests.pages.conftest import FinishRun, OpenPage, texts

_Memory = namedtuple("_Memory", "available")


def test_training_regions_is_told_when_it_is_asked_for_and_no_longer_once_the_form_changes(open_page: OpenPage) -> None:
    app = open_page("attribution")
    assert "of memory at once" not in texts(app)
    app.button(key="regions_cost").click().run()
    assert "judging: " in texts(app) and "of memory at once" in texts(app) and "of disk (weights" in texts(app)
    app.number_input(key="region_epochs_default").set_value(7).run()
    assert "of memory at once" not in texts(app)


def test_explaining_a_run_is_told(open_page: OpenPage, finish_run: FinishRun) -> None:
    run = finish_run(balanced=False, attention={"explainers": ["none"]})
    app = open_page("comparison", run=run.name, tab="Attention")
    app.button(key="explain_cost").click().run()
    assert "explaining by lrp: " in texts(app) and "of disk (maps of attention" in texts(app)


def test_what_cannot_be_tried_is_one_sentence(open_page: OpenPage) -> None:
    app = open_page("training")
    app.button(key="sweep_cost").click().run()
    assert "What it takes cannot be told before it runs: Nothing is measured while pages are tested." in texts(app)


def test_too_little_memory_is_told_before_the_start(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: _Memory(10**8))
    app = open_page("training")
    for field, count in (("target_without", 12), ("other_with", 8), ("other_without", 4)):
        app.number_input(key=f"count_{field}").set_value(count)
    app.run()
    assert ["100 MB are free. Close something" in warning.value for warning in app.warning] == [True]
