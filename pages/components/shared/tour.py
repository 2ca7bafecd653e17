"""The guided tour: five steps on the drawn faces and the example run, each with what to do and why. None of them waits."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import streamlit as st

from fairsal_core.drawing import DEMO
from fairsal_core.runs import example_run, list_runs
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
        "comparison",
        "Ask who pays",
        "Read the three sentences, and find the worst cell in the chart. Then choose *Balanced* as the candidate.",
        "This example was trained on faces of which no man is blond and two women in three are. An average hides whom that fails: "
        "blond men, who were never seen. *Balanced* shows what as many faces teach without the bias.",
        {"tab": "Summary"},
    ),
    Step(
        "comparison",
        "See whether attention moved",
        "Compare the maps before and after inside the outline, which is where blond hair can be read off. Then open *Numbers*.",
        "A smaller gap with the same attention is luck, or another shortcut. Numbers have intervals and come with a check against "
        "a network of random weights, since some maps show the face whatever was learned.",
        {"tab": "Attention"},
    ),
    Step(
        "comparison",
        "Decide, and file it",
        "Read which limits each variant meets, then open *Decision*, and *Report* to download what a review files.",
        "A verdict rests on intervals, not on a point: with few faces the answer may be that nobody can say yet. The report "
        "keeps the evidence, and the line to reproduce it.",
        {"tab": "Decide"},
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
                st.page_link(
                    "pages/training.py",
                    label="Train one of your own",
                    icon=":material/model_training:",
                    query_params={"preset": "tour"},
                )
            if number > 1:
                tour_link(number - 1, "Back", ":material/arrow_back:")
            st.page_link("pages/start.py", label="Leave the tour", icon=":material/close:")


def tour_link(number: int, label: str, icon: str) -> None:
    """Show a link to a step, with the view that it begins with."""
    step = STEPS[number - 1]
    st.page_link(f"pages/{step.page}.py", label=label, icon=icon, query_params={**link_of(step), "tour": str(number)})


def link_of(step: Step) -> dict[str, str]:
    """Return what a link to a step names: its view, and the faces or the run that it is about."""
    about = _run_to_show() if step.page == "comparison" else {SOURCE_KEY: source_name(DEMO)}
    return {**step.view, **about}


def _run_to_show() -> dict[str, str]:
    """Return the example that ships, for the link; where it cannot be unpacked, the newest run that finished."""
    example = example_run()
    finished = [run.id for run in list_runs() if run.status.state == "finished" and run.kind == "experiment"]
    shown = [example.id] if example else finished[:1]
    return {"run": shown[0]} if shown else {}
