"""Which classifiers are audited: variants of finished runs, and imported ones."""

from typing import Any

import streamlit as st

from fairsal_core.classifiers import stored_classifiers
from fairsal_core.experiments import stored_variants
from fairsal_core.runs import Run, list_runs
from fairsal_core.saliency import EXPLAINERS
from fairsal_core.schemes import SCHEMES
from fairsal_core.settings import EXPERIMENT
from pages.components.audit.question import Question
from pages.components.shared.words import title_of

_KEY = "audit_subjects"


def wanted_subjects() -> list[str]:
    """Return the classifiers that are chosen, or that the link names; some may be gone."""
    chosen: list[str] | None = st.session_state.get(_KEY)
    return st.query_params.get_all("subjects") if chosen is None else chosen


def choose_too(digest: str) -> None:
    """Have an imported classifier among those that are chosen, from the next run of the page on."""
    st.session_state[_KEY] = list(dict.fromkeys([*wanted_subjects(), digest]))


def choose_subjects(question: Question) -> dict[str, Any]:
    """Show which classifiers there are, and what is hidden from them; return the settings, nothing while none is chosen."""
    known = {**trained(question), **imported()}
    st.session_state[_KEY] = [name for name in wanted_subjects() if name in known]
    chosen = st.multiselect(
        "Classifiers",
        list(known),
        key=_KEY,
        format_func=lambda name: known[name],
        placeholder="None: predictions alone" if known else "None is stored for this target yet",
        help="Classifiers of finished runs that predict this target, and imported ones. They are shown clean faces, and faces with "
        "the protected attribute's regions hidden, and are explained.",
    )
    st.query_params["subjects"] = chosen
    if not chosen:
        return {}
    general = [name for name, scheme in SCHEMES.items() if scheme.scope == "general"]
    first, second, third, fourth = st.columns([3, 1, 3, 1])
    schemes = first.multiselect(
        "Hidden by", general, default=["general_mask"], key="audit_schemes", format_func=SCHEMES.title
    )
    quantile = second.number_input("above quantile", 0.05, 0.99, 0.7, 0.05, key="audit_quantile")
    explainers = third.multiselect(
        "Explained by",
        list(EXPLAINERS),
        default=["lrp"],
        key="audit_explainers",
        format_func=EXPLAINERS.title,
    )
    count = fourth.number_input("on faces", 4, 4096, 64, 4, key="audit_explained")
    return {
        "subjects": chosen,
        "schemes": [f"{scheme}@{quantile:g}" for scheme in schemes],
        "attention": {"explainers": explainers, "explained_faces": int(count)},
    }


def trained(question: Question) -> dict[str, str]:
    """Return the stored classifiers of finished runs on these faces that predict the target: name -> what to call it."""
    found = {}
    for run in list_runs():
        if run.kind != EXPERIMENT or run.status.state != "finished" or not _fits(run, question):
            continue
        for variant, seed in stored_variants(run.path):
            found[f"{run.id}:{variant}#{seed}"] = f"{variant}, seed {seed} · {title_of(run)} {run.id[-4:]}"
    return found


def _fits(run: Run, question: Question) -> bool:
    return all(run.config.get(name) == question.settings[name] for name in ("data", "target"))


def imported() -> dict[str, str]:
    """Return the imported classifiers: digest -> what to call it."""
    return {each.digest: f"{each.name} · imported" for each in stored_classifiers()}
