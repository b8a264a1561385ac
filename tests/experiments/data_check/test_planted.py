"""The doctor finds every fault that is planted, and nothing in data that are sound."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from annotated import coco_box, coco_json, voc_object, voc_xml, write_coco
from PIL import Image

from likeness.experiments.commands.main import run
from likeness.experiments.data_check.checking import check_data, source_of
from likeness.experiments.data_check.findings import DataReport
from likeness.experiments.data_check.page import data_page
from likeness.research.data.detection import DetectionFolder
from likeness.research.errors import UserError
from likeness.research.geometry import AnchorGrid, AnchorPyramid

SIZE = (96, 128)
NAMES = [f"{i:02}" for i in range(12)]
BOXES = [(20, 15, 60, 55), (70, 30, 110, 80)]


def draw(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """A smooth background, unlike that of any other seed, with two objects."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 200, (6, 8, 3)).astype(np.uint8))
    image = np.array(coarse.resize(size[::-1], Image.Resampling.BICUBIC))
    for (left, top, right, bottom), color in zip(BOXES, (255, 230), strict=True):
        image[top:bottom, left:right] = color
    return Image.fromarray(image)


def objects(seed: int, *more: str) -> list[str]:
    shifted = [(l + 1, t + 1, r, b) for l, t, r, b in BOXES]  # noqa: E741
    return [voc_object(corners=shifted[0]), voc_object(name="box", corners=shifted[1]), *more]


def annotate(root: Path, name: str, *more: str, **fields) -> None:
    said = {"filename": f"{name}.png", "size": SIZE, **fields}
    (root / "Annotations" / f"{name}.xml").write_text(voc_xml(objects(0, *more), **said))


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("sound")
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    for seed, name in enumerate(NAMES):
        draw(seed).save(root / "JPEGImages" / f"{name}.png")
        annotate(root, name)
    for part, names in (("train", NAMES[:8]), ("val", NAMES[8:10]), ("test", NAMES[10:])):
        (root / "ImageSets" / "Main" / f"{part}.txt").write_text("\n".join(names))
    return root


def image(root: Path, name: str) -> Path:
    return root / "JPEGImages" / f"{name}.png"


def add(*more: str) -> Callable[[Path], None]:
    return lambda root: annotate(root, "03", *more)


def mistype(root: Path) -> None:
    """One of many: the class occurs once."""
    annotate(root, "03", voc_object(name="dsik", corners=(5, 60, 30, 90)))
    for name in NAMES:
        if name != "03":
            many = [voc_object(corners=(1 + 4 * i, 60, 30 + 4 * i, 95)) for i in range(12)]
            annotate(root, name, *many)


def exif(root: Path) -> None:
    tag = Image.Exif()
    tag[0x0112] = 6
    draw(3).save(image(root, "03"), exif=tag)


def scaled(root: Path) -> None:
    """In the training part there is a smaller copy of a test image."""
    draw(10).resize((64, 48), Image.Resampling.BOX).save(image(root, "02"))
    annotate(root, "02", size=(48, 64))
    small = [voc_object(corners=(11, 8, 30, 27)), voc_object(name="box", corners=(36, 16, 55, 40))]
    (root / "Annotations" / "02.xml").write_text(voc_xml(small, "02.png", size=(48, 64)))


def rare(root: Path) -> None:
    for name in NAMES:
        many = [voc_object(corners=(1 + 3 * i, 1 + 2 * i, 30 + 3 * i, 25 + 2 * i)) for i in range(25)]
        (root / "Annotations" / f"{name}.xml").write_text(voc_xml(many, f"{name}.png", SIZE))
    for name in (*NAMES[:4], NAMES[8], NAMES[10]):
        annotate(root, name)


def tiny(root: Path) -> None:
    for name in NAMES:
        annotate(root, name, voc_object(corners=(5, 60, 5, 61)), voc_object(corners=(9, 60, 9.5, 90)))


def listed(root: Path) -> None:
    """The class is not on the data's own list."""
    (root / "classes.txt").write_text("disk\nbox\n")
    annotate(root, "03", voc_object("cone", (5, 70, 40, 90)))


