"""An audit of the data before there is a model: duplicates, leaks between splits, missing faces, labels, correlations."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.faces.checking import group_counts
from fairsal_core.faces.dataset import SPLITS, FaceDataset
from fairsal_core.faces.frame_check import FAR, Seen, are_squeezed, look_at
from fairsal_core.faces.mapping import beside_cache
from fairsal_core.files import read_json, write_json
from fairsal_core.progress import Progress, silent

SHOWN = 20
LOOKED_AT = 200  # pictures in which a face is looked for: some ten seconds of two cores
_FOLDER = "audits"
_BITS = 3  # of 64 by which the hashes of near duplicates may differ
_CHUNKS = 4  # one more than that: two such hashes have one of four quarters in common
_MOST_ALIKE = 4_000  # hashes that share a quarter, beyond which it says nothing
_LEVELS = 8.0  # of 255: mean difference of two pictures of 32 x 32 that are the same
_BATCH = 2048
_SIDE = 32
_LOOKS, _NAMED = 32, 5


@dataclass(frozen=True)
class Duplicates:
    """Faces that are the same picture.

    Attributes
    ----------
    group : numpy array
        (N,) number of each face's group; a face alone is a group.
    exact : numpy array
        (N,) the same for pictures that are equal pixel by pixel.
    """

    group: NDArray[np.int64]
    exact: NDArray[np.int64]

    def sets(self, exact: bool = False) -> list[NDArray[np.int64]]:
        """Return the groups of two faces and more, each as positions, the first first."""
        numbers = self.exact if exact else self.group
        order = np.argsort(numbers, kind="stable")
        parts = np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)
        return sorted((part for part in parts if len(part) > 1), key=lambda part: int(part[0]))


def audit_data(
    faces: FaceDataset,
    target: str | None = None,
    protected: tuple[str, ...] = (),
    undecodable: Mapping[str, str] | None = None,
    progress: Progress = silent,
    look: int | None = LOOKED_AT,
) -> dict[str, Any]:
    """Return what there is to say about a packed set before anything is trained on it.

    Parameters
    ----------
    faces : FaceDataset
        Packed, and `readable`.
    target : str, optional
        What would be predicted: every attribute's correlation with it is given.
    protected : tuple of str
        Attributes whose groups are counted, with the target.
    undecodable : mapping, optional
        Pictures that packing left out, and why.
    progress : Progress
        Called while pictures are compared; may raise to stop.
    look : int, optional
        In how many pictures, drawn at random, a face is looked for; in all with None.
    """
    if faces.packed is None:
        raise FairsalError("The data audit compares pictures, so the set has to be packed.")
    undecodable = dict(undecodable or {})
    same = find_duplicates(faces, progress)
    sets = same.sets()
    named = dict.fromkeys(faces.column_of(name) for name in (target, *protected) if name is not None)
    return {
        "faces": len(faces),
        "notes": list(faces.notes),
        "unreadable": {"count": len(undecodable), "shown": dict(list(undecodable.items())[:SHOWN])},
        "duplicates": {
            "exact": len(same.sets(exact=True)),
            "near": len(sets) - sum(len(np.unique(same.exact[part])) == 1 for part in sets),
            "faces": int(sum(map(len, sets))),
            "shown": [[str(name) for name in faces.names[part]] for part in sets[:SHOWN]],
        },
        "frame": look_for_faces(faces, look, progress),
        "leaks": {"pictures": _shared_pictures(faces, sets), "identities": _shared_identities(faces)},
        "disagreements": _disagreements(faces, sets),
        "missing": {str(name): int(count) for name, count in faces.attributes.isna().sum().items() if count},
        "splits": {split: int((faces.split == split).sum()) for split in SPLITS},
        "groups": group_counts(faces, list(named)[:2]),
        "target": target,
        "correlations": [] if target is None else correlations(faces, target),
    }


def look_for_faces(faces: FaceDataset, count: int | None = LOOKED_AT, progress: Progress = silent) -> dict[str, Any]:
    """Return in how many pictures no face is found, or one that lies elsewhere than CelebA's frame has it, with 95% intervals.

    Parameters
    ----------
    faces : FaceDataset
        As listed or packed.
    count : int, optional
        Of pictures, drawn at random with a fixed seed; all with None.
    progress : Progress
        Called after every few pictures; may raise to stop.
    """
    chosen = faces if count is None else faces.sample(count)
    files = [chosen.image_folder / str(name) for name in chosen.names]
    looked: list[Seen | None] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(files), _LOOKS):
            progress(start, len(files), "Looking for faces")
            looked += pool.map(lambda file: look_at(file, chosen.image_folder), files[start : start + _LOOKS])
    seen = {str(name): one for name, one in zip(chosen.names, looked, strict=True) if one is not None}
    return {
        "looked_at": len(seen),
        "of": len(faces),
        "no_face": _share([name for name, one in seen.items() if not one.has_face], len(seen)),
        "elsewhere": _share([name for name, one in seen.items() if one.is_elsewhere], len(seen)),
        "pixels_away": FAR,
        "squeezed": are_squeezed(list(seen.values())),
    }


def _share(names: list[str], count: int) -> dict[str, Any]:
    from scipy.stats import binomtest

    low, high = 0.0, 1.0
    if count:
        interval = binomtest(len(names), count).proportion_ci(method="wilson")
        low, high = float(interval.low), float(interval.high)
    return {"count": len(names), "low": round(low, 4), "high": round(high, 4), "shown": names[:SHOWN]}


def find_duplicates(faces: FaceDataset, progress: Progress = silent) -> Duplicates:
    """Return which faces of a packed set are the same picture: equal, or equal but for size, compression and light.

    By a 64-bit difference hash of the pixels (is each of 8 x 8 places brighter than the next on its right?); what it finds is
    compared as pictures of 32 x 32 less their mean, which have to be equal within 8 of 255 levels, as aligned faces are alike.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    small = np.empty((len(faces), _SIDE, _SIDE), dtype=np.float32)
    digests = np.empty(len(faces), dtype=object)
    for start in range(0, len(faces), _BATCH):
        rows = slice(start, min(start + _BATCH, len(faces)))
        progress(start, len(faces), "Comparing pictures")
        pixels = _pixels(faces, rows)
        small[rows] = shrink(pixels)
        digests[rows] = [hash(picture.tobytes()) for picture in pixels]
    progress(len(faces), len(faces), "Comparing pictures")
    exact = pd.factorize(digests)[0].astype(np.int64)
    one, other = _near_pairs(difference_hashes(small), small)
    links = coo_matrix((np.ones(len(one)), (one, other)), shape=(len(faces), len(faces)))
    group = connected_components(links, directed=False)[1].astype(np.int64)
    return Duplicates(group, exact)


