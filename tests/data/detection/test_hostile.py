"""Annotations that somebody made to do harm: no entity is expanded, no other file is read, and nothing takes long or much."""

import io
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest
from annotated import coco_box, coco_json, voc_object, voc_xml, write_coco, write_image, write_voc, write_yolo

from likeness.research.data.detection import DetectionFolder
from likeness.research.data.detection.json_arrays import UnreadableJson, read_json_arrays
from likeness.research.data.detection.safe_xml import HostileXml, UnreadableXml, parse_xml
from likeness.research.errors import UserError

LAUGHS = "".join(f'<!ENTITY l{i} "{"".join(f"&l{i - 1};" for _ in range(10))}">' for i in range(1, 10))
BOMB = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]>'
QUADRATIC = f'<!DOCTYPE a [<!ENTITY q "{"x" * 50_000}">]>'
EXTERNAL = '<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/hostname">]>'
PARAMETER = '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x.dtd"> %p;]>'
TYPE = '<!DOCTYPE annotation SYSTEM "http://127.0.0.1:9/voc.dtd">'


@pytest.mark.parametrize(
    "head", [BOMB, QUADRATIC, EXTERNAL, PARAMETER, TYPE], ids=["bomb", "quadratic", "file", "parameter", "dtd"]
)
@pytest.mark.parametrize("entity", ["&l9;", "&q;" * 2000, "&f;", ""])
def test_xml_that_declares_anything_is_refused_and_nothing_is_read(tmp_path: Path, head: str, entity: str):
    write_voc(tmp_path, {"a": [voc_object()], "b": [voc_object()]})
    text = voc_xml([voc_object(name=f"disk{entity}")], "b.png", head=head)
    (tmp_path / "Annotations" / "b.xml").write_text(text)
    start = time.process_time()
    with pytest.raises(HostileXml):
        parse_xml(text.encode())
    assert time.process_time() - start < 1
    examples = DetectionFolder(str(tmp_path)).open()
    assert examples.problem_counts()["hostile_annotation"] == 1 and examples.class_names == ("disk",)
    with pytest.raises(UserError, match="hostile_annotation"):
        DetectionFolder(str(tmp_path), refuse=("hostile_annotation",)).open()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\0" * 100,
        b"<a>&undeclared;</a>",
        b"<a><b></a>",
        b"<a/><b/>",
        b"<a " + b'x="1" ' * 10 + b"/>",
        b"<a>" * 10_000,
        b"<a>" + b"<b/>" * 200_000 + b"</a>",
        b"<a>" + b"x" * (17 << 20) + b"</a>",
        b'<?xml version="1.0" encoding="no-such"?><a/>',
        b'<?xml version="1.0" encoding="euc-jp"?><a>\xa4\xa2</a>',
        "<a>\ud800</a>".encode("utf-8", "surrogatepass"),
    ],
    ids=range(12),
)
def test_xml_that_is_none_is_said_to_be(text: bytes):
    start = time.process_time()
    with pytest.raises(UnreadableXml):
        parse_xml(text)
    assert time.process_time() - start < 5


def test_xml_in_other_encodings_is_read():
    for encoding in ("utf-8", "utf-16", "iso-8859-1", "utf-8-sig"):
        head = "" if encoding == "utf-8-sig" else f'<?xml version="1.0" encoding="{encoding}"?>'
        assert parse_xml(f"{head}<a><b> é </b></a>".encode(encoding)).value("b") == "é"


def test_what_xml_says_is_read_as_it_stands():
    root = parse_xml(b"<a><!-- no --><b>1<c/>2</b><![CDATA[<x>]]><b>3</b><?php 1 ?></a>")
    assert root.value("b") == "12" and [b.text for b in root.all("b")] == ["12", "3"] and root.text == "<x>"
    assert root.value("b", "d") is None and root.find("x") is None


@pytest.mark.parametrize(
    "named", ["../../secret.png", "/etc/passwd", "C:\\\\secret.png", "..\\\\..\\\\secret.png", "secret/../../../secret.png"]
)
def test_a_path_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path, named: str):
    write_image(tmp_path / "secret.png", 7)
    root = tmp_path / "data" / "inner"
    write_voc(root, {"a": [voc_object()]})
    (root / "Annotations" / "lost.xml").write_text(voc_xml([voc_object()], named))
    examples = DetectionFolder(str(root)).open()
    assert examples.names == ("JPEGImages/a.png",)
    assert examples.problem_counts() == {"path_escape": 1, "missing_image": 1}
    images = [{"id": 1, "file_name": named.replace("\\\\", "\\"), "height": 48, "width": 64}]
    images.append({"id": 2, "file_name": "a.png", "height": 48, "width": 64})
    write_image(tmp_path / "coco" / "images" / "a.png")
    (tmp_path / "coco" / "labels.json").write_text(json.dumps(coco_json([coco_box(), coco_box(image_id=2, id=2)], images)))
    examples = DetectionFolder(str(tmp_path / "coco")).open()
    assert examples.names == ("images/a.png",)
    assert examples.problem_counts() == {"path_escape": 1, "missing_image": 1}


def test_a_path_with_dots_that_stays_inside_is_followed(tmp_path: Path):
    write_voc(tmp_path, {"a": [voc_object()]})
    (tmp_path / "Annotations" / "a.xml").rename(tmp_path / "Annotations" / "other.xml")
    (tmp_path / "Annotations" / "other.xml").write_text(voc_xml([voc_object()], "../JPEGImages/a.png"))
    examples = DetectionFolder(str(tmp_path)).open()
    assert examples.names == ("JPEGImages/a.png",) and not examples.problems


