"""Writing files so that a reader sees the old content or the new, never half of it; reading what anyone may have written."""

import errno
import hashlib
import io
import json
import math
import os
import re
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import DTypeLike, NDArray

_T = TypeVar("_T")
# Only POSIX systems have pipes in folders, to be opened without waiting; only Windows tells text from bytes. What is opened is
# inherited by no child on any.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_IN_USE = (5, 32)  # Windows' "access denied", which may mean that, and "sharing violation"
_IN_USE_SECONDS = 2.0
_WRITTEN_AT_ONCE = 2**20

MEGABYTE = 2**20
# What a run leaves is far smaller; what is larger would hold up, or fill the memory of, whoever looks at it.
MOST_JSON, MOST_TABLE, MOST_ARRAY, MOST_WEIGHTS = 16 * MEGABYTE, 1024 * MEGABYTE, 4096 * MEGABYTE, 4096 * MEGABYTE
MOST_CELLS = 2**28  # of a table: a few bytes of a compressed column can stand for billions of rows

_LONGEST_NAME = 120
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\\ud800-\udfff]|^[. ]|[. ]$")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # devices, on Windows


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it becomes `path` in one step, on failure it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        patiently(lambda: os.replace(temporary, path))
    finally:
        temporary.unlink(missing_ok=True)


