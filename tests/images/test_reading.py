"""What people's files hold, and what is wrong with them."""

import contextlib
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from likeness.research.data.decode import BadImage
from likeness.research.images import LoadedImage, read_image, write_image
from likeness.research.images.profiles import convert

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def saved(folder: Path, image: Image.Image, suffix: str, **options) -> Path:
    path = folder / f"image.{suffix}"
    image.save(path, **options)
    return path


def noise(height: int, width: int, channels: int, dtype: type = np.uint8) -> np.ndarray:
    top = np.iinfo(dtype).max
    return np.random.default_rng(0).integers(0, top, (height, width, channels), dtype, endpoint=True)


def png(values: np.ndarray, color_type: int, interlaced: bool = False, extra: bytes = b"") -> bytes:
    """A 16-bit PNG of the simplest kind, by the specification and by nobody's library."""
    height, width = values.shape[:2]
    # Adam7: first column, first row, and the steps, of each pass.
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    parts = [values[y::dy, x::dx] for x, y, dx, dy in passes] if interlaced else [values]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for part in parts if part.size for row in part)
    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, int(interlaced))
    data = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def tiff(values: np.ndarray, order: str = "<", extra_samples: int | None = None) -> bytes:
    """An uncompressed 16-bit TIFF."""
    height, width, channels = values.shape
    pixels = values.astype(f"{order}u2").tobytes()
    bits = struct.pack(f"{order}{channels}H", *[16] * channels)
    tags = [(256, 3, 1, width), (257, 3, 1, height), (259, 3, 1, 1), (262, 3, 1, 2), (277, 3, 1, channels), (278, 3, 1, height)]
    tags += [(273, 4, 1, 8), (279, 4, 1, len(pixels)), (258, 3, channels, 8 + len(pixels))]
    if extra_samples is not None:
        tags.append((338, 3, 1, extra_samples))
    directory = struct.pack(f"{order}H", len(tags))
    for tag, kind, count, value in sorted(tags):
        short = struct.pack(f"{order}HH", value, 0) if kind == 3 and count == 1 else struct.pack(f"{order}I", value)
        directory += struct.pack(f"{order}HHI", tag, kind, count) + short
    start = b"II*\0" if order == "<" else b"MM\0*"
    return start + struct.pack(f"{order}I", 8 + len(pixels) + len(bits)) + pixels + bits + directory + b"\0" * 4


def matrix_profile(curve: bytes, colorants: np.ndarray) -> bytes:
    """A display profile of three equal curves and a matrix."""
    tags = {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve, b"wtpt": xyz(np.array([0.9642, 1.0, 0.8249]))}
    tags |= {name: xyz(colorants[:, c]) for c, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    return profile(tags, b"RGB ")


def profile(tags: dict[bytes, bytes], space: bytes) -> bytes:
    offset, table, data = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        content += b"\0" * (-len(content) % 4)
        table += name + struct.pack(">II", offset + len(data), len(content))
        data += content
    size = 132 + 12 * len(tags) + len(data)
    header = struct.pack(">I4sI4s4s4s12x4s", size, b"lcms", 0x02100000, b"mntr", space, b"XYZ ", b"acsp")
    illuminant = struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(68, b"\0") + illuminant.ljust(60, b"\0") + table + data


def xyz(values: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *np.round(values * 65536.0).astype(int).tolist())


def gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256.0))


# The two standards' primaries, for white D65.
_ADOBE = np.array([[0.5767309, 0.1855540, 0.1881852], [0.2973769, 0.6273491, 0.0752741], [0.0270343, 0.0706872, 0.9911085]])
_SRGB = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
# Bradford's adaptation from D65 to D50.
_ADAPT = np.array([[1.0478112, 0.0228866, -0.0501270], [0.0295424, 0.9904844, -0.0170491], [-0.0092345, 0.0150436, 0.7521316]])
ADOBE = matrix_profile(gamma(2.19921875), _ADAPT @ _ADOBE)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "webp"])
def test_every_lossless_format_gives_its_values(tmp_path: Path, suffix: str) -> None:
    values = noise(9, 13, 3)
    options = {"lossless": True} if suffix == "webp" else {}
    read = read_image(saved(tmp_path, Image.fromarray(values), suffix, **options))
    np.testing.assert_array_equal(read.pixels, values / np.float32(255.0))
    assert read.pixels.dtype == np.float32
    assert (read.alpha, read.bits, read.gray, read.icc, read.notes) == (None, 8, False, None, ())


