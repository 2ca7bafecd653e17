"""The data audit of the faces that a run reads, before it trains or judges anything."""

from datetime import date
from pathlib import Path

from fairsal_core.drawing import DEMO
from fairsal_core.faces import FaceDataset, audit_data
from fairsal_core.files import write_json
from fairsal_core.progress import Progress

_LOOKED_AT = 60  # pictures in which a face is looked for: three seconds of two cores


def audit_faces_read(
    faces: FaceDataset, data: str, target: str, confounder: str, file: Path, progress: Progress
) -> None:
    """Write what `audit_data` says of the faces that a run reads, for its report.

    Parameters
    ----------
    faces : FaceDataset
        Those that are trained or judged on, packed and `readable`.
    data : str
        The set's name or folder; in drawn faces, which no detector knows, no face is looked for.
    target, confounder : str
        The attributes whose groups are counted; the target is what the others are correlated with.
    file : Path
        JSON, see `RunFiles.data_audit`.
    progress : Progress
        Called while pictures are compared; may raise to stop.
    """
    look = 0 if data == DEMO else _LOOKED_AT
    about = audit_data(faces, target, (confounder,), progress=progress, look=look)
    write_json(file, {"made": date.today().isoformat(), **about})
