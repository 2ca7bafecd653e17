"""What can be known of the container without an engine: that its files, port, user and commands are the project's."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from streamlit import config

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMPOSE = (ROOT / "compose.yaml").read_text(encoding="utf-8")


def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.split(None, 1) for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(name, " ".join(rest.split())) for name, rest in lines]


def the(name: str) -> str:
    """Return what follows the only instruction of that name."""
    (found,) = [rest for each, rest in instructions() if each == name]
    return found


def test_it_copies_what_there_is_and_only_what_the_app_needs() -> None:
    copied = [source for name, rest in instructions() if name == "COPY" for source in rest.split()[:-1]]
    assert {"requirements.txt", "app.py", "pages", "fairsal_core", ".streamlit/config.toml"} <= set(copied)
    assert [source for source in copied if not (ROOT / source).exists()] == []
    let_in = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert let_in[0] == "*"  # secrets, workspaces and data sets beside the code stay out
    assert {line[1:] for line in let_in if line.startswith("!")} == set(copied)


def test_its_commands_are_the_readmes() -> None:
    start = " ".join(json.loads(the("CMD")))
    assert f"pip install -r requirements.txt && {start}\n" in README
    assert any(rest.endswith("-r requirements.txt") for name, rest in instructions() if name == "RUN")


def test_it_runs_as_nobody_in_particular() -> None:
    user = the("USER")
    assert int(user) > 0
    names = [name for name, _ in instructions()]
    assert names.index("USER") > max(number for number, name in enumerate(names) if name == "RUN")
    making = next(rest for name, rest in instructions() if name == "RUN" and "useradd" in rest)
    assert f"--uid {user}" in making
    home = re.search(r"FAIRSAL_HOME=(\S+)", the("ENV"))
    assert home
    assert making.endswith(home[1])  # it may write there
    assert the("VOLUME") == home[1]
    assert f"- workspace:{home[1]}" in COMPOSE


def test_one_port_on_this_machine_alone() -> None:
    port = config.get_option("server.port")
    assert the("EXPOSE") == str(port)
    assert re.findall(r'- "(.*:\d+)"', COMPOSE) == [f"127.0.0.1:{port}:{port}"]
    assert f":{port}/_stcore/health" in the("HEALTHCHECK")


@contextmanager
def answering(status: int) -> Iterator[int]:
    """Answer the health check's address with a status, and give the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/_stcore/health" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        yield server.server_port
        server.shutdown()
        serving.join()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_tells_health(status: int, healthy: bool) -> None:
    program, flag, code = json.loads(the("HEALTHCHECK").split("CMD", 1)[1])
    assert (program, flag) == ("python", "-c")
    with answering(status) as port:
        code = code.replace(f":{config.get_option('server.port')}/", f":{port}/")
        done = subprocess.run([sys.executable, flag, code], capture_output=True, timeout=60)
    assert (done.returncode == 0) == healthy


def test_its_command_serves_the_app_from_what_it_copies(tmp_path: Path) -> None:
    for source in [source for name, rest in instructions() if name == "COPY" for source in rest.split()[:-1]]:
        (tmp_path / "app" / source).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, tmp_path / "app" / source)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("FAIRSAL_", "STREAMLIT_"))}
    environment = {
        **outside,
        **dict(setting.split("=", 1) for setting in the("ENV").split()),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "FAIRSAL_HOME": str(tmp_path / "workspace"),
        "STREAMLIT_SERVER_ADDRESS": "127.0.0.1",
        "STREAMLIT_SERVER_PORT": str(port),
    }
    listing = [sys.executable, "-m", "fairsal_core", "runs", "--json"]
    listed = subprocess.run(listing, cwd=tmp_path / "app", env=environment, capture_output=True, timeout=120)
    assert json.loads(listed.stdout) == {"runs": []}

    _, flag, code = json.loads(the("HEALTHCHECK").split("CMD", 1)[1])
    check = [sys.executable, flag, code.replace(f":{the('EXPOSE')}/", f":{port}/")]
    with (tmp_path / "log").open("wb") as log:
        serving = subprocess.Popen(
            json.loads(the("CMD")), cwd=tmp_path / "app", env=environment, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 120
        while subprocess.run(check, capture_output=True, timeout=60).returncode:
            assert serving.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.2)
    finally:
        serving.kill()
        serving.wait()
