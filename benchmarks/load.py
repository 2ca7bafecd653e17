"""Many people at once: browser sessions walk the pages while a training runs.

    PYTHONPATH=. python benchmarks/load.py --sessions 20 --seconds 180

Speaks the browser's own protocol over web sockets on this machine, without browsers. Prints, as JSON, for each page the
reruns and the seconds they took, the errors that any session was shown, and the server's memory over time.
"""

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import defaultdict
from pathlib import Path
from statistics import median

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

from fairsal_core.faces import load_faces
from fairsal_core.runs import cancel, load_run, start
from fairsal_core.settings import parse_config

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("", "attribution", "training", "comparison", "methods")
THINKING = (1.0, 4.0)  # seconds between one page and the next


class Walker(threading.Thread):
    """One session that opens page after page, as a person does."""

    def __init__(self, port: int, until: float, number: int) -> None:
        super().__init__(daemon=True)
        self.port, self.until, self.random = port, until, random.Random(number)
        self.took: dict[str, list[float]] = defaultdict(list)
        self.errors: list[str] = []

    def run(self) -> None:
        address = f"ws://127.0.0.1:{self.port}/_stcore/stream"
        try:
            with connect(address, subprotocols=["streamlit"], max_size=None, compression=None) as stream:  # type: ignore[list-item]
                while time.monotonic() < self.until:
                    page = self.random.choice(PAGES)
                    began = time.monotonic()
                    self.open(stream, page)
                    self.took[page or "start"].append(time.monotonic() - began)
                    time.sleep(self.random.uniform(*THINKING))
        except Exception as error:
            self.errors.append(f"{type(error).__name__}: {error}")

    def open(self, stream: ClientConnection, page: str) -> None:
        """Ask for a page and read until its script has finished."""
        message = BackMsg()
        message.rerun_script.query_string = ""
        message.rerun_script.page_name = page
        stream.send(message.SerializeToString())
        while True:
            answer = ForwardMsg.FromString(stream.recv(timeout=60, decode=False))
            kind = answer.WhichOneof("type")
            if kind == "delta" and answer.delta.new_element.WhichOneof("type") == "exception":
                self.errors.append(f"{page}: {answer.delta.new_element.exception.message}")
            if kind == "page_not_found":
                self.errors.append(f"{page}: not found")
            if kind == "script_finished" and answer.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                return


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_healthy(port: int) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2).close()
            return
        except OSError:
            time.sleep(0.3)
    sys.exit("the server did not answer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=180)
    options = parser.parse_args()
    load_faces("demo")  # drawn and packed before anyone looks
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "server.py", "--server.port", str(port)],
        cwd=ROOT,
        env={**os.environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_healthy(port)
        training = start("experiment", parse_config({"training": {"epochs": 200}}).model_dump(mode="json"), "load")
        until = time.monotonic() + options.seconds
        walkers = [Walker(port, until, number) for number in range(options.sessions)]
        for walker in walkers:
            walker.start()
        memory = []
        while time.monotonic() < until:
            memory.append(psutil.Process(server.pid).memory_info().rss / 2**20)
            time.sleep(1)
        trained = load_run(training).status
        for walker in walkers:
            walker.join(90)
        cancel(training)
    finally:
        server.terminate()
        server.wait(20)

    took: dict[str, list[float]] = defaultdict(list)
    for walker in walkers:
        for page, seconds in walker.took.items():
            took[page] += seconds
    last_minute = memory[-60:]
    print(
        json.dumps(
            {
                "sessions": options.sessions,
                "seconds": options.seconds,
                "pages": {
                    page: {
                        "reruns": len(times),
                        "median_s": round(median(times), 3),
                        "p95_s": round(sorted(times)[int(0.95 * len(times))], 3),
                    }
                    for page, times in sorted(took.items())
                },
                "errors": [error for walker in walkers for error in walker.errors][:20],
                "training": {"state": trained.state, "fraction": round(trained.fraction, 3)},
                "server_mb": {"most": round(max(memory)), "last": round(memory[-1])},
                "growth_in_the_last_minute": round(last_minute[-1] / last_minute[0] - 1, 4),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
