"""Random changes of images that leave the person the same, jitted on the device."""

import dataclasses

import jax
import jax.numpy as jnp

from likeness.research.data.preprocessing import from_levels
from likeness.research.geometry.affine import Border, affine_matrices, look_up, places
from likeness.research.types import Array, Float, ImagesFloat, ImagesUint8, PRNGKey


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random affine map, elastic distortion, crop, mirror, tones and erasing, drawn anew for every image.

    A pixel of the result at p (relative to the center, x to the right, y down) shows the input at

        A p + o,   A = (side / scale) R(-angle) [[1, tan shear], [0, 1]] diag(mirror, 1),

    plus a smooth random displacement d(p) (Simard et al. 2003, "Best practices for convolutional neural networks": the
    unsteady hand that drew a character), by one bilinear lookup for everything geometric; then
    ``(value - 1/2) contrast + 1/2 + brightness``, clipped to [0, 1]; then a rectangle is erased (Zhong et al. 2020,
    "Random erasing data augmentation"). What is switched off costs nothing, and by default all is: the result is exactly
    ``images / 255``.

    Raises:
        ValueError: a range is empty, or a value is outside what its field says.

    Example:
        >>> import numpy as np
        >>> images = np.full((2, 8, 8, 1), 51, np.uint8)
        >>> float(Augmentation()(images, jax.random.key(0))[0, 0, 0, 0])
        0.20000000298023224
        >>> Augmentation(rotate=10.0, mirror=0.5)(images, jax.random.key(0)).shape
        (2, 8, 8, 1)
    """

    rotate: float = 0.0
    """Largest rotation either way, in degrees, 0 to 180."""
    scale: tuple[float, float] = (1.0, 1.0)
    """Smallest and largest magnification, drawn evenly on a logarithmic scale."""
    shear: float = 0.0
    """Largest shear along x either way, in degrees, 0 to 60."""
    translate: float = 0.0
    """Largest shift either way along each axis, as a fraction of the image's side, 0 to 1."""
    elastic: float = 0.0
    """Standard deviation of d along each axis at its control points, as a fraction of the image's side, 0 to 1."""
    elastic_points: int = 5
    """Control points of d along each side, 2 to 64; between them it is interpolated by cubics."""
    crop: float = 1.0
    """Smallest side of a random window, as a fraction of the image's; the window fills the result. 1 crops nothing."""
    mirror: float = 0.0
    """Probability of swapping left and right."""
    border: Border = "edge"
    """What lies outside the image: its edge continued, or ``fill``."""
    fill: float = 0.0
    """The value outside the image for ``border="constant"``, and of what is erased, 0 to 1."""
    brightness: float = 0.0
    """Largest value added or taken away, 0 to 1."""
    contrast: float = 0.0
    """Contrast is multiplied by a factor from 1 - contrast to 1 + contrast, 0 to 1."""
    erase: float = 0.0
    """Probability of erasing a rectangle."""
    erase_area: tuple[float, float] = (0.02, 0.2)
    """Smallest and largest erased area as a fraction of the image's; sides from 1:2 to 2:1, cut off by the border."""

    def __post_init__(self) -> None:
        for field, low, high in (
            ("rotate", 0.0, 180.0),
            ("shear", 0.0, 60.0),
            ("translate", 0.0, 1.0),
            ("elastic", 0.0, 1.0),
            ("elastic_points", 2, 64),
            ("crop", 0.05, 1.0),
            ("mirror", 0.0, 1.0),
            ("fill", 0.0, 1.0),
            ("brightness", 0.0, 1.0),
            ("contrast", 0.0, 1.0),
            ("erase", 0.0, 1.0),
        ):
            value = getattr(self, field)
            if not low <= value <= high:
                raise ValueError(f"Augmentation.{field} is {value}; choose a value from {low} to {high}.")
        for field, low, high in (("scale", 0.05, 20.0), ("erase_area", 0.0, 1.0)):
            start, stop = getattr(self, field)
            if not low <= start <= stop <= high:
                raise ValueError(
                    f"Augmentation.{field} is {(start, stop)}; choose a smallest and a largest value "
                    f"from {low} to {high}, the smallest first."
                )
        if self.border not in ("edge", "constant"):
            raise ValueError(f'Augmentation.border is {self.border!r}; choose "edge" or "constant".')

    def __call__(self, images: ImagesUint8, key: PRNGKey) -> ImagesFloat:
        """Change every image.

        Args:
            images: uint8 (b, h, w, c).
            key: a typed key; the same key gives the same changes.

        Returns:
            float32 (b, h, w, c) in [0, 1].
        """
        geometry, tones, holes = jax.random.split(key, 3)
        images = jnp.asarray(images)
        values = self._move(images, geometry) if self._moves() else images.astype(jnp.float32)
        values = from_levels(values)
        if self.brightness or self.contrast:
            values = self._tone(values, tones)
        if self.erase:
            values = self._erase(values, holes)
        return values

    def _moves(self) -> bool:
        affine = self.rotate or self.shear or self.translate or self.scale != (1.0, 1.0)
        return bool(affine or self.elastic or self.mirror or self.crop < 1.0)

    def maps(self, count: int, key: PRNGKey) -> tuple[Float[Array, "count 2 2"], Float[Array, "count 2"]]:
        """The affine maps of ``count`` images: A, and the offset o as fractions of the image's (width, height).

        A pixel of the result at p from the center shows the input at ``A p + o (width, height)`` from the center.
        """
        u = jax.random.uniform(key, (8, count), minval=-1.0, maxval=1.0)
        chance = 0.5 * (u[7] + 1.0)
        angle, slope = jnp.deg2rad(self.rotate) * u[0], jnp.tan(jnp.deg2rad(self.shear) * u[1])
        low, high = jnp.log(self.scale[0]), jnp.log(self.scale[1])
        side = 1.0 - (1.0 - self.crop) * 0.5 * (u[6] + 1.0)
        zoom = side * jnp.exp(-0.5 * (low + high) - 0.5 * (high - low) * u[2])
        mirrored = jnp.where(chance < self.mirror, -1.0, 1.0)
        matrix = affine_matrices(angle, slope, zoom, mirrored)
        # A window of side s can lie up to (1 - s) / 2 off the center; the image's own shift is undone.
        window = 0.5 * (1.0 - side) * jax.random.uniform(jax.random.fold_in(key, 1), (2, count), minval=-1.0, maxval=1.0)
        return matrix, (window - self.translate * u[3:5]).T

    def _move(self, images: ImagesUint8, key: PRNGKey) -> ImagesFloat:
        count, height, width, _ = images.shape
        u, v = places(*self.maps(count, key), height, width)
        if self.elastic:
            du, dv = self._bend(count, height, width, jax.random.fold_in(key, 2))
            u, v = u + du, v + dv
        return look_up(images, u, v, self.border, 255.0 * self.fill)

    def _bend(self, count: int, height: int, width: int, key: PRNGKey) -> tuple[Array, Array]:
        """Displacements in pixels along x and y, each (count, height, width)."""
        points = jax.random.normal(key, (2, count, self.elastic_points, self.elastic_points))
        du, dv = self.elastic * jax.image.resize(points, (2, count, height, width), "cubic")
        return du * width, dv * height

    def _tone(self, values: ImagesFloat, key: PRNGKey) -> ImagesFloat:
        u = jax.random.uniform(key, (2, len(values), 1, 1, 1), minval=-1.0, maxval=1.0)
        values = (values - 0.5) * (1.0 + self.contrast * u[0]) + (0.5 + self.brightness * u[1])
        return jnp.clip(values, 0.0, 1.0)

    def _erase(self, values: ImagesFloat, key: PRNGKey) -> ImagesFloat:
        count, height, width, _ = values.shape
        u = jax.random.uniform(key, (5, count, 1, 1, 1))
        area = self.erase_area[0] + (self.erase_area[1] - self.erase_area[0]) * u[1]
        stretch = jnp.exp2(u[2] - 0.5)
        x = (jnp.arange(width, dtype=jnp.float32)[:, None] + 0.5) / width
        y = (jnp.arange(height, dtype=jnp.float32)[:, None, None] + 0.5) / height
        inside = (jnp.abs(x - u[3]) * 2 < jnp.sqrt(area) * stretch) & (jnp.abs(y - u[4]) * 2 < jnp.sqrt(area) / stretch)
        return jnp.where(inside & (u[0] < self.erase), self.fill, values)
