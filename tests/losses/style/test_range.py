import jax
import numpy as np

from likeness.research.losses import OutOfRange

IMAGE = np.array([[-0.5, 0.2], [1.0, 1.4]], np.float32)[None, :, :, None]


def test_value_and_gradient_are_of_what_is_beyond():
    value, gradient = jax.jit(jax.value_and_grad(lambda x: OutOfRange()({"input": x}, {})))(IMAGE)
    np.testing.assert_allclose(value, (0.25 + 0.16) / 4, rtol=1e-6)
    np.testing.assert_allclose(gradient[0, :, :, 0], [[-0.25, 0.0], [0.0, 0.2]], atol=1e-6)


def test_an_image_within_the_range_costs_nothing_and_has_no_gradient():
    image = np.random.default_rng(0).random((2, 3, 4, 3), np.float32)
    value, gradient = jax.value_and_grad(lambda x: OutOfRange()({"input": x}, OutOfRange().target({"input": x})))(image)
    assert value == 0
    assert not np.asarray(gradient).any()
