"""Classifiers as teams bring them: fine-tuned here in five libraries' formats, imported, audited, explained, fed wrongly.

    python -m benchmarks.brought --data FOLDER --out FOLDER [--networks NAME...] [--diagnose NAME...] [--images 9000] [--epochs 2]

Each is trained on Smiling of the folder's train split, at 128 pixels, saved as its library saves it, and imported by the command
that people use. The table: seconds and megabytes of the import, the largest difference of an output from the library's own, AUC on
the test split, seconds of an audit with LRP of 32 faces, how far the kept relevance is from 1 at most and whether the map is
zennit's (where zennit knows every part), and which of five planted mistakes of feeding the doctor names on 200 faces. Networks that
are in OUT already are not trained again. Needs requirements-scale-dev.txt.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fairsal_core.classifiers import load_stored, predict_scores
from fairsal_core.classifiers.imported.adapter import Adapter
from fairsal_core.classifiers.imported.doctor import doctor_faces, examine
from fairsal_core.classifiers.imported.inspection import inspect_folder
from fairsal_core.classifiers.imported.manifest import as_manifest, with_settings
from fairsal_core.classifiers.imported.store import store
from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset, load_faces
from fairsal_core.metrics import roc_auc
from fairsal_core.results import list_attention
from fairsal_core.runs import load_run, run_here
from fairsal_core.saliency import LrpGraphSettings, LrpSettings
from fairsal_core.saliency.lrp import prepare_lrp
from fairsal_core.saliency.lrp_graph import prepare_lrp_graph
from fairsal_core.settings import parse_audit
from fairsal_core.tensors import IMAGENET_MEAN, IMAGENET_STD, Normalise, autocast, to_unit

SIDE, TARGET, PROTECTED = 128, "Smiling", "Male"
EXPLAINED = 32
MISTAKES: Mapping[str, Mapping[str, Any]] = {
    "BGR": {"channels": "BGR"},
    "0-255": {"scale": 255.0, "mean": "0", "std": "1"},
    "mean and std 0.5": {"mean": "0.5", "std": "0.5"},
    "swapped": {"reverse": True},
    "crop": {"resize": 170, "crop": SIDE},
}


class Brought(NamedTuple):
    """A network, the format it comes in, its rate, and what has to be said of it because no file does."""

    build: Callable[[], nn.Module]
    save: Callable[[nn.Module, Path], None]
    rate: float = 1e-3
    said: Mapping[str, Any] = {}


def _torchvision(name: str) -> Brought:
    import torchvision

    def save(network: nn.Module, folder: Path) -> None:
        _write(network, folder, {"architecture": name, "num_classes": 2})

    said = {"resize": SIDE, "crop": SIDE}
    return Brought(lambda: torchvision.models.get_model(name, num_classes=2), save, said=said)


def _timm(name: str, rate: float = 1e-3, **arguments: Any) -> Brought:
    import timm

    fed = {"input_size": [3, SIDE, SIDE], "crop_pct": 1.0, "mean": IMAGENET_MEAN, "std": IMAGENET_STD}

    def save(network: nn.Module, folder: Path) -> None:
        about = {"architecture": name, "num_classes": 2, "model_args": arguments, "pretrained_cfg": fed}
        _write(network, folder, about)

    return Brought(lambda: timm.create_model(name, num_classes=2, **arguments), save, rate)


def _transformers(kind: str, rate: float = 1e-3, **arguments: Any) -> Brought:
    import transformers

    names = {0: "not smiling", 1: "smiling"}
    settings = {**arguments, "id2label": names, "label2id": {name: number for number, name in names.items()}}

    def save(network: nn.Module, folder: Path) -> None:
        network.save_pretrained(folder)  # type: ignore[operator]
        processor = transformers.ViTImageProcessor(
            size={"height": SIDE, "width": SIDE}, image_mean=list(IMAGENET_MEAN), image_std=list(IMAGENET_STD)
        )
        processor.save_pretrained(folder)

    def build() -> nn.Module:
        config = getattr(transformers, f"{kind}Config")(**settings)
        network: nn.Module = getattr(transformers, f"{kind}ForImageClassification")(config)
        return network

    return Brought(build, save, rate)


class Logits(nn.Module):
    """A network of which nothing but the logits is exported."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        return _logits(self.network, pixels)


