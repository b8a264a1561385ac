"""Whatever bytes annotations are made of: what comes out is sound, or a sentence says why nothing does."""

import json
from pathlib import Path

import numpy as np
import pytest
from annotated import coco_box, coco_json, voc_object, voc_xml, write_image

from likeness.research.data.detection import DetectionFolder
from likeness.research.errors import UserError

VOC = voc_xml([voc_object(), voc_object(name="box", corners=(1, 1, 64, 48), extra="<difficult>1</difficult>")]).encode()
COCO = json.dumps(coco_json([coco_box(), coco_box(id=2, category_id=3, iscrowd=1)])).encode()
YOLO = b"0 0.5 0.5 0.25 0.25\n1 .25 .25 .75 .25 .75 .5\n"
PIECES = [
    b"",
    b"nan",
    b"-1",
    b"1e999",
    b"0",
    b"]",
    b"}",
    b"{",
    b"[",
    b'"',
    b"<",
    b">",
    b"&",
    b"\0",
    b"\xff",
    b" ",
    b"\n",
    b"null",
    b"9" * 400,
]


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    for _ in range(int(rng.integers(1, 3))):
        start = int(rng.integers(0, len(data) + 1))
        stop = start + int(rng.choice([0, 1, 3, 20]))
        piece = PIECES[int(rng.integers(len(PIECES)))] if rng.random() < 0.7 else data[stop : stop + int(rng.integers(0, 60))]
        data = data[:start] + piece + data[stop:]
    return data


@pytest.mark.parametrize("name, content", [("a.xml", VOC), ("labels.json", COCO), ("a.txt", YOLO)])
def test_mutated_annotations_give_sound_boxes_or_a_sentence(tmp_path: Path, name: str, content: bytes):
    write_image(tmp_path / "a.png")
    rng = np.random.default_rng(len(name))
    opened = 0
    for _ in range(250):
        (tmp_path / name).write_bytes(mutated(content, rng))
        try:
            examples = DetectionFolder(str(tmp_path)).open()
        except UserError as error:
            assert "\n" not in str(error)
            continue
        opened += 1
        assert np.isfinite(examples.boxes).all()
        assert (examples.boxes[:, 2:] - examples.boxes[:, :2] >= 1).all()
        assert (examples.boxes >= 0).all() and (examples.boxes <= [64, 48, 64, 48]).all()
        assert "\n" not in "".join(examples.summary())
        assert ((examples.classes >= 0) & (examples.classes < len(examples.class_names))).all()
    assert opened > 5
