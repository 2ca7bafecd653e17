"""A sweep's trials on a Ray cluster: one trial is one task, and does what it does here.

Ray decides where and when; there is no scheduler of our own. A task whose worker or node is lost is given to another; one that
fails is not, since it would fail again. Every node has to have fairsal and the faces at the same paths, and either the workspace
mounted there too, or a storage URL: then each node works in a folder of its own, and what is finished is fetched and pushed.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import fairsal_core
from fairsal_core.errors import FairsalError, sentence
from fairsal_core.faces import FaceDataset, columns_named, keep_columns, load_faces
from fairsal_core.home import runs_folder, workspace
from fairsal_core.progress import Progress
from fairsal_core.runs import RunFiles, adopt, launcher, processes, store, worker
from fairsal_core.runs import remote as storage
from fairsal_core.scaling.reuse import finished_runs, reusable
from fairsal_core.settings import parse_config

RETRIES = 3  # of a task whose worker was lost
RUNS, FAILED = "runs", "failed"  # what a storage calls those that ended
_ANSWER_SECONDS = 10.0
_ASK_SECONDS = 30.0
_CHECK_SECONDS = 1.0
_STOP_SECONDS = 10.0
_SHARED = ("FAIRSAL_DATA_ROOTS", "FAIRSAL_SCRATCH", "MLFLOW_TRACKING_URI", "OMP_NUM_THREADS", "GOMP_SPINCOUNT")


class RayTrials:
    """Trials as tasks of a Ray cluster; the `Engine` of `sweep --engine ray`."""

    def __init__(self, device: str, address: str, storage_url: str, count: int) -> None:
        if storage_url:
            storage.prepare(storage_url)
        self._connection = ExitStack()
        self._ray = self._connection.enter_context(connected(address))
        self._task = as_task(self._ray, run_trial, device)
        # Ray queues what does not fit yet, and lets a task see only the GPU that it gave it.
        self.places = [f"{device} {number}" for number in range(count)]
        self._device = device
        self._storage = storage_url
        self._lost: str | None = None
        self._checked = time.monotonic()

    def find(self, keys: list[str]) -> None:
        if self._storage:
            fetch_finished(self._storage, keys)

    def start(self, config: Mapping[str, Any], name: str, place: str) -> Any:
        whole = {**config, "device": self._device}
        return self._task.remote(whole, name, dict(worker.JOBS), self._storage, self._added(config))

    def _added(self, config: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the cohorts that a trial has for attributes, which no other workspace knows; none where it is shared."""
        if not self._storage:
            return []
        return columns_named(str(config["data"]), [str(config["target"]), str(config["confounder"])])

    def look(self, begun: Any) -> tuple[str | None, store.Status]:
        if self._lost:
            return None, store.Status(state="interrupted", error=self._lost)
        self._check_head()
        ready, _ = self._ray.wait([begun], timeout=0)
        if not ready:
            return None, store.Status(state="running", message="on the cluster")
        try:
            path = self._here(self._ray.get(begun))
        except self._ray.exceptions.TaskCancelledError:
            return None, store.Status(state="cancelled")
        except (self._ray.exceptions.RayError, FairsalError) as error:
            return None, store.Status(state="failed", error=first_line(error))
        return path.name, store.load_run(path).status

    def _here(self, run: str) -> Path:
        """Return the directory of a run that has ended, fetched if it is not here."""
        if self._storage and not (runs_folder() / run).is_dir():
            fetched = any(_fetch(self._storage, f"{kind}/{run}") for kind in (RUNS, FAILED))
            if not fetched:
                raise FairsalError(f"The run {run} has ended, but is not whole in {self._storage}.")
        return store.run_path(run)

    def cancel(self, begun: list[Any]) -> None:
        if self._lost or not begun:
            return
        for each in reversed(begun):  # or one that waits would begin in the place of one that was stopped
            self._ray.cancel(each)
        self._ray.wait(begun, num_returns=len(begun), timeout=_STOP_SECONDS)

    def close(self) -> None:
        self._connection.close()

    def _check_head(self) -> None:
        if time.monotonic() - self._checked < _CHECK_SECONDS:
            return
        self._checked = time.monotonic()
        try:
            check_head(self._ray)
        except FairsalError as error:
            self._lost = str(error)
            raise


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Connect to a Ray cluster, by default this machine's, and give the module `ray`.

    Raises
    ------
    FairsalError
        If ray is not installed, or the cluster does not answer.
    """
    ray = _import_ray()
    package_root = str(Path(fairsal_core.__file__).parents[1])
    shared = {name: os.environ[name] for name in _SHARED if name in os.environ}
    environment = {**shared, "PYTHONPATH": package_root, "FAIRSAL_HOME": str(workspace())}
    try:
        _check_answers(address)
        with _own_signals():
            ray.init(
                address=address or "auto",
                runtime_env={"env_vars": environment},
                log_to_driver=False,
                logging_level="error",
            )
    except (OSError, RuntimeError, ValueError) as error:
        raise FairsalError(
            f"The Ray cluster at {address or 'auto'} does not answer ({first_line(error)}); start one with "
            "'ray start --head' and give its address with --address HOST:6379."
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def cluster_state(address: str) -> dict[str, float]:
    """Return how many nodes a Ray cluster has, its CPUs and GPUs, how many of them are free, and how many tasks wait.

    It starts nothing there, and connects to nothing that could end this process.

    Raises
    ------
    FairsalError
        If ray is not installed, or the cluster does not answer within seconds.
    """
    _import_ray()
    from ray.autoscaler.v2.sdk import get_cluster_status

    try:
        _check_answers(address)
        status = get_cluster_status(address, timeout=int(_ANSWER_SECONDS))
    except (OSError, RuntimeError, ValueError) as error:
        raise FairsalError(f"The Ray cluster at {address} does not answer ({first_line(error)}).") from error
    total, free = status.total_resources(), status.available_resources()
    demands = [demand for each in status.resource_demands.ray_task_actor_demand for demand in each.bundles_by_count]
    return {
        "nodes": len(status.active_nodes) + len(status.idle_nodes),
        "cpus": total.get("CPU", 0),
        "free_cpus": free.get("CPU", 0),
        "gpus": total.get("GPU", 0),
        "free_gpus": free.get("GPU", 0),
        "waiting": sum(demand.count for demand in demands),
    }


def ask_cluster(address: str) -> str:
    """Return `cluster_state` as a sentence, asked for by another process: one that Ray is in it may end.

    Raises
    ------
    FairsalError
        If the cluster does not answer within seconds.
    """
    unanswered = f"The Ray cluster at {address} does not answer"
    try:
        _check_answers(address)
        command = [sys.executable, "-m", "fairsal_core", "cluster", "--json", "--address", address]
        asked = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            timeout=_ASK_SECONDS,
            env=processes.child_environment(),
            check=False,
        )
    except (OSError, ValueError) as error:
        raise FairsalError(f"{unanswered} ({first_line(error)}).") from error
    except subprocess.TimeoutExpired as error:
        raise FairsalError(f"{unanswered} within {_ASK_SECONDS:.0f} s.") from error
    if asked.returncode:
        raise FairsalError(asked.stderr.strip().rpartition("fairsal: ")[2] or unanswered)
    return describe_cluster(json.loads(asked.stdout))


def describe_cluster(state: dict[str, Any]) -> str:
    """Return one sentence on what `cluster_state` found.

    Examples
    --------
    >>> describe_cluster({"nodes": 3, "cpus": 8.0, "free_cpus": 6.0, "gpus": 0, "free_gpus": 0, "waiting": 2})
    '3 nodes, 6 of 8 CPUs and 0 of 0 GPUs free, 2 tasks waiting'
    """
    form = (
        "{nodes} nodes, {free_cpus:g} of {cpus:g} CPUs and {free_gpus:g} of {gpus:g} GPUs free, {waiting} tasks waiting"
    )
    return form.format(**state)


def check_head(ray: Any) -> None:
    """Raise FairsalError if the head of the cluster is gone: Ray itself would try for a minute, and then end the process."""
    address = ray.get_runtime_context().gcs_address
    try:
        _check_answers(address)
    except OSError as error:
        raise FairsalError(
            f"The Ray cluster at {address} was lost ({first_line(error)}); start it again, and then this: what is finished "
            "is not done again."
        ) from error


def as_task(ray: Any, function: Callable[..., Any], device: str) -> Any:
    """Return the function as a task of the cluster, with a GPU of its own where there are any and the device is not "cpu"."""
    gpus = 0 if device == "cpu" or not ray.cluster_resources().get("GPU") else 1
    return ray.remote(num_cpus=1, num_gpus=gpus, max_retries=RETRIES)(function)


def wait_for_faces(ray: Any, begun: Mapping[Any, FaceDataset], done: str, progress: Progress) -> None:
    """Wait for tasks, each about some faces, and tell of how many they are done.

    Parameters
    ----------
    ray : module
        As `connected` gives it.
    begun : mapping
        Each task's reference, and its faces.
    done : str
        What is done to the faces, as in "mapped".
    progress : Progress
        Called with faces done and to do; may raise to stop.

    Raises
    ------
    FairsalError
        If the cluster is lost, or a task fails or is lost too often.
    """
    waiting, total = dict(begun), sum(map(len, begun.values()))
    while waiting:
        ready, _ = ray.wait(list(waiting), timeout=0.5)
        check_head(ray)
        for each in ready:
            faces = waiting.pop(each)
            try:
                ray.get(each)
            except ray.exceptions.RayError as error:
                first, last = faces.names[0], faces.names[-1]
                raise FairsalError(f"Faces {first} to {last} were not {done}: {first_line(error)}") from error
        finished = total - sum(map(len, waiting.values()))
        progress(finished, total, f"{finished:,} of {total:,} faces {done} on the cluster")


def _check_answers(address: str) -> None:
    """Raise OSError or ValueError if nobody listens there: Ray itself would try for minutes, and then end the process."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host:
        socket.create_connection((host, int(port)), timeout=_ANSWER_SECONDS).close()


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep how this process takes SIGTERM, which Ray would answer by leaving at once: a run has its end to write."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run_trial(
    config: dict[str, Any],
    name: str,
    jobs: dict[str, str],
    storage_url: str = "",
    added: Sequence[dict[str, Any]] = (),
) -> str:
    """Do one trial in this process, unless it is finished, and return its run's id: the task.

    `added` are the cohorts that it has for attributes, where nodes share no workspace.

    Its lock keeps a trial from being done twice at once, should a node that was given up for lost still be at work; where nodes
    share no folder, there is no such lock, and of two that end both the later is seen.
    """
    key = parse_config(config).key
    with at_work(storage_url):
        keep_columns(added)
        locks = workspace() / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        with processes.holding(locks / f"trial-{key}.lock"):
            if storage_url:
                fetch_finished(storage_url, [key])
            candidates = finished_runs(key)
            wanted = parse_config(config)
            found = reusable(candidates, wanted, load_faces(wanted.data))[0] if candidates else None
            if found:
                run = found
            else:
                path = launcher.run_here("experiment", config, name, jobs=jobs, take_device=_given_by_ray)
                run = store.load_run(path)
            if storage_url:
                _push(run, storage_url)
            return run.id


