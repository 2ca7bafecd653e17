"""Tables as people write them, read row by row: what is not kept of a table costs nothing.

Comma, semicolon, tab, bar or blanks; with or without a header, a number of rows in the first line, a byte order mark, Windows line
ends; Parquet and JSON lines. Whatever a cell holds is text here; what it means is said elsewhere (`meaning`).
"""

import csv
import io
import json
import os
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError, unknown_name
from fairsal_core.faces.meaning import PICTURE_NAMES
from fairsal_core.files import open_regular
from fairsal_core.home import leads_out

MAX_BYTES = 64 * 1024 * 1024  # more than twice CelebA's largest table
_MAX_LINE = 100_000
_MAX_LINES = 1_000_000
_MAX_ROWS = 20_000_000  # of Parquet, where a row of forty attributes takes 160 bytes while it is read
_MAX_COUNT_DIGITS = 9
_PART = 4096
_BATCH = 65_536  # rows
_SEPARATORS = ("\t", ";", ",", "|")
_PICTURE = re.compile(r"\.(jpe?g|png|webp)[\"']?$", re.IGNORECASE)
_WEB_PAGE = re.compile(r"\s*<(!doctype html|html|\?xml|head|body)", re.IGNORECASE)
UNNAMED = ""
_SKIPPED = "\x1a"
Keep = Callable[[str], bool]


@dataclass(frozen=True)
class Written:
    """Rows of a table, as text.

    Attributes
    ----------
    path : Path
        The file.
    cells : pandas.DataFrame
        The rows that were kept, each column a categorical of texts; a name that is empty is that of a column without one.
    lines : numpy array
        Number of each row's line.
    total : int
        How many rows the file has, kept or not.
    promised : int, optional
        How many its first line says that there are.
    """

    path: Path
    cells: pd.DataFrame
    lines: NDArray[np.int64]
    total: int
    promised: int | None = None

    def place(self, row: int) -> str:
        """Return "PATH, line N" for a row that was kept."""
        return f"{self.path}, line {self.lines[row]}"

    def text(self, column: str) -> list[str]:
        """Return the texts of a column, one a row."""
        return [str(value) for value in self.cells[column].astype(object)]


@dataclass(frozen=True)
class Dialect:
    """How a table is written: what separates its cells (None: blanks), its columns, and the first line of its rows."""

    separator: str | None
    columns: tuple[str, ...]
    first: int
    promised: int | None = None


def check_place(path: Path, root: Path) -> None:
    """Raise FairsalError if a link leads out of the data folder."""
    if leads_out(path, root):
        real = os.path.realpath(path)
        raise FairsalError(f"{path} is a link out of the data folder, to {real}; name that in FAIRSAL_DATA_ROOTS too.")


def read_table(
    path: Path,
    picture: str | None = None,
    keep: Keep | None = None,
    limit: int | None = None,
    header: bool | None = None,
    expected: str = "",
) -> Written:
    """Read the rows of a table.

    Parameters
    ----------
    path : Path
        Text of any dialect, `.parquet`, or `.jsonl`.
    picture : str, optional
        The column by which rows are kept; by default the first.
    keep : callable, optional
        Its cell -> whether the row is kept; by default all are.
    limit : int, optional
        Read no more rows than these.
    header : bool, optional
        Whether the first line names the columns; by default it is looked at.
    expected : str
        What each line should hold, for the sentence about one that does not.

    Raises
    ------
    FairsalError
        If it does not read as a table: the file and, where there is one, the line.
    """
    if path.suffix.lower() == ".parquet":
        return _read_parquet(path, picture, keep, limit)
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return _collect(path, _json_rows(path), *_json_columns(path), picture, keep, limit)
    dialect = sniff(path, header)
    first = picture is None or (bool(dialect.columns) and picture == dialect.columns[0])
    rows = _text_rows(path, dialect, keep if first else None)
    return _collect(path, rows, dialect.columns, dialect.promised, picture, keep, limit, expected)


