"""Image files of any origin: right pixels, or one sentence."""

import io
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from fairsal_core.errors import FairsalError
from fairsal_core.faces import decode_image, to_square
from fairsal_core.faces.decoding import MAX_BYTES, aligned_crop

PIXELS = np.random.default_rng(0).integers(0, 256, (44, 36, 3), dtype=np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def rgb(source: bytes) -> np.ndarray:
    image = decode_image(source)
    assert image.mode == "RGB"
    return np.asarray(image).astype(int)


def claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises any size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


# ---- right pixels


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_lossless_files_come_back_exactly(kind: str, options: dict[str, object]) -> None:
    np.testing.assert_array_equal(rgb(encoded(Image.fromarray(PIXELS), kind, **options)), PIXELS)


def test_from_a_path(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(Image.fromarray(PIXELS)))
    np.testing.assert_array_equal(np.asarray(decode_image(tmp_path / "a.png")), PIXELS)


def test_jpeg_is_close() -> None:
    smooth = Image.fromarray(PIXELS).resize((4, 5)).resize((36, 44), Image.Resampling.BICUBIC)
    decoded = rgb(encoded(smooth, "JPEG", quality=95))
    assert np.abs(decoded - np.asarray(smooth)).mean() < 3


def test_cmyk() -> None:
    decoded = rgb(encoded(Image.new("CMYK", (40, 40), (0, 255, 255, 0)), "JPEG", quality=95))
    assert np.abs(decoded - (255, 0, 0)).max() < 12


def test_grey_and_two_colours() -> None:
    assert (rgb(encoded(Image.new("L", (20, 20), 77))) == 77).all()
    assert (rgb(encoded(Image.new("1", (20, 20), 1))) == 255).all()


def test_sixteen_bit_is_scaled_not_clipped() -> None:
    grey = np.linspace(0, 65535, 20 * 20).astype(np.uint16).reshape(20, 20)
    decoded = rgb(encoded(Image.fromarray(grey)))
    np.testing.assert_allclose(decoded[..., 0], grey / 65535 * 255, atol=0.51)
    assert (decoded[..., 0] == decoded[..., 2]).all()


def test_transparency_lies_on_white() -> None:
    pixels = np.zeros((20, 20, 4), dtype=np.uint8)
    pixels[:, 10:] = (200, 0, 0, 128)
    pixels[10:] = (0, 0, 255, 255)
    decoded = rgb(encoded(Image.fromarray(pixels)))
    assert decoded[0, 0].tolist() == [255, 255, 255]
    assert decoded[19, 0].tolist() == [0, 0, 255]
    np.testing.assert_allclose(decoded[0, 19], (227, 127, 127), atol=1)


@pytest.mark.parametrize("mode", ["LA", "L"])
def test_grey_transparency_lies_on_white(mode: str) -> None:
    image = Image.new("LA", (20, 20), (0, 0)) if mode == "LA" else Image.new("L", (20, 20), 9)
    options = {} if mode == "LA" else {"transparency": 9}
    assert (rgb(encoded(image, **options)) == 255).all()


def test_palette_with_a_transparent_colour() -> None:
    image = Image.new("P", (20, 20), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.paste(1, (5, 5, 10, 10))
    plain, see_through = rgb(encoded(image)), rgb(encoded(image, transparency=0))
    assert plain[0, 0].tolist() == [10, 20, 30]
    assert see_through[0, 0].tolist() == [255, 255, 255]
    assert see_through[7, 7].tolist() == plain[7, 7].tolist() == [200, 100, 50]


UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).transpose(1, 0, 2),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(
        rgb(encoded(Image.fromarray(PIXELS), "PNG", exif=exif)), UPRIGHT[orientation](PIXELS).astype(int)
    )


def test_a_phones_jpeg_with_a_second_picture_is_no_animation() -> None:
    first, second = Image.new("RGB", (40, 40), (200, 30, 30)), Image.new("RGB", (40, 40), (0, 0, 255))
    content = encoded(first, "MPO", save_all=True, append_images=[second])
    assert np.abs(rgb(content) - (200, 30, 30)).max() < 12


# ---- one sentence


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animations_are_refused(kind: str) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    with pytest.raises(FairsalError, match="is an animation"):
        decode_image(encoded(frames[0], kind, save_all=True, append_images=frames[1:]))


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF"])
def test_other_formats_are_refused(kind: str) -> None:
    with pytest.raises(FairsalError, match="is not a PNG, JPEG or WebP image"):
        decode_image(encoded(Image.new("RGB", (20, 20)), kind))


def test_a_web_page_named_jpg(tmp_path: Path) -> None:
    path = tmp_path / "face.jpg"
    path.write_text("<!doctype html><title>404</title>")
    with pytest.raises(FairsalError, match=r"^face\.jpg is not a PNG, JPEG or WebP image\.$"):
        decode_image(path)


def test_the_name_can_be_given() -> None:
    with pytest.raises(FairsalError, match=r"^me\.png is not"):
        decode_image(b"", name="me.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.95])
def test_files_cut_short(kind: str, share: float) -> None:
    content = encoded(Image.fromarray(PIXELS), kind)
    with pytest.raises(FairsalError) as caught:
        decode_image(content[: int(len(content) * share)])
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns about some of the damage it can live with
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_damaged_bytes_give_an_image_or_a_sentence(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a face"
    content = encoded(Image.fromarray(PIXELS), kind, exif=exif)
    generator = np.random.default_rng(0)
    for _ in range(150):
        damaged = np.frombuffer(content, dtype=np.uint8).copy()
        places = generator.integers(0, generator.choice([60, 200, len(damaged)]), size=4)
        damaged[places] = generator.integers(0, 256, size=4)
        with suppress(FairsalError):
            assert to_square(decode_image(damaged.tobytes()), 16).shape == (16, 16, 3)


@pytest.mark.parametrize("error", [struct.error("x"), TypeError("x"), KeyError("x"), IndexError(), OverflowError("x")])
def test_whatever_pillow_raises_becomes_a_sentence(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(image: Image.Image) -> Image.Image:
        raise error

    monkeypatch.setattr(ImageOps, "exif_transpose", fail)
    with pytest.raises(FairsalError, match=r"^The image does not decode \(.+\); the file may be"):
        decode_image(encoded(Image.fromarray(PIXELS)))


@pytest.mark.parametrize("side", [7_000, 12_000, 20_000, 60_000])
def test_bombs_are_refused_before_they_go_off(side: int) -> None:
    content = claiming(side, side)
    assert len(content) < 100
    with pytest.raises(FairsalError, match="pixels; the most is 40 million"):
        decode_image(content)


def test_too_many_bytes() -> None:
    with pytest.raises(FairsalError, match="has 20 MB; the most is 20 MB"):
        decode_image(b"\x89PNG" + bytes(MAX_BYTES))


@pytest.mark.parametrize(("size", "fits"), [((400, 100), True), ((401, 100), False), ((20, 100), False)])
def test_extreme_shapes(size: tuple[int, int], fits: bool) -> None:
    content = encoded(Image.new("RGB", size))
    if fits:
        assert decode_image(content).size == size
    else:
        with pytest.raises(FairsalError, match="too narrow for a portrait"):
            decode_image(content)


# ---- squares


def test_the_aligned_frame_is_squeezed_whole() -> None:
    frame = np.zeros((218, 178, 3), dtype=np.uint8)
    frame[:40], frame[-40:], frame[:, :20] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    square = to_square(Image.fromarray(frame))
    assert square.shape == (128, 128, 3)
    assert square[0, 64].tolist() == [255, 0, 0]
    assert square[127, 64].tolist() == [0, 255, 0]
    assert square[64, 0].tolist() == [0, 0, 255]


@pytest.mark.parametrize("size", [(300, 218), (178, 300), (64, 64)])
def test_other_shapes_are_cropped_in_the_middle(size: tuple[int, int]) -> None:
    generator = np.random.default_rng(1)
    pixels = generator.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    left, top, right, bottom = aligned_crop(*size)
    assert (right - left) / (bottom - top) == pytest.approx(178 / 218, rel=0.02)
    assert abs(left - (size[0] - right)) <= 1
    assert abs(top - (size[1] - bottom)) <= 1
    cut = Image.fromarray(np.ascontiguousarray(pixels[top:bottom, left:right]))
    expected = np.asarray(cut.resize((128, 128), Image.Resampling.BILINEAR, reducing_gap=3.0))
    np.testing.assert_array_equal(to_square(Image.fromarray(pixels)), expected)


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (3, 1), (2, 2)])
def test_the_smallest_images(size: tuple[int, int]) -> None:
    assert (to_square(Image.new("RGB", size, (9, 8, 7)), 16) == (9, 8, 7)).all()
