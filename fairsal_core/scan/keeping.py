"""A scan that a reviewer put into the report of a run: kept beside the run, as its notes are."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field

from fairsal_core.errors import FairsalError
from fairsal_core.files import read_json, write_json
from fairsal_core.runs import RunFiles, check_may_be_added_to
from fairsal_core.scan.errors import SCAN_COLUMNS
from fairsal_core.scan.groups import GROUP_COLUMNS, Groups
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


class KeptGroups(FrozenSettings):
    """What the report says of rates by crossed groups; `rows` are GROUP_COLUMNS by name, a spread without a number has none."""

    subject: str
    target: str
    protected: tuple[str, ...] = Field(min_length=1)
    view: str
    cohort: str = ""
    rows: tuple[dict[str, Any], ...]
    spreads: dict[str, dict[str, float | None]]
    sizes: dict[str, int]
    left_out_note: str

    @classmethod
    def of(cls, judged: Judged, groups: Groups, protected: Sequence[str], cohort: str = "") -> "KeptGroups":
        """Return what is kept of one classifier's groups."""
        return cls(
            subject=judged.name,
            target=judged.target,
            protected=tuple(protected),
            view=groups.view,
            cohort=cohort,
            rows=tuple(json.loads(groups.table.to_json(orient="records"))),
            spreads={
                name: {end: None if value != value else value for end, value in spread._asdict().items()}
                for name, spread in groups.spreads.items()
            },
            sizes={str(name): int(size) for name, size in groups.sizes.items()},
            left_out_note=groups.left_out_note,
        )

    @property
    def table(self) -> pd.DataFrame:
        """The rows, as `groups_of` has them."""
        return pd.DataFrame(list(self.rows), columns=list(GROUP_COLUMNS))


def keep_groups(run: Path, contents: Sequence[KeptGroups]) -> None:
    """Keep groups for the run's report, in place of those before; FairsalError where nothing may be added to the run."""
    check_may_be_added_to(run)
    write_json(RunFiles(run).groups, [content.model_dump(mode="json") for content in contents])


def kept_groups(run: Path) -> list[KeptGroups]:
    """Return the groups that are kept for a run's report; none where there are none, or what is there is something else."""
    try:
        return [KeptGroups.model_validate(content) for content in read_json(RunFiles(run).groups)]
    except (OSError, ValueError, TypeError):
        return []


def forget_scan(run: Path) -> None:
    """Take the scan, and groups, out of the run's report; FairsalError where nothing may be changed of the run."""
    check_may_be_added_to(run)
    RunFiles(run).scan.unlink(missing_ok=True)
    RunFiles(run).groups.unlink(missing_ok=True)
