"""Parquet with the pictures inside, a struct {bytes, path} or the bytes alone, as Hugging Face publishes sets."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from fairsal_core.errors import FairsalError
from fairsal_core.faces.annotated import Annotated, faces_of
from fairsal_core.faces.archives import picture_suffix, taken_out
from fairsal_core.faces.dataset import FaceDataset
from fairsal_core.faces.mapping import propose
from fairsal_core.faces.meaning import split_words
from fairsal_core.faces.written import class_names, parquet_cells, parquet_schema, plain_columns

SPLIT = "split (by file)"
_BATCH = 64


def _files(root: Path) -> list[Path]:
    return sorted(path for folder in (root, root / "data") if folder.is_dir() for path in folder.glob("*.parquet"))


def _picture_column(schema: Any) -> str | None:
    """Return the column that holds pictures: a struct with `bytes`, or bytes that are called a picture."""
    import pyarrow as arrow

    for each in schema:
        if arrow.types.is_struct(each.type) and "bytes" in [
            each.type.field(index).name for index in range(each.type.num_fields)
        ]:
            return str(each.name)
        is_bytes = arrow.types.is_binary(each.type) or arrow.types.is_large_binary(each.type)
        if is_bytes and any(word in each.name.lower() for word in ("image", "img", "jpg", "picture", "photo", "bytes")):
            return str(each.name)
    return None


def is_embedded(root: Path) -> bool:
    """Return whether a folder, or its `data/`, has Parquet files with pictures in them."""
    files = _files(root)
    return bool(files) and _picture_column(parquet_schema(files[0])) is not None


def load_embedded(root: Path | str) -> FaceDataset:
    """Read labels and pictures out of Parquet files; the pictures are put into the cache, once."""
    return faces_of(read_embedded(Path(root).expanduser()))


def read_embedded(root: Path) -> Annotated:
    """Return the other columns' rows, and what they seem to be."""
    files = _files(root)
    folder, cells = taken_out(root, files, lambda into, tell: _take(files, into, tell))
    return Annotated(root, folder, cells, propose(cells, "embedded"))


def _take(files: list[Path], into: Path, tell: Callable[[float], None]) -> pd.DataFrame:
    parts = []
    for number, path in enumerate(files):
        rows = list(_rows(path, into, partial(_of_all, tell, number)))
        names = [name for name, _ in rows]
        table = pd.DataFrame([row for _, row in rows], index=pd.Index(names, dtype=object), dtype=object)
        if (split := _split_of(path.stem)) is not None:
            table[SPLIT] = split
        parts.append(table)
    found = pd.concat(parts).fillna("")
    if found.empty:
        raise FairsalError(f"{files[0]} holds no rows, or no columns beside the pictures.")
    return found


def _of_all(tell: Callable[[float], None], before: int, share: float) -> None:
    tell(before + share)


def _split_of(stem: str) -> str | None:
    """Return the split of "train-00000-of-00001"."""
    word = stem.lower().replace("_", "-").split("-")[0]
    return (split_words("split", [word]) or {}).get(word) if not word.isdecimal() else None


def _rows(path: Path, into: Path, tell: Callable[[float], None]) -> Iterator[tuple[str, dict[str, str]]]:
    import pyarrow.parquet as parquet

    schema = parquet_schema(path)
    picture, columns, names = _picture_column(schema), plain_columns(schema), class_names(schema)
    if picture is None:
        raise FairsalError(f"{path} has no column with pictures, which the other files have.")
    (into / path.stem).mkdir(parents=True)
    taken: set[str] = set()
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_BATCH):
            tell(len(taken) / max(file.metadata.num_rows, 1))
            cells = parquet_cells(batch, columns, names)
            for held, *texts in zip(batch.column(picture).to_pylist(), *cells, strict=True):
                content, given = (held.get("bytes"), held.get("path")) if isinstance(held, dict) else (held, None)
                if not content:
                    raise FairsalError(
                        f"{path}, row {len(taken) + 1}: '{picture}' holds no picture, only the path '{given}'."
                    )
                name = _name(given, len(taken), content, taken)
                taken.add(name)
                (into / path.stem / name).write_bytes(content)
                yield f"{path.stem}/{name}", dict(zip(columns, texts, strict=True))


def _name(given: str | None, row: int, content: bytes, taken: set[str]) -> str:
    """Return what to call a picture: as its path does, if that is a name and is free, else by its row."""
    base = PurePosixPath((given or "").replace("\\", "/")).name
    usable = (
        base.isprintable() and base.lower().endswith((".jpg", ".jpeg", ".png", ".webp")) and not base.startswith(".")
    )
    return base if usable and base not in taken else f"{row:06d}{picture_suffix(content)}"
