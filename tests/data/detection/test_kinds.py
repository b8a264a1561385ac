"""Every kind of degenerate annotation is named, counted, and skipped or refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from annotated import SIZE, coco_box, coco_json, voc_object, voc_xml, write_coco, write_image, write_voc, write_yolo

from likeness.research.data.detection import KINDS, DetectionFolder
from likeness.research.errors import UserError

HEIGHT, WIDTH = SIZE
GOOD = voc_object()

VOC = [
    ("zero_area", voc_object(corners=(20, 12, 20, 40))),
    ("zero_area", voc_object(corners=(20, 12, 30, 12))),
    ("zero_area", voc_object(corners=(20, 20, 20, 20))),
    ("zero_area", voc_object(corners=(0, 0, 0, 0))),
    ("reversed", voc_object(corners=(30, 12, 10, 40))),
    ("reversed", voc_object(corners=(10, 40, 30, 12))),
    ("not_finite", voc_object(corners=("nan", 12, 30, 40))),
    ("not_finite", voc_object(corners=(10, 12, "inf", 40))),
    ("malformed", voc_object(corners=("", 12, 30, 40))),
    ("malformed", voc_object(corners=("ten", 12, 30, 40))),
    ("malformed", voc_object(corners=("48,5", 12, 60, 40))),
    ("malformed", voc_object(corners=(None, 12, 30, 40))),
    ("malformed", "<object><name>disk</name></object>"),
    ("normalized", voc_object(corners=(0.1, 0.2, 0.6, 0.7))),
    ("outside", voc_object(corners=(200, 12, 230, 40))),
    ("outside", voc_object(corners=(-30, 12, -10, 40))),
    ("outside", voc_object(corners=(1e30, 12, 2e30, 40))),
    ("partly_outside", voc_object(corners=(40, 12, WIDTH + 5, 40))),
    ("partly_outside", voc_object(corners=(10, -7, 30, 40))),
    ("off_by_one", voc_object(corners=(0, 0, 30, 40))),
    ("off_by_one", voc_object(corners=(10, 12, WIDTH + 1, HEIGHT + 1))),
    ("too_small", voc_object(corners=(64.5, 12, 80, 40))),
    ("no_class", voc_object(name=None)),
    ("no_class", voc_object(name="  ")),
    ("unknown_class", voc_object(name="dsik")),
    ("duplicate_box", GOOD),
    ("two_classes", voc_object(name="box")),
]
COCO = [
    ("zero_area", coco_box((10, 12, 0, 28))),
    ("reversed", coco_box((30, 40, -20, -28))),
    ("not_finite", coco_box((10, 12, float("nan"), 28))),
    ("not_finite", coco_box((10, 12, 10**400, 28))),
    ("malformed", coco_box((10, 12, 20))),
    ("malformed", coco_box(None)),
    ("malformed", coco_box((10, "12", 20, 28))),
    ("malformed", coco_box("10 12 20 28")),
    ("malformed", coco_box((True, 12, 20, 28))),
    ("normalized", coco_box((0.1, 0.2, 0.5, 0.5))),
    ("outside", coco_box((10, 50, 20, 28))),
    ("partly_outside", coco_box((10, 12, 20, 60))),
    ("too_small", coco_box((10, 12, 0.5, 28))),
    ("no_class", coco_box(category_id=None)),
    ("unknown_class", coco_box(category_id=2)),
    ("orphan", coco_box(image_id=77)),
    ("orphan", coco_box(image_id=None)),
    ("orphan", "not even an object"),
]
YOLO = [
    ("zero_area", "0 0.5 0.5 0 0.2"),
    ("reversed", "0 0.5 0.5 -0.1 0.2"),
    ("not_finite", "0 nan 0.5 0.1 0.2"),
    ("not_finite", "0 0.5 inf 0.1 0.2"),
    ("malformed", "0 0.5 0.5 0.1"),
    ("malformed", "0 0.5 0.5 0.1 0.2 0.9"),
    ("malformed", "0 0.5 0.5 0.1 x"),
    ("malformed", "disk 0.5 0.5 0.1 0.2"),
    ("pixel_units", "0 20 26 20 28"),
    ("outside", "0 1.5 0.5 0.1 0.2"),
    ("partly_outside", "0 0.95 0.5 0.3 0.2"),
    ("too_small", "0 0.5 0.5 0.01 0.2"),
    ("unknown_class", "7 0.5 0.5 0.1 0.2"),
    ("unknown_class", "-1 0.5 0.5 0.1 0.2"),
    ("malformed", "0.5 0.5 0.5 0.1 0.2"),
]


def folder(tmp_path: Path, format: str, planted: object) -> DetectionFolder:
    """One image with a good box and the planted one."""
    if format == "voc":
        write_voc(tmp_path, {"a": [GOOD, str(planted)]})
        return DetectionFolder(str(tmp_path), classes=("disk", "box"))
    if format == "coco":
        second = {**planted, "id": 2} if isinstance(planted, dict) else planted
        write_coco(tmp_path, coco_json([coco_box(), second]))
        return DetectionFolder(str(tmp_path))
    write_yolo(tmp_path, {"a": f"0 0.3 0.5 0.3 0.5\n{planted}\n"})
    return DetectionFolder(str(tmp_path))


CASES = [(name, *case) for name, cases in (("voc", VOC), ("coco", COCO), ("yolo", YOLO)) for case in cases]


@pytest.mark.parametrize("format, kind, planted", CASES, ids=lambda value: str(value)[:60])
def test_a_degenerate_annotation_has_a_name_and_a_fate(tmp_path: Path, format: str, kind, planted):
    source = folder(tmp_path, format, planted)
    examples = source.open()
    assert examples.problem_counts() == {kind: 1}
    fate = KINDS[kind].fate
    assert len(examples.boxes) == (1 if fate == "box" else 2)
    assert np.isfinite(examples.boxes).all()
    assert (examples.boxes[:, 2:] - examples.boxes[:, :2] >= 1).all()
    assert (examples.boxes >= 0).all() and (examples.boxes <= np.array([WIDTH, HEIGHT] * 2)).all()
    assert any(kind in sentence for sentence in examples.summary())
    with pytest.raises(UserError, match=kind):
        DetectionFolder(str(tmp_path), classes=source.classes, refuse=(kind,)).open()
    strict = DetectionFolder(str(tmp_path), classes=source.classes, on_problem="refuse")
    if KINDS[kind].serious:
        with pytest.raises(UserError, match=kind):
            strict.open()
    else:
        assert len(strict.open().boxes) == 2


def test_there_are_twenty_kinds_and_each_occurs_here():
    of_boxes = {kind for _, kind, _ in CASES}
    of_images = {
        "missing_image", "unreadable_image", "unreadable_annotation", "hostile_annotation", "path_escape", "size_mismatch",
        "duplicate_image", "duplicate_across", "exif_rotation", "unannotated", "similar_classes", "duplicate_id",
    }  # fmt: skip
    assert of_boxes | of_images == set(KINDS)
    assert len(KINDS) >= 20


def kinds_of(path: Path, **fields) -> dict[str, int]:
    return dict(DetectionFolder(str(path), **fields).open().problem_counts())


def test_a_missing_image(tmp_path: Path):
    write_voc(tmp_path, {"a": [GOOD], "b": [GOOD]})
    (tmp_path / "JPEGImages" / "b.png").unlink()
    assert kinds_of(tmp_path) == {"missing_image": 1}
    write_yolo(tmp_path / "yolo", {"a": "0 .5 .5 .2 .2", "b": "0 .5 .5 .2 .2"})
    (tmp_path / "yolo" / "images" / "b.png").unlink()
    assert kinds_of(tmp_path / "yolo") == {"missing_image": 1}


@pytest.mark.parametrize("content", [b"", b"no image", "whole"])
def test_an_unreadable_image(tmp_path: Path, content):
    write_voc(tmp_path, {"a": [GOOD], "b": [GOOD]})
    path = tmp_path / "JPEGImages" / "b.png"
    path.write_bytes(path.read_bytes()[:2000] if content == "whole" else content)
    assert kinds_of(tmp_path) == {"unreadable_image": 1}
    assert kinds_of(tmp_path, cache_megabytes=0.0) == {"unreadable_image": 1}


@pytest.mark.parametrize(
    "content",
    [
        b"<annotation><size>",
        b"<annotation>\xff\xfe</annotation>",
        b"<annotation>" + b"<a>" * 100,
        b"",
        b"\0" * 99,
        b"none",
        b"<html/>",
    ],
)
def test_an_unreadable_annotation(tmp_path: Path, content: bytes):
    write_voc(tmp_path, {"a": [GOOD], "b": [GOOD]})
    (tmp_path / "Annotations" / "b.xml").write_bytes(content)
    assert kinds_of(tmp_path) == {"unreadable_annotation": 1}
    # What the image shows is not known, and that is not nothing.
    examples = DetectionFolder(str(tmp_path), unannotated="background").open()
    assert examples.names == ("JPEGImages/a.png",)


def test_an_annotation_may_begin_behind_a_long_comment(tmp_path: Path):
    write_voc(tmp_path, {"a": [GOOD], "b": [GOOD]})
    path = tmp_path / "Annotations" / "b.xml"
    path.write_text(f"<!--{'x' * 5000}-->{path.read_text()}")
    assert kinds_of(tmp_path) == {}


def test_an_image_without_annotation_is_none_or_shows_nothing(tmp_path: Path):
    """supervision#188: a picture without annotations; #226: COCO128 has 126 label files for 128 pictures."""
    write_voc(tmp_path / "voc", {"a": [GOOD], "b": []})
    write_image(tmp_path / "voc" / "JPEGImages" / "c.png", 9)
    examples = DetectionFolder(str(tmp_path / "voc")).open()
    assert examples.names == ("JPEGImages/a.png", "JPEGImages/b.png") and examples.problem_counts() == {"unannotated": 1}
    assert "the image is left out" in examples.summary()[1]
    kept = DetectionFolder(str(tmp_path / "voc"), unannotated="background").open()
    assert len(kept) == 3 and "it is kept" in kept.summary()[1]
    write_yolo(tmp_path / "yolo", {"a": "0 .5 .5 .2 .2\n", "b": "", "c": None})
    examples = DetectionFolder(str(tmp_path / "yolo")).open()
    assert len(examples) == 3 and np.diff(examples.starts).tolist() == [1, 0, 0]
    assert examples.problem_counts() == {"unannotated": 1}
    assert len(DetectionFolder(str(tmp_path / "yolo"), unannotated="skip").open()) == 2


