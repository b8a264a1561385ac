"""Checklist D-k and D-l, and what users of suppression complained of."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from greedy_suppression import SETS, SIZE, THRESHOLDS, TOUCHING, greedily, kept_of, overlaps, plain, some_sets

from likeness.research.geometry import Suppression, greedy
from likeness.research.geometry.greedy import Form
from likeness.research.geometry.suppression import bound, choose

FORMS: tuple[Form, ...] = ("picks", "rows", "tiles", "matrix")


@functools.cache
def chosen(form: Form) -> tuple[np.ndarray, np.ndarray]:
    """What we keep of all sets, by all thresholds in both conventions: one program, since the threshold is a traced number."""
    sets = some_sets()
    limits = jnp.array([bound(t, inclusive=inclusive) for inclusive in (False, True) for t in THRESHOLDS])
    how = Suppression(max_detections=None, form=form)
    with pytest.MonkeyPatch.context() as patch:
        # Small enough that there are several.
        patch.setattr(greedy, "TILE", 8)
        over_limits = jax.vmap(functools.partial(choose, how), (0, None, None, None, None))
        found = jax.jit(jax.vmap(over_limits, (None, 0, 0, 0, 0)))(
            limits, *(jnp.asarray(sets[name]) for name in ("boxes", "scores", "classes", "mask"))
        )
    return np.asarray(found.indices), np.asarray(found.valid)


@pytest.fixture(scope="module", autouse=True)
def _quiet():
    with np.errstate(invalid="ignore"):
        yield


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_a_thousand_sets_by_every_threshold_in_both_conventions(form: Form):
    """Checklist D-k, D-l: the indices of a greedy loop in float64.

    By the strict convention IoU in float32 is compared with the threshold as a double, as torchvision does. By the inclusive
    one IoU in float64 is compared: thresholds and exact areas are rounded alike.
    """
    sets = some_sets()
    limits = np.array(THRESHOLDS)[None, :, None, None]
    single, double = (overlaps(sets["boxes"], dtype)[:, None] for dtype in (np.float32, np.float64))
    rules = np.concatenate([single.astype(np.float64) > limits, double >= limits], axis=1)
    indices, valid = greedily(rules, sets)
    ours = chosen(form)
    np.testing.assert_array_equal(ours[1], valid)
    np.testing.assert_array_equal(ours[0], indices)


def test_by_the_strict_convention_only_exact_ties_differ_from_iou_in_float64():
    """Where an IoU is the threshold and float32 rounds it up, it exceeds the threshold, as it does for torchvision."""
    sets = some_sets()
    limits = np.array(THRESHOLDS)[None, :, None, None]
    double = overlaps(sets["boxes"], np.float64)[:, None]
    indices, valid = greedily(double > limits, sets)
    rounded_up = np.float32(THRESHOLDS).astype(np.float64) > THRESHOLDS
    tied = (np.abs(double - limits) < 1e-9).any((2, 3)) & rounded_up
    assert 500 < tied.sum() < tied.size / 4
    ours = chosen("picks")
    np.testing.assert_array_equal(ours[1][:, : len(THRESHOLDS)][~tied], valid[~tied])
    np.testing.assert_array_equal(ours[0][:, : len(THRESHOLDS)][~tied], indices[~tied])


def test_the_oracle_is_the_definition():
    sets = some_sets()
    double = overlaps(sets["boxes"], np.float64)[:, None]
    for inclusive in (False, True):
        indices, valid = greedily(double >= 0.5 if inclusive else double > 0.5, sets)
        for row in range(0, SETS, 23):
            boxes = np.where(sets["mask"][row][:, None], sets["boxes"][row], np.nan)
            expected = plain(boxes, sets["scores"][row], sets["classes"][row], inclusive=inclusive)
            assert indices[row, 0][valid[row, 0]].tolist() == expected


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_coordinates_that_are_not_round_are_rounded_as_torchvision_does(form: Form, threshold: float):
    """Every form computes IoU by the same float32 operations, none of them fused: no index differs, even near the threshold."""
    rng = np.random.default_rng(3)
    low = rng.uniform(0, 300, (400, 2))
    boxes = np.concatenate([low, low + rng.uniform(5, 150, (400, 2))], axis=-1).astype(np.float32)
    scores = rng.random(400).astype(np.float32)
    found = Suppression(iou_threshold=threshold, max_detections=None, form=form).select(boxes, scores)
    assert found.indices[found.valid].tolist() == plain(boxes, scores, threshold=threshold, dtype=np.float32)


@pytest.mark.peers
def test_torchvision_keeps_the_same():
    """Its `nms`, class by class, on every third set and every threshold, and on the input of pytorch/vision#7165."""
    torch, ops = pytest.importorskip("torch"), pytest.importorskip("torchvision.ops")
    sets, (indices, valid) = some_sets(), chosen("picks")
    for row in range(0, SETS, 3):
        there = sets["mask"][row] & np.isfinite(sets["boxes"][row]).all(-1) & ~np.isnan(sets["scores"][row])
        numbers = np.flatnonzero(there)
        boxes, scores, classes = (torch.from_numpy(sets[name][row][there]) for name in ("boxes", "scores", "classes"))
        for column, threshold in enumerate(THRESHOLDS):
            kept: list[int] = []
            for one in classes.unique():
                theirs = ops.nms(boxes[classes == one].float(), scores[classes == one], threshold)
                kept += numbers[(classes == one).numpy()][theirs.numpy()].tolist()
            assert sorted(kept) == sorted(indices[row, column][valid[row, column]].tolist())
    for threshold, expected in ((0.2, [0]), (0.2000001, [0, 1])):
        boxes, scores = TOUCHING, np.array([0.9, 0.8], np.float32)
        assert ops.nms(torch.from_numpy(boxes).float(), torch.from_numpy(scores), threshold).tolist() == expected
        assert kept_of(boxes, scores, iou_threshold=threshold) == expected


