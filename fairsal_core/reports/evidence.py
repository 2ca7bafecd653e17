"""What a decision rests on and what would change it: digests of run, subject and data, and the faces that are lacking."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from fairsal_core.files import safe_name
from fairsal_core.hashing import file_digest
from fairsal_core.metrics import METRICS
from fairsal_core.reports.acceptance import TOO_FEW, Acceptance, at_least, at_most, limited_rows
from fairsal_core.results import CLEAN, over_all_seeds
from fairsal_core.runs import RunFiles, recorded_versions


class Lacking(NamedTuple):
    """A limit that cannot be judged yet: of what, on how many faces, and how many would tell if the number stayed as it is.

    `needed` is None where the number lies on the limit, so that no number of faces would.
    """

    criterion: str
    group: str
    faces: int
    needed: int | None


def what_would_change(results: pd.DataFrame, acceptance: Acceptance, variant: str) -> list[Lacking]:
    """Return what keeps a variant's verdict on clean faces open, and how many faces would close it.

    The half of an interval that reaches over the limit shrinks as the root of the faces, so n faces become n (half / distance)^2.

    Parameters
    ----------
    results : DataFrame
        As from `results_table`.
    acceptance : Acceptance
        The limits.
    variant : str
        Which of its variants.
    """
    pooled = over_all_seeds(results)
    rows = pooled[pooled["variant"].eq(variant) & pooled["evaluation"].eq(CLEAN)]
    found = []
    for name, limit in acceptance.limits.items():
        metric = METRICS.get(name)
        if metric is None or metric.bound is None:
            continue
        keeps = at_least if metric.bound == "at least" else at_most
        for row, interval in limited_rows(metric, rows):
            if keeps(interval, limit) != TOO_FEW:
                continue
            value = abs(float(row["value"])) if metric.of_size else float(row["value"])
            half = interval.high - value if limit >= value else value - interval.low
            found.append(
                Lacking(metric.title, str(row["group"]), int(row["n"]), _faces(half, limit - value, int(row["n"])))
            )
    return found


def in_a_sentence(lacking: Lacking) -> str:
    """Return what would close an open limit, in a sentence."""
    group = "" if lacking.group == "all" else f" ({lacking.group})"
    if lacking.needed is None:
        return f"The {lacking.criterion}{group} lies on its limit: no number of faces would tell."
    return (
        f"The {lacking.criterion}{group} rests on {lacking.faces:,} test faces; about {lacking.needed:,} would tell, if it stayed "
        "as it is and the seeds differ no more."
    )


def subject_digest(run: Path, variant: str) -> str:
    """Return the SHA-256 of a variant's classifiers: of their files' digests in the order of their names; empty without files."""
    files = sorted(RunFiles(run).weights_folder.glob("*.safetensors"))
    mine = [path for path in files if path.name.rpartition("-seed")[0] == safe_name(variant)]
    return _sum_of(mine)


def run_digest(run: Path) -> str:
    """Return the SHA-256 of a run's manifest, which names the SHA-256 of all its files; empty for one without."""
    manifest = RunFiles(run).manifest
    return file_digest(manifest) if manifest.is_file() else ""


def data_digest(run: Path) -> dict[str, str]:
    """Return what a run recorded of the faces and labels it used: the first 16 digits of SHA-256 sums, by what they are of."""
    recorded = recorded_versions(run)
    return {name: recorded[name] for name in ("data", "test faces") if name in recorded}


def _sum_of(files: Sequence[Path]) -> str:
    import hashlib

    if not files:
        return ""
    return hashlib.sha256("".join(f"{path.name} {file_digest(path)}\n" for path in files).encode()).hexdigest()


def _faces(half: float, distance: float, n: int) -> int | None:
    if not abs(distance) > 1e-3 or math.isnan(half):
        return None
    return math.ceil(n * (half / distance) ** 2)
