"""Trained weights as a config names them."""

import dataclasses

from flax import linen as nn

from likeness.research.data.paths import expand_path, printable
from likeness.research.data.preprocessing import Preprocessing
from likeness.research.types import PyTree
from likeness.research.weights.known import named
from likeness.research.weights.layout import own
from likeness.research.weights.matching import compare, fill, shapes
from likeness.research.weights.readers import read


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pretrained:
    """Weights that are known by name, or in a file, or both: a file that holds the weights of that name.

    Example::

        Pretrained(name="vgg19_pruned16x").variables(named("vgg19_pruned16x").encoder)
    """

    name: str = ""
    """Known weights, see `likeness weights list`; empty for a file under this project's own names."""
    path: str = ""
    """The file; empty: looked for where `likeness weights` keeps them, and below $LIKENESS_DATA/weights."""
    preprocessing: Preprocessing | None = None
    """That of the images which they were trained on, for a file of an encoder that takes gray images, or images of one size
    only; None for RGB images of any size."""

    def __post_init__(self) -> None:
        if not self.name and not self.path:
            raise ValueError("Pretrained: say which weights, by `name` or by `path`.")
        if self.name:
            named(self.name)

    def variables(self, encoder: nn.Module) -> PyTree:
        """An encoder's variables, in NumPy arrays.

        Raises:
            UserError: the weights are not on this machine, cannot be read, or do not fit the encoder in name and shape.
        """
        if not self.name:
            path = expand_path(self.path)
            wanted = shapes(encoder, (112, 112, 3) if self.preprocessing is None else self.preprocessing.shape)
            layout, source = own(wanted), printable(path)
            arrays = read(path, lambda headers: compare(wanted, headers, layout).check(source))
            return fill(wanted, arrays, layout, source=source)[0]
        published = named(self.name)
        if not self.path:
            return published.load(encoder)[0]
        return published.read(expand_path(self.path), encoder)[0]
