"""Where jobs run: this machine, and a Ray cluster where RAY_ADDRESS names one."""

import os
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillAsking
from contextlib import suppress

import streamlit as st

from fairsal_core.device import describe_machine
from fairsal_core.errors import FairsalError
from fairsal_core.runs import list_runs
from fairsal_core.scaling import ask_cluster
from pages.components.shared.words import plain

FRESH_SECONDS = 10.0
PATIENCE_SECONDS = 0.2  # a page is not held up for longer


def cluster_address() -> str:
    """Return the address of the Ray cluster that sweeps may go to; empty where there is none."""
    return os.environ.get("RAY_ADDRESS", "")


@st.fragment(run_every=FRESH_SECONDS)
def where_jobs_run() -> None:
    """Say where jobs run, and how many run and wait there; kept up to date."""
    states = [run.status.state for run in list_runs()]
    st.caption(
        f"Jobs run on this machine ({describe_machine()}): {states.count('running')} running, {states.count('queued')} waiting."
    )
    if address := cluster_address():
        _say_how_cluster_is(address)


def _say_how_cluster_is(address: str) -> None:
    """Show the answer of the cluster if there is one by now, else the one before."""
    answers = _last_answers()
    with suppress(StillAsking):
        answers[address] = _asked(address).result(PATIENCE_SECONDS)
    well, sentence = answers.get(address, (True, "asking"))
    if well:
        st.caption(f"Ray cluster at {plain(address)}: {plain(sentence)}.")
    else:
        st.warning(f"{plain(sentence)} Jobs on this machine go on without it.")


@st.cache_resource(ttl=FRESH_SECONDS, max_entries=4, show_spinner=False)
def _asked(address: str) -> "Future[tuple[bool, str]]":
    """Ask in the background; all sessions share the answer."""
    answer: Future[tuple[bool, str]] = Future()
    threading.Thread(target=lambda: answer.set_result(_ask(address)), name="ask the cluster", daemon=True).start()
    return answer


@st.cache_resource(show_spinner=False)
def _last_answers() -> dict[str, tuple[bool, str]]:
    return {}


def _ask(address: str) -> tuple[bool, str]:
    try:
        return True, ask_cluster(address)
    except (FairsalError, OSError, ValueError) as error:
        return False, str(error)
