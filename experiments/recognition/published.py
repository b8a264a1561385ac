"""Recognizers with published weights, which answer without training: what each is made of, and where its τ comes from."""

import dataclasses
from pathlib import Path

import flax.linen as nn

from likeness.experiments.recognition.recognition import Recognition
from likeness.research.data import CountSplit, IdentityBatches
from likeness.research.data.paths import printable
from likeness.research.distances import Cosine, Distance, Euclidean
from likeness.research.encoders import DlibResNet, FlipEmbedding, MobileFaceNet
from likeness.research.errors import UserError
from likeness.research.faces import FaceCrop, FaceFinder, FaceFolder
from likeness.research.geometry.template import Template
from likeness.research.losses import Triplet
from likeness.research.weights import Pretrained

__all__ = ["PUBLISHED", "PublishedRecognizer", "published"]

_THRESHOLDS = Path(__file__).parent / "published_thresholds"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedRecognizer:
    """An encoder of faces with published weights, the crop that it takes, and the people that its τ was chosen on."""

    name: str
    """What it is asked for by."""
    weights: str
    """The name of its weights, see ``likeness weights list``."""
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
            weights=Pretrained(name=self.weights),
            statistics="kept",
            distance=self.distance,
            loss=Triplet(),
        )


# dlib's `get_face_chip_details` says where each of 68 landmarks lies on the mean face, as fractions of its square, and puts a
# fraction f at 150 (f + 0.25) / (1 + 2 · 0.25) of a chip of 150 pixels with a padding of 0.25. There 0 is the chip's edge and
# not the center of its first pixel, which is half a pixel less. Five landmarks stand for the 68: of an eye the mean of the six
# on its rim (36 to 41, and 42 to 47: (0.225492, 0.215990) and (0.754761, 0.215990)); the tip of the nose, 30 (0.490127,
# 0.515625); the corners of the mouth, 48 (0.254149, 0.780233) and 54 (0.726104, 0.780233).
_DLIB = Template(
    height=150,
    width=150,
    points=((47.0492, 46.0990), (99.9761, 46.0990), (73.5127, 76.0625), (49.9149, 102.5233), (97.1104, 102.5233)),
)

PUBLISHED = (
    PublishedRecognizer(
        name="mobilefacenet",
        weights="mobilefacenet",
        encoder=FlipEmbedding(encoder=MobileFaceNet()),
        crop=FaceCrop(),
        least_norm=12.5,
    ),
    PublishedRecognizer(
        name="dlib",
        weights="dlib_face",
        encoder=FlipEmbedding(encoder=DlibResNet(), normalize=False),
        crop=FaceCrop(size=_DLIB.size, finder=FaceFinder(template=_DLIB)),
        distance=Euclidean(),
        least_norm=1.27,
    ),
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
