"""Heads: what they mean by what they say, what that costs, and that the least cost is the truth."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.experiments.config import load
from likeness.research.data.detection import Shapes
from likeness.research.detectors.course_yolo import CourseYoloHead
from likeness.research.detectors.heads import AnchorFreeHead, DetectionHead, Objects, strides_of
from likeness.research.detectors.learned import LearnedDetector, maps_of
from likeness.research.detectors.localization import LocalizationHead
from likeness.research.detectors.protocol import CanvasPlaces, DetectionModel, detect
from likeness.research.detectors.yolo import YoloHead
from likeness.research.encoders import PatchPyramid
from likeness.research.errors import UserError
from likeness.research.geometry import kmeans_anchors, mean_best_iou
from likeness.research.losses.detection.localization import CourseLocalizationLoss

SIZE = (64, 64)
BOXES = jnp.array([[[10.0, 12.0, 30.0, 40.0], [40.0, 36.0, 60.0, 60.0]], [[20.0, 8.0, 44.0, 30.0], [0.0, 0.0, 0.0, 0.0]]])
OBJECTS = Objects(BOXES, jnp.array([[1, 0], [2, 0]]), jnp.array([[True, True], [True, False]]))
POINTS = jnp.stack([BOXES[..., :2] + 3.0, BOXES[..., 2:] - 4.0], axis=2)
ENCODER = PatchPyramid(patch=4, widths=(8, 8), blocks=(0, 0), pyramid_width=8)
HEADS = {
    "anchor_free": AnchorFreeHead(maps=("pyramid4", "pyramid8"), width=8),
    "anchor_free_landmarks": AnchorFreeHead(maps=("pyramid4", "pyramid8"), width=8, points=2),
    "yolo_course": CourseYoloHead(map="stage8", width=8),
    "yolo": YoloHead(
        maps=("pyramid4", "pyramid8"), anchors=(((12.0, 12.0), (24.0, 12.0)), ((14.0, 26.0), (24.0, 24.0))), width=8
    ),
    "localization": LocalizationHead(map="stage8", width=16),
    "course_localization": LocalizationHead(map="stage8", width=16, loss=CourseLocalizationLoss()),
    "landmarks": LocalizationHead(map="stage8", width=16, points=2),
    "votes": LocalizationHead(map="pyramid4", reading="votes", width=8, points=2),
}


def said_before_learning(head, images=2):
    activations = jax.eval_shape(lambda: ENCODER.init_with_output(jax.random.key(0), jnp.zeros((images, *SIZE, 3))))[0]
    maps = [jnp.zeros(activations[name].shape) for name in head.maps]
    return head.network(3).init_with_output(jax.random.key(0), maps)[0]


@pytest.mark.slow
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_what_costs_least_is_what_is_there(head):
    """By gradient descent on the numbers themselves: the surest candidates become the objects, with their classes."""
    assert isinstance(head, DetectionHead)
    objects = OBJECTS._replace(points=POINTS) if getattr(head, "points", 0) else OBJECTS

    @jax.jit
    def step(said, mean, square, i):
        value, slope = jax.value_and_grad(lambda said: head.cost(said, SIZE, objects)[0])(said)
        mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, slope)
        square = jax.tree.map(lambda s, g: 0.99 * s + 0.01 * g * g, square, slope)
        rate = 0.1 * jnp.minimum(1.0, 40.0 / (i + 1))
        said = jax.tree.map(lambda x, m, s: x - rate * m / (jnp.sqrt(s) + 1e-6), said, mean, square)
        return said, mean, square, value

    said = said_before_learning(head)
    mean = square = jax.tree.map(jnp.zeros_like, said)
    first = float(head.cost(said, SIZE, objects)[0])
    value = jnp.inf
    for i in range(600):
        said, mean, square, value = step(said, mean, square, i)
    assert float(value) < 0.2 * first
    found = head.candidates(said, SIZE)
    for image, count in enumerate([1, 1] if isinstance(head, LocalizationHead) else [2, 1]):
        for row in range(count):
            near = jnp.abs(found.boxes[image] - BOXES[image, row]).max(axis=1)
            mine = jnp.where(found.classes[image] == OBJECTS.classes[image, row], found.scores[image], -1.0)
            best = int(jnp.argmax(jnp.where(near < 2.0, mine, -1.0)))
            assert float(near[best]) < 2.0
            assert float(mine[best]) > 0.6
            if found.landmarks is not None:
                np.testing.assert_allclose(found.landmarks[image, best], POINTS[image, row], atol=1.5)


@pytest.mark.slow
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_images_without_objects_cost_a_finite_amount_with_a_finite_gradient(head):
    said = said_before_learning(head)
    nothing = Objects(jnp.full_like(BOXES, jnp.nan), OBJECTS.classes, jnp.zeros((2, 2), bool), jnp.full_like(POINTS, jnp.nan))
    (value, parts), slope = jax.value_and_grad(lambda said: head.cost(said, SIZE, nothing), has_aux=True)(said)
    assert np.isfinite(value)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((slope, dict(parts))))


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_nothing_is_learned_from_images_all_of_which_is_ignored(head):
    """Whichever row says so; the other is padding."""
    said = [one + 0.3 * jax.random.normal(jax.random.key(5), one.shape) for one in said_before_learning(head)]
    rows = jnp.array([[True, False], [False, True]])
    whole = jnp.where(rows[..., None], jnp.array([0.0, 0.0, *SIZE]), jnp.nan)
    points = POINTS if getattr(head, "points", 0) else None
    objects = Objects(whole, OBJECTS.classes, jnp.zeros((2, 2), bool), points, rows)
    slope = jax.grad(lambda said: head.cost(said, SIZE, objects)[0])(said)
    assert not any(np.asarray(leaf).any() for leaf in jax.tree.leaves(slope))
    slope = jax.grad(lambda said: head.cost(said, SIZE, objects._replace(ignored=None))[0])(said)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slope))
    assert any(np.asarray(leaf).any() for leaf in jax.tree.leaves(slope))


@pytest.mark.parametrize("name", ["localization", "course_localization", "landmarks"])
def test_localization_means_the_first_object_that_is_to_be_found(name):
    head = HEADS[name]
    said = said_before_learning(head)
    points = POINTS if head.points else None
    plain = OBJECTS._replace(points=points)
    order = jnp.array([[1, 0], [1, 0]])
    turned = Objects(
        *(
            None if each is None else jnp.take_along_axis(each, order.reshape(2, 2, *(1,) * (each.ndim - 2)), axis=1)
            for each in plain
        )
    )
    hidden = turned._replace(mask=jnp.array([[False, True], [False, True]]), ignored=jnp.array([[True, False], [False, False]]))
    jax.tree.map(np.testing.assert_array_equal, head.cost(said, SIZE, hidden), head.cost(said, SIZE, plain))


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_a_learned_detector_is_a_model_that_finds_in_pixels_of_the_image(head):
    images = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3)).astype(np.uint8)
    activations, encoder = ENCODER.init_with_output(jax.random.key(0), jnp.zeros((1, *SIZE, 3)))
    maps = maps_of(ENCODER, head, activations)
    variables = {"encoder": encoder, "head": head.network(3).init(jax.random.key(1), maps)}
    model = LearnedDetector(encoder=ENCODER, head=head, size=SIZE, class_names=("a", "b", "c"))
    assert isinstance(model, DetectionModel)
    places = CanvasPlaces.of([model.placement((128, 96)), model.placement((30, 60))])
    found = jax.jit(lambda: detect(model, variables, images, places, model.suppression))()
    assert found.boxes.shape[-1] == 4
    assert found.valid.dtype == bool
    assert (np.asarray(found.boxes)[0] <= [96, 128, 96, 128]).all()
    assert (found.landmarks is not None) == bool(getattr(head, "points", 0))


def test_a_map_that_there_is_not_is_named():
    head = AnchorFreeHead(maps=("stage16",))
    with pytest.raises(
        UserError, match=r"AnchorFreeHead.maps asks for 'stage16', and PatchPyramid has no such map, only input, "
    ):
        maps_of(ENCODER, head, ENCODER.init_with_output(jax.random.key(0), jnp.zeros((1, *SIZE, 3)))[0])


def test_strides_are_read_off_the_maps():
    maps = [jnp.zeros((1, 16, 8, 2)), jnp.zeros((1, 8, 4, 2))]
    assert strides_of("Some", maps, (64, 32)) == (4, 8)
    with pytest.raises(ValueError, match="Some: a map of 16×8 places does not lie evenly over images of 64×64 pixels"):
        strides_of("Some", maps, (64, 64))


@pytest.mark.parametrize("fields", [{"maps": ()}, {"prior": 0.0}, {"side": 0.0}, {"box_weight": -1.0}])
def test_an_anchor_free_head_without_sense_is_refused(fields):
    with pytest.raises(ValueError, match=r"AnchorFree"):
        AnchorFreeHead(**fields)


def test_landmarks_that_the_data_do_not_have_are_asked_for():
    for head, said in ((LocalizationHead(points=5), jnp.zeros((2, 18))), (AnchorFreeHead(points=5), jnp.zeros((2, 8, 8, 17)))):
        with pytest.raises(UserError, match="points is 5, and objects of these data have 0 landmarks"):
            head.cost([said], SIZE, OBJECTS)
        with pytest.raises(UserError, match="points is 5, and objects of these data have 2 landmarks"):
            head.cost([said], SIZE, OBJECTS._replace(points=POINTS))


def test_votes_for_the_sides_are_a_center_and_a_size():
    """[p_c, left, top, right, bottom, classes] in shares of 64 × 128 pixels."""
    head = LocalizationHead(reading="votes")
    said = [jnp.array([[3.0, 0.25, 0.5, 0.75, 0.625, 0.0, 2.0, 1.0]])]
    found = head.candidates(said, (64, 128))
    np.testing.assert_allclose(found.boxes[0, 0], [32.0, 32.0, 96.0, 40.0])
    np.testing.assert_allclose(found.scores[0, 0], 1 / (1 + np.exp(-3.0)), rtol=1e-6)
    assert int(found.classes[0, 0]) == 1
    exact = Objects(found.boxes, found.classes, jnp.array([[True]]))
    assert float(head.cost(said, (64, 128), exact)[1]["box_loss"]) < 1e-12


YOLO = HEADS["yolo"]


@pytest.mark.slow
def test_yolo_says_what_its_formulas_say():
    """Anchor by anchor in NumPy: b = c + s σ(t), p exp(t), σ(t_o) σ(s_c); first all anchors of the finer map."""
    rng = np.random.default_rng(0)
    said = [rng.normal(size=(1, side, side, 2 * (5 + 3))).astype(np.float32) for side in (4, 2)]
    found = YOLO.candidates([jnp.asarray(one) for one in said], (32, 32))
    boxes, scores, classes = [], [], []
    for one, stride, anchors in zip(said, (8, 16), YOLO.anchors, strict=True):
        one = one.astype(np.float64)
        for row, column in np.ndindex(one.shape[1:3]):
            for number, (width, height) in enumerate(anchors):
                objectness, x, y, w, h = one[0, row, column, 5 * number : 5 * number + 5]
                middle = stride * (np.array([column, row]) + 1 / (1 + np.exp(-np.array([x, y]))))
                half = np.array([width * np.exp(w), height * np.exp(h)]) / 2
                for label in range(3):
                    logit = one[0, row, column, 10 + 3 * number + label]
                    boxes.append([*(middle - half), *(middle + half)])
                    scores.append(1 / (1 + np.exp(-objectness)) / (1 + np.exp(-logit)))
                    classes.append(label)
    np.testing.assert_allclose(found.boxes[0], boxes, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found.scores[0], scores, rtol=1e-5)
    np.testing.assert_array_equal(found.classes[0], classes)


@pytest.mark.slow
def test_the_slope_of_yolo_is_that_of_finite_differences():
    said = [one + 0.3 * jax.random.normal(jax.random.key(7), one.shape) for one in said_before_learning(YOLO)]
    keys = iter(jax.random.split(jax.random.key(3), 2))
    along = [jax.random.normal(next(keys), one.shape) for one in said]
    cost = jax.jit(lambda t: YOLO.cost([one + t * way for one, way in zip(said, along, strict=True)], SIZE, OBJECTS)[0])
    slope, step = float(jax.grad(cost)(0.0)), 1e-3
    assert slope == pytest.approx(float(cost(step) - cost(-step)) / (2 * step), rel=1e-2)


@pytest.mark.parametrize(
    "fields",
    [
        {"maps": ()},
        {"anchors": (((8.0, 8.0),),)},
        {"anchors": (((8.0, 8.0),), ((8.0, 8.0), (4.0, 4.0)))},
        {"anchors": ((), ())},
        {"anchors": (((8.0, -8.0),), ((8.0, 8.0),))},
        {"prior": 1.0},
        {"width": 0},
        {"class_weight": -1.0},
        {"ignore_threshold": 2.0},
    ],
)
def test_a_yolo_head_without_sense_is_refused(fields):
    with pytest.raises(ValueError, match=r"YoloHead|YoloV3Loss|AnchorGrid"):
        dataclasses.replace(YOLO, **fields)


@pytest.mark.slow
def test_the_anchors_of_the_shapes_fit_as_well_as_any():
    """Those of ``detection/yolo_shapes``: on other boxes of the same kind the best six by k-means are no better."""
    examples = Shapes(train=2000, validation=1, test=1, seed=3).open()
    sides = examples.boxes[:, 2:] - examples.boxes[:, :2]
    head = load("detection/yolo_shapes").experiment.head
    own = np.array([shape for level in head.anchors for shape in level])
    assert mean_best_iou(sides, own) > kmeans_anchors(sides, k=6, restarts=1).mean_iou - 0.01
