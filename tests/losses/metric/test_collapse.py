"""The collapse monitor."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.losses import CollapseMonitor, Triplet, pairwise_squared_distances


def embeddings(rows: int, dimension: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(rows, dimension)).astype(np.float32)


@pytest.mark.parametrize(("rows", "dimension"), [(12, 5), (5, 12)])
def test_statistics_equal_their_definitions(rows: int, dimension: int):
    x = embeddings(rows, dimension)
    found = jax.jit(CollapseMonitor().__call__)(jnp.asarray(x))
    d = np.asarray(jax.jit(pairwise_squared_distances)(x))
    assert found["mean_squared_distance"] == pytest.approx(d.sum() / (rows * (rows - 1)), rel=1e-5)
    eigenvalues = np.linalg.eigvalsh(np.cov(x.T.astype(np.float64), bias=True))
    assert found["effective_rank"] == pytest.approx(eigenvalues.sum() ** 2 / (eigenvalues**2).sum(), rel=1e-5)
    assert found["relative_spread"] == pytest.approx(x.var(0).sum() / (x**2).sum(1).mean(), rel=1e-5)
    assert found["stuck_at_margin"] == 0


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_collapsed_embeddings_are_named(dtype):
    """F7: the constant encoder is a trivial solution that the triplet loss cannot leave; the log must say so."""
    monitor, loss = CollapseMonitor(), Triplet(margin=0.2)

    @jax.jit
    def monitored(x):
        value = loss.value_and_diagnostics({}, x, jnp.arange(6) // 2)[1]["loss_per_triplet"]
        return monitor(x, value, loss.collapsed_value)

    for constant in (0.0, 0.3):
        found = monitored(jnp.full((6, 3), constant, dtype))
        assert found["effective_rank"] == found["mean_squared_distance"] == found["relative_spread"] == 0
        assert found["stuck_at_margin"] == 1
        sentence = monitor.warning(found)
        assert sentence is not None
        assert "collapsed" in sentence
        assert "stuck" in sentence


def test_embeddings_on_a_line_are_named():
    monitor = CollapseMonitor()
    x = jnp.asarray(np.outer(np.arange(8.0) - 3.5, [1.0, 2.0, 3.0]), jnp.float32)
    found = jax.jit(monitor.__call__)(x)
    assert found["effective_rank"] == pytest.approx(1.0, abs=1e-3)
    assert "effective dimensions" in monitor.warning(found)


def test_no_eigenvalues_are_computed():
    """LAPACK's threads go on spinning after their work, and halve the speed of what comes next on two cores."""
    program = jax.jit(CollapseMonitor().__call__).lower(jnp.ones((64, 32))).compile().as_text()
    assert "lapack" not in program


def test_healthy_embeddings_raise_no_warning():
    monitor = CollapseMonitor()
    assert monitor.warning(jax.jit(lambda x: monitor(x, 0.05, 0.2))(embeddings(32, 8))) is None


def test_a_loss_at_the_margin_alone_is_no_collapse():
    """The first 40 steps of a hard task: the flag's mean over the steps is not 0, and the embeddings are spread out."""
    monitor = CollapseMonitor()
    healthy = {"relative_spread": 0.993, "effective_rank": 20.7}
    for share in (0.05, 1.0):
        assert monitor.warning({**healthy, "stuck_at_margin": share}) is None
    for collapsed in ({**healthy, "relative_spread": 0.0}, {**healthy, "effective_rank": 1.1}):
        rarely, mostly = (monitor.warning({**collapsed, "stuck_at_margin": share}) for share in (0.05, 0.9))
        assert rarely.startswith("The embeddings have collapsed: they ")
        assert "stuck" not in rarely
        assert "stuck" in mostly


def test_the_bounds_are_those_that_are_said():
    """A thousandth of the mean squared length, one dimension and a fifth, one percent of the value of a constant encoder."""
    monitor = CollapseMonitor()
    fine = {"relative_spread": 0.5, "effective_rank": 5.0, "stuck_at_margin": 0.0}
    for name, bound in (("relative_spread", 1e-3), ("effective_rank", 1.2)):
        assert monitor.warning({**fine, name: 0.99 * bound}) is not None
        assert monitor.warning({**fine, name: 1.01 * bound}) is None
    stuck = jax.jit(lambda value: monitor(jnp.asarray(embeddings(4, 3)), value, 0.2)["stuck_at_margin"])
    assert [float(stuck(0.2 * (1 + share))) for share in (-0.011, -0.009, 0.009, 0.011)] == [0, 1, 1, 0]


def test_two_rows_have_one_distance():
    found = CollapseMonitor()(jnp.array([[0.0, 0.0], [3.0, 4.0]]))
    assert found["mean_squared_distance"] == pytest.approx(25.0)
    assert CollapseMonitor()(jnp.array([[3.0, 4.0]]))["mean_squared_distance"] == 0


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_spread_and_rank_do_not_depend_on_the_scale(scale: float):
    x = embeddings(12, 5)
    found = jax.jit(CollapseMonitor().__call__)(jnp.asarray(scale * x))
    assert found["relative_spread"] == pytest.approx(x.var(0).sum() / (x**2).sum(1).mean(), rel=1e-5)
    assert found["effective_rank"] == pytest.approx(float(CollapseMonitor()(jnp.asarray(x))["effective_rank"]), rel=1e-4)
