"""What an experiment asks of the parts that its images come from: a source and a sampler, ours or your own."""

from typing import Protocol, runtime_checkable

from likeness.research.data.images import Images
from likeness.research.data.sampling import IndexBatches
from likeness.research.errors import UserError
from likeness.research.tracking import Track


@runtime_checkable
class Source(Protocol):
    """Where images come from. Any source of :mod:`likeness.research.data`.

    More members are used where a source has them. A field or property ``preprocessing`` says how an image file becomes one
    of its images, a :class:`~likeness.research.data.Preprocessing`; without it, the trained model refuses files. A truth value
    ``synthetic`` says whether the images are made up (:func:`is_synthetic`). A method ``open_tracked`` says how far it is
    (:class:`TrackedSource`).
    """

    def open(self) -> Images:
        """The table of all images."""
        ...


@runtime_checkable
class TrackedSource(Source, Protocol):
    """A source that takes a while to open, and says how far it is."""

    def open_tracked(self, track: Track) -> Images:
        """As ``open``, with ``track`` told how far it is."""
        ...


def open_source(source: Source, track: Track) -> Images:
    """The table of all images of a source; ``track`` is told how far it is, where the source says so."""
    return source.open_tracked(track) if isinstance(source, TrackedSource) else source.open()


@runtime_checkable
class Sampler(Protocol):
    """Chooses the rows of each batch. Any of :mod:`likeness.research.data.sampling`."""

    def batches(self, images: Images, seed: int) -> IndexBatches:
        """The batches of a data set.

        Args:
            images: the people that are learned from.
            seed: another one draws otherwise.

        Raises:
            UserError: it is too small for them.
        """
        ...


def is_synthetic(source: object) -> bool:
    """Whether a source makes its examples up, so that no number measured on them says anything of the real world.

    A source says so by a member ``synthetic``, a field, a property or a constant of the class; one without it has real ones. It
    is no part of :class:`Source`, since the command line asks whether a class is a source, which Python answers only for
    protocols of methods.

    Raises:
        UserError: it is something else than True or False.

    Example:
        >>> from likeness.research.data import Digits, Faces
        >>> is_synthetic(Faces()), is_synthetic(Digits())
        (True, False)
    """
    found = getattr(source, "synthetic", False)
    if not isinstance(found, bool):
        raise UserError(f"{type(source).__name__}.synthetic is {found!r}: let it be True or False.")
    return found
