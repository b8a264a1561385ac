"""What one number hides: error rates by group of people, and by the quality of the images."""

import dataclasses

import numpy as np

from likeness.experiments.display.phases import tracked
from likeness.experiments.recognition.protocols.base import EvaluatedSet, Metrics
from likeness.experiments.recognition.protocols.sampled import Verification
from likeness.research.data.names import identity_name
from likeness.research.data.template_lists import read_groups
from likeness.research.errors import UserError
from likeness.research.metrics.groups import group_rates
from likeness.research.metrics.intervals import Estimate
from likeness.research.metrics.rejection import REJECTS, error_versus_reject, norms


@dataclasses.dataclass(frozen=True, kw_only=True)
class GroupErrorRates:
    """False match and non-match rates of each group of a table of people, at the threshold that everybody has.

    ``groups/fmr@NAME`` and ``groups/fnmr@NAME``, see :func:`likeness.research.metrics.groups.group_rates`. People whom the
    table does not name are in no group, and set the threshold too.
    """

    groups: str
    """A file with a person and a group a line, see :func:`~likeness.research.data.template_lists.read_groups`."""
    far: float = 1e-3
    """False-accept rate over all pairs that the threshold is set for."""

    def __post_init__(self) -> None:
        if not 0 < self.far < 1:
            raise ValueError(f"GroupErrorRates.far is {self.far}: give a rate between 0 and 1")

    def check(self) -> None:
        """Reads the table."""
        read_groups(self.groups)

    def metrics(self, evaluated: EvaluatedSet) -> Metrics:
        table = read_groups(self.groups)
        names = sorted(set(table.values()))
        known = [table.get(identity_name(person)) for person in evaluated.images.people]
        if not any(known):
            raise UserError(
                f"{self.groups} names none of the {len(known)} people who are evaluated, such as "
                f"{evaluated.images.people[0]}: give "
                "it their names."
            )
        of = np.array([-1 if name is None else names.index(name) for name in known])
        labels = evaluated.images.labels
        threshold, found = group_rates(
            evaluated.embeddings, labels, of[labels], names, evaluated.compared_by, far=self.far, track=tracked
        )
        metrics: dict[str, float | Estimate] = {"groups/threshold": threshold}
        for each in found:
            # A slash parts the names of metrics.
            name = each.group.replace("/", "-")
            metrics |= {f"groups/fmr@{name}": each.fmr, f"groups/fnmr@{name}": each.fnmr}
        return metrics


@dataclasses.dataclass(frozen=True, kw_only=True)
class ErrorVersusReject:
    """False non-match rate as the images of lowest quality are rejected, by the norm of their embedding.

    ``rejection/fnmr@reject=…`` and ``rejection/area``, see :func:`likeness.research.metrics.rejection.error_versus_reject`. It
    needs an encoder that does not bring its embeddings to unit length.
    """

    far: float = 1e-3
    """False-accept rate that the threshold is set for, before anything is rejected."""
    rejects: tuple[float, ...] = REJECTS
    """Shares of the images that are rejected."""
    max_pairs: int = 100_000
    """Different-person pairs beyond this many are sampled, as :class:`Verification` does."""
    seed: int = 0
    """Of sampling pairs and resampling people."""

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.rejects, self.rejects[1:], strict=False))
        if not 0 < self.far < 1 or not self.rejects or not rising or self.rejects[0] < 0 or self.rejects[-1] >= 1:
            raise ValueError(
                f"ErrorVersusReject has far {self.far} and rejects {self.rejects}: give a rate between 0 and 1, and "
                "rising shares "
                "from 0 to below 1"
            )

    def metrics(self, evaluated: EvaluatedSet) -> Metrics:
        quality = norms(evaluated.embeddings)
        if len(quality) and np.ptp(quality) <= 1e-5 * quality.max():
            # No reason to lose what a run's other protocols have measured.
            none = Estimate.unresolvable(
                len(quality), "the encoder brings its embeddings to unit length, so that norms say nothing"
            )
            return {f"rejection/fnmr@reject={share:g}": none for share in self.rejects}
        pairs = Verification(max_pairs=self.max_pairs, seed=self.seed).pairs(evaluated)
        curve = error_versus_reject(
            pairs.distances,
            pairs.same,
            pairs.rows,
            quality,
            self.far,
            self.rejects,
            pairs.people,
            self.seed,
        )
        points = {f"rejection/fnmr@reject={share:g}": rate for share, rate in zip(curve.reject, curve.fnmr, strict=True)}
        return {**points, "rejection/area": curve.area}
