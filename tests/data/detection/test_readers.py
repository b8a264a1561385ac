"""VOC, COCO and YOLO become the same boxes, however they are written and wherever the files lie."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from annotated import SIZE, coco_box, coco_json, voc_object, voc_xml, write_coco, write_image, write_voc, write_yolo

from likeness.research.data.detection import KINDS, DetectionFolder, OfficialParts
from likeness.research.errors import UserError

HEIGHT, WIDTH = SIZE


def test_three_formats_say_the_same(tmp_path: Path):
    """VOC counts pixels from 1 and includes the last; COCO and YOLO are continuous."""
    write_voc(tmp_path / "voc", {"a": [voc_object(corners=(11, 13, 30, 40)), voc_object(name="box", corners=(1, 1, 64, 48))]})
    write_coco(tmp_path / "coco", coco_json([coco_box(), coco_box((0, 0, 64, 48), id=2, category_id=3)]))
    write_yolo(tmp_path / "yolo", {"a": f"0 {20 / 64} {26 / 48} {20 / 64} {28 / 48}\n1 .5 .5 1 1\n"})
    tables = [DetectionFolder(str(tmp_path / name)).open() for name in ("voc", "coco", "yolo")]
    for table in tables:
        assert not table.problems
        by_name = {table.class_names[label]: box.tolist() for label, box in zip(table.classes, table.boxes, strict=True)}
        np.testing.assert_allclose(by_name["disk"], [10, 12, 30, 40], atol=1e-5)
        np.testing.assert_allclose(by_name["box"], [0, 0, WIDTH, HEIGHT], atol=1e-5)
        assert table.read(0).shape == (HEIGHT, WIDTH, 3) and table.sizes.tolist() == [[HEIGHT, WIDTH]]


def test_voc_counts_from_1_and_a_zero_is_named(tmp_path: Path):
    """maskrcnn-benchmark#210: xmin 0 less 1 is -1. VoTT#923: a tool that writes 0 to 640 counts continuously."""
    corners = [(0, 0, WIDTH, HEIGHT), (1, 1, WIDTH, HEIGHT), (10, 20, 30, 40)]
    write_voc(tmp_path, {"a": [voc_object(corners=box) for box in corners[:1]], "b": [voc_object(corners=corners[1])]})
    write_image(tmp_path / "JPEGImages" / "c.png", 5)
    (tmp_path / "Annotations" / "c.xml").write_text(voc_xml([voc_object(corners=corners[2])], "c.png"))
    inclusive = DetectionFolder(str(tmp_path)).open()
    assert inclusive.boxes.tolist() == [[0, 0, WIDTH, HEIGHT], [0, 0, WIDTH, HEIGHT], [9, 19, 30, 40]]
    assert inclusive.problem_counts() == {"off_by_one": 1}
    assert 'voc_pixels="continuous"' in KINDS["off_by_one"].advice
    continuous = DetectionFolder(str(tmp_path), voc_pixels="continuous").open()
    assert continuous.boxes.tolist() == [[0, 0, WIDTH, HEIGHT], [1, 1, WIDTH, HEIGHT], [10, 20, 30, 40]]
    assert not continuous.problems


@pytest.mark.parametrize("number", ["48.5", "48.500000763", " 48.5\n", "4.85e1", "+48.5"])
def test_voc_may_hold_fractions(tmp_path: Path, number: str):
    """supervision#2568: VOC `48.5`. voc2coco#5: ymin of VOC2012's 2011_003353 is a fraction."""
    write_voc(tmp_path, {"a": [voc_object(corners=(10, 12, number, 40))]})
    examples = DetectionFolder(str(tmp_path)).open()
    np.testing.assert_allclose(examples.boxes, [[9, 11, 48.5, 40]], atol=1e-5)
    assert not examples.problems


def test_voc_flags_and_nested_parts(tmp_path: Path):
    hand = "<part><name>hand</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>3</ymax></bndbox></part>"
    objects = [
        voc_object(extra=f"<difficult>1</difficult>{hand}"),
        voc_object(corners=(1, 1, 9, 9), extra="<difficult>0</difficult>"),
    ]
    write_voc(tmp_path, {"a": objects})
    examples = DetectionFolder(str(tmp_path)).open()
    assert examples.difficult is not None and examples.difficult.tolist() == [True, False]
    assert examples.ignored.tolist() == [True, False]
    assert examples.boxes.tolist() == [[9, 11, 30, 40], [0, 0, 9, 9]]


