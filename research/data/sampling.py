"""Which rows make a batch. Samplers know no position: batch i is a function of the seed and i alone."""

import dataclasses
import functools
import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal, SupportsIndex, overload

import numpy as np
from jaxtyping import Int, Int64

from likeness.research.data.images import Images
from likeness.research.errors import UserError

# Each use of randomness draws from a stream of its own.
_ROWS, _ORDER, _SECOND_ORDER = 0, 1, 2
# Grain wants a length; this many batches are never reached, and fit an index into every integer type there is.
_ENDLESS = 1 << 40


class IndexBatches(Sequence[np.ndarray]):
    """An endless sequence of batches of rows: ``batches[i]`` is int64 (batch_size,) and costs the same for any i."""

    batch_size: int
    """Rows in a batch."""
    batches_per_epoch: int
    """After so many batches everyone who can be drawn has been."""
    dropped: tuple[str, ...] = ()
    """The people who are left out because they have one image."""

    def __len__(self) -> int:
        return _ENDLESS

    @overload
    def __getitem__(self, index: SupportsIndex) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[np.ndarray]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> np.ndarray | Sequence[np.ndarray]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        i = int(index)
        if not 0 <= i < _ENDLESS:
            raise IndexError(f"batch {i}: batches are counted from 0")
        return self.rows(i)

    @abstractmethod
    def rows(self, i: int) -> Int64[np.ndarray, "batch_size"]:
        """The rows of batch i."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class IdentityBatches:
    """Batches of P people with K images each, the rows of a person one after another, for losses over triplets.

    People come in the order of a fresh permutation every epoch of ceil(n / P) batches, the last filled up from
    its start, so that no one is skipped and no one is twice in a batch. A person's K images are a uniform draw
    without replacement, or, of fewer than K, each as often as the others, give or take one: always at least two
    different images, so every row is an anchor that has a positive.

    F. Schroff, D. Kalenichenko and J. Philbin, "FaceNet", CVPR 2015; A. Hermans, L. Beyer and B. Leibe, "In
    Defense of the Triplet Loss for Person Re-Identification", 2017.

    Example:
        >>> from likeness.research.data import Digits
        >>> images = Digits().open()
        >>> rows = IdentityBatches(people=3, images=2).batches(images, seed=0)[0]
        >>> labels = images.labels[rows].reshape(3, 2)
        >>> bool((labels[:, 0] == labels[:, 1]).all()), len(set(labels[:, 0].tolist()))
        (True, 3)
    """

    people: int = 16
    """P, the people in a batch."""
    images: int = 4
    """K, the images of each."""
    single: Literal["refuse", "drop"] = "refuse"
    """People with one image can be no anchor: ``refuse`` the data set, or ``drop`` them and say who."""
    within_group: float = 0.0
    """The share of batches whose people are all of one group (of Omniglot: one alphabet), or of a few, evenly spread."""
    groups: int = 1
    """Of how many groups the people of such a batch are, each giving as many: with several small ones, everybody in it meets
    those who are hardest to tell apart, and others too. Above 1 it needs ``within_group``."""

    def __post_init__(self) -> None:
        if self.images < 2:
            raise ValueError(
                f"IdentityBatches.images is {self.images}: a triplet needs an anchor and a positive, so ask for at "
                "least 2 images of each person."
            )
        if self.people < 2:
            raise ValueError(
                f"IdentityBatches.people is {self.people}: a triplet needs a negative, so ask for at least 2 people."
            )
        if not 0 <= self.within_group <= 1:
            raise ValueError(f"IdentityBatches.within_group is a share from 0 to 1, not {self.within_group}.")
        if self.groups < 1 or self.people % self.groups:
            raise ValueError(
                f"IdentityBatches.groups is {self.groups} and people is {self.people}: give a number of groups that divides "
                "the number of people."
            )
        if self.groups > 1 and not self.within_group:
            raise ValueError(
                f"IdentityBatches.groups is {self.groups} and within_group is 0: no batch lies within groups then, so give the "
                "share of those that do, or leave groups at 1."
            )

    @property
    def batch_size(self) -> int:
        """Rows in a batch, P K."""
        return self.people * self.images

    def batches(self, images: Images, seed: int) -> IndexBatches:
        """The batches of a data set.

        Raises:
            UserError: somebody has one image and ``single`` is ``"refuse"``; fewer than P people are left; or there are
                fewer than ``groups`` groups of P/groups people and ``within_group`` asks for them.
        """
        return _IdentityBatches(self, images, seed)


@dataclasses.dataclass(frozen=True, kw_only=True)
class BalancedPairs:
    """Batches of pairs, rows 2i and 2i + 1: even i show one person twice, odd i two people.

    So exactly half of the pairs are the same person. The first image's person follows a fresh permutation every
    epoch, for either kind of pair; the other person and the images are uniform draws, and no image is paired
    with itself. People with one image come in pairs of two people only.

    Example:
        >>> from likeness.research.data import Digits
        >>> images = Digits().open()
        >>> labels = images.labels[BalancedPairs(pairs=4).batches(images, seed=0)[7]]
        >>> (labels[0::2] == labels[1::2]).tolist()
        [True, False, True, False]
    """

    pairs: int = 64
    """How many pairs, even."""

    def __post_init__(self) -> None:
        if self.pairs < 2 or self.pairs % 2:
            raise ValueError(
                f"BalancedPairs.pairs is {self.pairs}: half of the pairs show the same person, so give an even number."
            )

    @property
    def batch_size(self) -> int:
        """Rows in a batch, two a pair."""
        return 2 * self.pairs

    def batches(self, images: Images, seed: int) -> IndexBatches:
        """The batches of a data set.

        Raises:
            UserError: there is one person only, or nobody has two images.
        """
        return _BalancedPairs(self, images, seed)


@dataclasses.dataclass(frozen=True)
class Shuffled:
    """Batches that go through all images in a fresh permutation every epoch, for classification.

    Epochs follow without a gap: a batch may end one and begin the next.
    """

    batch_size: int = 64
    """Rows in a batch."""

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"Shuffled.batch_size must be positive, not {self.batch_size}.")

    def batches(self, images: Images, seed: int) -> IndexBatches:
        """The batches of a data set.

        Raises:
            UserError: it is empty.
        """
        if not len(images):
            raise UserError(f"There are no images to draw batches from: give the split more {images.noun[1]}.")
        return _Shuffled(self.batch_size, len(images), seed)


class _IdentityBatches(IndexBatches):
    def __init__(self, config: IdentityBatches, images: Images, seed: int) -> None:
        _check_seed(seed)
        self._config, self._seed = config, seed
        self._table = _Table(images)
        single = np.flatnonzero(self._table.counts < 2)
        one, many = images.noun
        if len(single) and config.single == "refuse":
            raise UserError(
                f"{len(single)} of {images.counted(len(images.people))} have one image only ({_some(images, single)}), and a "
                f"triplet needs two of the same {one}: add images, or leave these {many} out by `single=drop`."
            )
        self.dropped = tuple(images.people[person] for person in single)
        self._people = np.flatnonzero(self._table.counts >= 2)
        P = config.people
        if len(self._people) < P:
            raise UserError(
                f"A batch is {P} different {many}, and there are {len(self._people)} with two images or more to learn from: "
                f"lower `people` (--experiment.batches.people), or add {many} or images."
            )
        self._groups = self._large_groups(images) if config.within_group else []
        self._each = P // config.groups
        self._chunks = [(g, b) for g, group in enumerate(self._groups) for b in range(math.ceil(len(group) / self._each))]
        across = math.ceil(len(self._people) / P) / (1 - config.within_group) if config.within_group < 1 else 0
        within = math.ceil(len(self._chunks) / config.groups) / (config.within_group or 1)
        self.batches_per_epoch = math.ceil(max(across, within))
        self.batch_size = config.batch_size

    def _large_groups(self, images: Images) -> list[np.ndarray]:
        if images.groups is None:
            raise UserError("`within_group` is asked for, and this data set has no groups: set it to 0.")
        groups = images.groups[self._people]
        large = [self._people[groups == g] for g in np.unique(groups)]
        wanted, each = self._config.groups, self._config.people // self._config.groups
        large = [people for people in large if len(people) >= each]
        if len(large) < wanted:
            few = "No group has" if wanted == 1 else f"{len(large)} groups, and not {wanted}, have"
            raise UserError(
                f"{few} the {each} {images.noun[1]} that a batch within a group needs of each; the largest has "
                f"{np.bincount(groups).max()}: lower `people`, or set `within_group` to 0."
            )
        return large

    def rows(self, i: int) -> Int64[np.ndarray, "batch_size"]:
        rng = np.random.default_rng((self._seed, _ROWS, i))
        # Batch i is within a group where the count floor(i w) steps up, which spreads such batches evenly.
        before = math.floor(i * self._config.within_group)
        within = math.floor((i + 1) * self._config.within_group) > before
        people = self._within(before) if within else self._across(i - before)
        return self._table.draw(people, self._config.images, rng).reshape(-1)

    def _across(self, j: int) -> np.ndarray:
        P, n = self._config.people, len(self._people)
        epoch, batch = divmod(j, math.ceil(n / P))
        order = _permutation(n, self._seed, _ORDER, epoch)
        return self._people[order.take(np.arange(batch * P, batch * P + P), mode="wrap")]

    def _within(self, j: int) -> np.ndarray:
        count = self._config.groups
        epoch, batch = divmod(j, math.ceil(len(self._chunks) / count))
        order = _permutation(len(self._chunks), self._seed, _SECOND_ORDER, epoch)
        drawn = [self._chunks[k] for k in order.take(np.arange(batch * count, (batch + 1) * count), mode="wrap")]
        if len({g for g, _ in drawn}) < count:
            drawn = self._distinct(drawn, order)
        return np.concatenate([self._chunk(g, b, epoch) for g, b in drawn])

    def _distinct(self, drawn: list[tuple[int, int]], order: np.ndarray) -> list[tuple[int, int]]:
        """One chunk of each group, and in place of the others the next of the order whose group is not there yet."""
        found = dict(reversed(drawn))
        for k in order:
            if len(found) == len(drawn):
                break
            found.setdefault(*self._chunks[k])
        return list(found.items())

    def _chunk(self, g: int, b: int, epoch: int) -> np.ndarray:
        people = self._groups[g]
        order = _permutation(len(people), self._seed, _SECOND_ORDER + 1 + g, epoch)
        return people[order.take(np.arange(b * self._each, (b + 1) * self._each), mode="wrap")]


class _BalancedPairs(IndexBatches):
    def __init__(self, config: BalancedPairs, images: Images, seed: int) -> None:
        _check_seed(seed)
        self._half, self._seed = config.pairs // 2, seed
        self._table = _Table(images)
        self._several = np.flatnonzero(self._table.counts >= 2)
        one, many = images.noun
        if len(images.people) < 2:
            raise UserError(
                f"Pairs of different {many} need two {many}, and there are {len(images.people)}: give the split more."
            )
        if not len(self._several):
            raise UserError(
                f"None of {images.counted(len(images.people))} has two images, so no pair shows the same {one}: add images."
            )
        self.batch_size = config.batch_size
        self.batches_per_epoch = math.ceil(len(images.people) / self._half)

    def rows(self, i: int) -> Int64[np.ndarray, "batch_size"]:
        rng = np.random.default_rng((self._seed, _ROWS, i))
        half, n = self._half, len(self._table.counts)
        same = self._several[_endless(i * half, half, len(self._several), self._seed, _ORDER)]
        first = _endless(i * half, half, n, self._seed, _SECOND_ORDER)
        # Adding 1 to n - 1 around the circle of people never comes back to the first.
        second = (first + rng.integers(1, n, half)) % n
        pairs = np.empty((2 * half, 2), np.int64)
        pairs[0::2] = self._table.draw(same, 2, rng)
        pairs[1::2] = self._table.draw_one(np.stack([first, second], axis=1), rng)
        return pairs.reshape(-1)


class _Shuffled(IndexBatches):
    def __init__(self, batch_size: int, n: int, seed: int) -> None:
        _check_seed(seed)
        self.batch_size, self._n, self._seed = batch_size, n, seed
        self.batches_per_epoch = math.ceil(n / batch_size)

    def rows(self, i: int) -> Int64[np.ndarray, "batch_size"]:
        return _endless(i * self.batch_size, self.batch_size, self._n, self._seed, _ORDER)


class _Table:
    """The rows of each person, one person after another."""

    def __init__(self, images: Images) -> None:
        self.counts = images.counts()
        self.rows = np.argsort(images.labels, kind="stable").astype(np.int64)
        self.starts = np.cumsum(self.counts) - self.counts

    def draw_one(self, people: Int[np.ndarray, "*shape"], rng: np.random.Generator) -> Int64[np.ndarray, "*shape"]:
        """One row of each person."""
        return self.rows[self.starts[people] + (rng.random(people.shape) * self.counts[people]).astype(np.int64)]

    def draw(self, people: Int[np.ndarray, "p"], k: int, rng: np.random.Generator) -> Int64[np.ndarray, "p k"]:
        """k rows of each person: a uniform subset, or all of them in turn for somebody with fewer."""
        counts = self.counts[people]
        random = rng.random((k, len(people)))
        # Floyd's subset of k among c in k steps: j = c - k, ..., c - 1 draws t up to j, and takes j if t is taken.
        steps = np.arange(k)[:, None]
        last = np.maximum(counts, k) - k + steps
        chosen = (random * (last + 1)).astype(np.int64)
        for step in range(1, k):
            taken = (chosen[:step] == chosen[step]).any(0)
            np.copyto(chosen[step], last[step], where=taken)
        if counts.min() < k:
            in_turn = ((random[0] * counts).astype(np.int64) + steps) % counts
            chosen = np.where(counts < k, in_turn, chosen)
        return self.rows[self.starts[people] + chosen].T


def _permutation(n: int, seed: int, stream: int, epoch: int) -> Int64[np.ndarray, "n"]:
    return (_permute_few if n < 1 << 16 else _permute_many)(n, seed, stream, epoch)


def _permute(n: int, seed: int, stream: int, epoch: int) -> np.ndarray:
    order = np.random.default_rng((seed, stream, epoch)).permutation(n)
    order.setflags(write=False)
    return order


# An epoch's permutation is drawn once, not for each of its batches; few long ones are kept, as they are large.
_permute_few = functools.lru_cache(maxsize=256)(_permute)
_permute_many = functools.lru_cache(maxsize=4)(_permute)


def _endless(start: int, length: int, n: int, seed: int, stream: int) -> Int64[np.ndarray, "length"]:
    """A slice of one permutation of n after another."""
    pieces = []
    while length:
        epoch, offset = divmod(start, n)
        piece = _permutation(n, seed, stream, epoch)[offset : offset + length]
        pieces.append(piece)
        start, length = start + len(piece), length - len(piece)
    return np.concatenate(pieces)


def _check_seed(seed: int) -> None:
    if seed < 0:
        raise ValueError(f"A sampler's seed must be 0 or more, not {seed}.")


def _some(images: Images, people: np.ndarray) -> str:
    names = ", ".join(images.people[person] for person in people[:3])
    return names + (", …" if len(people) > 3 else "")