def test_jpeg_is_read_and_told_by_content(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("RGB", (16, 8), (200, 100, 50)), "jpg", quality=95)
    path = path.rename(tmp_path / "misnamed.png")
    np.testing.assert_allclose(read_image(path).pixels[4, 8] * 255.0, [200, 100, 50], atol=2.0)


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_gray_becomes_three_equal_channels(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(noise(6, 7, 1)[..., 0]).convert(mode)
    read = read_image(saved(tmp_path, image, "png"))
    assert read.gray
    expected = np.asarray(image.convert("L")) / np.float32(255.0)
    np.testing.assert_array_equal(read.pixels, np.repeat(expected[..., None], 3, 2))
    assert (read.alpha is not None) == (mode == "LA")


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_alpha_is_kept_aside(tmp_path: Path, suffix: str) -> None:
    values = noise(6, 7, 4)
    options = {"lossless": True, "exact": True} if suffix == "webp" else {}
    read = read_image(saved(tmp_path, Image.fromarray(values), suffix, **options))
    np.testing.assert_array_equal(read.pixels, values[..., :3] / np.float32(255.0))
    np.testing.assert_array_equal(read.alpha, values[..., 3] / np.float32(255.0))


def test_a_transparent_color_of_a_palette_is_alpha(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1], [1, 2]], np.uint8)).convert("P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    read = read_image(saved(tmp_path, image, "png", transparency=1))
    np.testing.assert_array_equal(read.alpha, [[1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_array_equal(read.pixels[0, 0], [1.0, 0.0, 0.0])


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("color_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_all_sixteen_bits_of_a_png_are_kept(tmp_path: Path, color_type: int, channels: int, interlaced: bool) -> None:
    values = noise(13, 11, channels, np.uint16)
    path = tmp_path / "wide.png"
    path.write_bytes(png(values, color_type, interlaced))
    read = read_image(path)
    assert read.bits == 16
    assert read.gray == (channels < 3)
    exact = values / 65535.0
    np.testing.assert_allclose(read.pixels, np.broadcast_to(exact[..., : 1 if channels < 3 else 3], (13, 11, 3)), atol=1e-7)
    if channels in (2, 4):
        np.testing.assert_allclose(read.alpha, exact[..., -1], atol=1e-7)
    else:
        assert read.alpha is None


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [3, 4])
def test_all_sixteen_bits_of_a_tiff_are_kept(tmp_path: Path, order: str, channels: int) -> None:
    values = noise(13, 11, channels, np.uint16)
    path = tmp_path / "wide.tif"
    path.write_bytes(tiff(values, order, 2 if channels == 4 else None))
    read = read_image(path)
    assert read.bits == 16
    np.testing.assert_allclose(read.pixels, values[..., :3] / 65535.0, atol=1e-7)


def test_a_gray_tiff_and_a_pgm_of_sixteen_bits(tmp_path: Path) -> None:
    values = noise(5, 6, 1, np.uint16)[..., 0]
    path = saved(tmp_path, Image.fromarray(values), "tif", compression="tiff_lzw")
    (tmp_path / "wide.pgm").write_bytes(b"P5 6 5 65535\n" + values.astype(">u2").tobytes())
    for read in (read_image(path), read_image(tmp_path / "wide.pgm")):
        np.testing.assert_allclose(read.pixels[..., 1], values / 65535.0, atol=1e-7)
        assert (read.bits, read.gray) == (16, True)


def test_premultiplied_sixteen_bits_are_read_as_eight_with_a_note(tmp_path: Path) -> None:
    values = np.minimum(noise(5, 6, 4, np.uint16), 40000)
    values[..., 3] = 65535
    path = tmp_path / "odd.tif"
    path.write_bytes(tiff(values, "<", 1))
    read = read_image(path)
    assert read.bits == 8
    assert "only 8 are read" in read.notes[0]
    np.testing.assert_allclose(read.pixels, values[..., :3] / 65535.0, atol=1.0 / 255.0)


def test_a_transparent_color_of_sixteen_bits_is_compared_in_full(tmp_path: Path) -> None:
    values = np.array([[[300, 2, 3], [301, 2, 3]]], np.uint16)
    path = tmp_path / "key.png"
    path.write_bytes(png(values, 2, extra=chunk(b"tRNS", struct.pack(">3H", 300, 2, 3))))
    np.testing.assert_array_equal(read_image(path).alpha, [[0.0, 1.0]])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "wide.png"])
def test_orientation_is_applied(tmp_path: Path, suffix: str, orientation: int) -> None:
    upright = np.kron(np.array([[30, 90, 120], [150, 210, 240]], np.uint8), np.ones((8, 8), np.uint8))
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
    stored = np.ascontiguousarray(np.repeat(undo[orientation](upright)[..., None], 3, 2))
    exif = Image.Exif()
    exif[0x0112] = orientation
    if suffix == "wide.png":
        path = tmp_path / suffix
        path.write_bytes(png(stored.astype(np.uint16) * 257, 2, extra=chunk(b"eXIf", exif.tobytes()[6:])))
    else:
        options = {"lossless": True} if suffix == "webp" else {"quality": 100} if suffix == "jpg" else {}
        path = saved(tmp_path, Image.fromarray(stored), suffix, exif=exif, **options)
    np.testing.assert_allclose(read_image(path).pixels[..., 0] * 255.0, upright, atol=2.0)


def test_broken_exif_leaves_the_image_as_stored(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("RGB", (9, 5)), "jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert read_image(path).pixels.shape == (5, 9, 3)


def adobe_to_srgb(values: np.ndarray) -> np.ndarray:
    light = np.clip(values**2.19921875 @ _ADOBE.T @ np.linalg.inv(_SRGB).T, 0.0, 1.0)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1.0 / 2.4) - 0.055)


def test_a_profile_is_converted_to_srgb_in_eight_bits(tmp_path: Path) -> None:
    values = noise(16, 16, 3) // 2 + 60
    read = read_image(saved(tmp_path, Image.fromarray(values), "png", icc_profile=ADOBE))
    np.testing.assert_allclose(read.pixels, adobe_to_srgb(values / 255.0), atol=4e-4)
    assert read.icc == ADOBE
    assert read.notes == ()


def test_a_profile_is_converted_to_srgb_in_sixteen_bits(tmp_path: Path) -> None:
    values = noise(16, 16, 3, np.uint16) // 2 + 16000
    path = tmp_path / "wide.png"
    path.write_bytes(png(values, 2, extra=chunk(b"iCCP", b"adobe\0\0" + zlib.compress(ADOBE))))
    read = read_image(path)
    assert read.bits == 16
    np.testing.assert_allclose(read.pixels, adobe_to_srgb(values / 65535.0), atol=4e-4)


def test_the_srgb_profile_changes_nothing(tmp_path: Path) -> None:
    values = noise(16, 16, 3)
    read = read_image(saved(tmp_path, Image.fromarray(values), "png", icc_profile=SRGB))
    np.testing.assert_array_equal(read.pixels, values / np.float32(255.0))


def test_a_profile_that_is_a_table_goes_through_little_cms(tmp_path: Path) -> None:
    """Four inks of which each is black: lightness falls to nothing with the most of them."""
    nodes = np.stack(np.meshgrid(*[[0, 1]] * 4, indexing="ij"), -1).reshape(-1, 4)
    lab = np.full((16, 3), 32768, ">u2")
    lab[:, 0] = 65280 * (1 - nodes.max(1))
    identity = struct.pack(">9i", *np.eye(3, dtype=int).ravel() * 65536)
    line = struct.pack(">2H", 0, 65535)
    table = b"mft2\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + struct.pack(">HH", 2, 2) + line * 4 + lab.tobytes() + line * 3
    icc = profile({b"A2B0": table, b"A2B1": table, b"wtpt": xyz(np.array([0.9642, 1.0, 0.8249]))}, b"CMYK")
    icc = icc[:12] + b"prtr" + icc[16:20] + b"Lab " + icc[24:]
    inks = np.zeros((8, 16, 4), np.uint8)
    inks[:, 8:, 3] = 255
    read = read_image(saved(tmp_path, Image.fromarray(inks, "CMYK"), "tif", icc_profile=icc))
    np.testing.assert_allclose(read.pixels[4, 2], 1.0, atol=0.01)
    np.testing.assert_allclose(read.pixels[4, 13], 0.0, atol=0.01)
    assert read.notes == ()


@pytest.mark.parametrize("kind", range(5))
def test_parametric_curves_agree_with_little_cms(kind: int) -> None:
    """Of each kind one that is near sRGB's, against eight bits by Little CMS."""
    numbers = {
        0: [2.2],
        1: [2.4, 0.95, 0.05],
        2: [2.4, 0.90, 0.05, 0.02],
        3: [2.4, 1.0 / 1.055, 0.055 / 1.055, 1.0 / 12.92, 0.04045],
        4: [2.4, 0.93, 0.055, 0.07, 0.05, 0.01, 0.005],
    }[kind]
    constants = [round(number * 65536) for number in numbers]
    curve = b"para\0\0\0\0" + struct.pack(f">HH{len(constants)}i", kind, 0, *constants)
    icc = matrix_profile(curve, _ADAPT @ _SRGB)
    # Version 4, in which parametric curves are allowed.
    icc = icc[:8] + struct.pack(">I", 0x04300000) + icc[12:]
    gray = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, 2)
    eight = ImageCms.profileToProfile(
        Image.fromarray(gray),
        ImageCms.ImageCmsProfile(io.BytesIO(icc)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    here = convert(gray / np.float32(255.0), icc)
    assert here is not None
    np.testing.assert_allclose(here * 255.0, np.asarray(eight), atol=1.01)


def test_a_gray_profile(tmp_path: Path) -> None:
    icc = profile({b"kTRC": gamma(1.0), b"wtpt": xyz(np.array([0.9642, 1.0, 0.8249]))}, b"GRAY")
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    light = values / 255.0
    exact = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1.0 / 2.4) - 0.055)
    read = read_image(saved(tmp_path, Image.fromarray(values), "png", icc_profile=icc))
    np.testing.assert_allclose(read.pixels[..., 0], exact, atol=1e-5)
    path = tmp_path / "wide.png"
    path.write_bytes(png(values[..., None].astype(np.uint16) * 257, 0, extra=chunk(b"iCCP", b"x\0\0" + zlib.compress(icc))))
    np.testing.assert_allclose(read_image(path).pixels[..., 0], exact, atol=1e-5)


