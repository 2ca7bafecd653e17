"""Long jobs of the Attribution page are runs: its link names the one that it shows."""

import streamlit as st
from pydantic import BaseModel

from pages.components.shared.begin import begin_run
from pages.components.shared.run_progress import follow_curves, follow_run

_JOB = "job"


def begin_job(kind: str, job: BaseModel, name: str) -> None:
    """Start a job, and have the link name it."""
    if begun := begin_run(kind, job.model_dump(mode="json"), name):
        st.query_params[_JOB] = begun


def job_section() -> None:
    """Show the run that this page's link names."""
    if _JOB in st.query_params:
        with st.container(border=True, key="job"):
            follow_run(st.query_params[_JOB])
            follow_curves(st.query_params[_JOB])
