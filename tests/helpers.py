"""Small image sets for tests, in memory and on disk; and registries with more in them."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from fairsal_core.experiments import region_stage
from fairsal_core.faces import FaceDataset, load_faces
from fairsal_core.regions import bundled_classifier
from fairsal_core.registry import Registry
from fairsal_core.settings import ExperimentConfig

SPLITS = ("train", "val", "test")


def noise_images(count: int, seed: int = 0, size: int = 128) -> NDArray[np.uint8]:
    """Return random pixels (count, size, size, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def face_names(count: int) -> list[str]:
    return [f"{number:06d}.jpg" for number in range(1, count + 1)]


def faces_in_memory(
    labels: Mapping[str, Sequence[bool] | NDArray[np.bool_]],
    split: Sequence[str] | None = None,
    images: NDArray[np.uint8] | None = None,
) -> FaceDataset:
    """Return a FaceDataset that has no files, packed where `images` are given."""
    attributes = pd.DataFrame({name: np.asarray(values, dtype=bool) for name, values in labels.items()})
    attributes.index = pd.Index(face_names(len(attributes)), name="image")
    splits = ["train"] * len(attributes) if split is None else list(split)
    return FaceDataset(
        name="memory",
        root=Path("nowhere"),
        image_folder=Path("nowhere"),
        attributes=attributes,
        split=pd.Series(splits, index=attributes.index, dtype=pd.CategoricalDtype(list(SPLITS)), name="split"),
        packed=images,
        rows=None if images is None else np.arange(len(images)),
    )


def write_celeba(
    folder: Path,
    attributes: pd.DataFrame,
    split: Sequence[int],
    *,
    layout: str = "txt",
    frame: tuple[int, int] = (178, 218),
    seed: int = 0,
    identity: Mapping[str, int] | None = None,
) -> Path:
    """Write random-noise JPEGs and annotation files as CelebA has them ("txt") or as Kaggle has them ("csv").

    `attributes` holds bools, its index the file names; `split` holds 0, 1 or 2 per face.
    """
    images = folder / "img_align_celeba"
    images = images / "img_align_celeba" if layout == "csv" else images
    images.mkdir(parents=True)
    generator = np.random.default_rng(seed)
    width, height = frame
    for name in attributes.index:
        Image.fromarray(generator.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(images / name)
    signs = attributes.astype(int) * 2 - 1
    if layout == "csv":
        signs.rename_axis("image_id").to_csv(folder / "list_attr_celeba.csv")
        parts = pd.DataFrame({"image_id": attributes.index, "partition": split})
        parts.to_csv(folder / "list_eval_partition.csv", index=False)
    else:
        rows = [f"{name} {' '.join(f'{value:2d}' for value in row)}" for name, *row in signs.itertuples()]
        lines = [str(len(signs)), " ".join(signs.columns) + " ", *rows]
        (folder / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        parts_lines = [f"{name} {number}" for name, number in zip(attributes.index, split, strict=True)]
        (folder / "list_eval_partition.txt").write_text("\n".join(parts_lines) + "\n", encoding="utf-8")
    if identity is not None:
        (folder / "identity_CelebA.txt").write_text("".join(f"{name} {who}\n" for name, who in identity.items()))
    return folder


def register(patch: pytest.MonkeyPatch, registry: Registry[Any], *entries: Any) -> None:
    """Have a registry hold more entries, as if they were made where its own are, until the patch is undone."""
    patch.setattr(registry, "_own", {**registry._own, **{entry.name: entry for entry in entries}})
    patch.setattr(registry, "_found", None)


def put_bundled(config: ExperimentConfig) -> None:
    """Have the run take a region classifier that knows its attribute: against another's map nothing is measured."""
    stage = region_stage(load_faces(config.data), config.confounder, config.regions, torch.device("cpu"))
    stage.put(lambda folder: bundled_classifier(config.confounder).save(folder / "regions"))


def folder_of_own(root: Path, faces: FaceDataset, rows: slice) -> Path:
    """Write some faces of a set with a table of their own, `labels.parquet`."""
    some = faces.take(np.arange(len(faces))[rows])
    (root / "img").mkdir(parents=True)
    for name in some.names:
        shutil.copy(some.image_folder / name, root / "img" / name)
    table = some.attributes.copy()
    table.insert(0, "image", [f"img/{name}" for name in some.names])
    table["split"] = some.split.astype(str)
    table["identity"] = [f"person {number % 7}" for number in range(len(some))]
    table.to_parquet(root / "labels.parquet", index=False, row_group_size=7)
    return root
