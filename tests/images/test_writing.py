"""Images come back as they were written, with 16 bits too, and nothing is left of a failure."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from likeness.research.errors import UserError
from likeness.research.images import read_image, write_image
from likeness.research.images.sixteen_bits import encode_png


def image(height: int = 12, width: int = 17, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).random((height, width, channels), np.float32)


def decode_png(data: bytes) -> np.ndarray:
    """A PNG reader byte by byte, from the specification's text, for 8 and 16 bits of RGB and RGBA."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, compressed, header = 8, b"", ()
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", data, at + 8 + size)[0] == zlib.crc32(kind + content)
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", content)
        compressed += content if kind == b"IDAT" else b""
        at += 12 + size
    width, height, bits, color_type = header[:4]
    step = {2: 3, 6: 4}[color_type] * bits // 8
    raw = zlib.decompress(compressed)
    stride, above, out = width * step, bytes(width * step), b""
    for y in range(height):
        kind, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1 : (y + 1) * (stride + 1)])
        for x in range(stride):
            a, b, c = (line[x - step] if x >= step else 0), above[x], (above[x - step] if x >= step else 0)
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            line[x] = (line[x] + (0, a, b, (a + b) // 2, paeth)[kind]) & 255
        out, above = out + bytes(line), bytes(line)
    return np.frombuffer(out, ">u2" if bits == 16 else np.uint8).reshape(height, width, -1)


@pytest.mark.parametrize("suffix", ["png", "PNG", "tif", "tiff", "bmp"])
def test_eight_bits_come_back_rounded(tmp_path: Path, suffix: str) -> None:
    pixels = image()
    write_image(tmp_path / f"out.{suffix}", pixels)
    levels = np.asarray(Image.open(tmp_path / f"out.{suffix}"))
    np.testing.assert_array_equal(levels, np.rint(np.float64(pixels) * 255.0))
    np.testing.assert_array_equal(read_image(tmp_path / f"out.{suffix}").pixels, levels / np.float32(255.0))


@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "webp"])
def test_lossy_formats_come_back_near(tmp_path: Path, suffix: str) -> None:
    y, x = np.mgrid[:48, :64] / 64.0
    pixels = np.stack([x, y, 0.5 + 0.5 * np.sin(9.0 * x)], -1).astype(np.float32)
    write_image(tmp_path / f"out.{suffix}", pixels)
    assert np.abs(read_image(tmp_path / f"out.{suffix}").pixels - pixels).mean() < 0.01
    write_image(tmp_path / f"small.{suffix}", pixels, quality=10)
    assert (tmp_path / f"small.{suffix}").stat().st_size < (tmp_path / f"out.{suffix}").stat().st_size


@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bits_come_back_by_two_readers(tmp_path: Path, channels: int) -> None:
    values = image(channels=channels)
    alpha = values[..., 3] if channels == 4 else None
    write_image(tmp_path / "wide.png", values[..., :3], bits=16, alpha=alpha)
    levels = np.rint(np.float64(values) * 65535.0)
    np.testing.assert_array_equal(decode_png((tmp_path / "wide.png").read_bytes()), levels)
    read = read_image(tmp_path / "wide.png")
    assert read.bits == 16
    np.testing.assert_allclose(read.pixels, levels[..., :3] / 65535.0, atol=1e-7)
    # And Pillow, which reads the upper byte.
    with Image.open(tmp_path / "wide.png") as opened:
        np.testing.assert_array_equal(np.asarray(opened), levels.astype(np.uint16) >> 8)


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    channels=st.sampled_from([3, 4]),
    smooth=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_encoder_agrees_with_the_specification(height, width, channels, smooth, seed) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 65535, (height, width, channels), endpoint=True)
    if smooth:
        values = (np.cumsum(np.cumsum(values, 0), 1) // 37) % 65536
    values = values.astype(np.uint16)
    np.testing.assert_array_equal(decode_png(encode_png(values)), values)


def test_smooth_images_are_filtered_well() -> None:
    y, x = np.mgrid[:64, :64]
    values = np.stack([500 * x, 700 * y, 300 * (x + y)], -1).astype(np.uint16)
    assert len(encode_png(values)) < 0.1 * values.nbytes


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_alpha_comes_back(tmp_path: Path, suffix: str) -> None:
    alpha = np.linspace(0.0, 1.0, 12 * 17, dtype=np.float32).reshape(12, 17)
    write_image(tmp_path / f"out.{suffix}", image(), alpha=alpha)
    read = read_image(tmp_path / f"out.{suffix}").alpha
    assert read is not None
    np.testing.assert_allclose(read, alpha, atol=0.51 / 255.0)


def test_values_beyond_the_range_are_clipped(tmp_path: Path) -> None:
    write_image(tmp_path / "out.png", np.array([[[-3.0, 0.5, 7.0]]], np.float32))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out.png"))[0, 0], [0, 128, 255])


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "bmp"])
def test_the_same_image_is_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    for name in ("a", "b"):
        write_image(tmp_path / f"{name}.{suffix}", image())
    assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("out.gif", {}, "suffix .gif"),
        ("out", {}, "no suffix"),
        ("out.jpg", {"bits": 16}, "16 bits"),
        ("out.tif", {"bits": 16}, "16 bits"),
        ("out.jpg", {"alpha": np.ones((12, 17), np.float32)}, "transparency, which JPEG"),
        ("out.bmp", {"alpha": np.ones((12, 17), np.float32)}, "transparency, which BMP"),
    ],
)
def test_what_a_format_cannot_hold_is_said(tmp_path: Path, name: str, options: dict, why: str) -> None:
    with pytest.raises(UserError, match=why):
        write_image(tmp_path / name, image(), **options)
    assert not list(tmp_path.iterdir())


def test_too_long_for_webp(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="16384 x 1 pixels, and WEBP holds 16383"):
        write_image(tmp_path / "out.webp", np.zeros((1, 16384, 3), np.float32))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"bits": 12}, "8 or 16 bits"),
        ({"quality": 0}, "1 to 100"),
        ({"alpha": np.ones((2, 2), np.float32)}, "give one size"),
    ],
)
def test_illegal_values_are_refused(tmp_path: Path, options: dict, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        write_image(tmp_path / "out.png", image(), **options)


def test_nan_is_not_written(tmp_path: Path) -> None:
    pixels = image()
    pixels[3, 4, 1] = np.nan
    with pytest.raises(ValueError, match=r"first at \(row, column, channel\) \[3, 4, 1\]"):
        write_image(tmp_path / "out.png", pixels)


def test_folders_are_made_and_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "out.png"
    write_image(path, image())
    before = path.read_bytes()
    with pytest.raises(UserError):
        write_image(path.with_suffix(".png") / "below.png", image())
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["out.png"]
