"""What a review leaves behind: notes kept with the run, and a report to file."""

import tempfile
from pathlib import Path

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import parse_config
from fairsal_core.faces import DEMO
from fairsal_core.reports import add_note, command_line, read_notes, report_zip, write_report
from pages.components.desk import Desk
from pages.components.words import plain


def notes_section(desk: Desk) -> None:
    """Show the notes of a run and let a reviewer add one."""
    run = desk.audit.run.path
    st.subheader("Reviewers' notes")
    with st.form("note", clear_on_submit=True, border=True):
        text = st.text_area("Note", max_chars=4000, placeholder="What was looked at, what was decided, and why")
        columns = st.columns(2)
        author = columns[0].text_input("Who writes", max_chars=200)
        about = columns[1].selectbox("About", ["the run", *(entry.label for entry in desk.entries)])
        sent = st.form_submit_button("Keep the note", icon=":material/note_add:")
    if sent:
        try:
            add_note(run, text, author, "" if about == "the run" else about)
        except (FairsalError, OSError) as error:
            st.error(plain(error))
    notes = read_notes(run)
    for note in reversed(notes):
        with st.container(border=True):
            st.text(note.text)
            about_it = f" · {note.about}" if note.about else ""
            st.caption(f"{note.author or 'unsigned'} · {note.written:%Y-%m-%d %H:%M} UTC{about_it}")
    if not notes:
        st.caption("No notes yet. They are kept in the run's folder and go into its report.")


@st.fragment
def report_section(desk: Desk) -> None:
    """Offer the run's report: one HTML file, or everything as a ZIP archive."""
    run = desk.audit.run
    st.subheader("Report")
    st.write(
        "One file with the verdicts, tables, figures, settings, versions and notes of this run. It opens without a network "
        "and prints."
    )
    drawn = run.config["data"] == DEMO
    faces = st.checkbox(
        "Include test faces",
        value=drawn,
        key=f"report_faces-{run.id}",
        help="Drawn faces depict nobody. Others may be real people: include them only if you may.",
    )
    columns = st.columns(3)
    with columns[0]:
        st.download_button(
            "Report (HTML)",
            lambda: _html(desk, faces),
            file_name=f"{run.id}.html",
            mime="text/html",
            icon=":material/description:",
            on_click="ignore",
            width="stretch",
        )
    with columns[1]:
        st.download_button(
            "Report, tables, model cards (ZIP)",
            lambda: _zip(desk, faces),
            file_name=f"{run.id}.zip",
            mime="application/zip",
            icon=":material/folder_zip:",
            on_click="ignore",
            width="stretch",
        )
    with columns[2]:
        st.download_button(
            "All results (CSV)",
            lambda: desk.audit.results.to_csv(index=False).encode(),
            file_name=f"{run.id}-results.csv",
            mime="text/csv",
            icon=":material/table:",
            on_click="ignore",
            width="stretch",
        )
    st.caption("The same run, and the same report, without a browser:")
    st.code(
        f"{command_line(parse_config(dict(run.config)))}\n"
        f"python -m fairsal_core report {run.id} {'--faces' if faces else '--no-faces'}",
        language="bash",
        wrap_lines=True,
    )


def _html(desk: Desk, faces: bool) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        return write_report(desk.audit.run, Path(scratch), faces=faces).html.read_bytes()


def _zip(desk: Desk, faces: bool) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        return report_zip(desk.audit.run, Path(scratch), faces=faces)
