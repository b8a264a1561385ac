"""The Gram matrix and its loss under every normalizer, against NumPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from float64 import MAPS, as_arrays, check, cost, maps, smooth_mask
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.research.losses import Gram, gram_matrix

EQUAL_SIZES = ("course", "course_unsquared", "none")
ANY_SIZES = ("relative", "gatys_code", "johnson")
LAYERS = tuple(MAPS)
OTHER_SIZE = {"relu1_1": (5, 7, 3), "relu2_1": (2, 3, 2)}


def double_loop(x: np.ndarray) -> np.ndarray:
    channels = x.shape[-1]
    gram = np.zeros((channels, channels))
    for k in range(channels):
        for l in range(channels):  # noqa: E741
            gram[k, l] = sum(x[i, j, k] * x[i, j, l] for i in range(x.shape[0]) for j in range(x.shape[1]))
    return gram


def uncentered(x: np.ndarray) -> np.ndarray:
    return np.einsum("ijk,ijl->kl", x, x)


def oracle(normalizer: str):
    """Each formula as its source writes it. A reference whose mask has another sum is scaled to the image's."""

    def value(x, y, m, n):
        g, a = uncentered(x * m[..., None]), uncentered(y * n[..., None])
        places, channels, ratio = (m**2).sum(), x.shape[-1], (m**2).sum() / (n**2).sum()
        match normalizer:
            case "relative":
                a = a / (n**2).sum()
                return ((g / places - a) ** 2).sum() / (a**2).sum()
            case "course":
                return ((g - a * ratio) ** 2).sum() / (2 * places * channels) ** 2
            case "course_unsquared":
                return ((g - a * ratio) ** 2).sum() / (2 * places * channels)
            case "none":
                return ((g - a * ratio) ** 2).sum()
            case "gatys_code":
                return ((g / places - a / (n**2).sum()) ** 2).mean()
            case "johnson":
                return ((g / (channels * places) - a / (channels * (n**2).sum())) ** 2).mean()

    return value


@pytest.mark.parametrize("normalizers", [EQUAL_SIZES, ANY_SIZES], ids=["equal sizes", "any sizes"])
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "guided"])
def test_value_and_gradient_equal_the_oracle(normalizers: tuple[str, ...], masked: bool):
    """S5, S6: each normalizer equals its formula, and layers add up with their weights."""
    oracles = {Gram(layers=LAYERS, weights=(0.7, 0.2), normalizer=each): oracle(each) for each in normalizers}
    y = maps(1, maps=MAPS if normalizers == EQUAL_SIZES else OTHER_SIZE)
    masks = {"mask": smooth_mask(3), "reference_mask": smooth_mask(4)} if masked else {}
    check(oracles, maps(0, images=2), y, **masks)


def test_gatys_formula_is_the_courses():
    """1/(4 N² M²) of Gatys' paper, written out with N filters and M places, is 1/(2 nH nW nC)²."""
    gatys = lambda x, y, m, n: ((uncentered(x) - uncentered(y)) ** 2).sum() / (4 * x.shape[2] ** 2 * m.size**2)  # noqa: E731
    check({Gram(layers=LAYERS, normalizer="course"): gatys}, maps(0), maps(1))


def test_normalizers_differ_by_constants():
    """S5: the ratio of two variants is what their formulas say."""
    x, y = as_arrays(maps(0)), as_arrays(maps(1))
    for layer, (height, width, channels) in MAPS.items():
        losses = {name: Gram(layers=(layer,), normalizer=name) for name in EQUAL_SIZES + ANY_SIZES}
        value = jax.jit(lambda x, y, losses=losses: {name: loss(x, loss.target(y)) for name, loss in losses.items()})(x, y)
        size = 2 * height * width * channels
        assert value["none"] / value["course"] == pytest.approx(size**2, rel=1e-6)
        assert value["none"] / value["course_unsquared"] == pytest.approx(size, rel=1e-6)
        assert value["gatys_code"] / value["johnson"] == pytest.approx(channels**2, rel=1e-6)
        assert value["gatys_code"] / value["course"] == pytest.approx(4, rel=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_gram_matrix(seed: int):
    """S4: equal to a double loop, symmetric, positive semidefinite, and blind to where a pixel is."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(5, 6, 4)).astype(np.float32)
    gram = np.asarray(gram_matrix(jnp.asarray(x.reshape(1, 30, 4))))[0]
    expected = double_loop(x.astype(np.float64))
    np.testing.assert_allclose(gram, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(gram, gram.T, rtol=1e-6)
    assert np.linalg.eigvalsh(gram.astype(np.float64)).min() > -1e-4
    shuffled = generator.permutation(x.reshape(30, 4))
    np.testing.assert_allclose(gram_matrix(jnp.asarray(shuffled[None]))[0], gram, rtol=1e-4, atol=1e-5)


def test_stripes_and_orange():
    """S9: where texture and color occur together, the off-diagonal entry is larger by the predicted factor.

    One channel sees stripes on the left half, the other orange; together they overlap on all 32 places instead of 8.
    """
    stripes, orange = np.zeros((8, 8)), np.zeros((8, 8))
    stripes[:, :4], orange[:, :4] = 1.0, 1.0
    apart = np.roll(orange, 3, axis=1)
    together, separate = (np.stack([stripes, color], axis=-1) for color in (orange, apart))
    grams = [np.asarray(gram_matrix(jnp.asarray(x.reshape(1, 64, 2), jnp.float32)))[0] for x in (together, separate)]
    assert grams[0][0, 1] / grams[1][0, 1] == 4
    assert (grams[0].diagonal() == grams[1].diagonal()).all()


@pytest.mark.parametrize("channels", [2, 3, 8, 16])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_sums_over_many_places_are_float32_and_keep_their_digits(channels: int, dtype):
    x = jnp.asarray(np.random.default_rng(0).uniform(0.5, 1.5, (1, 65536, channels)), dtype)
    gram = gram_matrix(x)
    assert gram.dtype == jnp.float32
    exact = np.asarray(x[0], np.float64)
    np.testing.assert_allclose(gram[0], exact.T @ exact, rtol=1e-5)


def test_gradient_is_one_product():
    """The written derivative halves the cost of the backward pass."""
    shape = jax.ShapeDtypeStruct((1, 64, 16), jnp.float32)
    text = jax.jit(jax.grad(lambda x: jnp.sum(gram_matrix(x) ** 2))).lower(shape).as_text()
    assert text.count("dot_general") == 2


@pytest.mark.parametrize("normalizer", EQUAL_SIZES)
def test_formulas_that_demand_equal_sizes_say_so(normalizer: str):
    loss = Gram(layers=LAYERS, normalizer=normalizer)
    target = jax.jit(loss.target)(as_arrays(maps(1, maps=OTHER_SIZE)))
    with pytest.raises(ValueError, match=r"at 'relu1_1' the image is 6×4 and the reference is 5×7.*relative"):
        jax.jit(loss)(as_arrays(maps(0)), target)


def test_the_default_does_not_see_an_images_size():
    """An image of four copies of a style has the style."""
    y = maps(1)
    tiled = {layer: np.tile(x, (1, 2, 2, 1)) for layer, x in y.items()}
    assert cost(Gram(layers=LAYERS), tiled, y) == pytest.approx(0, abs=1e-10)


def test_unknown_normalizer_is_refused():
    broken = Gram(layers=LAYERS)
    object.__setattr__(broken, "normalizer", "gatys")
    with pytest.raises(ValueError, match="normalizer must be one of 'relative', 'course'"):
        broken.__post_init__()
