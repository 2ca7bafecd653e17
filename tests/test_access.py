"""Who may reach what: hosts, origins, tokens, sizes, headers, secrets, and files that are checked before they are read."""

import ast
import http.client
import json
import os
import socket
import struct
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.testing.v1 import AppTest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from fairsal_core.classifiers import build_classifier, load_classifier, save_classifier
from fairsal_core.errors import FairsalError
from fairsal_core.regions import RegionClassifier, bundled_path
from fairsal_core.runs import load_run, log_tail, run_here
from tests.runs import jobs
from tests.test_layers import FILES, PAGES, imports_of, name

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [*FILES, *PAGES, ROOT / "server.py", *(ROOT / "benchmarks").glob("*.py")]


# ---- nothing that runs code when it is read


CONVERTING = ROOT / "fairsal_core/classifiers/imported/converting.py"
TENSORS_ALONE = (CONVERTING, ROOT / "benchmarks/methods.py")  # the latter reads weights out of an installed package


@pytest.mark.parametrize("path", [path for path in SOURCES if path not in TENSORS_ALONE], ids=name)
def test_nothing_unpickles(path: Path) -> None:
    modules = {module.split(".")[0] for module, _ in imports_of(path)}
    assert not modules & {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called = ast.unparse(node.func)
            assert called not in ("torch.load", "torch.save", "torch.jit.load"), called
            assert node.func.attr not in ("read_pickle", "to_pickle"), called
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert given.get("allow_pickle", "False") == "False", called
        if isinstance(node, ast.Name):
            assert node.id not in ("eval", "exec", "__import__"), path


@pytest.mark.parametrize("path", TENSORS_ALONE, ids=name)
def test_what_reads_pickles_reads_tensors_alone(path: Path) -> None:
    """Converting is a command for whoever trained the network; what it knows of pickle is the name of its refusal."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    of_pickle = [ast.unparse(each) for each in nodes if isinstance(each, ast.Attribute)]
    assert {each for each in of_pickle if each.startswith("pickle.")} <= {"pickle.UnpicklingError"}
    loads = [each for each in nodes if isinstance(each, ast.Call) and ast.unparse(each.func) == "torch.load"]
    assert [ast.unparse(word.value) for each in loads for word in each.keywords if word.arg == "weights_only"] == [
        "True"
    ]


def test_importing_the_app_loads_no_unpickler_of_ours() -> None:
    program = (
        "import sys, fairsal_core.cli, fairsal_core.experiments; print('joblib' in sys.modules, 'dill' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout.split()[1] == "False"


# ---- model files


def weights_file(path: Path, header: object, data: bytes = b"") -> Path:
    content = json.dumps(header).encode() if not isinstance(header, bytes) else header
    path.write_bytes(struct.pack("<Q", len(content)) + content + data)
    return path


def tensor(shape: list[int], start: int = 0, end: int = 4) -> dict[str, object]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}


BAD_WEIGHTS = {
    "empty": lambda path: path.write_bytes(b""),
    "a pickle": lambda path: path.write_bytes(b"\x80\x04\x95\x1d\x00\x00\x00\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R."),
    "a zip, as torch.save writes": lambda path: path.write_bytes(b"PK\x03\x04" + bytes(100)),
    "a header of 2^60 bytes": lambda path: path.write_bytes(struct.pack("<Q", 2**60) + b"{}"),
    "a header that is no JSON": lambda path: weights_file(path, b"{'a': 1}"),
    "a tensor that is not there": lambda path: weights_file(path, {"a": tensor([2**40], 0, 2**42)}),
    "offsets that overlap": lambda path: weights_file(path, {"a": tensor([1]), "b": tensor([1])}, bytes(4)),
    "another network": lambda path: save_file({"a": torch.zeros(1)}, path),
    "one layer of another shape": lambda path: save_file(
        {
            key: torch.zeros(2, 99) if value.ndim == 2 and value.shape[0] == 2 else value
            for key, value in build_classifier("three_conv").state_dict().items()
        },
        path,
    ),
    "cut in half": lambda path: _cut(path),
    "a folder": lambda path: path.mkdir(),
}  # fmt: skip


def _cut(path: Path) -> None:
    save_classifier(build_classifier("three_conv"), path)
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("case", BAD_WEIGHTS)
def test_weights_are_checked_before_they_are_read(tmp_path: Path, case: str) -> None:
    path = tmp_path / "w.safetensors"
    BAD_WEIGHTS[case](path)
    with pytest.raises(FairsalError, match="does not hold the weights of a 'three_conv' classifier") as caught:
        load_classifier("three_conv", path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"grid": {"image_size": 1_000_032, "patch_size": 32, "per_side": 31251}},
        {"grid": {"image_size": 128, "patch_size": 32, "per_side": 0}},
        {"grid": "128"},
        {"settings": {"width": 10**9}},
        {"kind": "../../evil"},
        {"classes": ["a"] * 10_000_000},
        {"format": 99},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_sidecar_cannot_make_a_network_of_any_size(tmp_path: Path, change: dict[str, object]) -> None:
    weights = bundled_path("Eyeglasses")
    (tmp_path / "a.safetensors").write_bytes(weights.read_bytes())
    about = json.loads(weights.with_suffix(".json").read_text())
    (tmp_path / "a.json").write_text(json.dumps({**about, **change}))
    began = time.process_time()
    with pytest.raises(FairsalError):
        RegionClassifier.load(tmp_path / "a")
    assert time.process_time() - began < 5


# ---- secrets


def test_secrets_reach_neither_run_directories_nor_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "hunter2-5f1e"
    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path))
    for variable in ("MLFLOW_TRACKING_PASSWORD", "STREAMLIT_SERVER_COOKIE_SECRET", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, secret)
    for kind in ("quick", "breaks", "leaves", "bad_input"):
        run = run_here(kind, {"device": "cpu"}, jobs=jobs.JOBS)
        assert load_run(run).status.state in ("finished", "failed")
        assert secret not in log_tail(run)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 10
    assert not [path for path in written if secret.encode() in path.read_bytes()]


def test_secrets_are_kept_out_of_the_repository() -> None:
    assert ".streamlit/secrets.toml" in (ROOT / ".gitignore").read_text()


# ---- the server


def test_the_configuration_is_closed_by_default() -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    server = config["server"]
    assert server["address"] == "127.0.0.1"
    assert server["enableXsrfProtection"] is True
    assert server["enableCORS"] is True
    assert server["allowedHosts"] == ["localhost", "127.0.0.1", "::1"]
    assert server["maxUploadSize"] == 20
    assert config["client"]["showErrorDetails"] == "type"
    assert config["browser"]["gatherUsageStats"] is False


class Server:
    def __init__(self, port: int) -> None:
        self.port = port
        self.body = b""

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> http.client.HTTPResponse:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            with connection.getresponse() as answer:
                if answer.status != 101:
                    self.body = answer.read()
                return answer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with started(tmp_path_factory.mktemp("server")) as server:
        yield server


@contextmanager
def started(home: Path, **options: str) -> Iterator[Server]:
    """A server of its own, until the end of the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "FAIRSAL_HOME": str(home), **options}
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "server.py", "--server.port", str(port)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and process.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.3)
        assert process.poll() is None, "the server ended before it answered"
        yield Server(port)
    finally:
        process.terminate()
        process.wait(20)


