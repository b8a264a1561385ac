"""The convolutional Siamese network of Koch et al."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from likeness.research.encoders.layer_geometry import LayerGeometry
from likeness.research.encoders.layers import Images, as_embedding, check_fields, check_size, standardize
from likeness.research.ops.convolution import Convolution
from likeness.research.ops.pooling import max_pool_2x2
from likeness.research.types import Activations, Array, Precision, PRNGKey

# (channels, kernel side, pooled) of conv1 … conv4.
CONVOLUTIONS = ((64, 10, True), (128, 7, True), (128, 4, True), (256, 4, False))
MINIMUM = 65


class Koch(nn.Module, kw_only=True):
    """One branch of the Siamese network for one-shot Omniglot, 105×105 gray images (Koch et al. 2015).

    conv 64@10×10, ReLU, pool; conv 128@7×7, ReLU, pool; conv 128@4×4, ReLU, pool; conv 256@4×4, ReLU; dense
    to 4096, sigmoid. No convolution is padded, so images have at least 65×65 pixels. The paper compares two
    branches by ``sigmoid(Σ αⱼ |h₁ⱼ − h₂ⱼ|)``, which is the Siamese loss with the absolute feature.

    Weights start from N(0, 0.01²) in the convolutions and N(0, 0.2²) in the dense layer, biases from N(0.5,
    0.01²).

    Activations: ``conv1 relu1 pool1`` … ``conv3 relu3 pool3``, ``conv4 relu4``, ``flatten``, ``embedding``.

    Parameters: 38,947,648 for 105×105×1 (38,951,745 with the 4,096 α and the bias of the comparison).

    Paper: Koch, Zemel and Salakhutdinov, Siamese neural networks for one-shot image recognition, ICML Deep
    Learning Workshop 2015.
    """

    dimension: int = 4096
    """Units of the dense layer."""
    normalize: bool = False
    """Scale the embedding to unit length; the paper does not."""
    dtype: Precision = "float32"
    """Compute dtype; parameters and the embedding stay float32."""

    def __post_init__(self) -> None:
        check_fields("Koch", dimension=self.dimension)
        super().__post_init__()

    @property
    def geometry(self) -> tuple[LayerGeometry, ...]:
        """The convolutions, ReLUs and poolings, with kernel and stride; nothing is padded."""
        layers, before = [], "input"
        for index, (_, side, pooled) in enumerate(CONVOLUTIONS, 1):
            layers.append(LayerGeometry(f"conv{index}", (before,), side, needs=side + pooled))
            layers.append(LayerGeometry(f"relu{index}", (f"conv{index}",)))
            before = f"relu{index}"
            if pooled:
                layers.append(LayerGeometry(f"pool{index}", (before,), 2, 2, needs=2))
                before = f"pool{index}"
        return tuple(layers)

    @nn.compact
    def __call__(self, images: Images, train: bool = False) -> Activations:
        """Encodes a batch.

        Args:
            images: (b, h, w, c) in [0, 1].
            train: of the same activations, compute them at less cost; the network has no state.

        Returns:
            Activations by name; ``embedding`` is float32, (b, dimension), in (0, 1) unless normalized.

        Raises:
            ValueError: images smaller than 65×65, or not floating point.
        """
        dtype = jnp.dtype(self.dtype)
        activations = {}
        x = standardize(images, self.dtype, signed=False)
        for index, (channels, side, pooled) in enumerate(CONVOLUTIONS, 1):
            # One more pixel than the kernel where a 2×2 pooling follows.
            check_size("Koch", f"conv{index}", x, side + pooled, images, MINIMUM)
            x = Convolution(
                features=channels,
                side=side,
                dtype=self.dtype,
                kernel_init=nn.initializers.normal(0.01),
                bias_init=_around_a_half,
                name=f"conv{index}",
            )(x)
            activations[f"conv{index}"] = x
            activations[f"relu{index}"] = nn.relu(x)
            if pooled:
                # ReLU is monotone, so in training it follows the pooling: the same values on a quarter of the pixels. In use
                # the embedding is computed from the ReLU's map, so that it can be asked what depends on it.
                x = nn.relu(max_pool_2x2(x)) if train else max_pool_2x2(activations[f"relu{index}"])
                activations[f"pool{index}"] = x
            else:
                x = activations[f"relu{index}"]
        x = x.reshape(x.shape[0], -1)
        activations["flatten"] = x
        x = nn.Dense(
            self.dimension,
            dtype=dtype,
            kernel_init=nn.initializers.normal(0.2),
            bias_init=_around_a_half,
            name="dense",
        )(x)
        x = nn.sigmoid(x.astype(jnp.float32))
        activations["embedding"] = as_embedding(x, normalize=self.normalize)
        return activations


def _around_a_half(key: PRNGKey, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Array:
    return 0.5 + 0.01 * jax.random.normal(key, shape, dtype)
