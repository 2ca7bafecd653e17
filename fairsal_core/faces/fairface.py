"""FairFace from a folder: age, gender and race as categorical labels (Karkkainen and Joo 2021), in the dialects people have."""

import shutil
import tempfile
from pathlib import Path

import pandas as pd

from fairsal_core.drawing import draw_face, split_of
from fairsal_core.errors import FairsalError
from fairsal_core.faces import meaning
from fairsal_core.faces.annotated import Annotated, faces_of
from fairsal_core.faces.dataset import FaceDataset
from fairsal_core.faces.labelled import Labelled, labelled_pictures
from fairsal_core.faces.mapping import Attribute, Mapping
from fairsal_core.faces.pictures import Pictures, list_pictures
from fairsal_core.faces.written import read_table
from fairsal_core.progress import Progress, silent

TABLES = {"train": "fairface_label_train.csv", "val": "fairface_label_val.csv"}
_TABLES = {"train": (TABLES["train"], "train_labels.csv"), "val": (TABLES["val"], "val_labels.csv")}  # Kaggle's names
_PICTURE, SPLIT = "file", "split"

# In FairFace's own order; a class that is not in these lists is sorted by name.
CLASSES = {
    "age": meaning.AGES,
    "gender": ("Male", "Female"),
    "race": ("White", "Black", "Latino_Hispanic", "East Asian", "Southeast Asian", "Indian", "Middle Eastern"),
}
_SAME = {
    "70+": "more than 70",
    "more than 69": "more than 70",
    "latino": "Latino_Hispanic",
    "latino hispanic": "Latino_Hispanic",
}


def is_fairface(root: Path) -> bool:
    """Return whether a folder has one of FairFace's label files."""
    return any(_has_columns(root / name) for names in _TABLES.values() for name in names)


def _has_columns(path: Path) -> bool:
    if not path.is_file():
        return False
    return path.name in TABLES.values() or set(CLASSES) <= set(read_table(path, limit=1).cells.columns)


def load_fairface(root: Path | str) -> FaceDataset:
    """Read FairFace's label files; the images are read later, by `fairsal_core.faces.pack`.

    Parameters
    ----------
    root : path
        A folder with `fairface_label_train.csv`, `fairface_label_val.csv`, `train/` and `val/`, or with Kaggle's `train_labels.csv`
        and `val_labels.csv`.

    Returns
    -------
    FaceDataset
        `age`, `gender` and `race` as categorical attributes, in the splits "train" and "val"; FairFace publishes no third.

    Raises
    ------
    FairsalError
        If a file is missing or does not read as FairFace's, naming the file.
    """
    return faces_of(read_fairface(Path(root).expanduser()))


def read_fairface(root: Path) -> Annotated:
    """Return FairFace's rows as they stand in its files."""
    if not root.is_dir():
        raise FairsalError(f"There is no folder '{root}'.")
    pictures = Pictures(list_pictures(root))
    parts: dict[str, Labelled] = {}
    notes: list[str] = []
    for split, names in _TABLES.items():
        path = next((root / name for name in names if (root / name).is_file()), None)
        if path is None and split == "train":
            raise FairsalError(f"'{root}' is no FairFace folder: {TABLES[split]} is missing.")
        if path is None:
            notes.append(f"{TABLES[split]} is missing: the pictures of {split}/ have no labels and are left out.")
            continue
        parts[split] = _labelled(root, path, split, pictures)
    cells = pd.concat([part.cells.astype(object) for part in parts.values()]).astype("category")
    if cells.index.has_duplicates:
        raise FairsalError(f"'{root}' lists {cells.index[cells.index.duplicated()][0]} more than once.")
    cells[SPLIT] = pd.Categorical([split for split, part in parts.items() for _ in part.files])
    attributes = [_attribute(cells[name], name, known) for name, known in CLASSES.items()]
    coded = [each.name for each in attributes if all(text.strip().isdecimal() for text in each.values if text.strip())]
    if coded:
        notes.append(
            f"{', '.join(coded)}: written as numbers, and the tables do not say which class each is; its classes are called so."
        )
    mapping = Mapping(
        format="fairface",
        picture=_PICTURE,
        attributes=tuple(attributes),
        split=SPLIT,
        splits={split: split for split in _TABLES},
        target=None,
        protected=("race", "gender", "age"),
        ignored={
            name: "it is no attribute of faces" for name in map(str, cells.columns) if name not in (*CLASSES, SPLIT)
        },
    )
    about_rows = [note for part in parts.values() for note in part.notes if "rows of" in note]
    return Annotated(root, root, cells, mapping, (*about_rows, *notes), orders=dict(CLASSES))


def _labelled(root: Path, path: Path, split: str, pictures: Pictures) -> Labelled:
    head = read_table(path, limit=50)
    if not len(head.cells.columns):
        raise FairsalError(f"{path} does not read as CSV: it is empty.")
    for column in (_PICTURE, *CLASSES):
        if column not in head.cells.columns:
            raise FairsalError(f"{path}, line 1: the column {column} is missing.")
    if not len(head.cells):
        raise FairsalError(f"{path} lists no images.")
    other = next(name for name in _TABLES if name != split)
    wrong = [name for name in head.text(_PICTURE) if other in name.replace("\\", "/").split("/")[:-1] or ".." in name]
    if wrong:
        raise FairsalError(f"{path} names '{wrong[0]}', which is not a file in {split}/.")
    return labelled_pictures(path, pictures, root, _PICTURE)


def _attribute(column: pd.Series, name: str, known: tuple[str, ...]) -> Attribute:
    """Return the classes of a column, spelled as FairFace spells them."""
    spelled = {each.lower(): each for each in known} | _SAME
    values = {
        text: None if value is None else spelled.get(value.lower(), value)
        for text, value in meaning.classes(map(str, column.cat.categories)).items()
    }
    return Attribute(column=name, name=name, kind="classes", values=values)


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