@pytest.mark.slow
def test_an_iou_that_float32_rounds_up_exceeds_the_threshold():
    """pytorch/vision#7165: [1, 1, 2, 3] and [0, 0, 2, 2] share 1 of 5, which is .2000000030 in float32 and exceeds .2."""
    scores = np.array([0.9, 0.8])
    assert kept_of(TOUCHING, scores, iou_threshold=0.2) == [0]
    assert kept_of(TOUCHING, scores, iou_threshold=0.2, inclusive=True) == [0]
    assert kept_of(TOUCHING, scores, iou_threshold=float(np.float32(0.2))) == [0, 1]
    assert kept_of(TOUCHING, scores, iou_threshold=0.21, inclusive=True) == [0, 1]
    # 9/10 is rounded down, and does not exceed .9.
    nine_tenths = np.array([[0.0, 0, 10, 1], [0, 0, 9, 1]])
    assert kept_of(nine_tenths, scores, iou_threshold=0.9) == [0, 1]
    assert kept_of(nine_tenths, scores, iou_threshold=0.9, inclusive=True) == [0]


def test_the_bound_is_the_least_float32_that_is_too_much():
    for threshold in (*THRESHOLDS, 0.5, 1 / 3, 1.0):
        for inclusive in (False, True):
            least = bound(threshold, inclusive=inclusive)
            below = float(np.nextafter(least, np.float32(0)))
            if inclusive:
                assert least == np.float32(threshold)
            else:
                assert float(least) > threshold >= below


@pytest.mark.slow
def test_the_threshold_counts_among_the_first_boxes_too():
    """The suppression of google-research/scenic, of google-research/google-research (findit, fvlm) and of tensorflow/models
    compares the boxes of one tile with 0.5 whatever the threshold is, so that two boxes with an IoU of .4 both stay at .3."""
    boxes = np.array([[0.0, 0, 7, 1], [3, 0, 10, 1]])
    scores = np.array([0.9, 0.8])
    for form in FORMS:
        assert kept_of(boxes, scores, iou_threshold=0.3, form=form) == [0]
        assert kept_of(boxes, scores, iou_threshold=0.45, form=form) == [0, 1]


def test_negative_coordinates_are_coordinates():
    """LibreYOLO, google-research/scenic: a box all of whose coordinates are below 0 is no mark of a suppressed one."""
    boxes = np.array([[-20.0, -20, -5, -5], [-20, -20, -6, -5], [3, 3, 9, 9]])
    assert kept_of(boxes, np.array([0.5, 0.6, 0.4])) == [1, 2]


