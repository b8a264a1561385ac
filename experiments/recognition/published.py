"""Recognizers with published weights, which answer without training: what each is made of, and where its τ comes from."""

import dataclasses
from pathlib import Path

import flax.linen as nn

from likeness.experiments.recognition.protocols import EvaluationProtocol
from likeness.experiments.recognition.recognition import Recognition
from likeness.research.data import CountSplit, Everybody, IdentityBatches, Shuffled, Source
from likeness.research.data.paths import expand_path, printable
from likeness.research.detectors import MTCNNDetector
from likeness.research.distances import Cosine, Distance, Euclidean
from likeness.research.encoders import DlibResNet, FlipEmbedding, MobileFaceNet
from likeness.research.errors import UserError
from likeness.research.faces import FaceCrop, FaceFinder, FaceFolder
from likeness.research.gallery.gallery_thresholds import ENDING
from likeness.research.geometry.template import Template
from likeness.research.losses import Triplet
from likeness.research.weights import Pretrained
from likeness.research.weights.onnx_iresnet import read_iresnet
from likeness.research.weights.releases import released

__all__ = ["PUBLISHED", "PublishedRecognizer", "published"]

_THRESHOLDS = Path(__file__).parent / "published_thresholds"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedRecognizer:
    """An encoder of faces with published weights, the crop that it takes, and the people that its τ was chosen on."""

    name: str
    """What it is asked for by."""
    weights: str
    """The name of its weights, see ``likeness weights list``; empty for those of a file."""
    encoder: nn.Module
    """With the mirror image, as it is used."""
    crop: FaceCrop
    """How a photograph becomes what it takes."""
    distance: Distance = Cosine()
    """How its embeddings are compared."""
    least_norm: float | None
    """The length of an embedding before it is normalized that one in a hundred of those photographs is below; None: nobody
    knows."""
    calibrated_on: str = "Labeled Faces in the Wild"
    """Whose photographs τ was chosen on and its rates were measured on."""
    file: str = ""
    """The file of its weights, where they have no name."""

    @property
    def threshold(self) -> Path:
        """The file that τ is kept in: ``python -m likeness.experiments.benchmarks.published_thresholds`` writes it.

        Of weights in a file it lies beside that.
        """
        return Path(self.file).with_suffix(".threshold.json") if self.file else _THRESHOLDS / f"{self.name}.json"

    @property
    def gallery_thresholds(self) -> Path:
        """The file of the thresholds T(N), beside that of τ and from the same people."""
        name = self.threshold.name.removesuffix(".json").removesuffix(".threshold")
        return self.threshold.with_name(name + ENDING)

    @property
    def pretrained(self) -> Pretrained:
        """Its weights."""
        return Pretrained(path=self.file) if self.file else Pretrained(name=self.weights)

    def experiment(self, path: str = "$LIKENESS_DATA/people") -> Recognition:
        """The experiment that starts from it, with the photographs of a folder of people."""
        return Recognition(
            data=FaceFolder(path, crop=self.crop),
            split=CountSplit(validation=12, test=6),
            batches=IdentityBatches(people=4, images=4, single="drop"),
            encoder=self.encoder,
            weights=self.pretrained,
            statistics="kept",
            distance=self.distance,
            loss=Triplet(),
        )

    def evaluated(self, data: Source, *protocols: EvaluationProtocol) -> Recognition:
        """The experiment that evaluates it as it is: for a run of 0 steps.

        Args:
            data: everybody in it is evaluated, such as a :class:`~likeness.research.faces.FaceFolder` with its ``crop``.
            protocols: how.
        """
        return Recognition(
            data=data,
            split=Everybody(),
            # A run draws a batch even if it takes no step.
            batches=Shuffled(batch_size=2),
            encoder=self.encoder,
            weights=self.pretrained,
            statistics="kept",
            distance=self.distance,
            loss=Triplet(),
            validation=(),
            test=protocols,
        )

    @property
    def in_the_middle(self) -> FaceCrop:
        """Its crop of photographs whose person is in the middle, as in the sets of the field, and surely there."""
        finder = dataclasses.replace(self.crop.finder, choice="central", score_threshold=0.3)
        return dataclasses.replace(self.crop, finder=finder)


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
    PublishedRecognizer(
        name="dlib_mtcnn",
        weights="dlib_face",
        encoder=FlipEmbedding(encoder=DlibResNet(), normalize=False),
        crop=FaceCrop(
            size=_DLIB.size, finder=FaceFinder(detector=MTCNNDetector(longest=None), template=_DLIB), weights="mtcnn"
        ),
        distance=Euclidean(),
        least_norm=1.27,
    ),
)
"""The first is what commands take unless they are told otherwise."""


def published(name: str) -> PublishedRecognizer:
    """The published recognizer of a name, or one of InsightFace's in a file.

    Args:
        name: of :data:`PUBLISHED`, or a file that ends in ``.onnx``. The faces for such a one are found by YuNet, or by MTCNN
            where only its weights are on this machine.

    Raises:
        UserError: there is none, or the file cannot be read.
    """
    if name.lower().endswith(".onnx"):
        return _in_file(name)
    for one in PUBLISHED:
        if one.name == name:
            return one
    raise UserError(
        f"There is no published recognizer {printable(name)!r}: give {' or '.join(each.name for each in PUBLISHED)}, "
        "a file of InsightFace's that ends in .onnx, or the working directory of a run that has learned one."
    )


def _in_file(name: str) -> PublishedRecognizer:
    path = expand_path(name)
    if not path.is_file():
        raise UserError(f"There is no file {printable(path)}: give one of InsightFace's recognizers, such as w600k_r50.onnx.")
    encoder, _, _ = read_iresnet(path)
    found_by_mtcnn = released("yunet").find() is None and released("mtcnn").find() is not None
    return PublishedRecognizer(
        name=str(path),
        weights="",
        encoder=FlipEmbedding(encoder=encoder.clone(normalize=True)),
        crop=FaceCrop(finder=FaceFinder(detector=MTCNNDetector(longest=None)), weights="mtcnn")
        if found_by_mtcnn
        else FaceCrop(),
        least_norm=None,
        calibrated_on="the folder that it was calibrated on",
        file=str(path),
    )
