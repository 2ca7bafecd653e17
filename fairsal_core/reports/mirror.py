"""A finished run, copied to an MLflow server: for teams who compare there. The run directory stays the truth."""

import json
import math
import os
import re
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from fairsal_core.errors import FairsalError, sentence
from fairsal_core.reports.writing import write_report
from fairsal_core.results import accuracy_and_gap, over_all_seeds, read_results
from fairsal_core.runs import Event, Run, RunFiles, holding, read_events
from fairsal_core.settings import COMPARED

TRACKING_URI = "MLFLOW_TRACKING_URI"
RUN_TAG = "fairsal.run"  # by which a run that was mirrored before is found again
_EXPERIMENT = "fairsal"
_NOT_IN_NAMES = re.compile(r"[^\w\-. /]+", re.ASCII)
_LONGEST_VALUE, _LONGEST_NAME = 6000, 250
_MOST_PARAMETERS, _MOST_METRICS = 100, 1000  # in one request
_LONGEST_REASON = 300
# The client's own defaults try for minutes, print to stdout, and tell its makers that it is used.
_MANNERS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def mirror_run(run: Run, uri: str, seconds: int = 600) -> str:
    """Copy a finished run to an MLflow server, and return the id it has there.

    Parameters: every setting. Metrics: every number the run told while it worked, step by step, and the accuracies and gaps
    of its results. Files: configuration, tables, weights, log and, of an experiment, the report. Mirrored again, it is the
    same MLflow run with the same points; files are replaced.

    Parameters
    ----------
    run : Run
        A finished run.
    uri : str
        The server, as in MLFLOW_TRACKING_URI.
    seconds : int
        After which it is given up.

    Raises
    ------
    FairsalError
        If the run has not finished, mlflow is not installed, or the server does not do its part.
    """
    if run.status.state != "finished":
        raise FairsalError(f"The run {run.id} is {run.status.state}: only a finished one is mirrored.")
    for name, value in _MANNERS.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise FairsalError(
            f"Mirroring to {uri} needs mlflow; install it with: pip install -r requirements-mlflow.txt"
        ) from error
    try:
        return _within(seconds, lambda: _copy_alone(MlflowClient(uri), run))
    except (MlflowException, OSError) as error:
        reason = sentence(error)[:_LONGEST_REASON]
        raise FairsalError(f"The run {run.id} could not be mirrored to {uri}: {reason}") from error


def _copy_alone(client: Any, run: Run) -> str:
    with holding(run.path / ".mirror.lock"):
        return _copy(client, run)


def _copy(client: Any, run: Run) -> str:
    from mlflow.entities import Metric, Param, RunTag

    there = _run_there(client, run)
    for parameters in _parts(list(_parameters(run.config)), _MOST_PARAMETERS):
        client.log_batch(there, params=[Param(name, value) for name, value in parameters])
    points = [*_told(read_events(run.path)[0]), *_results(run)]
    for some in _parts(points, _MOST_METRICS):
        client.log_batch(there, metrics=[Metric(*point) for point in some])
    for path in _files(run.path):
        client.log_artifact(there, str(path), str(path.parent.relative_to(run.path)).removeprefix("."))
    if run.kind in COMPARED:
        with tempfile.TemporaryDirectory() as scratch:
            write_report(run, Path(scratch))
            client.log_artifacts(there, scratch, "report")
    client.log_batch(there, tags=[RunTag("fairsal.kind", run.kind), RunTag("fairsal.folder", str(run.path))])
    client.set_terminated(there, "FINISHED", end_time=_milliseconds(run.status.ended or run.created.timestamp()))
    return there


def _run_there(client: Any, run: Run) -> str:
    """Return the id of the MLflow run that mirrors this run, made if there is none."""
    experiment = _experiment(client)
    found = client.search_runs([experiment], f"tags.`{RUN_TAG}` = '{run.id}'", max_results=1)
    if found:
        return str(found[0].info.run_id)
    begun = _milliseconds(run.status.started or run.created.timestamp())
    made = client.create_run(experiment, start_time=begun, tags={RUN_TAG: run.id}, run_name=run.name or run.id)
    return str(made.info.run_id)


def _experiment(client: Any) -> str:
    from mlflow.exceptions import MlflowException

    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or _EXPERIMENT
    if known := client.get_experiment_by_name(name):
        return str(known.experiment_id)
    try:
        return str(client.create_experiment(name))
    except MlflowException:  # another run was first
        if known := client.get_experiment_by_name(name):
            return str(known.experiment_id)
        raise


def _parameters(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Give every setting by its dotted name, as text."""
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _parameters(value, f"{prefix}{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            yield _allowed(prefix + name), text[:_LONGEST_VALUE]


def _told(events: list[Event]) -> Iterator[tuple[str, float, int, int]]:
    """Give name, value, time in milliseconds and step of every finite number in the events."""
    steps: Counter[str] = Counter()
    for event in events:
        for number, value in event.numbers.items():
            name = _allowed(f"{event.stage}/{number}")
            steps[name] += 1
            if math.isfinite(value):
                yield name, value, _milliseconds(event.time), steps[name]


def _results(run: Run) -> Iterator[tuple[str, float, int, int]]:
    """Give the accuracies and gaps over all seeds, as metrics of one step."""
    if run.kind not in COMPARED:
        return
    ended = _milliseconds(run.status.ended or run.created.timestamp())
    for row in over_all_seeds(accuracy_and_gap(read_results(run.path))).to_dict("records"):
        value = float(row["value"])
        if math.isfinite(value):
            yield _allowed(f"{row['evaluation']}/{row['variant']}/{row['metric']} {row['group']}"), value, ended, 0


def _parts(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _files(folder: Path) -> Iterator[Path]:
    files = RunFiles(folder)
    named = (files.config, files.subsets, files.regions, files.trials, files.log)
    found = (*named, *sorted(folder.glob("*.parquet")), *sorted(files.weights_folder.glob("*.safetensors")))
    yield from (path for path in found if path.is_file() and not path.is_symlink())


def _allowed(name: str) -> str:
    """Return a name that MLflow takes.

    Examples
    --------
    >>> _allowed("general_mask@0.7, seed 0/loss")
    'general_mask 0.7 seed 0/loss'
    """
    return " ".join(_NOT_IN_NAMES.sub(" ", name).split())[:_LONGEST_NAME]


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)


def _within(seconds: float, copy: Callable[[], str]) -> str:
    """Return what `copy` returns, or leave it to itself once the time is up: no client can be trusted to give up.

    Raises
    ------
    FairsalError
        If it took longer.
    """
    outcome: Future[str] = Future()

    def do() -> None:
        try:
            outcome.set_result(copy())
        except BaseException as error:
            outcome.set_exception(error)

    copying = threading.Thread(target=do, name="mirror", daemon=True)
    copying.start()
    copying.join(seconds)
    if not outcome.done():
        raise FairsalError(f"Mirroring took longer than {seconds:g} s: is the server up?")
    return outcome.result()
