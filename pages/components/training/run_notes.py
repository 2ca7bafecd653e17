"""Notes on a run, kept with it and shown in its report."""

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.reports import add_note, read_notes
from fairsal_core.runs import Run
from pages.components.shared.words import plain


def run_notes(run: Run) -> None:
    """Show the notes of a run, and keep another."""
    notes = read_notes(run.path)
    with st.expander(f"Notes on this run ({len(notes)})"):
        for note in notes:
            st.text(f"{note.written:%Y-%m-%d %H:%M} UTC, {note.author or 'unsigned'}: {note.text}")
        text = st.chat_input("Add a note", key=f"note-{run.id}")
        if text:
            try:
                add_note(run.path, str(text))
            except (FairsalError, OSError) as error:
                st.error(plain(error))
                return
            st.rerun()
