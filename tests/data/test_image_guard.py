import io
import os
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import fresh
import numpy as np
import pytest
from PIL import Image, features

from likeness.research.data import BadImage, Decode, Folder, Preprocessing
from likeness.research.data.image_guard import FORMATS, Excessive, check_file, has_more
from likeness.research.data.image_sets import ImageFolder
from likeness.research.images import read_image


def encoded(kind: str, side: int = 32, **options) -> bytes:
    out = io.BytesIO()
    Image.new("L", (side, side), 128).save(out, kind, **options)
    return out.getvalue()


def pages(count: int) -> bytes:
    """A TIFF of 8 × 8 pixels that as many pages share."""
    out = bytearray(b"II*\0" + struct.pack("<I", 72) + bytes(range(64)))
    tags = [(256, 3, 8), (257, 3, 8), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (278, 3, 8), (279, 4, 64)]
    rows = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    size = 2 + len(rows) + 4
    for page in range(count):
        after = 72 + (page + 1) * size if page + 1 < count else 0
        out += struct.pack("<H", len(tags)) + rows + struct.pack("<I", after)
    return bytes(out)


def scans(count: int, side: int = 32) -> bytes:
    """A progressive JPEG whose last pass is repeated."""
    whole = encoded("JPEG", side, progressive=True)
    last = whole[whole.rfind(b"\xff\xda") : -2]
    return whole[:-2] + last * (count - whole.count(b"\xff\xda")) + b"\xff\xd9"


def segments(count: int, size: int = 65_000) -> bytes:
    """A JPEG with so many segments of EXIF."""
    content = b"Exif\0\0" + b"II*\0\x08\0\0\0".ljust(size, b"\0")
    whole = encoded("JPEG")
    return whole[:2] + (b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content) * count + whole[2:]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def text(megabytes: int) -> bytes:
    """A PNG with so much of text."""
    whole = encoded("PNG")
    return whole[:33] + chunk(b"tEXt", b"a\0" + b"x" * 999_998) * megabytes + whole[33:]


def tiff(tags: list[tuple[int, int, int, int]], order: str = "<") -> bytes:
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    rows = b"".join(struct.pack(order + "HHII", *tag) for tag in tags)
    return head + struct.pack(order + "H", len(tags)) + rows + bytes(4)


def gif(*, comments: int = 0, blocks: int = 0) -> bytes:
    """A GIF with so many blocks of comment, and a frame of so many empty blocks."""
    extension = b"!\xfe" + (b"\xff" + b"x" * 255) * comments + b"\0"
    frame = b"," + struct.pack("<4HB", 0, 0, 32, 32, 0) + b"\x02" + b"\x01\x44" * blocks + b"\0"
    return b"GIF89a" + struct.pack("<2H3B", 32, 32, 0, 0, 0) + extension + frame + b";"


BOMBS = {
    "passes": (scans(2000), "more than 24 passes"),
    "EXIF": (segments(20), "MB of metadata"),
    "segments": (encoded("JPEG")[:2] + b"\xff\xfe\0\2" * 5000 + encoded("JPEG")[2:], "more than 4,096 segments"),
    "junk": (encoded("JPEG")[:20] + b"x" * 70_000 + encoded("JPEG")[20:], "of no meaning"),
    "profile": (encoded("JPEG")[:2] + (b"\xff\xe2\xff\xff" + b"x" * 65_533) * 260 + encoded("JPEG")[2:], "MB of metadata"),
    "text": (text(18), "MB of metadata"),
    "chunks": (encoded("PNG")[:33] + chunk(b"IDAT", b"") * 66_000, "more than 65,536 chunks"),
    "tags": (tiff([(tag, 3, 1, 0) for tag in range(5000)]), "5,000 tags"),
    "shared tags": (tiff([(tag, 7, 1 << 20, 0) for tag in range(100)], ">"), "MB of metadata"),
    "strips": (tiff([(273, 4, 4_000_000, 0)]), "4,000,000 numbers"),
    "BigTIFF": (
        b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, 1) + struct.pack("<HHQQ", 700, 1, 1 << 40, 0) + bytes(8),
        "MB of metadata",
    ),
    "comments": (gif(comments=17_000), "MB of metadata"),
    "run lengths": (b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, 5000, -5000, 1, 8, 1) + bytes(20), "in run lengths"),
    "written out": (b"P3 #5 5\n 5000 5000 255\n" + b"1 2 3 " * 20, "number by number"),
    "own maximum": (b"P6\n5000 5000 1000\n" + bytes(100), "number by number"),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_what_would_take_long_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    data, why = BOMBS[kind]
    path = tmp_path / "bomb"
    path.write_bytes(data)
    started = time.perf_counter()
    with pytest.raises(Excessive, match=why):
        check_file(io.BytesIO(data))
    for read in (Decode(), Decode().verify, read_image):
        with pytest.raises(BadImage, match=rf"bomb cannot be used: .*{why}"):
            read(path)
    assert time.perf_counter() - started < 2


def test_a_file_too_long_to_be_read_is_refused_by_its_length(tmp_path: Path) -> None:
    for name, head, size in (
        ("a.webp", encoded("WEBP"), 300),
        ("a.jpg", encoded("JPEG"), 300),
        ("a.png", encoded("PNG"), 1100),
    ):
        path = tmp_path / name
        path.write_bytes(head)
        os.truncate(path, size << 20)
        for read in (Decode(), read_image):
            with pytest.raises(BadImage, match=r"the file has [\d,]+ MB, and at most"):
                read(path)


