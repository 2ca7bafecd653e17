"""The tables of predictions: uploaded, kept in the workspace by what is in them, and named in the link."""

from pathlib import Path
from typing import Any

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.results import TABLE_SUFFIXES, keep_table, kept_table
from pages.components.audit.subjects import wanted_subjects
from pages.components.shared.words import plain

_EXAMPLE = "file_name,score\n000001.jpg,0.93\n000002.jpg,0.12"


def choose_tables() -> dict[str, Any]:
    """Show where tables are uploaded and how they are read; return the settings, nothing while there is none."""
    uploads = st.file_uploader(
        "Predictions: a table with the faces' file names and a score or a decision, one file or several",
        type=list(TABLE_SUFFIXES),
        accept_multiple_files=True,
        key="audit_uploads",
        help="CSV, TSV, semicolons, Parquet or JSON lines. A column 'model' tells several models apart, or each has its own file.",
    )
    try:
        files = [keep_table(upload.getvalue(), upload.name) for upload in uploads] or _of_the_link()
    except (FairsalError, OSError) as error:
        st.error(plain(error))
        return {}
    st.query_params["predictions"] = [f"{file.parent.name}/{file.name}" for file in files]
    if not files:
        if wanted_subjects():
            return {}
        st.info(
            "Nothing was brought yet. A table as short as this one is enough; file names may also be paths, numbers or "
            "without an ending:"
        )
        st.code(_EXAMPLE, language=None)
        return {}
    return {"predictions": list(map(str, files)), **_reading()}


def _of_the_link() -> list[Path]:
    return [kept_table(name) for name in st.query_params.get_all("predictions")]


def _reading() -> dict[str, Any]:
    """Show how scores become decisions and which column is which, and return the settings."""
    with st.expander("How these tables are read"):
        first, second, third = st.columns([2, 2, 3])
        scores = first.segmented_control(
            "Scores are",
            ["probabilities", "logits"],
            default="probabilities",
            required=True,
            key="audit_scores",
            bind="query-params",
        )
        rule = second.segmented_control(
            "Decisions",
            ["threshold", "validation"],
            default="threshold",
            required=True,
            key="audit_rule",
            bind="query-params",
            format_func={"threshold": "at a threshold", "validation": "chosen on validation"}.__getitem__,
            help="Where a table gives decisions, they stand. A threshold is never chosen on the faces that are judged on.",
        )
        number = second.number_input(
            "Threshold", 0.0, 1.0, 0.5, 0.05, key="audit_threshold", disabled=rule == "validation"
        )
        columns = third.text_input(
            "Columns",
            key="audit_columns",
            bind="query-params",
            placeholder="looked at; or score=p1,model=name",
            help="face, score, decision, label or model, each with the column that holds it.",
        )
    return {"scores": scores, "threshold": "validation" if rule == "validation" else number, "columns": columns or {}}
