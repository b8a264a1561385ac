"""Classification of signals, images, volumes and films: an encoder and a linear layer learn to name the class."""

import dataclasses
import functools
from typing import Any, Protocol, runtime_checkable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from likeness.experiments.classification.classifiers import ClassifierBaseline
from likeness.experiments.classification.figures import confusion
from likeness.experiments.display.phases import tracked
from likeness.experiments.encoders import check_encoder, embedding_of
from likeness.experiments.experiment import Batches, Evaluation, Experiment, LossOutput, Part, Variables
from likeness.experiments.fingerprints import Fingerprints
from likeness.experiments.preprocessing import ModelInputs
from likeness.research.checks import check_members
from likeness.research.data.examples import Examples, Parts, stream_examples
from likeness.research.data.preprocessing import Preprocessing, to_unit
from likeness.research.data.protocols import is_synthetic
from likeness.research.errors import UserError
from likeness.research.losses import ClassificationLoss, CrossEntropy
from likeness.research.metrics.intervals import Estimate, wilson
from likeness.research.types import AnyArray, Array, Float, PRNGKey, PyTree

_BATCH = 64


@runtime_checkable
class ExampleSource(Protocol):
    """Where labelled examples come from: ``Ecg``, ``Volumes``, ``ExampleArrays`` of :mod:`likeness.research.data`."""

    def open(self) -> Parts:
        """The examples to learn from, to decide by, and to be evaluated by."""
        ...

    def class_names(self) -> tuple[str, ...]:
        """What the classes are called; known before anything is opened."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Classification(Experiment):
    """Learns an encoder and a linear layer on its embedding from labelled examples of one, two or three dimensions."""

    data: ExampleSource
    """Where examples come from."""
    encoder: nn.Module
    """Turns an example into named activations, among them ``embedding``; of the data's ``spatial_dims``."""
    loss: ClassificationLoss = CrossEntropy()
    """Compares the scores of the classes with the label."""
    batch: int = 64
    """Examples in a batch."""
    preprocessing: Preprocessing | None = None
    """How an image file becomes an example, where the examples are images and their source does not say it. Without, files are
    refused."""
    baselines: tuple[ClassifierBaseline, ...] = ()
    """What the network has to beat, evaluated on the same examples at the end."""

    def __post_init__(self) -> None:
        check_members("Classification", "data", self.data, ExampleSource, "a source of examples, such as Ecg()")
        check_encoder("Classification", self.encoder)
        check_members("Classification", "loss", self.loss, ClassificationLoss, "CrossEntropy(), say")
        for baseline in self.baselines:
            check_members("Classification", "baselines", baseline, ClassifierBaseline, "(NearestMean(),), say")
        if self.batch < 1:
            raise ValueError(f"Classification.batch is {self.batch}: give 1 or more")

    def open(self) -> Parts:
        """Opens the examples.

        Raises:
            UserError: files would become something else than the examples are.
        """
        parts = self.data.open()
        ModelInputs.of(self, parts.train.shape)
        return parts

    def fingerprints(self, data: Parts) -> Fingerprints:
        """Of each part's examples and their classes."""
        return Fingerprints(
            training={"training examples": data.train.fingerprint},
            validation={"validation examples": data.validation.fingerprint},
            test={"test examples": data.test.fingerprint},
        )

    def describe(self, data: Parts) -> tuple[str, ...]:
        """How many examples each part has, and of what shape."""
        sizes = ", ".join(f"{name} {len(part):,}" for name, part in zip(Parts._fields, data, strict=True))
        shape = "×".join(map(str, data.train.shape))
        sentences = [f"data: {type(self.data).__name__}: {sizes} examples of {shape} in {len(data.train.classes)} classes"]
        if is_synthetic(self.data):
            sentences.append("the examples are synthetic: numbers on them say nothing of real ones")
        if missing := [name for name, count in zip(data.train.classes, data.train.counts(), strict=True) if not count]:
            sentences.append(f"warning: there is nothing to learn {missing[0]!r} from: the training part has no such example")
        return tuple(sentences)

    def stream(self, data: Parts, seed: int) -> Batches:
        """Batches of ``values`` (b, …, c) and int32 ``labels`` (b,).

        Raises:
            UserError: the encoder is for examples of other dimensions.
        """
        dims = len(data.train.shape) - 1
        expected = getattr(self.encoder, "spatial_dims", 2)
        if dims != expected:
            raise UserError(
                f"The examples have {dims} spatial axes, in all {data.train.shape} with the channels, and this "
                f"{type(self.encoder).__name__} takes {expected}: set --experiment.encoder.spatial-dims {dims}, or choose an "
                "encoder that has it, such as Conv4 or PlainConvNet."
            )
        return stream_examples(
            data.train, self.batch, seed, process_index=jax.process_index(), process_count=jax.process_count()
        )

    def init(self, key: PRNGKey, constants: PyTree, batch: PyTree) -> Variables:
        """Random weights for the encoder and for the linear layer.

        Raises:
            UserError: the encoder returns no ``embedding``.
        """
        del constants
        for_encoder, for_head = jax.random.split(key)
        values = jnp.zeros((1, *batch["values"].shape[1:]), jnp.float32)
        made: Any = self.encoder.init_with_output(for_encoder, values)
        activations, variables = made[0], dict(made[1])
        weights = variables.pop("params")
        shape = (embedding_of(self.encoder, activations).shape[-1], len(self.data.class_names()))
        head = {"kernel": nn.initializers.lecun_normal()(for_head, shape, jnp.float32), "bias": jnp.zeros(shape[1:])}
        return Variables({"encoder": weights, "head": head}, variables)

    def encoder_variables(self, learned: Variables) -> PyTree:
        """The encoder's part of what was learned."""
        return {"params": learned.params["encoder"], **learned.state}

    def training_examples(self) -> Examples:
        """What is learned from, opened anew."""
        return self.open().train

    def cost(self, params: PyTree, state: PyTree, constants: PyTree, batch: PyTree, key: PRNGKey) -> LossOutput:
        """The mean loss of one batch, and how many of it are named right."""
        del constants, key
        variables = {"params": params["encoder"], **state}
        values = to_unit(batch["values"])
        activations, changed = self.encoder.apply(variables, values, train=True, mutable=list(state))
        logits = _scores(params["head"], activations["embedding"])  # pyright: ignore
        right = jnp.argmax(logits, axis=-1) == batch["labels"]
        return LossOutput(self.loss(logits, batch["labels"]).mean(), dict(changed), {"accuracy": right.mean(dtype=jnp.float32)})

    def evaluate(self, data: Parts, params: PyTree, state: PyTree, part: Part) -> Evaluation:
        """Evaluates the network on one part; on the test part also the baselines, class by class, with an image."""
        evaluated = data.validation if part == "validation" else data.test
        logits = self.scores(params, state, evaluated.values)
        loss = float(np.asarray(CrossEntropy()(logits, evaluated.labels)).mean())
        counts = _confusion(evaluated, logits.argmax(axis=1))
        metrics: dict[str, float | Estimate] = {"classification/accuracy": _accuracy(counts)}
        if part == "validation":
            return Evaluation(metrics={**metrics, "classification/cross_entropy": loss})
        metrics |= _by_class(counts, evaluated.classes)
        metrics["classification/cross_entropy"] = loss
        for baseline in self.baselines:
            rival = _confusion(evaluated, baseline.fit(data.train)(evaluated.values))
            named = {"classification/accuracy": _accuracy(rival)} | _by_class(rival, evaluated.classes)
            metrics |= {f"{baseline.name}/{name}": value for name, value in named.items()}
        notes = (f"{len(evaluated):,} examples, none of them in training",)
        return Evaluation(
            metrics=metrics,
            figures={"confusion": confusion(counts, evaluated.classes)},
            artifacts={"preprocessing": ModelInputs.of(self, data.train.shape).to_json()},
            notes=notes,
        )

    def scores(self, params: PyTree, state: PyTree, values: AnyArray) -> Float[np.ndarray, "n k"]:
        """The score of each class for each example (n, …, c), before the softmax."""
        variables = {"params": params["encoder"], **state}
        parts = []
        for some in tracked("scoring examples", [values[i : i + _BATCH] for i in range(0, len(values), _BATCH)], len):
            some = np.asarray(some)
            # Filled up, so that one shape is compiled.
            rows = np.concatenate([some, np.zeros((_BATCH - len(some), *some.shape[1:]), some.dtype)])
            parts.append(np.asarray(_evaluated(self.encoder, variables, params["head"], rows))[: len(some)])
        return np.concatenate(parts)


