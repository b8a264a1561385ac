"""Task-aligned matching and SimOTA, against loops in float64 that follow the papers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.geometry import SimOta, TaskAligned, centers, pairwise

CLASSES = 3


def grid() -> tuple[np.ndarray, np.ndarray]:
    """Two levels of a 64 × 64 image."""
    points, strides = [], []
    for stride in (8, 16):
        y, x = np.meshgrid(*[(np.arange(64 // stride) + 0.5) * stride] * 2, indexing="ij")
        points.append(np.stack([x, y], axis=-1).reshape(-1, 2))
        strides.append(np.full(len(points[-1]), stride))
    return np.concatenate(points).astype(np.float32), np.concatenate(strides).astype(np.float32)


POINTS, STRIDES = grid()


def scene(seed: int, rows: int = 6) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 44, (rows, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(3, 30, (rows, 2))], axis=1).astype(np.float32)
    reach = rng.uniform(2, 20, (len(POINTS), 4)).astype(np.float32)
    predicted = np.concatenate([POINTS - reach[:, :2], POINTS + reach[:, 2:]], axis=1)
    return {
        "predicted": predicted,
        "logits": rng.normal(0, 2, (len(POINTS), CLASSES)).astype(np.float32),
        "boxes": boxes,
        "classes": rng.integers(0, CLASSES, rows).astype(np.int32),
        "mask": rng.random(rows) < 0.8,
    }


def allowed_of(box: np.ndarray) -> np.ndarray:
    x, y = POINTS.astype(np.float64).T
    inside = (x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])
    middle = centers(box)
    own_cell = (np.abs(POINTS - middle) <= STRIDES[:, None] / 2).all(axis=1)
    return inside | own_cell


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x.astype(np.float64)))


def resolve(chosen: np.ndarray, preference: np.ndarray) -> np.ndarray:
    owner = np.full(chosen.shape[1], -1)
    for i in range(chosen.shape[1]):
        rows = np.flatnonzero(chosen[:, i])
        if len(rows):
            owner[i] = rows[np.argmax(preference[rows, i])]
    return owner


def task_aligned(matcher: TaskAligned, given) -> tuple[np.ndarray, np.ndarray]:
    boxes, predicted = given["boxes"].astype(np.float64), given["predicted"].astype(np.float64)
    overlap = pairwise(boxes, predicted)
    metric = sigmoid(given["logits"])[:, given["classes"]].T ** matcher.alpha * np.maximum(overlap, 1e-9) ** matcher.beta
    chosen = np.zeros(metric.shape, bool)
    for row in np.flatnonzero(given["mask"]):
        allowed = np.flatnonzero(allowed_of(boxes[row]))
        chosen[row, allowed[np.argsort(-metric[row, allowed], kind="stable")[: matcher.top]]] = True
    owner = resolve(chosen, overlap)
    quality = np.zeros(len(POINTS))
    for row in np.flatnonzero(given["mask"]):
        mine = owner == row
        if mine.any():
            quality[mine] = metric[row, mine] / metric[row, mine].max() * overlap[row, mine].max()
    return owner, quality


def sim_ota(matcher: SimOta, given) -> tuple[np.ndarray, np.ndarray]:
    boxes, predicted = given["boxes"].astype(np.float64), given["predicted"].astype(np.float64)
    overlap = pairwise(boxes, predicted)
    root = np.sqrt(sigmoid(given["logits"]))
    cost, chosen = np.full(overlap.shape, np.inf), np.zeros(overlap.shape, bool)
    for row in np.flatnonzero(given["mask"]):
        target = np.eye(CLASSES)[given["classes"][row]]
        entropy = -(target * np.log(root) + (1 - target) * np.log(1 - root)).sum(axis=1)
        central = (np.abs(POINTS - centers(boxes[row])) < matcher.radius * STRIDES[:, None]).all(axis=1)
        x, y = POINTS.astype(np.float64).T
        inside = (x > boxes[row, 0]) & (x < boxes[row, 2]) & (y > boxes[row, 1]) & (y < boxes[row, 3])
        allowed = allowed_of(boxes[row]) | central
        cost[row] = entropy - matcher.box_weight * np.log(overlap[row] + 1e-8) + 1e4 * ~(inside & central)
        best = np.sort(overlap[row, allowed])[::-1][: matcher.candidates]
        wanted = max(int(best.sum()), 1)
        places = np.flatnonzero(allowed)
        chosen[row, places[np.argsort(cost[row, places], kind="stable")[:wanted]]] = True
    owner = resolve(chosen, -cost)
    return owner, np.where(owner >= 0, overlap[owner, np.arange(len(POINTS))], 0)


def run(matcher):
    return jax.jit(lambda given: matcher(POINTS, STRIDES, **given))


@pytest.mark.parametrize(
    ("matcher", "oracle"),
    [
        (TaskAligned(), task_aligned),
        (TaskAligned(top=3, alpha=0.5), task_aligned),
        (TaskAligned(top=500, alpha=0.0, beta=2.0), task_aligned),
        (SimOta(), sim_ota),
        (SimOta(candidates=4, radius=1.5, box_weight=1.0), sim_ota),
        (SimOta(candidates=1000), sim_ota),
    ],
    ids=lambda value: getattr(value, "__name__", None) or repr(value),
)
def test_equals_a_loop_in_float64(matcher, oracle):
    match = run(matcher)
    for seed in range(25):
        given = scene(seed)
        owner, quality = oracle(matcher, given)
        found = match(given)
        assert found.quality.dtype == jnp.float32 and found.truth.dtype == jnp.int32 and not found.ignored.any()
        np.testing.assert_array_equal(found.foreground, owner >= 0)
        np.testing.assert_array_equal(found.truth, np.maximum(owner, 0))
        np.testing.assert_allclose(found.quality, quality, atol=1e-5)
        np.testing.assert_array_equal(found.missed, given["mask"] & ~np.isin(np.arange(len(given["mask"])), owner))


@pytest.mark.parametrize("matcher", [TaskAligned(), SimOta()], ids=repr)
def test_an_object_smaller_than_the_distance_of_points_has_one(matcher):
    boxes = np.array([[17, 17, 19, 19], [0, 0, 1, 1], [63, 63, 64, 64]], np.float32)
    given = scene(0, rows=3) | {"boxes": boxes, "mask": np.ones(3, bool), "classes": np.array([0, 1, 2], np.int32)}
    # Nor does anything that is predicted overlap it.
    given["predicted"] = np.broadcast_to(np.array([30, 30, 40, 40], np.float32), given["predicted"].shape)
    found = run(matcher)(given)
    assert not found.missed.any() and found.foreground.sum() >= 3


@pytest.mark.slow
@pytest.mark.parametrize("matcher", [TaskAligned(), SimOta()], ids=repr)
def test_no_objects_only_padding_and_no_points(matcher):
    match = run(matcher)
    for rows in (0, 3):
        given = scene(0, rows) | {"mask": np.zeros(rows, bool), "boxes": np.full((rows, 4), np.nan, np.float32)}
        found = match(given)
        assert not found.foreground.any() and not found.missed.any() and found.background.all()
        assert np.isfinite(found.quality).all()
    given = scene(1) | {"predicted": np.zeros((0, 4), np.float32), "logits": np.zeros((0, 3), np.float32)}
    found = matcher(POINTS[:0], STRIDES[:0], **given)
    np.testing.assert_array_equal(found.missed, given["mask"])


@pytest.mark.parametrize("matcher", [TaskAligned(), SimOta()], ids=repr)
def test_what_padding_holds_does_not_matter(matcher):
    match, given = run(matcher), scene(4)
    expected = match(given)
    for padding in (np.nan, np.inf, 1e30, -3.0):
        other = given | {"boxes": np.where(given["mask"][:, None], given["boxes"], np.float32(padding))}
        other["classes"] = np.where(given["mask"], given["classes"], -1).astype(np.int32)
        jax.tree.map(np.testing.assert_array_equal, match(other), expected)


@pytest.mark.parametrize("matcher", [TaskAligned(), SimOta()], ids=repr)
def test_a_network_that_has_diverged_is_matched_without_nan(matcher):
    given = scene(5)
    for value in (np.nan, np.inf, -np.inf):
        odd = np.arange(len(POINTS))[:, None] % 2
        broken = {name: np.where(odd, given[name], np.float32(value)) for name in ("predicted", "logits")}
        found = run(matcher)(given | broken)
        assert np.isfinite(found.quality).all() and (found.truth < 6).all()
    sure = given | {"logits": np.where(given["logits"] > 0, 1e4, -1e4).astype(np.float32)}
    found = run(matcher)(sure)
    assert np.isfinite(found.quality).all() and found.foreground.any()


@pytest.mark.parametrize("matcher", [TaskAligned(), SimOta()], ids=repr)
def test_no_derivative_flows_through_the_choice(matcher):
    given = scene(6)

    def quality(predicted, logits):
        return jnp.sum(matcher(POINTS, STRIDES, **(given | {"predicted": predicted, "logits": logits})).quality)

    gradients = jax.jit(jax.grad(quality, argnums=(0, 1)))(jnp.asarray(given["predicted"]), jnp.asarray(given["logits"]))
    assert not any(np.asarray(each).any() for each in gradients)


@pytest.mark.parametrize("matcher", [TaskAligned(), SimOta()], ids=repr)
def test_wrong_shapes_and_fields_are_refused(matcher):
    given, owner = scene(7), type(matcher).__name__
    for name, wrong in (
        ("predicted", given["predicted"][1:]),
        ("logits", given["logits"][:, 0]),
        ("boxes", given["boxes"][None]),
        ("classes", given["classes"][:3]),
        ("classes", given["classes"].astype(np.float32)),
        ("mask", given["mask"].astype(np.int32)),
    ):
        with pytest.raises(ValueError, match=rf"^{owner}: (labels|{name}) must be"):
            matcher(POINTS, STRIDES, **(given | {name: wrong}))
    with pytest.raises(ValueError, match="has no area"):
        matcher(POINTS, STRIDES, **(given | {"boxes": np.zeros((6, 4), np.float32)}))


def test_wrong_numbers_are_refused():
    for build, said in (
        (lambda: TaskAligned(top=0), "top must be at least 1"),
        (lambda: TaskAligned(alpha=-1.0), "alpha must be a finite number, at least 0"),
        (lambda: TaskAligned(beta=0.0), "beta must be a finite number above 0"),
        (lambda: SimOta(candidates=0), "candidates must be at least 1"),
        (lambda: SimOta(radius=0.0), "radius must be"),
        (lambda: SimOta(box_weight=float("nan")), "box_weight must be"),
    ):
        with pytest.raises(ValueError, match=said):
            build()
