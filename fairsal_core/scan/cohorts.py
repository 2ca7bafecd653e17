"""Cohorts: faces that somebody chose, kept by name in the workspace, to look at again and at nothing else.

A cohort is a list of file names of one set and what it was made of. What it is not: a label. `labels` makes one of it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field, ValidationError, field_validator

from fairsal_core.errors import FairsalError, unknown_name
from fairsal_core.faces import cohort_column
from fairsal_core.files import read_json, safe_name, write_json
from fairsal_core.home import cohorts_folder
from fairsal_core.settings import FrozenSettings

_LONGEST = 60


class Cohort(FrozenSettings):
    """Faces chosen by somebody."""

    name: str = Field(min_length=1, max_length=_LONGEST, description="what to call it")
    data: str = Field(min_length=1, description="the set that the faces are of")
    faces: tuple[str, ...] = Field(min_length=1, max_length=1_000_000, description="their file names, each once")
    origin: str = Field("", max_length=500, description="how they were chosen, in words")
    made: str = Field("", description="when, UTC")
    column: bool = Field(False, description="whether the set has it as an attribute, which can be a confounder")

    @field_validator("name")
    @classmethod
    def _of_a_line(cls, name: str) -> str:
        if not name.isprintable() or name != name.strip():
            raise ValueError("it takes one line of letters, with no blank at its ends")
        return name

    @field_validator("faces")
    @classmethod
    def _each_once(cls, faces: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(faces))

    def labels(self, names: pd.Index) -> pd.Series:
        """Return whether each of these faces is in it: a column that can be a confounder."""
        return pd.Series(names.isin(list(self.faces)), index=names, name=self.name)


def save_cohort(name: str, data: str, faces: Iterable[str], origin: str = "") -> Cohort:
    """Keep faces by a name, in place of what had it.

    Raises
    ------
    FairsalError
        If the name does not do or there is no face.
    """
    made = datetime.now(UTC).isoformat(timespec="seconds")
    content = {"name": name.strip(), "data": data, "faces": tuple(faces), "origin": origin[:500], "made": made}
    try:
        cohort = Cohort.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise FairsalError(
            f"This is no cohort: {first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}."
        ) from None
    write_json(_path(cohort.name), cohort.model_dump(mode="json"))
    return cohort


def read_cohort(name: str) -> Cohort:
    """Return a cohort by its name.

    Raises
    ------
    FairsalError
        If there is none, or its file holds something else; the nearest name is told.
    """
    try:
        return Cohort.model_validate(_content(_path(name)))
    except FileNotFoundError:
        raise unknown_name("cohort", name, [each.name for each in list_cohorts()]) from None
    except ValidationError as error:
        raise FairsalError(f"The cohort '{name}' holds something else than a name and faces.") from error


def list_cohorts(data: str | None = None) -> list[Cohort]:
    """Return the cohorts of the workspace, or of one set, by name; what is none is passed over."""
    found = []
    for path in sorted(cohorts_folder().glob("*.json")):
        try:
            cohort = Cohort.model_validate(_content(path))
        except (FairsalError, OSError, ValidationError):
            continue
        found += [cohort] if data is None or cohort.data == data else []
    return sorted(found, key=lambda cohort: cohort.name.casefold())


def delete_cohort(name: str) -> None:
    """Forget a cohort; raises FairsalError if there is none."""
    path = _path(read_cohort(name).name)
    path.unlink(missing_ok=True)


def make_column(name: str, column: bool = True) -> str:
    """Have the set show a cohort as an attribute, or no longer, and return what the attribute is called.

    Raises
    ------
    FairsalError
        If there is no such cohort.
    """
    cohort = read_cohort(name).model_copy(update={"column": column})
    write_json(_path(cohort.name), cohort.model_dump(mode="json"))
    return cohort_column(cohort.name)


def _path(name: str) -> Path:
    return cohorts_folder() / f"{safe_name(name)}.json"


def _content(path: Path) -> Any:
    try:
        return read_json(path)
    except ValueError as error:
        raise FairsalError(f"{path} cannot be read as a cohort ({str(error)[:120]}).") from error