def _onnx(of: Brought, dynamo: bool) -> Brought:
    def save(network: nn.Module, folder: Path) -> None:
        example, file = torch.rand(2, 3, SIDE, SIDE), folder / "model.onnx"
        names = {"input_names": ["pixels"], "output_names": ["logits"]}
        network = Logits(network)
        if dynamo:
            free = {"dynamic_shapes": ({0: torch.export.Dim("pictures")},)}
            torch.onnx.export(network, (example,), file, dynamo=True, external_data=False, **names, **free)
        else:
            free_axes = {"pixels": {0: "pictures"}, "logits": {0: "pictures"}}
            torch.onnx.export(network, (example,), file, dynamo=False, dynamic_axes=free_axes, **names)

    mean, std = (",".join(map(str, values)) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return Brought(of.build, save, of.rate, {"mean": mean, "std": std})


def networks() -> dict[str, Callable[[], Brought]]:
    """Return what is brought, by name; a library is asked only for its own."""
    tokens = {"patch_size": 16, "img_size": SIDE}
    hidden = {"hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 256}
    vit = partial(_transformers, "ViT", 5e-4, image_size=SIDE, patch_size=16, **hidden)
    blocks = {"embedding_size": 32, "hidden_sizes": [32, 64, 128], "depths": [1, 1, 1], "layer_type": "basic"}
    return {
        "torchvision resnet18": lambda: _torchvision("resnet18"),
        "torchvision mobilenet_v3_small": lambda: _torchvision("mobilenet_v3_small"),
        "torchvision efficientnet_b0": lambda: _torchvision("efficientnet_b0"),
        "timm convnext_atto": lambda: _timm("convnext_atto"),
        "timm vit_tiny": lambda: _timm("vit_tiny_patch16_224", 3e-4, **tokens),
        "transformers ViT": vit,
        "transformers ResNet": lambda: _transformers("ResNet", **blocks),
        "ONNX of resnet18, default": lambda: _onnx(_torchvision("resnet18"), dynamo=True),
        "ONNX of resnet18, legacy": lambda: _onnx(_torchvision("resnet18"), dynamo=False),
        "ONNX of transformers ViT, default": lambda: _onnx(vit(), dynamo=True),
        "ONNX of transformers ViT, legacy": lambda: _onnx(vit(), dynamo=False),
    }


def _write(network: nn.Module, folder: Path, about: Mapping[str, Any]) -> None:
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(about))


def train(brought: Brought, faces: FaceDataset, epochs: int) -> nn.Module:
    """Return a network trained to tell the target, on mirrored pictures too."""
    torch.manual_seed(0)
    network, normalise = brought.build().train(), Normalise()
    optimiser = torch.optim.AdamW(network.parameters(), lr=brought.rate, weight_decay=0.05)
    labels, images = torch.from_numpy(faces.labels(TARGET)).long(), faces.images
    steps = epochs * -(-len(labels) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, brought.rate, total_steps=steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(labels)).split(64):
            pixels = normalise(to_unit(torch.from_numpy(images[np.sort(rows.numpy())])))
            if torch.rand(()) < 0.5:
                pixels = pixels.flip(3)
            with autocast(torch.device("cpu"), "bf16"):
                logits = _logits(network, pixels)
            loss = nn.functional.cross_entropy(logits.float(), labels[rows.sort().values])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
    return network.eval()


def _logits(network: nn.Module, pixels: Tensor) -> Tensor:
    given: Any = network(pixels)
    logits: Tensor = getattr(given, "logits", given)
    return logits


def made(name: str, brought: Brought, faces: FaceDataset, epochs: int, out: Path) -> Path:
    """Return the folder of a network, which is trained, or another's in another format, unless it is there."""
    folder = out / name.replace(" ", "-").replace(",", "")
    if folder.is_dir():
        return folder
    trained = out / f"{name.split(',')[0].removeprefix('ONNX of ').split()[-1]}.safetensors"
    if trained.is_file():
        network = brought.build().eval()
        network.load_state_dict(load_file(trained))
    else:
        network = train(brought, faces, epochs)
        save_file({key: value.contiguous() for key, value in network.state_dict().items()}, trained)
    folder.mkdir()
    brought.save(network, folder)
    return folder


def measured(
    name: str, brought: Brought, folder: Path, faces: FaceDataset, data: str, diagnose: bool
) -> dict[str, Any]:
    """Return a row of the table."""
    said = {"target": TARGET, "positive": 1, "name": name, **brought.said}
    begun = time.perf_counter()
    found = inspect_folder(folder, said)
    adapter = load_stored(store(folder, found).digest)
    loads = time.perf_counter() - begun
    test = faces.in_split("test")
    scores = predict_scores(adapter, test.images)
    begun = time.perf_counter()
    run = audited(name, data)
    audit = time.perf_counter() - begun
    return {
        "network": name,
        "loads": f"{loads:.1f} s",
        "MB": f"{sum(file.stat().st_size for file in folder.iterdir()) / 1e6:.1f}",
        "logits error": f"{found.check['logits_error']:.1g}",
        "AUC": f"{roc_auc(scores, test.labels(TARGET)):.3f}",
        "audit": f"{audit:.0f} s",
        "kept": kept(run),
        "zennit": as_zennit(name, adapter, test.images[:2]),
        "doctor": caught(adapter, faces.in_split("val")) if diagnose else "–",
    }


def audited(name: str, data: str) -> Path:
    """Audit a stored classifier, explained by LRP, and return the run."""
    content = {
        "data": data,
        "target": TARGET,
        "confounder": PROTECTED,
        "subjects": [name],
        "schemes": [],
        "attention": {"explainers": ["lrp_graph"], "explained_faces": EXPLAINED},
        "device": "cpu",
    }
    path = run_here("audit", parse_audit(content).model_dump(mode="json"), name="brought")
    if error := load_run(path).status.error:
        raise FairsalError(error)
    return path


def kept(run: Path) -> str:
    """Return how far the relevance that arrived is from all of it, at most, or why there is no map."""
    found = list_attention(run)
    if not found:
        return "no map"
    if found[0].instead or "relevance_kept" not in found[0].values:
        return f"shown instead: {found[0].about['explainer']}"
    return f"{float((found[0].values['relevance_kept'] - 1).abs().max()):.3f}"


def as_zennit(name: str, adapter: Adapter, images: NDArray[np.uint8]) -> str:
    """Return the largest difference from zennit's map, as a share of its peak, in double precision, of the one it knows."""
    if name != "torchvision resnet18":
        return "–"
    network = nn.Sequential(Normalise(), adapter.network).double().requires_grad_(False)
    batch, targets = to_unit(torch.from_numpy(images)).double(), torch.tensor([1, 0])
    theirs = prepare_lrp(network, LrpSettings(), batch[:1])(batch, targets, 2).relevance
    ours = prepare_lrp_graph(network, LrpGraphSettings(), batch[:1])(batch, targets, 2).relevance
    adapter.network.float()
    return f"{float((ours - theirs).abs().max() / theirs.abs().max()):.1g}"


def caught(adapter: Adapter, faces: FaceDataset) -> str:
    """Return which planted mistakes the doctor finds and mends, what the others cost, and whether it says one where none is."""
    images, labels = doctor_faces(faces, TARGET)
    truth = adapter.manifest
    found, missed = [], []
    for mistake, settings in MISTAKES.items():
        content = truth.model_dump()
        content["preprocessing"]["corner"] = None
        wrong = as_manifest(with_settings(content, settings))
        better = examine(Adapter(adapter.network, wrong).eval(), images, labels).better
        mended = better and as_manifest(with_settings(wrong.model_dump(), better[0].settings))
        right = mended and all(
            getattr(mended.preprocessing, key) == getattr(truth.preprocessing, key)
            for key in ("channels", "scale", "mean", "std", "size")
        )
        turned = mended and mended.outputs.reverse == truth.outputs.reverse
        if right and turned:
            found.append(mistake)
            continue
        lost = roc_auc(predict_scores(adapter, images), labels) - roc_auc(
            predict_scores(Adapter(adapter.network, wrong).eval(), images), labels
        )
        missed.append(f"{mistake} (costs {float(lost):.3f} of AUC)")
    alarm = ", false alarm" if examine(adapter, images, labels).better else ""
    return f"{len(found)} of {len(MISTAKES)}" + (f", not {', '.join(missed)}" if missed else "") + alarm


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", required=True, help="a folder in CelebA's layout")
    parser.add_argument("--out", type=Path, required=True, help="folder for the networks, and a workspace")
    parser.add_argument("--networks", nargs="+", default=list(networks()), choices=list(networks()))
    parser.add_argument("--diagnose", nargs="*", default=list(networks()), help="networks that are fed wrongly too")
    parser.add_argument("--images", type=int, default=9000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    os.environ["FAIRSAL_HOME"] = str(options.out / "workspace")
    faces = load_faces(options.data).readable
    some = faces.in_split("train").with_label(TARGET).sample(options.images)
    rows = []
    for name in options.networks:
        brought = networks()[name]()
        folder = made(name, brought, some, options.epochs, options.out)
        rows.append(measured(name, brought, folder, faces, options.data, name in options.diagnose))
        print(json.dumps(rows[-1]) if options.json else " | ".join(rows[-1].values()), flush=True)


if __name__ == "__main__":
    main()
