"""FairFace from a folder: age, gender and race as categorical labels (Karkkainen and Joo 2021)."""

import shutil
import tempfile
from pathlib import Path

import pandas as pd

from fairsal_core.errors import FairsalError
from fairsal_core.faces.dataset import SPLITS, FaceDataset
from fairsal_core.faces.demo import draw_face, split_of
from fairsal_core.progress import Progress, silent

TABLES = {"train": "fairface_label_train.csv", "val": "fairface_label_val.csv"}

# In FairFace's own order; a class that is not in these lists is sorted by name.
CLASSES = {
    "age": ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "more than 70"),
    "gender": ("Male", "Female"),
    "race": ("White", "Black", "Latino_Hispanic", "East Asian", "Southeast Asian", "Indian", "Middle Eastern"),
}


def load_fairface(root: Path | str) -> FaceDataset:
    """Read FairFace's label files; the images are read later, by `fairsal_core.faces.pack`.

    Parameters
    ----------
    root : path
        A folder with `fairface_label_train.csv`, `fairface_label_val.csv`, `train/` and `val/`.

    Returns
    -------
    FaceDataset
        `age`, `gender` and `race` as categorical attributes, in the splits "train" and "val"; FairFace publishes no third.

    Raises
    ------
    FairsalError
        If a file is missing or does not read as FairFace's, naming the file.
    """
    root = Path(root).expanduser()
    parts = {split: _read_labels(root / name, split) for split, name in TABLES.items()}
    table = pd.concat(parts.values())
    if table.index.has_duplicates:
        raise FairsalError(f"'{root}' lists {table.index[table.index.duplicated()][0]} more than once.")
    splits = [split for split, part in parts.items() for _ in range(len(part))]
    return FaceDataset(
        name=root.resolve().name,
        root=root,
        image_folder=root,
        attributes=pd.DataFrame({name: _categorical(table[name], known) for name, known in CLASSES.items()}),
        split=pd.Series(splits, index=table.index, dtype=pd.CategoricalDtype(list(SPLITS)), name="split"),
    )


def _read_labels(path: Path, split: str) -> pd.DataFrame:
    if not path.is_file():
        raise FairsalError(f"'{path.parent}' is no FairFace folder: {path.name} is missing.")
    try:
        table = pd.read_csv(path, encoding="utf-8-sig", dtype=str)
    except (ValueError, UnicodeDecodeError) as error:
        raise FairsalError(f"{path} does not read as CSV: {error}.") from error
    for column in ("file", *CLASSES):
        if column not in table.columns:
            raise FairsalError(f"{path}, line 1: the column {column} is missing.")
        empty = table.index[table[column].isna()]
        if len(empty):
            raise FairsalError(f"{path}, line {empty[0] + 2}: {column} is empty.")
    if table.empty:
        raise FairsalError(f"{path} lists no images.")
    outside = [name for name in table["file"] if Path(name).parts[:-1] != (split,)]
    if outside:
        raise FairsalError(f"{path} names '{outside[0]}', which is not a file in {split}/.")
    return table.set_index("file").rename_axis("image")


def _categorical(column: pd.Series, known: tuple[str, ...]) -> pd.Series:
    found = set(column)
    others = sorted(found - set(known))
    order = [name for name in known if name in found] + others if others else list(known)
    return column.astype(pd.CategoricalDtype(order))


def draw_fairface(folder: Path, count: int, seed: int = 0, progress: Progress = silent) -> Path:
    """Draw demo faces in FairFace's layout, with categorical labels that show in the drawing; returns the folder.

    The classes are stand-ins: "gender" is the drawn label Male; "age" is told by hair (grey is old), mouth and necktie; "race"
    is the most striking thing worn or, without one, the hair colour, by its own name, since a drawing has no race.

    Parameters
    ----------
    folder : Path
        Must not exist yet.
    count, seed
        As for `draw_demo_faces`.
    progress : Progress
        Called after every face; may raise to stop.
    """
    if folder.exists():
        raise FairsalError(f"{folder} exists already; give a new folder to draw into.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        _draw_into(draft, count, seed, progress)
        draft.chmod(0o755)  # mkdtemp's is for one user
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _draw_into(folder: Path, count: int, seed: int, progress: Progress) -> None:
    rows: dict[str, list[str]] = {split: [] for split in TABLES}
    for split in TABLES:
        (folder / split).mkdir()
    for index in range(1, count + 1):
        split = "train" if split_of(seed, index) == 0 else "val"
        face = draw_face(seed, index)
        name = f"{split}/{len(rows[split]) + 1}.jpg"
        face.image.save(folder / name, quality=85)
        labels = (_age(face.attributes), "Male" if face.attributes["Male"] else "Female", _looks(face.attributes))
        rows[split].append(",".join([name, *labels, "False"]))
        progress(index, count, "drawing demo faces")
    for split, table in TABLES.items():
        lines = ["file,age,gender,race,service_test", *rows[split]]
        (folder / table).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _age(drawn: dict[str, bool]) -> str:
    if drawn["Gray_Hair"]:
        return "more than 70"
    return CLASSES["age"][4 * drawn["Wearing_Necktie"] + 2 * drawn["Smiling"] + drawn["Eyeglasses"]]


def _looks(drawn: dict[str, bool]) -> str:
    looks = ("Wearing_Hat", "Eyeglasses", "Blond_Hair", "Black_Hair", "Brown_Hair", "Gray_Hair")
    return next((look for look in looks if drawn[look]), "Other_Hair")
