"""A stage whose output changes has another version: what was kept of the old one must not be taken for the new one's."""

from pathlib import Path

import pytest

from fairsal_core.faces import FaceDataset
from fairsal_core.versions import STAGES
from tests.stages.outputs import Numbers, outputs
from tests.stages.record import differences, read_golden

GOLDEN = read_golden()
CASES = [(stage, case) for stage, cases in GOLDEN.items() for case in cases]


@pytest.mark.parametrize(("stage", "case"), CASES, ids=lambda value: str(value).replace(" ", "_"))
def test_the_output_is_that_of_the_version(drawn: FaceDataset, home: Path, stage: str, case: str) -> None:
    golden = GOLDEN[stage][case]
    assert golden["version"] == STAGES[stage], "record it: python -m tests.stages.record"
    compute = next(compute for of, name, compute in outputs(drawn, home) if (of, name) == (stage, case))
    wrong = differences(golden["numbers"], compute())  # type: ignore[arg-type]
    assert wrong == [], (
        f"'{stage}' gives other numbers: raise its version in fairsal_core/versions.py, then python -m tests.stages.record"
    )


def test_every_stage_and_every_entry_is_there(drawn: FaceDataset, home: Path) -> None:
    assert set(GOLDEN) == set(STAGES)
    there = {(stage, case) for stage, case, _ in outputs(drawn, home)}
    assert there == set(CASES), "record it: python -m tests.stages.record"


@pytest.mark.parametrize(
    ("found", "same"),
    [
        ({"a": [1.0, 2.001]}, True),
        ({"a": [1.0, 2.1]}, False),
        ({"a": [1.0]}, False),
        ({"b": [1.0, 2.0]}, False),
        ({"a": [1.0, float("nan")]}, False),
    ],
)
def test_rounding_is_no_difference_and_all_else_is(found: Numbers, same: bool) -> None:
    assert (differences({"a": [1.0, 2.0]}, found) == []) == same
