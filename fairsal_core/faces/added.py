"""Columns that somebody added to a set: cohorts of the workspace that were made columns."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any

from fairsal_core.faces.dataset import FaceDataset
from fairsal_core.files import read_json, safe_name, write_json
from fairsal_core.home import cohorts_folder


def cohort_column(name: str) -> str:
    """Return what the column of a cohort is called."""
    return f"cohort {name}"


def with_added_columns(faces: FaceDataset, source: str) -> FaceDataset:
    """Return a set with a column for each of its cohorts that was made one: which faces are in it.

    Only this workspace has them: a run in another does not know the attribute, and says so, unless `keep_columns` brought it.
    """
    columns = {
        cohort_column(str(content["name"])): faces.names.isin([str(name) for name in content["faces"]])
        for content in _columns_of(source)
    }
    new = {name: labels for name, labels in columns.items() if name not in faces.attributes.columns}
    return replace(faces, attributes=faces.attributes.assign(**new)) if new else faces


def columns_named(source: str, attributes: Collection[str]) -> list[dict[str, Any]]:
    """Return the cohorts behind those of some attributes of a set that are cohorts made columns, for another workspace."""
    return [content for content in _columns_of(source) if cohort_column(str(content["name"])) in attributes]


def keep_columns(contents: Iterable[dict[str, Any]]) -> None:
    """Have this workspace know what `columns_named` gave in another, in place of cohorts of the same names."""
    for content in contents:
        write_json(cohorts_folder() / f"{safe_name(str(content['name']))}.json", content)


def _columns_of(source: str) -> Iterator[dict[str, Any]]:
    yield from (each for each in _cohorts() if each.get("column") is True and each.get("data") == source)


def _cohorts() -> Iterator[dict[str, Any]]:
    """Give what the files of cohorts say; `fairsal_core.scan` writes them. What is none is passed over."""
    for path in sorted(cohorts_folder().glob("*.json")):
        try:
            content = read_json(path)
        except (OSError, ValueError):
            continue
        if isinstance(content, dict) and {"name", "faces"} <= set(content) and isinstance(content["faces"], list):
            yield content