def test_the_order_of_the_boxes_does_not_matter():
    """google-research/scenic: the caller must sort."""
    sets = some_sets()
    boxes, scores = sets["boxes"][0], sets["scores"][0]
    order = np.random.default_rng(1).permutation(SIZE)
    assert order[kept_of(boxes[order], scores[order])].tolist() == kept_of(boxes, scores)


@pytest.mark.slow
def test_the_result_is_in_the_order_of_scores():
    """open-mmlab/mmdetection#2754."""
    sets = some_sets()
    for how in ({}, {"form": "rows"}, {"method": "soft_linear"}, {"method": "soft_gaussian"}, {"method": "merge"}):
        found = Suppression(**how)(sets["boxes"][:16], sets["scores"][:16], sets["classes"][:16], sets["mask"][:16])
        assert np.all(np.diff(np.where(found.valid, found.scores, -1)) <= 0)


@pytest.mark.parametrize("form", FORMS)
def test_of_identical_boxes_and_scores_the_first_stays(form: Form):
    """CVCUDA/CV-CUDA#292, ROCm/AMDMIGraphX#4073; keras-hub takes the last."""
    assert kept_of(np.tile([0.0, 0, 5, 5], (7, 1)), np.full(7, 0.5), form=form) == [0]
    assert kept_of(np.array([[0.0, 0, 5, 5], [9, 9, 12, 12], [0, 0, 5, 5]]), np.full(3, 0.5), form=form) == [0, 1]


def test_a_threshold_of_0_keeps_boxes_that_do_not_meet():
    """tensorflow/tensorflow#34268."""
    apart = np.array([[0.0, 0, 1, 1], [2, 2, 3, 3], [4, 4, 5, 5]])
    for form in FORMS:
        assert kept_of(apart, np.array([0.9, 0.8, 0.7]), iou_threshold=0.0, form=form) == [0, 1, 2]


def test_a_threshold_of_0_drops_what_overlaps_a_little():
    """pytorch/vision#8949: an IoU of .003 is above 0, so the second goes and no longer drops the third."""
    boxes = np.array([[2748.0, 618, 2830, 659], [2690, 642, 2749, 681], [2690, 639, 2746, 681]])
    scores = np.array([1, 1, 0.5])
    assert kept_of(boxes, scores, iou_threshold=0.0) == [0, 2]
    assert kept_of(boxes, scores, iou_threshold=0.1) == [0, 1]


@pytest.mark.slow
def test_a_box_that_meets_none_ends_nothing():
    """ultralytics/ultralytics#22013."""
    boxes = np.array(
        [[28, 1322, 346.25, 1798], [195, 352, 241, 431], [194, 352, 241, 431], [1160, 545, 1260, 690], [1160, 545, 1260, 690]]
    )
    scores = np.array([0.6792, 0.6021, 0.5830, 0.5601, 0.5391])
    for form in FORMS:
        assert kept_of(boxes, scores, iou_threshold=0.2, form=form) == [0, 1, 3]


def test_a_line_is_found_once():
    """tensorflow/tensorflow#35482: a box with y1 = y2 overlaps nothing, and no index comes twice; roboflow/supervision#458."""
    boxes = np.array([[0.0, 3, 9, 3], [0, 0, 9, 9], [0, 3, 9, 3], [4, 4, 4, 4]])
    for method in ("hard", "soft_linear", "soft_gaussian", "merge"):
        found = Suppression(method=method).select(boxes, np.array([0.9, 0.8, 0.7, 0.6]))
        assert found.indices[found.valid].tolist() == [0, 1, 2, 3] and np.isfinite(found.scores).all()


