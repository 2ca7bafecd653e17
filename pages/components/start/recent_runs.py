"""What is running and what finished, in a few lines."""

import streamlit as st

from fairsal_core.runs import TERMINAL, Run, example_run, list_runs
from fairsal_core.settings import COMPARED
from pages.components.shared.words import STATE_COLOURS, describe_duration, plain, title_of

SHOWN = 5


def recent_runs_section() -> None:
    """Show the newest runs, kept up to date while one of them is going."""
    st.subheader("Runs")
    runs = list_runs()
    if example := example_run():
        st.page_link(
            "pages/comparison.py",
            label=":gray-badge[example] A finished run that ships with fairsal",
            query_params={"run": example.id},
            help="On drawn faces: Male with Blond_Hair as the confounder.",
        )
    if not runs:
        st.caption("No run of your own yet; Training starts one.")
        return
    if any(run.status.state not in TERMINAL for run in runs):
        _live()
    else:
        _show(runs)


@st.fragment(run_every=2.0)
def _live() -> None:
    runs = list_runs()
    _show(runs)
    if all(run.status.state in TERMINAL for run in runs):
        st.rerun()


def _show(runs: list[Run]) -> None:
    going = [run for run in runs if run.status.state not in TERMINAL]
    finished = sum(run.status.state == "finished" for run in runs)
    for run in [*going, *(run for run in runs if run not in going)][:SHOWN]:
        _line(run)
    st.caption(f"{len(runs)} in all: {len(going)} going, {finished} finished.")


def _line(run: Run) -> None:
    status = run.status
    done = status.state == "finished"
    st.page_link(
        "pages/comparison.py" if done and run.kind in COMPARED else "pages/training.py",
        label=f":{STATE_COLOURS[status.state]}-badge[{status.state}] {plain(title_of(run))} · {run.created:%d %b %H:%M}",
        query_params={"run": run.id},
        help=run.id,
    )
    if status.state == "running":
        left = f", about {describe_duration(status.eta_seconds)} left" if status.eta_seconds is not None else ""
        st.progress(status.fraction, text=f"{plain(status.stage) or 'Starting'}{left}")
