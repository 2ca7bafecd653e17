"""The run that the page's link names: how it goes, and what can be done with it."""

from contextlib import suppress

import streamlit as st

from fairsal_core.errors import FairsalError
from pages.components.shared.run_progress import follow_curves, follow_run
from pages.components.training.form_state import clone_settings
from pages.components.training.mitigate_form import mitigate_form
from pages.components.training.run_notes import run_notes
from pages.components.training.run_settings import RUN, named_run, settings_of


def chosen_run_section() -> None:
    """Show how the run goes that the link names; nothing where it names none."""
    if RUN not in st.query_params:
        return
    with st.container(border=True, key="watched"):
        follow_run(st.query_params[RUN])
        run = named_run()
        config = settings_of(run) if run and run.kind == "experiment" else None
        if run and config:
            st.button(
                "Use these settings",
                key=f"clone-{run.id}",
                icon=":material/content_copy:",
                on_click=clone_settings,
                args=(config,),
                help="Fills the form with the settings of this run; what the form does not show is kept, and said.",
            )


def rest_of_run_section() -> None:
    """Show the curves of the run that the link names, what can be mitigated of it, and its notes."""
    run = named_run()
    if run is None:
        return
    follow_curves(run.id)
    with suppress(FairsalError):
        if run.kind == "experiment" and settings_of(run) and run.status.state == "finished":
            mitigate_form(run)
        run_notes(run)
