"""The calibrated threshold, and what it answers for one pair."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from likeness.research.data.regular import NotAFile, read_regular
from likeness.research.errors import UserError
from likeness.research.files import parse_json, write_atomically
from likeness.research.metrics.identification import compound_error
from likeness.research.metrics.intervals import Estimate

FILE = "threshold.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Threshold:
    """τ: a pair is "same" iff its distance d ≤ τ; calibrated on people of the validation split.

    Stored as JSON beside the model it was calibrated for.
    """

    tau: float
    """The threshold on the distance."""
    target_far: float
    """The false-accept rate asked for."""
    far: Estimate
    """The false-accept rate that strangers meet at τ, per comparison of two images of different people. It may lie above the
    one asked for, or be unresolvable, where few people chose τ."""
    tar: Estimate
    """The true-accept rate measured at τ, per comparison of two images of one person."""
    people: int
    """How many people it was calibrated on."""
    fingerprint: str
    """Of the model."""
    distance: str
    """What distances are compared with τ: the ``repr`` of a :class:`~likeness.research.distances.Distance`."""

    def __post_init__(self) -> None:
        if not math.isfinite(self.tau):
            raise ValueError(f"Threshold.tau is {self.tau}; it must be finite.")
        if not 0 < self.target_far < 1:
            raise ValueError(f"Threshold.target_far is {self.target_far}; it must lie between 0 and 1.")
        for name, rate in (("far", self.far), ("tar", self.tar)):
            check_rate(f"Threshold.{name}", rate)
        if self.people < 2 or not self.fingerprint or not self.distance:
            raise ValueError("A threshold is calibrated on two people or more, for a model with a fingerprint and a distance.")

    def decide(self, distance: float) -> bool:
        """Whether a distance means "same": d ≤ τ.

        Raises:
            UserError: the distance is NaN, so there is nothing to decide.
        """
        if math.isnan(distance):
            raise UserError(
                "The distance is not a number, so nothing can be said of this pair. Check the two images for NaN "
                "values and the model's weights."
            )
        return bool(distance <= self.tau)

    def verify(self, distance: float) -> "VerificationResult":
        """The answer for one pair."""
        return VerificationResult(same=self.decide(distance), distance=float(distance), threshold=self)

    def most_accepted(self, comparisons: int) -> float:
        """How often a stranger is accepted in at least one of N comparisons, at most: ``1 − (1 − FAR)^N``.

        The upper end of the FAR's interval is taken, and the N comparisons are taken to be independent, which those with
        several images of one person are not: a gallery of three people or more measures it
        (:func:`~likeness.research.gallery.identification.named_strangers`). Where the FAR is not resolved, everything is
        possible.

        Args:
            comparisons: N, how many embeddings the stranger is compared with.
        """
        return compound_error(1.0 if self.far.high is None else self.far.high, comparisons)

    def save(self, path: str | Path) -> None:
        """Writes JSON, entirely or not at all.

        Raises:
            UserError: the file cannot be written.
        """
        write_atomically(Path(path), json.dumps(self.to_json(), indent=2, allow_nan=False) + "\n")

    def to_json(self) -> dict[str, Any]:
        """What :meth:`save` writes."""
        return dataclasses.asdict(self)

    @classmethod
    def load(cls, path: str | Path, fingerprint: str | None = None) -> "Threshold":
        """Reads what :meth:`save` wrote.

        Args:
            path: the file.
            fingerprint: of the model at hand; ``None`` to look without one.

        Raises:
            UserError: there is none, it is damaged, or it is of another model.
        """
        path = Path(path)
        again = "Evaluate the model again to calibrate it."
        if not path.exists():
            raise UserError(f"Threshold {path}: there is no such file. {again}")
        try:
            stored = parse_json(read_regular(path))
        except NotAFile as error:
            raise UserError(f"Threshold {path}: {error.why}. {again}") from error
        except ValueError as error:
            raise UserError(f"Threshold {path}: it is not JSON ({error}). {again}") from error
        try:
            threshold = cls._from_json(stored)
        except (TypeError, ValueError, OverflowError) as error:
            raise UserError(f"Threshold {path}: its content is not a threshold: {error} {again}") from error
        if fingerprint is not None and fingerprint != threshold.fingerprint:
            raise UserError(
                f"Threshold {path}: it was calibrated for the model {threshold.fingerprint} and this is {fingerprint}. {again}"
            )
        return threshold

    @classmethod
    def _from_json(cls, stored: Any) -> "Threshold":
        fields = stored_fields(cls, stored)
        far, tar = (Estimate(**stored_fields(Estimate, fields.pop(name))) for name in ("far", "tar"))
        return cls(**fields, far=far, tar=tar)


@dataclasses.dataclass(frozen=True, kw_only=True)
class VerificationResult:
    """The answer to "do these two images show the same person?"."""

    same: bool
    distance: float
    threshold: Threshold

    def __str__(self) -> str:
        """One line for people to read."""
        answer, relation = ("same", "≤") if self.same else ("different", ">")
        return (
            f"{answer}: distance {self.distance:.4g} {relation} τ {self.threshold.tau:.4g}; "
            f"false accepts at this τ {self.threshold.far.text()}, true accepts {self.threshold.tar.text()}"
        )


def check_rate(name: str, rate: Estimate) -> None:
    """Raises ValueError unless a rate that was stored is one.

    Args:
        name: what it is called.
        rate: with its interval, or unresolvable.
    """
    known = [number for number in (rate.low, rate.value, rate.high) if number is not None]
    if known != sorted(known) or not all(0 <= number <= 1 for number in known) or rate.n < 0:
        raise ValueError(f"{name} is {rate}: a rate and its interval lie in [0, 1], in order.")


def stored_fields(kind: type, stored: Any) -> dict[str, Any]:
    """The fields of a dataclass as they were stored, with their names and types checked.

    Raises:
        TypeError: what is stored is no object, or a value is of another type.
        ValueError: a field is unknown or lacking.
    """
    if not isinstance(stored, dict):
        raise TypeError(f"{kind.__name__} is {stored!r} instead of an object.")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    unknown = sorted(set(stored) - set(fields))
    missing = sorted(name for name, field in fields.items() if name not in stored and field.default is dataclasses.MISSING)
    if unknown or missing:
        raise ValueError(f"{kind.__name__} has unknown fields {unknown} and lacks {missing}.")
    allowed = {int: (int,), float: (int, float), str: (str,), float | None: (int, float, type(None))}
    checked = dict(stored)
    for name, value in stored.items():
        kinds = allowed.get(fields[name].type)
        if kinds and (not isinstance(value, kinds) or isinstance(value, bool)):
            raise TypeError(f"{kind.__name__}.{name} is {value!r}.")
        # JSON writes 1.0 as 1 in other hands.
        if kinds and float in kinds and value is not None:
            checked[name] = float(value)
    return checked
