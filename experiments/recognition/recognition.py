"""Face recognition: an encoder is learned so that images of one person are close and those of two are far apart."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.config import to_json
from likeness.experiments.display import figures
from likeness.experiments.display.phases import tracked
from likeness.experiments.encoders import check_encoder, embedding_of, inner, started, wrapped
from likeness.experiments.experiment import Batches, Evaluation, Experiment, LossOutput, Part, Variables
from likeness.experiments.fingerprints import Fingerprints
from likeness.experiments.frozen import Weights
from likeness.experiments.preprocessing import ModelInputs
from likeness.experiments.recognition.chunks import check_chunks, check_stateless, embed_in_chunks
from likeness.experiments.recognition.embedders import Baseline, trained
from likeness.experiments.recognition.evidence import HardPairs, embedding_sample, hardest_pairs, pair_images, roc_points
from likeness.experiments.recognition.protocols import (
    EvaluatedSet,
    EvaluationProtocol,
    Identification,
    Verification,
    apply_protocols,
    check_protocol,
    evaluate,
)
from likeness.research.checks import check_choice, check_members
from likeness.research.data.augmentation import Augmentation
from likeness.research.data.duplicates import shared_rows
from likeness.research.data.images import Images
from likeness.research.data.pipeline import stream
from likeness.research.data.preprocessing import Preprocessing
from likeness.research.data.protocols import Sampler, Source, is_synthetic, open_source
from likeness.research.data.sampling import IndexBatches
from likeness.research.data.split import Split, Splits
from likeness.research.distances import Distance
from likeness.research.errors import UserError
from likeness.research.gallery import GalleryThresholds, Threshold
from likeness.research.losses import (
    CollapseMonitor,
    KnowsCollapse,
    LimitsIdentities,
    LimitsSharding,
    RecognitionLoss,
    advance,
    distance_of,
    initial_state,
)
from likeness.research.metrics import calibration, verification
from likeness.research.metrics import pairs as metric_pairs
from likeness.research.metrics.sized_thresholds import FPIRS, thresholds_by_size
from likeness.research.ops.remat import Keep, count_parts, recomputing
from likeness.research.types import Array, Embeddings, PRNGKey, PyTree

FEW_PEOPLE = 12
"""With fewer, intervals are said to be rough (``likeness.experiments.benchmarks.thresholds``)."""

LOSS_STATE = "loss"
"""Where the state of a loss that carries one is kept, beside the collections of the encoder's."""

