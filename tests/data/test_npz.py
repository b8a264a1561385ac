import io
import os
import struct
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from likeness.research.data import Arrays, ExampleArrays
from likeness.research.data.npz import BadArchive, open_npz, read_npz
from likeness.research.errors import UserError


def header(descr: str, shape: str, version: int = 1) -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text


def npz(content: bytes, *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("images.npy", content)
    return out.getvalue()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_every_plain_array_reads_as_numpy_reads_it(save):
    rng = np.random.default_rng(0)
    arrays = {
        "bytes": rng.integers(0, 256, (5, 4, 3)).astype(np.uint8),
        "turned": np.asfortranarray(rng.random((3, 5))),
        "big": rng.random(7).astype(">f4"),
        "half": rng.random((2, 2)).astype(np.float16),
        "bits": rng.random(9) > 0.5,
        "names": np.array(["ann", "Zoë"]),
        "one": np.array(3),
        "none": np.empty((0, 4), np.int32),
    }
    file = io.BytesIO()
    save(file, **arrays)
    read = read_npz(file)
    assert list(read) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array, strict=True)


def test_headers_are_read_without_the_arrays_and_others_only_named():
    file = io.BytesIO()
    np.savez_compressed(file, images=np.zeros((3, 8, 8), np.uint8), other=np.array([None], object))
    with open_npz(file, ("images",)) as archive:
        assert archive.headers["images"].shape == (3, 8, 8)
        assert archive.headers["images"].nbytes == 192
        assert list(archive.headers) == ["images"]
        assert archive.names == ("images", "other")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        # Sides whose product wraps round to 0 in 64 bits.
        (header("'|u1'", "(4294967296, 4294967296)"), "18,446,744,073,709,551,616 bytes"),
        (header("'|u1'", "(-1, 8)") + b"\0" * 8, "shape"),
        (header("'|u1'", "(True, 8)") + b"\0" * 8, "shape"),
        (header("'|u1'", "(10,)") + b"\0" * 9, "takes 10 bytes, and the file holds 9"),
        (header("'|u1'", "(10,)") + b"\0" * 11, "takes 10 bytes, and the file holds 11"),
        (header("'<U0'", "(1000000000000,)"), "plain numbers"),
        (header("'|O'", "(1,)") + b"cos\nsystem\n", "Python objects"),
        (header("[('a', '<i4')]", "(1,)") + b"\0" * 4, "plain numbers"),
        (header("'|V2'", "(1,)") + b"\0" * 2, "plain numbers"),
        (header("'<M8[s]'", "(1,)") + b"\0" * 8, "plain numbers"),
        (header("'no'", "(1,)"), "damaged"),
        (header("(" * 3000, "(1,)"), "damaged"),
        (header("'|u1'", "(" + "1," * 5000 + ")"), "header of images in it has 10,0"),
        (b"\x93NUMPY\2\0" + struct.pack("<I", 1 << 31), "header of images in it has 2,147,483,648 bytes"),
        (b"\x93NUMPY\x09\0\0\0", "no array"),
        (b"nothing", "no array"),
        (b"", "no array"),
    ],
)
def test_headers_that_lie_are_refused(content, why):
    with pytest.raises(BadArchive, match=why), open_npz(io.BytesIO(npz(content))):
        pass


def zeros(megabytes: int) -> bytes:
    """Honest and empty: so many megabytes of zeros in a thousandth of them."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("images.npy", "w", force_zip64=True) as file:
        file.write(header("'|u1'", f"({megabytes}, 1000, 1000)"))
        for _ in range(megabytes):
            file.write(b"\0" * 1_000_000)
    return out.getvalue()


def test_an_archive_that_unpacks_to_hundreds_of_times_its_size_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(zeros(100))
    started = time.perf_counter()
    for source in (Arrays(str(path)), ExampleArrays(path=str(path), classes=("a", "b"))):
        # The name that ExampleArrays asks for is not in the file, so that it has nothing to unpack.
        why = "claim 100 MB.*numpy.savez`" if isinstance(source, Arrays) else "no array 'values'"
        with pytest.raises(UserError, match=why):
            source.open()
    assert time.perf_counter() - started < 2
    with path.open("rb") as file:
        assert read_npz(io.BytesIO(zeros(50)))["images"].shape == (50, 1000, 1000)
        assert read_npz(file, ("other",)) == {}


def test_one_that_is_written_uncompressed_is_read_whatever_its_size(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros((70, 1000, 1000), np.uint8), labels=np.arange(70))
    with (tmp_path / "a.npz").open("rb") as file:
        assert read_npz(file)["images"].nbytes == 70_000_000


def test_damage_is_told_and_not_passed_on():
    file = io.BytesIO()
    np.savez_compressed(file, images=np.random.default_rng(0).integers(0, 256, (40, 50)).astype(np.uint8))
    whole = file.getvalue()
    rng = np.random.default_rng(1)
    for cut in range(0, len(whole), 97):
        with pytest.raises(BadArchive):
            read_npz(io.BytesIO(whole[:cut]))
    for _ in range(300):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(damaged), 3):
            damaged[place] = rng.integers(0, 256)
        try:
            read = read_npz(io.BytesIO(bytes(damaged)))
        except BadArchive as error:
            assert str(error).isprintable()
        else:
            assert all(isinstance(array, np.ndarray) for array in read.values())


def test_encrypted_and_oddly_packed_archives_are_refused():
    whole = npz(header("'|u1'", "(10,)") + b"\0" * 10)
    central = whole.index(b"PK\1\2")
    for place, value, why in ((8, b"\1\0", "encrypted"), (10, b"\x63\0", "method 99")):
        damaged = bytearray(whole)
        damaged[central + place : central + place + 2] = value
        with pytest.raises(BadArchive, match=why):
            read_npz(io.BytesIO(bytes(damaged)))
    with pytest.raises(BadArchive, match="method 12"):
        read_npz(io.BytesIO(npz(header("'|u1'", "(10,)") + b"\0" * 10, method=zipfile.ZIP_BZIP2)))


def test_a_list_of_contents_without_end_is_not_read():
    name = b"a" * 60_000
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0) + name
    listed = entry * 200
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 200, 200, len(listed), 0, 0)
    with pytest.raises(BadArchive, match="list of contents is longer than 8 MiB"):
        read_npz(io.BytesIO(listed + end))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path, kind):
    path = {"pipe": tmp_path / "a.npz", "device": Path("/dev/zero"), "folder": tmp_path}[kind]
    if kind == "pipe":
        os.mkfifo(path)
    for source in (Arrays(str(path)), ExampleArrays(path=str(path), classes=("a", "b"))):
        with pytest.raises(UserError, match=r"a folder, a pipe or a device"):
            source.open()
