"""What a finished audit of classifiers found that no other page shows: what hiding a region changes."""

import streamlit as st

from fairsal_core.results import hidden_in_words, read_hidden
from fairsal_core.runs import Run
from fairsal_core.settings import with_titles
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain


@in_one_sentence("What hiding changes")
def hidden_section(run: Run) -> None:
    """Show how many decisions change when the region is hidden, by group; nothing for a run that hid none."""
    hidden = read_hidden(run.path)
    if hidden.empty:
        return
    st.subheader("What hiding changes")
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
