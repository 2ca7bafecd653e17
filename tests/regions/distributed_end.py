"""What torchrun starts in a test: a region classifier, trained together; told are the threads that are left of it."""

import sys
from pathlib import Path

from fairsal_core.device import pick_device, process_number
from fairsal_core.regions import heard, joined, train_region_classifier
from tests.regions.conftest import planted_faces
from tests.regions.distributed_job import TRAINING


def threads() -> str:
    return " ".join(sorted(file.read_text().strip() for file in Path("/proc/self/task").glob("*/comm")))


def main() -> None:
    with joined("cpu"):
        train_region_classifier(planted_faces(8, validation=4), "Cue", TRAINING, device=pick_device("cpu"))
        sys.stdout.write(f"within: {threads()}\n")
        if process_number() > 0:
            heard()
    sys.stdout.write(f"after: {threads()}\n")


if __name__ == "__main__":
    main()
