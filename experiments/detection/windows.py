"""Detection by sliding windows: a network learns to classify crops, and is slid over images, or applied to them whole."""

import dataclasses
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.detection.evaluation import evaluated
from likeness.experiments.detection.finding import canvas_of, find
from likeness.experiments.detection.outcome import outcome
from likeness.experiments.experiment import Batches, Evaluation, Experiment, LossOutput, Part, Variables
from likeness.experiments.fingerprints import Fingerprints
from likeness.research.checks import check_members
from likeness.research.data.detection import (
    DetectionExamples,
    DetectionParts,
    DetectionSource,
    DetectionSplit,
    OfficialParts,
    parted,
)
from likeness.research.data.detection.crops import ObjectCrops
from likeness.research.data.examples import Examples, stream_examples
from likeness.research.data.preprocessing import to_unit
from likeness.research.data.protocols import is_synthetic
from likeness.research.detectors.windows import WindowDetector
from likeness.research.encoders.window_network import WindowNetwork
from likeness.research.geometry.detections import Detections
from likeness.research.geometry.placement import Size
from likeness.research.geometry.suppression import Suppression
from likeness.research.geometry.transforms import Letterbox
from likeness.research.losses import ClassificationLoss, CrossEntropy
from likeness.research.metrics.intervals import Estimate, wilson
from likeness.research.types import PRNGKey, PyTree

__all__ = ["WindowDetection"]

_COMPARED = 20
"""Images of which every window is classified alone, to compare with the one pass."""
_CROPS = 512
"""Crops that are classified together."""
_ROUNDING = 1e-5
"""How far answers of the two forms may be apart, in units of the largest one, at least 1."""


class WindowData(NamedTuple):
    """Annotated images, and the crops that are learned and decided by."""

    images: DetectionParts
    train: Examples
    validation: Examples


