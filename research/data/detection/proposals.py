"""Boxes of each image that may be objects, searched for when an image is first asked for and then kept."""

import dataclasses

import numpy as np
from jaxtyping import Float32

from likeness.research.checks import check_members
from likeness.research.data.detection.examples import DetectionExamples
from likeness.research.geometry.selective_search import ProposalSearch

__all__ = ["with_proposals"]


@dataclasses.dataclass(frozen=True, eq=False)
class _KeptProposals:
    examples: DetectionExamples
    search: ProposalSearch
    kept: dict[int, np.ndarray] = dataclasses.field(default_factory=dict)

    @property
    def limit(self) -> int:
        return self.search.limit

    def __call__(self, row: int) -> Float32[np.ndarray, "q 4"]:
        # Two threads may search the same image, and find the same.
        if row not in self.kept:
            self.kept[row] = self.search(self.examples.read(row))
        return self.kept[row]


def with_proposals(examples: DetectionExamples, search: ProposalSearch) -> DetectionExamples:
    """The table, with proposals of each image.

    They are those of the image as it is read, and :class:`~likeness.research.data.detection.DetectionAugmentation` moves them
    as it moves the objects. So an image is searched once and not once an epoch, which takes longer than a step.

    Args:
        examples: the images.
        search: image uint8 (h, w, c) -> boxes ``xyxy`` in its pixels, best first.

    Raises:
        ValueError: what searches has no ``limit``.

    Example:
        >>> from likeness.research.data.detection import Shapes
        >>> from likeness.research.geometry import SelectiveSearch
        >>> examples = with_proposals(Shapes(train=1, validation=1, test=1).open(), SelectiveSearch(limit=5))
        >>> examples.proposals(0).shape
        (5, 4)
    """
    check_members("with_proposals", "search", search, ProposalSearch, "SelectiveSearch(limit=100)")
    return dataclasses.replace(examples, proposals=_KeptProposals(examples, search))
