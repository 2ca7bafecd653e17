"""Imported classifiers in the workspace: `classifiers/DIGEST/` with their files and `manifest.json`."""

import hashlib
import shutil
import uuid
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fairsal_core.classifiers.imported.adapter import Adapter
from fairsal_core.classifiers.imported.contents import MOST_CONFIG, SAFE, Contents, has_weights, look_into
from fairsal_core.classifiers.imported.inspection import Inspection, inspect_folder
from fairsal_core.classifiers.imported.manifest import Manifest, SourceFile, as_manifest
from fairsal_core.classifiers.imported.processor import CONFIG as PROCESSOR
from fairsal_core.classifiers.imported.registry import SOURCES
from fairsal_core.classifiers.registry import CLASSIFIERS, build_classifier
from fairsal_core.classifiers.subject import Subject
from fairsal_core.errors import FairsalError, unknown_name
from fairsal_core.files import patiently, read_json, replacing, safe_name, sync, write_json
from fairsal_core.hashing import file_digest, hash_of, known_digest
from fairsal_core.home import classifier_roots, workspace
from fairsal_core.manifests import MANIFEST
from fairsal_core.progress import Progress, silent

INCOMING = "incoming"
_KEPT = ("config.json", PROCESSOR)  # beside the weights; nothing else is needed to build it again


def classifiers_folder() -> Path:
    """Return where imported classifiers are stored."""
    return workspace() / "classifiers"


def offered_folders() -> list[Path]:
    """Return the folders that may be imported from the interface: those with weights that are safe to open, in the configured
    roots and in `classifiers/incoming`, or a folder further down."""
    roots = (*classifier_roots(), classifiers_folder() / INCOMING)
    below = [path for root in roots if root.is_dir() for path in (root, *sorted(root.iterdir()))]
    return [path for path in below if path.is_dir() and not path.name.startswith(".") and has_weights(path)]


def take_upload(files: Mapping[str, bytes]) -> Path:
    """Keep uploaded files in `classifiers/incoming`, in a folder named after what is in them, and return it.

    Raises
    ------
    FairsalError
        If a file's name could not be a file's, or none holds weights.
    """
    weights = [name for name in files if Path(name).suffix.lower() in SAFE]
    if len(weights) != 1:
        raise FairsalError(f"One file of weights is needed, as safetensors or ONNX; {len(weights)} were given.")
    digest = hash_of({name: hashlib.sha256(content).hexdigest() for name, content in files.items()})
    folder = classifiers_folder() / INCOMING / f"{safe_name(Path(weights[0]).stem)}-{digest[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        place = folder / safe_name(name)
        if place.is_file() and place.read_bytes() == content:
            continue  # a page gives the same upload at each of its turns, and what was written anew is read anew
        with replacing(place) as temporary:
            temporary.write_bytes(content)
    return folder


def import_classifier(
    folder: str | Path, settings: Mapping[str, Any] | None = None, progress: Progress = silent
) -> Adapter:
    """Import a classifier from elsewhere, and store it in the workspace.

    It is read and tried by a process of its own first, and compared with its library's own pipeline on eight faces.

    Parameters
    ----------
    folder : path
        With one file of weights, as safetensors or ONNX, and the JSON files of its library.
    settings : mapping, optional
        What the files do not say, such as {"architecture": "resnet18", "positive": 1}; by the names of SETTINGS.
    progress : Progress
        Called while it works; may raise to stop.

    Returns
    -------
    Adapter
        A module, in eval mode: images (N, 3, 128, 128) in [0, 1] to two logits (N, 2); with `digest`, `name` and `manifest`.

    Raises
    ------
    FairsalError
        One sentence on what is wrong with it, or on what has to be said.
    """
    found = inspect_folder(Path(folder), settings, progress=progress)
    return load_stored(store(Path(folder), found).digest)


def store(folder: Path, found: Inspection) -> Manifest:
    """Copy what was inspected into the workspace, and return its manifest.

    Raises
    ------
    FairsalError
        If there are questions left, or the files changed since.
    """
    manifest = found.manifest
    contents = look_into(folder, manifest.weights)
    place = classifiers_folder() / f".{uuid.uuid4().hex[:8]}.tmp"
    place.mkdir(parents=True)
    try:
        copied = [_copy(contents, name, place) for name in (manifest.weights, *_kept(contents))]
        return keep(place, manifest, copied)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def keep(place: Path, manifest: Manifest, names: Iterable[str]) -> Manifest:
    """Turn a folder of the workspace with a classifier's files into a stored one, and return its manifest."""
    files = tuple(
        SourceFile(name=name, bytes=(place / name).stat().st_size, sha256=file_digest(place / name))
        for name in sorted(names)
    )
    complete = manifest.model_copy(update={"files": files})
    final = classifiers_folder() / complete.digest
    write_json(place / MANIFEST, complete.model_dump(mode="json"))
    for name in (*(file.name for file in files), MANIFEST):
        sync(place / name)
    if final.is_dir():  # the same weights, fed and read in the same way; it may have a new name
        write_json(final / MANIFEST, complete.model_dump(mode="json"))
    else:
        patiently(lambda: place.rename(final))
    sync(final.parent)
    return complete


