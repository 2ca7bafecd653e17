"""What a folder with a classifier may hold: one file of weights that is mere numbers, and JSON beside it.

Nothing here opens a pickle, an archive or code: such files are known by their names, and named in the refusal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairsal_core.errors import FairsalError
from fairsal_core.files import MEGABYTE, open_regular, read_json
from fairsal_core.home import leads_out

MOST_BYTES = 2048 * MEGABYTE  # of weights: ViT-L has 1.2 GB
MOST_CONFIG = 4 * MEGABYTE
MOST_FILES = 1000
SAFE = (".safetensors", ".onnx")
_CONVERT = (
    "Run `fairsal convert-state-dict` on the machine of whoever trained it, or save the model as safetensors or ONNX."
)
_PICKLED = f"pickled, or a program: opening it can run anything. {_CONVERT}"
_FOREIGN = "of a library whose files are not read here. Export the model to ONNX."
_PICKLES = (".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle", ".joblib", ".npz", ".tar", ".mar", ".ptl", ".jit")
_OTHERS = (".h5", ".hdf5", ".keras", ".pb", ".tflite", ".mlmodel", ".gguf", ".caffemodel")
_UNSAFE = {
    ".pt2": "an exported program, which runs what it says when it is opened. Save the model as safetensors or ONNX.",
    **dict.fromkeys(_PICKLES, _PICKLED),
    **dict.fromkeys(_OTHERS, _FOREIGN),
    ".py": "code, which is never run. Save the model as safetensors or ONNX.",
}


@dataclass(frozen=True)
class Contents:
    """A folder's file of weights, the JSON files beside it, and what it holds that is left alone."""

    folder: Path
    weights: Path
    configs: dict[str, Any]
    ignored: tuple[str, ...] = ()


def look_into(folder: Path, weights: str = "") -> Contents:
    """Return what a folder holds.

    Parameters
    ----------
    folder : Path
        Of the classifier.
    weights : str
        Name of its file of weights, where there are several.

    Raises
    ------
    FairsalError
        If it holds no file of weights that is safe to open, several, or one that is too large.
    """
    files = _files_of(folder)
    safe = [path for path in files if path.suffix.lower() in SAFE]
    if weights:
        safe = [path for path in safe if path.name == weights]
        if not safe:
            raise FairsalError(f"{folder} has no file {weights} of safetensors or ONNX.")
    if not safe:
        raise FairsalError(_why_none(folder, files))
    if len(safe) > 1:
        raise FairsalError(
            f"{folder} holds several files of weights ({_some(safe)}): leave one, or say which with weights={safe[0].name}."
        )
    chosen = safe[0]
    with _opened(chosen) as stream:
        size = stream.seek(0, 2)
    if size > MOST_BYTES:
        raise FairsalError(
            f"{chosen.name} has {size / 2**30:.1f} GB; {MOST_BYTES // 2**30} GB of weights are the most that is read."
        )
    configs = {path.name: _config(path) for path in files if path.suffix.lower() == ".json"}
    others = tuple(path.name for path in files if path.suffix.lower() in _UNSAFE)
    return Contents(folder, chosen, configs, others)


def has_weights(folder: Path) -> bool:
    """Return whether a folder has a file that could be weights."""
    try:
        return any(path.suffix.lower() in SAFE for path in folder.iterdir())
    except OSError:
        return False


def _files_of(folder: Path) -> list[Path]:
    if folder.is_file():
        raise FairsalError(f"{folder} is a file: give the folder that it lies in.")
    if not folder.is_dir():
        raise FairsalError(f"There is no folder {folder}.")
    files = []
    for path in sorted(folder.iterdir()):
        if path.is_file() and not leads_out(path, folder):
            files.append(path)
        if len(files) > MOST_FILES:
            raise FairsalError(f"{folder} holds more than {MOST_FILES} files: give the folder of one classifier.")
    return files


def _opened(path: Path) -> Any:
    try:
        return open_regular(path)
    except OSError as error:
        raise FairsalError(f"{path} cannot be read ({error.strerror or error}).") from error


def _config(path: Path) -> Any:
    try:
        return read_json(path, MOST_CONFIG)
    except (OSError, ValueError) as error:
        raise FairsalError(f"{path} cannot be read as JSON ({error}).") from error


def _why_none(folder: Path, files: Sequence[Path]) -> str:
    for path in files:
        if why := _UNSAFE.get(path.suffix.lower()):
            return f"{path.name} is not opened: it is {why}"
    return (
        f"{folder} has no weights: a .safetensors file or an .onnx file is looked for ({len(files)} files are there)."
    )


def _some(paths: Sequence[Path]) -> str:
    return ", ".join(path.name for path in paths[:4]) + (", ..." if len(paths) > 4 else "")
