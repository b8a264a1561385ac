"""Heads that look at regions: three regimes of one head, what is drawn, what is meant, and where no derivative goes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.detectors import (
    CanvasPlaces,
    CropFeatures,
    DetectionHead,
    LearnedDetector,
    Learning,
    Objects,
    RegionHead,
    Regions,
    RoiHead,
    Rpn,
    Segmented,
    SharedFeatures,
    detect,
)
from likeness.research.detectors.learned import look, maps_of
from likeness.research.detectors.regions import searched
from likeness.research.detectors.roi_head import SaidOfRegions
from likeness.research.encoders import PatchPyramid
from likeness.research.geometry import BalancedSample, SelectiveSearch, Suppression, pairwise
from likeness.research.geometry.codecs import BoxDeltas
from likeness.research.synthetic.shapes import draw_shapes

SIZE = (64, 64)
ENCODER = PatchPyramid(patch=4, widths=(8, 8), blocks=(0, 0), pyramid_width=8)
SEARCH = SelectiveSearch(colors=("rgb",), scales=(100.0,), limit=12)
SMALL = {"width": 16, "sample": BalancedSample(size=8, foreground_fraction=0.5)}
FASTER = RoiHead(
    proposals=Rpn(width=8, candidates=50, suppression=Suppression(iou_threshold=0.7, max_detections=20, class_agnostic=True)),
    **SMALL,
)
FAST = RoiHead(proposals=Segmented(search=SEARCH), **SMALL)
CROPS = RoiHead(proposals=Segmented(search=SEARCH), features=CropFeatures(side=32), **SMALL)
HEADS = {"faster": FASTER, "fast": FAST, "crops": CROPS}
DRAWN = draw_shapes(4, np.random.default_rng(0))
IMAGES = jnp.asarray(DRAWN.images, jnp.float32) / 255
OBJECTS = Objects(DRAWN.boxes, DRAWN.classes.astype(np.int32), DRAWN.mask)
NOTHING = Objects(np.full_like(DRAWN.boxes, np.nan), OBJECTS.classes, np.zeros_like(DRAWN.mask))


def variables_of(head):
    activations, encoder = ENCODER.init_with_output(jax.random.key(0), jnp.zeros((1, *SIZE, 3)))
    maps = maps_of(ENCODER, head, activations)
    return {"encoder": dict(encoder), "head": dict(head.network(3).init(jax.random.key(1), maps))}


def given(head, valid=True):
    if head.search is None:
        return None
    regions = searched(head.search, DRAWN.images)
    return regions if valid else Regions(jnp.full_like(regions.boxes, jnp.nan), jnp.zeros_like(regions.valid))


def cost_of(head, variables, objects=OBJECTS, proposals=None, images=IMAGES):
    looked = look(ENCODER, head, variables, images, 3, proposals, Learning(objects, jax.random.key(2)))
    return head.cost(looked.said, SIZE, objects), looked


@pytest.mark.slow
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_every_regime_learns_all_of_its_weights(head):
    assert isinstance(head, RegionHead) and isinstance(head, DetectionHead)
    variables, proposals = variables_of(head), given(head)

    @jax.jit
    def slope_of(params):
        joined = {part: {**own, "params": params[part]} for part, own in variables.items()}
        (value, parts), looked = cost_of(head, joined, proposals=proposals)
        return value, (parts, looked)

    params = {part: own["params"] for part, own in variables.items()}
    (value, (parts, looked)), slope = jax.value_and_grad(slope_of, has_aux=True)(params)
    assert value.dtype == jnp.float32 and np.isfinite(value)
    assert {"class_loss", "box_loss", "rois", "foreground", "missed", "accuracy"} <= set(parts)
    assert ("rpn_objectness_loss" in parts) == (head is FASTER)
    assert looked.said.drawn.boxes.shape == (4, 8, 4)
    before, after = variables["encoder"]["batch_stats"], looked.state["encoder"]["batch_stats"]
    assert jax.tree.structure(before) == jax.tree.structure(after)
    assert any(jax.tree.leaves(jax.tree.map(lambda a, b: bool(np.any(a != b)), before, after)))
    still = [jax.tree_util.keystr(path) for path, leaf in jax.tree_util.tree_leaves_with_path(slope) if not jnp.any(leaf != 0)]
    assert not still


@pytest.mark.slow
@pytest.mark.parametrize("valid", [True, False])
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_images_without_objects_or_proposals_cost_a_finite_amount(head, valid):
    """What is undefined is NaN here, and reaches neither the value nor a gradient."""
    variables, proposals = variables_of(head), given(head, valid)

    def value_of(params):
        joined = {part: {**own, "params": params[part]} for part, own in variables.items()}
        return cost_of(head, joined, NOTHING, proposals)[0][0]

    value, slope = jax.jit(jax.value_and_grad(value_of))({part: own["params"] for part, own in variables.items()})
    assert np.isfinite(value)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slope))


def test_no_derivative_goes_through_proposals():
    """With the proposing network's own cost switched off, nothing of it learns from the second stage."""
    head = dataclasses.replace(FASTER, proposals=dataclasses.replace(FASTER.proposals, objectness_weight=0.0, box_weight=0.0))
    variables = variables_of(head)

    def value_of(own):
        params = {**variables["head"]["params"], "rpn": own}
        return cost_of(head, {**variables, "head": {**variables["head"], "params": params}})[0][0]

    slope = jax.jit(jax.grad(value_of))(variables["head"]["params"]["rpn"])
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(slope))


