"""What torchrun starts in a test: a region classifier, trained together; then the first process fails while the other waits."""

import sys
from pathlib import Path

from fairsal_core.device import pick_device, process_number
from fairsal_core.errors import FairsalError
from fairsal_core.regions import RegionTraining, heard, joined, train_region_classifier
from tests.regions.conftest import planted_faces

TRAINING = RegionTraining(
    network="resnet18",
    width=4,
    per_side=13,
    images=33,
    epochs=2,
    batch_size=8,  # the last one is of one face, of which only the first process has any
    learning_rate=1e-4,  # at ten times that, ten steps make a hundredth of a difference in rounding
    schedule="steps",
    precision="fp32",
)


def main(out: Path, device: str) -> None:
    with joined(device):
        faces = planted_faces(40, validation=4)
        trained = train_region_classifier(faces, "Cue", TRAINING, device=pick_device(device))
        if process_number() == 0:
            trained.save(out)
            raise FairsalError("The first process gives up.")
        heard()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
