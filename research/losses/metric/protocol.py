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
    """A loss on a batch of embeddings that also says how far apart two embeddings are."""

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
