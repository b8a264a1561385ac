"""The flags that the commands share which paint by the pixels, and what becomes of a preset by them.

Nothing here imports JAX before a flag is used, so that help and typos are answered at once.
"""

import dataclasses
import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from likeness.experiments.style import StyleImage, StyleObjective, Stylization
    from likeness.experiments.style.pyramid import Pyramid
    from likeness.experiments.style.terms import Term
    from likeness.research.losses.style.layers import ActivationLoss


@dataclasses.dataclass(frozen=True, kw_only=True)
class PaintingFlags:
    """How an image is painted, whatever is painted."""

    out: Annotated[str, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = "painting.png"
    """Where the image goes."""
    size: Annotated[int | None, tyro.conf.arg(metavar="PIXELS", help_behavior_hint="(default: the preset's)")] = None
    """Longer side in pixels; without it, the preset's. An image much larger than the preset's is painted at half the size
    first, at a quarter before that, and so on down to about the preset's."""
    preset: Annotated[str, tyro.conf.arg(metavar="CONFIG")] = "stylization/quickstart"
    """The config that says how: a shipped one, which `likeness configs` lists, or a file. The size of stylization/quickstart is
    320, and its steps are 210."""
    style_scale: Annotated[float | None, tyro.conf.arg(metavar="FACTOR", help_behavior_hint="(default: the preset's)")] = None
    """Size of the style beside that of the image: 2 makes strokes twice as large."""
    style_layers: Annotated[tuple[str, ...], tyro.conf.arg(metavar="LAYER ...")] = ()
    """At which layers of the encoder the style is compared, as relu1_1 relu2_1: early ones know of colors and fine strokes,
    late ones of larger forms. Without it, at the preset's."""
    style_weights: Annotated[tuple[float, ...], tyro.conf.arg(metavar="W ...")] = ()
    """How much each of these layers counts beside the others, as 1 0.5; without it, as the preset says, and layers of your own
    all alike."""
    style_mask: Annotated[tuple[str, ...], tyro.conf.arg(metavar="FILE[=STYLE] ...")] = ()
    """What of a style image counts: an image of its proportions, white there, black elsewhere, gray in between."""
    tv: float = 1.0
    """How smooth the image is: a factor of the weight of the preset's total variation; 0 leaves it out."""
    init: Annotated[str | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: none)")] = None
    """The image to begin with, such as an earlier painting; without it, as the preset says, and a texture with noise in the
    style's colors."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="STEPS", help_behavior_hint="(default: the preset's)")] = None
    """How many steps; without it, the preset's. More than were taken before go on from what is there, at the learning rates of
    the longer run: where they fall to its end, they rise again first."""
    seed: int = 0
    """Decides the start where it is random: another seed, another piece of the same texture."""
    film: Annotated[str | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: none)")] = None
    """Also write a film of how the image came about, .gif or .webp: of about thirty images, kept while it is painted."""
    live: bool = False
    """Watch: the image is shown in the terminal as it comes about, and the file of --out is kept up to date for a viewer."""


def check_numbers(size: int | None, steps: int | None, style_scale: float | None = None) -> None:
    """Refuses numbers that nothing can be painted with, in the words of the flags: None is the preset's.

    Raises:
        UserError: a size outside 16 to 16,384 pixels, no step, or a scale outside (0, 16].
    """
    from likeness.research.errors import UserError

    if size is not None and not 16 <= size <= 16384:
        raise UserError(f"--size is {size}: give 16 to 16384 pixels, the image's longer side.")
    if steps is not None and steps < 1:
        raise UserError(f"--steps is {steps}: give 1 or more.")
    if style_scale is not None and not 0 < style_scale <= 16:
        raise UserError(f"--style-scale is {style_scale}: give a number above 0, at most 16; 1 is the style's own size.")


def images_of(flags: PaintingFlags, masks: Sequence[str] = ()) -> list[str]:
    """The files of the images that the flags name, beside contents and styles.

    Args:
        flags: with masks of styles, and what is begun with.
        masks: others, as they were typed.
    """
    typed = (*flags.style_mask, *masks)
    # A single mask may be named without its style, and a name may have the sign in it.
    found = [*typed, *(path for path, equals, _ in (text.rpartition("=") for text in typed) if equals)]
    return [*found, *([] if flags.init is None else [flags.init])]


def compared(
    objective: "StyleObjective",
    flags: PaintingFlags,
    *,
    strength: float = 1.0,
    content_weight: float = 1.0,
    content_layers: tuple[str, ...] = (),
) -> "StyleObjective":
    """A preset's objective as the flags change it.

    Args:
        objective: the preset's.
        flags: layers and weights.
        strength: a factor of the style's.
        content_weight: a factor of the content's.
        content_layers: at which the content is compared; () for the preset's.

    Raises:
        UserError: a factor that is none, a layer that the encoder has not, or as many weights as there are no layers.
    """
    from likeness.experiments.style.terms import check_layers
    from likeness.research.errors import UserError

    for flag, factor in (("--strength", strength), ("--content-weight", content_weight), ("--tv", flags.tv)):
        if not 0 <= factor < float("inf"):
            raise UserError(f"{flag} is {factor}: give a finite number, 0 or more; 1 is the preset's.")
    try:
        changed = dataclasses.replace(
            objective,
            alpha=content_weight * objective.alpha,
            beta=strength * objective.beta,
            style_terms=at_layers(objective.style_terms, flags.style_layers, flags.style_weights),
            content_terms=at_layers(objective.content_terms, content_layers),
            image_terms=objective.image_terms if flags.tv == 1 else _smoothed(objective.image_terms, flags),
        )
        if flags.style_layers or content_layers:
            check_layers(objective.encoder, (*changed.style_terms, *changed.content_terms))
    except ValueError as error:
        raise UserError(f"{str(error).rstrip('.')}.") from error
    return changed


def pyramid_of(experiment: "Stylization", size: int) -> "Pyramid":
    """The preset's; where it has one size and the image is much larger, every halving down to about that size."""
    pyramid = experiment.pyramid
    if pyramid.smallest is not None or size <= experiment.size * 4 / 3:
        return pyramid
    return dataclasses.replace(pyramid, smallest=round(experiment.size * 3 / 4))


def at_layers(terms: "tuple[Term, ...]", layers: tuple[str, ...], weights: tuple[float, ...] = ()) -> "tuple[Term, ...]":
    """Terms that compare at other layers, or weigh these otherwise: weights are shares of what the layers weighed together.

    Args:
        terms: those that read no activations are left as they are.
        layers: () for each term's own.
        weights: () for each term's own, or with other layers for all alike.

    Raises:
        UserError: as many weights as there are no layers.
    """
    if not layers and not weights:
        return terms
    return tuple(
        term if term.loss.layers == ("input",) else dataclasses.replace(term, loss=_at(term.loss, layers, weights))
        for term in terms
    )


def _at(loss: "ActivationLoss", layers: tuple[str, ...], weights: tuple[float, ...]) -> "ActivationLoss":
    from likeness.research.errors import UserError
    from likeness.research.losses.style.layers import Layers

    if not isinstance(loss, Layers):
        raise UserError(f"{type(loss).__name__} says by itself what its layers weigh: leave layers and their weights out.")
    names, whole = layers or loss.layers, sum(loss.lambdas)
    if weights and len(weights) != len(names):
        raise UserError(
            f"--style-weights has {len(weights)} numbers for {len(names)} layers ({' '.join(names)}): give one for each."
        )
    if weights and not (all(0 <= weight < float("inf") for weight in weights) and any(weights)):
        raise UserError(f"--style-weights is {' '.join(map(str, weights))}: give finite numbers, 0 or more, not all 0.")
    if weights:
        shares = tuple(whole * weight / sum(weights) for weight in weights)
    else:
        shares = (whole / len(names),) * len(names) if loss.weights else ()
    return dataclasses.replace(loss, layers=names, weights=shares)


def _smoothed(terms: "tuple[Term, ...]", flags: PaintingFlags) -> "tuple[Term, ...]":
    from likeness.research.errors import UserError
    from likeness.research.losses import TotalVariation

    if not any(isinstance(term.loss, TotalVariation) for term in terms):
        raise UserError(f"--tv is a factor of the preset's total variation, and {flags.preset} has none: leave it out.")
    return tuple(
        dataclasses.replace(term, weight=flags.tv * term.weight) if isinstance(term.loss, TotalVariation) else term
        for term in terms
    )


def masked(styles: "Sequence[StyleImage]", flag: str, field: str, given: Sequence[str]) -> "tuple[StyleImage, ...]":
    """Styles with the masks that were given for them, as ``left.png=style1`` or, of a single style, ``left.png``.

    Args:
        styles: a style is called style1, style2 and so on, or by its file's name without ending.
        flag: that gave the masks.
        field: of :class:`~likeness.experiments.style.image.StyleImage` where they go.
        given: what was typed.

    Raises:
        UserError: a mask for no style, or a second one for the same.
    """
    from likeness.research.errors import UserError
    from likeness.research.images.sources import ImageFile

    found: dict[int, ImageFile] = {}
    for text in given:
        path, equals, name = text.rpartition("=")
        if not equals and len(styles) == 1:
            path, name = text, "style1"
        number = _named(styles, flag, text, name, bool(path))
        if number in found:
            raise UserError(f"{flag} gives style{number + 1} two masks, {found[number].path} and {path}: give each style one.")
        found[number] = ImageFile(path=path)
    return tuple(
        dataclasses.replace(style, **{field: found[number]}) if number in found else style
        for number, style in enumerate(styles)
    )


def _named(styles: "Sequence[StyleImage]", flag: str, text: str, name: str, whole: bool) -> int:
    from likeness.research.errors import UserError

    numbered = [f"style{number}" for number in range(1, len(styles) + 1)]
    titles = [style.image.title for style in styles]
    if whole and name in numbered:
        return numbered.index(name)
    if whole and titles.count(name) == 1:
        return titles.index(name)
    names = [*numbered, *(title for title in titles if titles.count(title) == 1)]
    close = difflib.get_close_matches(name, names, n=1)
    meant = f" Perhaps you mean {close[0]}." if whole and close else ""
    raise UserError(f"{flag} is {text}: give FILE=STYLE, where STYLE is one of {', '.join(names)}.{meant}")