@pytest.mark.parametrize("icc", [b"nonsense", SRGB[:200], ADOBE[:150]])
def test_a_damaged_profile_is_ignored_with_a_note(tmp_path: Path, icc: bytes) -> None:
    values = noise(8, 8, 3)
    read = read_image(saved(tmp_path, Image.fromarray(values), "png", icc_profile=icc))
    np.testing.assert_array_equal(read.pixels, values / np.float32(255.0))
    assert read.notes == ("Its color profile is ignored: it is damaged.",)
    path = tmp_path / "wide.png"
    path.write_bytes(png(noise(8, 8, 3, np.uint16), 2, extra=chunk(b"iCCP", b"x\0\0" + zlib.compress(icc))))
    assert read_image(path).notes[0].startswith("Its color profile is ignored")


def test_a_profile_of_another_color_space_is_ignored_with_a_note(tmp_path: Path) -> None:
    read = read_image(saved(tmp_path, Image.fromarray(noise(8, 8, 1)[..., 0]), "png", icc_profile=SRGB))
    assert read.notes == ("Its color profile is ignored: it is for RGB and the image is gray.",)


def test_cmyk_is_converted(tmp_path: Path) -> None:
    read = read_image(saved(tmp_path, Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "jpg", quality=100))
    np.testing.assert_allclose(read.pixels[4, 4], [1.0, 0.0, 0.0], atol=0.03)
    assert "approximate" in read.notes[0]


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif"])
def test_of_an_animation_the_first_frame_is_read_and_said(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (12, 12), color) for color in ("red", "blue", "green")]
    options = {"lossless": True} if suffix == "webp" else {}
    read = read_image(saved(tmp_path, frames[0], suffix, save_all=True, append_images=frames[1:], **options))
    np.testing.assert_allclose(read.pixels[6, 6], [1.0, 0.0, 0.0], atol=0.01)
    assert read.notes == ("It has more than one page or frame; only the first is read.",)


