"""Classifiers from elsewhere: read without running anything of theirs, checked against their library, stored, and fed."""

from fairsal_core.classifiers.imported.adapter import Adapter, prepare, shown_pixels
from fairsal_core.classifiers.imported.converting import convert_state_dict
from fairsal_core.classifiers.imported.doctor import Diagnosis, doctor_faces, examine
from fairsal_core.classifiers.imported.inspection import Inspection, inspect_folder
from fairsal_core.classifiers.imported.manifest import SETTINGS, Manifest, Outputs, Preprocessing, describe_settings
from fairsal_core.classifiers.imported.saving import store_mitigated
from fairsal_core.classifiers.imported.store import (
    INCOMING,
    classifiers_folder,
    find_stored,
    import_classifier,
    imported_subject,
    load_stored,
    offered_folders,
    remove_stored,
    store,
    stored_classifiers,
    take_upload,
    try_out,
)

__all__ = [
    "INCOMING",
    "SETTINGS",
    "Adapter",
    "Diagnosis",
    "Inspection",
    "Manifest",
    "Outputs",
    "Preprocessing",
    "classifiers_folder",
    "convert_state_dict",
    "describe_settings",
    "doctor_faces",
    "examine",
    "find_stored",
    "import_classifier",
    "imported_subject",
    "inspect_folder",
    "load_stored",
    "offered_folders",
    "prepare",
    "remove_stored",
    "shown_pixels",
    "store",
    "store_mitigated",
    "stored_classifiers",
    "take_upload",
    "try_out",
]
