"""`serve`: the dashboard, which is not part of the package, from a checkout."""

import argparse
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import fairsal_core
from fairsal_core.cli.outcome import Outcome
from fairsal_core.errors import FairsalError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--app", type=Path, help="a checkout of fairsal, or its app.py (default: the checkout that this is started in)"
    )
    parser.add_argument("--team", action="store_true", help="server.py: the same pages as a reverse proxy needs them")
    parser.add_argument(
        "streamlit", nargs="*", metavar="-- OPTION", help="for streamlit run, such as -- --server.port 8502"
    )


def do(options: argparse.Namespace) -> Outcome:
    script = _script(options.app, team=options.team)
    # Streamlit takes .streamlit/config.toml from the script's folder, so this one can stay where the workspace is.
    status = _wait_for([sys.executable, "-m", "streamlit", "run", str(script), *options.streamlit])
    return Outcome({"app": str(script), "status": status}, f"{script} has ended", ok=status == 0)


def _script(app: Path | None, *, team: bool) -> Path:
    """Return the script in the checkout that was named, or else around this folder or the package."""
    name = "server.py" if team else "app.py"
    if app is None:
        return _checkout() / name
    script = app / name if app.is_dir() else app.with_name(name) if team else app
    if not script.is_file():
        raise FairsalError(f"There is no {script}: --app wants a checkout of fairsal, or its app.py.")
    return script.resolve()


def _checkout() -> Path:
    here = Path.cwd()
    for folder in (here, *here.parents, Path(fairsal_core.__file__).parents[1]):
        if (folder / "app.py").is_file() and (folder / "pages").is_dir() and (folder / "fairsal_core").is_dir():
            return folder
    raise FairsalError(
        "The dashboard is not in the installed package: start this in a checkout of fairsal, or name one with --app FOLDER."
    )


def _wait_for(command: Sequence[str]) -> int:
    """Run a server until it ends, and end it where this process is ended; return its exit status."""
    server = subprocess.Popen(command, stdout=sys.stderr)  # its greeting is no result
    before = signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        return server.wait()
    finally:  # Ctrl-C may have reached this process alone
        server.terminate()
        server.wait()
        signal.signal(signal.SIGTERM, before)
