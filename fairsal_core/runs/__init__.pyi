from . import launcher, processes, remote, store, worker
from .artifacts import artifact, artifact_key, artifact_name, check_artifact, kept_artifacts, problem_of
from .events import Event, JobProgress
from .example import example_run, is_example, pack_example
from .launcher import cancel, resume, run_here, start
from .layout import RunFiles
from .processes import holding
from .pruning import Leftover, leftovers, prune
from .reading import checked, is_there, map_array, read_array, read_content, read_table, recorded_versions
from .sealing import Standing, adopt, check_may_be_added_to, check_run, seal_again, seal_run, standing
from .stage import Stage, Step, run_steps
from .store import (
    RESUMABLE,
    TERMINAL,
    Run,
    append_event,
    delete_run,
    list_runs,
    load_run,
    log_tail,
    read_events,
    run_path,
)
from .usage import note

__all__ = [
    "RESUMABLE",
    "TERMINAL",
    "Event",
    "JobProgress",
    "Leftover",
    "Run",
    "RunFiles",
    "Stage",
    "Standing",
    "Step",
    "adopt",
    "append_event",
    "artifact",
    "artifact_key",
    "artifact_name",
    "cancel",
    "check_artifact",
    "check_may_be_added_to",
    "check_run",
    "checked",
    "delete_run",
    "example_run",
    "holding",
    "is_example",
    "is_there",
    "kept_artifacts",
    "launcher",
    "leftovers",
    "list_runs",
    "load_run",
    "log_tail",
    "map_array",
    "note",
    "pack_example",
    "problem_of",
    "processes",
    "prune",
    "read_array",
    "read_content",
    "read_events",
    "read_table",
    "recorded_versions",
    "remote",
    "resume",
    "run_here",
    "run_path",
    "run_steps",
    "seal_again",
    "seal_run",
    "standing",
    "start",
    "store",
    "worker",
]