@pytest.mark.parametrize("method", ["hard", "soft_linear", "soft_gaussian", "merge"])
def test_what_is_not_a_number_is_never_chosen_and_hangs_nothing(method):
    """eriklindernoren/PyTorch-YOLOv3#315: a NaN hangs a `while` loop."""
    boxes = np.array([[0.0, 0, 5, 5], [np.nan, 0, 5, 5], [0, 0, np.inf, 5], [0, 0, 5, 5], [7, 7, 9, 9], [0, 0, 4, 5]])
    scores = np.array([0.5, 0.9, 0.9, np.nan, -np.inf, 0.4])
    found = Suppression(method=method)(boxes, scores)
    assert found.valid.tolist() == ([True, True] if method.startswith("soft") else [True, False]) + [False] * 4
    assert np.isfinite(found.boxes).all() and np.isfinite(found.scores).all()
    nothing = Suppression(method=method)(np.full((6, 4), np.nan), scores)
    assert not nothing.valid.any() and not np.any(nothing.boxes) and not np.any(nothing.scores)


@pytest.mark.slow
def test_reversed_corners_are_refused_on_the_host_and_never_chosen_under_jit():
    """pytorch/vision#1870."""
    boxes, scores = np.array([[2.0, 1, 1, 2], [0, 0, 3, 3]]), np.array([0.9, 0.8])
    with pytest.raises(ValueError, match="Suppression: boxes number 0 is .* its corners are reversed"):
        Suppression()(boxes, scores)
    for form in FORMS:
        assert kept_of(jnp.asarray(boxes), scores, form=form) == [1]


def test_half_precision_is_computed_in_float32():
    """pytorch/vision#3371, MultimediaTechLab/YOLO#234: no offset moves classes apart, and no area overflows. LibreYOLO: the
    precisions may differ."""
    boxes = np.array([[0, 0, 600, 600], [8, 0, 600, 600], [0, 0, 600, 600]])
    classes = np.array([18, 18, 79])
    for dtype in (jnp.float16, jnp.bfloat16, jnp.int32):
        found = Suppression()(jnp.asarray(boxes, dtype), jnp.array([0.9, 0.8, 0.7], jnp.float16), classes)
        assert found.boxes.dtype == found.scores.dtype == jnp.float32
        assert found.classes[found.valid].tolist() == [18, 79]


def test_the_thresholds_are_heeded():
    """keras-team/keras-cv#2526: `iou_threshold` is ignored, and class 0 is dropped."""
    boxes = np.array([[0.0, 0, 10, 10], [0, 0, 10, 6], [0, 0, 10, 10]])
    scores, classes = np.array([0.9, 0.8, 0.7]), np.array([0, 0, 1])
    assert kept_of(boxes, scores, classes, iou_threshold=0.5) == [0, 2]
    assert kept_of(boxes, scores, classes, iou_threshold=0.7) == [0, 1, 2]
    assert kept_of(boxes, scores, classes, iou_threshold=0.5, class_agnostic=True) == [0]
    assert kept_of(boxes, scores, classes, score_threshold=0.75, iou_threshold=0.7) == [0, 1]
    assert Suppression()(boxes, scores, classes).classes.tolist() == [0, 1, 0]
    assert Suppression(class_agnostic=True)(boxes[2:], scores[2:], classes[2:]).classes.tolist() == [1]


@pytest.mark.parametrize("form", FORMS)
def test_each_class_is_suppressed_as_if_it_were_alone(form: Form):
    """Checklist D-l: equal to a loop over classes, with tied scores."""
    sets = some_sets()
    rng = np.random.default_rng(5)
    boxes, scores, classes = sets["boxes"][0], np.round(sets["scores"][0], 1), rng.integers(0, 3, SIZE)
    alone = [np.flatnonzero(classes == each) for each in range(3)]
    one_by_one = [rows[kept_of(boxes[rows], scores[rows])] for rows in alone]
    kept = kept_of(boxes, scores, classes, form=form)
    assert sorted(kept) == sorted(np.concatenate(one_by_one).tolist())
    assert kept == sorted(kept, key=lambda i: (-scores[i], i))


def test_other_classes_do_not_count_at_any_threshold():
    """An overlap of 0 reaches a threshold of 0, but not that of another class."""
    boxes = np.array([[0.0, 0, 1, 1], [5, 5, 6, 6], [8, 8, 9, 9]])
    for form in FORMS:
        how = {"iou_threshold": 0.0, "inclusive": True, "form": form}
        assert kept_of(boxes, np.array([0.9, 0.8, 0.7]), np.array([0, 1, 0]), **how) == [0, 1]


