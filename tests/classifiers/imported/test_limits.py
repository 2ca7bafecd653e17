"""What the process that reads strangers' files may not do; each in a process of its own, since such a rule is never lifted."""

import subprocess
import sys

import pytest

from fairsal_core.classifiers.imported.limits import limit_files


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