def test_voc_beside_its_images_and_after_they_were_renamed(tmp_path: Path):
    """What <filename> and <path> say is what the files were once called."""
    for part, name in (("train", "one"), ("test", "two")):
        write_image(tmp_path / part / f"{name}.png", len(name) + len(part))
        (tmp_path / part / f"{name}.xml").write_text(voc_xml([voc_object()], "IMG_0001.jpg"))
    examples = DetectionFolder(str(tmp_path)).open()
    assert examples.names == ("test/two.png", "train/one.png") and examples.parts == ("test", "train")
    assert not examples.problems


def test_voc_finds_an_image_by_the_name_that_the_annotation_gives(tmp_path: Path):
    write_voc(tmp_path, {"a": [voc_object()]})
    (tmp_path / "Annotations" / "a.xml").rename(tmp_path / "Annotations" / "0001.xml")
    examples = DetectionFolder(str(tmp_path)).open()
    assert examples.names == ("JPEGImages/a.png",) and not examples.problems


def test_voc_image_sets_are_the_parts(tmp_path: Path):
    names = {name: [voc_object()] for name in "abcdef"}
    write_voc(
        tmp_path,
        names,
        {"train": ["a", "b"], "val": ["c"], "trainval": ["a", "b", "c"], "test": ["d", "e"], "disk_train": ["f"]},
    )
    examples = DetectionFolder(str(tmp_path)).open()
    assert examples.parts == ("train", "train", "validation", "test", "test", "")
    assert [len(part) for part in OfficialParts()(examples)] == [2, 1, 2]
    shutil.rmtree(tmp_path / "ImageSets")
    write_voc(tmp_path, names, {"trainval": ["a -1", "b 1", "c  1"], "test": ["d"]})
    assert DetectionFolder(str(tmp_path)).open().parts == ("train", "train", "train", "test", "", "")


def test_two_years_of_voc_have_lists_of_their_own(tmp_path: Path):
    for year, part in (("VOC2007", "train"), ("VOC2012", "val")):
        write_voc(tmp_path / year, {"000001": [voc_object()]}, {part: ["000001"]})
    write_image(tmp_path / "VOC2012" / "JPEGImages" / "000001.png", 3)
    examples = DetectionFolder(str(tmp_path)).open()
    assert dict(zip(examples.names, examples.parts, strict=True)) == {
        "VOC2007/JPEGImages/000001.png": "train",
        "VOC2012/JPEGImages/000001.png": "validation",
    }


def test_coco_numbers_may_have_holes_and_begin_at_0(tmp_path: Path):
    """detectron2#1731 and #5097: category ids with holes. cocoapi#672: annotation id 0. Ids of images are kept."""
    categories = [{"id": 90, "name": "zebra"}, {"id": 0, "name": "ant"}, {"id": 7, "name": "mole"}]
    images = [{"id": number, "file_name": f"{number}.png", "height": HEIGHT, "width": WIDTH} for number in (139, 0)]
    boxes = [coco_box(id=0, image_id=0, category_id=90), coco_box(id=5, image_id=139, category_id=0)]
    write_coco(tmp_path, coco_json(boxes, images, categories))
    examples = DetectionFolder(str(tmp_path)).open()
    assert examples.class_names == ("ant", "mole", "zebra") and examples.category_ids == (0, 7, 90)
    assert examples.image_numbers.tolist() == [0, 139] and examples.classes.tolist() == [2, 0]
    assert examples.names == ("images/0.png", "images/139.png") and not examples.problems
    assert examples.areas is not None and examples.areas.tolist() == [100.5, 100.5]


def test_coco_crowds_are_flagged_and_not_taken_for_class_0(tmp_path: Path):
    """yolov3#714."""
    crowd = coco_box((1, 1, 50, 40), id=2, iscrowd=1, category_id=3, segmentation={"counts": [1], "size": [48, 64]})
    write_coco(tmp_path, coco_json([coco_box(), crowd]))
    examples = DetectionFolder(str(tmp_path)).open()
    assert examples.crowd is not None and examples.crowd.tolist() == [False, True]
    assert examples.classes.tolist() == [0, 1] and examples.ignored.tolist() == [False, True]


@pytest.mark.parametrize("images", ["", "images", "val2017", "images/val2017"])
def test_coco_images_are_found_where_they_usually_lie(tmp_path: Path, images: str):
    write_coco(tmp_path, coco_json([coco_box()]), "annotations/instances_val2017.json", images or "annotations")
    (tmp_path / "annotations" / "captions_val2017.json").write_text(json.dumps({**coco_json([]), "categories": []}))
    examples = DetectionFolder(str(tmp_path)).open()
    assert len(examples) == 1 and examples.parts == ("validation",) and not examples.problems


