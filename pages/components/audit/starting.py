"""Starting an audit, following it, and where its results are."""

import tempfile
from pathlib import Path
from typing import Any

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.reports import write_report
from fairsal_core.runs import Run, load_run, run_path
from fairsal_core.settings import AUDIT, AuditConfig, parse_audit
from pages.components.audit.question import Question
from pages.components.shared.begin import begin_run
from pages.components.shared.hiding import hidden_section
from pages.components.shared.run_progress import follow_run
from pages.components.shared.words import plain


def asked(question: Question, *chosen: dict[str, Any]) -> AuditConfig | None:
    """Return the audit that was chosen; None, and a sentence where there is one to say, while there is none."""
    if not any(chosen):
        return None
    try:
        return parse_audit({**question.settings, **{name: value for part in chosen for name, value in part.items()}})
    except FairsalError as error:
        st.error(plain(error))
        return None


def start_section(question: Question, config: AuditConfig | None) -> None:
    """Offer to start the audit, if it makes sense; show the one that the link names, and its report."""
    clicked = st.button(
        "Audit", key="audit_start", type="primary", icon=":material/fact_check:", disabled=config is None
    )
    if clicked and config is not None:
        name = f"{question.target} × {question.confounder}, audit"
        if begun := begin_run(AUDIT, config.model_dump(mode="json"), name):
            st.query_params["run"] = begun
    if run_id := st.query_params.get("run"):
        follow_run(run_id)
        _report(run_id)


def _report(run_id: str) -> None:
    try:
        run = load_run(run_path(run_id))
    except FairsalError:
        return  # which following it has said
    if run.status.state == "finished" and run.kind == AUDIT:
        st.download_button(
            "Report (HTML)",
            lambda: _html(run),
            file_name=f"{run.id}.html",
            mime="text/html",
            icon=":material/description:",
            on_click="ignore",
            key="audit_report",
        )
        hidden_section(run)


def _html(run: Run) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        return write_report(run, Path(scratch)).html.read_bytes()