def _kept(contents: Contents) -> list[str]:
    return [name for name in _KEPT if name in contents.configs]


def _copy(contents: Contents, name: str, place: Path) -> str:
    shutil.copyfile(contents.folder / name, place / name)
    return name


def stored_manifest(digest: str) -> Manifest:
    """Return the manifest of a stored classifier.

    Raises
    ------
    FairsalError
        If there is none, or it is damaged.
    """
    folder = classifiers_folder() / digest
    try:
        manifest = as_manifest(read_json(folder / MANIFEST, MOST_CONFIG))
    except (OSError, ValueError, TypeError) as error:
        raise FairsalError(f"{folder} holds no imported classifier ({error}).") from None
    if manifest.digest != digest:
        raise FairsalError(f"{folder / MANIFEST} is not what was stored: import the classifier again.")
    return manifest


def stored_classifiers() -> list[Manifest]:
    """Return the manifests of all classifiers that are stored and whole, by name; damaged ones are left out."""
    found = []
    for path in sorted(classifiers_folder().glob(f"*/{MANIFEST}")):
        if path.parent.name.startswith(".") or path.parent.name == INCOMING:
            continue
        try:
            found.append(stored_manifest(path.parent.name))
        except FairsalError:
            continue
    return sorted(found, key=lambda manifest: (manifest.name, manifest.digest))


def find_stored(named: str) -> Manifest:
    """Return the manifest of the stored classifier of this digest, the beginning of one, or this name.

    Raises
    ------
    FairsalError
        If there is none, or several.
    """
    stored = stored_classifiers()
    fitting = [each for each in stored if named in (each.digest, each.name)] or [
        each for each in stored if len(named) >= 6 and each.digest.startswith(named)
    ]
    if len(fitting) > 1:
        digests = ", ".join(each.digest for each in fitting)
        raise FairsalError(f"Several imported classifiers are called '{named}': name one by its digest ({digests}).")
    if fitting:
        return fitting[0]
    if not stored:
        raise FairsalError(
            f"There is no imported classifier '{named}': none is stored yet (fairsal import-classifier FOLDER)."
        )
    raise unknown_name("imported classifier", named, [each.name or each.digest for each in stored])


def load_stored(digest: str) -> Adapter:
    """Return a stored classifier, on the CPU and in eval mode.

    Raises
    ------
    FairsalError
        If there is none, or a file of it is not what was stored.
    """
    manifest, folder = stored_manifest(digest), classifiers_folder() / digest
    for file in manifest.files:
        _check(folder / file.name, file)
    network = SOURCES.find(manifest.format).ready().build(folder, manifest)
    return Adapter(network, manifest).eval()


def _check(path: Path, file: SourceFile) -> None:
    try:
        whole = path.stat().st_size == file.bytes and known_digest(path) == file.sha256
    except OSError as error:
        raise FairsalError(f"{path} cannot be read ({error.strerror or error}): import the classifier again.") from None
    if not whole:
        raise FairsalError(f"{path} is not what was stored: import the classifier again.")


def try_out(folder: Path, found: Inspection) -> Adapter:
    """Return a classifier that was inspected, as `load_stored` would, without storing it."""
    manifest = found.manifest
    return Adapter(SOURCES.find(manifest.format).ready().build(folder, manifest), manifest).eval()


def imported_subject(named: str) -> Subject:
    """Return a classifier from elsewhere as a subject.

    Parameters
    ----------
    named : str
        Digest or name of a stored one; or the name of an architecture that an installed package gives by an entry point of
        `fairsal.classifiers`, whose `build` then returns the network with its weights.

    Raises
    ------
    FairsalError
        If there is none.
    """
    if CLASSIFIERS.origin(named):
        return _installed(named)
    manifest = find_stored(named)
    return Subject(
        manifest.name or manifest.digest,
        0,
        f"{manifest.format}:{manifest.architecture}",
        manifest.digest,
        load=partial(load_stored, manifest.digest),
        untrained=partial(_untrained, manifest.digest),
    )


def _untrained(digest: str, seed: int) -> nn.Module:
    manifest, folder = stored_manifest(digest), classifiers_folder() / digest
    network = SOURCES.find(manifest.format).ready().blank(folder, manifest, seed)
    return Adapter(network, manifest).eval()


def _installed(name: str) -> Subject:
    network = build_classifier(name).eval()
    state = hash_of([[key, hash_of(value.tolist())] for key, value in network.state_dict().items()])
    digest = hash_of([name, CLASSIFIERS.origin(name), state])
    return Subject(
        name, 0, name, digest, load=lambda: build_classifier(name).eval(), untrained=partial(_shuffled, name)
    )


def _shuffled(name: str, seed: int) -> nn.Module:
    network, generator = build_classifier(name).eval(), torch.Generator().manual_seed(seed)
    for value in network.parameters():
        value.data = value.data.flatten()[torch.randperm(value.numel(), generator=generator)].view_as(value)
    return network


def remove_stored(digest: str) -> None:
    """Delete a stored classifier."""
    stored_manifest(digest)
    shutil.rmtree(classifiers_folder() / digest)
