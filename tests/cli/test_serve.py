"""`serve`: the dashboard of a checkout, from wherever it is started."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fairsal_core.cli import main

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(*arguments: str, cwd: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """Start `serve` and give it when it answers; a streamlit that outlives it is found by its port."""
    command = [sys.executable, "-m", "fairsal_core", "serve", "--json", *arguments, "--", "--server.port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 90
        while not answers(port):
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()
            time.sleep(0.2)
        yield process
    finally:
        process.terminate()
        process.wait(20)
        process.communicate()


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def test_a_checkout_is_served_from_inside(home: Path) -> None:
    port = free_port()
    with serving(cwd=ROOT / "docs", port=port) as process:
        # The checkout's configuration holds, which closes what streamlit leaves open: other addresses of this machine.
        with pytest.raises(OSError), socket.create_connection(("127.0.0.2", port), timeout=5):
            pass
        process.send_signal(signal.SIGINT)
        told, log = process.communicate(timeout=20)
    assert (process.returncode, told) == (130, "")
    assert log.endswith("fairsal: stopped\n")
    assert not answers(port)


def test_a_checkout_is_served_from_outside_for_a_team(home: Path) -> None:
    port = free_port()
    with serving("--app", str(ROOT), "--team", cwd=home, port=port) as process:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
            assert answer.headers["X-Frame-Options"] == "DENY"  # which server.py adds
        process.terminate()
        told, _ = process.communicate(timeout=20)
    assert not answers(port)
    assert json.loads(told)["app"] == str(ROOT / "server.py")


def test_a_dashboard_that_ends_badly_is_status_1(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--app", str(ROOT), "--", "--no.such.option", "1"]) == 1
    output = capfd.readouterr()
    assert output.out == f"{ROOT / 'app.py'} has ended\n"
    assert "--no.such.option" in output.err


def test_outside_of_a_checkout_is_one_sentence(home: Path) -> None:
    installed = home / "environment"
    shutil.copytree(ROOT / "fairsal_core", installed / "fairsal_core", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-m", "fairsal_core", "serve"],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("fairsal: The dashboard is not in the installed package: start this in a checkout")


@pytest.mark.parametrize("named", ["", "app.py", "nowhere"])
def test_no_dashboard_where_one_was_named_is_one_sentence(
    named: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--app", str(home / named)]) == 1
    assert capsys.readouterr().err.endswith("--app wants a checkout of fairsal, or its app.py.\n")