def test_the_course_s_two_thresholds():
    """Checklist D-k: discard what scores 0.6 or less, keep the best, drop what overlaps it by 0.5 or more, repeat."""
    boxes = np.array([[0.0, 0, 10, 10], [0, 0, 10, 5], [0, 0, 10, 4], [20, 20, 30, 30], [40, 40, 50, 50]])
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.61])
    assert Suppression.course() == Suppression(iou_threshold=0.5, score_threshold=0.6, inclusive=True)
    found = Suppression.course().select(boxes, scores)
    assert found.indices[found.valid].tolist() == [0, 2, 4]
    assert kept_of(boxes, scores, score_threshold=0.6) == [0, 1, 4]


@pytest.mark.slow
def test_at_most_so_many_and_always_as_many_rows():
    sets = some_sets()
    every = kept_of(sets["boxes"][0], sets["scores"][0], max_detections=None)
    for form in FORMS:
        found = Suppression(max_detections=3, form=form).select(sets["boxes"][0], sets["scores"][0])
        assert found.indices.tolist() == every[:3] and found.valid.all()
    assert Suppression(max_detections=500)(sets["boxes"][0], sets["scores"][0]).valid.shape == (SIZE,)
    for form in FORMS:
        none = Suppression(form=form)(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
        assert none.boxes.shape == (0, 4) and none.classes.shape == none.valid.shape == (0,)


def soft(boxes, scores, classes, decay, least=0.0) -> tuple[list[int], list[float]]:
    """Soft suppression by its paper, in float64."""
    left, indices, final = dict(enumerate(np.asarray(scores, np.float64))), [], []
    overlap = overlaps(np.asarray(boxes)[None], np.float64)[0]
    while left:
        best = max(left, key=lambda i: (left[i], -i))
        if left[best] <= least:
            break
        indices, final = [*indices, best], [*final, left.pop(best)]
        left = {i: s * (decay(overlap[best, i]) if classes[i] == classes[best] else 1.0) for i, s in left.items()}
    return indices, final


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "decay"),
    [
        ({"method": "soft_linear", "iou_threshold": 0.35}, lambda iou: 1 - iou if iou > 0.35 else 1.0),
        ({"method": "soft_gaussian", "sigma": 0.4}, lambda iou: np.exp(-(iou**2) / 0.4)),
    ],
)
def test_soft_suppression_is_that_of_its_paper(how, decay):
    sets = some_sets()
    ours = Suppression(**how, score_threshold=0.05, max_detections=None)
    rows = np.flatnonzero(np.isin(np.arange(SETS) % 8, (0, 1, 3, 4)))[:128]
    found = ours.select(*(sets[name][rows] for name in ("boxes", "scores", "classes")))
    for at, row in enumerate(rows):
        indices, scores = soft(sets["boxes"][row], sets["scores"][row], sets["classes"][row], decay, 0.05)
        assert found.indices[at][found.valid[at]].tolist() == indices
        np.testing.assert_allclose(found.scores[at][found.valid[at]], scores, rtol=1e-5)


def test_gaussian_decay_has_no_factor_of_one_half():
    """tensorflow/tensorflow#40253: it is exp(-iou² / σ)."""
    found = Suppression(method="soft_gaussian", sigma=0.5)(np.array([[0, 0, 10, 10], [0, 0, 10, 5]]), np.array([0.9, 0.8]))
    np.testing.assert_allclose(found.scores, [0.9, 0.8 * np.exp(-0.25 / 0.5)], rtol=1e-6)


def test_a_score_that_has_decayed_below_the_threshold_goes():
    """open-mmlab/mmcv#1726, #1019: a score of .2988 is below .3, be it given or decayed, and the score returned is the decayed
    one."""
    boxes = np.array([[0.0, 0, 10, 10], [0, 0, 10, 5], [20, 20, 30, 30]])
    linear = Suppression(method="soft_linear", iou_threshold=0.4, score_threshold=0.3)
    assert not linear(boxes, np.array([0.298848, 0.2, 0.1])).valid.any()
    found = linear.select(boxes, np.array([0.9, 0.5976, 0.5]))
    assert found.indices[found.valid].tolist() == [0, 2]
    np.testing.assert_allclose(linear(boxes, np.array([0.9, 0.8, 0.5])).scores, [0.9, 0.5, 0.4], rtol=1e-6)


