"""Splits for sets that come without: by identity where there is one, in equal shares of the classes, seeded."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairsal_core.faces.dataset import SPLITS, FaceDataset

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
_SEED = 0


def draw_split(
    strata: NDArray[np.int64], identity: pd.Series | None = None, shares: dict[str, float] = SHARES, seed: int = _SEED
) -> NDArray[np.int64]:
    """Return which of the shares each face is in, (N,) of their numbers.

    Parameters
    ----------
    strata : numpy array
        (N,) Which class each face is of: every class is shared out alike, as far as identities let it.
    identity : pandas.Series, optional
        Who is shown: all faces of one are in the same share. Those without are shared out one by one.
    shares : dict
        Share of each part, in their order.
    seed : int
        Same seed, same parts.

    Examples
    --------
    >>> parts = draw_split(np.array([0, 1] * 50))
    >>> [int(((parts == part) & (np.arange(100) % 2 == 1)).sum()) for part in range(3)]
    [40, 5, 5]
    """
    generator = np.random.default_rng(seed)
    groups = _groups(identity, len(strata))
    first = np.unique(groups, return_index=True)[1]
    sizes = np.bincount(groups)
    wanted = np.array(list(shares.values()))
    part_of_group = np.empty(len(sizes), dtype=np.int64)
    for stratum in np.unique(strata[first]):
        members = generator.permutation(np.flatnonzero(strata[first] == stratum))
        middles = (np.cumsum(sizes[members]) - sizes[members] / 2) / sizes[members].sum()
        part_of_group[members] = np.searchsorted(np.cumsum(wanted)[:-1], middles, side="right")
    return part_of_group[groups]


def _groups(identity: pd.Series | None, count: int) -> NDArray[np.int64]:
    if identity is None:
        return np.arange(count)
    codes, known = pd.factorize(identity)
    alone = codes < 0
    codes = codes.astype(np.int64)
    codes[alone] = len(known) + np.arange(alone.sum())
    return codes


def strata_of(attributes: pd.DataFrame, names: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the number of each face's combination of some attributes, (N,)."""
    keys = [pd.factorize(attributes[name])[0] for name in names if name in attributes]
    return (
        np.unique(np.stack(keys, axis=1), axis=0, return_inverse=True)[1].reshape(-1)
        if keys
        else np.zeros(len(attributes), dtype=np.int64)
    )


def as_split(parts: NDArray[np.int64], index: pd.Index) -> pd.Series:
    """Return the numbers of SPLITS as a split."""
    values = pd.Categorical.from_codes(parts.tolist(), categories=pd.Index(list(SPLITS)))
    return pd.Series(values, index=index, name="split")


def drawn_split(attributes: pd.DataFrame, identity: pd.Series | None, by: tuple[str, ...]) -> tuple[pd.Series, str]:
    """Return a split for a set that has none, and the sentence that says so."""
    split = as_split(draw_split(strata_of(attributes, by), identity), attributes.index)
    how = ", ".join(
        [
            *(["by identity"] if identity is not None else []),
            *([f"in equal shares of {' and '.join(by)}"] if by else []),
        ]
    )
    return (
        split,
        f"No split is given: one was drawn ({how or 'at random'}; seed {_SEED}): 80% train, 10% val, 10% test.",
    )


def with_held_out(faces: FaceDataset) -> FaceDataset:
    """Return the faces with a test split that is not empty, so that they can be trained on and judged.

    FairFace publishes no test split, and others neither: half of the validation faces are it then, or, where there are none,
    a tenth of the training faces (and another tenth validates). What was drawn is said in `notes`; a set with test faces stays
    as it is.
    """
    held = {split: np.flatnonzero((faces.split == split).to_numpy()) for split in SPLITS}
    if len(held["test"]) or not len(faces):
        return faces
    by = tuple(str(name) for name in faces.attributes if faces.attributes[name].nunique() <= 2)[:3]
    pool = held["val"] if len(held["val"]) > 1 else held["train"]
    shares = {"val": 0.5, "test": 0.5} if len(held["val"]) > 1 else SHARES
    if len(pool) < len(shares):
        return faces
    some = faces.take(pool)
    parts = draw_split(strata_of(some.attributes, by), some.identity, shares)
    split = faces.split.copy()
    split.iloc[pool] = np.array(list(shares))[parts]
    part = "half of its validation faces are" if "train" not in shares else "a tenth of its training faces is"
    more = "" if "train" not in shares else ", and another tenth validates"
    note = f"The set has no test split: {part} one{more}, drawn with seed {_SEED}."
    return replace(faces, split=split, notes=(*faces.notes, note))
