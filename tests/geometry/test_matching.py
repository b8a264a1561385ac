"""Max-IoU matching, against a loop in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.geometry import AnchorGrid, Assignment, MaxIou, pairwise

ANCHORS = AnchorGrid.from_ratios([12, 24], [0.5, 1.0, 2.0], stride=8)(8, 8).reshape(-1, 4)


def truth(seed: int, rows: int = 6, real: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 40, (rows, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(6, 30, (rows, 2))], axis=1).astype(np.float32)
    mask = np.arange(rows) < real
    return np.where(mask[:, None], boxes, 0), rng.permutation(mask) if seed % 2 == 0 and rows == real else mask


def oracle(matcher: MaxIou, anchors: np.ndarray, boxes: np.ndarray, mask: np.ndarray):
    real = np.flatnonzero(mask)
    overlap = pairwise(anchors.astype(np.float64), boxes[real].astype(np.float64))
    labels, rows = np.zeros(len(anchors), int), np.zeros(len(anchors), int)
    for i in range(len(anchors)):
        if len(real):
            best = overlap[i].max()
            rows[i] = real[overlap[i].argmax()]
            labels[i] = 1 if best >= matcher.high else 0 if best < matcher.low else -1
    if matcher.allow_low_quality_matches:
        # Equal is what is equal in float32.
        rounded = np.asarray(pairwise(jnp.asarray(anchors), jnp.asarray(boxes[real])))
        for j in range(len(real)):
            labels[(rounded[:, j] == rounded[:, j].max()) & (rounded[:, j] > 0)] = 1
    return labels, rows


@pytest.mark.parametrize("low_quality", [False, True])
@pytest.mark.parametrize(("low", "high"), [(0.3, 0.7), (0.5, 0.5), (0.4, 0.5), (0.0, 0.6)])
def test_equals_a_loop_in_float64(low, high, low_quality):
    matcher = MaxIou(low=low, high=high, allow_low_quality_matches=low_quality)
    run = jax.jit(matcher)
    for seed in range(20):
        boxes, mask = truth(seed)
        labels, rows = oracle(matcher, ANCHORS, boxes, mask)
        found = run(ANCHORS, boxes, mask)
        assert found.quality.dtype == jnp.float32 and found.truth.dtype == jnp.int32
        np.testing.assert_array_equal(found.foreground, labels == 1)
        np.testing.assert_array_equal(found.ignored, labels == -1)
        np.testing.assert_array_equal(found.background, labels == 0)
        np.testing.assert_array_equal(found.truth, np.where(labels == 1, rows, 0))
        expected = pairwise(ANCHORS, np.where(mask[:, None], boxes, 0)).max(axis=1)
        np.testing.assert_allclose(found.quality, np.where(labels == 1, expected, 0), atol=1e-6)
        answered = np.isin(np.arange(len(mask)), rows[labels == 1])
        np.testing.assert_array_equal(found.missed, mask & ~answered)


@pytest.mark.slow
def test_low_quality_matches_are_only_allowed_when_asked():
    """Project-MONAI/MONAI#5250: the flag was always true."""
    anchors = np.array([[0, 0, 10, 10], [20, 20, 30, 30]], np.float32)
    boxes, mask = np.array([[4, 4, 14, 14]], np.float32), np.array([True])
    assert not MaxIou(low=0.3, high=0.5)(anchors, boxes, mask).foreground.any()
    assert MaxIou(low=0.3, high=0.5)(anchors, boxes, mask).missed.all()
    allowed = MaxIou(low=0.3, high=0.5, allow_low_quality_matches=True)(anchors, boxes, mask)
    np.testing.assert_array_equal(allowed.foreground, [True, False])
    assert not allowed.missed.any()


def test_a_low_quality_anchor_keeps_the_object_that_it_overlaps_most():
    """facebookresearch/detectron2#1162: the label changes, the object does not, and the other object is missed."""
    anchors = np.array([[0, 0, 10, 10]], np.float32)
    boxes = np.array([[0, 0, 10, 12], [0, 8, 10, 28]], np.float32)
    found = MaxIou(low=0.3, high=0.95, allow_low_quality_matches=True)(anchors, boxes, np.array([True, True]))
    assert found.foreground[0] and found.truth[0] == 0
    np.testing.assert_array_equal(found.missed, [False, True])


def test_all_anchors_that_tie_for_an_object_are_foreground():
    anchors = np.array([[0, 0, 8, 8], [8, 0, 16, 8], [40, 40, 48, 48]], np.float32)
    boxes, mask = np.array([[4, 0, 12, 8]], np.float32), np.array([True])
    found = MaxIou(low=0.4, high=0.9, allow_low_quality_matches=True)(anchors, boxes, mask)
    np.testing.assert_array_equal(found.foreground, [True, True, False])


