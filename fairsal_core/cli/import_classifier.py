"""`import-classifier`."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fairsal_core.cli.options import source
from fairsal_core.cli.outcome import Outcome
from fairsal_core.cli.progress import show_progress
from fairsal_core.errors import FairsalError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        help="with one .safetensors or .onnx file, and the JSON files of its library; 'list' for what is stored",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="what the files do not say, such as architecture=resnet18 positive=1 mean=0.5,0.5,0.5; names are in the guide",
    )
    parser.add_argument(
        "--data", default=None, help="'demo' or a folder of labelled faces, for the preprocessing doctor"
    )
    parser.add_argument("--target", default=None, help="what the classifier's yes means: an attribute of --data")


def do(options: argparse.Namespace) -> Outcome:
    from fairsal_core.classifiers import stored_classifiers

    if options.folder == "list":
        stored = stored_classifiers()
        lines = [f"{each.digest}  {each.name}: {each.format}, {each.architecture}" for each in stored]
        return Outcome(
            {"stored": [{"digest": each.digest, **each.model_dump(mode="json")} for each in stored]},
            "\n".join(lines) or "none",
        )
    return _imported(Path(options.folder), settings_of(options.set, options.target), options)


def settings_of(words: Sequence[str], target: str | None) -> dict[str, Any]:
    """Return what `--set` says, and the target."""
    said: dict[str, Any] = {"target": target} if target else {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise FairsalError(f"--set takes KEY=VALUE; '{word}' has no value.")
        said[key] = value
    return said


def _imported(folder: Path, said: dict[str, Any], options: argparse.Namespace) -> Outcome:
    from fairsal_core.classifiers import classifiers_folder, inspect_folder, store

    if options.data and not options.target:
        raise FairsalError("--data is for the doctor, who has to know which attribute yes means: say --target too.")
    found = inspect_folder(folder, said, progress=show_progress())
    manifest = store(folder, found)
    diagnosis = _diagnosis(manifest.digest, options) if options.data else None
    about = {
        "digest": manifest.digest,
        "folder": str(classifiers_folder() / manifest.digest),
        "manifest": manifest.model_dump(mode="json"),
        "check": found.check,
        "ignored": found.ignored,
        "doctor": diagnosis,
    }
    lines = [
        f"{manifest.name}: {manifest.architecture} ({manifest.source}), stored as {manifest.digest}",
        f"outputs within {found.check['logits_error']:.1g} of its library's on eight faces "
        f"({found.check['rounding']:.1g} of its pipeline on pictures, which rounds to 8 bits)",
        *(f"assumed: {sentence}" for sentence in found.assumed),
        *(f"not opened: {name}" for name in found.ignored),
        *(diagnosis["sentences"] if diagnosis else ()),
    ]
    return Outcome(about, "\n".join(lines))


def _diagnosis(digest: str, options: argparse.Namespace) -> dict[str, Any]:
    from dataclasses import asdict

    from fairsal_core.classifiers import doctor_faces, examine, load_stored
    from fairsal_core.faces import load_faces

    images, labels = doctor_faces(load_faces(source(options.data), show_progress()).readable, options.target)
    found = examine(load_stored(digest), images, labels, show_progress())
    return {**asdict(found), "sentences": found.sentences, "better": [asdict(trial) for trial in found.better]}
