"""A Croissant description of a packed set: JSON-LD that says what its files and columns are (MLCommons Croissant 1.0)."""

import hashlib
from pathlib import Path
from typing import Any

import pandas as pd

from fairsal_core.errors import FairsalError
from fairsal_core.faces.dataset import FaceDataset
from fairsal_core.files import replacing, write_json

CROISSANT, LABELS = "croissant.json", "labels.csv"
CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_BLOCK = 2**20


def write_croissant(faces: FaceDataset, folder: Path) -> Path:
    """Write `labels.csv` (picture, row in the packed array, split, identity, attributes) and its description; returns that file.

    Parameters
    ----------
    faces : FaceDataset
        Packed.
    folder : Path
        Where to. Packed pixels that lie there in one file are described too.
    """
    if faces.rows is None:
        raise FairsalError(f"The images of '{faces.name}' are not packed yet; call fairsal_core.faces.pack first.")
    table = pd.DataFrame(
        {"picture": list(faces.names), "row": faces.rows, "split": faces.split.astype(object).to_numpy()}
    )
    if faces.identity is not None:
        table["identity"] = faces.identity.to_numpy()
    taken = set(table.columns)
    names = {name: name if name not in taken else f"label {name}" for name in map(str, faces.attributes.columns)}
    for name, column in names.items():
        table[column] = faces.attributes[name].to_numpy()
    with replacing(folder / LABELS) as temporary:
        table.to_csv(temporary, index=False)
    files = [_file(folder, LABELS, "text/csv")]
    if (folder / "images.npy").is_file():
        files.append(_file(folder, "images.npy", "application/octet-stream"))
    path = folder / CROISSANT
    write_json(path, _description(faces, table, files))
    return path


def _file(folder: Path, name: str, encoding: str) -> dict[str, Any]:
    digest = hashlib.sha256()
    with (folder / name).open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{(folder / name).stat().st_size} B",
        "encodingFormat": encoding,
        "sha256": digest.hexdigest(),
    }


def _description(faces: FaceDataset, table: pd.DataFrame, files: list[dict[str, Any]]) -> dict[str, Any]:
    notes = " ".join(faces.notes)
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": faces.name,
        "description": f"{len(faces):,} faces, packed by fairsal, with the annotations of their source. {notes}".strip(),
        "conformsTo": CONFORMS_TO,
        "license": "as the source's: a packed copy grants no rights of its own",
        "url": faces.root.resolve().as_uri(),
        "version": "1.0.0",
        "distribution": files,
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "faces",
                "name": "faces",
                "description": "One record a face; `row` is its row in images.npy.",
                "key": {"@id": "faces/picture"},
                "field": [_field(str(name), table[name]) for name in table.columns],
            }
        ],
    }


def _field(name: str, column: pd.Series) -> dict[str, Any]:
    if pd.api.types.is_bool_dtype(column.dtype):
        kind = "sc:Boolean"
    else:
        kind = "sc:Integer" if pd.api.types.is_integer_dtype(column.dtype) else "sc:Text"
    return {
        "@type": "cr:Field",
        "@id": f"faces/{name}",
        "name": f"faces/{name}",
        "dataType": kind,
        "source": {"fileObject": {"@id": LABELS}, "extract": {"column": name}},
    }