def test_pages_are_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    path.write_bytes(pages(20_000))
    started = time.perf_counter()
    assert Preprocessing(size=(8, 8), channels=1)(path)[0, :, 0].tolist() == list(range(8))
    assert read_image(path).notes == ("It has more than one page or frame; only the first is read.",)
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("kind", FORMATS)
def test_ordinary_files_pass_and_their_frames_are_told(kind: str) -> None:
    many = [Image.new("RGB", (16, 16), color) for color in ("red", "blue")]
    for frames in (1, 2) if kind in ("PNG", "GIF", "TIFF", "WEBP", "AVIF") else (1,):
        out = io.BytesIO()
        many[0].save(out, kind, **({"save_all": True, "append_images": many[1:]} if frames == 2 else {}))
        check_file(out)
        with Image.open(out) as image:
            position = out.tell()
            assert has_more(image, out) == (frames == 2)
            assert out.tell() == position


def test_a_gif_of_blocks_without_end_has_more_for_all_one_knows() -> None:
    out = io.BytesIO(gif(blocks=10))
    with Image.open(out) as image:
        assert not has_more(image, out)
    out = io.BytesIO(gif(blocks=270_000))
    check_file(out)
    with Image.open(out) as image:
        assert has_more(image, out)


def test_real_progressive_files_with_metadata_pass() -> None:
    exif = Image.Exif()
    exif[0x010E] = "x" * 60_000
    check_file(io.BytesIO(encoded("JPEG", progressive=True, exif=exif, icc_profile=bytes(3_000_000))))
    check_file(io.BytesIO(scans(20)))
    check_file(io.BytesIO(segments(2)))
    check_file(io.BytesIO(text(3)))
    check_file(io.BytesIO(b"P5 #5000 5000\n 16 16 1000\n" + bytes(512)))


@pytest.mark.parametrize("kind", ["TIFF", "WEBP", "AVIF"])
def test_newer_formats_are_read_wherever_images_are(tmp_path: Path, kind: str) -> None:
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    suffix = {"TIFF": "tif", "WEBP": "webp", "AVIF": "avif"}[kind]
    path = tmp_path / "ann" / f"1.{suffix}"
    path.parent.mkdir()
    frames = [Image.new("RGB", (40, 40), color) for color in ((200, 40, 40), (0, 0, 0))]
    frames[0].save(path, kind, save_all=True, append_images=frames[1:])
    expected = np.array([200, 40, 40])
    folder, below = Folder(str(tmp_path), size=16).open(), ImageFolder(path=str(tmp_path)).open()
    for read in (
        Preprocessing(size=(16, 16))(path),
        folder.read(np.array([0]))[0],
        below.read(0),
        np.round(255 * read_image(path).pixels),
    ):
        assert np.abs(read[8, 8] - expected).max() <= 4
    loose = tmp_path / f"loose.{suffix}"
    path.rename(loose)
    (tmp_path / "ann" / "2.png").write_bytes(encoded("PNG"))
    assert Folder(str(tmp_path), size=16).open().skipped[0][0] == loose.name


def test_tiff_of_sixteen_bits_is_scaled_and_of_more_refused() -> None:
    wide = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)

    def read(values: np.ndarray) -> np.ndarray:
        out = io.BytesIO()
        Image.fromarray(values).save(out, "TIFF")
        return Preprocessing(size=(16, 16), channels=1).from_bytes(out.getvalue(), "x")[:, :, 0]

    np.testing.assert_array_equal(read(wide), (wide.astype(int) + 128) // 257)
    for values, why in ((wide.astype(np.int32), "32-bit numbers"), (wide.astype(np.float32), "floating-point numbers")):
        with pytest.raises(BadImage, match=why):
            read(values)


def test_formats_that_nobody_knows_are_told_from_layouts() -> None:
    odd = tiff([(256, 3, 1, 8), (257, 3, 1, 8), (258, 3, 1, 7), (262, 3, 1, 77), (273, 4, 1, 8)])
    with pytest.raises(BadImage, match="it is a TIFF that is damaged or of a layout"):
        Decode().from_bytes(odd, "x")
    with pytest.raises(BadImage, match="it is not a JPEG, PNG, TIFF, WebP, .*PNM image"):
        Decode().from_bytes(b"text", "x")


@pytest.mark.slow
@pytest.mark.skipif(not fresh.MEASURABLE, reason="the peak of memory is asked of Linux")
@pytest.mark.parametrize(
    ("make", "arguments", "why"),
    [
        (pages, (100_000,), "it is read"),
        (scans, (2000, 4000), "more than 24 passes"),
        (segments, (500,), "MB of metadata"),
        (text, (200,), "MB of metadata"),
    ],
)
def test_bombs_of_full_size_take_less_than_two_seconds_and_300_megabytes(
    tmp_path: Path, make: Callable[..., bytes], arguments: tuple[int, ...], why: str
) -> None:
    """``-s`` prints what they cost."""
    path = tmp_path / make.__name__
    path.write_bytes(make(*arguments))
    imports = "from likeness.research.data import Decode\nfrom likeness.research.images import read_image"
    for cost in fresh.costs(imports, "(Decode(), Decode().verify, read_image)", path):
        assert why in cost.said
        assert cost.seconds < fresh.SECONDS and cost.megabytes < fresh.MEGABYTES
