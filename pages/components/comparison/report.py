"""The report of a run, to file."""

import tempfile
from pathlib import Path

import streamlit as st

from fairsal_core.drawing import DEMO
from fairsal_core.errors import FairsalError
from fairsal_core.reports import command_line, report_zip, write_report
from pages.components.comparison.audit import Audit
from pages.components.comparison.desk import Desk
from pages.components.shared.table_download import offer_table
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain


@st.fragment
@in_one_sentence("The report")
def report_section(desk: Desk) -> None:
    """Offer the run's report: one HTML file, or everything as a ZIP archive."""
    run = desk.audit.run
    st.subheader("Report")
    st.write(
        "One file with the verdicts, tables, figures, settings, versions and notes of this run. It opens without a network "
        "and prints."
    )
    command = _command(desk.audit)
    drawn = run.config["data"] == DEMO
    faces = st.checkbox(
        "Include test faces",
        value=drawn and not desk.audit.waits_for_faces,
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
            disabled=not command,
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
            disabled=not command,
            width="stretch",
        )
    with columns[2]:
        offer_table(desk.audit.results, "All results", f"{run.id}-results")
    if not command:
        return
    st.caption("The same run, and the same report, without a browser:")
    st.code(
        f"{command}\npython -m fairsal_core report {run.id} {'--faces' if faces else '--no-faces'}",
        language=None,  # its colours of words stand out too little
        wrap_lines=True,
    )


def _command(audit: Audit) -> str:
    """Return the command line that repeats the run; nothing, and a sentence, where its settings cannot be read."""
    try:
        return command_line(audit.config)
    except FairsalError as error:
        st.warning(f"This run cannot be reported or repeated here, since its settings cannot be read: {plain(error)}")
        return ""


def _html(desk: Desk, faces: bool) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        return write_report(desk.audit.run, Path(scratch), faces=faces).html.read_bytes()


def _zip(desk: Desk, faces: bool) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        return report_zip(desk.audit.run, Path(scratch), faces=faces)