@pytest.mark.parametrize("name", ["a0_jpg.rf.1f{}", "my photo {}", "Zoë 2024.05.0{}", "run -{}"])
@pytest.mark.parametrize("ending", ["", ".png"])
def test_voc_image_sets_name_images_with_dots_and_spaces(tmp_path: Path, name: str, ending: str):
    """What is behind a dot is no ending, as in the names that Roboflow gives, and what is behind a space no second column."""
    names = [name.format(number) for number in range(3)]
    lists = {part: [one + ending] for part, one in zip(("train", "val", "test"), names, strict=True)}
    write_voc(tmp_path, {one: [voc_object()] for one in names}, lists)
    assert DetectionFolder(str(tmp_path)).open().parts == ("train", "validation", "test")


def test_voc_lists_with_a_second_column(tmp_path: Path):
    write_voc(tmp_path, {"a": [voc_object()], "b": [voc_object()]}, {"train": ["a  1"], "val": ["b -1"]})
    assert DetectionFolder(str(tmp_path)).open().parts == ("train", "validation")


def test_voc_in_utf_16(tmp_path: Path):
    write_voc(tmp_path, {"a": [voc_object()]})
    path = tmp_path / "Annotations" / "a.xml"
    path.write_bytes(path.read_text().encode("utf-16"))
    examples = DetectionFolder(str(tmp_path)).open()
    assert len(examples.boxes) == 1 and not examples.problems


def test_coco_objects_that_have_outlines_only(tmp_path: Path):
    """The box is the one around them; what is no polygon is malformed."""
    outlines = [
        [[10, 12, 30, 12, 30, 40]],
        [[1, 1, 9, 1, 9, 9], [2, 2, 20, 3, 3, 30]],
        {"counts": "x", "size": [48, 64]},
        [[1, 2]],
        [],
    ]
    boxes = [{"id": i, "image_id": 1, "category_id": 1, "segmentation": each} for i, each in enumerate(outlines)]
    write_coco(tmp_path, coco_json([*boxes[1:], boxes[0] | {"bbox": []}]))
    examples = DetectionFolder(str(tmp_path)).open()
    assert examples.boxes.tolist() == [[1, 1, 20, 30], [10, 12, 30, 40]]
    assert examples.problem_counts() == {"malformed": 3}


def test_coco_numbers_have_64_bits(tmp_path: Path):
    """A hash of more bits is no number that an array holds."""
    rows = [{"id": number, "file_name": f"{i}.png"} for i, number in enumerate((-(2**63), 2**63 - 1, 2**63, 1e300, "5"))]
    boxes = [coco_box(id=i, image_id=row["id"], area=1) for i, row in enumerate(rows)]
    write_coco(tmp_path, coco_json(boxes, rows))
    examples = DetectionFolder(str(tmp_path)).open()
    assert examples.image_numbers.tolist() == [-(2**63), 5, 2**63 - 1] and len(examples.boxes) == 3
    assert examples.problem_counts() == {"orphan": 2, "missing_image": 2}


def test_coco_categories_without_a_name(tmp_path: Path):
    categories = [{"id": 1, "name": None}, {"id": 3}]
    write_coco(tmp_path, coco_json([coco_box(), coco_box(id=2, category_id=3)], categories=categories))
    assert DetectionFolder(str(tmp_path)).open().class_names == ("1", "3")


def test_yolo_names_that_are_listed_twice_are_one_class(tmp_path: Path):
    write_yolo(tmp_path, {"a": "0 .5 .5 .2 .2\n1 .3 .3 .2 .2\n2 .7 .7 .2 .2\n3 .5 .5 .1 .1"}, ("disk", "box", "disk"))
    examples = DetectionFolder(str(tmp_path)).open()
    assert examples.class_names == ("disk", "box") and sorted(examples.classes.tolist()) == [0, 0, 1]
    assert examples.problem_counts() == {"unknown_class": 1}
    assert "taken for one each: disk" in " ".join(examples.summary())


def test_coco_of_several_parts(tmp_path: Path):
    for number, part in enumerate(("train", "valid", "test")):
        write_coco(tmp_path / part, coco_json([coco_box()]), "_annotations.coco.json", ".")
        write_image(tmp_path / part / "a.png", number)
    examples = DetectionFolder(str(tmp_path)).open()
    assert sorted(examples.parts) == ["test", "train", "validation"] and len(set(examples.names)) == 3
    assert examples.image_ids is None