def sniff(path: Path, header: bool | None = None) -> Dialect:
    """Return how a text table is written, by its first lines."""
    head = list(_first(numbered_lines(path), 30))
    if head and _WEB_PAGE.match(head[0][1]):
        raise FairsalError(
            f"{path}, line 1: this is a web page, not a table, as a download gives it that was refused: fetch the file again."
        )
    if head and ("\x00" in head[0][1] or "\ufffd" in head[0][1]):
        raise FairsalError(f"{path}, line 1: this is no text in UTF-8; save the table as CSV in UTF-8.")
    lines = [(number, line) for number, line in head if line.strip()]
    promised = None
    if len(lines) > 1 and _is_count(lines[0][1]):
        promised, lines = int(lines[0][1].strip()), lines[1:]
    if not lines:
        return Dialect(None, (), 1, promised)
    separator = _separator(lines[0][1], lines[1][1] if len(lines) > 1 else lines[0][1])
    names = [name.strip() for name in _fields(lines[0][1], separator)]
    wide = len(_fields(lines[1][1], separator)) if len(lines) > 1 else len(names)
    if promised is None and not (_names_columns(names) if header is None else header):
        return Dialect(separator, tuple(f"column {number}" for number in range(1, len(names) + 1)), lines[0][0])
    # CelebA's header does not name the first column, nor does R's.
    if (promised is not None and wide != len(names)) or (wide == len(names) + 1 and _lacks_picture(names, separator)):
        names = [UNNAMED, *names]
    names = [name or (f"column {number}" if number > 1 else UNNAMED) for number, name in enumerate(names, start=1)]
    return Dialect(separator, tuple(names), lines[1][0] if len(lines) > 1 else lines[0][0] + 1, promised)


def _first(items: Iterable[Any], count: int) -> Iterator[Any]:
    for _, item in zip(range(count), items, strict=False):
        yield item


def _is_count(line: str) -> bool:
    text = line.strip()
    return len(text) <= _MAX_COUNT_DIGITS and text.isascii() and text.isdecimal()


def _names_columns(names: list[str]) -> bool:
    """Return whether a first line names columns: no picture is among them, and not all but the first are numbers."""
    numbers = [bool(re.fullmatch(r"-?\d+(\.\d+)?", name)) for name in names]
    return not any(_PICTURE.search(name) for name in names) and not (len(names) > 1 and all(numbers[1:]))


def _lacks_picture(names: list[str], separator: str | None) -> bool:
    """Return whether a header of one name less than the rows have cells leaves out the picture's, and not another."""
    return separator is None or not any(name.lower() in PICTURE_NAMES for name in names if name)


def _separator(header: str, row: str) -> str | None:
    """Return what separates cells: what the first row has as often as the header, or once more; None for blanks."""
    found = []
    for each in _SEPARATORS:
        counts = [len(_fields(line, each)) for line in (header, row)]
        if counts[0] > 1 or counts[1] > 1:
            found.append((counts[1] - counts[0] in (0, 1), counts[1], each))
    return max(found)[2] if found else None


def _fields(line: str, separator: str | None) -> list[str]:
    if separator is None:
        return line.split()
    return next(csv.reader([line.rstrip("\r\n")], delimiter=separator, skipinitialspace=True), [])


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Give the lines of a table with their numbers, without holding them all."""
    with _opened(path) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace") as text:
        for number, line in enumerate(iter(lambda: text.readline(_MAX_LINE + 1), ""), start=1):
            if len(line) > _MAX_LINE:
                raise FairsalError(
                    f"{path}, line {number}: longer than {_MAX_LINE:,} characters, so no table of faces."
                )
            if number > _MAX_LINES:
                raise FairsalError(f"{path} has more than {_MAX_LINES:,} lines, so it is no table of faces.")
            yield number, line


def _opened(path: Path) -> BinaryIO:
    check_place(path, path.parent)
    try:
        stream = open_regular(path)
    except OSError as error:
        raise FairsalError(f"{path} cannot be read ({error.strerror or error}).") from error
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    if size > MAX_BYTES:
        stream.close()
        raise FairsalError(f"{path} has {size / 2**20:.0f} MB; the most is {MAX_BYTES // 2**20} MB.")
    return stream


def _text_rows(path: Path, dialect: Dialect, keep: Keep | None) -> Iterator[tuple[int, Sequence[str] | None]]:
    """Give the cells of each row, or None for one that is not kept, which costs no more than its first cell."""
    lines = ((number, line) for number, line in numbered_lines(path) if number >= dialect.first)
    if dialect.separator is None:
        for number, line in lines:
            first = line.split(None, 1)[:1]
            if first:
                yield number, line.split() if keep is None or keep(first[0]) else None
        return
    separator, numbers = dialect.separator, [0]

    def kept_lines() -> Iterator[str]:
        for number, line in lines:
            numbers[0] = number
            # A cell in quotes may hold separators and line ends: then only the parser knows where it ends.
            first = line.partition(separator)[0]
            plain = keep is not None and '"' not in line and bool(first.strip())
            yield _SKIPPED if plain and keep is not None and not keep(first.strip()) else line

    try:
        for fields in csv.reader(kept_lines(), delimiter=separator, skipinitialspace=True):
            if fields == [_SKIPPED]:
                yield numbers[0], None
            elif any(fields):
                yield numbers[0], fields
    except csv.Error as error:
        raise FairsalError(f"{path} does not read as CSV: {error} in line {numbers[0]}.") from error


class _Codes(dict[str, int]):
    """Texts by the order in which they came."""

    def __missing__(self, text: str) -> int:
        self[text] = number = len(self)
        return number


@dataclass
class _Growing:
    """A table's columns while its rows come, each text kept once."""

    width: int
    texts: list[_Codes] = field(init=False)
    codes: list["array[int]"] = field(init=False)

    def __post_init__(self) -> None:
        self.texts = [_Codes() for _ in range(self.width)]
        self.codes = [array("i") for _ in range(self.width)]

    def add(self, rows: list[Sequence[str]]) -> None:
        for texts, codes, column in zip(self.texts, self.codes, zip(*rows, strict=True), strict=False):
            codes.extend(map(texts.__getitem__, column))

    def table(self, columns: Sequence[str]) -> pd.DataFrame:
        values = {
            number: pd.Categorical.from_codes(
                np.frombuffer(codes, dtype=np.int32) if codes else np.empty(0, np.int32),
                categories=pd.Index(list(texts), dtype=object),
            )
            for number, (texts, codes) in enumerate(zip(self.texts, self.codes, strict=True))
        }
        return pd.DataFrame(values).set_axis(list(columns), axis=1)


