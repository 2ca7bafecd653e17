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
from fairsal_core.scan.groups import CELL_COLUMNS, GROUP_COLUMNS, GroupChanges, Groups
from fairsal_core.scan.subjects import Decided, Judged
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
            rows=_records(table.head(_MOST_ROWS)),
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
    """What the report says of rates by crossed groups; `rows` are GROUP_COLUMNS by name, a spread without a number has none.

    Of a variant of a run, over all seeds, it is called `variant` there, `cells` are CELL_COLUMNS by name, and `changes` are
    GROUP_COLUMNS of what changed since `reference`.
    """

    subject: str
    target: str
    protected: tuple[str, ...] = Field(min_length=1)
    view: str
    cohort: str = ""
    rows: tuple[dict[str, Any], ...]
    spreads: dict[str, dict[str, float | None]]
    sizes: dict[str, int]
    left_out_note: str
    variant: str = ""
    seeds: tuple[int, ...] = ()
    cells: tuple[dict[str, Any], ...] = ()
    reference: str = ""
    changes: tuple[dict[str, Any], ...] = ()

    @classmethod
    def of(
        cls,
        judged: Judged | Decided,
        groups: Groups,
        protected: Sequence[str],
        cohort: str = "",
        variant: str = "",
        reference: str = "",
        changes: GroupChanges | None = None,
    ) -> "KeptGroups":
        """Return what is kept of the groups of one classifier, or of a variant's."""
        return cls(
            subject=judged.name,
            target=judged.target,
            protected=tuple(protected),
            view=groups.view,
            cohort=cohort,
            rows=_records(groups.table),
            spreads={
                name: {end: None if value != value else value for end, value in spread._asdict().items()}
                for name, spread in groups.spreads.items()
            },
            sizes={str(name): int(size) for name, size in groups.sizes.items()},
            left_out_note=groups.left_out_note,
            variant=variant,
            seeds=judged.seeds if isinstance(judged, Decided) else (),
            cells=_records(groups.cells),
            reference=reference,
            changes=_records(changes.table) if changes else (),
        )

    @property
    def table(self) -> pd.DataFrame:
        """The rows, as `groups_of` has them."""
        return pd.DataFrame(list(self.rows), columns=list(GROUP_COLUMNS))

    @property
    def changes_table(self) -> pd.DataFrame:
        """What changed since the reference, as `group_changes` has it; perhaps empty."""
        return pd.DataFrame(list(self.changes), columns=list(GROUP_COLUMNS))

    @property
    def cells_table(self) -> pd.DataFrame:
        """The cells, as `groups_of` has them; empty of groups that were kept without."""
        return pd.DataFrame(list(self.cells), columns=list(CELL_COLUMNS))


def _records(table: pd.DataFrame) -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(table.to_json(orient="records")))


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
