import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.errors import UserError
from likeness.research.geometry import Detections, PaddedDetections, iou

NAMES = ("cat", "dog", "bird")


def some() -> Detections:
    return Detections(
        xyxy=np.array([[0, 0, 8, 8], [10, 10, 50, 40], [1, 2, 3, 4]], np.float32),
        confidence=np.array([0.9, 0.6, 0.25], np.float32),
        class_id=np.array([1, 0, 2]),
        class_names=NAMES,
    )


def padded(*shape: int) -> PaddedDetections:
    generator = np.random.default_rng(0)
    low = generator.uniform(0, 9, (*shape, 2))
    boxes = np.concatenate([low, low + generator.uniform(0, 9, (*shape, 2))], axis=-1)
    valid = np.arange(shape[-1]) < shape[-1] - 2
    return PaddedDetections(
        boxes=jnp.asarray(np.where(valid[:, None], boxes, np.nan), jnp.float32),
        scores=jnp.broadcast_to(jnp.where(valid, 1 - jnp.arange(shape[-1]) / 10, jnp.nan), shape),
        classes=jnp.broadcast_to(jnp.where(valid, jnp.arange(shape[-1]) % 3, -7), shape),
        valid=jnp.broadcast_to(valid, shape),
    )


def test_the_valid_rows_come_out_of_the_padding():
    found = padded(5).exact(NAMES)
    assert len(found) == 3 and found.class_names == NAMES
    np.testing.assert_array_equal(found.class_id, [0, 1, 2])
    np.testing.assert_array_equal(found.xyxy, padded(5).boxes[:3])
    batch = padded(2, 5).exact_each(NAMES)
    assert [len(each) for each in batch] == [3, 3]
    np.testing.assert_array_equal(batch[1].xyxy, padded(2, 5).boxes[1, :3])


def test_padded_detections_go_through_jit_and_vmap():
    doubled = jax.jit(jax.vmap(lambda found: found._replace(boxes=2 * found.boxes)))(padded(2, 5))
    assert isinstance(doubled, PaddedDetections)
    np.testing.assert_array_equal(doubled.boxes, 2 * padded(2, 5).boxes)


def test_one_image_and_a_batch_are_told_apart():
    with pytest.raises(ValueError, match=r"of shape \(2, 5\), of more than one image. `exact_each`"):
        padded(2, 5).exact()
    with pytest.raises(ValueError, match="`exact` is for one image"):
        padded(5).exact_each()


def test_length_iteration_and_parts():
    found = some()
    assert [(one.class_name, one.class_id, round(one.confidence, 6)) for one in found] == [
        ("dog", 1, 0.9),
        ("cat", 0, 0.6),
        ("bird", 2, 0.25),
    ]
    assert len(found[1:]) == 2 and len(found[0]) == 1 and len(found[found.confidence > 0.5]) == 2
    assert next(iter(found[[2]])).class_name == "bird" and found[-1].class_id.tolist() == [2]
    assert not len(found[[]]) and not list(found[:0])
    unnamed = Detections(xyxy=np.array([[0, 0, 1, 1]]), confidence=np.array([0.5]), class_id=np.array([7]))
    assert next(iter(unnamed)).class_name == ""


def test_filter_by_score_and_class():
    found = some()
    assert found.filter(score_threshold=0.5).class_id.tolist() == [1, 0]
    assert found.filter(classes=["bird", "dog"]).class_id.tolist() == [1, 2]
    assert found.filter(0.5, classes=[0]).class_id.tolist() == [0]
    assert len(found.filter()) == 3 and not len(found.filter(classes=[]))
    with pytest.raises(UserError, match="There is no class 'brid': did you mean 'bird'"):
        found.filter(classes=["brid"])
    with pytest.raises(UserError, match="There is no class 3"):
        found.filter(classes=[3])


def test_a_score_of_the_threshold_goes():
    """.6 in float32 is above .6 in float64, and no score of .6 scores more than .6."""
    assert some().filter(score_threshold=0.6).class_id.tolist() == [1]


