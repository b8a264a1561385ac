"""Published detectors against their authors' ONNX files, decoded and suppressed by NumPy in float64."""

import dataclasses

import jax
import numpy as np
import pytest
from boxes64 import greedy

from likeness.research.detectors import (
    COCO_CATEGORY_IDS,
    COCO_CLASSES,
    CanvasPlaces,
    FastestDetDetector,
    YuNetDetector,
    detect,
)
from likeness.research.geometry import place_image
from likeness.research.weights import named


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def read(path):
    from PIL import Image

    return np.asarray(Image.open(path).convert("RGB"))


def session(path):
    onnxruntime = pytest.importorskip("onnxruntime")
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def bgr(canvas):
    return np.ascontiguousarray(canvas[None, :, :, ::-1].transpose(0, 3, 1, 2)).astype(np.float32)


def faces_of_onnx(run, canvas):
    """Boxes, scores, classes and landmarks of every cell, in pixels of the canvas."""
    names = [output.name for output in run.get_outputs()]
    said = dict(zip(names, run.run(None, {"input": bgr(canvas)}), strict=True))
    found = []
    for stride in (8, 16, 32):
        cls, obj, box, kps = (said[f"{name}_{stride}"][0].astype(np.float64) for name in ("cls", "obj", "bbox", "kps"))
        cells = np.array([(j, i) for i in range(canvas.shape[0] // stride) for j in range(canvas.shape[1] // stride)])
        center, size = (cells + box[:, :2]) * stride, np.exp(box[:, 2:]) * stride
        points = (cells[:, None] + kps.reshape(-1, 5, 2)) * stride
        found.append((np.hstack([center - size / 2, center + size / 2]), np.sqrt(cls * obj)[:, 0], points))
    boxes, scores, points = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return boxes, scores, np.zeros(len(scores), int), points


def objects_of_onnx(run, canvas):
    [said] = run.run(None, {run.get_inputs()[0].name: bgr(canvas) / 255})
    said = said[0].astype(np.float64)
    found = []
    for i in range(22):
        for j in range(22):
            objectness, (x, y, w, h), classes = said[0, i, j], said[1:5, i, j], said[5:, i, j]
            center = np.array([j + np.tanh(x), i + np.tanh(y)]) / 22 * 352
            size = sigmoid([w, h]) * 352
            score = objectness**0.6 * classes.max() ** 0.4
            found.append((np.hstack([center - size / 2, center + size / 2]), score, classes.argmax()))
    boxes, scores, classes = (np.array(parts) for parts in zip(*found, strict=True))
    return boxes, scores, classes, None


def expected(candidates, model, placement):
    boxes, scores, classes, points = candidates
    rule, back = model.suppression, placement.inverse()
    height, width = placement.source
    corners = np.clip(back.boxes(boxes), 0, [width, height, width, height])
    # What is wholly in the padding is no detection.
    inside = np.flatnonzero(np.prod(corners[:, 2:] - corners[:, :2], axis=1) > 0)
    kept = inside[greedy(boxes[inside], scores[inside], classes[inside], rule.iou_threshold, rule.score_threshold)]
    return corners[kept], scores[kept], classes[kept], None if points is None else back.points(points[kept])


@pytest.mark.data
@pytest.mark.peers
@pytest.mark.parametrize("threshold", [0.6, 0.02])
@pytest.mark.parametrize(
    ("name", "model", "file", "decode"),
    [
        ("yunet", YuNetDetector(longest=None), "yunet/yunet_n_dynamic.onnx", faces_of_onnx),
        ("yunet", YuNetDetector(longest=200), "yunet/yunet_n_dynamic.onnx", faces_of_onnx),
        ("fastestdet", FastestDetDetector(), "fastestdet/FastestDet.onnx", objects_of_onnx),
    ],
)
def test_boxes_are_those_of_the_onnx_file_after_suppression(real_data, name, model, file, decode, threshold):
    """Of photographs that need padding or resizing, at a threshold for people and one that lets many pass."""
    rule = dataclasses.replace(model.suppression, score_threshold=threshold, max_detections=None)
    model = dataclasses.replace(model, suppression=rule)
    run = session(real_data / "weights" / file)
    variables, _ = named(name).load()
    program = jax.jit(lambda canvases, places: detect(model, variables, canvases, places))
    pictures = real_data / "pictures" / "content"
    photos = [pictures / "astronaut.png", pictures / "chelsea.png", real_data / "weights" / "fastestdet" / "3.jpg"]
    total = 0
    for path in photos:
        image = read(path)
        placement = model.placement(image.shape[:2])
        canvas = place_image(image, placement, fill=model.fill)
        ours = program(canvas[None], CanvasPlaces.of([placement])).exact_each(model.class_names)[0]
        boxes, scores, classes, points = expected(decode(run, canvas), model, placement)
        assert len(ours) == len(boxes)
        total += len(boxes)
        np.testing.assert_array_equal(ours.class_id, classes)
        np.testing.assert_allclose(ours.confidence, scores, rtol=0, atol=1e-4)
        np.testing.assert_allclose(ours.xyxy, boxes, rtol=0, atol=2e-3)
        if points is not None:
            np.testing.assert_allclose(ours.landmarks, points, rtol=0, atol=2e-3)
    assert total > (60 if threshold < 0.1 else 0)


@pytest.mark.slow
@pytest.mark.data
def test_the_astronaut_is_where_the_authors_network_says(real_data):
    image = read(real_data / "pictures" / "content" / "astronaut.png")
    model = YuNetDetector()
    variables, _ = named("yunet").load()
    places = CanvasPlaces.of([model.placement(image.shape[:2])])
    [face] = detect(model, variables, image[None], places).exact_each(model.class_names)[0]
    assert face.confidence == pytest.approx(0.936, abs=5e-4)
    np.testing.assert_allclose(face.xyxy, [178, 65, 269, 176], atol=1)
    np.testing.assert_allclose(face.landmarks[:2], [[203, 104], [248, 104]], atol=1)


@pytest.mark.data
def test_the_classes_are_those_of_the_published_file(real_data):
    names = (real_data / "weights" / "fastestdet" / "coco.names").read_text().split("\n")
    other = {"motorbike": "motorcycle", "aeroplane": "airplane", "sofa": "couch", "pottedplant": "potted plant"}
    other |= {"diningtable": "dining table", "tvmonitor": "tv"}
    assert [other.get(name.strip(), name.strip()) for name in names if name.strip()] == list(COCO_CLASSES)


def test_coco_has_eighty_classes_with_ids_that_have_holes():
    assert len(COCO_CLASSES) == len(COCO_CATEGORY_IDS) == len(set(COCO_CLASSES)) == 80
    known = {"person": 1, "stop sign": 13, "backpack": 27, "wine glass": 46, "dining table": 67, "toilet": 70, "tv": 72}
    known |= {"book": 84, "toothbrush": 90}
    assert all(COCO_CATEGORY_IDS[COCO_CLASSES.index(name)] == number for name, number in known.items())
