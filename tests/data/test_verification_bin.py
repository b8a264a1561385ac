"""InsightFace's verification sets, written as Python 2 and 3 write them, and pickles that would do something."""

import contextlib
import io
import pickle
import pickletools
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness.research.data.preprocessing import Preprocessing
from likeness.research.data.verification_bin import NotPlain, VerificationBin, read_plain_pickle, read_verification_bin
from likeness.research.errors import UserError


def encoded(level: int, side: int = 112) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side), (level, level, level)).save(file, "PNG")
    return file.getvalue()


def of_python_2(images: list[bytes], same: list[bool]) -> bytes:
    """Protocol 2 of Python 2: its strings are bytes, and lists of more than a thousand are appended in parts."""
    out = io.BytesIO()
    out.write(b"\x80\x02](")
    for number, image in enumerate(images):
        out.write(b"T" + struct.pack("<i", len(image)) + image if len(image) > 255 else b"U" + bytes([len(image)]) + image)
        out.write(b"r" + struct.pack("<I", number + 300))
    out.write(b"e](")
    out.write(b"".join(b"\x88" if each else b"\x89" for each in same))
    out.write(b"e\x86q\x01.")
    return out.getvalue()


@pytest.mark.parametrize("protocol", [3, 4, 5, "2 of Python 2"])
def test_a_set_is_read_as_it_was_written(tmp_path: Path, protocol):
    images, same = [encoded(level) for level in range(6)], [True, False, True]
    path = tmp_path / "lfw.bin"
    path.write_bytes(pickle.dumps((images, same), protocol) if isinstance(protocol, int) else of_python_2(images, same))
    found, flags = read_verification_bin(str(path))
    assert list(found) == images and flags.tolist() == same
    bin = VerificationBin(path=str(path))
    table, pairs = bin.open(), bin.pairs()
    assert table.read(np.array([5, 0]))[:, 0, 0, 0].tolist() == [5, 0] and table.shape == (112, 112, 3)
    first, second = pairs.rows_of(table.names)
    assert first.tolist() == [0, 2, 4] and second.tolist() == [1, 3, 5] and pairs.same.tolist() == same


def test_many_images_are_read(tmp_path: Path):
    path = tmp_path / "many.bin"
    path.write_bytes(pickle.dumps(([b"x%d" % i for i in range(5000)], [i % 2 == 0 for i in range(2500)]), 4))
    images, same = read_verification_bin(str(path))
    assert images[4999] == b"x4999" and same.sum() == 1250


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("touched"),))


DANGEROUS = {
    "a call": pickle.dumps(([Evil()], [True])),
    "a call, protocol 0": pickle.dumps(([Evil()], [True]), 0),
    "a call, protocol 2": pickle.dumps(([Evil()], [True]), 2),
    "os.system by name": b"cos\nsystem\n(S'touch touched'\ntR.",
    "an instance": b"(ios\nsystem\n.",
    "an extension": b"\x80\x02\x82\x01.",
    "a persistent object": b"Pthing\n.",
    "an array": pickle.dumps(([np.zeros(3)], [True])),
    "a dictionary": pickle.dumps({"a": b"b"}),
    "a set": pickle.dumps({b"a"}),
    "a number": pickle.dumps(([b"a", b"b"], [1])),
    "text": pickle.dumps((["a", "b"], [True])),
    "None": pickle.dumps(None),
}


@pytest.mark.parametrize("data", DANGEROUS.values(), ids=DANGEROUS)
def test_what_is_no_list_of_bytes_is_refused_by_name_and_does_nothing(tmp_path: Path, data: bytes, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {operation.name for operation, _, _ in pickletools.genops(data)}
    with pytest.raises(NotPlain) as told:
        read_plain_pickle(data)
    assert any(name in str(told.value) for name in names)
    Path("set.bin").write_bytes(data)
    with pytest.raises(UserError, match=r"set\.bin is not read: it"):
        read_verification_bin("set.bin")
    assert not Path("touched").exists()


def test_lists_that_hold_themselves_or_each_other_many_times_are_refused():
    billion = b"\x80\x02]q\x00" + b"".join(b"](h%ch%ce" % (i, i) + b"q%c" % (i + 1) for i in range(9)) + b"."
    for data in (billion, b"\x80\x02]q\x00h\x00a.", b"\x80\x02" + b"(" * 9 + b"l" * 9 + b"."):
        with pytest.raises(NotPlain):
            read_plain_pickle(data)


WHOLE = pickle.dumps(([b"abc" * 99, b"d"], [True]), 4)


@pytest.mark.parametrize("end", range(0, len(WHOLE), 7))
def test_a_set_that_is_cut_short_is_refused(end: int):
    with pytest.raises(NotPlain):
        read_plain_pickle(WHOLE[:end])


def test_noise_is_refused_and_nothing_else_is_raised():
    rng = np.random.default_rng(0)
    for _ in range(300):
        data = bytearray(WHOLE)
        for place in rng.integers(0, 25, 3):
            data[place] = rng.integers(0, 256)
        with contextlib.suppress(NotPlain):
            read_plain_pickle(bytes(data))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (([b"a"], [True]), "1 images for 1 pairs"),
        (([], []), "0 images"),
        ([b"a", b"b"], "something else than two lists"),
        (([b"a", True], [True]), "something else than encoded images"),
        ((([b"a"], [b"b"]), [True]), "something else than encoded images"),
    ],
)
def test_other_lists_are_refused(tmp_path: Path, content, says: str):
    path = tmp_path / "set.bin"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(UserError, match=says):
        read_verification_bin(str(path))


def test_an_image_that_is_none_is_named(tmp_path: Path):
    path = tmp_path / "set.bin"
    path.write_bytes(pickle.dumps(([encoded(1), b"no image"], [True])))
    images = VerificationBin(path=str(path), preprocessing=Preprocessing(size=(112, 112))).open()
    with pytest.raises(UserError, match="set/000001"):
        images.read(np.array([1]))
