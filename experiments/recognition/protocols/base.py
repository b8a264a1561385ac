"""What every evaluation protocol is, and the embeddings that all of them share."""

import dataclasses
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from likeness.experiments.display.phases import tracked
from likeness.experiments.preprocessing import ModelInputs, preprocessing_of
from likeness.experiments.recognition.embedders import Embedder
from likeness.research.data.images import Images
from likeness.research.data.protocols import Source, open_source
from likeness.research.distances import Distance
from likeness.research.errors import UserError
from likeness.research.metrics.intervals import Estimate
from likeness.research.metrics.pair_stream import Compare
from likeness.research.metrics.pairs import Pairs

Metrics = Mapping[str, float | Estimate]


@dataclasses.dataclass(frozen=True, eq=False)
class EvaluatedSet:
    """A subject's embeddings of a table, computed once for all protocols."""

    embedder: Embedder
    images: Images
    embeddings: np.ndarray
    pairs: dict[tuple[int, int], Pairs] = dataclasses.field(default_factory=dict, init=False, repr=False)
    """What :meth:`Verification.pairs` has measured so far, by how the pairs were drawn."""
    others: list[tuple[Source, "EvaluatedSet"]] = dataclasses.field(default_factory=list, init=False, repr=False)
    """What :meth:`of` has embedded so far."""

    def of(self, source: Source | None) -> "EvaluatedSet":
        """The same subject's embeddings of another source, made once for all protocols that ask; of None this very set."""
        if source is None:
            return self
        for known, found in self.others:
            if known == source:
                return found
        found = evaluate(self.embedder, open_source(source, tracked))
        self.others.append((source, found))
        return found

    @property
    def compared_by(self) -> Distance | Compare:
        """How two embeddings are compared: by a distance that runs on the device where the embedder has one."""
        return self.embedder.compared_by or self.embedder.distance


def evaluate(embedder: Embedder, images: Images) -> EvaluatedSet:
    """Embeds a table for the protocols."""
    return EvaluatedSet(embedder, images, embedder.embed_all(images))


@runtime_checkable
class EvaluationProtocol(Protocol):
    """A frozen dataclass that turns embeddings into metrics by path."""

    def metrics(self, evaluated: EvaluatedSet) -> Metrics: ...


def apply_protocols(protocols: tuple[EvaluationProtocol, ...], evaluated: EvaluatedSet) -> dict[str, float | Estimate]:
    """What all protocols measure, by path.

    Raises:
        UserError: two of them measure something of one path, of which only one could be kept.
    """
    metrics: dict[str, float | Estimate] = {}
    for protocol in tracked("measuring", protocols):
        found = protocol.metrics(evaluated)
        if twice := sorted(metrics.keys() & found.keys()):
            raise UserError(
                f"Two protocols of the experiment measure {twice[0]}, of which only one could be kept: give one of them, "
                f"{type(protocol).__name__}, another `name`, or leave it out."
            )
        metrics |= found
    return metrics


def check_protocol(protocol: EvaluationProtocol, inputs: ModelInputs) -> None:
    """Refuses a protocol whose files cannot be used, or are read otherwise than those that the network learns from.

    A protocol that reads lists may have a method ``check()`` that reads them, so that a wrong path is known before anything is
    trained. One that reads images says how by a field or property ``preprocessing``; others have none.

    Raises:
        UserError: saying what is wrong, or what differs.
    """
    if check := getattr(protocol, "check", None):
        check()
    its, ours = preprocessing_of(protocol), inputs.preprocessing
    if its is None:
        return
    if ours is None:
        what = "" if its.shape == inputs.shape else f"images of {its.shape} instead of {inputs.shape}"
    else:
        fields = [(field.name, getattr(its, field.name), getattr(ours, field.name)) for field in dataclasses.fields(its)]
        what = "; ".join(f"{name} {here} instead of {there}" for name, here, there in fields if here != there)
    if what:
        raise UserError(
            f"{type(protocol).__name__} reads its files otherwise than those of {inputs.source} are read, which are learned "
            f"from: {what}. Set both alike."
        )
