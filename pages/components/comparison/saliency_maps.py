"""The explainers' maps: of the same faces before and after, and their means over each subgroup."""

from collections.abc import Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.faces import CELLS, cell_name
from fairsal_core.pictures import diverging_map, outline_path, over_face
from fairsal_core.results import about_these_networks
from fairsal_core.settings import variant_title
from pages.components.comparison.explained import Explained
from pages.components.comparison.map_grid import Picture, map_grid
from pages.components.comparison.roi_editor import SIDE

SATURATED = 0.995  # share of the pixels that the colours tell apart; a few peaks would make all others white


def side_by_side(explained: Explained) -> None:
    """Show one face of each cell under both variants, and the difference of what they look at."""
    audit, attention, faces = explained.audit, explained.attention, explained.faces
    before, after = explained.before, explained.after
    first, second = variant_title(before), variant_title(after)
    names = attention.faces
    sets = len(names) // len(CELLS)
    number = st.number_input(f"Faces, set 1 to {sets}", 1, sets, key="face_set", help="One test face of each subgroup.")
    rows = range((number - 1) * len(CELLS), number * len(CELLS))
    q, p = (
        np.asarray(attention.maps(variant)[rows.start : rows.stop], dtype=np.float32) for variant in (before, after)
    )
    limit = _limit([q, p])
    content = []
    for index, row in enumerate(rows):
        cell = cell_name(audit.target, audit.confounder, CELLS[index])
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
    st.subheader("Mean maps of the four subgroups")
    means = {variant: attention.means(variant) for variant in dict.fromkeys((explained.before, explained.after))}
    limit = _limit(list(means.values()))
    columns = [cell_name(audit.target, audit.confounder, cell) for cell in CELLS]
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
                )
                for column, mean in zip(columns, maps, strict=True)
            ],
        )
        for variant, maps in means.items()
    ]
    map_grid(columns, rows, limit, key="mean_maps")
    seeds = len(attention.about["seeds"])
    st.caption(
        f"Mean over {attention.about['faces'] // len(CELLS)} test faces a subgroup"
        + (f" and {seeds} seeds" if seeds > 1 else "")
        + f"; each face's map counts alike. {about_these_networks(seeds)}"
    )


def _limit(maps: Sequence[NDArray[np.float32]]) -> float:
    """Return the value at which the colours end; raises FairsalError for maps in which there is none."""
    magnitudes = np.abs(np.concatenate(maps))
    if not np.isfinite(magnitudes).all():
        raise FairsalError("The maps that are kept with this run hold what is no number, so they are not shown.")
    return float(np.quantile(magnitudes, SATURATED))
