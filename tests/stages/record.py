"""Record the stages' golden outputs anew: `python -m tests.stages.record`, after a stage's version was raised."""

import json
import os
import tempfile
from pathlib import Path

import numpy as np

from fairsal_core.drawing import draw_demo_faces
from fairsal_core.faces import FaceDataset, load_celeba, pack
from fairsal_core.versions import STAGES
from tests.stages.outputs import Numbers, outputs

GOLDEN = Path(__file__).with_name("golden.json")
Golden = dict[str, dict[str, dict[str, object]]]


def read_golden() -> Golden:
    """Return stage -> case -> its version and numbers."""
    golden: Golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return golden


def differences(expected: Numbers, found: Numbers) -> list[str]:
    """Return what is not the same but for rounding, which trainings amplify: a hundredth of the largest number in a row."""
    if set(expected) != set(found):
        return [f"{sorted(expected)} became {sorted(found)}"]
    wrong = []
    for name, numbers in expected.items():
        now = np.asarray(found[name])
        before = np.asarray(numbers)
        allowed = 0.01 * max(float(np.abs(before).max(initial=0)), 1e-6)
        if before.shape != now.shape or not np.allclose(before, now, rtol=0, atol=allowed, equal_nan=True):
            wrong.append(f"{name}: {numbers} became {found[name]}")
    return wrong


def record(faces: FaceDataset, folder: Path) -> None:
    """Write what the stages give now; refuses where that has changed and the stage's version has not."""
    before = read_golden() if GOLDEN.is_file() else {}
    golden: Golden = {}
    for stage, case, compute in outputs(faces, folder):
        numbers = compute()
        kept = before.get(stage, {}).get(case)
        if kept and kept["version"] == STAGES[stage]:
            if wrong := differences(kept["numbers"], numbers):  # type: ignore[arg-type]
                raise SystemExit(
                    f"'{stage}' gives other numbers for {case}, and is of version {STAGES[stage]} still: {wrong}"
                )
            numbers = kept["numbers"]  # type: ignore[assignment]
        golden.setdefault(stage, {})[case] = {"version": STAGES[stage], "numbers": numbers}
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        os.environ["FAIRSAL_HOME"] = home
        drawn = draw_demo_faces(Path(home) / "faces", count=240, seed=0, workers=1)
        record(pack(load_celeba(drawn), Path(home) / "cache"), Path(home))
