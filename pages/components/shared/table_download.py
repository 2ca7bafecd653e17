"""A table as a file."""

import pandas as pd
import streamlit as st

from fairsal_core.spreadsheets import as_csv, as_spreadsheet_csv


def offer_table(table: pd.DataFrame, label: str, stem: str) -> None:
    """Offer a table as CSV, plain or as spreadsheets read it; either is made when it is asked for."""
    with st.popover(label, icon=":material/table:", width="stretch"):
        st.download_button(
            "CSV",
            lambda: as_csv(table).encode(),
            f"{stem}.csv",
            "text/csv",
            key=f"csv-{stem}",
            on_click="ignore",
            width="stretch",
        )
        st.download_button(
            "CSV for spreadsheets",
            lambda: as_spreadsheet_csv(table),
            f"{stem}-spreadsheet.csv",
            "text/csv",
            key=f"spreadsheet-{stem}",
            on_click="ignore",
            width="stretch",
            help="With the mark by which Excel and others know that names are in UTF-8.",
        )
