"""The tables of a set, as CelebA has them: attributes, splits, identities."""

from pathlib import Path

from fairsal_core.drawing.labels import CELEBA_ATTRIBUTES, draw_labels, split_of


def write_tables(folder: Path, count: int, seed: int) -> None:
    """Write the three tables of faces 1 to `count`; an attribute that is not drawn is -1 throughout."""
    names = [f"{index:06d}.jpg" for index in range(1, count + 1)]
    attributes = [str(count), f"{' '.join(CELEBA_ATTRIBUTES)} "]
    for index, name in enumerate(names, start=1):
        labels = draw_labels(seed, index)
        values = " ".join(" 1" if labels.get(column, False) else "-1" for column in CELEBA_ATTRIBUTES)
        attributes.append(f"{name} {values}")
    splits = [f"{name} {split_of(seed, index)}" for index, name in enumerate(names, start=1)]
    identities = [f"{name} {index}" for index, name in enumerate(names, start=1)]
    for file, lines in (
        ("list_attr_celeba.txt", attributes),
        ("list_eval_partition.txt", splits),
        ("identity_CelebA.txt", identities),
    ):
        (folder / file).write_text("\n".join(lines) + "\n", encoding="utf-8")
