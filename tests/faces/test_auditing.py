"""The data audit finds what was put into a set, and nothing else."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats.contingency import association as scipy_association

from fairsal_core.drawing import draw_face
from fairsal_core.errors import FairsalError
from fairsal_core.faces import (
    FaceDataset,
    audit_data,
    audit_sentence,
    correlations,
    describe_audit,
    draw_fairface,
    find_duplicates,
    load_celeba,
    load_faces,
    look_for_faces,
    write_croissant,
)
from fairsal_core.faces.auditing import association
from fairsal_core.metrics import wilson
from tests.conftest import MakeCeleba
from tests.helpers import faces_in_memory, noise_images


@pytest.fixture
def planted(drawn: FaceDataset) -> FaceDataset:
    """Forty drawn faces; 36 is 0, 37 is 1 as a small JPEG, 38 is 2 in less light, 39 is 3 turned round."""
    images = drawn.images[:40].copy()
    images[36] = images[0]
    small = Image.fromarray(images[1]).resize((90, 110)).resize((128, 128))
    images[37] = np.asarray(small)
    images[38] = (images[2] * 0.9).astype(np.uint8)
    images[39] = images[3][:, ::-1]
    numbers = np.arange(40)
    hats = numbers % 3 == 0
    hats[36] = not hats[0]
    split = ["train"] * 30 + ["val"] * 5 + ["test"] * 5
    faces = faces_in_memory({"Male": numbers % 2 == 0, "Hat": hats}, split, images)
    identity = pd.Series(pd.array([*range(36), 0, *[None] * 3], dtype="Int64"), index=faces.names, name="identity")
    return FaceDataset(**{**vars(faces), "identity": identity})


def test_planted_duplicates_are_found_and_no_others(planted: FaceDataset) -> None:
    same = find_duplicates(planted)
    assert [part.tolist() for part in same.sets()] == [[0, 36], [1, 37], [2, 38]]
    assert [part.tolist() for part in same.sets(exact=True)] == [[0, 36]]


def test_different_drawn_faces_are_no_duplicates(drawn: FaceDataset) -> None:
    assert find_duplicates(drawn).sets() == []


@pytest.mark.real
def test_hardly_any_of_the_sample_are_duplicates(celeba_sample: Path, tmp_path: Path) -> None:
    from fairsal_core.faces import load_celeba, pack

    faces = pack(load_celeba(celeba_sample).sample(1500), tmp_path)
    assert len(find_duplicates(faces).sets()) <= 3


def test_leaks_and_disagreements_are_told(planted: FaceDataset) -> None:
    about = audit_data(planted, "Male", ("Hat",), {"x.jpg": "x.jpg is missing."})
    names = planted.names
    assert about["duplicates"] == {
        "exact": 1,
        "near": 2,
        "faces": 6,
        "shown": [[names[0], names[36]], [names[1], names[37]], [names[2], names[38]]],
    }
    assert about["leaks"]["pictures"]["count"] == 3
    assert about["leaks"]["pictures"]["shown"][0] == {names[0]: "train", names[36]: "test"}
    assert about["leaks"]["identities"] == {"count": 1, "of": 36, "shown": {"0": ["test", "train"]}}
    assert about["disagreements"]["by_attribute"]["Hat"] == 1
    assert about["unreadable"]["count"] == 1
    assert sum(row["train"] for row in about["groups"]) == 30
    assert about["frame"]["looked_at"] == 0  # faces in memory have no files
    assert json.loads(json.dumps(about)) == about
    text = describe_audit(about)
    assert "same picture: 1 groups exactly, 2 nearly (6 faces)" in text
    assert "same person in two splits: 1 of 36" in text


def test_pictures_without_a_face_or_with_one_elsewhere_are_counted(make_celeba: MakeCeleba) -> None:
    """Of twelve: two walls, three whose face lies low, one that does not read."""
    faces = load_celeba(make_celeba(count=12))
    for number, name in enumerate(faces.names):
        picture = draw_face(seed=99, index=number + 1).image
        if number in (1, 4):
            picture = Image.new("RGB", (178, 218), "tan")
        elif number in (2, 3, 8):
            picture = Image.new("RGB", (356, 436), "#778899")
            picture.paste(draw_face(seed=99, index=3).image, (150, 200))
        picture.save(faces.image_folder / name)
    (faces.image_folder / faces.names[11]).write_bytes(b"nothing")
    found = look_for_faces(faces, None)
    assert (found["looked_at"], found["of"]) == (11, 12)
    assert found["no_face"]["shown"] == [faces.names[1], faces.names[4]]
    assert (found["no_face"]["low"], found["no_face"]["high"]) == pytest.approx(wilson(2, 11), abs=1e-4)
    assert found["elsewhere"]["shown"] == [faces.names[row] for row in (2, 3, 8)]
    assert not found["squeezed"]
    some, again = look_for_faces(faces, 5), look_for_faces(faces, 5)
    assert some == again
    assert some["looked_at"] <= 5 and some["of"] == 12


def test_a_class_as_target_has_its_groups_and_its_paragraph(tmp_path: Path) -> None:
    faces = load_faces(str(draw_fairface(tmp_path / "fairface", count=80)))
    about = audit_data(faces, "gender=Female", ("race=Black_Hair",), look=0)
    assert {"gender", "race", "train", "val", "test"} == set(about["groups"][0])
    said = audit_sentence({**about, "made": "2026-11-28"})
    assert "Faces of each group in train, val, test: gender Female" in said
    assert "Goes with gender=Female most: " in said
    assert "looked for" not in said


def test_an_audit_needs_pixels() -> None:
    with pytest.raises(FairsalError, match="has to be packed"):
        audit_data(faces_in_memory({"Male": [True, False]}))


@pytest.mark.parametrize("shape", [(2, 2), (2, 5), (3, 4), (7, 2)])
def test_association_is_scipys(shape: tuple[int, int]) -> None:
    table = np.random.default_rng(sum(shape)).integers(1, 50, shape)
    value = association(table.astype(float))
    assert value is not None
    assert abs(value) == pytest.approx(scipy_association(table, method="cramer"), abs=1e-12)


def test_correlations_have_a_sign_and_leave_out_what_is_missing() -> None:
    hat = [True, True, False, False, True, False]
    faces = faces_in_memory({"Hat": hat, "Not": [not each for each in hat], "Same": [True] * 6}, images=noise_images(6))
    frame = faces.attributes.assign(
        Some=pd.array([True, True, False, False, None, None], dtype="boolean"),
        Kind=pd.Categorical(["a", "a", "b", "c", "a", "b"]),
    )
    found = {row["attribute"]: row for row in correlations(FaceDataset(**{**vars(faces), "attributes": frame}), "Hat")}
    assert found["Not"] == {"attribute": "Not", "measure": "phi", "value": -1.0, "faces": 6}
    assert found["Same"]["value"] is None
    assert found["Some"] == {"attribute": "Some", "measure": "phi", "value": 1.0, "faces": 4}
    assert found["Kind"] == {"attribute": "Kind", "measure": "V", "value": 1.0, "faces": 6}
    assert "Hat" not in found


# ---- Croissant

REQUIRED = (
    "@context",
    "@type",
    "conformsTo",
    "description",
    "license",
    "name",
    "url",
    "version",
    "distribution",
    "recordSet",
)


def test_a_croissant_has_what_it_has_to_have(planted: FaceDataset, tmp_path: Path) -> None:
    content = json.loads(write_croissant(planted, tmp_path).read_text())
    assert [name for name in REQUIRED if not content.get(name)] == []
    assert content["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    (labels,) = content["distribution"]
    assert {"@id", "name", "contentUrl", "encodingFormat", "sha256"} <= set(labels)
    table = pd.read_csv(tmp_path / labels["contentUrl"])
    (records,) = content["recordSet"]
    columns = [field["source"]["extract"]["column"] for field in records["field"]]
    assert columns == list(table.columns) == ["picture", "row", "split", "identity", "Male", "Hat"]
    assert {field["source"]["fileObject"]["@id"] for field in records["field"]} == {labels["@id"]}
    assert table["Hat"].tolist() == planted.labels("Hat").tolist()


@pytest.mark.extras
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # rdflib's, which mlcroissant calls
def test_mlcroissant_reads_it(planted: FaceDataset, tmp_path: Path) -> None:
    croissant = pytest.importorskip("mlcroissant", reason="mlcroissant, the oracle, is not installed")
    path = write_croissant(planted, tmp_path)
    dataset = croissant.Dataset(jsonld=str(path))
    assert dataset.metadata.ctx.issues.errors == set()
    records = list(dataset.records("faces"))
    assert [record["faces/picture"].decode() for record in records] == list(planted.names)
    assert [record["faces/Male"] for record in records] == planted.labels("Male").tolist()
