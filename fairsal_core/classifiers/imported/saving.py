"""A mitigated classifier, stored in its source's own format with its manifest, so that its team can take it back."""

import copy
import shutil
import uuid

import torch
from torch import nn

from fairsal_core.classifiers.corrections import Corrected, Decision, describe, remove
from fairsal_core.classifiers.imported.adapter import Adapter
from fairsal_core.classifiers.imported.manifest import Manifest, Rules
from fairsal_core.classifiers.imported.registry import SOURCES
from fairsal_core.classifiers.imported.store import classifiers_folder, keep, load_stored
from fairsal_core.errors import FairsalError
from fairsal_core.files import safe_name

_TOLERANCE = 1e-4  # of a logit: exporters fold layers
_GRAPH = "onnx"


def store_mitigated(classifier: nn.Module, parent: Manifest, method: str) -> Manifest:
    """Store what a mitigation method made of an imported classifier.

    Thresholds become rules of the manifest. Weights are saved as they came; where a method put modules between the layers, which no
    library's own class has, the whole network is written as an ONNX graph.

    Parameters
    ----------
    classifier : Adapter
        Made from the parent; it stays as it is.
    parent : Manifest
        Of a stored classifier.
    method : str
        What made it, for its name.

    Returns
    -------
    Manifest
        Of the stored classifier: `parent` names where it comes from.

    Raises
    ------
    FairsalError
        If it cannot be written, or what was written says something else.
    """
    if not isinstance(classifier, Adapter):
        raise FairsalError("Only what was made of an imported classifier is stored beside it.")
    bare, rules = _without_rules(classifier)
    kind = _GRAPH if describe(bare) else parent.format
    weights = f"{safe_name(method)}.onnx" if kind != parent.format else parent.weights
    changes = {
        "name": f"{parent.name}, {method}",
        "parent": parent.digest,
        "format": kind,
        "weights": weights,
        "files": (),
    }
    manifest = parent.model_copy(update={**changes, "rules": rules or parent.rules})
    place = classifiers_folder() / f".{uuid.uuid4().hex[:8]}.tmp"
    place.mkdir(parents=True)
    try:
        origin = classifiers_folder() / parent.digest
        others = [file.name for file in parent.files if file.name != parent.weights] if kind == parent.format else []
        for name in others:
            shutil.copyfile(origin / name, place / name)
        SOURCES.find(kind).ready().save(bare.network.cpu(), origin, manifest, place)
        stored = keep(place, manifest, [weights, *others])
    finally:
        shutil.rmtree(place, ignore_errors=True)
    try:
        _compare(bare, load_stored(stored.digest))
    except FairsalError:
        shutil.rmtree(classifiers_folder() / stored.digest, ignore_errors=True)  # what cannot be read back is not kept
        raise
    return stored


def _without_rules(classifier: Adapter) -> tuple[Adapter, Rules | None]:
    """Return a copy without thresholds that were put behind a layer, and these."""
    bare = copy.deepcopy(classifier).eval()
    rules = None
    for layer, module in list(bare.named_modules()):
        if isinstance(module, Corrected) and isinstance(module[-1], Decision):
            rules = Rules(rules=tuple(map(tuple, module[-1].rules.tolist())), groups=tuple(module[-1].groups.tolist()))
            remove(bare, layer)
    return bare, rules


@torch.inference_mode()
def _compare(made: Adapter, written: Adapter) -> None:
    frames = torch.rand(4, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    wanted, got = made.cpu()(frames), written(frames)
    difference = float((wanted - got).abs().max())
    if not difference <= _TOLERANCE * max(1.0, float(wanted.abs().max())):
        raise FairsalError(
            f"What was written of the mitigated classifier gives other logits, by up to {difference:.2g}."
        )