def _pixels(faces: FaceDataset, rows: slice) -> NDArray[np.uint8]:
    assert faces.packed is not None and faces.rows is not None
    return np.asarray(faces.packed[faces.rows[rows]])


def shrink(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return pictures (N, S, S, 3) as brightness (N, 32, 32), each less its mean; S is a multiple of 32."""
    grey = pixels.astype(np.float32).mean(axis=3)
    count, side = len(grey), grey.shape[1] // _SIDE
    blocks = grey.reshape(count, _SIDE, side, _SIDE, side).mean(axis=(2, 4))
    centred: NDArray[np.float32] = blocks - blocks.mean(axis=(1, 2), keepdims=True)
    return centred


def difference_hashes(small: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return a 64-bit difference hash of each picture (N, 32, 32).

    Examples
    --------
    >>> rising = np.tile(np.arange(32, dtype=np.float32), (1, 32, 1))
    >>> difference_hashes(rising)[0] == 0, difference_hashes(rising[:, :, ::-1])[0] == 2**64 - 1
    (np.True_, np.True_)
    """
    edges = np.linspace(0, _SIDE, 10).round().astype(int)
    columns = np.stack([small[:, :, a:b].mean(axis=2) for a, b in pairwise(edges)], axis=2)
    places = columns.reshape(len(small), 8, _SIDE // 8, 9).mean(axis=2)
    bits = (places[:, :, :-1] > places[:, :, 1:]).reshape(len(small), 64)
    return np.packbits(bits, axis=1).view(">u8").astype(np.uint64).reshape(-1)


def _near_pairs(hashes: NDArray[np.uint64], small: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs of faces that are the same picture: each face with the first of its hash, and first ones with each other."""
    values, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    pairs = [(first[inverse], np.arange(len(hashes)))]
    for chunk in range(_CHUNKS):
        quarter = (values >> np.uint64(16 * chunk)) & np.uint64(0xFFFF)
        order = np.argsort(quarter, kind="stable")
        for part in np.split(order, np.flatnonzero(np.diff(quarter[order])) + 1):
            if not 1 < len(part) <= _MOST_ALIKE:
                continue
            apart = np.bitwise_count(values[part][:, None] ^ values[part][None, :])
            one, other = np.nonzero(np.triu(apart <= _BITS, k=1))
            pairs.append((first[part[one]], first[part[other]]))
    one, other = (np.concatenate(side).astype(np.int64) for side in zip(*pairs, strict=True))
    kept = np.zeros(len(one), dtype=bool)
    for start in range(0, len(one), _BATCH):
        rows = slice(start, start + _BATCH)
        kept[rows] = np.abs(small[one[rows]] - small[other[rows]]).mean(axis=(1, 2)) <= _LEVELS
    return one[kept], other[kept]


def _shared_pictures(faces: FaceDataset, sets: list[NDArray[np.int64]]) -> dict[str, Any]:
    splits = faces.split.astype(object).to_numpy()
    shared = [part for part in sets if len(set(splits[part])) > 1]
    shown = [{str(faces.names[row]): str(splits[row]) for row in part} for part in shared[:SHOWN]]
    return {"count": len(shared), "shown": shown}


def _shared_identities(faces: FaceDataset) -> dict[str, Any] | None:
    if faces.identity is None:
        return None
    known = faces.identity.notna().to_numpy()
    who = faces.identity[known].to_numpy()
    splits = faces.split[known].astype(object).groupby(who).agg(lambda part: sorted(set(part)))
    shared = splits[splits.map(len) > 1]
    shown = {str(identity): list(map(str, where)) for identity, where in shared.iloc[:SHOWN].items()}
    return {"count": len(shared), "of": len(splits), "shown": shown}


def _disagreements(faces: FaceDataset, sets: list[NDArray[np.int64]]) -> dict[str, Any]:
    """Return, for each attribute, in how many groups of duplicates its labels differ."""
    counts: dict[str, int] = {}
    shown: list[dict[str, Any]] = []
    for name, column in faces.attributes.items():
        codes = column.cat.codes if isinstance(column.dtype, pd.CategoricalDtype) else column.astype("Int8").fillna(-1)
        values = codes.to_numpy(dtype=int)
        differ = [part for part in sets if len(set(values[part]) - {-1}) > 1]
        if differ:
            counts[str(name)] = len(differ)
            shown += [
                {"attribute": str(name), "faces": [str(each) for each in faces.names[part]]} for part in differ[:3]
            ]
    return {"by_attribute": dict(sorted(counts.items(), key=lambda pair: -pair[1])), "shown": shown[:SHOWN]}


def correlations(faces: FaceDataset, target: str) -> list[dict[str, Any]]:
    """Return how strongly each attribute goes with the target, the strongest first.

    phi, with its sign, for two binary attributes; Cramer's V, 0 to 1, where there are more classes. Faces without either label are
    left out; None where one of the two does not vary.
    """
    codes, names = faces.classes(target)
    column = faces.column_of(target)
    found = []
    for name in map(str, faces.attributes.columns):
        if name == column:
            continue
        others, classes = faces.classes(name)
        known = (codes >= 0) & (others >= 0)
        table = np.zeros((len(names), len(classes)))
        np.add.at(table, (codes[known], others[known]), 1)
        value = association(table)
        measure = "phi" if table.shape == (2, 2) else "V"
        rounded = None if value is None else round(value, 4)
        found.append({"attribute": name, "measure": measure, "value": rounded, "faces": int(known.sum())})
    return sorted(found, key=lambda row: -abs(row["value"] or 0.0))


def association(table: NDArray[np.floating]) -> float | None:
    """Return Cramer's V of a table of counts; for two by two phi, which is it with a sign; None where nothing varies.

    Examples
    --------
    >>> association(np.array([[10, 0], [0, 10]])), association(np.array([[0, 10], [10, 0]])), association(np.array([[3, 3]]))
    (1.0, -1.0, None)
    """
    signed = table.shape == (2, 2)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    smaller = min(table.shape) - 1
    if smaller < 1:
        return None
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    value = float(np.sqrt(((table - expected) ** 2 / expected).sum() / table.sum() / smaller))
    return value if not signed or table[0, 0] >= expected[0, 0] else -value


def keep_audit(root: Path, about: Mapping[str, Any]) -> Path:
    """Keep the audit of a folder, with today's date, for the reports of runs on it; returns the file."""
    path = beside_cache(root, _FOLDER)
    write_json(path, {"made": date.today().isoformat(), **about})
    return path


def kept_audit(root: Path) -> dict[str, Any] | None:
    """Return the audit that is kept for a folder, or None."""
    try:
        return dict(read_json(beside_cache(root, _FOLDER)))
    except (OSError, ValueError, TypeError):
        return None


def audit_sentence(about: Mapping[str, Any]) -> str:
    """Return what an audit found, as a paragraph for a report."""
    same, leaks = about["duplicates"], about["leaks"]
    persons = "unknown" if leaks["identities"] is None else leaks["identities"]["count"]
    found: dict[str, Any] = {
        "unreadable pictures": about["unreadable"]["count"],
        "groups of equal pictures": same["exact"],
        "of nearly equal ones": same["near"],
        "pictures in two splits": leaks["pictures"]["count"],
        "persons in two splits": persons,
        "contradicting labels of one picture": sum(about["disagreements"]["by_attribute"].values()),
        "missing labels": sum(about["missing"].values()),
    }
    listed = ", ".join(f"{name} {count}" for name, count in found.items())
    first = f"Of {about['faces']:,} faces on {about['made']}: {listed}."
    return " ".join([first, *frame_sentences(about), *_group_sentence(about), *_correlation_sentence(about)])


def _group_sentence(about: Mapping[str, Any]) -> list[str]:
    groups = [
        ", ".join(f"{name} {value}" for name, value in row.items() if name not in SPLITS)
        + " "
        + " / ".join(f"{row[split]:,}" for split in SPLITS)
        for row in about.get("groups", ())[:SHOWN]
    ]
    return [f"Faces of each group in {', '.join(SPLITS)}: {'; '.join(groups)}."] if groups else []


def _correlation_sentence(about: Mapping[str, Any]) -> list[str]:
    strongest = [row for row in about.get("correlations", ()) if row["value"] is not None][:_NAMED]
    listed = [
        f"{row['attribute']} {'φ' if row['measure'] == 'phi' else 'V'} = {row['value']:+.2f}" for row in strongest
    ]
    return [f"Goes with {about['target']} most: {', '.join(listed)}."] if listed else []


def frame_sentences(about: Mapping[str, Any]) -> list[str]:
    """Return what an audit says of the faces in the pictures; nothing for one that looked at none."""
    frame = about.get("frame")
    if not frame or not frame["looked_at"]:
        return []

    def told(found: Mapping[str, Any]) -> str:
        share = found["count"] / frame["looked_at"]
        return f"{found['count']:,} ({share:.1%}, 95% interval {found['low']:.1%} to {found['high']:.1%})"

    every = frame["looked_at"] == frame["of"]
    where = (
        f"all {frame['of']:,} pictures"
        if every
        else f"{frame['looked_at']:,} of {frame['of']:,} pictures, drawn at random,"
    )
    said = [
        f"In {where} a face was looked for: none was found in {told(frame['no_face'])}, and one more than "
        f"{frame['pixels_away']:g} pixels from CelebA's place in {told(frame['elsewhere'])}."
    ]
    if frame["squeezed"]:
        said.append("They seem to be CelebA's frame squeezed to squares; fairsal align --stretch undoes that.")
    return said


def describe_audit(about: dict[str, Any]) -> str:
    """Return what `audit_data` found, as text."""
    same, leaks = about["duplicates"], about["leaks"]
    identities = leaks["identities"]
    lines = [
        f"{about['faces']:,} faces: " + ", ".join(f"{split} {count:,}" for split, count in about["splits"].items()),
        *(f"  {note}" for note in about["notes"]),
        f"unreadable: {about['unreadable']['count']:,}",
        *(f"  {reason}" for reason in about["unreadable"]["shown"].values()),
        f"same picture: {same['exact']:,} groups exactly, {same['near']:,} nearly ({same['faces']:,} faces)",
        *(f"  {', '.join(group)}" for group in same["shown"]),
        f"same picture in two splits: {leaks['pictures']['count']:,}",
        "same person in two splits: "
        + (
            "nothing is known of identities"
            if identities is None
            else f"{identities['count']:,} of {identities['of']:,}"
        ),
        *frame_sentences(about),
        *(f"  no face: {name}" for name in about["frame"]["no_face"]["shown"][:_NAMED]),
        *(f"  elsewhere: {name}" for name in about["frame"]["elsewhere"]["shown"][:_NAMED]),
        "labels that differ on the same picture: "
        + (", ".join(f"{name} {count}" for name, count in about["disagreements"]["by_attribute"].items()) or "none"),
        "missing labels: " + (", ".join(f"{name} {count:,}" for name, count in about["missing"].items()) or "none"),
    ]
    for row in about["groups"]:
        names = ", ".join(f"{name} {value}" for name, value in row.items() if name not in SPLITS)
        lines.append(f"group {names}: " + ", ".join(f"{split} {row[split]:,}" for split in SPLITS))
    if about["target"]:
        lines.append(f"correlation with {about['target']}, strongest first")
        lines += [
            f"  {row['attribute']}: {row['measure']} = {row['value']:+.2f}"
            for row in about["correlations"]
            if row["value"] is not None
        ]
    return "\n".join(lines)