def patiently(do: Callable[[], _T]) -> _T:
    """Do what Windows refuses while another process has the file open, again and again for some seconds; elsewhere do it once."""
    deadline = time.monotonic() + _IN_USE_SECONDS
    while True:
        try:
            return do()
        except PermissionError as error:
            if getattr(error, "winerror", None) not in _IN_USE or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def write_json(path: Path, content: Any) -> None:
    """Write `content` as JSON, atomically."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_parquet(path: Path, table: "pd.DataFrame") -> None:
    """Write a table, atomically."""
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False)


def sync(path: Path) -> None:
    """Have a file's content, or a folder's list of names, on the disk before anything later."""
    with suppress(PermissionError):  # a folder, where the system has no way to say so of one
        descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def safe_name(name: str) -> str:
    """Return how a name from data, such as an attribute's or a variant's, is spelled as a file's.

    One that can be a file's name stays as it is. Any other loses what would lead elsewhere, and gets a hash by which no two
    names become one file.

    Examples
    --------
    >>> safe_name("general_mask@0.7"), safe_name("Hat/Cap"), safe_name("../x")
    ('general_mask@0.7', 'Hat_Cap-0e578233', '_._x-d6b96a97')
    """
    spelled = name.encode("utf-8", "surrogatepass")
    if 0 < len(spelled) <= _LONGEST_NAME and not _UNSAFE.search(name) and not _RESERVED.fullmatch(name):
        return name
    return f"{_UNSAFE.sub('_', name)[: _LONGEST_NAME // 4]}-{hashlib.sha256(spelled).hexdigest()[:8]}"


def read_json(path: Path, most: int = MOST_JSON) -> Any:
    """Read a JSON file.

    Raises
    ------
    OSError
        If it cannot be opened, is no regular file, or has more than `most` bytes.
    ValueError
        If it holds no JSON.
    """
    return as_json(read_bounded(path, most), path.name)


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> "pd.DataFrame":
    """Read a table.

    Raises
    ------
    OSError
        If it cannot be opened, is no regular file, or is far too large.
    ValueError
        If it holds no table, or lacks one of `columns`.
    """
    return as_table(read_bounded(path, MOST_TABLE), path.name, columns)


def read_array(path: Path, *, mapped: bool = False) -> "NDArray[Any]":
    """Read an array of numbers from an NPY file, or map it into memory.

    Raises
    ------
    OSError
        If it cannot be opened, is no regular file, or is far too large.
    ValueError
        If it holds no array of numbers, or not all of it.
    """
    import numpy as np

    if not mapped:
        return as_array(read_bounded(path, MOST_ARRAY), path.name)
    with open_bounded(path, MOST_ARRAY) as stream:
        size = os.fstat(stream.fileno()).st_size
        shape, order, dtype = _array_header(stream, size, path.name)
        if stream.tell() == size:  # nothing to map
            return np.empty(shape, dtype, order)
        return np.memmap(stream, dtype, "r", stream.tell(), shape, order)


def as_json(content: bytes, name: str) -> Any:
    """Return what a JSON file of that name holds, given its bytes; raises as `read_json` does."""
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError(f"{name} is nested too deeply") from None


def as_table(content: bytes, name: str, columns: Sequence[str] | None = None) -> "pd.DataFrame":
    """Return the table that a file of that name holds, given its bytes; raises as `read_parquet` does."""
    import pandas as pd
    import pyarrow.parquet as pq
    from pyarrow import BufferReader

    try:
        about = pq.read_metadata(BufferReader(content))
        if about.num_rows * about.num_columns > MOST_CELLS:
            raise OSError(f"{name} holds {about.num_rows:,} rows, far too many")
        return pd.read_parquet(BufferReader(content), columns=None if columns is None else list(columns))
    except OSError:
        raise
    except Exception as error:  # damage comes out of the two libraries as nearly anything
        raise ValueError(f"{name} holds no table: {type(error).__name__}: {error}") from error


def as_array(content: bytes, name: str) -> "NDArray[Any]":
    """Return the array that a file of that name holds, given its bytes; raises as `read_array` does."""
    import numpy as np

    stream = io.BytesIO(content)
    shape, order, dtype = _array_header(stream, len(content), name)
    numbers = (
        np.frombuffer(content, dtype, offset=stream.tell()) if len(content) > stream.tell() else np.empty(0, dtype)
    )
    return numbers.copy().reshape(shape, order=order)


def _array_header(stream: BinaryIO, size: int, name: str) -> "tuple[tuple[int, ...], Any, np.dtype[Any]]":
    """Read what an NPY file of that size begins with; the numbers that follow are all there and are nothing else."""
    from numpy.lib import format as npy

    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(npy.read_magic(stream))
    if read is None:
        raise ValueError(f"the header of {name} is of another version")
    try:
        shape, fortran, dtype = read(stream)
    except Exception as error:  # it is Python, which a damaged one makes raise nearly anything
        raise ValueError(f"the header of {name} is damaged: {type(error).__name__}: {error}") from error
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != size - stream.tell():
        raise ValueError(f"{name} does not hold the array of numbers {shape} that it begins with")
    return tuple(shape), "F" if fortran else "C", dtype


def read_bounded(path: Path, most: int) -> bytes:
    """Return what a regular file of at most `most` bytes holds; raises OSError for any other."""
    with open_bounded(path, most) as stream:
        content = stream.read(most + 1)
    if len(content) > most:  # it grew
        raise _too_long(path, most)
    return content


def open_bounded(path: Path, most: int) -> BinaryIO:
    """Open a regular file of at most `most` bytes to read; raises OSError for any other."""
    stream = open_regular(path)
    if os.fstat(stream.fileno()).st_size <= most:
        return stream
    stream.close()
    raise _too_long(path, most)


def _too_long(path: Path, most: int) -> OSError:
    return OSError(f"{path.name} is far too long: {most:,} bytes are the most")


def reserve(path: Path) -> None:
    """Have the disk keep room for all of a file, whose content stays: one that fills up under a memory map kills the process.

    Raises
    ------
    OSError
        If there is no room.
    """
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(file.fileno(), 0, size)
                return
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # what file systems say that cannot
                    raise
        for start in range(0, size, _WRITTEN_AT_ONCE):
            file.seek(start)
            content = file.read(_WRITTEN_AT_ONCE)
            file.seek(start)
            file.write(content)  # a hole that is written is one no more
        file.flush()
        os.fsync(file.fileno())


def check_room(folder: Path, count: int) -> None:
    """Raise OSError if a folder's disk has less room than so many bytes: before they are written, not in their middle."""
    if shutil.disk_usage(folder).free < count:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def new_array(path: Path, dtype: "DTypeLike", shape: tuple[int, ...]) -> "np.memmap[Any, Any]":
    """Make the file of an array, with room for all of it, and return it memory-mapped.

    Raises
    ------
    OSError
        If there is no room; nothing remains then.
    """
    import numpy as np

    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    try:
        reserve(path)
    except OSError:
        del array
        path.unlink()
        raise
    return array


def open_regular(path: Path) -> io.BufferedReader:
    """Open a file to read, but nothing that only looks like one: a pipe would be waited for, a device never ends.

    Raises
    ------
    OSError
        If it cannot be opened, or is no regular file.
    """
    descriptor = patiently(lambda: os.open(path, _READ))
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise OSError(f"{path.name} is no regular file")
