"""Watching one run: where it is, how long it will take, its curves, and the button that stops it."""

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import (
    ATTRIBUTION,
    REGIONS,
    RESUMABLE,
    TERMINAL,
    Run,
    cancel,
    load_run,
    log_tail,
    read_events,
    resume,
    run_path,
)
from pages.components.curves import show_curves
from pages.components.sweeps import show_sweep
from pages.components.words import STATE_COLOURS, describe_duration, plain, title_of


def watch_run(run_id: str) -> None:
    """Show a run, and keep it up to date for as long as it is not over."""
    try:
        run = load_run(run_path(run_id))
    except FairsalError as error:
        st.warning(f"{plain(error)} It may have been deleted; the runs there are stand below.")
        return
    if run.status.state in TERMINAL:
        _show(run)
        return
    _live(run_id)


@st.fragment(run_every=1.0)
def _live(run_id: str) -> None:
    try:
        run = load_run(run_path(run_id))
    except FairsalError as error:
        st.warning(plain(error))
        return
    if run.status.state in TERMINAL:
        st.rerun()  # the rest of the page shows the run's end too
    _show(run)
    if st.button("Cancel", key=f"cancel-{run_id}", icon=":material/stop_circle:"):
        with st.spinner("Stopping …"):
            cancel(run.path)
        st.rerun()


def _show(run: Run) -> None:
    status = run.status
    st.markdown(f"#### {plain(title_of(run))} :{STATE_COLOURS[status.state]}-badge[{status.state}]")
    if status.state in ("queued", "running"):
        left = f" · about {describe_duration(status.eta_seconds)} left" if status.eta_seconds is not None else ""
        st.progress(status.fraction, text=f"{status.message or status.stage or 'Starting'}{left}")
    if status.state == "finished":
        seconds = (status.ended or 0) - (status.started or 0)
        # A clock that was set back in between says nothing.
        took = f" It took {describe_duration(seconds)}." if status.ended and status.started and seconds >= 0 else ""
        st.success(f"Done.{took}")
        if run.kind in (ATTRIBUTION, REGIONS):
            st.page_link(
                "pages/attribution.py",
                label="See its maps",
                icon=":material/location_searching:",
                query_params={"attribute": run.config.get("attribute", "")},
            )
        elif run.kind != "sweep":
            st.page_link(
                "pages/comparison.py",
                label="See the results",
                icon=":material/balance:",
                query_params={"run": run.config.get("run", run.id)},
            )
    if status.state in ("failed", "interrupted"):
        st.error(plain(status.error or "It ended without saying why."))
        with st.expander("End of its log"):
            st.code(log_tail(run.path) or "(empty)", language=None)
    if status.state == "cancelled":
        st.info("Cancelled. What its finished stages made is kept: the same settings start from there.")
    if status.state in RESUMABLE:
        st.button(
            "Resume",
            key=f"resume-{run.id}",
            icon=":material/resume:",
            on_click=_resume,
            args=(run,),
            help="Starts the same settings as a new run; whole stages of this one are reused.",
        )
    if run.kind == "sweep":
        show_sweep(run)
    events, _ = read_events(run.path)
    for told in [event.message for event in events if "batch_size" in event.numbers]:
        st.warning(plain(told))
    show_curves(events)


def _resume(run: Run) -> None:
    try:
        named = "job" if run.kind in (ATTRIBUTION, REGIONS) else "run"
        st.query_params[named] = resume(run.path).name
    except FairsalError as error:
        st.toast(plain(error), icon=":material/error:")
