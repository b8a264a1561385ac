"""An encoder that looks at an image several times, each time moved a little."""

from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn

from likeness.research.encoders.layers import Images, check_fields, l2_normalize
from likeness.research.geometry.affine import Border, affine_matrices, look_up, places
from likeness.research.geometry.receptive_field import NetworkGeometry, WindowGeometry
from likeness.research.types import Activations, Array


class TestTimeAugmentation(nn.Module, kw_only=True):
    """The mean embedding of an image and of affine copies of it: ``g(x) = (f(x) + Σ_v f(A_v x)) / (1 + views)``.

    Test-time augmentation. Training with random affine maps teaches ``f`` to ignore them for what it sees; the mean ignores
    more of them, for everything. The same maps are used for every image, drawn once, uniformly, within the ranges below.
    It is taken when evaluating and in use, at 1 + ``views`` times the cost; in training the encoder is applied once.

    Activations: those of the image itself, and the mean as ``embedding``. No parameters of its own.

    Example:
        >>> from likeness.research.encoders import Conv4
        >>> encoder = TestTimeAugmentation(encoder=Conv4(width=8), views=2)
        >>> variables = jax.jit(encoder.init)(jax.random.key(0), jnp.zeros((1, 16, 16, 1)))
        >>> jax.jit(encoder.apply)(variables, jnp.zeros((3, 16, 16, 1)))["embedding"].shape
        (3, 128)
    """

    __test__: ClassVar[bool] = False  # pytest takes a class of such a name for tests

    encoder: nn.Module
    """f, any encoder."""
    views: int = 12
    """Copies beside the image itself."""
    rotate: float = 10.0
    """Largest rotation either way, in degrees."""
    scale: float = 1.1
    """Largest magnification, and largest reduction."""
    shear: float = 10.0
    """Largest shear along x either way, in degrees."""
    translate: float = 0.05
    """Largest shift either way along each axis, as a fraction of the image's side."""
    border: Border = "edge"
    """What lies outside the image: its edge continued, or ``fill``."""
    fill: float = 0.0
    """The value outside the image for ``border="constant"``, 0 to 1."""
    normalize: bool = True
    """Scale the mean to unit length."""

    def __post_init__(self) -> None:
        check_fields("TestTimeAugmentation", views=self.views)
        for field, low, high in (("rotate", 0, 180), ("scale", 1, 20), ("shear", 0, 60), ("translate", 0, 1), ("fill", 0, 1)):
            value = getattr(self, field)
            if not low <= value <= high:
                raise ValueError(f"TestTimeAugmentation.{field} is {value}; choose a value from {low} to {high}.")
        super().__post_init__()

    @property
    def geometry(self) -> tuple[WindowGeometry, ...]:
        """The encoder's, for the maps are of the image itself; none where it does not say how its layers lie."""
        return tuple(self.encoder.geometry) if isinstance(self.encoder, NetworkGeometry) else ()

    def __call__(self, images: Images, train: bool = False) -> Activations:
        """Encodes a batch.

        Args:
            images: (b, h, w, c) in [0, 1].
            train: as the encoder alone does.

        Returns:
            Activations by name; ``embedding`` is float32, (b, dimension).

        Raises:
            ValueError: what the encoder raises.
        """
        activations = self.encoder(images, train=train)
        if train:
            return activations
        total = activations["embedding"]
        for matrix, offset in zip(*self.maps(), strict=True):
            total = total + self.encoder(self._moved(images, matrix, offset), train=False)["embedding"]
        mean = total / (1 + self.views)
        return {**activations, "embedding": l2_normalize(mean) if self.normalize else mean}

    def maps(self) -> tuple[Array, Array]:
        """The affine maps: A_v (views, 2, 2), and offsets (views, 2) as fractions of the image's width and height."""
        turn, lean, size, right, down = jax.random.uniform(jax.random.key(0), (5, self.views), minval=-1.0, maxval=1.0)
        slope = jnp.tan(jnp.deg2rad(self.shear) * lean)
        matrix = affine_matrices(jnp.deg2rad(self.rotate) * turn, slope, self.scale**-size)
        return matrix, self.translate * jnp.stack([right, down], axis=-1)

    def _moved(self, images: Images, matrix: Array, offset: Array) -> Array:
        count, height, width, _ = images.shape
        u, v = places(matrix[None], offset[None], height, width)
        everywhere = (count, height, width)
        moved = look_up(images, jnp.broadcast_to(u, everywhere), jnp.broadcast_to(v, everywhere), self.border, self.fill)
        return moved.astype(images.dtype)
