"""What the texts in a column mean: yes or no, a class, nothing; and what a column is for."""

import re
from collections.abc import Collection, Iterable
from typing import Literal

YES, NO = "yes", "no"
Kind = Literal["binary", "classes", "ages"]

# Missing is missing, and never "no".
_MISSING = {
    "",
    "nan",
    "na",
    "n/a",
    "#n/a",
    "<na>",
    "null",
    "nil",
    "?",
    "-",
    "--",
    "missing",
    "unknown",
    "unlabeled",
    "unlabelled",
}
_MISSING_BESIDE_ANSWERS = {*_MISSING, "none", "undefined", "not sure", "unsure"}
_ANSWERS = (  # no, yes
    ("-1", "1"), ("0", "1"), ("-1.0", "1.0"), ("0.0", "1.0"), ("false", "true"), ("f", "t"), ("no", "yes"), ("n", "y"),
    ("absent", "present"), ("off", "on"), ("without", "with"),
)  # fmt: skip
_SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "eval"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "holdout", "held-out"), "test"),
}
_SPLIT_NUMBERS = {"0": "train", "1": "val", "2": "test"}
_SPLIT_NAMES = ("split", "partition", "subset", "set", "fold", "usage", "phase")
_IDENTITY_NAMES = ("identity", "person", "subject", "celeb", "individual", "who", "name_id")
PICTURE_NAMES = ("file_name", "filename", "image_id", "file", "image", "path", "img", "picture", "photo", "")
_PROTECTED = ("male", "female", "gender", "sex", "race", "ethnic", "skin", "age", "young", "nationality", "religion")
_TARGET = ("target", "label", "smil", "hired", "approved", "attractive")
MOST_CLASSES = 30

AGES = ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "more than 70")
_AGE_STARTS = (0, 3, 10, 20, 30, 40, 50, 60, 70)
_OLDEST = 150


def is_missing(text: str) -> bool:
    """Return whether a cell says nothing."""
    return text.strip().lower() in _MISSING


def answers(texts: Iterable[str]) -> dict[str, str | None] | None:
    """Return text -> "yes", "no" or None for a column of answers, or None if it is no such column.

    Examples
    --------
    >>> answers(["0", "1", ""])
    {'0': 'no', '1': 'yes', '': None}
    >>> answers(["True"]), answers(["Male", "Female"])
    ({'True': 'yes', 'false': 'no'}, None)

    -1 beside 0 and 1 is MAAD-Face's way to write no, undefined and yes.

    >>> answers(["-1", "0", "1"])
    {'-1': 'no', '0': None, '1': 'yes'}
    """
    plain = {text: text.strip().lower() for text in texts}
    said = {text for text in plain.values() if text not in _MISSING_BESIDE_ANSWERS}
    undefined = said == {"-1", "0", "1"}
    for no, yes in _ANSWERS:
        clear = len(no) > 1 or not no.isalpha()  # a column of "F" alone is hardly one of "false"
        if said and said <= ({no, yes, "0"} if undefined else {no, yes}) and (clear or said == {no, yes}):
            found = {text: {no: NO, yes: YES}.get(word) for text, word in plain.items()}
            return found | {word: value for word, value in ((no, NO), (yes, YES)) if value not in found.values()}
    return None


def classes(texts: Iterable[str]) -> dict[str, str | None]:
    """Return text -> class, None for what says nothing; blanks around a class are no part of it."""
    return {text: None if is_missing(text) else " ".join(text.split()) for text in texts}


def is_number(text: str) -> bool:
    """Return whether a text is a number."""
    return bool(re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", text.strip().lower()))


def age_band(text: str) -> str | None:
    """Return FairFace's band of an age in years; None for what is none.

    Examples
    --------
    >>> age_band("2"), age_band("35"), age_band("70"), age_band("")
    ('0-2', '30-39', 'more than 70', None)
    """
    if not is_number(text) or not 0 <= float(text) <= _OLDEST:
        return None
    return AGES[sum(float(text) >= start for start in _AGE_STARTS) - 1]


def is_age(column: str, texts: Collection[str]) -> bool:
    """Return whether a column holds ages in years."""
    said = [text for text in texts if not is_missing(text)]
    words = re.split(r"[^a-z]+", column.lower())
    return "age" in words and len(said) > 0 and all(age_band(text) for text in said)


def split_words(column: str, texts: Collection[str]) -> dict[str, str] | None:
    """Return text -> "train", "val" or "test" for a column that splits the faces, or None."""
    plain = {text: text.strip().lower() for text in texts if not is_missing(text)}
    if plain and all(word in _SPLIT_WORDS for word in plain.values()):
        return {text: _SPLIT_WORDS[word] for text, word in plain.items()}
    named = column.strip().lower() in _SPLIT_NAMES
    if named and plain and all(word in _SPLIT_NUMBERS for word in plain.values()):
        return {text: _SPLIT_NUMBERS[word] for text, word in plain.items()}
    return None


def names_identity(column: str) -> bool:
    """Return whether a column is called as one that says who is shown.

    Examples
    --------
    >>> names_identity("person_id"), names_identity("celeb_id"), names_identity("Personal")
    (True, True, False)
    """
    words = re.split(r"[^a-z]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", column).lower())
    return any(word in _IDENTITY_NAMES for word in words)


def names_protected(column: str) -> bool:
    """Return whether a column is called as one that protects people."""
    words = re.split(r"[^a-z]+", column.lower())
    return any(word.startswith(each) if each != "age" else word == each for word in words for each in _PROTECTED)


def names_target(column: str) -> bool:
    """Return whether a column is called as what a classifier predicts."""
    return any(each in column.lower() for each in _TARGET)
