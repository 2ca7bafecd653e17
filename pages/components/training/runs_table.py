"""All runs in a table."""

import pandas as pd
import streamlit as st

from fairsal_core.runs import TERMINAL, list_runs
from fairsal_core.settings import variant_title
from pages.components.training.places import where_jobs_run
from pages.components.training.run_settings import settings_of


def runs_section() -> None:
    """List earlier runs, kept up to date while one of them is going; choosing one shows it."""
    st.subheader("Runs")
    where_jobs_run()
    going = any(run.status.state not in TERMINAL for run in list_runs())
    st.fragment(_runs_table, run_every=2.0 if going else None)()


def _runs_table() -> None:
    runs = list_runs()
    if not runs:
        st.info(
            "No runs yet. The settings above are ready to go: the drawn faces take under three minutes on two cores."
        )
        return
    table = pd.DataFrame(
        [
            {
                "run": run.id,
                "state": run.status.state,
                "progress": round(run.status.fraction, 2),
                "created": run.created,
                "target": config.target if config else None,
                "confounder": config.confounder if config else None,
                "schemes": "; ".join(variant_title(choice.name) for choice in config.schemes) if config else None,
                "seeds": len(config.seeds) if config else None,
            }
            for run, config in ((run, settings_of(run)) for run in runs)
        ]
    )
    event = st.dataframe(
        table,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="runs",
        column_config={
            "progress": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1),
            "created": st.column_config.DatetimeColumn("created (UTC)", format="YYYY-MM-DD HH:mm"),
        },
    )
    rows = event["selection"]["rows"]
    if rows and st.query_params.get("run") != runs[rows[0]].id:
        st.query_params["run"] = runs[rows[0]].id
        st.rerun()
