"""Sweeps: many experiments with one button, and their one table."""

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import (
    SWEEPS,
    Run,
    SweepConfig,
    checked_settings,
    papers_format,
    plan_trials,
    read_sweep,
    sweep_settings,
)
from pages.components.begin import begin_and_watch
from pages.components.places import cluster_address
from pages.components.words import plain


def sweep_form(source: str) -> None:
    """Show the sweeps there are, and start one on the chosen faces."""
    with st.expander("Sweep: many experiments, one table"):
        name = st.selectbox(
            "Sweep", list(SWEEPS), format_func=lambda name: SWEEPS[name].description, key="sweep_preset"
        )
        columns = st.columns(3)
        seeds = columns[0].number_input("Seeds of each", 1, 20, 5, key="sweep_seeds")
        fit = columns[1].checkbox("Scale counts to fit", True, key="sweep_fit", help="To what these faces allow.")
        content = sweep_settings(str(name)) | {"fit": fit}
        content["trials"] = [
            {**trial, "data": source, "seeds": list(range(int(seeds)))} for trial in content.get("trials", [{}])
        ]
        address = cluster_address()
        if address and st.checkbox(f"On the Ray cluster at {address}", key="sweep_on_cluster"):
            content |= {"engine": "ray", "address": address}
        try:
            sweep = checked_settings(SweepConfig, content)
            trials = plan_trials(sweep)
        except FairsalError as error:
            st.error(plain(error))
            return
        st.caption(
            f"{len(trials)} experiments: "
            + "; ".join(f"{trial.target} × {trial.confounder}, {len(trial.schemes)} schemes" for trial in trials)
            + ". Finished ones are reused; one that fails leaves the others alone."
        )
        if columns[2].button("Start the sweep", key="start_sweep", icon=":material/play_arrow:"):
            begin_and_watch("sweep", sweep.model_dump(mode="json"), sweep.name)


def show_sweep(run: Run) -> None:
    """Show the trials of a sweep and, when it has ended, its table."""
    try:
        trials, table, quantiles = read_sweep(run.path)
    except FairsalError:  # it has not planned them yet
        return
    st.dataframe([vars(trial) for trial in trials], hide_index=True, key=f"trials-{run.id}")
    if table.empty:
        return
    st.markdown("**In the paper's format** · ours [95% interval over seeds and faces] (published)")
    st.dataframe(papers_format(table), hide_index=True, key=f"table-{run.id}")
    st.caption(
        "`authors` marks how the authors' code evaluates each scheme: treated faces, but clean ones for specific_mask. "
        "Deltas are paired differences to the original on the same faces and seeds."
    )
    if not quantiles.empty:
        st.markdown("**Best quantile** · chosen on validation faces and, as the paper does, on the test faces")
        st.dataframe(quantiles.round(3), hide_index=True, key=f"quantiles-{run.id}")
    st.download_button(
        "Download the table (CSV)", table.to_csv(index=False), f"{run.id}.csv", "text/csv", key=f"csv-{run.id}"
    )
