"""The thresholds T(N) of a model for galleries of several sizes, as a file beside that of τ."""

import dataclasses
import itertools
import json
import math
import numbers
from pathlib import Path
from typing import Any

from likeness.research.data.paths import printable
from likeness.research.data.regular import NotAFile, read_regular
from likeness.research.distances import Distance
from likeness.research.errors import UserError
from likeness.research.files import parse_json, write_atomically
from likeness.research.gallery.threshold import check_rate, stored_fields
from likeness.research.metrics.intervals import Estimate
from likeness.research.metrics.sized_thresholds import SizedThreshold

ENDING = ".galleries.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class GalleryThresholds:
    """T(N): how near somebody must be to be named by a gallery of N embeddings, for a share of strangers who may be given a
    name.

    They come from a cohort of people, and reach as far as these
    (:func:`~likeness.research.metrics.sized_thresholds.thresholds_by_size`).
    """

    people: int
    """How many people the cohort has. The largest gallery that can be drawn for a stranger has one less."""
    fingerprint: str
    """Of the model."""
    distance: str
    """What is compared with T(N): the ``repr`` of a :class:`~likeness.research.distances.Distance`."""
    thresholds: tuple[SizedThreshold, ...]
    """By rate and rising size."""

    def __post_init__(self) -> None:
        if not self.fingerprint or not self.distance:
            raise ValueError("GalleryThresholds are of a model with a fingerprint and a distance.")
        for each in self.thresholds:
            check_rate("GalleryThresholds.measured", each.measured)
            if not math.isfinite(each.tau) or not 0 < each.fpir < 1 or not 1 <= each.size < self.people:
                raise ValueError(f"GalleryThresholds: {each} is no threshold of a gallery that {self.people} people fill.")
        by_size = sorted(self.thresholds, key=lambda each: (each.fpir, each.size))
        for one, larger in itertools.pairwise(by_size):
            if one.fpir != larger.fpir:
                continue
            if one.size == larger.size:
                raise ValueError(f"GalleryThresholds: there are two for N = {one.size:,} and the rate {one.fpir!r}.")
            # A larger gallery holds more people whom a stranger resembles.
            if one.tau < larger.tau:
                raise ValueError(
                    f"GalleryThresholds: T({larger.size:,}) = {larger.tau} is above T({one.size:,}) = {one.tau}, and a larger "
                    "gallery would name fewer strangers."
                )

    @property
    def fpirs(self) -> tuple[float, ...]:
        """The rates that there are thresholds for."""
        return tuple(dict.fromkeys(each.fpir for each in self.thresholds))

    def of(self, distance: Distance) -> "GalleryThresholds":
        """These, if they were chosen for a distance.

        Raises:
            UserError: they were chosen for another, in whose units they say nothing.
        """
        if self.distance != repr(distance):
            raise UserError(
                f"The thresholds of galleries were chosen with the distance {self.distance} and the gallery is searched with "
                f"{distance!r}, in whose units they say nothing: calibrate the model again."
            )
        return self

    def at(self, comparisons: int, fpir: float) -> SizedThreshold:
        """The threshold of a gallery, that of the least size which is no smaller: it names no more strangers than are asked
        for.

        Args:
            comparisons: N, how many embeddings somebody is compared with. Several of one person are counted as if they were of
                several people, who resemble strangers independently of each other; in truth they name fewer strangers.
            fpir: the share of strangers who may be given a name.

        Raises:
            UserError: it is no rate, no threshold was chosen for it, or the gallery is larger than the cohort.
        """
        if isinstance(fpir, bool) or not isinstance(fpir, numbers.Real) or not 0 < fpir < 1:
            raise UserError(f"fpir={fpir!r} is no rate, which is a number between 0 and 1: 0.1 is 10 %.")
        if fpir not in self.fpirs:
            known = " and ".join(f"{each!r}" for each in self.fpirs) or "no rate"
            raise UserError(
                f"--fpir {float(fpir)!r}: thresholds were chosen for {known}, on a cohort of {self.people:,} people, and a "
                "rate needs one divided by it. Ask for another, or calibrate on more people."
            )
        fitting = [each for each in self.thresholds if each.fpir == fpir and each.size >= comparisons]
        if not fitting:
            most = max(each.size for each in self.thresholds if each.fpir == fpir)
            raise UserError(
                f"A gallery of {comparisons:,} embeddings lies beyond what the cohort of {self.people:,} people tells: its "
                f"thresholds T(N) reach N = {most:,}, and are not continued. Calibrate on more people, enroll fewer images, "
                "compare people by the average of theirs (--template average), or leave --fpir out."
            )
        return min(fitting, key=lambda each: each.size)

    def save(self, path: str | Path) -> None:
        """Writes JSON with a line for each threshold, entirely or not at all.

        Raises:
            UserError: the file cannot be written.
        """
        stored = self.to_json()
        rows = ",\n".join(f"    {json.dumps(row, allow_nan=False)}" for row in stored.pop("thresholds"))
        head = json.dumps(stored, indent=2).removesuffix("\n}")
        write_atomically(Path(path), f'{head},\n  "thresholds": [\n{rows}\n  ]\n}}\n')

    def to_json(self) -> dict[str, Any]:
        """What :meth:`save` writes."""
        return dataclasses.asdict(self)

    @classmethod
    def load(cls, path: str | Path, fingerprint: str | None = None) -> "GalleryThresholds":
        """Reads what :meth:`save` wrote.

        Args:
            path: the file.
            fingerprint: of the model at hand; ``None`` to look without one.

        Raises:
            UserError: there is none, it is damaged, or it is of another model.
        """
        shown = f"Thresholds of galleries {printable(Path(path))}"
        again = "Calibrate the model again."
        try:
            stored = parse_json(read_regular(Path(path)))
            fields = stored_fields(cls, stored)
            thresholds = []
            for row in fields.pop("thresholds"):
                one = stored_fields(SizedThreshold, row)
                thresholds.append(SizedThreshold(**{**one, "measured": Estimate(**stored_fields(Estimate, one["measured"]))}))
            found = cls(**fields, thresholds=tuple(thresholds))
        except (NotAFile, FileNotFoundError) as error:
            raise UserError(f"{shown}: there is no such file. {again}") from error
        except (TypeError, ValueError, OverflowError) as error:
            raise UserError(f"{shown}: the file is damaged: {error} {again}") from error
        if fingerprint is not None and fingerprint != found.fingerprint:
            raise UserError(f"{shown}: they were chosen for the model {found.fingerprint} and this is {fingerprint}. {again}")
        return found
