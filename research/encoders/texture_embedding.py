"""What an image looks like anywhere: the statistics of a network's layers, as one vector."""

import jax.numpy as jnp
from flax import linen as nn

from likeness.research.encoders.layers import Images, as_embedding, check_fields
from likeness.research.geometry.receptive_field import NetworkGeometry, WindowGeometry
from likeness.research.types import Activations

_EPSILON = 1e-4
"""Of a variance of activations: a channel that is silent everywhere has a derivative, too."""


class TextureEmbedding(nn.Module, kw_only=True):
    """Mean and standard deviation of each channel over all places, of several layers, brought together by a dense layer.

    Where something is in the image does not matter. The statistics of each layer are normalized by themselves
    (``LayerNorm``), so that no layer is louder than another:

        f(x) = W [LN(μ_l, σ_l)]_l + b,   μ_l = mean_p F_l(x)_p,  σ_l = (var_p F_l(x)_p + ε)^½

    A network that learns to tell textures apart by these learns features whose statistics say what a texture is, which is what
    losses of style compare (Gatys et al. 2015, "Texture synthesis using convolutional neural networks"; Huang and Belongie
    2017: mean and deviation are enough).

    Activations: those of the network, and ``embedding`` (b, dimension).

    Example:
        >>> import jax
        >>> from likeness.research.encoders import Vgg
        >>> encoder = TextureEmbedding(encoder=Vgg(convolutions=(1,), widths=(4,)), layers=("relu1_1",), dimension=8)
        >>> variables = jax.jit(encoder.init)(jax.random.key(0), jnp.zeros((1, 16, 16, 3)))
        >>> jax.jit(encoder.apply)(variables, jnp.zeros((2, 20, 24, 3)))["embedding"].shape
        (2, 8)
    """

    encoder: nn.Module
    """The network."""
    layers: tuple[str, ...]
    """Its layers whose statistics are taken: maps (b, h, w, c)."""
    dimension: int = 128
    """Length of the embedding."""
    normalize: bool = True
    """Scale the embedding to unit length."""

    def __post_init__(self) -> None:
        check_fields("TextureEmbedding", dimension=self.dimension)
        if not self.layers or len(set(self.layers)) != len(self.layers):
            raise ValueError(f"TextureEmbedding.layers is {self.layers}; name at least one layer, and each only once.")
        super().__post_init__()

    @property
    def geometry(self) -> tuple[WindowGeometry, ...]:
        """The network's; none where it does not say how its layers lie."""
        return tuple(self.encoder.geometry) if isinstance(self.encoder, NetworkGeometry) else ()

    @nn.compact
    def __call__(self, images: Images, train: bool = False) -> Activations:
        """Encodes a batch.

        Args:
            images: (b, h, w, c) in [0, 1], of any size that the network takes.
            train: handed to the network.

        Returns:
            Activations by name; ``embedding`` is float32, (b, dimension).

        Raises:
            ValueError: the network has no such layer, or it is no map; and what the network refuses.
        """
        activations = dict(self.encoder(images, train=train))
        statistics = []
        for layer in self.layers:
            if layer not in activations or activations[layer].ndim != 4:
                maps = ", ".join(name for name, value in activations.items() if value.ndim == 4)
                raise ValueError(
                    f"TextureEmbedding: {layer!r} is no map of {type(self.encoder).__name__}; its maps are {maps}."
                )
            features = activations[layer].astype(jnp.float32)
            deviation = jnp.sqrt(jnp.var(features, axis=(1, 2)) + _EPSILON)
            both = jnp.concatenate([jnp.mean(features, axis=(1, 2)), deviation], axis=-1)
            statistics.append(nn.LayerNorm(name=f"norm_{layer}")(both))
        embedding = nn.Dense(self.dimension, name="dense")(jnp.concatenate(statistics, axis=-1))
        return {**activations, "embedding": as_embedding(embedding, normalize=self.normalize)}
