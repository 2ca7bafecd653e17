"""Asking for mitigation: which methods, what each needs, and the run that applies them."""

from pathlib import Path

import pandas as pd
import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import mitigation_of, unmet_needs
from fairsal_core.mitigation import METHODS
from fairsal_core.runs import Run
from fairsal_core.settings import MethodChoice
from pages.components.shared.choice_form import choose_names, choose_settings, read_choices
from pages.components.shared.words import plain, plain_table, title_of
from pages.components.training.start_run import start_and_follow

_START = ("threshold", "zhang", "p_clarc", "fine_tune")


def mitigate_form(run: Run) -> None:
    """Offer to mitigate a finished run with any set of the methods that fit its classifier."""
    with st.expander("Mitigate this run"):
        st.markdown(
            "Methods start from the *original* of every seed and learn from faces it was not trained on, or, as the table "
            "says, from those it was trained on; strengths, layers and thresholds are chosen on the other held-out split, never on "
            "the test faces. The result is a new run with all "
            "variants of this one and the methods beside them; this run stays as it is."
        )
        key = f"mitigate_methods-{run.id}"
        lacking = _lacking(run.path, run)
        fitting = {name: method for name, method in METHODS.items() if name not in lacking}
        st.session_state.setdefault(key, [name for name in _START if name in fitting])
        choose_names("Methods", fitting, key, "zhang:epochs=5,alphas=0.3+1")
        if lacking:
            said = "; ".join(f"{METHODS.title(name)} ({', '.join(missing)})" for name, missing in lacking.items())
            st.caption(f"Not for this classifier, which lacks what they need: {plain(said)}.")
        contents = choose_settings(METHODS, MethodChoice, key)
        choices = read_choices(MethodChoice, contents)
        if choices:
            methods = list(dict.fromkeys(choice.method for choice in choices))
            st.table(plain_table(needs_table(methods)).set_index("method"))
        faces = st.number_input(
            "Faces to learn from",
            4,
            100_000,
            int(run.config.get("mitigation_faces", 1000)),
            step=100,
            key=f"mitigate_faces-{run.id}",
            help="In equal cells, as far as the train split has enough beside the faces the original was trained on.",
        )
        if st.button("Mitigate", key=f"mitigate-{run.id}", disabled=not choices, icon=":material/play_arrow:"):
            _begin(run, choices, int(faces))


@st.cache_data(max_entries=64, show_spinner=False)
def _lacking(path: Path, _run: Run) -> dict[str, list[str]]:
    """Return what the methods that do not fit the run's classifier lack; a finished run's stays the same."""
    return unmet_needs(_run)


def _begin(run: Run, choices: list[MethodChoice], faces: int) -> None:
    try:
        config = mitigation_of(run, choices, faces)
    except FairsalError as error:
        st.error(plain(error))
        return
    start_and_follow("experiment", config.model_dump(mode="json"), f"{title_of(run)}, mitigated")


def needs_table(methods: list[str]) -> pd.DataFrame:
    """Return what each method does and what it needs, in words."""
    return pd.DataFrame(
        [
            {
                "method": METHODS.title(name),
                "what it does": METHODS[name].description,
                "needs": METHODS[name].needed,
                "learns from": METHODS[name].learns_from,
                "changes": "weights" if METHODS[name].trains else "no weights",
            }
            for name in methods
        ]
    )
