"""Distances of embeddings, against NumPy in float64."""

import numpy as np
import pytest
from float64 import assert_close, differences, refuse, value_and_gradient

from likeness.research.losses import Cosine, Distance, Euclidean, Identity, SquaredEuclidean


def embeddings(seed: int, rows: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 6)).astype(np.float32)


def oracle(distance: Distance, x: np.ndarray, y: np.ndarray) -> float:
    return np.mean(
        {
            Cosine(): 1 - (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1),
            Euclidean(): np.linalg.norm(x - y, axis=1),
            SquaredEuclidean(): ((x - y) ** 2).sum(1),
        }[distance]
    )


@pytest.mark.parametrize("distance", [Cosine(), Euclidean(), SquaredEuclidean()])
@pytest.mark.parametrize("references", [1, 3])
def test_value_and_gradient_equal_the_oracle(distance: Distance, references: int):
    loss, x, y = Identity(distance=distance), embeddings(0, 3), embeddings(1, references)
    value, gradient = value_and_gradient(loss)({"embedding": x}, {"embedding": y}, None, None)
    reference = y.astype(np.float64)
    assert value == pytest.approx(oracle(distance, x.astype(np.float64), reference), rel=1e-5)
    assert_close(gradient["embedding"], differences(lambda z: oracle(distance, z, reference), x.astype(np.float64)))


@pytest.mark.parametrize("distance", [Cosine(), Euclidean(), SquaredEuclidean()])
@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_equal_embeddings_have_a_finite_gradient(distance: Distance, scale: float):
    x = {"embedding": np.float32(scale) * embeddings(0, 2)}
    value, gradient = value_and_gradient(Identity(distance=distance))(x, x, None, None)
    assert value == pytest.approx(1.0 if distance == Cosine() and scale == 0 else 0.0, abs=1e-6)
    assert np.isfinite(gradient["embedding"]).all()


def test_maps_and_masks_are_refused():
    loss, x = Identity(), {"embedding": embeddings(0)}
    with pytest.raises(ValueError, match="takes no mask"):
        refuse(loss, x, x, mask=np.ones((4, 4), np.float32))
    with pytest.raises(ValueError, match="takes no mask"):
        refuse(loss, x, x, reference_mask=np.ones((4, 4), np.float32))
    with pytest.raises(ValueError, match=r"'conv1' is \(1, 4, 4, 3\), not one embedding"):
        refuse(Identity(layers=("conv1",)), {}, {"conv1": np.zeros((1, 4, 4, 3), np.float32)})
    with pytest.raises(ValueError, match=r"the target is \(1, 6\) and the images are \(1, 4\)"):
        refuse(loss, {"embedding": embeddings(0)[:, :4]}, x)
