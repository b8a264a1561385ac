import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.metrics.dists import DistsWeights, dists

RNG = np.random.default_rng(0)
SHAPES = {"input": (2, 12, 10, 3), "relu1_2": (2, 6, 5, 4), "relu2_2": (2, 3, 2, 7)}
OURS = {name: jnp.asarray(RNG.normal(size=shape).clip(0), jnp.float32) for name, shape in SHAPES.items()}
THEIRS = {name: jnp.asarray(RNG.normal(size=shape).clip(0), jnp.float32) for name, shape in SHAPES.items()}
WEIGHTS = DistsWeights(
    *({name: jnp.asarray(RNG.uniform(size=shape[-1]), jnp.float32) for name, shape in SHAPES.items()} for _ in range(2))
)


def oracle(ours, theirs, weights):
    """Image by image and channel by channel, in float64."""
    total, whole = np.zeros(2), 0.0
    for layer, shape in SHAPES.items():
        for c in range(shape[-1]):
            alpha, beta = float(weights.texture[layer][c]), float(weights.structure[layer][c])
            whole += alpha + beta
            for i in range(2):
                x, y = (np.asarray(each[layer], np.float64)[i, :, :, c].ravel() for each in (ours, theirs))
                covariance = np.cov(x, y, ddof=0)
                total[i] += alpha * (2 * x.mean() * y.mean() + 1e-6) / (x.mean() ** 2 + y.mean() ** 2 + 1e-6)
                total[i] += beta * (2 * covariance[0, 1] + 1e-6) / (np.trace(covariance) + 1e-6)
    return 1 - total / whole


def test_it_is_the_publications():
    np.testing.assert_allclose(jax.jit(dists)(OURS, THEIRS, WEIGHTS), oracle(OURS, THEIRS, WEIGHTS), rtol=1e-5)


def test_an_image_is_no_distance_from_itself_and_weights_are_shares():
    np.testing.assert_allclose(jax.jit(dists)(OURS, OURS, WEIGHTS), 0.0, atol=1e-6)
    tripled = jax.tree.map(lambda weight: 3 * weight, WEIGHTS)
    np.testing.assert_allclose(jax.jit(dists)(OURS, THEIRS, tripled), oracle(OURS, THEIRS, WEIGHTS), rtol=1e-5)


def test_texture_stays_where_its_places_are_shuffled():
    """Means do not see places, covariances do."""
    order = RNG.permutation(120)
    shuffled = {"input": OURS["input"].reshape(2, 120, 3)[:, order].reshape(SHAPES["input"])}
    kept = {"input": OURS["input"]}
    one, none = {"input": jnp.ones(3)}, {"input": jnp.zeros(3)}
    np.testing.assert_allclose(dists(shuffled, kept, DistsWeights(one, none)), 0.0, atol=1e-6)
    assert (dists(shuffled, kept, DistsWeights(none, one)) > 0.5).all()


def test_layers_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="no layer 'relu2_2' among input, relu1_2"):
        dists({name: OURS[name] for name in ("input", "relu1_2")}, THEIRS, WEIGHTS)
    with pytest.raises(ValueError, match="Layer 'input' is"):
        dists({**OURS, "input": OURS["input"][:, 1:]}, THEIRS, WEIGHTS)