PLANTED: list[tuple[str, Callable[[Path], object]]] = [
    ("zero_area", add(voc_object(corners=(20, 70, 20, 90)))),
    ("reversed", add(voc_object(corners=(60, 70, 20, 90)))),
    ("not_finite", add(voc_object(corners=("nan", 70, 20, 90)))),
    ("malformed", add(voc_object(corners=("x", 70, 20, 90)))),
    ("no_class", add(voc_object(name=None, corners=(5, 70, 40, 90)))),
    ("outside", add(voc_object(corners=(205, 70, 240, 90)))),
    ("partly_outside", add(voc_object(corners=(105, 70, 140, 90)))),
    ("off_by_one", add(voc_object(corners=(0, 70, 40, 90)))),
    ("normalized", add(voc_object(corners=(0.1, 0.2, 0.4, 0.5)))),
    ("duplicate_box", add(voc_object(corners=(21, 16, 60, 55)))),
    ("two_classes", add(voc_object(name="box", corners=(21, 16, 60, 55)))),
    ("doubled_box", add(voc_object(corners=(22, 17, 61, 56)))),
    ("long_box", add(voc_object(corners=(5, 90, 125, 93)))),
    ("whole_image", add(voc_object(corners=(1, 1, 128, 96)))),
    ("rare_class", mistype),
    ("similar_classes", add(voc_object(name="Disk", corners=(5, 60, 30, 90)))),
    ("missing_image", lambda root: image(root, "03").unlink()),
    ("unannotated", lambda root: (root / "Annotations" / "03.xml").unlink()),
    ("unreadable_image", lambda root: image(root, "03").write_bytes(image(root, "03").read_bytes()[:3000])),
    ("unreadable_annotation", lambda root: (root / "Annotations" / "13.xml").write_text("<annotation><object>")),
    ("hostile_annotation", lambda root: (root / "Annotations" / "13.xml").write_text("<!DOCTYPE a><annotation/>")),
    ("path_escape", lambda root: annotate(root, "03", filename="../../../etc/passwd")),
    ("size_mismatch", lambda root: annotate(root, "03", size=(480, 640))),
    ("exif_rotation", exif),
    ("duplicate_image", lambda root: shutil.copy(image(root, "02"), image(root, "03"))),
    ("duplicate_across", lambda root: shutil.copy(image(root, "10"), image(root, "03"))),
    ("near_copy_across", scaled),
    ("imbalance", rare),
    ("small_objects", tiny),
    ("blank_image", lambda root: Image.new("RGB", SIZE[::-1], "gray").save(image(root, "03"))),
    ("empty_class", lambda root: (root / "classes.txt").write_text("disk\nbox\ncone\n")),
    ("unknown_class", listed),
]  # fmt: skip
WITH_THEM = {"exif_rotation": {"size_mismatch"}, "long_box": {"small_objects"}}


def found(report: DataReport) -> set[str]:
    return {finding.kind for finding in (*report.of("error"), *report.of("warning"))}


def check(root: Path, **fields) -> DataReport:
    return check_data(source_of(str(root)), str(root), size=SIZE, strides=(8,), **fields)


def test_nothing_is_found_in_sound_data(sound: Path):
    report = check(sound)
    assert not found(report) and report.lines()[-1] == "Nothing is wrong."


@pytest.mark.parametrize("kind, plant", PLANTED, ids=[kind for kind, _ in PLANTED])
def test_a_planted_fault_is_found(sound: Path, tmp_path: Path, kind: str, plant: Callable[[Path], object]):
    root = Path(shutil.copytree(sound, tmp_path / "data"))
    plant(root)
    report = check(root)
    assert kind in found(report)
    if kind not in ("imbalance", "small_objects", "unknown_class"):
        assert found(report) <= {kind, *WITH_THEM.get(kind, ())}
        (finding,) = [each for each in report.findings if each.kind == kind]
        assert finding.times == 1
        told = " ".join(" ".join((one.name, *one.others)) for one in finding.suspects)
        assert any(mark in told for mark in ("03", "13", "02", "cone", "Disk"))
    assert any(line.startswith(("error", "warning")) and kind in line for line in report.lines())
    assert kind in data_page(report)


def test_there_are_twenty_and_more():
    assert len({kind for kind, _ in PLANTED}) >= 20


