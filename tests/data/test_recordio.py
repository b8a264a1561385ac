"""MXNet's records, written by the rules of dmlc-core's recordio.h."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness.research.data.preprocessing import Preprocessing
from likeness.research.data.recordio import RecordIO, read_record, unpack_record
from likeness.research.data.sampling import IdentityBatches
from likeness.research.errors import UserError

MAGIC = struct.pack("<I", 0xCED7230A)


def record(content: bytes) -> bytes:
    """Cut wherever it has the magic number at a multiple of four, which is left out."""
    cuts = [at for at in range(0, len(content) - 3, 4) if content[at : at + 4] == MAGIC]
    starts, ends = [0, *(cut + 4 for cut in cuts)], [*cuts, len(content)]
    out = b""
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        kind = 0 if not cuts else 1 if number == 0 else 3 if number == len(cuts) else 2
        part = content[start:end]
        out += MAGIC + struct.pack("<I", kind << 29 | len(part)) + part + b"\0" * (-len(part) % 4)
    return out


def packed(labels: list[float], image: bytes, number: int = 0) -> bytes:
    if len(labels) == 1:
        return struct.pack("<IfQQ", 0, labels[0], number, 0) + image
    return struct.pack("<IfQQ", len(labels), 0, number, 0) + struct.pack(f"<{len(labels)}f", *labels) + image


def encoded(level: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (16, 16), (level, 0, 0)).save(file, "PNG")
    return file.getvalue()


def written(folder: Path, contents: dict[int, bytes]) -> str:
    places, data = [], b""
    for number, content in contents.items():
        places.append(f"{number}\t{len(data)}\n")
        data += record(content)
    (folder / "train.rec").write_bytes(data)
    (folder / "train.idx").write_text("".join(places))
    return str(folder / "train.rec")


def insightface(folder: Path) -> str:
    """Four images of people 3 and 12, and two records for the people, as InsightFace's face2rec writes them."""
    images = {number: packed([label], encoded(10 * number), number) for number, label in ((1, 3.0), (2, 3.0), (3, 12.0))}
    images[4] = packed([12.0, 0.0], encoded(40), 4)
    people = {5: packed([1.0, 3.0], b""), 6: packed([3.0, 5.0], b"")}
    return written(folder, {0: packed([5.0, 7.0], b""), **images, **people})


EXACT = Preprocessing(size=(16, 16), fit="exact")


def test_a_set_of_insightface_opens_to_its_images_and_people(tmp_path: Path):
    images = RecordIO(path=insightface(tmp_path), preprocessing=EXACT).open()
    assert images.people == ("03", "12") and images.labels.tolist() == [0, 0, 1, 1]
    assert list(images.names) == ["1", "2", "3", "4"] and images.names[2] == "3"
    assert images.read(np.array([3, 0]))[:, 5, 5, 0].tolist() == [40, 10]
    assert images.select(np.array([2, 3])).people == ("12",)
    assert RecordIO(path=insightface(tmp_path), preprocessing=EXACT).open().fingerprint == images.fingerprint


def test_a_set_without_a_first_record_of_its_own_has_all_records(tmp_path: Path):
    path = written(tmp_path, {7: packed([1.0], encoded(70)), 2: packed([0.0], encoded(20))})
    images = RecordIO(path=path, preprocessing=EXACT).open()
    assert list(images.names) == ["2", "7"] and images.labels.tolist() == [0, 1]
    assert images.read(np.array([0, 1]))[:, 0, 0, 0].tolist() == [20, 70]


def test_it_feeds_training(tmp_path: Path):
    images = RecordIO(path=insightface(tmp_path), preprocessing=EXACT).open()
    batch = IdentityBatches(people=2, images=2).batches(images, 0)[0]
    assert sorted(images.labels[batch].tolist()) == [0, 0, 1, 1]


@pytest.mark.parametrize("content", [b"", b"abc", MAGIC, b"abcd" + MAGIC + MAGIC + b"xy", b"a" + MAGIC, MAGIC * 3])
def test_content_that_holds_the_magic_number_comes_back(content: bytes):
    file = io.BytesIO(b"\0" * 8 + record(content))
    assert read_record(file, 8) == content


def test_labels_of_a_record():
    assert unpack_record(packed([7.0], b"x"))[0].tolist() == [7.0]
    labels, image = unpack_record(packed([7.0, 8.5], b"x"))
    assert labels.tolist() == [7.0, 8.5] and image == b"x"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data, index: (data, ""), "no index: it is empty"),
        (lambda data, index: (data, "0\tzero\n"), "no index"),
        (lambda data, index: (data, "0\t0\n0\t4\n"), "names a record twice"),
        (lambda data, index: (data, "0\t0\n1\t2\n"), "odd byte"),
        (lambda data, index: (data, index.replace("2\t", "2\t4")), "beyond its end|no record"),
        (lambda data, index: (b"\0" * len(data), index), "no record at byte 0"),
        (lambda data, index: (data[:-8], f"{index}9\t{len(data) - 8}\n"), ""),
        (lambda data, index: (data + b"x", index), "no multiple of 4"),
        (lambda data, index: (data.replace(struct.pack("<f", 12.0), struct.pack("<f", 0.5)), index), "label 0.5"),
        (lambda data, index: (data.replace(struct.pack("<f", 12.0), struct.pack("<f", np.nan)), index), "label nan"),
        (lambda data, index: (data.replace(struct.pack("<2f", 5, 7), struct.pack("<2f", 1, 7)), index), "before the first"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(tmp_path: Path, change, says: str):
    path = Path(insightface(tmp_path))
    index = path.with_suffix(".idx")
    data, lines = change(path.read_bytes(), index.read_text())
    path.write_bytes(data)
    index.write_text(lines)
    if not says:
        RecordIO(path=str(path), preprocessing=EXACT).open()
        return
    with pytest.raises(UserError, match=says):
        RecordIO(path=str(path), preprocessing=EXACT).open()


def test_a_record_that_is_damaged_is_named_when_it_is_read(tmp_path: Path):
    path = Path(insightface(tmp_path))
    images = RecordIO(path=str(path), preprocessing=EXACT).open()
    data = path.read_bytes()
    path.write_bytes(data.replace(b"PNG", b"GNP"))
    with pytest.raises(UserError, match="at byte"):
        images.read(np.array([0]))
    path.write_bytes(data[:100])
    with pytest.raises(UserError, match="byte"):
        images.read(np.array([3]))


def test_missing_files_are_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"no index .*none\.idx"):
        RecordIO(path=str(tmp_path / "none.rec")).open()
    with pytest.raises(UserError, match="record has 3 bytes"):
        unpack_record(b"abc", "The record")
    with pytest.raises(UserError, match="longer than itself"):
        unpack_record(struct.pack("<IfQQ", 9, 0, 0, 0))
