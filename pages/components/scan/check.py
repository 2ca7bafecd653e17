"""The causal check: an attribute's region is hidden from the classifier, and the decisions that change are counted."""

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import find_subjects, stored_variants
from fairsal_core.runs import load_run, run_path
from fairsal_core.settings import AUDIT, EXPERIMENT, parse_audit
from pages.components.scan.view import View
from pages.components.shared.begin import begin_run
from pages.components.shared.hiding import hidden_section
from pages.components.shared.run_progress import follow_run
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain

_LINK = "check"


def offer_check(view: View, attribute: str) -> None:
    """Offer to start the check where the classifier itself is there; begun, the link names it."""
    subject = subject_named(view)
    clicked = st.button(
        "Hide it",
        key=f"hide-{attribute}",
        icon=":material/visibility_off:",
        disabled=subject is None,
        help="Hides its region from the classifier, and as many pixels elsewhere, and counts the decisions that change."
        if subject
        else "The run keeps no weights of this classifier: nothing can be hidden from it.",
    )
    if not clicked or subject is None:
        return
    asked = {
        "data": view.data,
        "target": view.judged.target,
        "confounder": attribute,
        "subjects": [subject],
        "test_split": view.run.config.get("test_split", "test"),
        "attention": {"explainers": []},
    }
    try:
        config = parse_audit(asked)
    except FairsalError as error:
        st.error(plain(error))
        return
    name = f"{view.judged.target} × {attribute}, hidden"
    if begun := begin_run(AUDIT, config.model_dump(mode="json"), name):
        st.query_params[_LINK] = begun


@in_one_sentence("The check")
def check_section() -> None:
    """Show the check that the link names: how far it is, and what came of it."""
    run_id = st.query_params.get(_LINK)
    if not run_id:
        return
    with st.container(border=True):
        follow_run(run_id)
        run = load_run(run_path(run_id))
        if run.status.state == "finished" and run.kind == AUDIT:
            hidden_section(run)


def subject_named(view: View) -> str | None:
    """Return what an audit calls the view's classifier; None where its weights are not there."""
    config = view.run.config
    if view.run.kind == EXPERIMENT:
        wanted = view.subject.variant, view.subject.seed
        return f"{view.run.id}:{wanted[0]}#{wanted[1]}" if wanted in stored_variants(view.run.path) else None
    given = list(config.get("subjects", ()))
    try:
        names = [subject.name for subject in find_subjects(given)] if given else []
    except FairsalError:  # one of them is gone
        return None
    return given[names.index(view.subject.variant)] if view.subject.variant in names else None
