"""The causal check that an audit of classifiers leaves: what hiding a region changes."""

import pandas as pd
import streamlit as st

from fairsal_core.results import hidden_in_words, read_hidden
from fairsal_core.runs import Run, RunFiles
from fairsal_core.settings import with_titles
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain

TITLE = "What hiding changes"


def has_hidden(run: Run) -> bool:
    """Return whether a run left such a check; whether it can be read is said where it is shown."""
    return RunFiles(run.path).hidden.is_file()


@in_one_sentence(TITLE)
def hidden_section(run: Run) -> None:
    """Show how many decisions change when the region is hidden, by group; nothing for a run that hid none."""
    hidden = read_hidden(run.path)
    if hidden.empty:
        return
    st.subheader(TITLE)
    show_hidden(run, hidden)


def show_hidden(run: Run, hidden: pd.DataFrame) -> None:
    """Show rows as `read_hidden` gives them."""
    st.dataframe(
        with_titles(hidden_in_words(hidden)),
        hide_index=True,
        alt="Decisions that change when a region is hidden, by group",
    )
    st.caption(
        f"The share of decisions that is another once the region of {plain(run.config['confounder'])} is hidden, with its 95% "
        "interval, beside the share with as many pixels hidden where the region map is lowest. Any mask changes some decisions: "
        "what counts is the difference."
    )
