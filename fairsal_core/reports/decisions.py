"""The log of a review: thresholds agreed on and reopened, and decisions. Entries are added, and none is ever changed.

Every entry is a file of its own, so that two reviewers who press a button at once do not overwrite each other.
"""

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from fairsal_core.errors import FairsalError
from fairsal_core.files import read_json, write_json
from fairsal_core.reports.acceptance import Acceptance, Verdict
from fairsal_core.runs import RunFiles, check_may_be_added_to

Outcome = Literal["accept", "accept with conditions", "reject", "more data"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
_MOST_BYTES = 256 * 1024
_NAMES = Field(min_length=1, max_length=1000, description="who, as they sign")


class _Entry(BaseModel):
    """What every entry says: who wrote it, and when."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    by: str = _NAMES
    written: datetime = Field(default_factory=lambda: datetime.now(UTC))


class Agreed(_Entry):
    """Thresholds that were agreed on and locked; `before_results`: by their word, before any result was seen."""

    kind: Literal["agreed"] = "agreed"
    acceptance: Acceptance
    before_results: bool = False


class Reopened(_Entry):
    """Thresholds that were unlocked, and why."""

    kind: Literal["reopened"] = "reopened"
    why: str = Field(min_length=1, max_length=4000)


class Decided(_Entry):
    """What was decided about a variant, for which use, and on what ground."""

    kind: Literal["decided"] = "decided"
    outcome: Outcome
    variant: str = Field(min_length=1, max_length=200)
    reference: str = Field("", max_length=200)
    purpose: str = Field(min_length=1, max_length=4000, description="what it was made for, and may it be used for that")
    conditions: str = Field("", max_length=4000)
    dissent: str = Field("", max_length=4000, description="who disagrees, and why")
    why: str = Field("", max_length=4000)
    acceptance: Acceptance
    locked: bool
    verdict: Verdict
    subject: str = Field("", max_length=64, description="SHA-256 of the classifiers' files")

    @model_validator(mode="after")
    def _conditions_are_told(self) -> "Decided":
        if (self.outcome == "accept with conditions") != bool(self.conditions):
            raise FairsalError("Conditions belong to 'accept with conditions': say which, or choose another outcome.")
        return self


LogEntry = Annotated[Agreed | Reopened | Decided, Field(discriminator="kind")]
_ENTRIES: TypeAdapter[Agreed | Reopened | Decided] = TypeAdapter(LogEntry)
E = TypeVar("E", Agreed, Reopened, Decided)


def add_entry(run: Path, entry: E) -> E:
    """Add an entry to the log of a run, and return it.

    Raises
    ------
    FairsalError
        If the run is gone or was not made here, or thresholds are locked that are locked, or reopened that are open.
    """
    if not run.is_dir():
        raise FairsalError(f"There is no run in {run}; nothing was kept.")
    check_may_be_added_to(run)
    locked = locked_acceptance(run) is not None
    if isinstance(entry, Agreed) and locked:
        raise FairsalError("The thresholds are locked already; reopen them first, and say why.")
    if isinstance(entry, Reopened) and not locked:
        raise FairsalError("The thresholds are not locked, so there is nothing to reopen.")
    name = f"{entry.written:%Y%m%d-%H%M%S-%f}-{secrets.token_hex(2)}.json"
    write_json(RunFiles(run).review / name, entry.model_dump(mode="json"))
    return entry


def new_entry(kind: type[E], **said: object) -> E:
    """Return an entry of the log, checked; FairsalError with one sentence where what is said does not fit."""
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the entry"
        raise FairsalError(f"This was not kept: {place}: {first['msg'][:200]}.") from error


def read_log(run: Path) -> list[Agreed | Reopened | Decided]:
    """Return the log of a run, oldest first; files that are no entries are passed over."""
    entries = []
    for path in sorted(RunFiles(run).review.glob("*.json")):
        try:
            entries.append(_ENTRIES.validate_python(read_json(path, _MOST_BYTES)))
        except (OSError, ValueError):
            continue
    return entries


def locked_acceptance(run: Path) -> Agreed | None:
    """Return what was agreed on and is locked; None where the thresholds are open."""
    changes = [entry for entry in read_log(run) if not isinstance(entry, Decided)]
    return changes[-1] if changes and isinstance(changes[-1], Agreed) else None


def last_review(run: Path, variant: str, subject: str) -> Decided | None:
    """Return the last decision about a subject: the variant in this run, or the same classifiers in a run beside it."""
    about = [entry for entry in read_log(run) if isinstance(entry, Decided) and entry.variant == variant]
    if subject:
        others = {folder.parent for folder in run.parent.glob("*/review") if folder.parent != run}
        logs = (entry for other in others for entry in read_log(other))
        about += [entry for entry in logs if isinstance(entry, Decided) and entry.subject == subject]
    return max(about, key=lambda entry: entry.written, default=None)


def since_last_review(before: Decided, now: Decided) -> list[str]:
    """Return what differs from an earlier decision about the same subject, one sentence each; perhaps none."""
    said = []
    if before.outcome != now.outcome:
        said.append(f"It was '{before.outcome}' on {before.written:%Y-%m-%d}, and is '{now.outcome}' now.")
    limits = before.acceptance.limits, now.acceptance.limits
    for name in dict.fromkeys([*limits[0], *limits[1]]):
        old, new = (f"{each[name]:g}" if name in each else "none" for each in limits)
        if old != new:
            said.append(f"The limit of {name} was {old}, and is {new} now.")
    if before.verdict != now.verdict:
        said.append(f"The verdict was '{before.verdict}', and is '{now.verdict}' now.")
    if before.subject and now.subject and before.subject != now.subject:
        said.append("The classifiers' files are others than they were.")
    if before.purpose != now.purpose:
        said.append("What it is to be used for is told otherwise.")
    if before.conditions != now.conditions:
        said.append("The conditions are told otherwise.")
    return said
