"""What the sections of Comparison are about: one finished run, read from its directory."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.faces import Counts, counts_kept
from fairsal_core.results import (
    accuracy_and_gap,
    check_comparable,
    check_predictions,
    check_results,
    check_subsets,
    over_all_seeds,
    read_predictions,
    read_results,
)
from fairsal_core.runs import (
    Run,
    RunFiles,
    example_run,
    is_example,
    list_runs,
    read_content,
    recorded_versions,
    standing,
)
from fairsal_core.settings import COMPARED, AuditConfig, ExperimentConfig, run_settings
from pages.components.shared.data import waits_for_faces
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import called, plain

_READ_ONLY = "It can be read, and nothing is added to it: no notes, thresholds or explanations."
_NOT_OURS = {
    "not made here": "This run was not made here.",
    "not verified": "This run is not verified: it has no manifest, so nobody can say whether its files changed.",
}


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
    def waits_for_faces(self) -> bool:
        """Whether its faces would have to be drawn first, which takes minutes: so it is with the example in an empty workspace."""
        return waits_for_faces(self.run)

    @property
    def target(self) -> str:
        return str(self.run.config["target"])

    @property
    def confounder(self) -> str:
        return str(self.run.config["confounder"])

    @property
    def tested(self) -> Counts:
        """The test faces of each cell."""
        return counts_kept(self.subsets["test"])

    @property
    def config(self) -> ExperimentConfig | AuditConfig:
        """The run's settings; FairsalError where they name what is not installed, or are of another version."""
        return run_settings(self.run.kind, self.run.config)

    @cached_property
    def pooled(self) -> pd.DataFrame:
        """The results over all seeds, accuracies and gaps alone."""
        return over_all_seeds(accuracy_and_gap(self.results))

    @cached_property
    def pooled_metrics(self) -> pd.DataFrame:
        """The results over all seeds, every metric."""
        return over_all_seeds(self.results)


def read_audit(run: Run) -> Audit | None:
    """Return a finished run; None, and a sentence, for one that cannot be read, or holds something else than a run leaves."""
    files = RunFiles(run.path)
    try:
        changed = tuple(file.stat().st_mtime for file in (files.results, files.subsets, files.predictions))
        return _read(run.path, changed, run)
    except (FairsalError, OSError, ValueError) as error:
        st.error(f"Run {run.id} cannot be compared: {plain(error)}")
        return None


@st.cache_data(max_entries=16, show_spinner=False)
def _read(path: Path, changed: tuple[float, ...], _run: Run) -> Audit:
    check_comparable(_run.id, _run.config)
    audit = Audit(_run, read_results(path), read_content(path, RunFiles(path).subsets))
    check_subsets(_run.id, audit.subsets)
    check_results(_run.id, audit.results, audit.target, audit.confounder, audit.tested)
    check_predictions(_run.id, read_predictions(path), audit.tested)
    return audit


def finished_or_stop() -> list[Run]:
    """Return the finished runs, newest first, and last the example that ships.

    Where there is neither, a sentence says what to do and the page ends.
    """
    runs = [run for run in list_runs() if run.status.state == "finished" and run.kind in COMPARED]
    example = example_run()
    if example:
        return [*runs, example]
    if not runs:
        st.info(
            "No run has finished yet. Train one, and its results appear here: accuracy for each subgroup, with intervals."
        )
        st.page_link("pages/training.py", label="Open Training", icon=":material/model_training:")
        st.stop()
    return runs


def choose_run(runs: list[Run]) -> Run:
    """Show the choice of run, begun by the link's `run`, and return the chosen one."""
    ids = [run.id for run in runs]
    wanted = st.query_params.get("run")
    if wanted and wanted not in ids:
        st.warning(f"There is no finished run '{plain(wanted)}'; the newest is shown instead.")
    labels = {run.id: f"{called(run)} · {run.created:%Y-%m-%d %H:%M} · {run.id}" for run in runs}
    chosen = st.selectbox(
        "Run", ids, index=ids.index(wanted) if wanted in ids else 0, format_func=lambda run_id: labels[run_id]
    )
    st.query_params["run"] = chosen
    return runs[ids.index(chosen)]


@in_one_sentence("Where the run is from")
def standing_note(audit: Audit) -> None:
    """Say it where a run was not made here; a run that was damaged since it was read ends the page with a sentence."""
    try:
        made = standing(audit.run.path)
    except FairsalError as error:  # damaged since its results were read
        st.error(plain(error))
        st.stop()
    if is_example(audit.run):
        st.info(
            "This is the example that ships with fairsal, on drawn faces; nothing is added to it. Your own runs appear here too.",
            icon=":material/school:",
        )
    elif made != "made here":
        st.warning(f"{_NOT_OURS[made]} {_READ_ONLY}", icon=":material/lock:")


@in_one_sentence("What is compared")
def audit_caption(audit: Audit) -> None:
    """Say in one line what is compared, on how many faces, over how many seeds."""
    seeds = audit.run.config["seeds"]
    trained = bool(audit.subsets["train"])
    of_seeds = f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''} · " if trained else ""
    phi = audit.subsets["phi"]  # None of an attribute of several values
    about = "training subset" if trained else "these faces, as common as they are:"
    together = "" if phi is None else f"{about} φ = {phi:+.2f} · "
    st.caption(
        f"{plain(audit.target)} × {plain(audit.confounder)} · {of_seeds}"
        f"{audit.pooled['n'].max():,} test faces in equal cells · {together}"
        "95% intervals over faces" + (" and seeds" if len(seeds) > 1 else "")
    )


@in_one_sentence("The settings")
def settings_section(audit: Audit) -> None:
    """Show the settings of the run and its training faces, as they are stored."""
    with st.expander("Settings and training faces of this run"):
        try:
            made_with = recorded_versions(audit.run.path)
        except FairsalError as error:
            st.error(plain(error))
            return
        st.json(
            {"config": dict(audit.run.config), "subsets": dict(audit.subsets), "computed with": made_with}, expanded=1
        )
