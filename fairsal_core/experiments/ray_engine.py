"""A sweep's trials on a Ray cluster: one trial is one task, and does what it does here.

Ray decides where and when; there is no scheduler of our own. A task whose worker or node is lost is given to another; one that
fails is not, since it would fail again. Every node has to have fairsal at the same path, and the workspace mounted there.
"""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import fairsal_core
from fairsal_core.errors import FairsalError, sentence
from fairsal_core.experiments import launcher, processes, store, worker
from fairsal_core.experiments.config import parse_config
from fairsal_core.home import workspace

RETRIES = 3  # of a task whose worker was lost
_ANSWER_SECONDS = 10.0
_SHARED = ("FAIRSAL_DATA_ROOTS", "MLFLOW_TRACKING_URI", "OMP_NUM_THREADS", "GOMP_SPINCOUNT")


class RayTrials:
    """Trials as tasks of a Ray cluster; the `Engine` of `sweep --engine ray`."""

    def __init__(self, device: str, address: str, count: int) -> None:
        self._connection = ExitStack()
        self._ray = self._connection.enter_context(connected(address))
        self._task = as_task(self._ray, run_trial, device)
        # Ray queues what does not fit yet, and lets a task see only the GPU that it gave it.
        self.places = [f"{device} {number}" for number in range(count)]
        self._device = device

    def start(self, config: Mapping[str, Any], name: str, place: str) -> Any:
        return self._task.remote({**config, "device": self._device}, name, dict(worker.JOBS))

    def look(self, begun: Any) -> tuple[str | None, store.Status]:
        ready, _ = self._ray.wait([begun], timeout=0)
        if not ready:
            return None, store.Status(state="running", message="on the cluster")
        try:
            path = store.run_path(self._ray.get(begun))
        except (self._ray.exceptions.RayError, FairsalError) as error:
            return None, store.Status(state="failed", error=first_line(error))
        return path.name, store.load_run(path).status

    def cancel(self, begun: Any) -> None:
        self._ray.cancel(begun)
        with suppress(self._ray.exceptions.RayError):
            self._ray.get(begun, timeout=10)

    def close(self) -> None:
        self._connection.close()


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


def as_task(ray: Any, function: Callable[..., Any], device: str) -> Any:
    """Return the function as a task of the cluster, with a GPU of its own where there are any and the device is not "cpu"."""
    gpus = 0 if device == "cpu" or not ray.cluster_resources().get("GPU") else 1
    return ray.remote(num_cpus=1, num_gpus=gpus, max_retries=RETRIES)(function)


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


def run_trial(config: dict[str, Any], name: str, jobs: dict[str, str]) -> str:
    """Do one trial in this process, unless it is finished, and return its run's id: the task.

    Its lock keeps a trial from being done twice at once, should a node that was given up for lost still be at work.
    """
    key = parse_config(config).key
    locks = workspace() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with processes.holding(locks / f"trial-{key}.lock"):
        for run in store.list_runs():
            if key in run.id and run.status.state == "finished":
                return run.id
        return launcher.run_here("experiment", config, name, jobs=jobs, take_device=_given_by_ray).name


def _given_by_ray(run: Path, *_: Any) -> int:
    """Return a lock that nobody else wants: Ray has seen to it that the device is free."""
    return os.open(run / ".device.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)


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