def test_an_image_of_another_size(tmp_path: Path):
    write_voc(tmp_path, {"a": [GOOD], "b": [GOOD], "c": [GOOD]})
    (tmp_path / "Annotations" / "b.xml").write_text(voc_xml([GOOD], "b.png", (96, 128)))
    # Some tools leave zeros, which say nothing.
    (tmp_path / "Annotations" / "c.xml").write_text(voc_xml([GOOD], "c.png", (0, 0)))
    examples = DetectionFolder(str(tmp_path)).open()
    assert examples.problem_counts() == {"size_mismatch": 1} and len(examples) == 2


def test_copies_of_an_image(tmp_path: Path):
    objects = [GOOD]
    write_voc(tmp_path, dict.fromkeys("abcd", objects), {"train": ["a", "b", "c"], "val": ["d"]})
    for other in ("b", "d"):
        write_image(tmp_path / "JPEGImages" / f"{other}.png", 0)
    examples = DetectionFolder(str(tmp_path)).open()
    # The one that is evaluated by stays.
    assert examples.names == ("JPEGImages/c.png", "JPEGImages/d.png")
    assert examples.problem_counts() == {"duplicate_across": 2}
    write_image(tmp_path / "JPEGImages" / "d.png", 3)
    for fields in ({}, {"cache_megabytes": 0.0}, {"cache_megabytes": 0.0, "verify": "header"}):
        examples = DetectionFolder(str(tmp_path), **fields).open()
        assert examples.problem_counts() == {"duplicate_image": 1} and len(examples) == 3


