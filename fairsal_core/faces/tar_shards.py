"""Tar shards as webdataset writes them: `000001.jpg` beside `000001.json`, its labels."""

import json
import tarfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from fairsal_core.errors import FairsalError
from fairsal_core.faces.annotated import Annotated, faces_of
from fairsal_core.faces.archives import taken_out, tar_members
from fairsal_core.faces.dataset import SPLITS, FaceDataset
from fairsal_core.faces.mapping import propose
from fairsal_core.faces.meaning import split_words
from fairsal_core.faces.pictures import SUFFIXES
from fairsal_core.faces.written import as_text

SPLIT = "split (by shard)"
_LABELS = (".json", ".cls")
_LOOKED_AT = 50
_MAX_LABELS = 1_000_000  # bytes


def _shards(root: Path) -> list[Path]:
    return sorted(
        path for folder in (root, root / "data", root / "shards") if folder.is_dir() for path in folder.glob("*.tar")
    )


def is_tar_shards(root: Path) -> bool:
    """Return whether a folder has tar files whose first members are pictures with labels beside them."""
    shards = _shards(root)
    if not shards:
        return False
    try:
        with tarfile.open(shards[0]) as archive:
            names = [entry.name.lower() for entry in islice(archive, _LOOKED_AT)]
    except (OSError, tarfile.TarError):
        return False
    return any(name.endswith(SUFFIXES) for name in names) and any(name.endswith(_LABELS) for name in names)


def load_tar_shards(root: Path | str) -> FaceDataset:
    """Read pictures and labels out of tar shards; the pictures are put into the cache, once."""
    return faces_of(read_tar_shards(Path(root).expanduser()))


def read_tar_shards(root: Path) -> Annotated:
    """Return the labels beside the pictures, and what they seem to be."""
    shards = _shards(root)
    folder, cells = taken_out(root, shards, lambda into, tell: _take(shards, into, tell))
    lacking = cells.index[(cells.astype(object) == "").all(axis=1)]
    mapping = propose(cells, "tar_shards")
    if mapping.split is None and (SPLIT not in cells or (cells[SPLIT] == "").any()):
        mapping = mapping.model_copy(update={"split": None})
    notes = (f"{len(lacking):,} pictures have no labels beside them.",) if len(lacking) else ()
    return Annotated(root, folder, cells, mapping, notes)


def _take(shards: list[Path], into: Path, tell: Callable[[float], None]) -> pd.DataFrame:
    rows: dict[str, dict[str, str]] = {}
    files: dict[str, str] = {}
    for number, shard in enumerate(shards):
        split, size, read = _split_of(shard.stem), max(shard.stat().st_size, 1), 0
        try:
            for name, stream in tar_members(shard):
                tell(number + min(read / size, 1.0))
                key, ending = _parts(f"{shard.stem}/{name}")
                row = rows.setdefault(key, {SPLIT: split} if split else {})
                with stream() as source:
                    if ending in SUFFIXES:
                        files[key] = f"{key}{ending}"
                        (into / key).parent.mkdir(parents=True, exist_ok=True)
                        content = source.read()
                        read += len(content)
                        (into / files[key]).write_bytes(content)
                    elif ending in _LABELS:
                        row |= _labels(source.read(_MAX_LABELS), ending, f"{shard}, {name}")
        except (tarfile.TarError, EOFError) as error:
            raise FairsalError(f"{shard} does not read as tar ({error}): fetch it again.") from error
    if not files:
        raise FairsalError(f"{shards[0]} holds no pictures.")
    table = pd.DataFrame.from_dict({files[key]: rows[key] for key in files}, orient="index", dtype=object).fillna("")
    return table[[*(name for name in table if name != SPLIT), *([SPLIT] if SPLIT in table else [])]]


def _split_of(stem: str) -> str:
    word = stem.lower().replace("_", "-").split("-")[0]
    return (split_words("split", [word]) or {}).get(word, "") if word in (*SPLITS, "valid", "validation") else ""


def _parts(name: str) -> tuple[str, str]:
    """Return a member's key and ending: webdataset's key ends at the first dot of the file's name."""
    folder, _, base = name.rpartition("/")
    stem, dot, _ = base.partition(".")
    return f"{folder}/{stem}", (dot + base.rpartition(".")[2]).lower()


def _labels(content: bytes, ending: str, place: str) -> dict[str, str]:
    if ending == ".cls":
        return {"cls": content.decode("utf-8", errors="replace").strip()}
    try:
        labels = json.loads(content)
    except ValueError:
        labels = None
    if not isinstance(labels, dict):
        raise FairsalError(f"{place} is no JSON object with labels.")
    flat: dict[str, Any] = {}
    for name, value in labels.items():
        flat |= value if isinstance(value, dict) else {name: value}
    return {str(name): as_text(value) for name, value in flat.items() if not isinstance(value, dict | list)}