def test_two_coco_files_of_the_same_images_are_refused(tmp_path: Path):
    write_coco(tmp_path, coco_json([coco_box()]))
    write_coco(tmp_path, coco_json([]), "annotations/other.json")
    with pytest.raises(UserError, match=r"listed by annotations/instances\.json and by annotations/other\.json"):
        DetectionFolder(str(tmp_path)).open()


def test_yolo_beside_its_images_in_folders_and_with_outlines(tmp_path: Path):
    write_image(tmp_path / "data" / "a.png", 1)
    (tmp_path / "data" / "a.txt").write_text("0 .5 .5 .25 .5\r\n\r\n1 .25 .25 .75 .25 .75 .5 .5 .75\r\n", encoding="utf-8-sig")
    (tmp_path / "data" / "classes.txt").write_text("disk\nbox\n")
    examples = DetectionFolder(str(tmp_path)).open()
    np.testing.assert_allclose(examples.boxes, [[24, 12, 40, 36], [16, 12, 48, 36]], atol=1e-5)
    assert examples.class_names == ("disk", "box") and not examples.problems


def test_yolo_folders_of_parts_and_names_in_yaml(tmp_path: Path):
    for number, part in enumerate(("train", "valid", "test")):
        write_yolo(tmp_path / part, {f"a{number}": "2 .5 .5 .2 .2"}, None)
        write_image(tmp_path / part / "images" / f"a{number}.png", number)
    (tmp_path / "data.yaml").write_text("train: ../train/images\nnames:\n  0: mole\n  2: 'on'\n")
    examples = DetectionFolder(str(tmp_path)).open()
    assert examples.class_names == ("mole", "1", "on") and sorted(examples.parts) == ["test", "train", "validation"]
    shutil.rmtree(tmp_path / "valid")
    assert [len(part) for part in OfficialParts(validation=0.0)(DetectionFolder(str(tmp_path)).open())] == [1, 0, 1]


def test_darknet_lists_are_the_parts(tmp_path: Path):
    write_yolo(tmp_path, dict.fromkeys("abc", "0 .5 .5 .2 .2"))
    (tmp_path / "train.txt").write_text("/home/me/data/images/a.png\n./images/b.png\n")
    (tmp_path / "test.txt").write_text("images\\c.png\n")
    assert DetectionFolder(str(tmp_path)).open().parts == ("train", "train", "test")


def test_classes_of_a_config_come_in_its_order(tmp_path: Path):
    write_voc(tmp_path, {"a": [voc_object(), voc_object(name=" box ", corners=(1, 1, 9, 9))]})
    assert DetectionFolder(str(tmp_path)).open().class_names == ("box", "disk")
    assert DetectionFolder(str(tmp_path), classes=("disk", "box")).open().classes.tolist() == [0, 1]
    (tmp_path / "labels.txt").write_text("disk\nbox\ncone\n")
    assert DetectionFolder(str(tmp_path)).open().class_names == ("disk", "box", "cone")


@pytest.mark.parametrize("size", ["stored", "upright", "none"])
@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_boxes_of_an_image_that_exif_turns(tmp_path: Path, orientation: int, size: str):
    """fiftyone#3778 and Rectlabel#167: the annotated size tells of what image the boxes are."""
    box = (10, 5, 40, 20)
    write_image(tmp_path / "a.png", 0, SIZE, orientation, [box])
    said = {"stored": SIZE, "upright": SIZE[::-1], "none": None}[size]
    if orientation == 3 and size == "upright":
        said = SIZE
    (tmp_path / "a.xml").write_text(voc_xml([voc_object(corners=(11, 6, 40, 20))], size=said))
    examples = DetectionFolder(str(tmp_path)).open()
    pixels = examples.read(0)
    assert pixels.shape[:2] == tuple(examples.sizes[0]) == (SIZE[::-1] if orientation != 3 else SIZE)
    clear = orientation != 3 and size != "none"
    assert examples.problem_counts() == ({} if size == "upright" and clear else {"exif_rotation": 1})
    stored = DetectionFolder(str(tmp_path), exif="stored").open()
    for table in (stored, *([examples] if clear and size == "stored" else [])):
        left, top, right, bottom = table.boxes[0].astype(int)
        shown = np.zeros(pixels.shape[:2], bool)
        shown[top:bottom, left:right] = True
        np.testing.assert_array_equal((pixels == 255).all(axis=-1), shown)
    upright = DetectionFolder(str(tmp_path), exif="upright").open()
    assert upright.boxes.tolist() == [[10, 5, 40, 20]] and not upright.problems


