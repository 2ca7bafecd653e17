"""Another split of a folder in CelebA's layout: people shared out anew, so that rare groups have enough test faces.

    python -m benchmarks.resplit FOLDER OUT --by Male Blond_Hair [--shares 0.4 0.2 0.4]

All pictures of a person are in one part, and every combination of the attributes is shared out alike. OUT is a copy of the
folder with a list of its own.
"""

import argparse
import shutil
from pathlib import Path

from fairsal_core.faces import SPLITS, load_celeba
from fairsal_core.faces.splitting import draw_split, strata_of

LIST = "list_eval_partition.txt"


def resplit(folder: Path, out: Path, by: tuple[str, ...], shares: tuple[float, ...]) -> None:
    """Write a copy of the folder with the new list."""
    faces = load_celeba(folder)
    parts = draw_split(strata_of(faces.attributes, by), faces.identity, dict(zip(SPLITS, shares, strict=True)))
    shutil.copytree(folder, out)
    lines = [f"{name} {part}\n" for name, part in zip(faces.names, parts, strict=True)]
    (out / LIST).write_text("".join(lines), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--by", nargs="+", required=True)
    parser.add_argument("--shares", nargs=3, type=float, default=(0.4, 0.2, 0.4))
    options = parser.parse_args()
    resplit(options.folder, options.out, tuple(options.by), tuple(options.shares))


if __name__ == "__main__":
    main()