def test_every_answer_has_the_headers(server: Server) -> None:
    for path in ("/", "/_stcore/health", "/nowhere"):
        answer = server.ask("GET", path)
        assert answer.getheader("X-Frame-Options") == "DENY", path
        assert "frame-ancestors 'none'" in str(answer.getheader("Content-Security-Policy"))
        assert answer.getheader("X-Content-Type-Options") == "nosniff"


def test_it_listens_on_this_machine_only(server: Server) -> None:
    listening = Path("/proc/net/tcp")
    if not listening.exists():
        pytest.skip("no /proc/net/tcp to read listening sockets from")
    rows = [line.split() for line in listening.read_text().splitlines()[1:]]
    addresses = {
        row[1].split(":")[0] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == server.port
    }
    assert addresses == {"0100007F"}


@pytest.mark.parametrize(("host", "status"), [("localhost", 200), ("127.0.0.1", 200), ("evil.example", 400)])
def test_other_hosts_are_refused(server: Server, host: str, status: int) -> None:
    assert server.ask("GET", "/_stcore/health", Host=host).status == status


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("http://localhost:{port}", "localhost:{port}", True),
        ("http://localhost:1", "localhost:{port}", False),
        ("http://evil.example", "localhost:{port}", False),
        ("http://evil.example", "evil.example", False),
    ],
)
def test_other_origins_get_no_web_socket(server: Server, origin: str, host: str, allowed: bool) -> None:
    answer = server.ask(
        "GET",
        "/_stcore/stream",
        Host=host.format(port=server.port),
        Origin=origin.format(port=server.port),
        Upgrade="websocket",
        Connection="Upgrade",
        Sec_WebSocket_Version="13",
        Sec_WebSocket_Key="AAAAAAAAAAAAAAAAAAAAAA==",
    )
    assert (answer.status == 101) == allowed


