"""What the Scan page is about: one classifier's judgements of a run, of all its faces or of a cohort."""

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset
from fairsal_core.runs import Run, RunFiles, example_run, is_there, list_runs
from fairsal_core.scan import (
    Judged,
    Subject,
    attributes_of,
    data_of,
    judged_by,
    list_cohorts,
    read_cohort,
    scan,
    subjects_of,
)
from pages.components.comparison.stored import predictions_of
from pages.components.shared.data import get_faces_of
from pages.components.shared.words import called, plain

EVERYBODY = "All judged faces"


@dataclass(frozen=True)
class View:
    """What is looked at.

    Attributes
    ----------
    run, subject : Run, Subject
        The run, and whose predictions in it.
    judged : Judged
        They, of the faces that are looked at.
    data : str
        The set that these are of.
    faces : FaceDataset
        Those faces, in the order of `judged`.
    cohort : str
        The name of the cohort; empty for all.
    """

    run: Run
    subject: Subject
    judged: Judged
    data: str
    faces: FaceDataset
    cohort: str

    @property
    def attributes(self) -> pd.DataFrame:
        """Their attributes, without the target."""
        return attributes_of(self.faces, self.judged)

    @property
    def key(self) -> tuple[str, float, Subject, int]:
        """What tells what is looked at from all else, for caches."""
        return str(self.run.path), stamp_of(self.run), self.subject, hash(tuple(self.judged.faces))


def choose_view() -> View:
    """Show the choice of run, classifier and cohort, each part of the link, and return what was chosen."""
    example = example_run()
    runs = {run.id: run for run in [*list_runs(), *([example] if example else [])] if _can_be_scanned(run)}
    if not runs:
        st.info("No finished run has predictions yet. Train one, and every attribute is compared here.")
        st.page_link("pages/training.py", label="Open Training", icon=":material/model_training:")
        st.stop()
    first, second, third = st.columns([3, 2, 2])
    with first:
        run = runs[_from_link("run", list(runs), "Run", {each.id: _title(each) for each in runs.values()})]
    try:
        data = data_of(run)
        faces = get_faces_of(run)
        known = subjects_of(predictions_of(run.path, stamp_of(run)))
        with second:
            names = {each.name: each for each in known}
            subject = names[_from_link("subject", list(names), "Classifier")]
        with third:
            cohorts = [EVERYBODY, *(each.name for each in list_cohorts(data))]
            cohort = _from_link("cohort", cohorts, "Faces")
        judged = judged_by(run, subject)
        if cohort != EVERYBODY:
            judged = judged.only(frozenset(read_cohort(cohort).faces))
        attributes_of(faces, judged)
    except (FairsalError, OSError) as error:
        st.error(plain(error))
        st.stop()
    own = faces.take(faces.names.get_indexer(judged.faces))
    st.caption(
        f"{plain(subject.name)} · target {plain(judged.target)} · {len(judged.faces):,} test faces"
        + (f" of the cohort *{plain(cohort)}*" if cohort != EVERYBODY else "")
        + " · this network alone: another seed may differ"
    )
    return View(run, subject, judged, data, own, "" if cohort == EVERYBODY else cohort)


@st.cache_data(max_entries=64, show_spinner="Comparing every attribute …")
def scanned(key: object, depth: int, _view: View) -> pd.DataFrame:
    """Return the scan of what is looked at."""
    return scan(_view.judged.yes, _view.judged.has, _view.attributes, threshold=None, depth=depth)


def stamp_of(run: Run) -> float:
    """Return when a run's predictions were written."""
    return RunFiles(run.path).predictions.stat().st_mtime


def _can_be_scanned(run: Run) -> bool:
    if run.status.state != "finished" or not {"data", "target"} <= set(run.config):
        return False
    return is_there(run.path, RunFiles(run.path).predictions)


def _title(run: Run) -> str:
    return f"{called(run)} · {run.created:%Y-%m-%d %H:%M} · {run.id}"


def _from_link(key: str, options: list[str], label: str, names: dict[str, str] | None = None) -> str:
    """Show a choice that is part of the link; what the link names and is not there is said."""
    state = f"scan_{key}"
    if st.session_state.get(state) not in options:
        wanted = st.query_params.get(key)
        if wanted and wanted not in options:
            st.warning(f"There is no {key} '{plain(wanted)}' here; '{plain(options[0])}' is shown instead.")
        st.session_state[state] = wanted if wanted in options else options[0]
    chosen = str(st.selectbox(label, options, key=state, format_func=lambda name: (names or {}).get(name, name)))
    st.query_params[key] = chosen
    return chosen