@pytest.mark.slow
def test_crops_of_the_encoders_own_size_are_what_the_encoder_sees_of_them():
    features = CropFeatures(side=32, context=0.0)
    head, rng = dataclasses.replace(CROPS, features=features, parts=8), np.random.default_rng(0)
    corners = rng.integers(0, 64 - 32, (4, 5, 2))
    regions = Regions(np.concatenate([corners, corners + 32], axis=-1).astype(np.float32), np.ones((4, 5), bool))
    variables = variables_of(head)
    said = look(ENCODER, head, variables, IMAGES, 3, regions).said
    cut = np.stack([IMAGES[i, y : y + 32, x : x + 32] for i in range(4) for x, y in corners[i].tolist()])
    maps = ENCODER.apply(variables["encoder"], cut)[head.map].reshape(4, 5, 8, 8, -1)
    logits, deltas = head.network(3).apply(variables["head"], maps, method="judge")
    np.testing.assert_allclose(said.logits, logits, atol=1e-5)
    np.testing.assert_allclose(said.deltas, deltas, atol=1e-6)


@pytest.mark.slow
def test_context_is_what_is_around_a_region():
    """A crop with context is the crop of the larger box."""
    variables = variables_of(CROPS)
    boxes = np.array([[[20.0, 24.0, 40.0, 34.0]]] * 4, np.float32)
    grown = np.array([[[16.0, 22.0, 44.0, 36.0]]] * 4, np.float32)
    said = []
    for box, context in ((boxes, 0.2), (grown, 0.0)):
        head = dataclasses.replace(CROPS, features=CropFeatures(side=32, context=context))
        said.append(look(ENCODER, head, variables, IMAGES, 3, Regions(box, np.ones((4, 1), bool))).said)
    np.testing.assert_allclose(said[0].logits, said[1].logits, atol=1e-5)


@pytest.mark.slow
def test_shared_features_are_the_same_wherever_the_map_comes_from():
    variables = variables_of(FAST)
    proposals = given(FAST)
    once = look(ENCODER, FAST, variables, IMAGES, 3, proposals).said
    alone = [
        look(ENCODER, FAST, variables, IMAGES[row : row + 1], 3, Regions(*(each[row : row + 1] for each in proposals))).said
        for row in range(4)
    ]
    np.testing.assert_allclose(once.logits, np.concatenate([each.logits for each in alone]), atol=1e-5)


@pytest.mark.slow
def test_a_candidate_is_a_region_moved_with_the_probability_of_a_class():
    codec, truth = BoxDeltas(weights=(10.0, 10.0, 5.0, 5.0)), OBJECTS.boxes[:, :1]
    regions = Regions(truth + np.float32([2, -1, 3, 2]), np.array([[True], [True], [True], [False]]))
    logits = jnp.log(jnp.array([0.1, 0.6, 0.2, 0.1]))[None, None].repeat(4, 0)
    said = SaidOfRegions(regions, logits, jnp.asarray(codec.encode(jnp.asarray(truth), jnp.asarray(regions.boxes))))
    found = FAST.candidates(said, SIZE)
    assert found.boxes.shape == (4, 3, 4)
    np.testing.assert_allclose(found.boxes[:3, 1], truth[:3, 0], atol=1e-3)
    np.testing.assert_allclose(found.scores[:3], [[0.1, 0.6, 0.2]] * 3, rtol=1e-5)
    np.testing.assert_array_equal(found.classes, [[0, 1, 2]] * 4)
    # What is no region is never chosen.
    kept = Suppression(score_threshold=None)(found.boxes, found.scores, found.classes)
    assert np.asarray(kept.valid).any(axis=1).tolist() == [True, True, True, False]
    assert found.proposals is regions