def test_an_upload_without_token_or_session_is_refused(server: Server) -> None:
    assert server.ask("PUT", "/_stcore/upload_file/session/file", b"x").status == 403
    assert server.ask("DELETE", "/_stcore/upload_file/session/file").status == 403


@pytest.fixture
def session(server: Server) -> Iterator[str]:
    with opened(server) as session:
        yield session


@contextmanager
def opened(server: Server) -> Iterator[str]:
    """The id of a session that is open, as a browser tab makes one."""
    with connect(f"ws://127.0.0.1:{server.port}/_stcore/stream", subprotocols=[Subprotocol("streamlit")]) as stream:
        asked = BackMsg()
        asked.rerun_script.query_string = ""
        stream.send(asked.SerializeToString())
        while True:
            answer = ForwardMsg.FromString(stream.recv(timeout=60, decode=False))
            if answer.WhichOneof("type") == "new_session":
                break
        yield answer.new_session.initialize.session_id


def in_pieces(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 2**20):
        yield body[start : start + 2**20]


@pytest.mark.parametrize(
    ("size", "chunked", "status"),
    [(1000, False, 204), (20 * 2**20 + 1, False, 413), (22 * 2**20, True, 413)],
    ids=["small", "too large, and says so", "too large, and does not say so"],
)
def test_the_server_itself_refuses_an_upload_above_the_limit(
    server: Server, session: str, size: int, chunked: bool, status: int
) -> None:
    assert upload(server, session, size, chunked=chunked) == status


def upload(server: Server, session: str, size: int, *, name: str = "one", chunked: bool = False, **headers: str) -> int:
    """Upload a file of zeros as the page does, and return the status."""
    head = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f.png"\r\nContent-Type: image/png\r\n\r\n'
    body = head + bytes(size) + b"\r\n--x--\r\n"
    sent = in_pieces(body) if chunked else body  # without a length http.client sends chunks
    content_type = {"Content_Type": "multipart/form-data; boundary=x"}
    path = f"/_stcore/upload_file/{session}/{name}"
    return server.ask("PUT", path, sent, **token(server), **content_type, **headers).status


def token(server: Server) -> dict[str, str]:
    cookie = str(server.ask("GET", "/_stcore/health").getheader("Set-Cookie")).partition(";")[0]
    return {"Cookie": cookie, "X_Xsrftoken": cookie.partition("=")[2]}


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://127.0.0.1:{port}", True),
        ("http://127.0.0.1:1", False),
        ("http://localhost:{port}", False),
        ("http://evil.example", False),
        ("http://evil.example:{port}", False),
        ("null", False),
    ],
)
def test_other_origins_upload_and_delete_nothing(server: Server, session: str, origin: str, allowed: bool) -> None:
    """Not even with a token that leaked."""
    origin = origin.format(port=server.port)
    assert upload(server, session, 10, Origin=origin) == (204 if allowed else 403)
    path = f"/_stcore/upload_file/{session}/one"
    assert server.ask("DELETE", path, **token(server), Origin=origin).status == (204 if allowed else 403)


