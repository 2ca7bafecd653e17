"""One run on a page: where it is, how long it will take, its curves, and the button that stops it."""

from contextlib import suppress

import streamlit as st

from fairsal_core.drawing import DEMO
from fairsal_core.errors import FairsalError
from fairsal_core.runs import RESUMABLE, TERMINAL, Run, cancel, load_run, log_tail, read_events, resume, run_path
from fairsal_core.settings import ATTRIBUTION, REGIONS
from pages.components.shared.curves import show_curves
from pages.components.shared.data import SOURCE_KEY, source_name
from pages.components.shared.run_steps import show_steps
from pages.components.shared.sweep_table import show_sweep
from pages.components.shared.words import STATE_COLOURS, describe_duration, plain, title_of


def follow_run(run_id: str) -> None:
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


def follow_curves(run_id: str) -> None:
    """Show what a run says of itself while it trains, and keep it up to date for as long as it is not over."""
    with suppress(FairsalError):
        going = load_run(run_path(run_id)).status.state not in TERMINAL
        st.fragment(_curves_of, run_every=1.0 if going else None)(run_id)


def _curves_of(run_id: str) -> None:
    with suppress(FairsalError):
        run = load_run(run_path(run_id))
        if run.kind == "sweep":
            show_sweep(run)
        show_curves(read_events(run.path)[0])


def _show(run: Run) -> None:
    status = run.status
    st.markdown(f"#### {plain(title_of(run))} :{STATE_COLOURS[status.state]}-badge[{status.state}]")
    if status.state in ("queued", "running"):
        left = f" · about {describe_duration(status.eta_seconds)} left" if status.eta_seconds is not None else ""
        st.progress(status.fraction, text=f"{status.fraction:.0%}{left}")
        show_steps(run)
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
                query_params={
                    SOURCE_KEY: source_name(str(run.config.get("data", DEMO))),
                    "attribute": run.config.get("attribute", ""),
                },
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
    for told in [event.message for event in read_events(run.path)[0] if "batch_size" in event.numbers]:
        st.warning(plain(told))


def _resume(run: Run) -> None:
    try:
        named = "job" if run.kind in (ATTRIBUTION, REGIONS) else "run"
        st.query_params[named] = resume(run.path).name
    except FairsalError as error:
        st.toast(plain(error), icon=":material/error:")