_NEARLY = 1.15
"""A rate that is so many times the one asked for is still called that."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recognition(Experiment):
    """Learns an encoder from labelled images and evaluates it on people it has never seen."""

    data: Source
    """Where images come from."""
    split: Split
    """Which people are trained on, which decide, and which are only evaluated by."""
    batches: Sampler
    """How the people and images of a batch are chosen."""
    encoder: nn.Module
    """Turns an image into named activations, among them ``embedding``."""
    loss: RecognitionLoss
    """Compares embeddings."""
    weights: Weights | None = None
    """What the encoder starts from, or the one that it wraps: those of ``Pretrained(name="mobilefacenet")``, say, or of a run.
    With ``steps=0`` they are used as they are, and only τ is calibrated; None for random weights."""
    statistics: Literal["batch", "kept"] = "batch"
    """What batch normalization uses while the encoder learns: each batch's statistics, or those that ``weights`` came with,
    which stay as they are. Few images of few people change a trained encoder less by the second."""
    distance: Distance | None = None
    """How embeddings are compared in evaluation, by verify and in a gallery; without one, as the loss compares them."""
    preprocessing: Preprocessing | None = None
    """How an image file becomes an image of the data, where their source does not say it, as
    :class:`~likeness.research.data.Arrays` does not. Without either, files are refused by verify, identify and all others that
    ask a trained model about them."""
    augmentation: Augmentation = Augmentation()
    """Random changes of the training images."""
    validation: tuple[EvaluationProtocol, ...] = (Verification(),)
    """How the validation people are evaluated, during training."""
    test: tuple[EvaluationProtocol, ...] = (Verification(), Identification())
    """How the test people are evaluated, at the end."""
    baselines: tuple[Baseline, ...] = ()
    """What the encoder has to beat, evaluated by the same protocols at the end."""
    target_far: float = 0.01
    """The false-accept rate that the threshold τ is calibrated for, on validation people."""

    monitor: CollapseMonitor = CollapseMonitor()
    """Says so in the log when embeddings collapse."""

    gradient_cache_chunks: int = 1
    """A batch larger than memory is embedded and gone back through in so many equal parts, with the same gradient for one more
    forward pass. Not with batch normalization, whose statistics are the whole batch's."""

    remat: Keep = "activations"
    """What the encoder keeps for its gradient: all activations; of each block its input and what its convolutions and matrix
    products gave (the rest costs little to compute again); or the inputs of blocks alone, for one more forward pass. The
    gradient is the same. For encoders of blocks: IResNet and MobileFaceNet (``likeness.experiments.benchmarks.remat``)."""

    def __post_init__(self) -> None:
        check_members("Recognition", "data", self.data, Source, "a source of likeness.research.data, such as Faces()")
        check_members("Recognition", "split", self.split, Split, "a split of likeness.research.data, such as CountSplit(8, 8)")
        check_members(
            "Recognition", "batches", self.batches, Sampler, "a sampler of likeness.research.data, such as IdentityBatches()"
        )
        check_members(
            "Recognition", "loss", self.loss, RecognitionLoss, "a loss of likeness.research.losses, such as Triplet()"
        )
        if self.distance is not None:
            check_members("Recognition", "distance", self.distance, Distance, "Cosine()")
        check_encoder("Recognition", self.encoder)
        check_choice("Recognition", "statistics", self.statistics, Literal["batch", "kept"])
        if self.weights is not None:
            check_members("Recognition", "weights", self.weights, Weights, 'Pretrained(name="mobilefacenet"), say')
        elif self.statistics == "kept":
            raise ValueError('Recognition.statistics is "kept", and no weights are given that any came with: give weights')
        for part in ("validation", "test"):
            for protocol in getattr(self, part):
                check_members("Recognition", part, protocol, EvaluationProtocol, "(Verification(),), say")
        for baseline in self.baselines:
            check_members("Recognition", "baselines", baseline, Baseline, "(RawPixels(),), say")
        if self.gradient_cache_chunks < 1:
            raise ValueError(f"Recognition.gradient_cache_chunks is {self.gradient_cache_chunks}: give 1 or more")
        if not 0 < self.target_far < 1:
            raise ValueError(f"Recognition.target_far is {self.target_far}: give a rate between 0 and 1, such as 0.01")

    def open(self) -> Splits:
        """Opens the images and splits their people.

        Raises:
            UserError: files would not become what the images are, or those of a protocol are read in another way.
        """
        images = open_source(self.data, tracked)
        inputs = ModelInputs.of(self, images.shape)
        for protocol in (*self.validation, *self.test):
            check_protocol(protocol, inputs)
        return self.split(images)

    def fingerprints(self, data: Splits) -> Fingerprints:
        """Of each part's images and whom they show."""
        return Fingerprints(
            training={"training images": data.train.fingerprint},
            validation={"validation images": data.validation.fingerprint},
            test={"test images": data.test.fingerprint},
        )

    def describe(self, data: Splits) -> tuple[str, ...]:
        """How many people and images each part has, and what was left out."""
        parts = {"train": data.train, "validation": data.validation, "test": data.test}
        sizes = "; ".join(f"{name} {_size(part)}" for name, part in parts.items())
        sentences = [f"data: {type(self.data).__name__}: {sizes}"]
        if is_synthetic(self.data):
            sentences.append(f"the images are synthetic: numbers on them say nothing of real {data.train.noun[1]}")
        if left_out := data.train.left_out():
            sentences.append(left_out)
        sentences += data.train.notes
        if not self.split.held_out:
            return (*sentences, "everybody is evaluated: a step that is taken learns from those who are")
        for name in ("validation", "test"):
            if shared := shared_rows(data[name].content, data.train.content):
                sentences.append(f"warning: {_images(shared)} of the {name} part are in the training part too, pixel by pixel")
        if dropped := self._batches(data, 0).dropped:
            left_out = "is left out" if len(dropped) == 1 else "are left out"
            sentences.append(f"{data.train.counted(len(dropped))} with too few images {left_out} of training")
        counts = data.validation.counts()
        different = (int(counts.sum()) ** 2 - int((counts**2).sum())) // 2
        if different < 1 / self.target_far:
            sentences.append(
                f"warning: there will be no threshold τ, without which verify and identify do not answer: the validation part "
                f"has {different} pairs of different {data.train.noun[1]} and a false-accept rate of {self.target_far:g} needs "
                f"{math.ceil(1 / self.target_far)}. Give it more {data.train.noun[1]}"
                f"{split_flags(self.split, 'validation')}, or aim at a higher rate (--experiment.target-far)"
            )
        return tuple(sentences)

    @property
    def starts_trained(self) -> bool:
        """Whether it starts from weights, and can be evaluated before a step is taken."""
        return self.weights is not None

    def constants(self, data: Splits) -> PyTree:
        """The variables that the encoder starts from; nothing where they are random.

        Raises:
            UserError: the weights cannot be had, or do not fit the encoder.
        """
        del data
        return {} if self.weights is None else self.weights.variables(wrapped(self.encoder)[0])

    def stream(self, data: Splits, seed: int) -> Batches:
        """Batches of uint8 ``images`` (b, h, w, c) and int32 ``labels`` (b,).

        Raises:
            UserError: the loss has no room for so many training people, or the batch cannot be cut into ``chunks``.
        """
        people = len(data.train.people)
        if isinstance(self.loss, LimitsIdentities):
            self.loss.check_identities(people, data.train.counted(people))
        batches = self._batches(data, seed)
        check_chunks(self.gradient_cache_chunks, batches.batch_size)
        return stream(data.train, batches, process_index=jax.process_index(), process_count=jax.process_count())

    def _batches(self, data: Splits, seed: int) -> IndexBatches:
        """The batches of the training part; where it is too small for them, who was set aside is said too."""
        try:
            return self.batches.batches(data.train, seed)
        except UserError as error:
            validation, test = len(data.validation.people), len(data.test.people)
            if not validation + test:
                raise
            everybody = data.train.counted(len(data.train.people) + validation + test)
            raise UserError(
                f"{error} Of {everybody} the split has set {validation} aside for validation and {test} for the test, which "
                f"training does not see: set aside fewer{split_flags(self.split, 'validation', 'test')}."
            ) from error

    def init(self, key: PRNGKey, constants: PyTree, batch: PyTree) -> Variables:
        """Weights for the encoder, random unless ``constants`` has some, and for a loss that has some.

        Raises:
            UserError: the encoder returns no ``embedding``; ``chunks`` is more than 1, and the encoder normalizes by the batch;
                or it has no blocks and ``keep`` asks for some.
        """
        for_encoder, for_loss = jax.random.split(key)
        images = jnp.zeros((1, *batch["images"].shape[1:]), jnp.float32)
        if self.remat != "activations" and not count_parts(self.encoder, images.shape):
            raise UserError(
                f"{type(self.encoder).__name__} has no blocks whose activations could be computed again: leave "
                "--experiment.remat at activations, and save memory with --experiment.gradient-cache-chunks or smaller batches."
            )
        variables = started(dict(self.encoder.init(for_encoder, images)), constants, wrapped(self.encoder)[1])
        weights = variables.pop("params")
        if self.gradient_cache_chunks > 1:
            check_stateless(variables)
        embedding = jax.eval_shape(
            lambda: embedding_of(self.encoder, self.encoder.apply({"params": weights, **variables}, images))
        )
        params = {"encoder": weights, "loss": self.loss.init(for_loss, embedding.shape[-1])}
        carried = initial_state(self.loss, embedding.shape[-1])
        return Variables(params, {**variables, LOSS_STATE: carried} if carried else variables)

    def check_sharding(self, params: PyTree, fsdp: int, shard_above: int) -> None:
        """Lets a loss refuse a mesh that its own weights cannot be shared by.

        Raises:
            UserError: it does.
        """
        if isinstance(self.loss, LimitsSharding):
            self.loss.check_sharding(params["loss"], fsdp, shard_above)

    def encoder_variables(self, learned: Variables) -> PyTree:
        """The encoder's part of what was learned."""
        return {"params": learned.params["encoder"], **_encoder_state(learned.state)}

    def training_examples(self) -> Images:
        """What is learned from, opened anew."""
        return self.open().train

    def cost(self, params: PyTree, state: PyTree, constants: PyTree, batch: PyTree, key: PRNGKey) -> LossOutput:
        """Augments, embeds and compares one batch."""
        del constants
        for_augmentation, for_loss = jax.random.split(key)
        images = self.augmentation(batch["images"], for_augmentation)
        embeddings, changed = self._embed(params["encoder"], _encoder_state(state), images)
        carried = state.get(LOSS_STATE, {})
        value, carried, diagnostics = advance(self.loss, params["loss"], carried, embeddings, batch["labels"], for_loss)
        collapsed = self.loss.collapsed_value if isinstance(self.loss, KnowsCollapse) else None
        cost = diagnostics["loss_per_triplet"] if "loss_per_triplet" in diagnostics else jax.lax.stop_gradient(value)
        monitored = self.monitor(jax.lax.stop_gradient(embeddings), cost, collapsed)
        return LossOutput(value, {**changed, LOSS_STATE: carried} if carried else changed, {**diagnostics, **monitored})

    def _embed(self, params: PyTree, state: PyTree, images: Array) -> tuple[Embeddings, PyTree]:
        """Float32 embeddings of a training batch, and the encoder's state after it."""

        def whole(params: PyTree, images: Array) -> tuple[Embeddings, PyTree]:
            variables = {"params": params, **state}
            with recomputing(self.remat):
                if self.statistics == "kept":
                    # Of a wrapper that looks several times, as in use, only what it wraps.
                    own, path = wrapped(self.encoder)
                    seen: Any = own.apply(inner(variables, path), images, train=False)
                    return seen["embedding"].astype(jnp.float32), state
                activations, changed = self.encoder.apply(variables, images, train=True, mutable=list(state))
            return activations["embedding"].astype(jnp.float32), dict(changed)  # pyright: ignore

        if self.gradient_cache_chunks == 1:
            return whole(params, images)
        check_stateless(state)
        return embed_in_chunks(lambda *of: whole(*of)[0], self.gradient_cache_chunks, params, images), state

    def model_fingerprint(self, variables: Variables, inputs: ModelInputs) -> str:
        """SHA-256 of everything that an embedding of a file and its distance depend on: definitions, preprocessing, weights."""
        digest = hashlib.sha256()
        # A loss that only taught the encoder has no part in what is compared.
        parts = [self.encoder, self.distance or self.loss, inputs.preprocessing]
        digest.update(json.dumps([to_json(part) for part in parts], sort_keys=True).encode())
        for path, leaf in jax.tree_util.tree_leaves_with_path(tuple(variables)):
            digest.update(jax.tree_util.keystr(path).encode())
            digest.update(np.asarray(leaf).tobytes())
        return digest.hexdigest()

    @property
    def compared_by(self) -> Distance | RecognitionLoss:
        """What compares embeddings: ``distance``, or the loss, which may do it with weights of its own."""
        return self.distance or self.loss

    def distance_with(self, params: PyTree) -> Distance:
        """How embeddings are compared with these weights."""
        return self.distance or distance_of(self.loss, params["loss"])

    def diagnose(self, metrics: Mapping[str, float]) -> str | None:
        """Warns when the embeddings collapse."""
        return self.monitor.warning(metrics)

    def evaluate(self, data: Splits, params: PyTree, state: PyTree, part: Part) -> Evaluation:
        """Evaluates the encoder on one part's people; on the test part also the baselines, with images and τ."""
        embedder = trained(self.encoder, self.compared_by, params, _encoder_state(state))
        if part == "validation":
            evaluated = evaluate(embedder, self._some(data.validation, "validation"))
            return Evaluation(metrics=apply_protocols(self.validation, evaluated))
        tested = data.test if len(data.test) else data.validation
        evaluated = evaluate(embedder, self._some(tested, "test"))
        pairs = Verification().pairs(evaluated)
        metrics: dict[str, Any] = apply_protocols(self.test, evaluated)
        curves = {"trained": pairs}
        for baseline in self.baselines:
            rival = evaluate(baseline.fit(data.train), tested)
            metrics |= {f"{baseline.name}/{name}": value for name, value in apply_protocols(self.test, rival).items()}
            curves[baseline.name.replace("_", " ")] = Verification().pairs(rival)
        tau = None
        apart = "none of them in training" if self.split.held_out else "who are the weights' test only if no step was taken"
        notes = [f"{_size(tested)}, {apart}", *few(len(tested.people), tested.noun[1])]
        if not len(data.test):
            notes.append(
                f"The split has no test part: these are the validation {tested.noun[1]}, and may have chosen the checkpoint"
            )
        inputs = ModelInputs.of(self, data.train.shape)
        artifacts: dict[str, Any] = {"preprocessing": inputs.to_json()}
        if len(data.validation):
            validated = evaluated if tested is data.validation else evaluate(embedder, data.validation)
            try:
                calibrated = _calibrate(validated, self.target_far)
            except UserError as error:
                notes.append(f"No threshold: {error}")
            else:
                held_out: Any = calibrated
                if tested is not data.validation:
                    held_out = verification.at_threshold(pairs.distances, pairs.same, calibrated.threshold, pairs.people)
                metrics |= {"threshold/far": held_out.far, "threshold/tar": held_out.tar}
                notes += self._promise(calibrated, data.validation)
                artifacts["threshold"] = Threshold(
                    tau=calibrated.threshold,
                    target_far=self.target_far,
                    far=calibrated.far,
                    tar=calibrated.tar,
                    people=len(data.validation.people),
                    fingerprint=self.model_fingerprint(Variables(params, state), inputs),
                    distance=repr(self.distance_with(params)),
                ).to_json()
                tau = calibrated.threshold
            artifacts |= self._gallery_thresholds(validated, artifacts.get("threshold"))
        bands = _bands(curves)
        hard = hardest_pairs(evaluated, pairs) if bands else None
        arrays = {"embeddings": embedding_sample(evaluated)} | ({"roc": roc_points(bands)} if bands else {})
        return Evaluation(
            metrics=metrics,
            figures={} if hard is None else _figures(pairs, hard, bands, tau),
            artifacts=artifacts,
            arrays=arrays,
            examples={} if hard is None else pair_images(hard),
            notes=tuple(notes),
        )

    @staticmethod
    def _gallery_thresholds(validated: EvaluatedSet, threshold: Mapping[str, Any] | None) -> dict[str, Any]:
        """T(N) from the people of τ, where there are enough of them for a rate."""
        people = len(np.unique(validated.images.labels))
        fpirs = tuple(fpir for fpir in FPIRS if people * fpir >= 1)
        if threshold is None or not fpirs:
            return {}
        by_size = thresholds_by_size(validated.embeddings, validated.images.labels, validated.compared_by, fpirs=fpirs)
        found = GalleryThresholds(
            people=people, fingerprint=threshold["fingerprint"], distance=threshold["distance"], thresholds=by_size
        )
        return {"gallery_thresholds": found.to_json()}

    def _some(self, images: Images, part: str) -> Images:
        if not len(images):
            raise UserError(
                f"The split leaves no {images.noun[1]} for the {part} part: give it some{split_flags(self.split, part)}."
            )
        return images

    def _promise(self, calibrated: calibration.Calibration, images: Images) -> tuple[str, ...]:
        """Says so where strangers will be accepted more often than was asked for, or nobody knows how often."""
        target, far, noun = calibrated.target_far, calibrated.far, images.noun[1]
        if far.value is not None and far.value <= _NEARLY * target:
            return ()
        found = "how often is not known" if far.value is None else f"about {far.text()}"
        return (
            f"The threshold was chosen for a false-accept rate of {100 * target:g} %, but by {len(images.people)} validation "
            f"{noun}, too few for it: of strangers it accepts more, {found}. With more validation "
            f"{noun}{split_flags(self.split, 'validation')} it comes closer",
        )


