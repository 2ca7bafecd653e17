"""Predictions that somebody brings: what the columns of their tables are, and what each row says of a face.

Which column is what is looked at: first by its name, then by what it holds. Whatever is taken for something is said, and so is
what does not fit: faces that the set lacks, faces without a prediction, rows that come twice, labels that are not the set's.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset, RowsAboutFaces, answers, group_name, is_missing, rows_about_faces
from fairsal_core.files import MOST_TABLE, replacing, safe_name
from fairsal_core.home import predictions_folder
from fairsal_core.metrics import roc_auc
from fairsal_core.settings import AuditConfig

_NAMES: Mapping[str, frozenset[str]] = {
    "model": frozenset(("model", "model_name", "classifier", "variant", "system", "algorithm")),
    "label": frozenset(("label", "labels", "y", "y_true", "true", "truth", "ground_truth", "gt", "actual", "true_label")),
    "decision": frozenset(
        ("decision", "pred", "prediction", "predicted", "y_pred", "yhat", "y_hat", "pred_label", "predicted_label", "class")
    ),
    "score": frozenset(
        ("score", "scores", "prob", "probability", "probabilities", "proba", "p", "y_score", "y_prob", "y_proba", "confidence",
         "pred_prob", "pred_proba", "pred_score", "logit", "logits", "output", "sigmoid", "softmax")
    ),
}  # fmt: skip
BROUGHT_COLUMNS = ("model", "face", "score", "decision")
TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".jsonl", ".ndjson")
_LONGEST_NAME = 80
_MOST_MODELS = 50
_REVERSED = 0.35  # AUC below which scores are those of the other class, rather than of a classifier that is merely bad


@dataclass(frozen=True)
class Brought:
    """What one table says.

    Attributes
    ----------
    file : Path
        The table.
    columns : mapping
        What is taken for what: face, score, decision, label, model -> column.
    table : pandas.DataFrame
        Columns `model`, `face`, `score` (0 to 1; NaN where there is none) and `decision` (0 or 1; NaN where there is none), one
        row a model and face.
    notes : tuple of str
        What does not fit, one sentence each.
    """

    file: Path
    columns: Mapping[str, str]
    table: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def models(self) -> list[str]:
        return list(dict.fromkeys(self.table["model"]))


class Asked(Protocol):
    """What has to be known to understand a table: what is predicted, which columns are named, what scores are."""

    @property
    def target(self) -> str: ...
    @property
    def columns(self) -> Mapping[str, str]: ...
    @property
    def scores(self) -> str: ...


@dataclass(frozen=True)
class TableOf:
    """What is said of a table; the fields are those of `AuditConfig`."""

    target: str
    columns: Mapping[str, str] = field(default_factory=dict)
    scores: str = "probabilities"


def keep_table(content: bytes, name: str) -> Path:
    """Keep an uploaded table in the workspace, under what is in it, and return where it lies."""
    if len(content) > MOST_TABLE:
        raise FairsalError(f"{name} has {len(content) / 2**20:.0f} MB; the most is {MOST_TABLE // 2**20} MB.")
    given = Path(name)
    ending = given.suffix.lower() if given.suffix.lower() in TABLE_SUFFIXES else ".csv"
    kept = f"{safe_name(given.stem)}{ending}"
    path = predictions_folder() / hashlib.sha256(content).hexdigest()[:16] / kept
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as draft:
            draft.write_bytes(content)
    return path


def kept_table(name: str) -> Path:
    """Return a table that was kept, by its digest and name as in a link; raises FairsalError where there is none."""
    digest, _, file = name.partition("/")
    path = predictions_folder() / digest / file
    if not re.fullmatch(r"[0-9a-f]{16}", digest) or file != Path(file).name or not path.is_file():
        raise FairsalError(f"There are no predictions '{name[:80]}' in this workspace: upload the table again.")
    return path


def read_brought(config: AuditConfig, faces: FaceDataset) -> list[Brought]:
    """Return what the tables of an audit say.

    Raises
    ------
    FairsalError
        If a table cannot be understood: which, where, and what would work.
    """
    files = [Path(file) for file in config.predictions]
    found = [_read(file, name, config, faces) for file, name in zip(files, _model_names(files), strict=True)]
    seen: dict[str, Brought] = {}
    for one in found:
        for model in one.models:
            if model in seen:
                raise FairsalError(
                    f"{seen[model].file.name} and {one.file.name} both have predictions of '{model}': rename one of the files, "
                    "or the model in its column."
                )
            seen[model] = one
    if len(seen) > _MOST_MODELS:
        raise FairsalError(f"There are {len(seen)} models in these tables; at most {_MOST_MODELS} lie side by side.")
    return found


def read_one(file: Path, asked: Asked, faces: FaceDataset) -> Brought:
    """Return what one table says of a set's faces; raises FairsalError as `read_brought` does."""
    return _read(file, file.stem, asked, faces)


