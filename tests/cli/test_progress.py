"""What is shown while a command works."""

import pytest

from fairsal_core.cli import progress
from fairsal_core.progress import tell as tell_people
from fairsal_core.runs.events import Event


def test_a_runs_own_estimate_is_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the pace of the fraction: what is reused takes no time, and would promise too much."""
    monkeypatch.setattr(progress, "_QUIET_SECONDS", 0)
    tell = progress.tell_events()
    tell(Event(0.0, "faces", 0.4))
    tell(Event(0.1, "original, seed 0", 0.5, "epoch 1 of 6", eta_seconds=90.0))
    assert capsys.readouterr().err.splitlines() == [
        " 40%  faces",
        " 50%  original, seed 0: epoch 1 of 6  (90 s left)",
    ]


def test_what_was_told_is_not_shown_again_as_progress(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_QUIET_SECONDS", 0)
    show, listen = progress.show_progress(), progress.tell_events()
    tell_people(show, "These faces are not aligned.")
    listen(Event(0.0, "faces", 0.4, "These faces are not aligned."))
    show(1, 2, "Packing")
    assert capsys.readouterr().err.splitlines() == ["These faces are not aligned.", " 50%  Packing"]