def _encoder_state(state: PyTree) -> PyTree:
    """Without what the loss carries."""
    return {name: leaves for name, leaves in state.items() if name != LOSS_STATE}


def _size(images: Images) -> str:
    return f"{images.counted(len(images.people))}, {len(images):,} {'image' if len(images) == 1 else 'images'}"


def _images(count: int) -> str:
    return f"{count:,} {'image' if count == 1 else 'images'}"


def _calibrate(evaluated: EvaluatedSet, far: float) -> calibration.Calibration:
    pairs = Verification().pairs(evaluated)
    return calibration.threshold_at_far(pairs.distances, pairs.same, far, pairs.people)


def split_flags(split: Split, *parts: str) -> str:
    """The flags that say how large parts are, in parentheses; empty for a split that has other fields than those of ours."""
    fields = {each.name for each in dataclasses.fields(split)} if dataclasses.is_dataclass(split) else set()
    flags = ", ".join(f"--experiment.split.{part}" for part in parts if part in fields)
    return f" ({flags})" if flags else ""


def few(people: int, noun: str = "people") -> tuple[str, ...]:
    """Says so where intervals that rest on so many people, or what else, cannot hold the truth in just 95 % of cases."""
    if people >= FEW_PEOPLE:
        return ()
    return (
        f"The intervals rest on {people} {noun}. Of fewer than {FEW_PEOPLE} they are rough: wider than need be for most data, "
        f"too narrow where a few {noun} are much harder to recognize than the others and none of these is among them",
    )


def _bands(curves: Mapping[str, metric_pairs.Pairs]) -> dict[str, verification.RocBand]:
    """None where all pairs are of one kind."""
    pairs = curves["trained"]
    if pairs.same.all() or not pairs.same.any():
        return {}
    return {name: verification.roc_band(of.distances, of.same, of.people) for name, of in curves.items()}


def _figures(
    pairs: metric_pairs.Pairs, hard: HardPairs, bands: Mapping[str, verification.RocBand], tau: float | None
) -> dict[str, Any]:
    return {
        "roc": figures.roc(bands),
        "distances": figures.distances(pairs.distances, pairs.same, tau),
        "mistakes": figures.mistakes(*hard, tau),
    }