def _model_names(files: Sequence[Path]) -> list[str]:
    """Return what to call the model of each file that does not say: the file's name, with its folder's where it is not alone."""
    stems = [file.stem for file in files]
    return [
        stem if stems.count(stem) == 1 else f"{file.parent.name}/{stem}"
        for file, stem in zip(files, stems, strict=True)
    ]


def _read(file: Path, name: str, config: Asked, faces: FaceDataset) -> Brought:
    rows = rows_about_faces(file, faces, config.columns.get("face"))
    roles = _roles_of(rows, config, faces)
    tables = []
    for model, score, decision in _models_of(rows, roles, name):
        parts = {
            "model": model,
            "face": rows.faces,
            "score": _numbers(rows, score, config) if score else np.nan,
            "decision": _yes_or_no(rows, decision, config.target) if decision else np.nan,
        }
        tables.append(pd.DataFrame(parts).assign(line=rows.table.lines))
    whole = pd.concat(tables, ignore_index=True)
    said = whole[whole["score"].notna() | whole["decision"].notna()]
    table, twice = _once(file, said)
    if table.empty:
        raise FairsalError(f"No row of {file} says anything of a face of the set: its scores or decisions are empty.")
    notes = [
        *_about_unknown(rows, file),
        *([f"{twice:,} rows of {file.name} say again what another said: counted once."] if twice else []),
        *_about_labels(rows, roles, config, faces, file),
        *_about_scores(table, config.target, faces),
    ]
    return Brought(file, {"face": rows.picture, **roles}, table, tuple(notes))


def _roles_of(rows: RowsAboutFaces, config: Asked, faces: FaceDataset) -> dict[str, str]:
    """Return role -> column, chosen, or by its name, or by being the only one that could be it."""
    file = rows.table.path
    for column in config.columns.values():
        if column not in rows.table.cells.columns:
            raise FairsalError(f"{file} has no column '{column}' (it has {', '.join(rows.columns)}).")
    roles = {role: column for role, column in config.columns.items() if role != "face"}
    free = [column for column in rows.columns if column not in roles.values()]
    for role, names in _NAMES.items():
        named = [column for column in free if _plain(column) in names or _without(column, config.target) in names]
        if role not in roles and named:
            roles[role] = named[0]
            free.remove(named[0])
    if "score" in roles or "decision" in roles:
        return {"label": config.target, **roles} if config.target in free else roles
    others = [column for column in free if column not in faces.attributes.columns or column == config.target]
    kinds = {column: kind for column in others if (kind := _kind_of(rows, column, config.target))}
    if len(kinds) == 1:
        column, kind = next(iter(kinds.items()))
        return {**roles, kind: column}
    if len(kinds) > 1 and "model" not in roles:
        return {**roles, **{f"{kind} of {column}": column for column, kind in kinds.items()}}
    raise FairsalError(
        f"No column of {file} ({', '.join(rows.columns)}) is taken for a score or a decision: name it, as in "
        f"--columns score={rows.columns[-1]}."
    )


