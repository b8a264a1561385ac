"""Who is this? A name, or "unknown"."""

import dataclasses
import functools

import jax
import numpy as np

from likeness.research.checks import UncheckedEmbeddings, as_numpy
from likeness.research.distances import Distance, SquaredEuclidean
from likeness.research.errors import UserError
from likeness.research.gallery.blocks import Store
from likeness.research.gallery.records import LARGEST, Codes, PersonTemplate, comparable
from likeness.research.gallery.search import Index
from likeness.research.gallery.templates import averaged
from likeness.research.gallery.threshold import Threshold
from likeness.research.metrics.bootstrap import FEWEST_PEOPLE, varying_interval
from likeness.research.metrics.identification import compound_error
from likeness.research.metrics.intervals import Estimate
from likeness.research.metrics.sized_thresholds import SizedThreshold

_MOST_TRIALS = 1000
_MOST_TIED = 16
_SAME = 1e-5
"""Distances that differ by less than this share of τ are equal: rounding decides between them, and nothing else."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Candidate:
    """A person and the distance to their nearest embedding."""

    name: str
    distance: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class IdentificationResult:
    """The answer to "who of the enrolled people is this?"."""

    name: str | None
    """The nearest person if within τ; ``None`` is "unknown", or several people who are as near, who are in ``tied``."""
    nearest: Candidate
    """The nearest person, whether within τ or not."""
    runner_up: Candidate | None
    """The second nearest; ``None`` when one person is enrolled."""
    tied: tuple[str, ...] = ()
    """People within τ of whom none is nearer than the others."""
    threshold: Threshold
    """τ, and the error rates measured at it."""
    sized: SizedThreshold | None = None
    """T(N), by which somebody was named in the place of τ, where a share of strangers was asked for."""
    people: int
    """K, how many people are enrolled with at least one embedding."""
    comparisons: int
    """How many embeddings the image was compared with: K when each person has one, or is compared by an average."""
    template: PersonTemplate = "nearest"
    """What stood for a person of several images. τ was set on pairs of images, so of an average its false-accept rate is not
    known for one comparison; ``stranger`` is measured with the averages."""
    stranger: Estimate | None = None
    """How often somebody who is not enrolled is given a name, as :func:`named_strangers` measures it."""
    enrolled_as: tuple[str, ...] = ()
    """Under which names this very image file is enrolled."""

    @property
    def distance(self) -> float:
        """To the nearest person."""
        return self.nearest.distance

    @property
    def tau(self) -> float:
        """The distance up to which somebody is named."""
        return self.threshold.tau if self.sized is None else self.sized.tau

    def __str__(self) -> str:
        """One line for people to read."""
        return f"{self.who}; {self.rates}"

    @property
    def who(self) -> str:
        """Who it is, and how near."""
        very = f"; this very image is enrolled as {' and as '.join(self.enrolled_as)}" if self.enrolled_as else ""
        if self.tied:
            return f"{_either(self.tied)}: a tie, all of them are at distance {self.distance:.4g}{very}"
        second = f", then {self.runner_up.name} at {self.runner_up.distance:.4g}" if self.runner_up else ""
        return f"{self.name or 'unknown'}: nearest is {self.nearest.name} at distance {self.distance:.4g}{second}{very}"

    @property
    def rates(self) -> str:
        """The threshold and how often it errs, which is the same for every answer of a gallery that was asked alike."""
        people = "1 person" if self.people == 1 else f"{self.people} people"
        if self.stranger is not None and self.stranger.resolved:
            often = self.stranger.text()
        elif self.template == "average" or self.sized is not None:
            often = "a share that is not known"
        else:
            often = f"at most {100 * self.threshold.most_accepted(self.comparisons):.2g} %"
        if self.sized is not None:
            by = f"T({self.sized.size:,}) {self.sized.tau:.4g}"
            measured = f"strangers named by a gallery of {self.sized.size:,} people {self.sized.measured.text()}"
        else:
            by = f"τ {self.threshold.tau:.4g}"
            measured = f"false accepts per comparison {self.threshold.far.text()}"
        if self.template == "average":
            measured = "set on pairs of images, and each person is the average of theirs, for which no rate was measured"
        return f"{by}, {measured}, a stranger among {people} gets a name in {often} of cases"


def named_strangers(index: Index, codes: Codes, tau: float, seed: int = 0) -> Estimate:
    """Returns how often this gallery gives a name to somebody who is not in it, measured on the gallery itself.

    Each enrolled person is a stranger to the gallery without them: an embedding of theirs is given a name if anybody else is
    within τ. That is measured against the K - 1 others; that none of K people is within τ, were they independent of each
    other, is as likely as that none of K - 1 is, to the power K / (K - 1). The interval is that of samples of people: their
    variance counts twice, since everybody is a stranger once and among those whom strangers meet otherwise.

    Comparisons are not taken to be independent of each other, as
    :func:`~likeness.research.metrics.identification.compound_error` takes them: images of one person are alike, and some
    strangers resemble everybody.

    Args:
        index: Of the codes, or of their averages.
        codes: Of the gallery, each image for itself. Of more than a thousand embeddings a thousand are drawn.
        tau: The distance up to which somebody is named.
        seed: Of the draw.
    """
    people = len(codes.names)
    if people < FEWEST_PEOPLE:
        return Estimate.unresolvable(0, f"{people} enrolled people do not tell, {FEWEST_PEOPLE} or more do")
    rows = np.arange(len(codes.vectors))
    if len(rows) > _MOST_TRIALS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _MOST_TRIALS, replace=False))
    owners = np.asarray(codes.owners)[rows]
    # Of the two nearest people one at least is another than oneself.
    neighbors = index.nearest(np.asarray(codes.vectors)[rows], k=2)
    others = np.where(neighbors.people == owners[:, None], np.inf, neighbors.distances).min(axis=1)
    named = others <= tau
    rate, trials, seen = float(named.mean()), len(rows), len(np.unique(owners))
    errors = np.bincount(owners, named - rate)
    variance = 2 * float((errors**2).sum()) / trials**2 * seen / (seen - 1)
    interval = varying_interval(rate, variance, seen, trials, trials / seen)
    value, low, high = (compound_error(each, people / (people - 1)) for each in (rate, *interval))
    return Estimate.around(value, (low, high), trials)


def _either(names: tuple[str, ...]) -> str:
    return " or ".join(names)


class Identifier:
    """Compares images with everybody enrolled, by codes computed once at enrollment.

    The answer is the one that encoding both images and comparing them would give.

    Example:
        >>> from likeness.research.metrics.intervals import Estimate
        >>> rate = Estimate(0.01, 0.008, 0.012, 9900)
        >>> calibrated = {"target_far": 0.01, "far": rate, "tar": rate, "people": 10, "fingerprint": "abc"}
        >>> threshold = Threshold(tau=0.5, distance="SquaredEuclidean()", **calibrated)
        >>> codes = Codes(("Ada", "Bob"), np.eye(2, dtype=np.float32), np.arange(2), np.arange(2))
        >>> [answer.name for answer in Identifier(codes, threshold)(np.asarray([[0.9, 0.1], [-1, 0]], np.float32))]
        ['Ada', None]
    """

    def __init__(
        self,
        codes: Codes,
        threshold: Threshold,
        *,
        distance: Distance = SquaredEuclidean(),
        store: Store = "float32",
        mesh: jax.sharding.Mesh | None = None,
        sized: SizedThreshold | None = None,
    ) -> None:
        """Prepares the search.

        Args:
            codes: of a gallery, which says what stands for a person of several images.
            threshold: calibrated for the gallery's model and this distance.
            distance: the one that the threshold was calibrated with.
            store: what the device keeps of each number of an embedding. A smaller one changes no answer, see
                :class:`~likeness.research.gallery.search.Index`.
            mesh: devices that share the search; None for one.
            sized: T(N), which takes the place of τ
                (:meth:`~likeness.research.gallery.gallery_thresholds.GalleryThresholds.at`); None for τ.

        Raises:
            UserError: nobody is enrolled, the threshold was calibrated with another distance, or a small store is asked for a
                distance that it cannot be searched by.
        """
        if not codes.names:
            raise UserError(
                "The gallery is empty: nobody is enrolled, so nobody can be identified. Enroll at least one person first."
            )
        if threshold.distance != repr(distance):
            raise UserError(
                f"The threshold was calibrated with the distance {threshold.distance} and the gallery is searched with "
                f"{distance!r}, in whose units it says nothing: search with the first, or calibrate a threshold for the second."
            )
        self.codes = codes
        self.threshold, self.sized = threshold, sized
        self._tau = threshold.tau if sized is None else sized.tau
        searched = averaged(codes, distance) if codes.template == "average" else codes
        self._index = Index.of(searched, distance=distance, store=store, mesh=mesh)

    @functools.cached_property
    def stranger(self) -> Estimate:
        """How often the gallery gives a name to somebody who is not enrolled (:func:`named_strangers`)."""
        return named_strangers(self._index, self.codes, self._tau)

    def __call__(self, embeddings: UncheckedEmbeddings) -> tuple[IdentificationResult, ...]:
        """Identifies each embedding.

        Args:
            embeddings: (q, d), of the gallery's model.

        Raises:
            UserError: an embedding is not finite.
            ValueError: they are not (q, d) numbers.
        """
        embeddings = as_numpy(
            "Identifier", "embeddings", embeddings, ("q", self.codes.vectors.shape[1]), help="Give one row for each image."
        ).astype(np.float32)
        finite = comparable(embeddings)
        if not finite.all():
            raise UserError(
                f"Image {int(np.flatnonzero(~finite)[0])} gives an embedding that is not finite or above {LARGEST:g}, so it "
                "cannot be compared. Check it for NaN values, and the model's weights."
            )
        neighbors = self._index.nearest(embeddings, k=2)
        return tuple(map(self._answer, embeddings, neighbors.people, neighbors.distances))

    def _answer(self, embedding: np.ndarray, people: np.ndarray, distances: np.ndarray) -> IdentificationResult:
        nearest, *others = [
            Candidate(name=self.codes.names[person], distance=float(distance))
            for person, distance in zip(people, distances, strict=True)
            if person >= 0
        ]
        within = nearest.distance <= self._tau
        tied = self._tied(embedding, nearest.distance) if within and others and self._equal(nearest, others[0]) else ()
        return IdentificationResult(
            name=nearest.name if within and not tied else None,
            nearest=nearest,
            runner_up=others[0] if others else None,
            tied=tied,
            threshold=self.threshold,
            sized=self.sized,
            people=len(self.codes.names),
            comparisons=len(self._index),
            template=self.codes.template,
            stranger=self.stranger,
        )

    def _equal(self, nearest: Candidate, other: Candidate) -> bool:
        return other.distance - nearest.distance <= _SAME * abs(self._tau)

    def _tied(self, embedding: np.ndarray, nearest: float) -> tuple[str, ...]:
        """Everybody who is as near as the nearest."""
        found = self._index.nearest(embedding[None], k=min(len(self.codes.names), _MOST_TIED))
        near = found.distances[0] - nearest <= _SAME * abs(self._tau)
        return tuple(self.codes.names[person] for person in found.people[0][near])
