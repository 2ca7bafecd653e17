"""The tables of a set, as CelebA has them: attributes, splits, identities."""

from collections.abc import Iterator
from pathlib import Path

from fairsal_core.drawing.labels import CELEBA_ATTRIBUTES, draw_labels, split_of


def drawn_rows(count: int, seed: int) -> Iterator[tuple[str, dict[str, bool], int]]:
    """Give the file name, all of CelebA's attributes and the split of faces 1 to `count`; one that is not drawn is never there."""
    for index in range(1, count + 1):
        labels = draw_labels(seed, index)
        every = {column: labels.get(column, False) for column in CELEBA_ATTRIBUTES}
        yield f"{index:06d}.jpg", every, split_of(seed, index)


def write_tables(folder: Path, count: int, seed: int) -> None:
    """Write the three tables of faces 1 to `count`; an attribute that is not drawn is -1 throughout."""
    attributes = [str(count), f"{' '.join(CELEBA_ATTRIBUTES)} "]
    splits, identities = [], []
    for number, (name, labels, split) in enumerate(drawn_rows(count, seed), start=1):
        attributes.append(f"{name} {' '.join(' 1' if has else '-1' for has in labels.values())}")
        splits.append(f"{name} {split}")
        identities.append(f"{name} {number}")
    for file, lines in (
        ("list_attr_celeba.txt", attributes),
        ("list_eval_partition.txt", splits),
        ("identity_CelebA.txt", identities),
    ):
        (folder / file).write_text("\n".join(lines) + "\n", encoding="utf-8")