def test_all_faults_at_once_are_all_found(sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Those of a box in one image, and those of images in others."""
    root = Path(shutil.copytree(sound, tmp_path / "data"))
    boxes = [voc_object(corners=corners) for corners in (
        (20, 70, 20, 90), (60, 70, 20, 90), ("nan", 70, 20, 90), ("x", 70, 20, 90), (205, 70, 240, 90), (105, 70, 140, 90),
        (0, 70, 40, 90), (0.1, 0.2, 0.4, 0.5), (21, 16, 60, 55), (22, 17, 61, 56),
    )]  # fmt: skip
    annotate(root, "03", *boxes, voc_object(name=None, corners=(5, 70, 40, 90)), voc_object("box", (21, 16, 60, 55)))
    annotate(root, "04", filename="/etc/passwd")
    annotate(root, "05", size=(480, 640))
    image(root, "06").write_bytes(b"no image")
    (root / "Annotations" / "07.xml").write_text("<!DOCTYPE a><annotation/>")
    (root / "Annotations" / "09.xml").unlink()
    (root / "Annotations" / "13.xml").write_text("<annotation>")
    (root / "Annotations" / "14.xml").write_text(voc_xml(objects(0), "14.png", SIZE))
    shutil.copy(image(root, "01"), image(root, "02"))
    shutil.copy(image(root, "10"), image(root, "00"))
    expected = {
        "zero_area", "reversed", "not_finite", "malformed", "outside", "partly_outside", "off_by_one", "normalized",
        "duplicate_box", "doubled_box", "no_class", "two_classes", "path_escape", "size_mismatch", "unreadable_image",
        "hostile_annotation", "unannotated", "unreadable_annotation", "missing_image", "duplicate_image", "duplicate_across",
    }  # fmt: skip
    assert found(check(root)) == expected
    page = tmp_path / "check.html"
    line = ["data", "check", str(root), "--size", "96", "128", "--strides", "8", "--json", "--out", str(page)]
    assert run(line) == 1
    told = json.loads(capsys.readouterr().out)
    assert {finding["kind"] for finding in told["findings"] if finding["level"] != "note"} == expected
    assert told["errors"] >= 15 and all(finding["advice"].endswith(".") for finding in told["findings"])
    text = page.read_text()
    assert all(f'id="{kind}"' in text for kind in expected)
    assert not re.search(r'(src|href)="(?!data:|#)', text)


def test_the_exit_code_is_for_machines(sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    usual = ["data", "check", str(sound), "--size", "96", "128", "--strides", "8"]
    assert run(usual) == 0 and "Nothing is wrong." in capsys.readouterr().out
    root = Path(shutil.copytree(sound, tmp_path / "data"))
    usual[2] = str(root)
    add(voc_object(corners=(0, 70, 40, 90)))(root)
    assert run(usual) == 0 and run([*usual, "--fail-on", "warning"]) == 1
    add(voc_object(corners=(20, 70, 20, 90)))(root)
    assert run(usual) == 1 and run([*usual, "--fail-on", "never"]) == 0
    assert "A page with the suspects as images: add --out" in capsys.readouterr().out
    assert run([*usual, "--classes", "disk"]) == 1
    assert "unknown_class" in capsys.readouterr().out


@pytest.mark.parametrize(
    "line, says",
    [
        (["data", "repair", "x"], "one can check data"),
        (["data", "check", "no/such/folder"], "does not exist"),
        (["data", "check", "x", "--out", "page.pdf"], "ends in .html"),
        (["data", "check", "x", "--anchors", "10-13"], "such as 10x13@8"),
        (["data", "check", "recognition/quickstart"], "no data of files"),
    ],
)
def test_a_line_that_cannot_be_done_is_told(line: list[str], says: str, capsys: pytest.CaptureFixture[str]):
    assert run(line) == 2 and says in capsys.readouterr().err


def test_the_fields_of_a_config_are_flags(sound: Path, capsys: pytest.CaptureFixture[str]):
    """The path of its data above all, which is an environment variable's in those that come with Likeness."""
    line = ["data", "check", "detection/folder_scratch", "--experiment.data.path", str(sound), "--size", "96", "128"]
    assert run([*line, "--strides", "8"]) == 0
    assert "12 images" in capsys.readouterr().out


def test_a_folder_of_several_formats_is_read_in_the_one_that_is_named(sound: Path, tmp_path: Path, capsys):
    root = Path(shutil.copytree(sound, tmp_path / "data"))
    for path in (root / "Annotations").glob("*.xml"):
        (image(root, path.stem).parent / f"{path.stem}.txt").write_text("0 .5 .5 .2 .2")
    assert run(["data", "check", str(root)]) == 2 and "several formats" in capsys.readouterr().err
    assert run(["data", "check", str(root), "--format", "voc", "--fail-on", "never"]) == 0


def test_data_without_any_object_are_an_error(sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    root = Path(shutil.copytree(sound, tmp_path / "data"))
    for path in (root / "Annotations").glob("*.xml"):
        path.write_text(voc_xml([], f"{path.stem}.png", SIZE))
    assert run(["data", "check", str(root)]) == 1 and "no_objects" in capsys.readouterr().out


def test_a_box_that_reaches_far_is_said_in_few_digits(sound: Path, tmp_path: Path):
    root = Path(shutil.copytree(sound, tmp_path / "data"))
    add(voc_object(corners=(20, 70, 1e308, 1e308)))(root)
    (finding,) = [each for each in check(root).findings if each.kind == "partly_outside"]
    assert "by 1e+308 pixels" in finding.suspects[0].text


def test_anchors_that_fit_few_boxes_are_told(sound: Path):
    good = AnchorPyramid(levels=(AnchorGrid(shapes=((40.0, 40.0), (40.0, 50.0)), stride=8),))
    poor = AnchorPyramid(levels=(AnchorGrid(shapes=((8.0, 8.0),), stride=8),))
    assert "anchor_recall" not in found(check(sound, anchors=good))
    assert "anchor_recall" in found(check(sound, anchors=poor))
    assert any("100.0%" in finding.says for finding in check(sound, anchors=good).of("note"))


def test_a_class_that_only_the_test_shows_is_told(sound: Path, tmp_path: Path):
    root = Path(shutil.copytree(sound, tmp_path / "data"))
    annotate(root, "10", voc_object(name="cone", corners=(5, 60, 30, 90)))
    annotate(root, "11", *[voc_object(name="cone", corners=(5 + 9 * i, 60, 30 + 9 * i, 90)) for i in range(4)])
    report = check(root)
    assert found(report) == {"unlearned_class"}
    assert "cone (in test)" in "\n".join(report.lines())


def test_faults_of_coco_and_yolo_are_found(tmp_path: Path):
    images = [{"id": i, "file_name": f"{i}.png", "height": 48, "width": 64} for i in (1, 2)]
    boxes = [coco_box(), coco_box((30, 5, 20, 20), id=1, image_id=2), coco_box(id=3, image_id=9), coco_box(id=4, category_id=8)]
    write_coco(tmp_path / "coco", coco_json([*boxes, coco_box((1, 1, 9, 9), id=5, category_id=3)], images))
    assert found(check(tmp_path / "coco")) == {"duplicate_id", "orphan", "unknown_class"}
    (tmp_path / "yolo").mkdir()
    for name, lines in (
        ("a", "0 .3 .3 .4 .4\n"),
        ("b", "0 30 30 20 20\n"),
        ("c", "0 nan .3 .2 .2\n"),
        ("d", "3 .3 .3 .4 .4\n"),
    ):
        draw(ord(name)).save(tmp_path / "yolo" / f"{name}.png")
        (tmp_path / "yolo" / f"{name}.txt").write_text(lines)
    (tmp_path / "yolo" / "classes.txt").write_text("disk\n")
    assert found(check(tmp_path / "yolo")) == {"pixel_units", "not_finite", "unknown_class"}


def test_a_refusing_source_is_told_all_the_same(sound: Path, tmp_path: Path):
    root = Path(shutil.copytree(sound, tmp_path / "data"))
    add(voc_object(corners=(20, 70, 20, 90)))(root)
    strict = DetectionFolder(str(root), on_problem="refuse")
    with pytest.raises(UserError):
        strict.open()
    assert found(check_data(strict, "mine", SIZE, (8,))) == {"zero_area"}


@pytest.mark.slow
@pytest.mark.data
def test_bccd_has_its_two_known_boxes_and_what_one_sees(real_data: Path):
    """Seen by eye: seven cells have two boxes, two pixels apart, and images 37 and 38 show one field of view."""
    report = check_data(DetectionFolder("$LIKENESS_DATA/BCCD"), "BCCD")
    assert {finding.kind: finding.times for finding in report.of("error")} == {"zero_area": 2}
    assert {finding.kind: finding.times for finding in report.of("warning")} == {"doubled_box": 7, "near_copy_across": 1}
    doubled = next(finding for finding in report.findings if finding.kind == "doubled_box")
    for suspect in doubled.suspects:
        first, second = (np.array(box) for box in suspect.boxes)
        np.testing.assert_allclose(np.abs(first - second), 2)


@pytest.mark.slow
@pytest.mark.data
def test_the_playing_cards_are_sound(real_data: Path):
    report = check_data(DetectionFolder("$LIKENESS_DATA/playing_cards"), "cards")
    assert not report.of("error") and not report.of("warning")
