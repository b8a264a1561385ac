"""What STROTSS begins with."""

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.style.details import FromDetails
from likeness.experiments.style.parametrizations import decompose
from likeness.experiments.style.starts import GoesOn, Start, draws


def test_it_begins_with_the_styles_color_and_the_contents_edges():
    generator = np.random.default_rng(0)
    content = generator.uniform(0, 1, (12, 8, 3)).astype(np.float32)
    styles = tuple(generator.uniform(0, 1, (*size, 3)).astype(np.float32) for size in ((5, 6), (20, 9)))
    start = FromDetails()
    opened = start.open(content, styles)
    color = np.mean([style.reshape(-1, 3).mean(0) for style in styles], axis=0)
    first = np.asarray(start(jnp.asarray(content)[None], opened, jax.random.key(0)))
    np.testing.assert_allclose(first[0] - color, decompose(jnp.asarray(content)[None], 1)[0][0], atol=1e-6)
    assert isinstance(start, Start)
    assert not draws(start)


def test_details_are_laid_over_each_size_but_the_last():
    content, painted = (jnp.asarray(np.random.default_rng(seed).uniform(0, 1, (1, 12, 8, 3)), jnp.float32) for seed in (0, 1))
    start = FromDetails()
    assert isinstance(start, GoesOn)
    np.testing.assert_array_equal(start.goes_on(painted, content), painted + decompose(content, 1)[0])
    np.testing.assert_array_equal(start.at_last().goes_on(painted, content), painted)
