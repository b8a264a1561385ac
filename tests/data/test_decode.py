import contextlib
import io
import os
import struct
import zlib

import numpy as np
import pytest
from crossing import crossed
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from likeness.research.data.decode import BadImage, Decode, to_uint8
from likeness.research.data.image_guard import FORMATS
from likeness.research.data.preprocessing import Preprocessing
from likeness.research.errors import UserError
from likeness.research.images import read_image


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def ramp(height: int = 24, width: int = 24) -> np.ndarray:
    return (np.arange(height * width) % 251).astype(np.uint8).reshape(height, width)


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_reads_gray_and_color(kind):
    image = Image.new("RGB", (16, 16), (200, 40, 40))
    color = Preprocessing(size=(16, 16)).from_bytes(encoded(image, kind), "x")
    gray = Preprocessing(size=(16, 16), channels=1).from_bytes(encoded(image, kind), "x")
    assert color.shape == (16, 16, 3)
    assert gray.shape == (16, 16, 1)
    # ITU-R 601: 0.299 * 200 + 0.587 * 40 + 0.114 * 40 = 87.84
    assert abs(int(gray[5, 5, 0]) - 88) <= 2
    assert color[5, 5, 0] > 190
    assert color[5, 5, 1] < 50


def test_gray_becomes_color_by_repetition():
    pixels = ramp()
    out = Preprocessing(size=(24, 24)).from_bytes(encoded(Image.fromarray(pixels)), "x")
    np.testing.assert_array_equal(out, np.repeat(pixels[:, :, None], 3, 2))


def test_a_gif_shows_its_first_frame():
    frames = [Image.new("L", (12, 12), value) for value in (10, 200)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (Preprocessing(size=(12, 12), channels=1).from_bytes(data, "x") == 10).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(orientation):
    """All eight orientations show the image that was turned for storage, upright."""
    upright = np.kron(np.array([[30, 90], [150, 210]], np.uint8), np.ones((8, 8), np.uint8))
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.T,
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].T,
        8: lambda a: np.rot90(a, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(undo[orientation](upright)))
    data = encoded(stored, "PNG", exif=exif)
    np.testing.assert_array_equal(Preprocessing(size=(16, 16), channels=1).from_bytes(data, "x")[:, :, 0], upright)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_leaves_the_image_as_stored():
    data = encoded(Image.fromarray(ramp()), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert Preprocessing(size=(24, 24), channels=1).from_bytes(data, "x").shape == (24, 24, 1)


@pytest.mark.parametrize("kind", ["png", "pgm", "pgm with its own maximum"])
def test_sixteen_bits_are_scaled_and_not_clipped(kind):
    wide = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    if kind == "png":
        data = encoded(Image.fromarray(wide))
    elif kind == "pgm":
        data = b"P5 16 16 65535\n" + wide.astype(">u2").tobytes()
    else:
        data = b"P5 16 16 1000\n" + np.round(wide / 65535 * 1000).astype(">u2").tobytes()
    out = Preprocessing(size=(16, 16), channels=1).from_bytes(data, "x")[:, :, 0]
    exact = wide / 257.0
    assert np.abs(out - exact).max() <= (0.5 if "maximum" not in kind else 0.7)


def test_low_maximum_of_pgm_is_scaled():
    data = b"P5 8 8 15\n" + bytes(range(16)) * 4
    assert Preprocessing(size=(8, 8), channels=1).from_bytes(data, "x").max() == 255


def tiff(values: bytes, bits: int, smallest: int, kind: int = 1) -> bytes:
    """A TIFF of 8 x 8 gray numbers in one strip; ``smallest`` is 0 for white and 1 for black, ``kind`` 2 for a sign."""
    tags = [(256, 8), (257, 8), (258, bits), (259, 1), (262, smallest), (273, 8), (277, 1), (278, 8), (279, len(values))]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in [*tags, (339, kind)])
    return b"II*\0" + struct.pack("<I", 8 + len(values)) + values + struct.pack("<H", 10) + entries + bytes(4)