def test_the_network_proposes_the_likeliest_anchors_where_it_moves_them():
    """D-q: of a fixed size under jit, and equal to what a loop over all anchors keeps."""
    rpn = Rpn(candidates=60, suppression=Suppression(iou_threshold=0.6, max_detections=25, class_agnostic=True))
    rng = np.random.default_rng(3)
    said = np.concatenate([rng.normal(size=(2, 16, 16, 9, 1)), rng.normal(0, 0.3, (2, 16, 16, 9, 4))], axis=-1)
    found = jax.jit(lambda said: rpn.proposed(said, SIZE))(said.astype(np.float32))
    assert found.boxes.shape == (2, 25, 4) and found.valid.shape == (2, 25)
    boxes = np.clip(np.asarray(rpn.loss(4).boxes([said.astype(np.float32)])), 0, 64)
    for row in range(2):
        kept: list[np.ndarray] = []
        for place in np.argsort(-said[row, ..., 0].ravel().astype(np.float32), kind="stable")[:60]:
            box = boxes[row, place]
            if (box[2:] - box[:2] >= 1).all() and (
                not kept or np.asarray(pairwise(box[None].astype(np.float64), np.array(kept, np.float64))).max() <= 0.6
            ):
                kept.append(box)
        own = np.asarray(found.boxes[row])[np.asarray(found.valid[row])]
        np.testing.assert_allclose(own, np.array(kept)[:25], atol=1e-4)
        assert (own >= 0).all() and (own <= 64).all()


@pytest.mark.slow
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_every_regime_is_a_detector_in_one_program(head):
    model = LearnedDetector(encoder=ENCODER, head=head, size=SIZE, class_names=("disk", "box", "triangle"))
    places = CanvasPlaces.of([model.placement((128, 96)), *[model.placement((64, 64))] * 3])
    variables = variables_of(head)
    program = jax.jit(lambda images: detect(model, variables, images, places, Suppression(score_threshold=0.0)))
    found = program(DRAWN.images)
    assert np.asarray(found.valid).any()
    assert (np.asarray(found.boxes)[0] <= [96, 128, 96, 128]).all()
    candidates = jax.jit(lambda images: model.candidates(variables, images))(DRAWN.images)
    limit = 20 if head is FASTER else SEARCH.limit
    assert candidates.proposals is not None and candidates.proposals.boxes.shape == (4, limit, 4)
    assert candidates.scores.shape == (4, 3 * limit)


def test_what_is_searched_in_a_program_is_what_is_searched_outside():
    found = jax.jit(lambda images: searched(SEARCH, images))(DRAWN.images)
    for row in range(4):
        alone = SEARCH(DRAWN.images[row])
        np.testing.assert_array_equal(np.asarray(found.boxes[row])[np.asarray(found.valid[row])], alone)


@pytest.mark.slow
def test_the_same_key_draws_the_same_regions():
    variables, proposals = variables_of(FAST), given(FAST)
    drawn = [
        look(ENCODER, FAST, variables, IMAGES, 3, proposals, Learning(OBJECTS, jax.random.key(seed))).said.drawn.boxes
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (np.asarray(drawn[0]) != np.asarray(drawn[2])).any()


def test_regimes_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match=r"crops have none. Give proposals=Segmented\(\)"):
        RoiHead(proposals=Rpn(), features=CropFeatures())
    with pytest.raises(ValueError, match="there are no proposals of a segmentation"):
        look(ENCODER, FAST, variables_of(FAST), IMAGES, 3)
    said = look(ENCODER, FAST, variables_of(FAST), IMAGES, 3, given(FAST)).said
    with pytest.raises(ValueError, match="nothing was drawn to learn from"):
        FAST.cost(said, SIZE, OBJECTS)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (RoiHead, {"parts": 0}),
        (RoiHead, {"width": 0}),
        (RoiHead, {"class_weight": -1.0}),
        (Rpn, {"candidates": 0}),
        (Rpn, {"width": 0}),
        (Rpn, {"anchors": ()}),
        (Rpn, {"box_weight": -1.0}),
        (CropFeatures, {"side": 0}),
        (CropFeatures, {"context": -0.1}),
        (SharedFeatures, {"sampling_ratio": -1}),
    ],
)
def test_fields_out_of_range_are_refused(kind, fields):
    with pytest.raises(ValueError):
        kind(**fields)