def test_class_0_is_a_class():
    """keras-team/keras-cv#2526: `classes > 0` drops class 0."""
    assert len(some().filter(classes=[0])) == len(some().filter(classes=["cat"])) == 1
    assert [record["category_id"] for record in some().to_coco(1)] == [1, 0, 2]


def test_coco_records_are_json_with_width_and_height():
    records = some().to_coco(image_id=42, category_ids=[3, 18, 44])
    assert json.loads(json.dumps(records)) == records
    assert records[1] == {"image_id": 42, "category_id": 3, "bbox": [10.0, 10.0, 40.0, 30.0], "score": float(np.float32(0.6))}
    assert [record["category_id"] for record in some().to_coco(0, {0: 90, 1: 1, 2: 2})] == [1, 90, 2]
    for ids in ([1, 2], {0: 1, 1: 2}):
        with pytest.raises(UserError, match="class 2 has no id"):
            some().to_coco(0, ids)


def test_coco_records_keep_float32_boxes_exactly():
    found = Detections(xyxy=np.array([[0.1, 0.2, 1000.3, 7.7]], np.float32), confidence=np.ones(1), class_id=np.zeros(1, int))
    x, y, width, height = found.to_coco(0)[0]["bbox"]
    np.testing.assert_array_equal(np.float32([x, y, x + width, y + height]), found.xyxy[0])


def test_precision_is_kept():
    assert some().xyxy.dtype == np.float32
    whole = Detections(xyxy=np.array([[0, 0, 1, 1]]), confidence=np.array([1]), class_id=np.array([0]))
    assert whole.xyxy.dtype == whole.confidence.dtype == np.float64
    assert iou(whole.xyxy, whole.xyxy) == 1


def test_nothing_found_is_a_result():
    none = Detections(xyxy=np.array([]), confidence=np.array([]), class_id=np.array([]), class_names=NAMES)
    assert len(none) == 0 and none.xyxy.shape == (0, 4) and none.to_coco(1) == [] and not list(none.filter(0.5))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"confidence": [0.5]}, r"confidence must be numbers of shape \(3,\)"),
        ({"class_id": [0.0, 1.0, 2.0]}, "class_id must be integers"),
        ({"class_id": [0, 1, 3]}, "class_id 3 has no name: there are 3 class_names, for classes 0 to 2"),
        ({"class_id": [0, -1, 1], "class_names": ()}, "class_id -1 has no name: classes count from 0"),
        ({"xyxy": np.zeros((3, 5))}, r"xyxy must be numbers of shape \(3, 4\)"),
        ({"xyxy": np.zeros((1, 3, 4))}, r"xyxy must be numbers of shape \(n, 4\)"),
        ({"xyxy": np.array([[0, 0, 1, 1], [5, 5, 3, 9], [0, 0, 1, 1]])}, "xyxy number 1 is .* corners are reversed"),
        ({"xyxy": np.array([[0, 0, 1, 1], [0, 0, 3, 9], [0, 0, np.nan, 1]])}, "xyxy number 2 of 3 is NaN"),
        ({"confidence": [np.nan, 1, 1]}, "confidence number 0 of 3 is NaN"),
    ],
)
def test_what_does_not_fit_is_refused(changed: dict, why: str):
    fields = {"xyxy": some().xyxy, "confidence": some().confidence, "class_id": some().class_id, "class_names": NAMES}
    given = {name: value if name == "class_names" else np.asarray(value) for name, value in (fields | changed).items()}
    with pytest.raises(ValueError, match=why):
        Detections(**given)


def test_supervision_gets_the_same():
    if_installed = pytest.importorskip("supervision", reason="supervision is not installed")
    found = some().to_supervision()
    assert isinstance(found, if_installed.Detections)
    np.testing.assert_array_equal(found.xyxy, some().xyxy)
    assert found.data["class_name"].tolist() == ["dog", "cat", "bird"]


def test_without_supervision_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="needs supervision, which is not installed: pip install supervision"):
        some().to_supervision()
