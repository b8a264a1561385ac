"""One learned center for each class: what proxies and margin softmax losses have in common."""

import abc
import dataclasses

import jax
import jax.numpy as jnp

from likeness.research.checks import as_labels, check_array
from likeness.research.distances import squared_distance, unit
from likeness.research.errors import UserError
from likeness.research.losses.metric.pairs import LabelsOrSame, Padded, PairMasks, valid_rows
from likeness.research.types import AnyArray, Array, Bool, Float, Int, PRNGKey, PyTree


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassCenters(abc.ABC):
    """A loss with a learned center for each class, whose directions alone count. Derive your own from
    :class:`~likeness.research.losses.metric.margin_head.MarginHead` if it is a softmax over cosines."""

    classes: int
    """The people of the training part, at least; a center that belongs to nobody only keeps others away."""

    shards: int = 1
    """Equal parts that the centers are cut into, the last filled up with rows that take no part. Any number of devices that
    divides it can share them, and the result is the same on each: make it a multiple of ``mesh.fsdp``, or a run whose centers
    are large enough to be split is refused."""

    def __post_init__(self) -> None:
        name = type(self).__name__
        if self.classes < 2:
            raise ValueError(f"{name}(classes={self.classes}): to tell people apart there must be 2 classes or more.")
        if not 1 <= self.shards <= self.classes:
            raise ValueError(
                f"{name}(shards={self.shards}): {self.classes} centers can be cut into 1 to {self.classes} shards."
            )

    def init(self, key: PRNGKey, dimension: int) -> PyTree:
        """Centers in random directions, of about unit length; their length does not matter to the loss, but to an optimizer
        it is how far a step turns them."""
        shape = (self.rows * self.centers_per_class, dimension)
        return {"centers": dimension**-0.5 * jax.random.normal(key, shape, jnp.float32)}

    @property
    def rows(self) -> int:
        """The classes, filled up to equal shards."""
        return self.shards * -(-self.classes // self.shards)

    @property
    def centers_per_class(self) -> int:
        """One, unless a loss says otherwise; those of a class follow each other."""
        return 1

    @property
    def drawn(self) -> bool:
        """Whether each batch is compared with some of the centers only."""
        return False

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
        size, dimension = params["centers"].shape
        if fsdp == 1 or size * dimension < shard_above:
            return
        if self.shards % fsdp and (self.drawn or self.rows % fsdp):
            above = -(-self.shards // fsdp) * fsdp
            fits = f"shards={above}" if above <= self.classes else f"--mesh.fsdp {self.shards}"
            raise UserError(
                f"{type(self).__name__}(shards={self.shards}) cuts {self.classes} class centers into parts that fsdp={fsdp} "
                f"devices cannot share: shards must be a multiple of mesh.fsdp. Give {fits}, or keep the centers whole on "
                f"every device with --mesh.shard-above {size * dimension + 1}."
            )

    def compare(self, params: PyTree, first: Float[AnyArray, "... d"], second: Float[AnyArray, "... d"]) -> Float[Array, "..."]:
        """Squared L2 distance of the embeddings scaled to unit length, 2 - 2 cos θ; leading shapes broadcast. The centers have
        no part in it."""
        return squared_distance(unit(first), unit(second))

    def checked_labels(self, labels_or_same: LabelsOrSame, count: int) -> tuple[Int[Array, "b"], Bool[Array, "b"]]:
        """As :func:`class_labels`."""
        return class_labels(type(self).__name__, labels_or_same, count)

    def checked_centers(self, params: PyTree, dimension: int) -> Float[Array, "rows d"]:
        """All centers as float32.

        Raises:
            ValueError: they are of another shape.
        """
        shape = (self.rows * self.centers_per_class, dimension)
        help = "They were made for another loss or encoder."
        check_array(type(self).__name__, "centers", params["centers"], shape, help=help)
        return params["centers"].astype(jnp.float32)


def class_labels(owner: str, labels_or_same: LabelsOrSame, count: int) -> tuple[Int[Array, "b"], Bool[Array, "b"]]:
    """The class of each row, and which rows take part, for a loss that a same-person mask does not tell enough.

    Args:
        owner: the loss, for the error.
        labels_or_same: of the batch.
        count: b.

    Raises:
        ValueError: labels of another shape or dtype, so also a mask instead of labels; a label that is known here and does
            not fit into 32 bits.
    """
    valid = valid_rows(labels_or_same, count, owner)
    given = labels_or_same.labels_or_same if isinstance(labels_or_same, Padded) else labels_or_same
    if isinstance(given, PairMasks) or jnp.ndim(given) == 2:
        shape = jnp.shape(given.positive) if isinstance(given, PairMasks) else jnp.shape(given)
        raise ValueError(
            f"{owner} classifies: it needs the class of each image, labels of shape (b,), and got a same-person mask "
            f"of shape {shape}, or one-hot rows, which become labels by `argmax(axis=1)`."
        )
    return as_labels(owner, given, count), valid
