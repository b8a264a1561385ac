"""How several styles come together: blended into one target, or each by a loss of its own."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import jax
import numpy as np

from likeness.experiments.style.image import StyleImage
from likeness.experiments.style.terms import Term
from likeness.research.losses import BlendsTargets
from likeness.research.types import PyTree

Several: TypeAlias = Literal["blend", "sum"]
"""See :attr:`~likeness.experiments.style.stylization.Stylization.several`."""


class StyleLook(NamedTuple):
    """Terms, and the styles whose targets they are given: of one style its own, of several their blend."""

    terms: tuple[int, ...]
    """Which of the styles' terms."""
    styles: tuple[int, ...]
    """Which of the styles."""
    shares: tuple[float, ...]
    """Of each in all styles."""

    @property
    def share(self) -> float:
        """How much the look counts."""
        return sum(self.shares)

    def asked(self, terms: tuple[Term, ...]) -> tuple[Term, ...]:
        """The look's, of all terms of its styles."""
        return tuple(terms[number] for number in self.terms)

    def targets(self, terms: tuple[Term, ...], kept: Sequence[list[PyTree]]) -> list[PyTree]:
        """What its terms are given, of what all terms kept of each style."""
        if len(self.styles) == 1:
            return [kept[self.styles[0]][number] for number in self.terms]
        parts = [share / self.share for share in self.shares]
        blended = []
        for number in self.terms:
            loss = terms[number].loss
            assert isinstance(loss, BlendsTargets)
            blended.append(loss.blend([kept[style][number] for style in self.styles], parts))
        return blended


def looks(
    styles: tuple[StyleImage, ...], terms: Sequence[tuple[Term, ...]], shares: tuple[float, ...], several: Several
) -> tuple[StyleLook, ...]:
    """Styles of one region that are compared by one loss are one look, where their targets are to be blended and can be.

    Args:
        styles: all of them.
        terms: of each style.
        shares: of each style, together 1.
        several: whether targets are blended.
    """
    found: list[StyleLook] = []
    for group in _groups(styles, terms, several):
        together = tuple(shares[style] for style in group)
        numbers = range(len(terms[group[0]]))
        blended = tuple(each for each in numbers if isinstance(terms[group[0]][each].loss, BlendsTargets))
        if len(group) == 1 or not sum(together):
            blended = ()
        if blended:
            found.append(StyleLook(blended, group, together))
        if alone := tuple(each for each in numbers if each not in blended):
            found += [StyleLook(alone, (style,), (shares[style],)) for style in group]
    return tuple(found)


def _groups(styles: tuple[StyleImage, ...], terms: Sequence[tuple[Term, ...]], several: Several) -> list[tuple[int, ...]]:
    groups: list[tuple[int, ...]] = []
    for number, style in enumerate(styles):
        for place, group in enumerate(groups):
            if several == "blend" and styles[group[0]].region == style.region and terms[group[0]] == terms[number]:
                groups[place] = (*group, number)
                break
        else:
            groups.append((number,))
    return groups


def same_arrays(one: PyTree, other: PyTree) -> bool:
    """Whether two trees hold equal arrays."""
    same_form = jax.tree.structure(one) == jax.tree.structure(other)
    return same_form and all(map(np.array_equal, jax.tree.leaves(one), jax.tree.leaves(other)))
