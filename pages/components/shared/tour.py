"""The guided tour: five steps on the drawn faces, each with what to do and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import streamlit as st

from fairsal_core.drawing import DEMO
from fairsal_core.runs import list_runs
from pages.components.shared.data import SOURCE_KEY, source_name


@dataclass(frozen=True)
class Step:
    """One step: the page it happens on, the view it begins with, what to do there, and the reason."""

    page: str
    title: str
    do: str
    why: str
    view: Mapping[str, str] = field(default_factory=dict)


STEPS = (
    Step(
        "attribution",
        "See where an attribute lives",
        "Rest the pointer on the face and move the slider below it. Then step through a few faces on the left.",
        "Before hiding anything, look where *Blond_Hair* can be read off. If the map lay on the mouth, hiding "
        "hair would be pointless.",
        {"attribute": "Blond_Hair", "quantile": "0.7", "face": "4"},
    ),
    Step(
        "attribution",
        "See what a scheme would hide",
        "Move the quantile from 0.5 to 0.95 and watch the four pictures below the face.",
        "Hide too little and the cue shows through; hide too much and the target goes with it. A *general* scheme hides the same "
        "pixels of every face, a *specific* one each face's own, whose shape can itself tell the attribute.",
        {"attribute": "Blond_Hair", "quantile": "0.5", "face": "4"},
    ),
    Step(
        "training",
        "Train under a known bias",
        "The form is filled in: no man is blond here, two women in three are. Press *Start* and watch the loss.",
        "Because you chose the bias, you know what a classifier may wrongly rely on. *balanced* shows what the same number of "
        "faces teaches without it, and the scheme has to come close to that.",
    ),
    Step(
        "comparison",
        "Ask who pays",
        "Find the worst cell. Switch *Test faces* from clean to treated and watch the gap.",
        "An average hides whom it fails: blond men, who were never seen. And a network that only saw hidden regions can look "
        "good on faces treated like them, so clean and treated numbers stand side by side.",
    ),
    Step(
        "comparison",
        "Decide, and file it",
        "Set a threshold under *Acceptance*, open a face that changed sides, leave a note, download the report.",
        "A verdict rests on intervals, not on a point: with few faces the answer may be that nobody can say yet. The report "
        "keeps the evidence, and the line to reproduce it.",
    ),
)


def tour_step() -> int | None:
    """Return which step the link names, 1 to 5, or None outside the tour."""
    text = st.query_params.get("tour", "")
    return int(text) if text.isdigit() and 1 <= int(text) <= len(STEPS) else None


def tour_bar() -> None:
    """Show the step of the tour that the link names; nothing outside the tour."""
    number = tour_step()
    if number is None:
        return
    step = STEPS[number - 1]
    with st.container(border=True, key="tour"):
        st.markdown(f"**Tour, step {number} of {len(STEPS)}: {step.title}**")
        st.markdown(f"{step.do}")
        st.caption(f"Why: {step.why}")
        with st.container(horizontal=True):  # Next first: it is in the same place at every step
            if number < len(STEPS):
                tour_link(number + 1, "Next", ":material/arrow_forward:")
            else:
                st.page_link("pages/start.py", label="Finish", icon=":material/check:")
            if number > 1:
                tour_link(number - 1, "Back", ":material/arrow_back:")
            st.page_link("pages/start.py", label="Leave the tour", icon=":material/close:")


def tour_link(number: int, label: str, icon: str) -> None:
    """Show a link to a step, with the view that it begins with."""
    step = STEPS[number - 1]
    query = {**step.view, SOURCE_KEY: source_name(DEMO), "tour": str(number)}
    if step.page == "comparison":
        query = {**step.view, "tour": str(number)} | _newest_finished()
    st.page_link(f"pages/{step.page}.py", label=label, icon=icon, query_params=query)


def _newest_finished() -> dict[str, str]:
    finished = [run.id for run in list_runs() if run.status.state == "finished" and run.kind == "experiment"]
    return {"run": finished[0]} if finished else {}