def test_soft_suppression_makes_no_score_larger():
    """A logit below 0 would rise if it were multiplied by less than 1."""
    boxes = np.tile([0.0, 0, 10, 10], (3, 1))
    found = Suppression(method="soft_gaussian").select(boxes, np.array([-1.0, -2.0, -3.0]))
    assert found.scores.tolist() == [-1, -2, -3]
    assert np.isfinite(Suppression(method="soft_linear")(boxes, np.array([np.inf, 1.0, 0.0])).scores[1:]).all()


def test_merging_takes_the_hull_of_what_was_dropped():
    boxes = np.array([[0.0, 0, 10, 10], [4, 0, 12, 10], [0, 2, 10, 13], [30, 30, 40, 40], [1, 1, 9, 9]])
    found = Suppression(method="merge", iou_threshold=0.4)(
        boxes, np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.array([0, 0, 0, 0, 1])
    )
    assert found.boxes[found.valid].tolist() == [[0, 0, 12, 13], [30, 30, 40, 40], [1, 1, 9, 9]]
    np.testing.assert_allclose(found.scores[found.valid], [0.9, 0.6, 0.5])
    np.testing.assert_array_equal(found.boxes[~found.valid], 0)


@pytest.mark.slow
def test_every_box_lies_in_the_one_that_it_was_merged_with():
    sets = some_sets()
    rows = slice(1, 400, 8)
    given = sets["boxes"][rows], sets["scores"][rows], sets["classes"][rows]
    hard, merged = (
        Suppression(method=method, max_detections=None, iou_threshold=0.3).select(*given) for method in ("hard", "merge")
    )
    np.testing.assert_array_equal(hard.indices, merged.indices)
    for row in range(len(given[0])):
        hulls = np.asarray(merged.boxes[row][merged.valid[row]])
        inside = (hulls[:, None, :2] <= given[0][row][:, :2]).all(-1) & (hulls[:, None, 2:] >= given[0][row][:, 2:]).all(-1)
        classes = given[2][row][np.asarray(merged.indices[row][merged.valid[row]])]
        assert (inside & (classes[:, None] == given[2][row])).any(axis=0).all()


def test_the_parts_of_an_object_at_a_seam_are_found_by_intersection_over_the_smaller():
    boxes = np.array([[0.0, 0, 100, 50], [80, 0, 104, 50], [200, 0, 210, 50]])
    scores = np.array([0.9, 0.8, 0.7])
    assert kept_of(boxes, scores) == [0, 1, 2]
    for form in FORMS:
        assert kept_of(boxes, scores, overlap="ios", form=form) == [0, 2]
    whole = Suppression(method="merge", overlap="ios")(boxes, scores)
    assert whole.boxes[0].tolist() == [0, 0, 104, 50]