@dataclasses.dataclass(frozen=True, kw_only=True)
class WindowDetection(Experiment):
    """Learns to classify crops of annotated images, and finds objects in whole images by looking at every window.

    The evaluation applies the network to whole images, in its convolutional form. On some of them it classifies every window
    alone too, and both must say the same.
    """

    data: DetectionSource
    """Where annotated images come from."""
    split: DetectionSplit = OfficialParts()
    """Which of them are learned from, which decide, and which are only evaluated by."""
    size: Size
    """Height and width that every image is scaled to, by a letterbox; objects should then be of the window's size."""
    network: WindowNetwork
    """Classifies crops."""
    crops: ObjectCrops
    """How crops are cut."""
    border: int = 8
    """Pixels around an image, so that windows may have objects in their middle that lie at its border."""
    loss: ClassificationLoss = CrossEntropy()
    """Compares the scores of the classes with that of a crop."""
    batch: int = 64
    """Crops in a batch."""
    suppression: Suppression = Suppression(iou_threshold=0.2, score_threshold=0.01)
    """What is left out of the windows before they are evaluated."""
    score_threshold: float = 0.95
    """What scores this or less is not shown in figures, and not found by the model in use."""
    resamples: int = 1000
    """Draws of the test images by which the intervals are computed."""

    def __post_init__(self) -> None:
        check_members("WindowDetection", "data", self.data, DetectionSource, "a source of annotated images, such as Shapes()")
        check_members("WindowDetection", "split", self.split, DetectionSplit, "a split such as OfficialParts()")
        check_members("WindowDetection", "loss", self.loss, ClassificationLoss, "CrossEntropy(), say")
        if self.network.form != "crops" or self.network.window != self.crops.window:
            raise ValueError(
                f"WindowDetection: crops of {self.crops.window} pixels are classified by a network for "
                f"{self.network.window} of the form {self.network.form!r}: give both the same window, and the form 'crops'."
            )
        if self.batch < 1 or self.resamples < 1:
            raise ValueError(f"WindowDetection: batch is {self.batch} and resamples {self.resamples}: give 1 or more of each.")
        if not 0 <= self.score_threshold < 1:
            raise ValueError(f"WindowDetection.score_threshold is {self.score_threshold}: give 0 or more, and less than 1.")
        self.model(("object",))

    def open(self) -> WindowData:
        """Opens the images, parts them, and cuts crops out of those to learn from and of those to decide by.

        What was wrong with the images stays with those to learn from.
        """
        images, model = parted(self.data.open(), self.split), self.model(("object",))
        transform = Letterbox(size=model.canvas, within=self.size)
        return WindowData(images, self.crops(images.train, transform, 0), self.crops(images.validation, transform, 1))

    def fingerprints(self, data: WindowData) -> Fingerprints:
        """Of the crops and the images."""
        images = data.images
        return Fingerprints(
            training={"training crops": data.train.fingerprint},
            validation={"validation crops": data.validation.fingerprint, "validation images": images.validation.fingerprint},
            test={"test images": images.test.fingerprint},
        )

    def describe(self, data: WindowData) -> tuple[str, ...]:
        """How many crops of each class there are, and how many images."""
        counted = ", ".join(
            f"{count:,} {name}" for name, count in zip(data.train.classes, data.train.counts().tolist(), strict=True)
        )
        side, images = self.crops.window, data.images
        sentences = [
            f"data: {type(self.data).__name__}: {len(data.train):,} crops of {side}×{side} ({counted}) of "
            f"{len(images.train):,} images; {len(images.validation):,} images to decide by and {len(images.test):,} to be "
            "evaluated by"
        ]
        if is_synthetic(self.data):
            sentences.append("the images are synthetic: numbers on them say nothing of real ones")
        sentences += images.train.summary()[1:]
        return tuple(sentences)

    def stream(self, data: WindowData, seed: int) -> Batches:
        """Batches of ``values`` (b, window, window, c) and int32 ``labels`` (b,)."""
        return stream_examples(
            data.train, self.batch, seed, process_index=jax.process_index(), process_count=jax.process_count()
        )

    def constants(self, data: WindowData) -> PyTree:
        """How many crops of each class there are; as many numbers as there are classes with the background."""
        return data.train.counts().astype(np.float32)

    def init(self, key: PRNGKey, constants: PyTree, batch: PyTree) -> Variables:
        """Random weights for the network and for the layer that tells classes."""
        for_network, for_head = jax.random.split(key)
        crops = jnp.zeros((1, *batch["values"].shape[1:]), jnp.float32)
        encoder = self.network.init(for_network, crops)["params"]
        shape = (self.network.hidden[-1], len(constants))
        head = {"kernel": nn.initializers.lecun_normal()(for_head, shape, jnp.float32), "bias": jnp.zeros(shape[1:])}
        return Variables({"encoder": encoder, "head": head}, {})

    def cost(self, params: PyTree, state: PyTree, constants: PyTree, batch: PyTree, key: PRNGKey) -> LossOutput:
        """The mean loss of one batch, and how many of its crops are named right."""
        del constants, key
        logits = self._of_crops(params, to_unit(batch["values"]))
        right = jnp.argmax(logits, axis=-1) == batch["labels"]
        return LossOutput(self.loss(logits, batch["labels"]).mean(), state, {"accuracy": right.mean(dtype=jnp.float32)})

    def encoder_variables(self, learned: Variables) -> PyTree:
        """The network's part of what was learned."""
        return {"params": learned.params["encoder"]}

    def training_examples(self) -> Examples:
        """What is learned from, cut anew."""
        return self.open().train

    def model(self, class_names: tuple[str, ...]) -> WindowDetector:
        """The detector that this learns, for use.

        Args:
            class_names: of the data.
        """
        return WindowDetector(
            network=self.network,
            size=self.size,
            class_names=class_names,
            margin=self.crops.margin,
            border=self.border,
            suppression=dataclasses.replace(self.suppression, score_threshold=self.score_threshold),
            channels=getattr(self.data, "channels", 3),
        )

    def model_variables(self, learned: Variables) -> PyTree:
        """What :meth:`model` takes."""
        return {"encoder": {"params": learned.params["encoder"]}, "head": learned.params["head"]}

    def evaluate(self, data: WindowData, params: PyTree, state: PyTree, part: Part) -> Evaluation:
        """How many crops are named right, and average precision by windows; on the test part with what one pass saves."""
        learned = Variables(params, state)
        if part == "validation":
            crops = data.validation
            parts = [crops.values[start : start + _CROPS] for start in range(0, len(crops), _CROPS)]
            said = np.concatenate([np.asarray(self._of_crops(params, to_unit(some))) for some in parts])
            right = int((said.argmax(axis=1) == crops.labels).sum())
            alone: dict[str, float | Estimate] = {"windows/accuracy": wilson(right, len(crops))}
            examples = data.images.validation
            return Evaluation(metrics={**alone, **evaluated(examples, self.find(learned, examples)).metrics})
        examples = data.images.test
        model, variables = self.model(examples.class_names), self.model_variables(learned)
        result = outcome(
            examples,
            self.find(learned, examples),
            model,
            size=self.size,
            source=type(self.data).__name__,
            score_threshold=self.score_threshold,
            resamples=self.resamples,
        )
        count = min(_COMPARED, len(examples))
        difference = difference_of_forms(model, variables, examples.select(np.arange(count)))
        saved = model.crop_multiplications / model.pass_multiplications
        rows, columns = model.windows.grid(*model.canvas)
        metrics = {
            **result.metrics,
            "windows/difference": difference,
            "windows/multiplications_saved": saved,
        }
        notes = (
            f"each image has {rows}×{columns} windows; one pass takes {model.pass_multiplications / 1e6:.1f} million "
            f"multiplications, all windows alone {model.crop_multiplications / 1e6:.1f} million, {saved:.1f} times as many",
            f"of all windows of {count} images, the two differ by {difference:.1g} of the largest score at most",
        )
        return dataclasses.replace(result, metrics=metrics, notes=(*result.notes, *notes))

    def find(self, learned: Variables, examples: DetectionExamples) -> list[Detections]:
        """What is found in each image of a table, in its own pixels, down to low scores."""
        return find(self.model(examples.class_names), self.suppression, self.model_variables(learned), examples)

    def _of_crops(self, params: PyTree, crops: Any) -> Any:
        said: Any = self.network.apply({"params": params["encoder"]}, crops)
        return said["embedding"] @ params["head"]["kernel"] + params["head"]["bias"]


def difference_of_forms(model: WindowDetector, variables: PyTree, examples: DetectionExamples) -> float:
    """By how much the scores of windows classified alone are from those of one pass, in units of the largest, at least 1.

    Args:
        model: the detector.
        variables: its network's.
        examples: images, few of them.

    Raises:
        RuntimeError: by more than rounding, 1e-5.
    """
    images = jnp.stack([to_unit(canvas_of(model, examples, row)) for row in range(len(examples))])
    together, alone = (
        np.asarray(jax.jit(dataclasses.replace(model, form=form).logits)(variables, images))
        for form in ("convolutional", "crops")
    )
    difference = float(np.abs(together - alone).max() / max(1.0, np.abs(alone).max()))
    if not difference <= _ROUNDING:
        raise RuntimeError(
            f"WindowDetection: one pass says something else of a window than its crop says alone, by {difference:.2g} of the "
            f"largest score, where {_ROUNDING:g} would be rounding. The network sees what is outside of the window."
        )
    return difference
