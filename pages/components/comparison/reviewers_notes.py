"""Reviewers' notes, kept with the run."""

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.reports import add_note, read_notes
from pages.components.comparison.desk import Desk
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain, told_variant


@in_one_sentence("The reviewers' notes")
def notes_section(desk: Desk) -> None:
    """Show the notes of a run and let a reviewer add one."""
    run = desk.audit.run.path
    st.subheader("Reviewers' notes")
    with st.form("note", clear_on_submit=True, border=True):
        text = st.text_area("Note", max_chars=4000, placeholder="What was looked at, what was decided, and why")
        columns = st.columns(2)
        author = columns[0].text_input("Who writes", max_chars=200)
        called = {"": "the run"} | {entry.name: entry.label for entry in desk.entries}
        about = columns[1].selectbox("About", list(called), format_func=called.__getitem__)
        sent = st.form_submit_button("Keep the note", icon=":material/note_add:")
    if sent:
        try:
            add_note(run, text, author, about)
        except (FairsalError, OSError) as error:
            st.error(plain(error))
    notes = read_notes(run)
    for note in reversed(notes):
        with st.container(border=True):
            st.text(note.text)
            about_it = f" · {told_variant(note.about)}" if note.about else ""
            st.caption(f"{plain(note.author) or 'unsigned'} · {note.written:%Y-%m-%d %H:%M} UTC{about_it}")
    if not notes:
        st.caption("No notes yet. They are kept in the run's folder and go into its report.")
