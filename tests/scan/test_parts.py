"""Where a classifier looks: shares by part, overlap with regions, and the quadrant."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from fairsal_core.faces import FaceDataset
from fairsal_core.metrics import mean_interval
from fairsal_core.regions import LOWEST_AUC, evidence, load_atlas, to_pixel_map
from fairsal_core.scan import (
    ALIKE,
    DIFFERS,
    FACE_PARTS,
    QUADRANTS,
    atlas_regions,
    looks,
    mean_parts,
    overlaps,
    part_shares,
    parts_in,
    parts_of,
    quadrant,
)
from fairsal_core.tensors import to_unit
from tests.helpers import noise_images

EYES, MOUTH = list(FACE_PARTS).index("eyes or glasses"), list(FACE_PARTS).index("mouth")


def test_parts_of_a_mask_are_shares_of_its_fields() -> None:
    labels = np.zeros((64, 64), dtype=np.uint8)
    labels[:32] = 13
    labels[40, 40] = 10
    found = dict(zip(FACE_PARTS, parts_in(labels), strict=True))
    assert found["hair or hat"][:16].min() == 1 and found["hair or hat"][17:].max() == 0
    assert found["mouth"][20, 20] == pytest.approx(1 / 4)
    assert sum(found.values()) == pytest.approx(np.ones((32, 32)))


def test_the_mean_parts_lie_where_they_do_on_an_aligned_face() -> None:
    parts = dict(zip(FACE_PARTS, mean_parts(), strict=True))
    assert sum(parts.values()) == pytest.approx(np.ones((32, 32)), abs=1e-5)
    rows = {name: float((part.sum(axis=1) @ np.arange(32)) / part.sum()) for name, part in parts.items()}
    assert rows["hair or hat"] < rows["brows"] < rows["eyes or glasses"] < rows["nose"] < rows["mouth"]
    assert rows["mouth"] < rows["neck and clothes"]
    for part in ("eyes or glasses", "mouth", "nose"):
        columns = parts[part].sum(axis=0)
        assert columns @ np.arange(32) / columns.sum() == pytest.approx(15.5, abs=0.7)


def test_a_face_has_its_own_parts_where_its_mask_is_known(drawn: FaceDataset) -> None:
    few = drawn.take([0, 1, 2])
    own = parts_of(few)
    assert own.sum(axis=1) == pytest.approx(np.ones((3, 32, 32)), abs=1e-5)
    assert not np.allclose(own[0], own[1])


def on_part(place: int, count: int, noise: float = 0.0) -> NDArray[np.float32]:
    """Signed maps whose relevance lies where a part is."""
    field = np.kron(mean_parts()[place] > 0.3, np.ones((4, 4)))
    generator = np.random.default_rng(place)
    return (generator.choice([-1, 1], (count, 1, 1)) * field + noise * generator.random((count, 128, 128))).astype("f4")


def test_shares_are_sums_over_pixels() -> None:
    maps, parts = on_part(EYES, 3, noise=0.1), mean_parts()
    found = part_shares(maps, parts)
    slow = [
        [
            sum(
                abs(float(maps[face, y, x])) * float(parts[part, y // 4, x // 4])
                for y in range(128)
                for x in range(128)
            )
            / float(np.abs(maps[face]).sum())
            for part in range(len(FACE_PARTS))
        ]
        for face in range(1)
    ]
    assert found[:1] == pytest.approx(np.array(slow), abs=1e-5)
    assert found.sum(axis=1) == pytest.approx(1)
    each = part_shares(maps, np.repeat(parts[None], 3, axis=0))
    assert each == pytest.approx(found)
    assert np.isnan(part_shares(np.zeros((1, 128, 128)), parts)).all()


def test_looks_are_means_with_intervals_by_group() -> None:
    maps = np.concatenate([on_part(EYES, 20, 0.05), on_part(MOUTH, 10, 0.05)])
    shares = part_shares(maps, mean_parts())
    first = np.arange(30) < 20
    table = looks(shares, {"all": np.ones(30, dtype=bool), "first": first}).set_index(["group", "part"])
    eyes = table.loc[("first", "eyes or glasses")]
    assert eyes["value"] == pytest.approx(shares[:20, EYES].mean())
    assert (eyes["low"], eyes["high"]) == pytest.approx(mean_interval(shares[None, :20, EYES]))
    assert table.loc[("all", "mouth"), "n"] == 30
    assert table.loc[("first", "eyes or glasses"), "low"] > table.loc[("all", "eyes or glasses"), "value"]


def test_what_is_looked_at_overlaps_most() -> None:
    regions = {
        name: np.kron(mean_parts()[list(FACE_PARTS).index(name)], np.ones((4, 4))) + 0.2
        for name in ("eyes or glasses", "mouth", "hair or hat")
    }
    table = overlaps(on_part(MOUTH, 40, 0.05), regions)
    assert table["attribute"][0] == "mouth"
    assert table["looked_at"].iloc[0] and not table["looked_at"].iloc[-1]
    assert ((table["low"] <= table["overlap"]) & (table["overlap"] <= table["high"])).all()
    same = overlaps(np.repeat(regions["mouth"][None] - 0.2, 5, axis=0), {"mouth": regions["mouth"]})
    assert same["overlap"][0] == pytest.approx(1)


def test_the_quadrant_joins_both() -> None:
    names = ["a", "b", "c", "d", "unknown to the atlas"]
    errors = pd.DataFrame({"attribute": names, "verdict": [DIFFERS, DIFFERS, ALIKE, ALIKE, DIFFERS]})
    attention = pd.DataFrame({"attribute": names[:4], "looked_at": [True, False, True, False]})
    found = quadrant(errors, attention)
    assert found["case"].tolist() == ["confounder", "prevalence or labels", "latent risk", "neither"]
    assert found["meaning"].tolist() == [meaning for _, meaning in QUADRANTS.values()]


def test_regions_are_the_mean_gain_of_what_the_atlas_can_tell() -> None:
    atlas = load_atlas()
    images = noise_images(3)
    found = atlas_regions(atlas, images)
    told = {head.attribute for head in atlas.heads if head.metrics["auc"] >= LOWEST_AUC}
    assert set(found) == told and len(told) > 20
    head = atlas.of("Smiling")
    gain = [
        to_pixel_map((chances * evidence(chances, head.prior)).sum(axis=-1), head.grid)
        for chances in head.logits(to_unit(torch.from_numpy(images))).softmax(dim=-1).detach().numpy()
    ]
    assert found["Smiling"] == pytest.approx(np.mean(gain, axis=0), abs=1e-4)
    assert min(map(np.min, found.values())) >= -1e-6
