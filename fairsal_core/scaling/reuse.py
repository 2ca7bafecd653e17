"""Whether a finished run may stand for one that is asked for."""

from collections.abc import Sequence

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import outdated
from fairsal_core.faces import FaceDataset
from fairsal_core.runs import Run, check_run, list_runs, load_run, recorded_versions, standing
from fairsal_core.settings import ExperimentConfig, parse_config


def why_not(run: Run, config: ExperimentConfig, faces: FaceDataset) -> str | None:
    """Return why a finished run is not what the config gives on these faces now; None if it may stand for it.

    It may if it was made here, all its files are what they were then, and it was computed of the same faces and labels by the
    same versions (`outdated`).
    """
    try:
        check_run(run.path)
        made = standing(run.path)
        if made != "made here":
            return f"it is {made}"
        if parse_config(dict(run.config)).key != config.key:
            return "it has other settings"
        return outdated(recorded_versions(run.path), config, faces)
    except FairsalError as error:
        return str(error)


def reusable(candidates: Sequence[Run], config: ExperimentConfig, faces: FaceDataset) -> tuple[Run | None, list[str]]:
    """Return the first finished run that may stand for the config's, and why those before it may not."""
    refused: list[str] = []
    for run in candidates:
        reason = why_not(load_run(run.path), config, faces)
        if reason is None:
            return run, refused
        refused.append(f"{run.id} is not reused: {reason}")
    return None, refused


def finished_runs(key: str) -> list[Run]:
    """Return the finished experiments with settings of this key, newest first."""
    found = []
    for run in list_runs():
        if run.kind == "experiment" and run.status.state == "finished":
            try:
                if parse_config(dict(run.config)).key == key:
                    found.append(run)
            except FairsalError:  # of another version, or not ours
                continue
    return found
