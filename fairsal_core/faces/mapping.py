"""What the columns of a table are, as settings: proposed by looking, changeable, kept as JSON beside the cache."""

import hashlib
from collections.abc import Mapping as AnyMapping
from pathlib import Path
from typing import Any, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fairsal_core.errors import FairsalError
from fairsal_core.faces import meaning
from fairsal_core.faces.dataset import SPLITS
from fairsal_core.faces.meaning import NO, YES, Kind
from fairsal_core.files import read_json, write_json
from fairsal_core.home import cache_folder

_FOLDER = "mappings"
_SHOWN = 60


class Attribute(BaseModel):
    """A column that says something of each face: its name, and what its texts mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str = Field(description="as the table calls it")
    name: str = Field(description="as it is called from here on")
    kind: Kind = Field(description="binary: yes or no; classes: one of several; ages: years, put into FairFace's bands")
    values: dict[str, str | None] = Field(
        default={}, description='what each text means: "yes" or "no", or a class; null: nothing is known'
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        wrong = [value for value in self.values.values() if value not in (YES, NO, None)]
        if self.kind == "binary" and wrong:
            raise ValueError(f"'{self.name}' is binary, so its values mean yes, no or null, not '{wrong[0]}'")
        if not self.name.strip() or not self.name.isprintable():
            raise ValueError("an attribute needs a name that can be read")
        return self


class Mapping(BaseModel):
    """What the columns of a table are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: str = Field(description="the layout that the folder was recognised by")
    picture: str = Field("", description="the column that says which picture a row is about")
    attributes: tuple[Attribute, ...] = Field((), description="what is said of each face")
    identity: str | None = Field(None, description="the column that says who is shown")
    split: str | None = Field(None, description="the column that splits the faces; by default one is drawn")
    splits: dict[str, str] = Field(default={}, description="what its texts mean: train, val or test")
    target: str | None = Field(None, description="what a classifier would predict")
    protected: tuple[str, ...] = Field((), description="attributes that it should not rely on")
    ignored: dict[str, str] = Field(default={}, description="columns that are not used, and why")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        names = [each.name for each in self.attributes]
        if len(set(names)) < len(names):
            raise ValueError(f"two attributes are called '{next(name for name in names if names.count(name) > 1)}'")
        if wrong := [value for value in self.splits.values() if value not in SPLITS]:
            raise ValueError(f"a split is {', '.join(SPLITS)}, not '{wrong[0]}'")
        return self

    def with_target(self, target: str | None, protected: tuple[str, ...]) -> "Mapping":
        """Return the same with another target and other protected attributes."""
        return self.model_copy(update={"target": target, "protected": protected})


def propose(
    cells: pd.DataFrame,
    format: str,
    picture: str = "",
    names: AnyMapping[str, str] | None = None,
    rows: int | None = None,
) -> Mapping:
    """Return what the columns of a table seem to be.

    Parameters
    ----------
    cells : pandas.DataFrame
        Texts, each column a categorical.
    format : str
        The folder's layout.
    picture : str
        The column that says which picture a row is about.
    names : mapping, optional
        Column -> what to call it; by default as it is.
    rows : int, optional
        How many rows there are; by default those of `cells`.
    """
    rows = len(cells) if rows is None else rows
    attributes: list[Attribute] = []
    ignored: dict[str, str] = {}
    identity = split = None
    splits: dict[str, str] = {}
    for column in map(str, cells.columns):
        if column == picture:
            continue
        texts = [str(text) for text in cells[column].cat.remove_unused_categories().cat.categories]
        found = meaning.split_words(column, texts)
        if found and split is None:
            split, splits = column, found
        elif meaning.names_identity(column) and identity is None:
            identity = column
        elif isinstance(attribute := _attribute(column, (names or {}).get(column, column), texts, rows), Attribute):
            attributes.append(attribute)
        else:
            ignored[column] = attribute
    target = _target_of(attributes)
    return Mapping(
        format=format,
        picture=picture,
        attributes=tuple(attributes),
        identity=identity,
        split=split,
        splits=splits,
        target=target,
        protected=tuple(each.name for each in attributes if meaning.names_protected(each.name) and each.name != target),
        ignored=ignored,
    )


