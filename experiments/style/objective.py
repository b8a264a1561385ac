"""What a painted image is to be like: the losses on activations that every way to paint shares."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from likeness.experiments.display.phases import tracked
from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.style.evaluator import StyleEvaluator
from likeness.experiments.style.terms import Term, layers
from likeness.research.encoders import texture_vgg
from likeness.research.losses import Content, Gram, TotalVariation
from likeness.research.types import Float, PyTree, Scalar
from likeness.research.weights import Pretrained

__all__ = ["StyleObjective", "Work"]

Work = tuple[Float[np.ndarray, "h w 3"], Float[np.ndarray, "h w 3"], Float[np.ndarray, "H W 3"]]
"""What was painted, the content image and the style image, RGB in [0, 1]."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StyleObjective:
    """What is compared of a painted image G, a content image C and a style image S, by a frozen encoder's activations:

        J(C, S, G) = alpha Σ w J_content(C, G) + beta Σ w J_style(S, G) + Σ w J_image(G)

    and by whom G is evaluated. :class:`~likeness.experiments.style.stylization.Stylization` minimizes it by the pixels,
    :class:`~likeness.experiments.style.fast_style.FastStyle` and
    :class:`~likeness.experiments.style.arbitrary_style.ArbitraryStyle` by the weights of a network that paints.
    """

    encoder: FrozenEncoder = FrozenEncoder(encoder=texture_vgg(), weights=Pretrained(name="textures"))
    """The encoder and where its weights come from: unless said otherwise the one that comes with Likeness."""
    evaluator: StyleEvaluator = StyleEvaluator()
    """By whom what is painted is evaluated."""
    alpha: float = 1.0
    """Strength of the content."""
    beta: float = 1.0
    """Strength of the style."""
    content_terms: tuple[Term, ...] = (Term(loss=Content(layers=("relu4_2",))),)
    """J_content."""
    style_terms: tuple[Term, ...] = (Term(loss=Gram(layers=("relu1_1", "relu2_1", "relu3_1", "relu4_1"))),)
    """J_style."""
    image_terms: tuple[Term, ...] = (Term(loss=TotalVariation(), weight=0.1),)
    """J_image, of the painted image alone."""

    def __post_init__(self) -> None:
        for name in ("alpha", "beta"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"StyleObjective.{name} is {getattr(self, name)}: give a finite number, 0 or more")

    def parts(self, content: Scalar, style: Scalar, image: Scalar) -> dict[str, Scalar]:
        """The parts of J by name, of the sums of the weighted losses."""
        return {"content": self.alpha * content, "style": self.beta * style, "image": image}

    def metrics(self, own: PyTree, other: PyTree, works: Sequence[Work], before: str = "") -> dict[str, float]:
        """What :meth:`~likeness.experiments.style.evaluator.StyleEvaluator.metrics` says, means over the works.

        Args:
            own: the encoder's weights.
            other: the evaluator's.
            works: of each painting: what was painted, the content image, the style image.
            before: what the names begin with.
        """
        read = (layers(self.content_terms), layers(self.style_terms))
        found = [
            self.evaluator.metrics(other, self.encoder, own, read, painted, content, (look,))
            for painted, content, look in tracked(f"comparing {'unpainted' if before else 'painted'} images", works)
        ]
        return {f"{before}{name}": float(np.mean([each[name] for each in found])) for name in found[0]}
