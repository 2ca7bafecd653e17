"""A scan that a reviewer put into the report of a run: kept beside the run, as its notes are."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field

from fairsal_core.errors import FairsalError
from fairsal_core.files import read_json, write_json
from fairsal_core.runs import RunFiles, check_may_be_added_to
from fairsal_core.scan.errors import SCAN_COLUMNS
from fairsal_core.scan.subjects import Judged
from fairsal_core.settings import FrozenSettings

_MOST_ROWS = 500


class KeptScan(FrozenSettings):
    """What the report says of a scan; `rows` are SCAN_COLUMNS by name, the most certain first."""

    subject: str
    target: str
    cohort: str = ""
    faces: int = Field(ge=1)
    looked_at: int = Field(ge=1)
    rows: tuple[dict[str, Any], ...] = Field(max_length=_MOST_ROWS)
    made: datetime

    @classmethod
    def of(cls, judged: Judged, table: pd.DataFrame, cohort: str = "") -> "KeptScan":
        """Return what is kept of a scan: its first 500 rows, and how many were looked at."""
        return cls(
            subject=judged.name,
            target=judged.target,
            cohort=cohort,
            faces=len(judged.faces),
            looked_at=len(table),
            rows=tuple(json.loads(table.head(_MOST_ROWS).to_json(orient="records"))),
            made=datetime.now(UTC),
        )

    @property
    def table(self) -> pd.DataFrame:
        """The rows, as `scan` returns them."""
        return pd.DataFrame(list(self.rows), columns=list(SCAN_COLUMNS))


def keep_scan(run: Path, content: KeptScan) -> None:
    """Keep a scan for the run's report, in place of the one before; FairsalError where nothing may be added to the run."""
    if not run.is_dir():
        raise FairsalError(f"There is no run in {run}; the scan was not kept.")
    check_may_be_added_to(run)
    write_json(RunFiles(run).scan, content.model_dump(mode="json"))


def kept_scan(run: Path) -> KeptScan | None:
    """Return the scan that is kept for a run's report; None where there is none, or what is there is none."""
    try:
        return KeptScan.model_validate(read_json(RunFiles(run).scan))
    except (OSError, ValueError):
        return None


def forget_scan(run: Path) -> None:
    """Take the scan out of the run's report; FairsalError where nothing may be changed of the run."""
    check_may_be_added_to(run)
    RunFiles(run).scan.unlink(missing_ok=True)