def _collect(
    path: Path,
    rows: Iterator[tuple[int, Sequence[str] | None]],
    columns: Sequence[str],
    promised: int | None,
    picture: str | None,
    keep: Keep | None,
    limit: int | None,
    expected: str = "",
) -> Written:
    key = _key_of(path, columns, picture)
    growing, lines, waiting, total = _Growing(len(columns)), array("q"), [], 0
    for number, fields in rows if len(columns) > 1 else ():
        if total == limit:
            break
        total += 1
        if fields is None or (keep is not None and len(fields) > key and not keep(fields[key])):
            continue
        if len(fields) != len(columns):
            raise _uneven(path, number, fields, columns, expected)
        waiting.append(fields)
        lines.append(number)
        if len(waiting) == _PART:
            growing.add(waiting)
            waiting.clear()
    if waiting:
        growing.add(waiting)
    if strange := next((text for texts in growing.texts for text in texts if "\ufffd" in text), None):
        raise FairsalError(f"{path} is not written in UTF-8 ('{strange[:40]}'): save it as CSV in UTF-8.")
    return Written(path, growing.table(columns), np.array(lines, dtype=np.int64), total, promised)


def _key_of(path: Path, columns: Sequence[str], picture: str | None) -> int:
    """Return which column rows are kept by."""
    if twice := [name for number, name in enumerate(columns) if name in columns[:number]]:
        raise FairsalError(f"{path} names the attribute {twice[0]} more than once.")
    if picture is not None and picture not in columns:
        raise unknown_name(f"column in {path.name}", picture, columns)
    return 0 if picture is None else list(columns).index(picture)


def _uneven(path: Path, number: int, fields: Sequence[str], columns: Sequence[str], expected: str) -> FairsalError:
    if columns and columns[0] == UNNAMED:
        expected = f"a file name and {len(columns) - 1} labels"
    if expected:
        return FairsalError(f"{path}, line {number}: expected {expected}, found {len(fields)} fields.")
    return FairsalError(
        f"{path} does not read as CSV: expected {len(columns)} fields in line {number}, as the header has, found {len(fields)}."
    )


def _json_columns(path: Path) -> tuple[tuple[str, ...], None]:
    columns: dict[str, None] = {}
    for number, line in _first(numbered_lines(path), 200):
        if line.strip():
            columns |= dict.fromkeys(_json_object(path, number, line))
    return tuple(columns), None


def _json_rows(path: Path) -> Iterator[tuple[int, Sequence[str] | None]]:
    columns, _ = _json_columns(path)
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        row = _json_object(path, number, line)
        if unknown := [name for name in row if name not in columns]:
            raise FairsalError(
                f"{path}, line {number} has '{unknown[0]}', which no line before has: give every line the same."
            )
        yield number, [as_text(row.get(name)) for name in columns]