def test_too_wide_an_image_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "panorama.png"
    header = struct.pack(">IIBBBBB", 30000, 400, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    with pytest.raises(BadImage, match=r"panorama.png .* 30000 x 400 pixels \(12.0 megapixels\).*Shrink it"):
        read_image(path)
    with pytest.raises(BadImage, match="damaged"):
        read_image(path, max_side=30000)


@pytest.mark.parametrize("side", [9000, 16000, 60000])
def test_a_decompression_bomb_is_refused(tmp_path: Path, side: int) -> None:
    path = tmp_path / "bomb.png"
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b""))
    with pytest.raises(BadImage, match=r"bomb.png .* megapixels"):
        read_image(path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file is empty"),
        (b"<html>not found</html>", "it is not a JPEG, PNG"),
        (b"\x89PNG\r\n\x1a\n", "damaged|not a JPEG"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 40, "damaged|not a JPEG"),
    ],
)
def test_what_is_no_image_is_said(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "upload.jpg"
    path.write_bytes(content)
    with pytest.raises(BadImage, match=rf"upload.jpg cannot be used: .*({why})"):
        read_image(path)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "bmp", "gif", "wide.png"])
def test_a_file_cut_short_anywhere_is_an_error(tmp_path: Path, suffix: str) -> None:
    values = noise(24, 24, 3)
    if suffix == "wide.png":
        write_image(tmp_path / "whole.png", values / np.float32(255.0), bits=16)
        whole = (tmp_path / "whole.png").read_bytes()
    else:
        whole = saved(tmp_path, Image.fromarray(values), suffix).read_bytes()
    path = tmp_path / f"cut.{suffix}"
    for length in np.linspace(1, 0.9 * len(whole), 25).astype(int):
        path.write_bytes(whole[:length])
        with pytest.raises(BadImage, match=r"cut\."):
            read_image(path)


def test_flipped_bytes_are_an_error_or_an_image(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "image.bin"
    for suffix in ("jpg", "png", "tif", "webp", "gif"):
        whole = np.frombuffer(saved(tmp_path, Image.fromarray(noise(16, 16, 3)), suffix).read_bytes(), np.uint8)
        for _ in range(30):
            damaged = whole.copy()
            damaged[rng.integers(0, len(damaged), 4)] = rng.integers(0, 256, 4)
            path.write_bytes(damaged.tobytes())
            with contextlib.suppress(BadImage):
                assert isinstance(read_image(path), LoadedImage)


def test_missing_folders_and_pipes(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match=r"missing.png .*No such file"):
        read_image(tmp_path / "missing.png")
    with pytest.raises(BadImage, match="a folder"):
        read_image(tmp_path)
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(BadImage, match="pipe"):
        read_image(tmp_path / "pipe.png")


def test_floating_point_images_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(np.zeros((4, 4), np.float32)), "tif")
    with pytest.raises(BadImage, match="floating-point"):
        read_image(path)
