"""A real server and a real browser for the tests in this folder."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
# Quiet and self-contained: no sandbox inside containers, and no background traffic of the browser's own.
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
DRAWING_SECONDS = 240


@pytest.fixture(scope="session")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found:
        return found
    if os.environ.get("CI"):
        pytest.fail("no chromium found, and in CI the browser tests must run")
    pytest.skip("no chromium found; install Debian's chromium to run the browser tests")


@pytest.fixture(scope="session")
def server_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace of the app under test."""
    return tmp_path_factory.mktemp("app") / "workspace"


@pytest.fixture(scope="session")
def server(server_home: Path) -> Iterator[str]:
    """The app on a free port with an empty workspace; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "FAIRSAL_HOME": str(server_home)}
    with (server_home.parent / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "server.py", "--server.port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
        )
        address = f"http://127.0.0.1:{port}"
        try:
            _wait_until_healthy(address, process)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=20)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """What all pages share, as a person's tabs do: above all the scripts, which take longer to read than to run."""
    shared = browser.new_context(viewport={"width": 1440, "height": 1000}, color_scheme="light")
    yield shared
    shared.close()


@pytest.fixture(scope="session")
def drawn_server(context: BrowserContext, server: str) -> str:
    """The app's address, after it has drawn the demo faces, as it does behind a progress bar when they are first wanted."""
    opened = context.new_page()
    opened.goto(f"{server}/attribution")
    expect(opened.get_by_alt_text("Mean of the test faces").first).to_be_visible(timeout=DRAWING_SECONDS * 1000)
    opened.close()
    return server


@pytest.fixture
def page(context: BrowserContext, drawn_server: str) -> Iterator[Page]:
    """A fresh page on the start page, after the drawn faces are there."""
    opened = context.new_page()
    refused: list[str] = []
    opened.on("console", lambda said: refused.append(said.text) if "Content Security Policy" in said.text else None)
    opened.goto(drawn_server)
    expect(opened.get_by_role("link", name="Open Attribution")).to_be_visible(timeout=60_000)
    settled(opened)
    yield opened
    opened.close()
    assert refused == [], "the security headers of server.py forbid what a page needs"


def settled(page: Page, seconds: float = 60) -> None:
    """Wait until the script has run and everything is drawn; true before a rerun starts, so assert the outcome first."""
    page.wait_for_selector(
        '[data-testid="stApp"][data-test-script-state="notRunning"][data-test-connection-state="CONNECTED"]',
        timeout=seconds * 1000,
    )
    expect(page.locator('[data-testid="stSkeleton"]')).to_have_count(0, timeout=seconds * 1000)


def accessibility_faults(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """Return the serious and critical faults that axe-core finds on a page, by all its rules or by some."""
    page.evaluate(AXE_SCRIPT)
    only = {"runOnly": {"type": "rule", "values": list(rules)}} if rules else {}
    chosen = {"resultTypes": ["violations"], **only}
    found = page.evaluate("chosen => axe.run(chosen)", chosen)
    return [
        f"{fault['id']}: {node['html'][:200]} {node['failureSummary']}"
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


def _wait_until_healthy(address: str, process: subprocess.Popen[bytes], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the app ended with status {process.returncode} before it answered")
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    pytest.fail(f"the app did not answer within {seconds:.0f} s")
