"""CelebA's tables."""

from pathlib import Path

from fairsal_core.drawing.labels import CELEBA_ATTRIBUTES, draw_labels
from tests.drawing.conftest import COUNT


def test_layout_parses_back(folder: Path) -> None:
    count, columns, *rows = (folder / "list_attr_celeba.txt").read_text().splitlines()
    assert int(count) == len(rows) == COUNT
    assert tuple(columns.split()) == CELEBA_ATTRIBUTES
    for index, row in enumerate(rows, start=1):
        name, *values = row.split()
        assert name == f"{index:06d}.jpg"
        assert set(values) <= {"1", "-1"}
        drawn = {column for column, value in zip(CELEBA_ATTRIBUTES, values, strict=True) if value == "1"}
        assert drawn == {label for label, present in draw_labels(3, index).items() if present}