@contextmanager
def at_work(storage_url: str) -> Iterator[None]:
    """Work with a storage, if there is one, in this node's own workspace; else in the shared one."""
    if not storage_url:
        yield
        return
    import ray

    home = storage.scratch_home(storage_url, ray.get_runtime_context().get_node_id())
    os.environ["FAIRSAL_HOME"] = str(home)  # the process is Ray's, and does nothing else
    with storage.using(storage_url):
        yield


def fetch_finished(storage_url: str, keys: list[str]) -> None:
    """Fetch the finished runs of these experiments, by their configs' hashes, that are in a storage and not here."""
    here = {run.id for run in store.list_runs() if run.status.state == "finished"}
    for name in storage.names(storage_url, RUNS):
        run = name.rpartition("/")[2]
        if run not in here and any(key in run for key in keys):
            _fetch(storage_url, name)


def _fetch(storage_url: str, name: str) -> bool:
    """Fetch a run, and take one that is finished for made here: whoever may write to a sweep's storage works for it."""
    run = runs_folder() / name.rpartition("/")[2]
    fetched = storage.fetch(storage_url, name, run)
    if fetched and name.startswith(f"{RUNS}/"):
        with suppress(FairsalError):  # it is damaged, which whoever reads it is told
            adopt(run)
    return fetched


def _push(run: store.Run, storage_url: str) -> None:
    """Push a run that has ended; finished ones under a name of their own, as they alone are looked for later."""
    name = f"{RUNS if run.status.state == 'finished' else FAILED}/{run.id}"
    if not storage.is_whole(storage_url, name):
        storage.push(run.path, storage_url, name, RunFiles(run.path).of_this_machine)


def _given_by_ray(run: Path, *_: Any) -> int:
    """Return a lock that nobody else wants: Ray has seen to it that the device is free."""
    return processes.open_lock(RunFiles(run).device_lock)


def _import_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # or it tells its makers
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # the coming default; without it, it warns
    try:
        import ray
    except ImportError as error:
        raise FairsalError(
            "The engine 'ray' needs ray; install it with: pip install -r requirements-ray.txt"
        ) from error
    return ray


def first_line(error: BaseException) -> str:
    """Return what failed, without Ray's pages on it."""
    return sentence(error).split(". ")[0][:300]
