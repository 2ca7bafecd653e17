"""Asking for a sweep: many experiments with one button."""

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset
from fairsal_core.settings import SWEEPS, SweepConfig, checked_settings, plan_trials, sweep_settings
from pages.components.shared.estimate import ask_cost
from pages.components.shared.words import plain
from pages.components.training.places import cluster_address
from pages.components.training.start_run import start_and_follow


def sweep_form(source: str, faces: FaceDataset) -> None:
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
        if address and st.checkbox(f"On the Ray cluster at {plain(address)}", key="sweep_on_cluster"):
            content |= {"engine": "ray", "address": address}
        try:
            sweep = checked_settings(SweepConfig, content)
            trials = plan_trials(sweep)
        except FairsalError as error:
            st.error(plain(error))
            return
        st.caption(
            f"{len(trials)} experiments: "
            + "; ".join(
                f"{plain(trial.target)} × {plain(trial.confounder)}, {len(trial.schemes)} schemes" for trial in trials
            )
            + ". Finished ones are reused; one that fails leaves the others alone."
        )
        if columns[2].button("Start the sweep", key="start_sweep", icon=":material/play_arrow:"):
            start_and_follow("sweep", sweep.model_dump(mode="json"), sweep.name)
        ask_cost("sweep", sweep, lambda source: faces, "sweep_cost")
