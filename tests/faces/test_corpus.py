"""Every bad input gives the right thing or one clear sentence, in bounded memory and time."""

import gc
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairsal_core.errors import FairsalError
from fairsal_core.faces import decode_image, load_celeba, pack, to_square, undecodable_files
from tests.conftest import MakeCeleba
from tests.faces.bounds import MOST_BYTES, SELF, bounded, memory, one_sentence
from tests.faces.corpus import ABSENT, DRAWN, FIVE, FOLDERS, HOLE, IMAGES, FolderCase, black, encoded, face
from tests.helpers import face_names, write_celeba

pytestmark = pytest.mark.timeout(60)


def test_the_corpus_is_as_large_as_we_say() -> None:
    assert len(IMAGES) >= 60
    assert len(FOLDERS) >= 60
    assert len({name for name, _, _ in IMAGES}) == len(IMAGES)
    assert len({case.name for case in FOLDERS}) == len(FOLDERS)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns about some of the damage it can live with
@pytest.mark.parametrize(("make", "expected"), [case[1:] for case in IMAGES], ids=[case[0] for case in IMAGES])
def test_an_image_or_one_sentence(make: Callable[[], bytes], expected: str) -> None:
    content = make()
    with bounded("decoding"):
        try:
            square = to_square(decode_image(content, "portrait.jpg"))
        except FairsalError as error:
            assert str(error).startswith("portrait.jpg ")
            one_sentence(str(error), expected)
            return
    assert "image" in expected.split("|")
    assert square.shape == (128, 128, 3)
    assert square.dtype == np.uint8


def test_a_large_picture_looks_as_a_small_one_does() -> None:
    small, large = face((600, 735)), face((600, 735)).resize((4096, 5018))
    for kind in ("PNG", "JPEG"):
        squares = [to_square(decode_image(encoded(image, kind, quality=95))).astype(int) for image in (small, large)]
        assert np.abs(squares[0] - squares[1]).mean() < 3, kind


def test_many_large_pictures_at_once_cost_as_much_as_one() -> None:
    content = black(6_300, 6_300, 8, 6, 4)
    people = [threading.Thread(target=decode_image, args=(content,)) for _ in range(3)]
    gc.collect()
    if not (SELF / "clear_refs").exists():
        pytest.skip("no /proc to measure the peak of memory by")
    (SELF / "clear_refs").write_text("5")
    held = memory("VmRSS")
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert memory("VmHWM") - held < MOST_BYTES


@pytest.mark.parametrize("case", FOLDERS, ids=str)
def test_faces_or_one_sentence(make_celeba: MakeCeleba, tmp_path: Path, case: FolderCase) -> None:
    root = make_celeba(layout=case.layout)
    root = case.damage(root) or root
    cache = tmp_path / "cache"
    with bounded("loading"):
        try:
            faces = load_celeba(root)
            packed = pack(faces, cache)
        except FairsalError as error:
            one_sentence(str(error), case.expected)
            return
    if case.expected == FIVE:
        assert len(packed) == 5
        assert list(undecodable_files(faces, cache)) == ["000002.jpg"]
        assert undecodable_files(faces, cache)["000002.jpg"].startswith("000002.jpg ")
        return
    if case.expected == ABSENT:
        assert len(packed) == 5
        assert undecodable_files(faces, cache) == {}
        assert "1 of 6 rows" in faces.notes[0]
        return
    if case.expected == HOLE:
        assert packed.labelled("Male").tolist() == [True, False, True, True, True, True]
        assert packed.with_label("Male").labels("Male").tolist() == [True, True, False, True, False]
        return
    if case.expected == DRAWN:
        assert packed.labels("Male").tolist() == [True, False] * 3
        assert "No split is given" in faces.notes[0]
        return
    assert case.expected == "faces"
    assert len(packed) == 6
    assert packed.images.shape == (6, 128, 128, 3)
    assert packed.names.tolist() == face_names(6) or "file name" in case.name
    assert packed.labels("Male").tolist() == [True, False] * 3
    assert packed.split.tolist() == ["train", "val", "test"] * 2


# ---- anything at all

TABLES = ("list_attr_celeba.txt", "list_eval_partition.txt", "list_attr_celeba.csv", "list_eval_partition.csv")
CELLS = st.one_of(
    st.sampled_from(["-1", "1", "0", "", "nan", "000001.jpg", "000002.jpg", "Male", "image_id", "partition", '"', "\x00", "²"]),
    st.integers().map(str),
    st.text(max_size=8),
)  # fmt: skip
LINES = st.lists(st.tuples(st.lists(CELLS, max_size=6), st.sampled_from([" ", ",", "\t", ", "])), max_size=6)


@pytest.fixture(scope="module")
def two_layouts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    labels = pd.DataFrame({"Male": [True, False], "Smiling": [False, True]}, index=face_names(2))
    folder = tmp_path_factory.mktemp("two")
    return {layout: write_celeba(folder / layout, labels, [0, 1], layout=layout) for layout in ("txt", "csv")}


@given(table=st.sampled_from(TABLES), lines=LINES, keep_head=st.booleans())
def test_any_table_reads_or_says_why_not(
    two_layouts: dict[str, Path], table: str, lines: list, keep_head: bool
) -> None:
    root = two_layouts[table[-3:]]
    whole = (root / table).read_bytes()
    text = "\n".join(separator.join(cells) for cells, separator in lines)
    head = whole if keep_head else b""
    try:
        (root / table).write_bytes(head + text.encode("utf-8", errors="surrogatepass"))
        faces = load_celeba(root)
        assert list(map(str, faces.attributes)) == faces.binary_attributes
        assert len(faces) == len(faces.split) > 0
    except FairsalError as error:
        assert "\n" not in str(error)
        assert table.split(".")[0] in str(error) or "celeba" in str(error).lower()
    finally:
        (root / table).write_bytes(whole)


@given(
    content=st.binary(max_size=300),
    head=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x00\x00\x00\x00WEBPVP8 "]),
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_any_bytes_are_an_image_or_say_why_not(content: bytes, head: bytes) -> None:
    try:
        assert to_square(decode_image(head + content)).shape == (128, 128, 3)
    except FairsalError as error:
        assert "\n" not in str(error)
