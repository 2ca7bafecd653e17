"""Folders with small classifiers from elsewhere, untrained: what they say is checked, not how well."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from fairsal_core.classifiers.imported.checking import check_network
from fairsal_core.classifiers.imported.contents import look_into
from fairsal_core.classifiers.imported.manifest import Manifest
from fairsal_core.classifiers.imported.registry import manifest_of, read_contents
from fairsal_core.classifiers.imported.store import classifiers_folder, keep
from tests.helpers import noise_images

SMALL = "shufflenet_v2_x0_5"


def write_weights(
    folder: Path, network: nn.Module, config: Mapping[str, Any] | None = None, name: str = "model"
) -> Path:
    """Write a network's weights as safetensors, and a configuration beside them."""
    folder.mkdir(exist_ok=True)
    save_file(
        {key: value.contiguous().clone() for key, value in network.state_dict().items()}, folder / f"{name}.safetensors"
    )
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return folder


def torchvision_folder(folder: Path, outputs: int = 2, **config: Any) -> Path:
    import torchvision

    torch.manual_seed(0)
    network = torchvision.models.get_model(SMALL, num_classes=outputs)
    return write_weights(folder, network, {"architecture": SMALL, **config})


def timm_folder(
    folder: Path, outputs: int = 2, channels: int = 3, side: int = 32, patch: int = 8, **config: Any
) -> Path:
    import timm

    torch.manual_seed(0)
    arguments = {
        "img_size": side,
        "patch_size": patch,
        "depth": 1,
        "embed_dim": 32,
        "num_heads": 2,
        "in_chans": channels,
    }
    network = timm.create_model("vit_tiny_patch16_224", num_classes=outputs, **arguments)
    fed = {"input_size": [channels, side, side], "crop_pct": 0.9, "mean": [0.4] * channels, "std": [0.2] * channels}
    return write_weights(
        folder,
        network,
        {"architecture": "vit_tiny_patch16_224", "model_args": arguments, "pretrained_cfg": fed, **config},
    )


def huggingface_folder(folder: Path, **config: Any) -> Path:
    """A ViT of one layer whose outputs are "smiling" and "not smiling", in this order."""
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    torch.manual_seed(0)
    settings = {"id2label": {0: "smiling", 1: "not smiling"}, "label2id": {"smiling": 0, "not smiling": 1}, **config}
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    ViTForImageClassification(ViTConfig(image_size=32, patch_size=8, **sizes, **settings)).save_pretrained(folder)
    half = [0.5, 0.5, 0.5]
    ViTImageProcessor(size={"height": 32, "width": 32}, image_mean=half, image_std=half).save_pretrained(folder)
    return folder


def change_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def read_folder(folder: Path, **said: Any) -> Manifest:
    """Return the manifest of a folder, read in this process."""
    return manifest_of(read_contents(look_into(folder), said))


def checked(folder: Path, place: Path, **said: Any) -> dict[str, Any]:
    """Return what the comparison with the library's own pipeline says, made in this process."""
    import numpy as np

    np.save(place / "faces.npy", noise_images(8))
    return check_network(folder, read_folder(folder, **said), place / "faces.npy")


def put(folder: Path, **said: object) -> Manifest:
    """Store a folder without a process of its own."""
    place = classifiers_folder() / ".putting"
    shutil.copytree(folder, place)
    try:
        return keep(place, read_folder(folder, **said), [path.name for path in folder.iterdir()])
    finally:
        shutil.rmtree(place, ignore_errors=True)
