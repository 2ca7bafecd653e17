"""Importing a classifier: a folder or an upload, what was read of it, what it is fed, the doctor, the store."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from fairsal_core.classifiers import (
    INCOMING,
    Diagnosis,
    Inspection,
    classifiers_folder,
    doctor_faces,
    examine,
    inspect_folder,
    offered_folders,
    shown_pixels,
    store,
    take_upload,
    try_out,
)
from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset
from fairsal_core.pictures import to_bytes
from pages.components.audit.import_form import said_form
from pages.components.audit.subjects import choose_too
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import describe_duration, plain, plain_table

FACES = 8
_FOLDER, _UPLOAD = "A folder", "An upload"


@in_one_sentence("The import")
def import_section(faces: FaceDataset, target: str) -> None:
    """Let a classifier be imported: chosen, read, fed these faces, examined for this target, stored.

    Parameters
    ----------
    faces : FaceDataset
        Packed; eight of them are shown as the network gets them, 200 are the doctor's.
    target : str
        What the classifier's yes should mean.
    """
    if stored := st.session_state.pop("import_stored", None):
        st.success(plain(stored))
    with st.expander("Import a classifier", icon=":material/input:"):
        st.caption(
            "safetensors with the name of a network of torchvision or timm, a folder of Hugging Face transformers, or ONNX. "
            "Pickles, TorchScript and code are never opened; what is read is read by a process of its own."
        )
        folder = _chosen()
        if folder is None:
            return
        said = st.session_state.setdefault(f"import_said-{folder}", {})
        found = _inspected(folder, {"target": target, **said}, faces)
        if found is None:
            return
        said_form(folder, found, said)
        if found.questions:
            return
        _as_fed(found, faces)
        _doctor(folder, found, faces, target)
        _store(folder, found)


def _chosen() -> Path | None:
    offered = offered_folders()
    st.session_state.setdefault("import_way", _FOLDER if offered else _UPLOAD)
    if st.segmented_control("From", [_FOLDER, _UPLOAD], required=True, key="import_way") == _UPLOAD:
        return _uploaded()
    if not offered:
        st.info(
            f"No folder with a .safetensors or .onnx file is in {plain(classifiers_folder() / INCOMING)}, nor in one that "
            "FAIRSAL_CLASSIFIER_ROOTS names. Put one there, or upload the files."
        )
        return None
    return st.selectbox("Folder", offered, format_func=lambda path: path.name, key="import_folder")


def _uploaded() -> Path | None:
    uploads = st.file_uploader(
        "One .safetensors or .onnx file, and the .json files of its library",
        type=["safetensors", "onnx", "json"],
        accept_multiple_files=True,
        key="import_upload",
        help="Larger ones: put the folder on the server, or use fairsal import-classifier.",
    )
    if not uploads:
        return None
    return take_upload({upload.name: upload.getvalue() for upload in uploads})


def _inspected(folder: Path, said: Mapping[str, Any], faces: FaceDataset) -> Inspection | None:
    """Return what was found, read once for these files and what is said of them; None after one sentence."""
    stamps = tuple((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(folder.iterdir()))
    asked = (str(folder), stamps, tuple(sorted((key, str(value)) for key, value in said.items())))
    kept: dict[Any, Inspection | str] = st.session_state.setdefault("import_read", {})
    if asked not in kept:
        place = st.empty()

        def show(done: float, total: float, message: str = "") -> None:
            place.progress(
                min(done / 20, 0.95), text=f"Reading the classifier, {describe_duration(done)}: usually 5 to 20 s"
            )

        try:
            kept[asked] = inspect_folder(folder, said, _eight(faces), show)
        except FairsalError as error:
            kept[asked] = str(error)
        place.empty()
    found = kept[asked]
    if isinstance(found, Inspection):
        return found
    st.error(plain(found))
    if len(said) > 1 and st.button("Forget what was said", key="import_forget"):
        st.session_state[f"import_said-{folder}"] = {}
        st.rerun()
    return None


def _eight(faces: FaceDataset) -> NDArray[np.uint8]:
    rows = np.linspace(0, len(faces) - 1, FACES).astype(int)
    return np.array(faces.take(rows).images)


def _as_fed(found: Inspection, faces: FaceDataset) -> None:
    manifest, check = found.manifest, found.check
    fed, low, high = shown_pixels(_eight(faces), manifest.preprocessing)
    height, width = manifest.preprocessing.size
    st.markdown(
        f"**As the network gets them**: {height} × {width} pixels, {manifest.preprocessing.channels}, "
        f"values {low:.2f} to {high:.2f}"
    )
    st.image([to_bytes(each) for each in fed], width=84)
    st.caption(
        f"Outputs are within {check['logits_error']:.1g} of {plain(manifest.source)}'s on these faces, and within "
        f"{check['rounding']:.1g} of its pipeline on pictures, which rounds to 8 bits while resizing. "
        f"{check['parameters']:,} weights, read in {describe_duration(found.seconds)} with {found.memory / 2**20:,.0f} MB."
        + ("" if check["gradient"] else " Pixels get no gradient: it can be explained by occlusion alone.")
    )


def _doctor(folder: Path, found: Inspection, faces: FaceDataset, target: str) -> None:
    key = (found.manifest.digest, target, len(faces))
    kept: dict[Any, Diagnosis] = st.session_state.setdefault("import_doctor", {})
    if st.button(
        "Is it fed as it was taught? Ask the doctor", key="import_doctor_button", icon=":material/stethoscope:"
    ):
        place = st.empty()

        def show(done: float, total: float, message: str = "") -> None:
            place.progress(done / total, text=f"{message}: {done:.0f} of {total:.0f}")

        kept[key] = examine(try_out(folder, found), *doctor_faces(faces, target), show)
        place.empty()
    if key not in kept:
        st.caption(
            f"Tries other orders of channels, ranges, labels and crops on up to 200 faces labelled '{plain(target)}', "
            "and on 800 more what these leave in doubt."
        )
        return
    diagnosis = kept[key]
    (st.warning if diagnosis.better or diagnosis.auc_interval.low <= 0.5 else st.success)(
        plain(" ".join(diagnosis.sentences))
    )
    if st.toggle(f"Show the {len(diagnosis.trials)} ways that were tried", key="import_ways"):
        st.table(plain_table(_ways(diagnosis)))


def _ways(diagnosis: Diagnosis) -> pd.DataFrame:
    rows = [
        {
            "fed": trial.what,
            "AUC": f"{trial.auc:.3f}",
            "accuracy": f"{trial.accuracy:.2f}",
            "gain [interval]": f"{trial.gain:+.3f} [{trial.interval.low:+.3f}, {trial.interval.high:+.3f}]",
            "first batch norm off by": f"{trial.misfit:.2g}",
            "better": "yes" if trial in diagnosis.better else "",
        }
        for trial in diagnosis.trials
    ]
    table = pd.DataFrame(rows).set_index("fed")
    return table if np.isfinite(diagnosis.misfit) else table.drop(columns="first batch norm off by")


def _store(folder: Path, found: Inspection) -> None:
    if st.button("Store it", key="import_store", type="primary", icon=":material/save:"):
        manifest = store(folder, found)
        choose_too(manifest.digest)
        st.session_state["import_stored"] = f"{manifest.name} is stored as {manifest.digest}, and chosen below."
        st.rerun()
