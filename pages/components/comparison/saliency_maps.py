"""The explainers' maps: of the same faces before and after, and their means over each subgroup."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.pictures import diverging_map, outline_path, over_face
from fairsal_core.results import SignedMaps, about_these_networks
from fairsal_core.settings import variant_title
from pages.components.comparison.explained import Explained
from pages.components.comparison.groups import cells_in_link, choose_protected
from pages.components.comparison.map_grid import Picture, map_grid
from pages.components.comparison.roi_editor import SIDE

SATURATED = 0.995  # share of the pixels that the colours tell apart; a few peaks would make all others white


def side_by_side(explained: Explained) -> None:
    """Show one face of each cell under both variants, and the difference of what they look at."""
    audit, attention, faces = explained.audit, explained.attention, explained.faces
    before, after = explained.before, explained.after
    first, second = variant_title(before), variant_title(after)
    choose_protected(audit)
    names, cells = attention.faces, _cells(explained)
    of_cell = [np.flatnonzero(cells == cell) for cell in cells.cat.categories]
    sets = max(map(len, of_cell))
    number = st.number_input(f"Faces, set 1 to {sets}", 1, sets, key="face_set", help="One test face of each subgroup.")
    rows = [int(members[number - 1]) for members in of_cell if len(members) >= number]
    q, p = (np.asarray(attention.maps(variant)[rows], dtype=np.float32) for variant in (before, after))
    limit = _limit([q, p])
    content = []
    for index, row in enumerate(rows):
        cell = str(cells.iloc[row])
        face = faces.images[row] if faces else np.full((SIDE, SIDE, 3), 255, np.uint8)
        outline = outline_path(explained.region.of_face(row))
        difference = np.abs(p[index]) - np.abs(q[index])
        pictures = [
            Picture(face, f"Face {names[row]}, {cell}", outline),
            *(
                Picture(
                    over_face(diverging_map(maps, limit), face),
                    f"Relevance under {variant}, face {names[row]}",
                    outline,
                )
                for variant, maps in ((first, q[index]), (second, p[index]))
            ),
            Picture(
                over_face(diverging_map(difference, limit), face),
                f"Magnitude under {second} less under {first}, face {names[row]}",
                outline,
            ),
        ]
        content.append((cell, pictures))
    map_grid(["face", first, second, "change of the magnitude"], content, limit, key="side_by_side")
    st.caption(
        f"Signed relevance of the annotated label's logit, seed {attention.about['maps_of_seed']}, clean faces; each map divided "
        "by its largest magnitude, one scale for all. Red speaks for the label, blue against it; in the last column red is what "
        "gained magnitude. The line is the border of the region of interest."
    )


def mean_maps(explained: Explained) -> None:
    """Show the mean map of each cell under both variants."""
    audit, attention = explained.audit, explained.attention
    st.subheader("Mean maps by group")
    protected = choose_protected(audit)
    cells = _cells(explained)
    columns = [str(cell) for cell in cells.cat.categories]
    variants = dict.fromkeys((explained.before, explained.after))
    as_asked = protected == (audit.confounder,)
    means = {
        each: attention.means(each) if as_asked else _means_of_kept(attention.maps(each), cells) for each in variants
    }
    limit = _limit(list(means.values()))
    path = outline_path(explained.region.shared)
    white = np.full((SIDE, SIDE, 3), 255, np.uint8)
    rows = [
        (
            variant_title(variant),
            [
                Picture(
                    over_face(diverging_map(mean, limit), white),
                    f"Mean map of {column} under {variant_title(variant)}",
                    path,
                    "" if as_asked else f"n = {int((cells == column).sum())}",
                )
                for column, mean in zip(columns, maps, strict=True)
            ],
        )
        for variant, maps in means.items()
    ]
    map_grid(columns, rows, limit, key="mean_maps")
    seeds = len(attention.about["seeds"])
    over = (
        f"Mean over {attention.about['faces'] // len(audit.tested)} test faces a subgroup"
        + (f" and {seeds} seeds" if seeds > 1 else "")
        if as_asked
        else f"Mean over the faces whose maps are kept, {len(cells)} in all, of seed {attention.about['maps_of_seed']}"
    )
    st.caption(f"{over}; each face's map counts alike. {about_these_networks(seeds if as_asked else 1)}")


def _cells(explained: Explained) -> pd.Series:
    """Return which cell each face whose map is kept is in, by the groups that the link names."""
    attention = explained.attention
    labels = attention.values.drop_duplicates("face").set_index("face")["target"].astype(bool)
    return cells_in_link(explained.audit, labels.loc[attention.faces])


def _means_of_kept(maps: SignedMaps, cells: pd.Series) -> NDArray[np.float32]:
    kept = np.asarray(maps, dtype=np.float32)
    return np.stack([kept[(cells == cell).to_numpy()].mean(axis=0) for cell in cells.cat.categories])


def _limit(maps: Sequence[NDArray[np.float32]]) -> float:
    """Return the value at which the colours end; raises FairsalError for maps in which there is none."""
    magnitudes = np.abs(np.concatenate(maps))
    if not np.isfinite(magnitudes).all():
        raise FairsalError("The maps that are kept with this run hold what is no number, so they are not shown.")
    return float(np.quantile(magnitudes, SATURATED))
