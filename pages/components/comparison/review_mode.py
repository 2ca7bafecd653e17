"""Review mode: the same sections in five steps, one at a time and without a sidebar, for people around one screen."""

from collections.abc import Callable

import streamlit as st

from fairsal_core.metrics import words_of
from fairsal_core.reports import read_acceptance
from pages.components.comparison.attention import attention_tab
from pages.components.comparison.classroom import faces_of_a_student, poll
from pages.components.comparison.decision import decision_section
from pages.components.comparison.desk import Desk
from pages.components.comparison.lock import lock_popover
from pages.components.comparison.summary import answer_section, cells_section
from pages.components.comparison.verdicts import verdicts_section
from pages.components.comparison.who_was_tested import tested_section
from pages.components.shared.words import plain

STEP, CLASS = "review", "class"
_ALONE = "<style>[data-testid=stSidebar], [data-testid=stExpandSidebarButton] { display: none }</style>"


def review_step() -> int | None:
    """Return which step the link names, 1 to 5; None outside the review."""
    text = st.query_params.get(STEP, "")
    return int(text) if text.isdigit() and 1 <= int(text) <= len(STEPS) else None


def offer_review() -> None:
    """Offer to begin the review."""
    st.button(
        "Review mode",
        icon=":material/slideshow:",
        on_click=_go,
        args=(1,),
        help="Five steps on the whole screen.",
    )


def review(desk: Desk, number: int) -> None:
    """Show one step of the review, with the way on: the arrow keys do it too."""
    title, show = list(STEPS.items())[number - 1]
    st.html(_ALONE)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Back", key="review_back", on_click=_go, args=(number - 1,), disabled=number == 1, shortcut="Left")
        st.button(
            "On",
            key="review_on",
            on_click=_go,
            args=(number + 1,),
            disabled=number == len(STEPS),
            shortcut="Right",
        )
        st.button("Leave the review", key="review_leave", on_click=_go, args=(0,), shortcut="Escape")
        st.toggle(
            "For a class", key=CLASS, bind="query-params", help="A poll before the reveal, and faces for each student."
        )
    st.header(f"{number}. {title}")
    show(desk)


def _go(number: int) -> None:
    if number:
        st.query_params[STEP] = str(number)
    else:
        st.query_params.pop(STEP, None)


def _question(desk: Desk) -> None:
    """Say what is asked, and let the limits be agreed on before anything is shown."""
    audit, candidate = desk.audit, desk.candidate or desk.reference
    st.markdown(
        f"May *{plain(candidate.label)}* be used to tell **{plain(audit.target)}** from a face, and for what? Or does it lean on "
        f"**{plain(audit.confounder)}**? It is compared with *{plain(desk.reference.label)}*."
    )
    limits = read_acceptance(audit.run.path).limits
    st.markdown(
        "**What is demanded** · " + ", ".join(f"{plain(words_of(name))}: {limit:g}" for name, limit in limits.items())
    )
    lock_popover(audit)


def _tested(desk: Desk) -> None:
    tested_section(desk)
    if st.session_state.get(CLASS):
        faces_of_a_student(desk)


def _verdict(desk: Desk) -> None:
    if st.session_state.get(CLASS) and not poll(desk):
        return
    answer_section(desk)
    cells_section(desk)
    verdicts_section(desk)


STEPS: dict[str, Callable[[Desk], None]] = {
    "The question": _question,
    "Who was tested": _tested,
    "The verdict": _verdict,
    "Where it looks": attention_tab,
    "The decision": decision_section,
}
