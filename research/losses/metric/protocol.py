"""What a recognition experiment asks of its loss."""

from typing import Protocol, runtime_checkable

from likeness.research.losses.metric.pairs import LabelsOrSame
from likeness.research.types import AnyArray, Array, Embeddings, Float, PRNGKey, PyTree, Scalar


def orders_as_euclid(loss: object) -> bool:
    """Whether a loss's distance orders pairs as the Euclidean distance of their embeddings does, so that the nearest can be
    found by a matrix product. A class says so by a member ``euclidean``, for its own distance: a class that derives from it
    and has another distance has said nothing, and then nothing is taken for granted."""
    for each in type(loss).__mro__:
        if "euclidean" in vars(each):
            return bool(vars(each)["euclidean"])
        if "distance" in vars(each):
            return False
    return False


@runtime_checkable
class RecognitionLoss(Protocol):
    """A loss on a batch of embeddings that also says how far apart two embeddings are.

    These members are asked of every loss. Four more are used where a loss has them: ``euclidean``
    (:func:`orders_as_euclid`), ``collapsed_value`` (:class:`KnowsCollapse`), ``check_identities``
    (:class:`LimitsIdentities`) and ``check_sharding`` (:class:`LimitsSharding`).
    """

    def init(self, key: PRNGKey, dimension: int) -> PyTree:
        """The loss's own weights for embeddings of this dimension; ``{}`` if it has none."""
        ...

    def value_and_diagnostics(
        self,
        params: PyTree,
        embeddings: Embeddings,
        labels_or_same: LabelsOrSame,
        key: PRNGKey | None = None,
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss of a batch and what to watch beside it.

        Args:
            params: the loss's own weights, as :meth:`init` makes them.
            embeddings: one row an image.
            labels_or_same: integer labels ``(b,)`` or a boolean same-person mask ``(b, b)``.
            key: for a loss that draws at random; the others do not use it.

        Returns:
            The value, float32, and float32 scalars by name.
        """
        ...

    def distance(
        self, params: PyTree, first: Float[AnyArray, "... d"], second: Float[AnyArray, "... d"]
    ) -> Float[Array, "..."]:
        """How far apart embeddings are; leading shapes broadcast. Two are of the same person iff this is at most τ."""
        ...


@runtime_checkable
class KnowsCollapse(Protocol):
    """A loss whose value is known when all embeddings are equal. Without, no loss is taken for that of a constant encoder."""

    @property
    def collapsed_value(self) -> float:
        """What a constant encoder costs: in the units of the diagnostic ``loss_per_triplet`` where the loss reports it, and of
        the loss itself where it does not."""
        ...


@runtime_checkable
class LimitsIdentities(Protocol):
    """A loss that has room for so many people only. Without, it takes any number."""

    def check_identities(self, identities: int, counted: str) -> None:
        """Asked before training.

        Args:
            identities: the people of the training part; labels are below this number.
            counted: the same in the words of the data, such as ``"1,200 people"``.

        Raises:
            UserError: there are too many of them, saying what to set.
        """
        ...


@runtime_checkable
class LimitsSharding(Protocol):
    """A loss whose own weights cannot be shared by any number of devices. Without, the mesh decides by their shapes alone."""

    def check_sharding(self, params: PyTree, fsdp: int, shard_above: int) -> None:
        """Asked before anything is compiled, where several devices share what is large.

        Args:
            params: the shapes of the loss's own weights, in the structure that ``init`` gives them.
            fsdp: how many devices share a large array, each with an equal part of it.
            shard_above: how many elements an array has at least to be shared; smaller ones stay whole.

        Raises:
            UserError: so many devices cannot share them, saying how many could.
        """
        ...