@pytest.mark.slow
def test_batches_of_any_shape_are_done_image_by_image():
    sets = some_sets()
    given = [sets[name][:6] for name in ("boxes", "scores", "classes", "mask")]
    for how in (Suppression(max_detections=5), Suppression(max_detections=5, form="rows"), Suppression(method="soft_linear")):
        found = how(*(array.reshape(2, 3, *array.shape[1:]) for array in given))
        inside = jax.jit(jax.vmap(how))(*(jnp.asarray(array) for array in given))
        assert found.boxes.shape[:2] == (2, 3)
        for row in range(6):
            alone = how(*(array[row] for array in given))
            for ours, theirs, at_once in zip(*map(jax.tree.leaves, (alone, found, inside)), strict=True):
                np.testing.assert_array_equal(ours, theirs[row // 3, row % 3])
                np.testing.assert_array_equal(ours, at_once[row])


@pytest.mark.slow
def test_what_is_masked_may_be_anything():
    boxes = np.array([[0.0, 0, 5, 5], [9, 9, 2, 2], [np.nan, 0, 5, 5], [0, 0, 5, 4]])
    scores, mask = np.array([0.5, 0.9, np.nan, 0.4]), np.array([True, False, False, True])
    for form in FORMS:
        found = Suppression(form=form)(boxes, scores, np.array([0, -9, 2**31 - 1, 0]), mask)
        assert found.boxes[found.valid].tolist() == [[0, 0, 5, 5]]


def test_what_belongs_to_the_boxes_is_taken_along():
    boxes = np.array([[[0.0, 0, 5, 5], [0, 0, 5, 4], [8, 8, 9, 9]]] * 2)
    found = Suppression().select(boxes, np.array([[0.5, 0.6, 0.1], [0.5, 0.4, 0.6]]))
    points = jnp.arange(2 * 3 * 5 * 2).reshape(2, 3, 5, 2)
    taken = found.take(points)
    assert taken.shape == points.shape and taken.dtype == points.dtype
    np.testing.assert_array_equal(taken[0, 0], points[0, 1])
    np.testing.assert_array_equal(taken[1, :2], points[1, jnp.array([2, 0])])
    np.testing.assert_array_equal(taken[:, 2], 0)


def test_gradients_flow_to_what_was_chosen():
    boxes, scores = jnp.array([[0.0, 0, 5, 5], [0, 0, 5, 4], [8, 8, 9, 9]]), jnp.array([0.5, 0.6, 0.1])
    for form in FORMS:

        def total(boxes, scores, form: Form = form):
            found = Suppression(form=form)(boxes, scores)
            return jnp.sum(found.boxes) + jnp.sum(found.scores)

        gradients = jax.grad(total, (0, 1))(boxes, scores)
        np.testing.assert_array_equal(gradients[0], np.array([[0], [1], [1]]) * np.ones(4))
        np.testing.assert_array_equal(gradients[1], [0, 1, 1])


@pytest.mark.slow
def test_the_form_is_chosen_by_size_and_changes_nothing():
    rng = np.random.default_rng(6)
    low = rng.uniform(0, 300, (600, 2))
    boxes = np.concatenate([low, low + rng.uniform(10, 90, (600, 2))], axis=-1)
    scores = rng.random(600)
    expected = plain(boxes.astype(np.float32), scores.astype(np.float32), dtype=np.float32)
    for how in ({"max_detections": None}, {"max_detections": 20}, {"max_detections": None, "form": "tiles"}):
        assert kept_of(boxes, scores, **how) == expected[: how["max_detections"]]


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"iou_threshold": 1.5}, r"iou_threshold must lie in \[0, 1\]"),
        ({"iou_threshold": float("nan")}, r"iou_threshold must lie in \[0, 1\]"),
        ({"score_threshold": float("nan")}, "no score is above NaN"),
        ({"max_detections": 0}, "max_detections must be at least 1"),
        ({"sigma": 0.0}, "sigma must be a finite number above 0"),
        ({"method": "merge", "form": "rows"}, "only hard suppression has this form"),
    ],
)
def test_settings_that_make_no_sense_are_refused(how, why: str):
    with pytest.raises(ValueError, match=why):
        Suppression(**how)


@pytest.mark.parametrize("field", ["method", "overlap", "form"])
def test_unknown_choices_are_refused(field: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    with pytest.raises(ValueError, match=f"{field} must be one of"):
        Suppression(**{field: "best"})


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ((np.zeros((3, 4)), np.zeros(2)), r"scores must be numbers of shape \(3,\)"),
        ((np.zeros((3, 4)), np.zeros((3, 1))), r"scores must be numbers of shape \(3,\)"),
        ((np.zeros((3, 4)), np.zeros(3), np.zeros(3)), r"classes must be integers of shape \(3,\)"),
        ((np.zeros((3, 4)), np.zeros(3), np.zeros(3, int), np.ones(3)), r"mask must be booleans of shape \(3,\)"),
        ((np.zeros(4), np.zeros(())), r"are one box. Give `boxes\[None\]`"),
        ((np.zeros((3, 5)), np.zeros(3)), r"boxes must be numbers of shape \(3, 4\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(given, why: str):
    with pytest.raises(ValueError, match=why):
        Suppression()(*given)
