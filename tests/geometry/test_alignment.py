import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.geometry import Crop, Similarity, crop, fit_similarity

FACE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])


def turned(degrees: float, scale: float, right: float = 0.0, down: float = 0.0) -> Similarity:
    angle = np.deg2rad(degrees)
    a, b, right, down = (float(value) for value in (scale * np.cos(angle), scale * np.sin(angle), right, down))
    return Similarity(a=a, b=b, right=right, down=down)


def umeyama(points: np.ndarray, template: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Equations 38 to 43 of the paper: the matrix and the shift."""
    p, q = points - points.mean(0), template - template.mean(0)
    u, d, vt = np.linalg.svd(q.T @ p / len(p))
    sign = np.diag([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    scale = np.trace(np.diag(d) @ sign) / np.mean((p**2).sum(1))
    matrix = scale * u @ sign @ vt
    return matrix, template.mean(0) - matrix @ points.mean(0)


def bilinear(image: np.ndarray, x: float, y: float) -> np.ndarray:
    """One place of an image in float64, black outside."""
    i, j = int(np.floor(y)), int(np.floor(x))
    total = np.zeros(image.shape[-1])
    for row, column, share in (
        (i, j, (1 - (y - i)) * (1 - (x - j))),
        (i, j + 1, (1 - (y - i)) * (x - j)),
        (i + 1, j, (y - i) * (1 - (x - j))),
        (i + 1, j + 1, (y - i) * (x - j)),
    ):
        if 0 <= row < image.shape[0] and 0 <= column < image.shape[1]:
            total += share * image[row, column]
    return total


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).uniform(size=shape)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("mirror", [1.0, -1.0])
def test_the_fit_is_umeyama_s(seed: int, mirror: float):
    rng = np.random.default_rng(seed)
    points = FACE * [mirror, 1.0] * rng.uniform(0.2, 5) + rng.normal(size=(5, 2)) * 3 + rng.normal(size=2) * 50
    points = turned(rng.uniform(-180, 180), 1.0)(points)
    matrix, shift = umeyama(points, FACE)
    fitted = fit_similarity(points, FACE)
    np.testing.assert_allclose(fitted(points), points @ matrix.T + shift, rtol=1e-9)
    np.testing.assert_allclose(fitted.scale, np.sqrt(np.linalg.det(matrix)), rtol=1e-9)


def test_the_fit_is_the_least_squares_solution_and_leaves_no_gradient():
    points = FACE * 2.3 + np.random.default_rng(5).normal(size=FACE.shape) * 4
    x, y, one, none = points[:, 0], points[:, 1], np.ones(5), np.zeros(5)
    system = np.concatenate([np.stack([x, -y, one, none], 1), np.stack([y, x, none, one], 1)])
    best = np.linalg.lstsq(system, FACE.T.ravel(), rcond=None)[0]
    fitted = fit_similarity(points, FACE)
    np.testing.assert_allclose([fitted.a, fitted.b, fitted.right, fitted.down], best, rtol=1e-9)


@pytest.mark.parametrize("truth", [turned(0, 1), turned(30, 0.4, 5, -7), turned(-100, 3, 100, 2), turned(180, 1)])
def test_moved_points_are_found_again_and_the_inverse_leads_back(truth: Similarity):
    fitted = fit_similarity(FACE, truth(FACE))
    np.testing.assert_allclose(fitted(FACE), truth(FACE), atol=1e-9)
    np.testing.assert_allclose(truth.inverse()(truth(FACE)), FACE, atol=1e-9)
    second = turned(70, 0.3, -4, 9)
    np.testing.assert_allclose(second.after(truth)(FACE), second(truth(FACE)), atol=1e-9)
    assert truth.inverse().scale == pytest.approx(1 / truth.scale)
    assert np.cos(fitted.angle - truth.angle) == pytest.approx(1)


@pytest.mark.parametrize(
    ("points", "template", "why"),
    [
        (FACE[:1], FACE[:1], "not to 1 points"),
        (FACE, FACE[:4], "not to 5 points and 4"),
        (FACE * 0 + 7, FACE, r"All 5 points are at \(7, 7\)"),
        (FACE * 0, FACE, r"All 5 points are at \(0, 0\)"),
        (1e6 + 1e-3 * FACE, FACE, "All 5 points are at"),
        (np.where(FACE[0] == FACE, np.nan, FACE), FACE, "finite points"),
        (np.array([[0.0, 0], [2, 0], [2, 2], [0, 2]]), np.array([[2.0, 0], [0, 0], [0, 2], [2, 2]]), "no angle better"),
        (FACE, FACE * 0, "no angle better"),
    ],
)
def test_degenerate_points_are_refused(points: np.ndarray, template: np.ndarray, why: str):
    with pytest.raises(ValueError, match=why):
        fit_similarity(points.astype(np.float64), template.astype(np.float64))


@pytest.mark.parametrize("values", [(0.0, 0.0), (np.inf, 0.0), (1.0, np.nan)])
def test_what_is_no_similarity_is_refused(values: tuple[float, float]):
    with pytest.raises(ValueError, match="is no similarity"):
        Similarity(a=values[0], b=values[1])


@pytest.mark.parametrize("move", [turned(0, 1), turned(25, 0.6, 2, 1), turned(-50, 1.7, -2, 11), turned(10, 3.2, 1, -2)])
def test_a_crop_equals_the_oracle(move: Similarity):
    image = noise(14, 17, 3)
    n = max(1, int(np.ceil(move.scale)))
    inside = (np.arange(n) + 0.5) / n - 0.5
    expected = np.zeros((5, 6, 3))
    for i, j in np.ndindex(5, 6):
        spots = move(np.array([[j + dx, i + dy] for dx in inside for dy in inside]))
        expected[i, j] = np.mean([bilinear(image, x, y) for x, y in spots], axis=0)
    np.testing.assert_allclose(crop(move, (14, 17), (5, 6))(image[None])[0], expected, rtol=1e-5, atol=1e-6)


def test_shrinking_by_a_whole_number_takes_the_mean_of_blocks():
    image = noise(12, 20, 3)
    blocks = image.reshape(3, 4, 5, 4, 3).mean(axis=(1, 3))
    taken = crop(Similarity(a=4.0, b=0.0, right=1.5, down=1.5), (12, 20), (3, 5))(image[None])[0]
    np.testing.assert_allclose(taken, blocks, rtol=1e-5)


def test_the_same_place_is_the_same_image_and_a_quarter_turn_turns_it():
    image = noise(6, 6, 2).astype(np.float32)
    np.testing.assert_array_equal(crop(turned(0, 1), (6, 6), (6, 6))(image[None])[0], image)
    quarter = crop(Similarity(a=0.0, b=1.0, right=5.0), (6, 6), (6, 6))(image[None])[0]
    np.testing.assert_allclose(quarter, np.rot90(image), rtol=1e-6)


def test_weights_add_to_one_inside_and_outside_is_black():
    inside = crop(turned(20, 2, 10, 10), (40, 40), (8, 8))
    np.testing.assert_allclose(inside.weight.sum(-1), 1, rtol=1e-6)
    assert inside.index.min() >= 0 and inside.index.max() < 1600
    away = crop(Similarity(a=1.0, b=0.0, right=100.0), (8, 8), (4, 4))
    np.testing.assert_array_equal(away(np.ones((1, 8, 8, 3), np.float32)), 0)


@pytest.mark.slow
def test_the_derivative_is_the_transpose_under_jit():
    cut = crop(turned(33, 1.4, 1, 3), (9, 8), (4, 5))
    x, direction = (jnp.asarray(noise(2, 9, 8, 3) + shift, jnp.float32) for shift in (0, 0.3))
    weight = jnp.asarray(noise(2, 4, 5, 3), jnp.float32)
    gradient = jax.jit(jax.grad(lambda x, cut: jnp.sum(weight * cut(x))))(x, cut)
    np.testing.assert_allclose(jnp.sum(gradient * direction), jnp.sum(weight * cut(direction)), rtol=1e-5)
    matrix = np.zeros((20, 72))
    for k in range(cut.index.shape[-1]):
        np.add.at(matrix, (np.arange(20), cut.index.reshape(20, -1)[:, k]), cut.weight.reshape(20, -1)[:, k])
    expected = np.einsum("op,boc->bpc", matrix, np.asarray(weight).reshape(2, 20, 3)).reshape(2, 9, 8, 3)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-6)


def test_a_crop_is_a_pytree_that_knows_its_image():
    cut = crop(turned(0, 1), (5, 7), (2, 2))
    moved = jax.tree.map(jnp.asarray, cut)
    assert isinstance(moved, Crop) and moved.image == (5, 7) and len(jax.tree.leaves(cut)) == 2
    assert jax.tree.all(jax.tree.map(lambda leaf: True, cut))
    with pytest.raises(ValueError, match="of an image of 5×7 pixels, not of 7×5"):
        cut(np.zeros((1, 7, 5, 3), np.float32))
    with pytest.raises(ValueError, match="has no pixels"):
        crop(turned(0, 1), (5, 7), (0, 2))
