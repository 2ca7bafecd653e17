"""Which faces they are: digests for whatever is made of them to depend on."""

import hashlib

import numpy as np
import pandas as pd

from fairsal_core.errors import FairsalError
from fairsal_core.faces.dataset import FaceDataset
from fairsal_core.versions import STAGES


def pixels_digest(faces: FaceDataset) -> str:
    """Return a short hash of these faces' pictures, in their order: their names and what packing found in their files.

    It says nothing about where they lie or when they were written: a copied folder gives the same. Faces that come from no
    files are known by their pixels.
    """
    if faces.packed is None:
        raise FairsalError(f"The images of '{faces.name}' are not packed yet; call fairsal_core.faces.pack first.")
    digest = hashlib.sha256(f"{STAGES['packing']}|{tuple(faces.packed.shape[1:])}".encode())
    _add_names(digest, faces)
    digests = faces.file_digests
    digest.update((faces.images if digests is None else digests).tobytes())
    return digest.hexdigest()[:16]


def labels_digest(faces: FaceDataset, *attributes: str) -> str:
    """Return a short hash of what is annotated of these faces, in their order: names, splits and these attributes' columns."""
    digest = hashlib.sha256()
    _add_names(digest, faces)
    columns = ((attribute, faces.attributes[faces.column_of(attribute)]) for attribute in attributes)
    for name, column in ((faces.split.name, faces.split), *columns):
        digest.update(f"{name}|".encode())
        digest.update(_content(column))
    return digest.hexdigest()[:16]


def data_digest(faces: FaceDataset, *attributes: str) -> str:
    """Return a short hash of pictures and annotations: `pixels_digest` and `labels_digest` in one."""
    return hashlib.sha256(f"{pixels_digest(faces)}|{labels_digest(faces, *attributes)}".encode()).hexdigest()[:16]


def _add_names(digest: "hashlib._Hash", faces: FaceDataset) -> None:
    digest.update("\n".join(map(str, faces.names)).encode())


def _content(column: pd.Series) -> bytes:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return "\n".join([*map(str, column.cat.categories), "", *map(str, column.cat.codes)]).encode()
    if column.isna().any():
        return column.astype("Int8").fillna(-1).to_numpy(dtype=np.int8).tobytes()
    return np.ascontiguousarray(column.to_numpy(dtype=bool)).tobytes()
