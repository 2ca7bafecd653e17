"""A process that draws a share of the faces: `python -m fairsal_core.drawing.worker FOLDER SEED FIRST COUNT STEP`."""

import gc
import sys
from pathlib import Path

from fairsal_core.drawing.face_files import write_face


def draw_share(folder: str, seed: str, first: str, count: str, step: str) -> None:
    """Draw every `step`-th face from `first` to `count`; the arguments are text, as they come from the command line."""
    # Drawing leaves no reference cycles behind, and looking for some takes a tenth of its time.
    gc.disable()
    for index in range(int(first), int(count) + 1, int(step)):
        write_face(Path(folder), int(seed), index)


if __name__ == "__main__":
    draw_share(*sys.argv[1:])