def _json_object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise FairsalError(f"{path}, line {number} is no JSON object, as each line of a .jsonl file has to be.")
    return row


def as_text(value: Any) -> str:
    """Return what a cell would say in a text file: nothing for None."""
    return "" if value is None or value != value else str(value)


def parquet_schema(path: Path) -> Any:
    """Return the schema of a Parquet file (pyarrow's), reading no row."""
    import pyarrow.parquet as parquet

    check_place(path, path.parent)
    try:
        return parquet.read_schema(path)
    except (OSError, ValueError) as error:  # pyarrow's own are of these
        raise _no_parquet(path, error) from error


def _no_parquet(path: Path, error: Exception) -> FairsalError:
    return FairsalError(f"{path} does not read as Parquet ({' '.join(str(error).split())[:120]}).")


def plain_columns(schema: Any) -> list[str]:
    """Return the columns of a Parquet file whose cells are a text, a number, a truth value or nothing."""
    import pyarrow as arrow

    kinds = (arrow.types.is_nested, arrow.types.is_binary, arrow.types.is_large_binary)
    return [each.name for each in schema if not any(kind(each.type) for kind in kinds)]


def class_names(schema: Any) -> dict[str, list[str]]:
    """Return the names of classes that are written as numbers, where Hugging Face's metadata tells them: column -> names."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: list(one["names"]) for name, one in features.items() if isinstance(one, dict) and "names" in one}
    except (KeyError, ValueError, TypeError):
        return {}


def parquet_cells(batch: Any, columns: Sequence[str], names: dict[str, list[str]]) -> list[list[str]]:
    """Return the cells of some rows of a Parquet file as text, a list a column."""
    return [[_named(value, names.get(column, [])) for value in batch.column(column).to_pylist()] for column in columns]


def _named(value: Any, names: list[str]) -> str:
    """Return a value as text: of a class that is written as a number its name."""
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else as_text(value)


def _read_parquet(path: Path, picture: str | None, keep: Keep | None, limit: int | None) -> Written:
    """Read column by column, each text once: a column of two texts costs four bytes a row."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    schema = parquet_schema(path)
    columns, names = plain_columns(schema), class_names(schema)
    key = _key_of(path, columns, picture)
    with parquet.ParquetFile(path, memory_map=True) as file:
        total = file.metadata.num_rows if limit is None else min(limit, file.metadata.num_rows)
        if total > _MAX_ROWS:
            raise FairsalError(f"{path} has more than {_MAX_ROWS:,} rows, so it is no table of faces.")

        def read(column: str) -> pd.Categorical:
            try:
                batches = [batch.column(column) for batch in _batches(file, column, total)]
            except (OSError, ValueError) as error:
                raise _no_parquet(path, error) from error
            values = arrow.chunked_array(batches, schema.field(column).type)
            return _as_texts(values.slice(0, total).combine_chunks(), names.get(column, []))

        if len(columns) < 2:
            total = 0
        cells = {key: read(columns[key])} if columns else {}
        kept = np.arange(total)
        if keep is not None and total:
            fitting = np.array([keep(str(text)) for text in cells[key].categories], dtype=bool)
            kept = np.flatnonzero(fitting[cells[key].codes])
        cells |= {number: read(column) for number, column in enumerate(columns) if number != key}
    table = pd.DataFrame({number: cells[number][kept] for number in range(len(columns))})
    return Written(path, table.set_axis(list(columns), axis=1), kept + 1, total)


def _batches(file: Any, column: str, total: int) -> Iterator[Any]:
    """Give a column's rows until there are so many, or somewhat more."""
    found = 0
    for batch in file.iter_batches(batch_size=_BATCH, columns=[column]) if total else ():
        yield batch
        found += len(batch)
        if found >= total:
            return
    if found < total:
        raise ValueError(f"it holds {found:,} of {total:,} rows")


def _as_texts(values: Any, names: list[str]) -> pd.Categorical:
    """Return Arrow's values as categories of text."""
    encoded = values.dictionary_encode()
    texts = [_named(value, names) for value in encoded.dictionary.to_pylist()]
    codes = _Codes()
    of_each = np.array([*(codes[text] for text in texts), codes[""] if encoded.null_count else 0], dtype=np.int32)
    numbers = encoded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
    return pd.Categorical.from_codes(of_each[numbers], categories=pd.Index(list(codes), dtype=object))
