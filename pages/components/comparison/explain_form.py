"""Asking for further explanations of a finished run."""

from typing import Any

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.faces import load_faces
from fairsal_core.saliency import EXPLAINERS
from fairsal_core.settings import ExplainConfig, ExplainerChoice, checked_settings
from pages.components.comparison.audit import Audit
from pages.components.shared.begin import begin_run
from pages.components.shared.choice_form import choose_names, choose_settings
from pages.components.shared.estimate import ask_cost
from pages.components.shared.run_progress import follow_run
from pages.components.shared.words import plain

_EXPLAINERS, _JOB = "explain_methods", "explain_job"


def explain_form(audit: Audit) -> None:
    """Offer to explain the run's stored classifiers now, and follow that."""
    with st.expander("Explain with another explainer, or more faces"):
        st.session_state.setdefault(_EXPLAINERS, ["lrp"])
        chosen = choose_names("Explainers", EXPLAINERS, _EXPLAINERS, "integrated_gradients:steps=20")
        explainers = choose_settings(EXPLAINERS, ExplainerChoice, _EXPLAINERS)
        count = st.number_input("Faces", 4, 4096, 128, step=4, key="explain_faces", help="Test faces, in equal cells.")
        settings = {"run": audit.run.id, "explainers": explainers, "explained_faces": int(count)}
        settings["device"] = audit.run.config.get("device", "auto")
        config = _checked(settings) if chosen else None
        if st.button("Explain", key="explain_start", disabled=config is None, icon=":material/visibility:") and (
            begun := begin_run("explain", settings, "Explain")
        ):
            st.session_state[_JOB] = begun
        if config:
            ask_cost("explain", config, load_faces, "explain_cost")
        if job := st.session_state.get(_JOB):
            follow_run(job)


def _checked(settings: dict[str, Any]) -> ExplainConfig | None:
    """Return what is asked for if it makes sense; else say why not."""
    try:
        return checked_settings(ExplainConfig, settings)
    except FairsalError as error:
        st.error(plain(error))
        return None
