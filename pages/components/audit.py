"""What the sections of Comparison are about: one finished run, read from its directory."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import Run, accuracy_and_gap, list_runs, over_all_seeds, read_results
from fairsal_core.files import read_json
from pages.components.words import plain, title_of

RESULTS = "results.parquet"


@dataclass(frozen=True)
class Audit:
    """A finished run as the sections see it; its directory, `run.path`, holds whatever else a section wants.

    Attributes
    ----------
    run : Run
        The run that was chosen.
    results : pandas.DataFrame
        All its rows, as from `results_table`.
    subsets : mapping
        Content of `subsets.json`: counts of the training subsets and of the test set.
    """

    run: Run
    results: pd.DataFrame
    subsets: Mapping[str, Any]

    @property
    def target(self) -> str:
        return str(self.run.config["target"])

    @property
    def confounder(self) -> str:
        return str(self.run.config["confounder"])

    @cached_property
    def pooled(self) -> pd.DataFrame:
        """The results over all seeds, accuracies and gaps alone."""
        return over_all_seeds(accuracy_and_gap(self.results))

    @cached_property
    def pooled_metrics(self) -> pd.DataFrame:
        """The results over all seeds, every metric."""
        return over_all_seeds(self.results)


def read_audit(run: Run) -> Audit:
    """Read a finished run; one that cannot be read ends the page with a sentence."""
    try:
        return _read(run.path, (run.path / RESULTS).stat().st_mtime, run)
    except (FairsalError, OSError, ValueError) as error:
        st.error(f"The results of run {run.id} cannot be read: {plain(error)}")
        st.stop()


@st.cache_data(max_entries=16, show_spinner=False)
def _read(path: Path, changed: float, _run: Run) -> Audit:
    return Audit(_run, read_results(path), read_json(path / "subsets.json"))


def choose_audit() -> Audit:
    """Show the choice of run, begun by the link's `run`, and return the chosen one; ends the page where there is none."""
    runs = [run for run in list_runs() if run.status.state == "finished" and run.kind == "experiment"]
    if not runs:
        st.info(
            "No run has finished yet. Train one, and its results appear here: accuracy for each subgroup, with intervals."
        )
        st.page_link("pages/training.py", label="Open Training", icon=":material/model_training:")
        st.stop()
    return read_audit(_choose_run(runs))


def _choose_run(runs: list[Run]) -> Run:
    ids = [run.id for run in runs]
    wanted = st.query_params.get("run")
    if wanted and wanted not in ids:
        st.warning(f"There is no finished run '{plain(wanted)}'; the newest is shown instead.")
    labels = {run.id: f"{title_of(run)} · {run.created:%Y-%m-%d %H:%M} · {run.id}" for run in runs}
    chosen = st.selectbox(
        "Run", ids, index=ids.index(wanted) if wanted in ids else 0, format_func=lambda run_id: labels[run_id]
    )
    st.query_params["run"] = chosen
    return runs[ids.index(chosen)]
