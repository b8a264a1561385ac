"""Recognizers with published weights, which answer without training: what each is made of, and where its τ comes from."""

import dataclasses
from pathlib import Path

import flax.linen as nn

from likeness.experiments.recognition.recognition import Recognition
from likeness.research.data import CountSplit, IdentityBatches
from likeness.research.data.paths import printable
from likeness.research.distances import Cosine, Distance
from likeness.research.encoders import FlipEmbedding, MobileFaceNet
from likeness.research.errors import UserError
from likeness.research.faces import FaceCrop, FaceFolder
from likeness.research.losses import Triplet
from likeness.research.weights import Pretrained

__all__ = ["PUBLISHED", "PublishedRecognizer", "published"]

_THRESHOLDS = Path(__file__).parent / "published_thresholds"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedRecognizer:
    """An encoder of faces with published weights, the crop that it takes, and the people that its τ was chosen on."""

    name: str
    """Of the weights."""
    encoder: nn.Module
    """With the mirror image, as it is used."""
    crop: FaceCrop
    """How a photograph becomes what it takes."""
    distance: Distance = Cosine()
    """How its embeddings are compared."""
    least_norm: float
    """The length of an embedding before it is normalized that one in a hundred of those photographs is below."""
    calibrated_on: str = "Labeled Faces in the Wild"
    """Whose photographs τ was chosen on and its rates were measured on."""

    @property
    def threshold(self) -> Path:
        """The file that τ is kept in: ``python -m likeness.experiments.benchmarks.published_thresholds`` writes it."""
        return _THRESHOLDS / f"{self.name}.json"

    def experiment(self, path: str = "$LIKENESS_DATA/people") -> Recognition:
        """The experiment that starts from it, with the photographs of a folder of people."""
        return Recognition(
            data=FaceFolder(path, crop=self.crop),
            split=CountSplit(validation=12, test=6),
            batches=IdentityBatches(people=4, images=4, single="drop"),
            encoder=self.encoder,
            weights=Pretrained(name=self.name),
            statistics="kept",
            distance=self.distance,
            loss=Triplet(),
        )


PUBLISHED = (
    PublishedRecognizer(name="mobilefacenet", encoder=FlipEmbedding(encoder=MobileFaceNet()), crop=FaceCrop(), least_norm=12.5),
)
"""The first is what commands take unless they are told otherwise."""


def published(name: str) -> PublishedRecognizer:
    """The published recognizer of a name.

    Raises:
        UserError: there is none.
    """
    for one in PUBLISHED:
        if one.name == name:
            return one
    raise UserError(
        f"There is no published recognizer {printable(name)!r}: give {' or '.join(each.name for each in PUBLISHED)}, or the "
        "working directory of a run that has learned one."
    )