@pytest.mark.parametrize(
    ("bits", "smallest", "kind", "why"),
    [(16, 0, 1, "0 for white"), (12, 1, 1, "12 bits"), (8, 1, 2, "signed"), (16, 1, 2, "signed")],
)
def test_a_tiff_whose_numbers_pillow_would_misread_is_refused(tmp_path, bits, smallest, kind, why):
    data = tiff(bytes(8 * bits), bits, smallest, kind)
    with pytest.raises(BadImage, match=why):
        Decode(channels=1).from_bytes(data, "x")
    (tmp_path / "x.tif").write_bytes(data)
    with pytest.raises(BadImage, match=why):
        read_image(tmp_path / "x.tif")


def test_a_tiff_of_eight_bits_counts_from_white_where_it_says_so():
    values = bytes(range(64))
    black, white = (Decode(channels=1).from_bytes(tiff(values, 8, smallest), "x").ravel() for smallest in (1, 0))
    assert black.tolist() == list(values)
    assert white.tolist() == [255 - value for value in values]


def test_a_transparent_gray_of_sixteen_bits_is_laid_on_white():
    wide = (np.arange(64, dtype=np.uint16) * 1021).reshape(8, 8)
    out = Decode(channels=1).from_bytes(encoded(Image.fromarray(wide), transparency=1021), "x").ravel()
    assert out[[0, 1, 2]].tolist() == [0, 255, 8]


def test_transparency_is_laid_on_white():
    image = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert (Preprocessing(size=(8, 8)).from_bytes(encoded(image), "x") == 255).all()


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "CMYK", "YCbCr"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_reads(mode, channels):
    kind = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    out = Preprocessing(size=(10, 10), channels=channels).from_bytes(encoded(Image.new(mode, (20, 20)), kind), "x")
    assert out.shape == (10, 10, channels)


def test_crop_keeps_the_center_and_stretch_everything():
    wide = np.zeros((8, 24), np.uint8)
    wide[:, 8:16] = 255
    data = encoded(Image.fromarray(wide))
    assert (Preprocessing(size=(8, 8), channels=1).from_bytes(data, "x") == 255).all()
    stretched = Preprocessing(size=(8, 8), channels=1, fit="stretch", resample="box").from_bytes(data, "x")
    assert abs(stretched.mean() - 85) < 1


def test_box_averages_areas():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32)).astype(np.uint8)
    out = Preprocessing(size=(8, 8), channels=1, resample="box").from_bytes(encoded(Image.fromarray(pixels)), "x")
    exact = pixels.reshape(8, 4, 8, 4).mean((1, 3))
    # Pillow reduces rows and columns one after the other and rounds each time.
    assert np.abs(out[:, :, 0] - exact).max() <= 1


def test_size_zero_keeps_the_images_own_size():
    assert Decode().from_bytes(encoded(Image.new("RGB", (31, 17))), "x").shape == (17, 31, 3)


def test_a_large_jpeg_read_small_is_close_to_its_mean():
    small = np.add.outer(np.arange(0, 120, 3), np.arange(0, 120, 3)).astype(np.uint8)
    image = Image.fromarray(np.kron(small, np.ones((20, 20), np.uint8)))
    out = Preprocessing(size=(40, 40), channels=1).from_bytes(encoded(image, "JPEG", quality=95), "x")
    assert np.abs(out[:, :, 0].astype(float) - small).max() < 4


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a JPEG"),
        (b"hello, I am a text\n", "not a JPEG"),
        (encoded(Image.fromarray(ramp()), "TGA"), "not a JPEG"),
        (encoded(Image.fromarray(ramp()), "JPEG")[:-200], "damaged"),
        (encoded(Image.effect_noise((64, 64), 50))[:1000], "damaged"),
        (b"P5 24 24 255\n" + b"\0" * 100, "damaged"),
        (encoded(Image.new("L", (1, 1))), "1 x 1 pixels"),
        (encoded(Image.new("L", (500, 7))), "500 x 7 pixels"),
        (png_header(8000, 8000), "64.0 megapixels"),
        (png_header(100_000, 100_000), "megapixels"),
        (b"Pf\n16 16\n-1.0\n" + np.full(256, np.nan, np.float32).tobytes(), "floating-point"),
    ],
)
def test_bad_bytes_are_refused_with_a_reason(data, why):
    with pytest.raises(BadImage, match=why) as caught:
        Preprocessing(size=(16, 16)).from_bytes(data, "ann/1.jpg")
    assert "ann/1.jpg" in str(caught.value)
    assert isinstance(caught.value, UserError)