def _plain(column: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", column).lower()).strip("_")


def _without(column: str, target: str) -> str:
    """Return a column's name without the target's: "Smiling score" is a score."""
    return re.sub(f"(^|_){re.escape(_plain(target))}(_|$)", "_", _plain(column)).strip("_")


def _kind_of(rows: RowsAboutFaces, column: str, target: str) -> str | None:
    """Return whether a column holds decisions or scores, by what it says; None for neither."""
    texts = _texts(rows, column)
    if all(map(is_missing, texts)):
        return None
    if _answers(texts, target) is not None:
        return "decision"
    return "score" if np.isfinite([_number(text) for text in texts if not is_missing(text)]).all() else None


def _models_of(
    rows: RowsAboutFaces, roles: dict[str, str], name: str
) -> Iterator[tuple[NDArray[np.object_], str, str]]:
    """Give the model of each row, and its columns of score and decision, "" for none."""
    several = {role: column for role, column in roles.items() if " of " in role}
    if several:
        for role, column in several.items():
            is_score = role.startswith("score")
            yield _named(rows, column), column if is_score else "", "" if is_score else column
        return
    models = np.full(len(rows.faces), name, dtype=object)
    if "model" in roles:
        models = np.array([text.strip() for text in rows.table.text(roles["model"])], dtype=object)
    for text in dict.fromkeys(models):
        if not text or len(text) > _LONGEST_NAME or not text.isprintable():
            row = int(np.flatnonzero(models == text)[0])
            raise FairsalError(
                f"{rows.table.place(row)}: '{ascii(text)[1:41]}' is no name of a model that could be shown."
            )
    yield models, roles.get("score", ""), roles.get("decision", "")


def _named(rows: RowsAboutFaces, column: str) -> NDArray[np.object_]:
    return np.full(len(rows.faces), column.strip(), dtype=object)


def _texts(rows: RowsAboutFaces, column: str) -> list[str]:
    return [str(text) for text in rows.table.cells[column].cat.remove_unused_categories().cat.categories]


def _by_text(rows: RowsAboutFaces, column: str, values: Mapping[str, float]) -> NDArray[np.float64]:
    """Return the value of each row (N,), each text having been understood once."""
    cells = rows.table.cells[column].cat
    of_text = np.array([values.get(str(text), np.nan) for text in cells.categories], dtype=np.float64)
    found: NDArray[np.float64] = of_text[cells.codes.to_numpy()]
    return found


def _number(text: str) -> float:
    """Return the number that a text is, with a point or a comma; NaN for none."""
    plain = text.strip()
    try:
        return float(plain.replace(",", ".") if plain.count(",") == 1 and "." not in plain else plain)
    except ValueError:
        return np.nan


def _numbers(rows: RowsAboutFaces, column: str, config: Asked) -> NDArray[np.float64]:
    """Return the score of each row (N,), in [0, 1]; NaN where the cell is empty."""
    texts = _texts(rows, column)
    if config.scores == "probabilities" and all("%" in text or is_missing(text) for text in texts):
        texts_of = {text: _number(text.replace("%", "")) / 100 for text in texts if not is_missing(text)}
    else:
        texts_of = {text: _number(text) for text in texts if not is_missing(text)}
    if strange := next((text for text, value in texts_of.items() if np.isnan(value)), None):
        row = rows.table.text(column).index(strange)
        raise FairsalError(f"{rows.table.place(row)}: '{strange[:40]}' in the column '{column}' is no number.")
    values = np.array(list(texts_of.values()))
    if config.scores == "logits":
        if len(values) and not np.isfinite(values).all():
            raise FairsalError(f"{rows.table.path}: a logit in the column '{column}' is infinite.")
        return np.asarray(expit(_by_text(rows, column, texts_of)), dtype=np.float64)
    if len(values) and (values.min() < 0 or values.max() > 1):
        percent = values.min() >= 0 and 2 < values.max() <= 100
        raise FairsalError(
            f"The column '{column}' of {rows.table.path} holds {values.min():.3g} to {values.max():.3g}, and a score lies between "
            f"0 and 1: {'are these percentages? Divide them by 100' if percent else 'are these logits? Then say --scores logits'}."
        )
    return _by_text(rows, column, texts_of)


def _answers(texts: Sequence[str], target: str) -> dict[str, float] | None:
    """Return text -> 1, 0 or NaN for a column of answers, in whichever words; None for others."""
    found = answers(texts)
    if found is not None:
        return {text: {"yes": 1.0, "no": 0.0}.get(str(value), np.nan) for text, value in found.items()}
    words = {_plain(word): value for value, some in _words_of(target).items() for word in some}
    said = {text: np.nan if is_missing(text) else words.get(_plain(text)) for text in texts}
    return None if None in said.values() else {text: value for text, value in said.items() if value is not None}


def _words_of(target: str) -> dict[float, tuple[str, ...]]:
    """Return the words in which a decision may be written, for yes (1) and no (0)."""
    male = (("male", "man", "m"), ("female", "woman", "f")) if target == "Male" else ((), ())
    return {
        1.0: (group_name(target, True), target, *male[0]),
        0.0: (group_name(target, False), f"no {target}", *male[1]),
    }


def _yes_or_no(rows: RowsAboutFaces, column: str, target: str) -> NDArray[np.float64]:
    """Return 1, 0 or NaN for each row (N,)."""
    texts = _texts(rows, column)
    found = _answers(texts, target)
    if found is None:
        shown = ", ".join(repr(text[:20]) for text in texts[:4])
        raise FairsalError(
            f"The column '{column}' of {rows.table.path} holds {shown}: a decision is 0 or 1, no or yes, "
            f"'{group_name(target, True)}' or '{group_name(target, False)}'; if it is a score, say --columns score={column}."
        )
    return _by_text(rows, column, found)


def _once(file: Path, said: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return one row a model and face, and how many said the same again; rows that contradict each other are an error."""
    different = said.drop_duplicates(["model", "face", "score", "decision"])
    again = different.duplicated(["model", "face"])
    if again.any():
        first = different[again].iloc[0]
        raise FairsalError(
            f"{file}, line {first['line']} says something else of {first['face']} than an earlier line does: where there are "
            "several models, a column 'model' tells them apart."
        )
    return different.drop(columns="line").reset_index(drop=True), len(said) - len(different)


def _about_unknown(rows: RowsAboutFaces, file: Path) -> Iterator[str]:
    if rows.unknown:
        yield f"{len(rows.unknown):,} faces of {file.name} are not in the set (such as {rows.unknown[0][:60]}): left out."


def _about_labels(
    rows: RowsAboutFaces, roles: Mapping[str, str], config: Asked, faces: FaceDataset, file: Path
) -> Iterator[str]:
    """Say where labels in the table are not the set's."""
    if "label" not in roles:
        return
    said = _answers(_texts(rows, roles["label"]), config.target)
    if said is None:
        yield f"The labels in the column '{roles['label']}' of {file.name} are neither yes nor no: not compared with the set's."
        return
    theirs = _by_text(rows, roles["label"], said)
    ours = _labels_of(rows.faces, config.target, faces)
    both = np.isfinite(theirs) & np.isfinite(ours)
    differ = int((theirs[both] != ours[both]).sum())
    if differ:
        yield (
            f"{differ:,} of {int(both.sum()):,} labels in {file.name} are not what the set says of {config.target}; the set's are "
            "used."
            + (" So many are the other way round that its labels may be reversed." if differ > both.sum() / 2 else "")
        )


def _about_scores(table: pd.DataFrame, target: str, faces: FaceDataset) -> Iterator[str]:
    """Say of which models the scores are higher for faces without the target."""
    for model, part in table.groupby("model", sort=False):
        labels = _labels_of(pd.Index(part["face"]), target, faces)
        values = part["score"].where(part["score"].notna(), part["decision"]).to_numpy(dtype=float)
        known = np.isfinite(labels)
        area = float(roc_auc(values[known], labels[known] == 1))
        if area < _REVERSED:
            yield (
                f"What {model} says is higher for faces that are not {target} (AUC {area:.2f}): are these predictions of the other "
                "class?"
            )


def _labels_of(names: pd.Index, target: str, faces: FaceDataset) -> NDArray[np.float64]:
    """Return what the set says of faces: 1, 0, or NaN where it says nothing."""
    known = faces.with_label(target)
    labels = pd.Series(known.labels(target).astype(float), index=known.names)
    return np.asarray(labels.reindex(names), dtype=np.float64)