def _attribute(column: str, name: str, texts: list[str], rows: int) -> Attribute | str:
    """Return what a column says of faces, or why it says nothing that could be used."""
    name = name.strip() or column
    said = [text for text in texts if not meaning.is_missing(text)]
    if not said:
        return "it is empty"
    if not column.strip():
        return "it has no name"
    if (found := meaning.answers(texts)) is not None:
        return Attribute(column=column, name=name, kind="binary", values=found)
    if meaning.is_age(column, texts):
        return Attribute(column=column, name=name, kind="ages")
    if len(said) <= meaning.MOST_CLASSES and len(said) * 2 <= rows:
        return Attribute(column=column, name=name, kind="classes", values=meaning.classes(texts))
    if all(meaning.is_number(text) for text in said):
        return f"it holds numbers ({len(said):,} different ones); write classes of them to use it"
    if len(said) > meaning.MOST_CLASSES:
        return f"it holds {len(said):,} different texts; at most {meaning.MOST_CLASSES} are taken as classes"
    return "almost every row has a text of its own"


def _target_of(attributes: list[Attribute]) -> str | None:
    usable = [each.name for each in attributes if each.kind == "binary"]
    free = [name for name in usable if not meaning.names_protected(name)]
    named = [name for name in free if meaning.names_target(name)]
    return next(iter([*named, *free, *usable]), None)


def beside_cache(root: Path, folder: str) -> Path:
    """Return the file of a folder of the cache in which something about a set is kept."""
    whole = root.expanduser().resolve()
    digest = hashlib.sha256(str(whole).encode()).hexdigest()[:12]
    return cache_folder() / folder / f"{whole.name}-{digest}.json"


def mapping_path(root: Path) -> Path:
    """Return the file that the mapping of a folder is kept in, once somebody keeps one."""
    return beside_cache(root, _FOLDER)


def kept_mapping(root: Path) -> Mapping | None:
    """Return the mapping that is kept for a folder, or None."""
    path = mapping_path(root)
    if not path.is_file():
        return None
    try:
        return parse_mapping(read_json(path))
    except (OSError, ValueError, FairsalError) as error:
        raise FairsalError(f"{path} holds no mapping ({error}): remove it, or write it again.") from error


def keep_mapping(root: Path, mapping: Mapping) -> Path:
    """Keep the mapping of a folder, for everything that loads it from here on; returns the file."""
    path = mapping_path(root)
    write_json(path, mapping.model_dump(mode="json"))
    return path


def forget_mapping(root: Path) -> None:
    """Go back to what is proposed for a folder."""
    mapping_path(root).unlink(missing_ok=True)


def parse_mapping(content: Any) -> Mapping:
    """Return the mapping that JSON describes, or raise FairsalError with one sentence on what does not fit."""
    try:
        return Mapping.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        reason = first["msg"].removeprefix("Value error, ").rstrip(".")
        raise FairsalError(f"The mapping does not fit: {place + ': ' if place else ''}{reason}.") from None


def describe_values(attribute: Attribute) -> str:
    """Return what an attribute's texts mean, in words.

    Examples
    --------
    >>> describe_values(Attribute(column="hat", name="hat", kind="binary", values={"0": "no", "1": "yes", "": None}))
    '1 = yes, 0 = no, empty = missing'
    """
    if attribute.kind == "ages":
        return "years, in FairFace's bands"
    order = {YES: 0, NO: 1, None: 3}
    pairs = sorted(attribute.values.items(), key=lambda pair: order.get(pair[1], 2))
    words = [
        (text or "empty") if text == value else f"{text or 'empty'} = {'missing' if value is None else value}"
        for text, value in pairs
    ]
    return ", ".join(words)[: _SHOWN * 4]