def test_a_folder_is_told_by_its_content(tmp_path: Path):
    write_image(tmp_path / "none" / "a.png")
    (tmp_path / "none" / "a.txt").write_text("a picture of a disk")
    with pytest.raises(UserError, match=r"no annotations that are known: 1 images, 0 XML, 0 JSON and 1 text"):
        DetectionFolder(str(tmp_path / "none")).open()
    write_voc(tmp_path / "both", {"a": [voc_object()]})
    write_coco(tmp_path / "both", coco_json([coco_box()]))
    with pytest.raises(UserError, match="several formats, coco's .* and voc's"):
        DetectionFolder(str(tmp_path / "both")).open()
    assert len(DetectionFolder(str(tmp_path / "both"), format="voc").open()) == 1
    with pytest.raises(UserError, match="does not exist"):
        DetectionFolder(str(tmp_path / "nothing")).open()
    with pytest.raises(UserError, match="is no folder"):
        DetectionFolder(str(tmp_path / "none" / "a.png")).open()
    with pytest.raises(UserError, match="no JSON file"):
        DetectionFolder(str(tmp_path / "none"), format="coco").open()
    with pytest.raises(UserError, match="No image of .* can be used"):
        DetectionFolder(str(tmp_path / "none"), format="voc").open()


def test_images_are_read_when_needed_where_they_do_not_fit(tmp_path: Path):
    write_voc(tmp_path, {"a": [voc_object()], "b": [voc_object()]})
    kept, read = (DetectionFolder(str(tmp_path), cache_megabytes=size).open() for size in (1.0, 0.01))
    assert kept.in_memory and not read.in_memory and kept.fingerprint == read.fingerprint
    np.testing.assert_array_equal(kept.read(1), read.read(1))
    assert DetectionFolder(str(tmp_path), channels=1).open().read(0).shape == (HEIGHT, WIDTH, 1)


def test_the_fingerprint_is_that_of_the_content(tmp_path: Path):
    write_voc(tmp_path / "one", {"a": [voc_object()], "b": [voc_object()]})
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    one, two = (DetectionFolder(str(tmp_path / name)).open() for name in ("one", "two"))
    assert one.fingerprint == two.fingerprint != one.select([0]).fingerprint
    path = tmp_path / "two" / "Annotations" / "a.xml"
    path.write_text(path.read_text().replace("<xmin>10", "<xmin>11"))
    assert DetectionFolder(str(tmp_path / "two")).open().fingerprint != one.fingerprint


@pytest.mark.slow
@pytest.mark.data
def test_bccd_has_two_boxes_without_area_and_no_other_fault(real_data: Path):
    examples = DetectionFolder("$LIKENESS_DATA/BCCD").open()
    assert len(examples) == 364 and examples.class_names == ("Platelets", "RBC", "WBC")
    assert examples.counts().tolist() == [361, 4153, 372]
    assert [(problem.kind, problem.name, problem.index) for problem in examples.problems] == [
        ("zero_area", "JPEGImages/BloodImage_00338.jpg", 12),
        ("zero_area", "JPEGImages/BloodImage_00343.jpg", 3),
    ]
    assert [len(part) for part in OfficialParts()(examples)] == [205, 87, 72]
    with pytest.raises(UserError, match="zero_area 2 times"):
        DetectionFolder("$LIKENESS_DATA/BCCD", on_problem="refuse").open()


@pytest.mark.slow
@pytest.mark.data
def test_the_playing_cards_are_without_fault(real_data: Path):
    examples = DetectionFolder("$LIKENESS_DATA/playing_cards").open()
    assert len(examples.boxes) == 670 and not examples.problems
    assert examples.class_names == ("ace", "jack", "king", "nine", "queen", "ten")
    parts = OfficialParts(validation=0.15)(examples)
    assert len(parts.test) == 67 and len(parts.train) + len(parts.validation) == 296 and len(parts.validation) > 20


@pytest.mark.data
def test_the_coco_sample_is_read_but_for_its_pixels(real_data: Path):
    path = "$LIKENESS_DATA/coco_sample/instances_val2014_100.json"
    _, annotations = DetectionFolder(path).read()
    assert {problem.kind for problem in annotations.problems} == {"missing_image"} and len(annotations.problems) == 100
    assert len(annotations.classes) == 80 and len(annotations.category_ids) == 80
    with pytest.raises(UserError, match="No image of .* can be used; the first problem is"):
        DetectionFolder(path).open()