def test_classes_that_are_written_in_two_ways(tmp_path: Path):
    write_voc(tmp_path, {"a": [GOOD, voc_object(name="Disk", corners=(1, 1, 9, 9))]})
    assert kinds_of(tmp_path) == {"similar_classes": 1}


def test_ids_that_are_not_unique(tmp_path: Path):
    """supervision#285: a second export numbers its annotations from 1 again."""
    images = [{"id": i, "file_name": f"{i}.png", "height": HEIGHT, "width": WIDTH} for i in (1, 2, 2)]
    write_coco(tmp_path, coco_json([coco_box(), coco_box(image_id=2), coco_box(id=2, image_id=2, bbox=[1, 1, 9, 9])], images))
    examples = DetectionFolder(str(tmp_path)).open()
    assert examples.problem_counts() == {"duplicate_id": 2}
    assert np.diff(examples.starts).tolist() == [1, 2]


def test_a_kind_that_is_none_is_refused():
    with pytest.raises(ValueError, match="zero_area"):
        object.__setattr__(source := DetectionFolder("x"), "refuse", ("zero area",))
        source.__post_init__()


def test_json_can_be_read_from_a_path_of_its_own(tmp_path: Path):
    write_coco(tmp_path / "pictures", coco_json([coco_box()]), images=".")
    alone = tmp_path / "elsewhere" / "labels.json"
    alone.parent.mkdir()
    alone.write_text(json.dumps(coco_json([coco_box()])))
    examples = DetectionFolder(str(alone), images=str(tmp_path / "pictures")).open()
    assert examples.names == ("a.png",) and examples.boxes.tolist() == [[10, 12, 30, 40]]