def test_pipes_and_loops_of_links_are_passed_by(tmp_path: Path):
    write_voc(tmp_path, {"a": [voc_object()]})
    os.mkfifo(tmp_path / "Annotations" / "pipe.xml")
    os.mkfifo(tmp_path / "JPEGImages" / "pipe.png")
    (tmp_path / "JPEGImages" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "Annotations" / "itself.xml").symlink_to(tmp_path / "Annotations" / "itself.xml")
    examples = DetectionFolder(str(tmp_path), unannotated="background").open()
    assert examples.names == ("JPEGImages/a.png",)
    assert examples.problem_counts() == {"unreadable_annotation": 1}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"images": [',
        '{"images": [{"id": 1}',
        '{"images": [{"id": 1} {"id": 2}]}',
        '{"images" []}',
        '{"images": {}, "annotations": [], "categories": []}',
        '{"images": [], "annotations": [], "categories": [' + "[" * 100_000,
        '{"images": [{"id": ' + "9" * 10_000 + "}]}",
        "{1: []}",
        '{"images": [],, "annotations": []}',
        "\ufeff",
    ],
    ids=range(13),
)
def test_json_that_is_none_is_said_to_be(tmp_path: Path, text: str):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(UnreadableJson):
        read_json_arrays(path, dict.fromkeys(("images", "annotations", "categories"), lambda entry: None), 1.0)
    with pytest.raises(UserError, match=r"x\.json"):
        DetectionFolder(str(path)).open()


def test_json_is_read_as_json_does(tmp_path: Path):
    content = coco_json([coco_box(segmentation=[[1, 2, 3]], text='"]}{[,\\é')] * 3)
    content = {"licenses": [{"a": [1, [2]]}], **content, "extra": {"images": [1]}, "last": "x"}
    for text in (json.dumps(content), json.dumps(content, indent=2), json.dumps(content, ensure_ascii=False)):
        path = tmp_path / "x.json"
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())
        found: dict[str, list] = {"images": [], "annotations": [], "categories": [], "nothing": []}
        there = read_json_arrays(path, {key: entries.append for key, entries in found.items()}, 1.0)
        assert there == {"images": True, "annotations": True, "categories": True, "nothing": False}
        assert all(found[key] == content[key] for key in ("images", "annotations", "categories"))


def test_a_json_file_beyond_the_limit_is_refused_before_it_is_read(tmp_path: Path):
    path = tmp_path / "x.json"
    path.write_text("{}")
    os.truncate(path, 3_000_000_000)
    start = time.process_time()
    with pytest.raises(UserError, match=r"3,000 MB, and at most 1,024"):
        DetectionFolder(str(path)).open()
    assert time.process_time() - start < 1


@pytest.mark.slow
def test_json_of_100_megabytes_is_read_entry_by_entry(tmp_path: Path):
    """In a process of its own, whose memory is measured; json.load would hold all segments as Python's numbers."""
    image = {"id": 1, "file_name": "a.png", "height": 48, "width": 64}
    box = json.dumps({**coco_box(), "segmentation": [[float(i) for i in range(60)]]})
    text = io.StringIO()
    text.write(f'{{"images": [{json.dumps(image)}], "categories": [{{"id": 1, "name": "disk"}}], "annotations": [')
    text.write(",".join([box] * (100_000_000 // len(box))))
    text.write("]}")
    write_image(tmp_path / "images" / "a.png")
    (tmp_path / "x.json").write_text(text.getvalue())
    assert (tmp_path / "x.json").stat().st_size > 99_000_000
    code = f"""
import resource
from likeness.research.data.detection.source import DetectionFolder
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
files, annotations = DetectionFolder({str(tmp_path)!r}).read()
print(len(annotations.images[0].boxes), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    start = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    boxes, kilobytes = map(int, done.stdout.split())
    assert boxes == 100_000_000 // len(box)
    assert kilobytes < 700_000
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - start < 60


@pytest.mark.parametrize("lines", ["0 nan nan nan nan", "0 1e999 .5 .5 .5", "nan .5 .5 .5 .5", "0 " + "9" * 5000 + " .5 .5 .5"])
def test_yolo_text_with_nan_gives_no_box(tmp_path: Path, lines: str):
    write_yolo(tmp_path, {"a": f"0 .5 .5 .2 .2\n{lines}\n"})
    examples = DetectionFolder(str(tmp_path)).open()
    assert len(examples.boxes) == 1 and sum(examples.problem_counts().values()) == 1


def test_yolo_text_that_is_no_text_or_endless_is_said_to_be(tmp_path: Path):
    write_yolo(tmp_path, {"a": "0 .5 .5 .2 .2\n", "b": "", "c": "0 .5 .5 .2 .2\n" * 100_001})
    (tmp_path / "labels" / "b.txt").write_bytes(bytes(range(256)))
    examples = DetectionFolder(str(tmp_path)).open()
    assert examples.problem_counts() == {"unreadable_annotation": 2} and len(examples) == 1


def test_yaml_that_grows_or_runs_is_no_list_of_names(tmp_path: Path):
    write_yolo(tmp_path, {"a": "0 .5 .5 .2 .2\n"}, names=None)
    for text in (
        "a: &a [x, x]\nb: &b [*a, *a]\nnames: [*b, *b]\n",
        "names: !!python/object/apply:os.system ['true']\n",
        "names: {0: a, 99999999999: b}\n",
        "names: [" * 5000,
    ):
        (tmp_path / "data.yaml").write_text(text)
        assert DetectionFolder(str(tmp_path)).open().class_names == ("0",)


def test_a_coco_folder_is_hostile_only_where_it_is(tmp_path: Path):
    write_coco(tmp_path, coco_json([coco_box()]))
    assert not DetectionFolder(str(tmp_path)).open().problems
