"""What the process that reads strangers' files may not do; each in a process of its own, since such a rule is never lifted."""

import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest

from fairsal_core.classifiers.imported import limits
from fairsal_core.classifiers.imported.limits import limit_files, written_by


@pytest.mark.parametrize(
    "deed",
    [
        "import subprocess, sys; subprocess.Popen([sys.executable])",
        "import os; os.system('true')",
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import pickle; pickle.loads(b'cos\\nsystem\\n.')",
    ],
)
def test_it_is_stopped(deed: str) -> None:
    code = f"from fairsal_core.classifiers.imported.limits import forbid; forbid(); {deed}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "wanted to do what no weights need" in done.stderr


def test_limits_that_a_system_lacks_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    limit_files(10)


def test_what_a_process_writes_is_watched_where_it_cannot_be_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    wrote = SimpleNamespace(io_counters=lambda: SimpleNamespace(write_bytes=5))
    assert written_by(wrote) == 0  # type: ignore[arg-type]  # the system keeps it from writing more
    monkeypatch.setattr(limits, "find_spec", lambda name: None)
    assert written_by(wrote) == 5  # type: ignore[arg-type]
    assert written_by(psutil.Process()) >= 0
