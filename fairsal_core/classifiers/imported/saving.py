"""A mitigated classifier, stored in its source's own format with its manifest, so that its team can take it back."""

import copy
import shutil
import uuid

import torch
from torch import Tensor, nn

from fairsal_core.classifiers.corrections import Corrected, Correction, Decision, describe, remove
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

    Thresholds become rules of the manifest. Weights are saved as they came; what a method put between the layers goes into the
    weights of a linear layer behind it where that is the same. Else, since no library's own class has it, the whole network is
    written as an ONNX graph.

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
    bare = _in_the_weights(bare) or bare
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


def _in_the_weights(classifier: Adapter) -> Adapter | None:
    """Return a copy whose only correction is part of a linear layer's weights, if one gives the same logits so; else None."""
    places = {layer for layer, module in classifier.named_modules() if isinstance(module, Corrected)}
    if len(places) != 1:
        return None
    (place,) = places
    corrected = classifier.get_submodule(place)
    assert isinstance(corrected, Corrected)
    correction = corrected[-1]
    affine = correction.of_means() if isinstance(correction, Correction) and len(corrected) == 2 else None
    if affine is None:
        return None
    width = len(affine[1])
    for name, module in classifier.named_modules():
        if isinstance(module, nn.Linear) and module.in_features == width and not name.startswith(f"{place}."):
            folded = copy.deepcopy(classifier)
            remove(folded, place)
            layer = folded.get_submodule(name)
            assert isinstance(layer, nn.Linear)
            _take_in(layer, *affine)
            if _difference(classifier, folded) <= _TOLERANCE:
                return folded
    return None


@torch.no_grad()
def _take_in(layer: nn.Linear, matrix: Tensor, offset: Tensor) -> None:
    """Have a linear layer see A x + b instead of x: W (A x + b) + c = (W A) x + (c + W b)."""
    weight, matrix, offset = layer.weight.double(), matrix.double(), offset.double()
    bias = torch.zeros(len(weight), dtype=torch.float64) if layer.bias is None else layer.bias.double()
    layer.weight.copy_(weight @ matrix)
    layer.bias = nn.Parameter((bias + weight @ offset).to(layer.weight.dtype))


def _compare(made: Adapter, written: Adapter) -> None:
    difference = _difference(made, written)
    if not difference <= _TOLERANCE:
        raise FairsalError(
            f"What was written of the mitigated classifier gives other logits, by up to {difference:.2g} of the largest."
        )


@torch.inference_mode()
def _difference(made: Adapter, other: Adapter) -> float:
    """Return by how much the logits of two classifiers differ at most, as a share of the largest, or of 1 where that is less."""
    frames = torch.rand(4, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    wanted, got = made.cpu()(frames), other.cpu()(frames)
    return float((wanted - got).abs().max()) / max(1.0, float(wanted.abs().max()))