def test_a_bomb_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded"))
    with pytest.raises(BadImage, match="megapixels"):
        Decode(max_megapixels=1.0).from_bytes(png_header(1001, 1000), "bomb.png")


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 400), st.integers(0, 255), st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "PPM"]))
def test_a_flipped_byte_gives_an_image_or_bad_image(position, value, kind):
    data = bytearray(encoded(Image.fromarray(ramp()), kind))
    data[position % len(data)] = value
    with contextlib.suppress(BadImage):
        assert Preprocessing(size=(12, 12), channels=1, max_megapixels=1.0).from_bytes(bytes(data), "x").shape == (12, 12, 1)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"P5 ", b"P2\n"]), st.binary())
def test_noise_after_a_magic_number_is_bad_image(magic, noise):
    with contextlib.suppress(BadImage):
        Preprocessing(size=(12, 12), max_megapixels=1.0).from_bytes(magic + noise, "x")


def test_missing_file_folder_loop_and_null_byte_are_refused(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("missing", "loop", "dangling", "nul\0l"):
        with pytest.raises(BadImage, match="cannot be opened"):
            Decode()(f"{tmp_path}/{name}")
    with pytest.raises(BadImage, match="folder"):
        Decode()(tmp_path)


@pytest.mark.timeout(20)
def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(BadImage, match="pipe"):
        Decode()(tmp_path / "pipe.jpg")


def test_a_device_is_refused():
    with pytest.raises(BadImage, match="device"):
        Decode()("/dev/zero")


def test_the_name_of_a_bad_file_prints(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9\n.jpg"
    with open(path, "wb") as file:  # noqa: PTH123 - pathlib takes no bytes
        file.write(b"text")
    with pytest.raises(BadImage) as caught:
        Decode()(os.fsdecode(path))
    assert str(caught.value).isprintable()
    assert "caf\\xe9\\n.jpg" in str(caught.value)


def test_bad_image_travels_between_processes():
    error = crossed(BadImage("a", "b", "c"))
    assert (error.name, error.why, error.remedy, str(error)) == ("a", "b", "c", str(BadImage("a", "b", "c")))


@pytest.mark.parametrize("fields", [{"max_megapixels": 0.0}, {"max_megapixels": float("nan")}, {"min_side": 0}])
def test_illegal_fields_are_refused(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        Decode(**fields)


def test_to_uint8_rounds_and_refuses():
    values = np.array([[0, 0.5, 1]], np.float32)
    np.testing.assert_array_equal(to_uint8(values, "x"), [[0, 128, 255]])
    with pytest.raises(UserError, match=r"NaN.*\[0, 2\]"):
        to_uint8(np.array([[0, 1, np.nan]]), "x")
    with pytest.raises(UserError, match="infinity"):
        to_uint8(np.array([[np.inf]]), "x")
    with pytest.raises(UserError, match="from 0 to 255"):
        to_uint8(np.array([[0.0, 255.0]]), "x")
    with pytest.raises(UserError, match="int64"):
        to_uint8(np.array([[1, 2]]), "x")
