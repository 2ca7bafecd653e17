"""What an experiment will take: seconds of each stage, by a second of each, measured aside once a server; and room on the disk."""

import shutil
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillProbing
from pathlib import Path

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import Paces, Variant, disk_bytes, probe_paces, stage_seconds
from fairsal_core.faces import FaceDataset
from fairsal_core.home import workspace
from fairsal_core.settings import ExperimentConfig
from pages.components.shared.words import describe_duration, plain

_LOOK_SECONDS = 2.0
_PATIENCE_SECONDS = 0.1


def estimate_section(config: ExperimentConfig, variants: list[Variant], faces: FaceDataset) -> None:
    """Show the seconds of each stage once they are known; the page does not wait for them."""
    probing = _probing(_what_is_probed(config), config, faces)
    run_every = None if probing.done() else _LOOK_SECONDS
    st.fragment(_show, run_every=run_every)(probing, config, variants, faces)


def _show(probing: "Future[Paces]", config: ExperimentConfig, variants: list[Variant], faces: FaceDataset) -> None:
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
    seconds = stage_seconds(config, variants, faces, paces)
    st.markdown(f"About **{describe_duration(sum(seconds.values()))}** in all, if nothing of it is there yet")
    st.markdown("\n".join(f"- {stage}: {describe_duration(took)}" for stage, took in seconds.items()))
    st.caption("From a second of each on this machine, as busy as it was then.")


def room_section(config: ExperimentConfig, variants: list[Variant], faces: FaceDataset) -> None:
    """Say how much disk the run takes, what of it, and whether there is room."""
    parts = disk_bytes(config, variants, faces)
    needed, free = sum(parts.values()), shutil.disk_usage(_there(workspace())).free
    listed = ", ".join(f"{what} {_amount(size)}" for what, size in parts.items())
    told = f"At most **{_amount(needed)}** of disk ({listed}), if nothing of it is there yet"
    if needed > free:
        st.warning(f"{told}; {_amount(free)} are free. Free some (`runs prune`), or ask for fewer variants or seeds.")
    else:
        st.caption(f"{told}. There is room.")


def _there(folder: Path) -> Path:
    """Return the folder, or the nearest above it that there is."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def _amount(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(count / 1e6, 1):.0f} MB"


def _what_is_probed(config: ExperimentConfig) -> tuple[str, ...]:
    """Return what paces depend on, for the cache to tell them by."""
    regions = config.regions.model_dump_json(exclude={"images", "epochs", "validation_images", "seed"})
    training = config.training.model_dump_json(include={"classifier", "batch_size", "precision"})
    explainers = ",".join(choice.name for choice in config.attention.explainers)
    return config.data, config.confounder, regions, training, explainers, config.device


@st.cache_resource(max_entries=16, show_spinner=False)
def _probing(probed: tuple[str, ...], _config: ExperimentConfig, _faces: FaceDataset) -> "Future[Paces]":
    """Probe in the background; all sessions share what comes of it."""
    answer: Future[Paces] = Future()

    def probe() -> None:
        try:
            answer.set_result(probe_paces(_config, _faces))
        except Exception as error:  # whoever waits is told
            answer.set_exception(error)

    threading.Thread(target=probe, name="probe this machine", daemon=True).start()
    return answer
