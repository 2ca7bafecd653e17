# ruff: noqa: E501
"""Bad and strange input, made here: image files, annotation files and folders, each with what it has to give.

`expected` is "image" or "faces" for what is only strange, and a regular expression of the one sentence for what is bad.
"""

import io
import os
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

SIDE = 6_300  # of the largest square picture allowed


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def face(size: tuple[int, int] = (178, 218), mode: str = "RGB") -> Image.Image:
    width, height = size
    ramp = np.linspace(0, 255, width * height * 3).reshape(height, width, 3).astype(np.uint8)
    return Image.fromarray(ramp).convert(mode)


def noise(size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, depth: int = 8, colour: int = 2, rows: bytes = b"", *more: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = b"".join(more) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body


def black(width: int, height: int, depth: int, colour: int, channels: int, *more: bytes) -> bytes:
    """A whole black PNG of any size in a few kilobytes."""
    return png(width, height, depth, colour, bytes((width * channels * depth // 8 + 1) * height), *more)


def animated(kind: str, frames: int = 3) -> bytes:
    pictures = [Image.new("RGB", (40, 40), (80 * number, 0, 0)) for number in range(frames)]
    return encoded(pictures[0], kind, save_all=True, append_images=pictures[1:])


def turned(orientation: int, size: tuple[int, int] = (178, 218)) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(face(size), "JPEG", exif=exif)


def with_text(content: str) -> bytes:
    about = PngImagePlugin.PngInfo()
    about.add_text("Comment", content, zip=True)
    return encoded(face(), "PNG", pnginfo=about)


NOT_AN_IMAGE = "is not a PNG, JPEG or WebP image"
DAMAGED = "does not decode|is not a PNG, JPEG or WebP image"
TOO_LARGE = "pixels; the most is 40 million"

ImageCase = tuple[str, Callable[[], bytes], str]
IMAGES: tuple[ImageCase, ...] = (
    # truncated and corrupt
    *((f"{kind} cut to {share:.0%}", lambda k=kind, s=share: encoded(noise((178, 218)), k)[: int(len(encoded(noise((178, 218)), k)) * s)], DAMAGED)
      for kind in ("JPEG", "PNG", "WEBP") for share in (0.01, 0.5)),
    ("PNG with a wrong checksum", lambda: encoded(face()).replace(b"IDAT", b"IDAT\x00", 1), DAMAGED),
    ("PNG whose pixels are no zlib", lambda: png(50, 50).replace(zlib.compress(b"", 1), b"rubbish!"), DAMAGED),
    ("PNG without pixels", lambda: png(50, 50), DAMAGED),
    ("PNG of no width", lambda: png(0, 50), DAMAGED),
    ("PNG of an unknown colour type", lambda: png(50, 50, 8, 5), DAMAGED),
    ("JPEG that is only its start", lambda: b"\xff\xd8\xff\xe0", DAMAGED),
    ("JPEG of zeros after its head", lambda: encoded(noise((178, 218)), "JPEG")[:700] + bytes(5000), f"image|{DAMAGED}"),
    ("JPEG with broken EXIF", lambda: turned(6).replace(b"Exif\x00\x00", b"Exif\x00\x00\xff\xff\xff\xff"), f"image|{DAMAGED}"),
    ("JPEG of an EXIF orientation that does not exist", lambda: turned(77), "image"),
    # empty, wrong type, wrong extension
    ("nothing at all", lambda: b"", NOT_AN_IMAGE),
    ("one byte", lambda: b"\x89", NOT_AN_IMAGE),
    ("zeros", lambda: bytes(10_000), NOT_AN_IMAGE),
    ("random bytes", lambda: np.random.default_rng(1).bytes(50_000), NOT_AN_IMAGE),
    ("a web page named .jpg", lambda: b"<!doctype html><html><title>404</title></html>", NOT_AN_IMAGE),
    ("an SVG with a script", lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', NOT_AN_IMAGE),
    ("the head of a PDF", lambda: b"%PDF-1.7\n1 0 obj", NOT_AN_IMAGE),
    ("a zip archive", lambda: b"PK\x03\x04" + bytes(100), NOT_AN_IMAGE),
    ("an EPS with a program", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage", NOT_AN_IMAGE),
    *((f"a {kind}", lambda k=kind: encoded(face(), k), NOT_AN_IMAGE) for kind in ("GIF", "BMP", "TIFF", "PPM", "ICO", "PDF")),
    ("a PNG named .jpg", lambda: encoded(face(), "PNG"), "image"),
    # animated
    ("an animated GIF", lambda: animated("GIF"), NOT_AN_IMAGE),
    ("an animated PNG", lambda: animated("PNG"), "is an animation"),
    ("an animated WebP", lambda: animated("WEBP"), "is an animation"),
    # colour
    ("CMYK", lambda: encoded(face(mode="CMYK"), "JPEG"), "image"),
    ("16-bit grey", lambda: encoded(Image.fromarray(np.arange(178 * 218, dtype=np.uint16).reshape(218, 178))), "image"),
    ("16-bit colour", lambda: black(178, 218, 16, 2, 3), "image"),
    ("palette", lambda: encoded(face().quantize(16)), "image"),
    ("palette with a transparent colour", lambda: encoded(face().quantize(16), transparency=3), "image"),
    ("alpha", lambda: encoded(face(mode="RGBA")), "image"),
    ("grey with alpha", lambda: encoded(face(mode="LA")), "image"),
    ("two colours", lambda: encoded(face(mode="1")), "image"),
    ("WebP with alpha", lambda: encoded(face(mode="RGBA"), "WEBP"), "image"),
    # orientation
    *((f"EXIF orientation {number}", lambda n=number: turned(n), "image") for number in (3, 6, 8)),
    ("a large photo on its side", lambda: turned(6, (5200, 3900)), "image"),
    # bombs, and the largest that are allowed, in every way that multiplies
    ("a PNG of 144 megapixels", lambda: black(12_000, 12_000, 8, 0, 1), TOO_LARGE),
    ("a PNG that claims 3.6 gigapixels", lambda: png(60_000, 60_000), TOO_LARGE),
    ("a PNG that claims all there are", lambda: png(2**31 - 1, 2**31 - 1), f"{TOO_LARGE}|{DAMAGED}"),
    ("a JPEG that claims 65,500 squared", lambda: _claiming(encoded(face(), "JPEG"), 65_500), TOO_LARGE),
    ("the largest colour PNG", lambda: black(SIDE, SIDE, 8, 2, 3), "image"),
    ("the largest PNG with alpha", lambda: black(SIDE, SIDE, 8, 6, 4), "image"),
    ("the largest 16-bit PNG", lambda: black(SIDE, SIDE, 16, 0, 1), "image"),
    ("the largest 16-bit PNG with alpha", lambda: black(SIDE, SIDE, 16, 6, 4), "image"),
    ("the largest grey PNG with alpha", lambda: black(SIDE, SIDE, 8, 4, 2), "image"),
    ("the largest palette PNG", lambda: black(SIDE, SIDE, 8, 3, 1, chunk(b"PLTE", bytes(range(6))), chunk(b"tRNS", b"\x00")), "image"),
    ("the largest two-colour PNG", lambda: encoded(Image.new("1", (SIDE, SIDE))), "image"),
    ("the largest JPEG", lambda: encoded(Image.new("RGB", (SIDE, SIDE)), "JPEG", quality=10), "image"),
    ("the largest progressive JPEG", lambda: encoded(Image.new("RGB", (SIDE, SIDE)), "JPEG", quality=10, progressive=True), "image"),
    ("the largest CMYK JPEG", lambda: encoded(Image.new("CMYK", (SIDE, SIDE)), "JPEG", quality=10), "image"),
    ("the largest WebP with alpha", lambda: encoded(Image.new("RGBA", (4400, 4400)), "WEBP", method=0), "image"),
    ("a WebP that is too large", lambda: encoded(Image.new("RGB", (4800, 4800)), "WEBP", method=0), "the most is 20 million"),
    ("a comment of 200 MB", lambda: _text_bomb(200), f"image|{DAMAGED}"),
    ("a hundred comments of 1 MB", lambda: png(9, 9, 8, 0, bytes(90), *[_text_chunk(1)] * 100), f"image|{DAMAGED}"),
    ("too many bytes", lambda: encoded(face()) + bytes(20 * 2**20), "the most is 20 MB"),
    # shape
    ("a strip", lambda: encoded(face((2000, 100))), "too narrow for a portrait"),
    ("one pixel", lambda: encoded(face((1, 1))), "image"),
)  # fmt: skip


def _claiming(jpeg: bytes, side: int) -> bytes:
    start = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:start] + struct.pack(">HH", side, side) + jpeg[start + 4 :]


def _text_chunk(megabytes: int) -> bytes:
    return chunk(b"zTXt", b"Comment\x00\x00" + zlib.compress(bytes(megabytes * 2**20)))


def _text_bomb(megabytes: int) -> bytes:
    return png(9, 9, 8, 0, bytes(90), _text_chunk(megabytes))


# ---- folders in CelebA's layout, of six faces, damaged


@dataclass(frozen=True)
class FolderCase:
    name: str
    damage: Callable[[Path], Path | None]  # may give another folder to load
    expected: str
    layout: str = "txt"

    def __str__(self) -> str:
        return self.name


ATTRIBUTES, PARTITION, IMAGES_FOLDER = "list_attr_celeba", "list_eval_partition", "img_align_celeba"


def replaced(file: str, old: str, new: str) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        path = root / file
        text = path.read_text(encoding="utf-8")
        assert old in text, (file, old)
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return damage


def rewritten(file: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        (root / file).write_bytes(change((root / file).read_bytes()))

    return damage


def linked(name: str, target: str) -> Callable[[Path], None]:
    """Put a link in the place of a file or folder; a target that begins with a dot lies beside the root."""

    def damage(root: Path) -> None:
        path = root / name
        real = root.parent / "elsewhere" / path.name
        if target == "outside":
            real.parent.mkdir()
            shutil.move(path, real)
        elif path.exists():
            path.unlink()
        path.symlink_to(real if target == "outside" else target)

    return damage


def moved(name: str) -> Callable[[Path], Path]:
    return lambda root: root.rename(root.with_name(name))


def a_name(name: str) -> Callable[[Path], None]:
    """Give the second face another name, in the tables and in the folder."""

    def damage(root: Path) -> None:
        for file in (f"{ATTRIBUTES}.txt", f"{PARTITION}.txt"):
            replaced(file, "000002.jpg", name)(root)
        (root / IMAGES_FOLDER / "000002.jpg").rename(root / IMAGES_FOLDER / name)

    return damage


def without_images(root: Path) -> None:
    shutil.rmtree(root / IMAGES_FOLDER)
    (root / IMAGES_FOLDER).mkdir()


def emptied(root: Path) -> None:
    shutil.rmtree(root)
    root.mkdir()


def with_broken_identities(root: Path) -> None:
    (root / "identity_CelebA.txt").write_text("000001.jpg x\n")


def a_pipe(name: str) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        (root / name).unlink()
        os.mkfifo(root / name)

    return damage


def a_folder(name: str) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        (root / name).unlink()
        (root / name).mkdir()

    return damage


def grown(name: str, megabytes: int, content: bytes = b"\n") -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        with (root / name).open("ab") as file:
            for _ in range(megabytes):
                file.write(content * (2**20 // len(content)))

    return damage


TXT, CSV = f"{ATTRIBUTES}.txt", f"{ATTRIBUTES}.csv"
LABEL = "but attributes are -1 or 1"
FIVE = "five of six faces"
ABSENT = "five of six faces, since the sixth has no picture"
HOLE = "six faces, one without a label"
DRAWN = "six faces in a split that was drawn"
FOLDERS = (
    # whole, if strange
    FolderCase("byte order mark", rewritten(TXT, lambda content: b"\xef\xbb\xbf" + content), "faces"),
    FolderCase("Windows line ends", rewritten(TXT, lambda content: content.replace(b"\n", b"\r\n")), "faces"),
    FolderCase("old Macintosh line ends", rewritten(TXT, lambda content: content.replace(b"\n", b"\r")), "faces"),
    FolderCase("blank lines at the end", rewritten(TXT, lambda content: content + b"\n\n \n"), "faces"),
    FolderCase("no line end at the end", rewritten(TXT, bytes.rstrip), "faces"),
    FolderCase("CSV with mark and Windows line ends", rewritten(CSV, lambda c: b"\xef\xbb\xbf" + c.replace(b"\n", b"\r\n")), "faces", "csv"),
    FolderCase("a folder name with blanks", moved("my own faces"), "faces"),
    FolderCase("a folder name in another script", moved("顔 ñandú"), "faces"),
    FolderCase("a file name in another script", a_name("顔é.jpg"), "faces"),
    FolderCase("a link within the root", linked(f"{IMAGES_FOLDER}/000002.jpg", "000001.jpg"), "faces"),
    # attribute files
    FolderCase("no attribute file", lambda root: (root / TXT).unlink(), rf"{TXT} \(or .*csv\) is missing"),
    FolderCase("empty attribute file", rewritten(TXT, lambda content: b""), f"{TXT}, line 1: expected the number of images"),
    FolderCase("attribute file without count", rewritten(TXT, lambda c: c.split(b"\n", 1)[1]), "faces"),
    FolderCase("wrong count", replaced(TXT, "6\n", "7\n"), "faces"),
    FolderCase("a count that is a superscript", replaced(TXT, "6\n", "²\n"), f"{TXT}, line 1: expected the number"),
    FolderCase("a count of five thousand digits", replaced(TXT, "6\n", "6" * 5000 + "\n"), f"{TXT}, line 1: expected the number"),
    FolderCase("a missing column", replaced(TXT, "Male Blond_Hair", "Male"), f"{TXT}, line 3: expected a file name and 2 labels"),
    FolderCase("a column twice", replaced(TXT, "Male Blond_Hair", "Male Male"), f"{TXT} names the attribute Male more than once"),
    FolderCase("a face twice", replaced(TXT, "000002.jpg", "000001.jpg"), rf"{TXT}, line 4 lists 000001\.jpg more than once"),
    FolderCase("a label too few", replaced(TXT, "000002.jpg -1", "000002.jpg"), f"{TXT}, line 4: expected a file name and 3 labels"),
    FolderCase("label 0", replaced(TXT, "000002.jpg -1", "000002.jpg 0"), rf"{TXT}, line 4: 'Male' of 000002\.jpg is 0, {LABEL}"),
    FolderCase("label 2", replaced(TXT, "000002.jpg -1", "000002.jpg 2"), f"{TXT}, line 4: 'Male' .* is 2, {LABEL}"),
    FolderCase("label NaN", replaced(TXT, "000002.jpg -1", "000002.jpg nan"), HOLE),
    FolderCase("label 1e400", replaced(TXT, "000002.jpg -1", "000002.jpg 1e400"), f"{TXT}, line 4: 'Male' .* is 1e400, {LABEL}"),
    FolderCase("a name that climbs out", replaced(TXT, "000002.jpg", "../../etc/passwd"), f"{TXT}, line 4 names '../../etc/passwd'"),
    FolderCase("an absolute name", replaced(TXT, "000002.jpg", "/etc/passwd"), f"{TXT}, line 4 names '/etc/passwd'"),
    FolderCase("a name with a null byte", replaced(TXT, "000002.jpg", "0000\0002.jpg"), r"names '0000\\x002.jpg', which is not a file"),
    FolderCase("only the head", rewritten(TXT, lambda content: b"0\nMale Smiling\n"), "lists no images"),
    FolderCase("no attributes", rewritten(TXT, lambda content: b"1\n\n000001.jpg\n"), "lists no images, or no attributes"),
    FolderCase("binary rubbish", rewritten(TXT, lambda content: np.random.default_rng(0).bytes(5000)), f"{TXT}, line 1"),
    FolderCase("UTF-16", rewritten(TXT, lambda content: content.decode().encode("utf-16")), f"{TXT}, line 1"),
    FolderCase("an attribute file of 65 MB", grown(TXT, 65), f"{TXT} has 65 MB; the most is 64 MB"),
    FolderCase("60 MB of blank lines", grown(TXT, 60), "has more than 1,000,000 lines"),
    FolderCase("60 MB of one line", grown(TXT, 60, b"-1 "), f"{TXT}, line 9: longer than 100,000 characters"),
    FolderCase("60 MB of faces that are not there", grown(TXT, 60, b"a -1 1 1\n"), f"{TXT} has more than 1,000,000 lines"),
    FolderCase("a pipe for attributes", a_pipe(TXT), "is missing"),
    FolderCase("a folder for attributes", a_folder(TXT), "is missing"),
    # CSV
    FolderCase("CSV without image_id", replaced(CSV, "image_id", "image"), "faces", "csv"),
    FolderCase("CSV of nothing", rewritten(CSV, lambda content: b""), f"{CSV} does not read as CSV", "csv"),
    FolderCase("CSV with an open quote", replaced(CSV, "000002.jpg", '"000002.jpg'), f"{CSV}.*(does not read|lists|is nan|no line)", "csv"),
    FolderCase("CSV with an empty label", replaced(CSV, "000002.jpg,-1", "000002.jpg,"), HOLE, "csv"),
    FolderCase("CSV with a word as label", replaced(CSV, "000002.jpg,-1", "000002.jpg,yes"), f"{CSV}.* is (yes|1|-1), {LABEL}", "csv"),
    FolderCase("CSV with labels 0 and 1", rewritten(CSV, lambda content: content.replace(b"-1", b"0")), "faces", "csv"),
    FolderCase("CSV with a face twice", replaced(CSV, "000002.jpg", "000001.jpg"), f"{CSV}, line 3 lists", "csv"),
    FolderCase("CSV of semicolons", rewritten(CSV, lambda content: content.replace(b",", b";")), "faces", "csv"),
    FolderCase("CSV with a line too long", replaced(CSV, "000002.jpg,", "000002.jpg,1,1,1,"), f"{CSV} does not read as CSV: .*line 3", "csv"),
    FolderCase("CSV of a million columns", rewritten(CSV, lambda content: b"image_id" + b",a" * 10**6), "line 1: longer than 100,000", "csv"),
    # partitions and identities
    FolderCase("no partition", lambda root: (root / f"{PARTITION}.txt").unlink(), DRAWN),
    FolderCase("a face without a split", replaced(f"{PARTITION}.txt", "000002.jpg 1\n", ""), "has no line for 000002.jpg"),
    FolderCase("split 3", replaced(f"{PARTITION}.txt", "000002.jpg 1", "000002.jpg 3"), f"{PARTITION}.txt, line 2: .* is in split 3"),
    FolderCase("a split in words", replaced(f"{PARTITION}.txt", "000002.jpg 1", "000002.jpg val"), "faces"),
    FolderCase("a split of twenty digits", replaced(f"{PARTITION}.txt", "000002.jpg 1", f"000002.jpg {10**20}"), "line 2: expected"),
    FolderCase("a broken identity file", with_broken_identities, "identity_CelebA.txt, line 1: expected"),
    # images
    FolderCase("no image folder", lambda root: shutil.rmtree(root / IMAGES_FOLDER), "img_align_celeba/ with the images is missing"),
    FolderCase("an empty image folder", without_images, "None of the 6 images .* the first, 000001.jpg: 000001.jpg is missing"),
    FolderCase("a face that is not in the folder", lambda root: (root / IMAGES_FOLDER / "000002.jpg").unlink(), ABSENT),
    FolderCase("a pipe for a face", a_pipe(f"{IMAGES_FOLDER}/000002.jpg"), FIVE),
    FolderCase("a folder for a face", a_folder(f"{IMAGES_FOLDER}/000002.jpg"), FIVE),
    FolderCase("a link to itself", linked(f"{IMAGES_FOLDER}/000002.jpg", "000002.jpg"), FIVE),
    FolderCase("a link to a secret", linked(f"{IMAGES_FOLDER}/000002.jpg", "/etc/passwd"), FIVE),
    FolderCase("a link to an endless device", linked(f"{IMAGES_FOLDER}/000002.jpg", "/dev/zero"), FIVE),
    FolderCase("a link to a picture outside of the root", linked(f"{IMAGES_FOLDER}/000002.jpg", "outside"), FIVE),
    FolderCase("a link to attributes outside of the root", linked(TXT, "outside"), f"{TXT} is a link out of the data folder"),
    FolderCase("a link to images outside of the root", linked(IMAGES_FOLDER, "outside"), "img_align_celeba is a link out of the data folder.*FAIRSAL_DATA_ROOTS"),
    FolderCase("a name of 300 letters", replaced(TXT, "000002.jpg", "a" * 300), ABSENT),
    FolderCase("an empty folder", emptied, "is no CelebA folder"),
    FolderCase("no folder", lambda root: shutil.rmtree(root), "There is no folder"),
    FolderCase("a file for a folder", lambda root: root / TXT, "There is no folder"),
)  # fmt: skip