@pytest.fixture(scope="module")
def small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that takes files of 1 MB, so 12 MB a session and 48 MB in all, and forgets sessions two seconds after their end."""
    options = {"STREAMLIT_SERVER_MAX_UPLOAD_SIZE": "1", "STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL": "2"}
    with started(tmp_path_factory.mktemp("small"), **options) as server:
        yield server


FULL = 2**20 - 1000  # with what is around it at most 1 MB


@pytest.mark.timeout(120)
def test_uploads_of_a_session_and_of_all_are_bounded_and_freed_with_their_session(small_server: Server) -> None:
    def fill(session: str) -> list[int]:
        return [upload(small_server, session, FULL, name=f"{number}") for number in range(13)]

    with ExitStack() as sessions:
        ids = [sessions.enter_context(opened(small_server)) for _ in range(5)]
        assert [fill(session) for session in ids[:4]] == [[204] * 12 + [413]] * 4
        assert upload(small_server, ids[0], FULL, name="0") == 204  # in its own place
        assert upload(small_server, ids[4], FULL) == 507
        assert small_server.ask("DELETE", f"/_stcore/upload_file/{ids[0]}/0", **token(small_server)).status == 204
        assert upload(small_server, ids[4], FULL) == 204
    with opened(small_server) as session:
        deadline = time.monotonic() + 30
        while upload(small_server, session, FULL) == 507:
            assert time.monotonic() < deadline, "nothing was freed"
            time.sleep(0.2)
        assert fill(session) == [204] * 11 + [413, 413]  # one more is there already


@pytest.mark.parametrize("path", ["/../../etc/passwd", "/media/../../etc/passwd", "/_stcore/%2e%2e/%2e%2e/etc/passwd"])
def test_paths_do_not_lead_out(server: Server, path: str) -> None:
    server.ask("GET", path)
    assert b"root:" not in server.body


# ---- login


def gated() -> None:
    import streamlit

    from pages.components.shared.login import require_login

    require_login()
    streamlit.write("inside")


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path))
    return AppTest.from_function(gated)


def test_without_a_provider_everyone_is_inside(app: AppTest) -> None:
    assert app.run().markdown[0].value == "inside"


def test_with_a_provider_nobody_is_inside_before_logging_in(app: AppTest) -> None:
    app.secrets["auth"] = {"redirect_uri": "http://localhost/oauth2callback", "cookie_secret": "x", "client_id": "y"}
    app.run()
    assert not app.exception
    assert "inside" not in [element.value for element in app.markdown]
    assert app.button(key="login").label == "Log in"


# ---- caches


def cached_functions() -> Iterator[tuple[Path, ast.FunctionDef, dict[str, str]]]:
    """Give each function with streamlit's cache before it, and what the cache was told."""
    for path in PAGES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for decorator in getattr(node, "decorator_list", []):
                called = decorator.func if isinstance(decorator, ast.Call) else decorator
                if isinstance(node, ast.FunctionDef) and ast.unparse(called) in ("st.cache_data", "st.cache_resource"):
                    keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
                    yield path, node, {str(keyword.arg): ast.unparse(keyword.value) for keyword in keywords}


def test_caches_are_bounded_and_hold_no_uploads() -> None:
    found = list(cached_functions())
    assert len(found) > 5
    for path, function, told in found:
        parameters = [argument.arg for argument in function.args.args]
        # Without a bound only what there is one of, or one of for each configured folder.
        assert "max_entries" in told or set(parameters) <= {"source"}, f"{path.name}: {function.name}"
        body = ast.unparse(function)
        assert "session" in told.get("scope", "") or "upload" not in body, f"{path.name}: {function.name}"