def test_an_object_that_nothing_overlaps_makes_no_anchor_foreground():
    """Equal to the highest overlap, 0, is every anchor of the image."""
    boxes, mask = np.array([[1000, 1000, 1010, 1010]], np.float32), np.array([True])
    found = MaxIou(allow_low_quality_matches=True)(ANCHORS, boxes, mask)
    assert not found.foreground.any() and found.missed.all() and found.background.all()
    assert MaxIou(low=0.0, high=0.0)(ANCHORS, boxes, np.array([False])).background.all()


@pytest.mark.parametrize("low_quality", [False, True])
def test_an_image_without_objects_is_background(low_quality):
    """kuangliu/pytorch-retinanet#14, keras-team/keras-cv#845: no positives, only padding."""
    matcher = jax.jit(MaxIou(allow_low_quality_matches=low_quality))
    for rows in (0, 3):
        found = matcher(ANCHORS, np.full((rows, 4), np.nan, np.float32), np.zeros(rows, bool))
        assert found.background.all() and not found.truth.any() and not found.quality.any()
        assert found.missed.shape == (rows,) and not found.missed.any()
    assert matcher(ANCHORS[:0], *truth(1)).foreground.shape == (0,)


def test_what_padding_holds_does_not_matter():
    boxes, mask = truth(3)
    matcher = jax.jit(MaxIou(allow_low_quality_matches=True))
    for padding in (np.nan, np.inf, -5.0, 1e30):
        other = np.where(mask[:, None], boxes, np.float32(padding))
        jax.tree.map(np.testing.assert_array_equal, matcher(ANCHORS, boxes, mask), matcher(ANCHORS, other, mask))


def test_a_box_without_area_is_refused_or_missed():
    """pytorch/vision#2240: a degenerate target must raise. pytorch/vision#2144: an image without objects given as the box
    (0, 0, 0, 0) made NaN. Values are known in NumPy arrays; under jit such a box is no object, and counts as missed."""
    for wrong in ([0, 0, 0, 0], [5, 5, 5, 9], [np.nan, 0, 5, 5], [0, 0, np.inf, 5]):
        boxes, mask = np.array([wrong, [2, 2, 20, 20]], np.float32), np.array([True, True])
        with pytest.raises(ValueError, match="MaxIou: boxes number 0 .* no area.*mask without any True"):
            MaxIou()(ANCHORS, boxes, mask)
        found = jax.jit(MaxIou(low=0.3, high=0.5))(ANCHORS, boxes, mask)
        alone = jax.jit(MaxIou(low=0.3, high=0.5))(ANCHORS, boxes, np.array([False, True]))
        np.testing.assert_array_equal(found.missed, [True, False])
        jax.tree.map(np.testing.assert_array_equal, found._replace(missed=0), alone._replace(missed=0))


def test_a_batch_is_a_vmap():
    given = [truth(seed) for seed in range(4)]
    boxes, mask = (np.stack(each) for each in zip(*given, strict=True))
    found = jax.jit(jax.vmap(MaxIou(), in_axes=(None, 0, 0)))(ANCHORS, boxes, mask)
    assert isinstance(found, Assignment) and found.foreground.shape == (4, len(ANCHORS)) and found.missed.shape == (4, 6)
    np.testing.assert_array_equal(found.background, ~(found.foreground | found.ignored))
    for i, (own, real) in enumerate(given):
        jax.tree.map(lambda whole, one, i=i: np.testing.assert_array_equal(whole[i], one), found, MaxIou()(ANCHORS, own, real))


def test_wrong_shapes_and_thresholds_are_refused():
    boxes, mask = truth(1)
    for anchors, own, real, said in (
        (ANCHORS[None], boxes, mask, "anchors must be numbers of shape .n, 4."),
        (ANCHORS, boxes[None], mask, "boxes must be numbers of shape .m, 4."),
        (ANCHORS, boxes, mask[:3], "mask must be booleans of shape .6,."),
        (ANCHORS, boxes, mask.astype(np.int32), "mask must be booleans"),
    ):
        with pytest.raises(ValueError, match=rf"^MaxIou: {said}"):
            MaxIou()(anchors, own, real)
    for low, high in ((0.7, 0.3), (-0.1, 0.5), (0.5, 1.1), (float("nan"), 0.5)):
        with pytest.raises(ValueError, match="low must not be above high"):
            MaxIou(low=low, high=high)
