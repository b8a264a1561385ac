"""Published weights with the encoder that they fit: read, verified and put into its parameters."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from flax import linen as nn

from likeness.research.data.paths import printable
from likeness.research.errors import UserError
from likeness.research.types import PyTree
from likeness.research.weights.headers import Header
from likeness.research.weights.layout import Layout, own
from likeness.research.weights.matching import best, compare, fill, shapes
from likeness.research.weights.readers import read
from likeness.research.weights.release import Release
from likeness.research.weights.report import MatchReport


@dataclasses.dataclass(frozen=True, kw_only=True)
class Published(Release):
    """Published weights, and the encoder that they fit."""

    encoder: nn.Module | None
    """The encoder as the weights expect it; None while there is none."""
    layouts: tuple[Layout, ...]
    """How the files that these weights come in call their arrays; the one that knows most of a file's names is taken."""
    image: tuple[int, int, int] = (64, 64, 3)
    """(h, w, c) of an image that the encoder takes."""

    def load(self, encoder: nn.Module | None = None, *, strict: bool = True) -> tuple[PyTree, MatchReport]:
        """Reads them into an encoder's variables.

        Args:
            encoder: an encoder with the same parameters, such as one with other pooling or one that stops earlier; by
                default the one that they were made for.
            strict: see :func:`fill`.

        Returns:
            Variables in NumPy arrays, and what matched.

        Raises:
            UserError: they are not on this machine (the message says how to get them), cannot be read, have
                changed since they were fetched or imported, or do not fit.
        """
        path = self.find()
        if path is None:
            raise UserError(f"The weights {self.name} are not on this machine: {self.how_to_get()}")
        return self.read(path, encoder, strict=strict)

    def read(self, path: Path, encoder: nn.Module | None = None, *, strict: bool = True) -> tuple[PyTree, MatchReport]:
        """As :meth:`load`, from a certain file or folder."""
        encoder = encoder or self.encoder
        if encoder is None:
            raise UserError(
                f"Likeness has no encoder for the weights {self.name} yet; `likeness weights export` converts them."
            )
        self.verify(path)
        wanted, layouts, source = shapes(encoder, self.image), self.known_layouts(), printable(path)

        def check(headers: Mapping[str, Header]) -> None:
            if strict:
                compare(wanted, headers, best(headers, layouts)).check(source)

        arrays = read(path, check)
        return fill(wanted, arrays, best(arrays, layouts), strict=strict, source=source)

    def known_layouts(self) -> tuple[Layout, ...]:
        """The published layouts, and this project's own."""
        if self.encoder is None:
            return self.layouts
        return (*self.layouts, own(shapes(self.encoder, self.image)))
