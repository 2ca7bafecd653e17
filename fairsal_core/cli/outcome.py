"""What a command found."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What a command found, for machines and for people."""

    about: dict[str, Any]
    shown: str
    ok: bool = True  # whether what was asked for was done: the exit status


_MOST_COLUMNS = 11  # the paper's: a variant, and a number of all, of either group, of the gap and of each of four cells


def _as_text(table: Any) -> str:
    """Return a row a variant, or of many groups a row a group."""
    if len(table.columns) <= _MOST_COLUMNS:
        return str(table.to_string(index=False))
    return str(table.T.to_string(header=False))


def run_outcome(run: Any) -> Outcome:
    """Return what became of an experiment: its results, or why it has none."""
    from fairsal_core.results import read_results, wide_results
    from fairsal_core.runs import recorded_versions, standing

    about = {"id": run.id, "folder": str(run.path), "state": run.status.state, "error": run.status.error}
    if run.status.state != "finished":
        reason = f": {run.status.error}" if run.status.error else ""
        return Outcome(about, f"{run.id}: {run.status.state}{reason}", ok=False)
    results = read_results(run.path)
    made, versions = standing(run.path), recorded_versions(run.path)
    computed_with = ", ".join(f"{name} {value}" for name, value in versions.items()) or "versions were not recorded"
    table = _as_text(wide_results(results).round(3))
    return Outcome(
        {**about, "made": made, "versions": versions, "results": json.loads(results.to_json(orient="records"))},
        f"{table}\n\n{run.id}, {made} ({computed_with})\n-> {run.path}",
    )
