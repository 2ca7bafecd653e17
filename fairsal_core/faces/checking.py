"""What a set says of itself before anything is packed: its columns, some rows, its groups, what is missing."""

from typing import Any

import numpy as np
import pandas as pd

from fairsal_core.faces.annotated import Annotated, faces_of
from fairsal_core.faces.dataset import SPLITS, FaceDataset
from fairsal_core.faces.mapping import Mapping, describe_values, kept_mapping
from fairsal_core.faces.splitting import with_held_out

EXAMPLES = 12
MISSING = "missing"


def check_set(found: Annotated, mapping: Mapping | None = None) -> dict[str, Any]:
    """Return what `fairsal data check` shows of a folder.

    Parameters
    ----------
    found : Annotated
        As `read_folder` gives it.
    mapping : Mapping, optional
        By default as it is kept for the folder, else as it is proposed.
    """
    kept = kept_mapping(found.root)
    chosen = mapping or kept or found.mapping
    faces = with_held_out(faces_of(found, chosen))
    return {
        "folder": str(found.root),
        "image_folder": str(found.image_folder),
        "format": chosen.format,
        "faces": len(faces),
        "mapping_is": "given" if mapping else "kept" if kept else "proposed",
        "mapping": chosen.model_dump(mode="json"),
        "notes": list(faces.notes),
        "missing": {str(name): int(count) for name, count in faces.attributes.isna().sum().items() if count},
        "identities": None if faces.identity is None else int(faces.identity.nunique()),
        "splits": {split: int((faces.split == split).sum()) for split in SPLITS},
        "groups": group_counts(faces, group_attributes(chosen, faces)),
        "examples": example_rows(faces),
    }


def group_attributes(mapping: Mapping, faces: FaceDataset) -> list[str]:
    """Return the attributes whose crossing the groups are: the target, and the first protected ones, three in all."""
    names = dict.fromkeys([mapping.target, *mapping.protected])
    return [name for name in names if name is not None and name in faces.attributes.columns][
        : 2 if mapping.target else 1
    ]


def words_of(column: pd.Series) -> pd.Series:
    """Return what a column says of each face in words: yes, no, a class, or missing."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype(object).where(column.notna(), MISSING)
    return column.astype(object).map({True: "yes", False: "no"}).where(column.notna(), MISSING)


def group_counts(faces: FaceDataset, attributes: list[str]) -> list[dict[str, Any]]:
    """Return how many faces of each crossing of some attributes are in each split, a row a crossing."""
    if not attributes or not len(faces):
        return []
    words = pd.DataFrame({name: words_of(faces.attributes[name]) for name in attributes})
    counts = words.assign(split=faces.split.astype(object)).value_counts()
    table = counts.unstack("split", fill_value=0).reindex(columns=list(SPLITS), fill_value=0).sort_index()
    keys = [key if isinstance(key, tuple) else (key,) for key in table.index]
    return [
        {**dict(zip(attributes, key, strict=True)), **{split: int(row[split]) for split in SPLITS}}
        for key, (_, row) in zip(keys, table.iterrows(), strict=True)
    ]


def example_rows(faces: FaceDataset, count: int = EXAMPLES) -> list[dict[str, Any]]:
    """Return some rows as they were understood, evenly over the set."""
    chosen = faces.take(np.unique(np.linspace(0, len(faces) - 1, min(count, len(faces))).astype(int)))
    words = pd.DataFrame({name: words_of(column) for name, column in chosen.attributes.items()})
    rows = []
    for place, (name, row) in enumerate(words.iterrows()):
        identity = None if chosen.identity is None else chosen.identity.iloc[place]
        rows.append(
            {
                "picture": str(name),
                "split": str(chosen.split.iloc[place]),
                "identity": None if identity is None or pd.isna(identity) else int(identity),
                "labels": {str(key): str(value) for key, value in row.items()},
            }
        )
    return rows


def describe_check(about: dict[str, Any], mapping: Mapping) -> str:
    """Return what `check_set` found, as text."""
    ignored = [f"  {column}: {reason}" for column, reason in mapping.ignored.items()]
    lines = [
        f"{about['folder']}: {about['faces']:,} faces, read as {about['format']}; the mapping is {about['mapping_is']}",
        *(f"  {note}" for note in about["notes"]),
        "",
        f"picture   {mapping.picture or '(the files themselves)'}",
        f"target    {mapping.target or '(choose one)'}",
        f"protected {', '.join(mapping.protected) or '(none)'}",
        f"identity  {mapping.identity or '(none)'}",
        f"split     {mapping.split or '(drawn)'}: " + ", ".join(f"{name} {n:,}" for name, n in about["splits"].items()),
        "",
        "attribute (column): what its texts mean",
        *(
            f"  {each.name}{f' ({each.column})' if each.column != each.name else ''}, {each.kind}: {describe_values(each)}"
            + (f"; {about['missing'][each.name]:,} missing" if each.name in about["missing"] else "")
            for each in mapping.attributes
        ),
        *(["", "not used", *ignored] if ignored else []),
        "",
        "groups",
        *(_line_of_group(row) for row in about["groups"]),
        "",
        f"{len(about['examples'])} rows",
        *(_line_of_example(row) for row in about["examples"]),
    ]
    return "\n".join(lines)


def _line_of_group(row: dict[str, Any]) -> str:
    names = ", ".join(f"{name} {value}" for name, value in row.items() if name not in SPLITS)
    return f"  {names}: " + ", ".join(f"{split} {row[split]:,}" for split in SPLITS)


def _line_of_example(row: dict[str, Any]) -> str:
    said = [name if value == "yes" else f"{name} {value}" for name, value in row["labels"].items() if value != "no"]
    return f"  {row['picture']} ({row['split']}): {', '.join(said) or 'none'}"