@functools.partial(jax.jit, static_argnums=0)
def _evaluated(encoder: nn.Module, variables: PyTree, head: PyTree, values: AnyArray) -> Array:
    activations: Any = encoder.apply(variables, to_unit(values), train=False)
    return _scores(head, activations["embedding"])


def _scores(head: PyTree, embeddings: Array) -> Float[Array, "b k"]:
    return embeddings.astype(jnp.float32) @ head["kernel"] + head["bias"]


def _confusion(examples: Examples, predicted: Int[np.ndarray, "n"]) -> Int[np.ndarray, "k k"]:
    """How many of each class (rows) were taken for each (columns)."""
    counts = np.zeros((len(examples.classes),) * 2, np.int64)
    np.add.at(counts, (examples.labels, predicted), 1)
    return counts


def _accuracy(counts: Int[np.ndarray, "k k"]) -> Estimate:
    return wilson(int(np.trace(counts)), int(counts.sum()))


def _by_class(counts: Int[np.ndarray, "k k"], classes: tuple[str, ...]) -> dict[str, Estimate]:
    """How many of each class are named right."""
    return {
        f"classification/accuracy@{name.replace(' ', '_')}": wilson(int(row[i]), int(row.sum()))
        for i, (name, row) in enumerate(zip(classes, counts, strict=True))
    }
