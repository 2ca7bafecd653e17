"""The kinds of classifiers from elsewhere that can be read. A new one is one file and one line here."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fairsal_core.classifiers.imported.contents import Contents
from fairsal_core.classifiers.imported.huggingface import SOURCE as HUGGINGFACE
from fairsal_core.classifiers.imported.manifest import Manifest, as_manifest, with_settings
from fairsal_core.classifiers.imported.named import SAID_FILE, TIMM_SOURCE, TORCHVISION_SOURCE
from fairsal_core.classifiers.imported.onnx_graph import SOURCE as ONNX
from fairsal_core.classifiers.imported.source import Reading, Source
from fairsal_core.errors import FairsalError
from fairsal_core.manifests import MANIFEST
from fairsal_core.registry import Registry

SOURCES = Registry(
    "kind of classifier",
    "fairsal.sources",
    Source,
    (HUGGINGFACE, TORCHVISION_SOURCE, TIMM_SOURCE, ONNX),
)
_DISTRIBUTIONS = {"huggingface": "transformers", "torchvision": "torchvision", "timm": "timm", "onnx": "onnx2pytorch"}


def read_contents(contents: Contents, said: Mapping[str, Any]) -> Reading:
    """Return what a folder's files say, with what somebody says of it in its place.

    A `manifest.json` of ours says all of it; a `fairsal.json` of the owner's says what could be said by hand.

    Raises
    ------
    FairsalError
        If the folder holds no kind that is known, or what it says does not fit.
    """
    if (kept := _kept(contents)) is not None:
        return Reading(with_settings(kept, said))
    said, source = {**_told(contents), **said}, kind_of(contents, said)
    reading = source.read(contents, said)
    content = with_settings({"name": contents.folder.name, **reading.content}, _without_labels(said, reading.content))
    given = {key.rpartition(".")[2] for key in said}
    assumed = [sentence for sentence in reading.assumed if not _is_said(sentence, given)]
    return Reading({"source": _library(source.name), **content, "assumed": assumed}, assumed, reading.questions)


def kind_of(contents: Contents, said: Mapping[str, Any]) -> Source:
    """Return the kind of classifier that a folder holds, what that needs being installed; errors as for `read_contents`."""
    if (kept := _kept(contents)) is not None:
        return SOURCES.find(str(kept["format"])).ready()
    return source_of(contents, {**_told(contents), **said}).ready()


def _kept(contents: Contents) -> dict[str, Any] | None:
    kept = contents.configs.get(MANIFEST)
    return kept if isinstance(kept, dict) and "format" in kept else None


def _told(contents: Contents) -> dict[str, Any]:
    told = contents.configs.get(SAID_FILE, {})
    if not isinstance(told, dict):
        raise FairsalError(f"{SAID_FILE} is no JSON object.")
    return told


def _is_said(sentence: str, given: set[str]) -> bool:
    named = {word.partition("=")[0] for word in sentence.replace("(", " ").replace(":", " ").split() if "=" in word}
    return bool(named) and named <= given


def _without_labels(said: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was said, but for outputs named by their labels, which the reading has numbers for."""
    read = content.get("outputs", {})
    return {
        key: value for key, value in said.items() if key.rpartition(".")[2] not in ("positive", "labels") or not read
    }


def _library(name: str) -> str:
    try:
        return f"{_DISTRIBUTIONS.get(name, name)} {version(_DISTRIBUTIONS.get(name, name))}"
    except PackageNotFoundError:
        return name


def source_of(contents: Contents, said: Mapping[str, Any]) -> Source:
    """Return the kind that recognises a folder.

    Raises
    ------
    FairsalError
        If none does.
    """
    for source in SOURCES.values():
        if source.recognises(contents, said):
            return source
    architecture = said.get("architecture") or dict(contents.configs.get("config.json") or {}).get("architecture")
    if architecture:
        raise FairsalError(
            f"Neither torchvision nor timm has a network '{architecture}'"
            f"{'' if _has_timm() else ' (timm is not installed: pip install fairsal[timm])'}; transformers' folders have a "
            "config.json with a model_type."
        )
    raise FairsalError(f"{contents.folder} holds no kind of classifier that is known: {', '.join(SOURCES)}.")


def _has_timm() -> bool:
    from importlib.util import find_spec

    return find_spec("timm") is not None


def manifest_of(reading: Reading) -> Manifest:
    """Return the manifest of a reading that leaves no question open.

    Raises
    ------
    FairsalError
        With the questions, if there are some.
    """
    if reading.questions:
        raise FairsalError("Say " + "; and ".join(reading.questions) + ".")
    return as_manifest(reading.content)
