"""The ArcFace family: classification by the angle to one learned center a person, with a margin on one's own."""

import dataclasses
import functools
import math
from typing import Literal

import jax
import jax.numpy as jnp

from likeness.research.checks import (
    UncheckedEmbeddings,
    UncheckedLabels,
    as_embeddings,
    as_labels,
    check_array,
    check_choice,
    check_finite_nonnegative,
    check_finite_positive,
)
from likeness.research.distances import squared_distance, unit
from likeness.research.errors import UserError
from likeness.research.losses.metric.pairs import LabelsOrSame
from likeness.research.types import AnyArray, Array, Float, Int, PRNGKey, PyTree, Scalar

_SMALLEST_SINE = 1e-3

Gradient = Literal["exact", "straight_through"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MarginSoftmax:
    """Softmax over the cosines to class centers W, where one's own class must win by a margin.

    With ``cos θ_j = f·W_j / (|f| |W_j|)`` and y the image's class, the mean over the batch of

    ``-log( exp(s ψ(θ_y)) / (exp(s ψ(θ_y)) + Σ_{j≠y} exp(s cos θ_j)) )``,  ``ψ(θ) = cos(m1 θ + m2) - m3``.

    ArcFace is m2 = 0.5, the default; CosFace is m2 = 0 and m3 = 0.35; SphereFace's margin is m1 > 1; they combine. With no
    margin it is the normalized softmax.

    - Beyond m1 θ + m2 = π, where the cosine would rise again, ψ goes on as the straight line of slope 1 in cos θ that meets it
      there: continuous and decreasing in θ. (pytorch-metric-learning has the parallel line that lies m2 sin m2 + cos m2 - 1
      lower, 0.117 at m2 = 0.5. The gradient is the same as long as the image is as good as certainly taken for somebody else,
      which with s = 64 it is there.)
    - dψ/d(cos θ) = m1 sin(m1 θ + m2) / sin θ has no bound, and rounding leaves nothing of θ near 0 and π: the divisor is
      taken as 0.001 at least, so within 0.06° of a center or its opposite the gradient by f and W fades to 0.
    - An embedding or center without direction, no entry above 1e-12, has cosine 0 to all, and no gradient.
    - A label outside 0 … classes - 1, or an embedding that is not finite: NaN. Values are not known under ``jit``, so no error
      can be raised for them.

    The product of embeddings and centers is the only large thing, (b, classes), and everything done with it is elementwise or
    a reduction over classes: with the centers split over devices by rows, XLA keeps it split, and what these devices exchange
    are the embeddings, a few numbers an image, and with a ``rate`` one number a class. All is float32; the product is taken at
    the highest precision.

    Deng et al., "ArcFace: additive angular margin loss for deep face recognition", 2019; Wang et al., "CosFace: large margin
    cosine loss for deep face recognition", 2018; Liu et al., "SphereFace: deep hypersphere embedding for face recognition",
    2017; for ``rate``, An et al., "Partial FC: training 10 million identities on a single machine", 2020.

    Example:
        >>> import jax.numpy as jnp
        >>> loss = MarginSoftmax(classes=2, scale=1.0, m2=0.5)
        >>> value = loss({"centers": jnp.eye(2)}, jnp.eye(2), jnp.array([0, 1]))
        >>> print(f"{value:.4f}")  # log(1 + exp(0 - cos 0.5))
        0.3477
    """

    classes: int
    """The people of the training part, at least; a center that belongs to nobody only keeps others away."""

    scale: float = 64.0
    """s, the inverse temperature. Few classes or short training want less, 16 or 32."""

    m1: float = 1.0
    """Factor of the angle, at least 1."""

    m2: float = 0.5
    """Added to the angle, in radians, from 0 to below π."""

    m3: float = 0.0
    """Taken from the cosine, at least 0."""

    gradient: Gradient = "exact"
    """``exact``: of the formula. ``straight_through``: dψ/d(cos θ) = 1, as InsightFace trains, which sets the margin outside of
    what it differentiates."""

    rate: float = 1.0
    """The share of the centers that a batch is compared with (Partial FC): those of its own people, filled up with uniformly
    drawn others. What is held shrinks to this share of (b, classes); the centers' own gradient and optimizer state do not. Each
    of the ``shards`` keeps its share, and one more than the batch has images at least, as all of its people may be there."""

    shards: int = 1
    """Equal parts that the centers are cut into, the last filled up with rows that take no part. Any number of devices that
    divides it can share them, and the result is the same on each: make it a multiple of ``mesh.fsdp``, or a run whose centers
    are large enough to be split is refused."""

    def __post_init__(self) -> None:
        check_finite_positive("MarginSoftmax", "scale", self.scale)
        for name in ("m2", "m3"):
            check_finite_nonnegative("MarginSoftmax", name, getattr(self, name))
        check_choice("MarginSoftmax", "gradient", self.gradient, Gradient)
        if not 1.0 <= self.m1 < math.inf:
            raise ValueError(f"MarginSoftmax(m1={self.m1}): m1 multiplies the angle and must be at least 1. Give m1=1.0, say.")
        if self.m2 >= math.pi:
            raise ValueError(f"MarginSoftmax(m2={self.m2}): m2 is an angle in radians and must be below π. Give m2=0.5, say.")
        if self.classes < 2:
            raise ValueError(f"MarginSoftmax(classes={self.classes}): to tell people apart there must be 2 classes or more.")
        if not 0.0 < self.rate <= 1.0:
            raise ValueError(f"MarginSoftmax(rate={self.rate}): rate is a share of the centers, above 0 and at most 1.")
        if not 1 <= self.shards <= self.classes:
            raise ValueError(
                f"MarginSoftmax(shards={self.shards}): {self.classes} centers can be cut into 1 to {self.classes} shards."
            )

    @property
    def needs_key(self) -> bool:
        """Whether centers are drawn at random."""
        return self.rate < 1.0

    def init(self, key: PRNGKey, dimension: int) -> PyTree:
        """Centers in random directions, of about unit length; their length does not matter to the loss, but to an optimizer
        it is how far a step turns them."""
        return {"centers": dimension**-0.5 * jax.random.normal(key, (self._rows, dimension), jnp.float32)}

    def check_identities(self, identities: int, counted: str) -> None:
        """Refuses more people than there are centers.

        Raises:
            UserError: saying how many classes to ask for.
        """
        if self.classes < identities:
            raise UserError(
                f"The loss has {self.classes:,} class centers and the training part has {counted}, each of whom needs one: set "
                f"--experiment.loss.classes {identities}."
            )

    def check_sharding(self, params: PyTree, fsdp: int, shard_above: int) -> None:
        """Refuses centers that are large enough to be split over ``fsdp`` and are not cut into parts for it.

        They would be split along the embedding instead or not at all, and each device would hold the logits of all classes.

        Raises:
            UserError: saying how many shards fit.
        """
        rows, dimension = params["centers"].shape
        if fsdp == 1 or rows * dimension < shard_above:
            return
        if self.shards % fsdp and (self.needs_key or rows % fsdp):
            above = -(-self.shards // fsdp) * fsdp
            fits = f"shards={above}" if above <= self.classes else f"--mesh.fsdp {self.shards}"
            raise UserError(
                f"MarginSoftmax(shards={self.shards}) cuts {self.classes} class centers into parts that fsdp={fsdp} devices "
                f"cannot share: shards must be a multiple of mesh.fsdp. Give {fits}, or keep the centers whole on every device "
                f"with --mesh.shard-above {rows * dimension + 1}."
            )

    @property
    def _rows(self) -> int:
        """Of the centers: the classes, filled up to equal shards."""
        return self.shards * -(-self.classes // self.shards)

    def __call__(
        self, params: PyTree, embeddings: UncheckedEmbeddings, labels: UncheckedLabels, key: PRNGKey | None = None
    ) -> Scalar:
        """The loss of a batch."""
        return self.value_and_diagnostics(params, embeddings, labels, key)[0]

    def value_and_diagnostics(
        self,
        params: PyTree,
        embeddings: UncheckedEmbeddings,
        labels_or_same: LabelsOrSame,
        key: PRNGKey | None = None,
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss and what to watch beside it.

        Returns:
            The value and float32 scalars: ``accuracy`` (one's own center is nearest, of those compared with, without margin),
            and the mean cosine to one's own center, ``own_cosine``, and to the nearest other, ``nearest_other_cosine``.

        Raises:
            ValueError: embeddings, labels or centers of another shape or dtype, so also a mask instead of labels; a label that
                is known here and does not fit into 32 bits; a ``rate`` below 1 and no key.
        """
        embeddings = as_embeddings("MarginSoftmax", embeddings)
        if jnp.ndim(labels_or_same) == 2:
            raise ValueError(
                "MarginSoftmax classifies: it needs the class of each image, labels of shape (b,), and got a same-person mask "
                f"of shape {jnp.shape(labels_or_same)}, or one-hot rows, which become labels by `argmax(axis=1)`."
            )
        labels = as_labels("MarginSoftmax", labels_or_same, len(embeddings))
        shape = (self._rows, embeddings.shape[1])
        check_array("MarginSoftmax", "centers", params["centers"], shape, help="They were made for another loss or encoder.")
        centers, classes = self._compared(params["centers"].astype(jnp.float32), labels, key)
        cosines = jnp.matmul(unit(embeddings), unit(centers).T, precision=jax.lax.Precision.HIGHEST)
        own = labels[:, None] == classes[None, :]
        other = ~own & (classes < self.classes)[None, :]
        # A sum over one entry, not an indexing: it stays split over the classes, and so does its derivative.
        own_cosine = jnp.sum(jnp.where(own, cosines, 0.0), axis=1)
        target = self.scale * self.margin(own_cosine)
        others = jax.nn.logsumexp(jnp.where(other, self.scale * cosines, -jnp.inf), axis=1)
        # Not log Σ exp - target, of which a small loss is the difference of two large numbers.
        costs = jax.nn.softplus(others - target)
        value = _mean(jnp.where((labels >= 0) & (labels < self.classes), costs, jnp.nan))
        nearest_other = jnp.max(jnp.where(other, jax.lax.stop_gradient(cosines), -jnp.inf), axis=1)
        diagnostics = {
            "accuracy": _mean(jnp.where(own_cosine > nearest_other, 1.0, 0.0)),
            "own_cosine": _mean(own_cosine),
            "nearest_other_cosine": _mean(nearest_other),
        }
        return value, jax.lax.stop_gradient(diagnostics)

    def margin(self, cosine: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """ψ(θ) of cos θ, with the derivative that ``gradient`` asks for."""
        plain = self.m1 == 1.0 and self.m2 == 0.0
        moved = (cosine if plain else _moved(cosine, self.m1, self.m2)) - self.m3
        return moved if self.gradient == "exact" else cosine + jax.lax.stop_gradient(moved - cosine)

    def compare(self, params: PyTree, first: Float[AnyArray, "... d"], second: Float[AnyArray, "... d"]) -> Float[Array, "..."]:
        """Squared L2 distance of the embeddings scaled to unit length, 2 - 2 cos θ; leading shapes broadcast. The centers have
        no part in it."""
        return squared_distance(unit(first), unit(second))

    def _compared(
        self, centers: Float[Array, "rows d"], labels: Int[Array, "b"], key: PRNGKey | None
    ) -> tuple[Float[Array, "n d"], Int[Array, "n"]]:
        """The centers that this batch is compared with, and of which class each is."""
        rows, dimension = centers.shape
        each = rows // self.shards
        kept = min(max(math.ceil(self.rate * each), len(labels) + 1), each)
        if not self.needs_key or kept == each:
            return centers, jnp.arange(rows, dtype=labels.dtype)
        if key is None:
            raise ValueError(
                f"MarginSoftmax(rate={self.rate}) draws centers at random and got no key: pass key=jax.random.key(...)."
            )
        places = jnp.arange(rows, dtype=labels.dtype)
        # Draws are from [0, 1): the batch's own people come before all, rows that fill up after all.
        order = jax.random.uniform(key, (rows,)).at[labels].set(2.0, mode="drop")
        order = jnp.where(places < self.classes, order, -1.0)
        _, chosen = jax.lax.top_k(order.reshape(self.shards, each), kept)
        split = centers.reshape(self.shards, each, dimension)
        drawn = jnp.take_along_axis(split, chosen[:, :, None], axis=1)
        classes = chosen.astype(labels.dtype) + each * jnp.arange(self.shards, dtype=labels.dtype)[:, None]
        return drawn.reshape(-1, dimension), classes.reshape(-1)


def _mean(values: Float[Array, "b"]) -> Scalar:
    """Over the batch; 0 of an empty one."""
    return jnp.sum(values) / max(len(values), 1)


def _parts(cosine: Array, m1: float, m2: float) -> tuple[Array, Array, Array, float]:
    """The moved angle, sin θ, where the angle is not beyond π, and the cosine where it is π."""
    sine = jnp.sqrt(jnp.maximum((1.0 - cosine) * (1.0 + cosine), 0.0))
    last = math.cos((math.pi - m2) / m1)
    # Not `cosine > last`, which would take NaN for beyond.
    return m1 * jnp.arctan2(sine, cosine) + m2, sine, ~(cosine <= last), last


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _moved(cosine: Array, m1: float, m2: float) -> Array:
    """cos(m1 θ + m2) of cos θ, a straight line beyond π."""
    angle, _, before, last = _parts(cosine, m1, m2)
    return jnp.where(before, jnp.cos(angle), cosine - last - 1.0)


@_moved.defjvp
def _moved_derivative(m1: float, m2: float, at: tuple[Array], along: tuple[Array]) -> tuple[Array, Array]:
    angle, sine, before, _ = _parts(at[0], m1, m2)
    slope = jnp.where(before, m1 * jnp.sin(angle) / jnp.maximum(sine, _SMALLEST_SINE), 1.0)
    return _moved(at[0], m1, m2), slope * along[0]
