"""Detection: an encoder and a head learn to find objects in annotated images."""

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.detection.evaluation import evaluated
from likeness.experiments.detection.finding import find, look_through
from likeness.experiments.detection.grid import grid_and_anchors
from likeness.experiments.detection.outcome import outcome
from likeness.experiments.detection.points import of_found_landmarks
from likeness.experiments.detection.proposals import of_proposals
from likeness.experiments.detection.single import of_single_objects
from likeness.experiments.encoders import check_encoder
from likeness.experiments.experiment import Batches, Evaluation, Experiment, LossOutput, Part, Variables
from likeness.experiments.fingerprints import Fingerprints
from likeness.experiments.frozen import Weights
from likeness.research.checks import check_members
from likeness.research.data.detection import (
    DetectionAugmentation,
    DetectionExamples,
    DetectionParts,
    DetectionSource,
    DetectionSplit,
    OfficialParts,
    parted,
    sample_of,
    stream_detection,
    with_proposals,
)
from likeness.research.data.preprocessing import to_unit
from likeness.research.data.protocols import is_synthetic
from likeness.research.detectors.course_yolo import HasCells
from likeness.research.detectors.heads import DetectionHead, Objects
from likeness.research.detectors.learned import LearnedDetector, look, maps_of
from likeness.research.detectors.protocol import Regions
from likeness.research.detectors.regions import Learning, RegionHead
from likeness.research.geometry.detections import Detections
from likeness.research.geometry.placement import Size
from likeness.research.geometry.suppression import Suppression
from likeness.research.geometry.transforms import Letterbox
from likeness.research.types import AnyArray, Array, Float, PRNGKey, PyTree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_EXPLAINED = 3
"""Images over which a grid is drawn."""


