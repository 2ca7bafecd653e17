"""The run that the page's link names, and the settings that a stored run was started with."""

from contextlib import suppress

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.runs import Run, load_run, run_path
from fairsal_core.settings import ExperimentConfig, parse_config

RUN = "run"


def named_run() -> Run | None:
    """Return the run that the link names; None where it names none, or none that is there."""
    with suppress(FairsalError):
        return load_run(run_path(st.query_params[RUN])) if RUN in st.query_params else None
    return None


def named_source() -> str | None:
    """Return the data of the run that the link names, so that nothing else is drawn or packed for it."""
    run = named_run()
    config = settings_of(run) if run and run.kind == "experiment" else None
    return config.data if config else None


def settings_of(run: Run) -> ExperimentConfig | None:
    """Return a run's settings; None for one that is no experiment of this version, as a copied folder may be."""
    with suppress(FairsalError):
        return parse_config(dict(run.config))
    return None
