"""What a job will take: seconds of each stage, by a moment of each on this machine, measured aside once a server."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillProbing
from typing import TypeVar

import streamlit as st

from fairsal_core.errors import FairsalError
from pages.components.shared.words import describe_duration, plain

_LOOK_SECONDS = 2.0
_PATIENCE_SECONDS = 0.1
Paces = TypeVar("Paces")
Key = tuple[object, ...]


def estimate_section(key: Key, probe: Callable[[], Paces], seconds: Callable[[Paces], Mapping[str, float]]) -> None:
    """Show the seconds of each stage once they are known; the page does not wait for them.

    Parameters
    ----------
    key : tuple
        All that paces depend on; who asks with the same key shares them.
    probe : callable
        Gives the paces; it takes seconds.
    seconds : callable
        Paces -> stage -> seconds.
    """
    probing: Future[Paces] = _probing(key, probe)
    run_every = None if probing.done() else _LOOK_SECONDS
    st.fragment(_show, run_every=run_every)(probing, seconds)


def _show(probing: "Future[Paces]", seconds: Callable[[Paces], Mapping[str, float]]) -> None:
    was_done = probing.done()
    try:
        paces = probing.result(_PATIENCE_SECONDS)
    except StillProbing:
        st.caption("Trying a second of each stage on this machine, to say how long the run takes …")
        return
    except (FairsalError, RuntimeError, OSError) as error:
        st.caption(f"How long it takes cannot be told before it runs: {plain(error)}")
        return
    if not was_done:
        st.rerun()  # whole, so that nothing looks again
    stages = seconds(paces)
    st.markdown(f"About **{describe_duration(sum(stages.values()))}** in all, if nothing of it is there yet")
    st.markdown("\n".join(f"- {plain(stage)}: {describe_duration(took)}" for stage, took in stages.items()))
    st.caption("From a second of each on this machine, as busy as it was then.")


@st.cache_resource(max_entries=16, show_spinner=False)
def _probing(key: Key, _probe: Callable[[], Paces]) -> "Future[Paces]":
    """Probe in the background; all sessions share what comes of it."""
    answer: Future[Paces] = Future()

    def work() -> None:
        try:
            answer.set_result(_probe())
        except Exception as error:  # whoever waits is told
            answer.set_exception(error)

    threading.Thread(target=work, name="probe this machine", daemon=True).start()
    return answer