class DetectionConstants(NamedTuple):
    """What is known before anything is learned."""

    objects: Float[AnyArray, "classes"]
    """How many of each class there are to learn from; as many numbers as there are classes."""
    start: PyTree = None
    """The variables that the encoder, or its backbone, starts from; None for random ones."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObjectDetection(Experiment):
    """Learns an encoder and a head from annotated images, and evaluates them on images that they have not seen."""

    data: DetectionSource
    """Where annotated images come from."""
    split: DetectionSplit = OfficialParts()
    """Which of them are learned from, which decide, and which are only evaluated by."""
    size: Size
    """Height and width of the canvas that every image is laid on, by a letterbox."""
    encoder: nn.Module
    """Turns images into named activations."""
    head: DetectionHead
    """Reads some of them, and says where objects are."""
    weights: Weights | None = None
    """What the encoder starts from, or of an encoder with a ``backbone`` that part, such as ``Pretrained("shufflenetv2")``;
    None for random weights."""
    augmentation: DetectionAugmentation | None = DetectionAugmentation()
    """Random changes of the training images; None for none."""
    batch: int = 32
    """Images in a batch."""
    suppression: Suppression = Suppression(iou_threshold=0.6, score_threshold=0.01)
    """What is left out of what the head says before it is evaluated. Low scores cost nothing there, and raise recall."""
    score_threshold: float = 0.3
    """What scores this or less is not shown in figures, and not found by the model in use."""
    resamples: int = 1000
    """Draws of the test images by which the intervals are computed."""

    def __post_init__(self) -> None:
        check_members("ObjectDetection", "data", self.data, DetectionSource, "a source of annotated images, such as Shapes()")
        check_members("ObjectDetection", "split", self.split, DetectionSplit, "a split such as OfficialParts()")
        check_members("ObjectDetection", "head", self.head, DetectionHead, "a head such as AnchorFreeHead()")
        check_encoder("ObjectDetection", self.encoder)
        if self.weights is not None:
            check_members("ObjectDetection", "weights", self.weights, Weights, 'Pretrained(name="shufflenetv2"), say')
        if self.batch < 1 or self.resamples < 1 or min(self.size) < 1:
            raise ValueError(
                f"ObjectDetection: batch is {self.batch}, resamples {self.resamples} and size {self.size}: all must be 1 "
                "or more."
            )
        if not 0 <= self.score_threshold < 1:
            raise ValueError(f"ObjectDetection.score_threshold is {self.score_threshold}: give 0 or more, and less than 1.")

    def open(self) -> DetectionParts:
        """Opens the images and parts them. What was wrong with them stays with those to learn from."""
        return parted(self.data.open(), self.split)

    def fingerprints(self, data: DetectionParts) -> Fingerprints:
        """Of each part's images, their boxes and the names of the classes."""
        return Fingerprints(
            training={"training images": data.train.fingerprint},
            validation={"validation images": data.validation.fingerprint},
            test={"test images": data.test.fingerprint},
        )

    def describe(self, data: DetectionParts) -> tuple[str, ...]:
        """How many images and objects each part has, and what was wrong with the data."""
        learned, deciding, tested = (f"{len(part):,} images with {len(part.boxes):,} objects" for part in data)
        train = data.train
        sentences = [
            f"data: {type(self.data).__name__}: {learned}, in {len(train.class_names)} classes; {deciding} to decide by and "
            f"{tested} to be evaluated by"
        ]
        if is_synthetic(self.data):
            sentences.append("the images are synthetic: numbers on them say nothing of real ones")
        sentences += train.summary()[1:]
        if missing := [name for name, count in zip(train.class_names, train.counts().tolist(), strict=True) if not count]:
            more = f" and {len(missing) - 1:,} more classes" if len(missing) > 1 else ""
            sentences.append(
                f"warning: there is nothing to learn {missing[0]!r}{more} from: the training part has no such objects"
            )
        return tuple(sentences)

    def constants(self, data: DetectionParts) -> DetectionConstants:
        """How many objects of each class there are, and the weights that are started from.

        Raises:
            UserError: these cannot be had, or do not fit the encoder.
        """
        start = None if self.weights is None else self.weights.variables(getattr(self.encoder, "backbone", self.encoder))
        return DetectionConstants(data.train.counts().astype(np.float32), start)

    def stream(self, data: DetectionParts, seed: int) -> Batches:
        """Batches of uint8 ``images`` (b, h, w, c), their objects in rows, and proposals where the head asks for some, as
        :func:`~likeness.research.data.detection.stream_detection` says."""
        examples = data.train
        if isinstance(self.head, RegionHead) and self.head.search is not None:
            examples = with_proposals(examples, self.head.search)
        return stream_detection(
            examples,
            self.batch,
            self.size,
            seed,
            augmentation=self.augmentation,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
        )

    def init(self, key: PRNGKey, constants: DetectionConstants, batch: PyTree) -> Variables:
        """Random weights for the encoder and for the head, but for those that are started from.

        Raises:
            UserError: the encoder has no map that the head asks for.
        """
        for_encoder, for_head = jax.random.split(key)
        images = jnp.zeros((1, *batch["images"].shape[1:]), jnp.float32)
        made: Any = self.encoder.init_with_output(for_encoder, images)
        maps = maps_of(self.encoder, self.head, made[0])
        head = dict(self.head.network(len(constants.objects)).init(for_head, maps))
        variables = {"encoder": self._started(dict(made[1]), constants.start), "head": head}
        params = {part: own.pop("params") for part, own in variables.items()}
        return Variables(params, variables)

    def cost(self, params: PyTree, state: PyTree, constants: DetectionConstants, batch: PyTree, key: PRNGKey) -> LossOutput:
        """The cost of one batch by the head, with its parts."""
        variables, images = _joined(params, state), jnp.asarray(to_unit(batch["images"]))
        objects = Objects(batch["boxes"], batch["classes"], batch["mask"], batch.get("points"), batch.get("ignored"))
        proposals = Regions(batch["proposals"], batch["proposed"]) if "proposals" in batch else None
        learning = Learning(objects, key)
        looked = look(self.encoder, self.head, variables, images, len(constants.objects), proposals, learning)
        value, parts = self.head.cost(looked.said, (images.shape[1], images.shape[2]), objects)
        # Of the structure that it had.
        after = {part: {kind: looked.state[part][kind] for kind in own} for part, own in state.items()}
        return LossOutput(value, after, parts)

    def _started(self, variables: dict[str, Any], start: PyTree) -> dict[str, Any]:
        if start is None:
            return variables
        if getattr(self.encoder, "backbone", None) is None:
            return {kind: start.get(kind, own) for kind, own in variables.items()}
        return {kind: {**own, "backbone": start[kind]} if kind in start else own for kind, own in variables.items()}

    def encoder_variables(self, learned: Variables) -> PyTree:
        """The encoder's part of what was learned."""
        return _joined(*learned)["encoder"]

    def training_examples(self) -> DetectionExamples:
        """What is learned from, opened anew."""
        return self.open().train

    def model(self, class_names: tuple[str, ...]) -> LearnedDetector:
        """The detector that this learns, for use.

        Args:
            class_names: of the data.
        """
        return LearnedDetector(
            encoder=self.encoder,
            head=self.head,
            size=self.size,
            class_names=class_names,
            suppression=dataclasses.replace(self.suppression, score_threshold=self.score_threshold),
            channels=getattr(self.data, "channels", 3),
        )

    def model_variables(self, learned: Variables) -> PyTree:
        """What :meth:`model` takes."""
        return _joined(*learned)

    def evaluate(self, data: DetectionParts, params: PyTree, state: PyTree, part: Part) -> Evaluation:
        """Average precision on one part; on the test part with intervals, by class and size, with images and figures."""
        examples = data.validation if part == "validation" else data.test
        model, variables = self.model(examples.class_names), _joined(params, state)
        found, proposals = look_through(model, self.suppression, variables, examples)
        alone = {
            **(of_single_objects(examples, found) or of_found_landmarks(examples, found)),
            **of_proposals(examples, proposals),
        }
        if part == "validation":
            return Evaluation(metrics={**alone, **evaluated(examples, found).metrics})
        result = outcome(
            examples,
            found,
            model,
            size=self.size,
            source=type(self.data).__name__,
            score_threshold=self.score_threshold,
            resamples=self.resamples,
        )
        drawn = {**result.figures, **self._grid(params, state, examples)}
        return dataclasses.replace(result, metrics={**alone, **result.metrics}, figures=drawn)

    def _grid(self, params: PyTree, state: PyTree, examples: DetectionExamples) -> "dict[str, Figure]":
        """The grid on some images, for a head that has one."""
        rows = [row for row in range(len(examples)) if len(examples.boxes_of(row))][:_EXPLAINED]
        if not rows or not isinstance(self.head, HasCells):
            return {}
        samples = [sample_of(examples, row, Letterbox(size=self.size)) for row in rows]
        canvas = jnp.zeros((1, *samples[0].image.shape), jnp.float32)

        def read(variables: PyTree, images: AnyArray) -> list[Array]:
            return maps_of(self.encoder, self.head, self.encoder.apply(variables, images, train=False))

        maps = jax.eval_shape(read, _joined(params, state)["encoder"], canvas)
        cells = self.head.cells([self.size[0] // each.shape[1] for each in maps])
        images, boxes = [each.image for each in samples], [each.boxes for each in samples]
        classes = [each.classes for each in samples]
        return {"grid": grid_and_anchors(images, boxes, classes, examples.class_names, cells)}

    def find(self, learned: Variables, examples: DetectionExamples) -> list[Detections]:
        """What is found in each image of a table, in its own pixels, down to low scores."""
        return find(self.model(examples.class_names), self.suppression, self.model_variables(learned), examples)


def _joined(params: PyTree, state: PyTree) -> PyTree:
    return {part: {"params": params[part], **state[part]} for part in params}
