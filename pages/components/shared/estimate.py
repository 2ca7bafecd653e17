"""What a job will take of time, memory and disk: by a second of each of its stages on this machine, tried aside once a server."""

import shutil
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillProbing
from pathlib import Path
from typing import Any

import streamlit as st
from pydantic import BaseModel

from fairsal_core.costs import COSTS, Cost, Probed, ReadFaces, probe_aside
from fairsal_core.errors import FairsalError
from fairsal_core.hashing import hash_of
from fairsal_core.home import workspace
from pages.components.shared.words import describe_duration, plain

_LOOK_SECONDS = 2.0
_PATIENCE_SECONDS = 0.1


def ask_cost(kind: str, config: BaseModel, read: ReadFaces, key: str) -> None:
    """Offer to tell what a job takes, for forms that stand closed on pages for something else."""
    asked = hash_of([kind, config.model_dump(mode="json")])
    if st.button("What will it take?", key=key, icon=":material/timer:"):
        st.session_state[f"{key}_asked"] = asked
    if st.session_state.get(f"{key}_asked") == asked:
        cost_section(kind, config, read)


def cost_section(kind: str, config: BaseModel, read: ReadFaces) -> None:
    """Show what a job takes once that is known; the page does not wait for it.

    Parameters
    ----------
    kind : str
        Of run, a key of `COSTS`.
    config : BaseModel
        Its settings; those alike in what paces depend on share a probe, whoever asks.
    read : callable
        Source -> its faces.
    """
    content = config.model_dump(mode="json")
    probing = _probing(kind, hash_of(COSTS[kind].depends_on(config)), content)
    run_every = None if probing.done() else _LOOK_SECONDS
    st.fragment(_show, run_every=run_every)(probing, kind, config, read)


def _show(probing: "Future[Probed[Any]]", kind: str, config: BaseModel, read: ReadFaces) -> None:
    was_done = probing.done()
    try:
        probed = probing.result(_PATIENCE_SECONDS)
        cost = COSTS[kind].cost(config, read, probed)
    except StillProbing:
        st.caption("Trying a second of each stage on this machine, to say what it takes …")
        return
    except (FairsalError, RuntimeError, OSError) as error:
        st.caption(f"What it takes cannot be told before it runs: {plain(error)}")
        return
    if not was_done:
        st.rerun()  # whole, so that nothing looks again
    _say(cost)


def _say(cost: Cost) -> None:
    stages = cost.seconds
    st.markdown(f"About **{describe_duration(sum(stages.values()))}** in all, if nothing of it is there yet")
    st.markdown("\n".join(f"- {plain(stage)}: {describe_duration(took)}" for stage, took in stages.items()))
    st.caption("From a second of each on this machine, as busy as it was then.")
    _say_room(
        "memory at once", cost.memory, _free_memory(), "Close something, or ask for smaller batches or fewer faces."
    )
    free = shutil.disk_usage(_there(workspace())).free
    _say_room("disk", cost.disk, free, "Free some (`runs prune`), or ask for fewer variants or seeds.")


def _say_room(of: str, parts: Mapping[str, int], free: int, remedy: str) -> None:
    """Say how much of something a job takes, what for, and whether there is that much."""
    needed = sum(parts.values())
    if not needed:
        return
    listed = ", ".join(f"{what} {_amount(size)}" for what, size in parts.items())
    told = f"At most **{_amount(needed)}** of {of} ({plain(listed)})"
    if needed > free:
        st.warning(f"{told}; {_amount(free)} are free. {remedy}")
    else:
        st.caption(f"{told}. There is room.")


def _free_memory() -> int:
    import psutil

    return int(psutil.virtual_memory().available)


def _there(folder: Path) -> Path:
    """Return the folder, or the nearest above it that there is."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def _amount(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(count / 1e6, 1):.0f} MB"


@st.cache_resource(max_entries=16, show_spinner=False)
def _probing(kind: str, depends_on: str, _content: Mapping[str, Any]) -> "Future[Probed[Any]]":
    """Probe in the background; all sessions share what comes of it."""
    answer: Future[Probed[Any]] = Future()

    def work() -> None:
        try:
            answer.set_result(probe_aside(kind, _content))
        except Exception as error:  # whoever waits is told
            answer.set_exception(error)

    threading.Thread(target=work, name="probe this machine", daemon=True).start()
    return answer
