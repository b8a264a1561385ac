"""Style transfer: what is learned is the image."""

import dataclasses
from collections.abc import Iterator
from typing import Any, ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.display import figures
from likeness.experiments.experiment import Batches, Evaluation, Experiment, LossOutput, Originals, Part, Variables
from likeness.experiments.fingerprints import Fingerprints, of_arrays
from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.style.colors import AsTheyAre, Colors, own_colors
from likeness.experiments.style.image import StyleImage
from likeness.experiments.style.looks import Several, StyleLook, looks, same_arrays
from likeness.experiments.style.objective import StyleObjective
from likeness.experiments.style.parametrizations import ImageParametrization, PixelParametrization, details
from likeness.experiments.style.portrait import Portrait, PortraitConstants
from likeness.experiments.style.pyramid import Pyramid
from likeness.experiments.style.readers import Asked, Reader, WholeReader
from likeness.experiments.style.same_people import SamePeople
from likeness.experiments.style.starts import FromContent, GoesOn, Start, StartOfImages
from likeness.experiments.style.terms import Term, check_joined, grown, joined, layers
from likeness.experiments.style.tiled import check_tiled, tiled_reader
from likeness.experiments.style.wrapping import Wraps, check_wrapped, fitted, wrapped_encoder, wrapped_terms
from likeness.research.errors import UserError
from likeness.research.images.resize import resize_around
from likeness.research.images.sources import Blank, ImageSource
from likeness.research.losses import MatchesOnce
from likeness.research.types import Array, Float, PRNGKey, PyTree

_COLUMNS = {"": "painted"}


class Targets(NamedTuple):
    """What the losses keep of the references, a list for each kind of terms."""

    content: list[PyTree]
    styles: list[list[PyTree]]
    """Of each look, see :func:`~likeness.experiments.style.looks.looks`."""
    image: list[PyTree]


class StylizationConstants(NamedTuple):
    """What the cost of a stylization reads, on the device."""

    encoder: PyTree
    """Its weights."""
    content: Float[Array, "1 h w 3"]
    targets: Targets
    regions: list[PyTree]
    """Where each look applies; None for everywhere."""
    start: PyTree
    """What the start keeps of the images."""
    portrait: PortraitConstants | None
    strength: Array | None = None
    """A factor of the style; None for 1. See :class:`~likeness.experiments.style.strengths.Strengthened`."""


@dataclasses.dataclass(frozen=True)
class OpenedStylization:
    """The images of a stylization and what the cost keeps of them."""

    original: np.ndarray
    """The content image as it came, (h, w, 3), RGB in [0, 1]."""
    content: np.ndarray
    """The content image that is painted, its colors matched where the config says so."""
    styles: tuple[np.ndarray, ...]
    constants: StylizationConstants
    places: np.ndarray | None
    """The windows in which the image is read; None where it is read whole."""
    evaluator: PyTree
    """The weights of the encoder that evaluates."""
    masks: tuple[np.ndarray | None, ...] = ()
    """What counts of each style; None for all of it."""


class Rounds:
    """An endless stream of one batch: the windows in which an image is read, of which each process has its share."""

    def __init__(self, places: np.ndarray) -> None:
        self.places = places

    def __iter__(self) -> Iterator[np.ndarray]:
        return self

    def __next__(self) -> np.ndarray:
        share = len(self.places) // jax.process_count()
        return self.places[jax.process_index() * share :][:share]

    def get_state(self) -> dict[str, int]:
        """Nothing moves."""
        return {}

    def set_state(self, state: Any) -> None:
        """Nothing moves."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stylization(Experiment):
    """Paints the content image in the look of the styles, by the pixels (Gatys et al. 2016).

        J(G) = alpha Σ w J_content(C, G) + beta Σ_s p_s Σ w J_style(S_s, G) + Σ w J_image(G),  p_s = w_s / Σ_r w_r

    as the :class:`~likeness.experiments.style.objective.StyleObjective` says. p_s are the styles' shares, so ``beta`` alone is
    the strength of them all; losses of statistics have one target instead, the mixture of the styles (``several``). G is
    learned: (1, h, w, 3), RGB in [0, 1].
    """

    evaluating: ClassVar[str] = "evaluating the painting"
    indifferent: ClassVar[tuple[str, ...]] = ("tile",)

    content: ImageSource
    """C, what is to be seen."""
    styles: tuple[StyleImage, ...]
    """S, what it is to look like."""
    objective: StyleObjective = StyleObjective()
    """What is compared, by which encoder, and by whom the image is evaluated."""
    size: int = 320
    """Longer side of the image, in pixels."""
    colors: Colors = AsTheyAre()
    """Whose colors the image has."""
    start: Start = FromContent()
    """The image to begin with."""
    scale: float = 1.0
    """A factor of the whole cost: what published weights make huge, an optimizer wants of order 1."""
    pyramid: Pyramid = Pyramid()
    """The smaller sizes that are painted before the last one, and how the steps are divided among them; by default none."""
    tile: int | None = None
    """Side of the tiles in which the encoder reads the image, in pixels, for images too large for the device's memory. The
    cost and its gradient are those of the whole image. Several devices share the tiles."""
    edges: Literal["border", "wrap"] = "border"
    """Where the image ends: at a border, or nowhere, since it is laid as tiles and goes on at its other side. Then its sides
    are the nearest that the encoder's strides divide. The references have a border always."""
    several: Several = "blend"
    """How several styles of one region come together. blend, as Crowson's and neural-style do: where a loss is of statistics
    whose targets can be blended (Gram, MeanStd, Covariance, Wasserstein), the image is held to the mixture of them all. sum: to
    each of them, and what no two styles agree on pulls the image both ways; a loss of other targets, such as of patches, is
    summed in any case. For the Gram loss with a normalizer that does not divide by the target the two differ by a constant."""
    parametrization: ImageParametrization = PixelParametrization()
    """What is learned of the image."""
    last_terms: tuple[Term, ...] = ()
    """J_style of one more pass over the last size, in place of all others but J_image; () for none. It takes as many steps as
    that size."""
    portrait: Portrait | None = None
    """Faces in the content that must stay the same people; None where there are none."""

    def __post_init__(self) -> None:
        if not self.styles:
            raise ValueError("Stylization.styles is empty: give at least one style image")
        if not any(style.weight for style in self.styles):
            raise ValueError("Stylization.styles have the weight 0, all of them: give at least one a share above 0")
        if not 16 <= self.size <= 16384:
            raise ValueError(f"Stylization.size is {self.size}: give 16 to 16384 pixels")
        if not 0 <= self.scale < float("inf"):
            raise ValueError(f"Stylization.scale is {self.scale}: give a finite number, 0 or more")
        if self.tile is not None and self.tile < 1:
            raise ValueError(
                f"Stylization.tile is {self.tile}: give a side in pixels, such as 512, or None to read the image whole"
            )
        if self.edges == "wrap":
            if self.tile is not None:
                raise ValueError("Stylization.edges is 'wrap', and with a tile each window ends at a border: leave tile out")
            check_wrapped(self.encoder, self._all_terms)
        for style in self.styles:
            for term in (*self._terms(style), *self.last_terms) if style.turned else ():
                check_joined(term.loss)
        if self.tile is not None:
            for term in self._all_terms:
                check_tiled(term.loss)

    @property
    def encoder(self) -> FrozenEncoder:
        """That of the objective."""
        return self.objective.encoder

    @property
    def _has_content(self) -> bool:
        """Whether it is painted by the content at all."""
        if self.objective.alpha > 0 and any(term.weight for term in self.objective.content_terms):
            return True
        followed = any(term.loss.follows for style in self.styles for term in self._terms(style))
        return followed and not isinstance(self.content, Blank)

    @property
    def _has_style(self) -> bool:
        """Whether it is painted by a style at all."""
        return self.objective.beta > 0 and any(term.weight for style in self.styles for term in self._terms(style))

    @property
    def shares(self) -> tuple[float, ...]:
        """p_s, how much each style counts: together 1."""
        whole = sum(style.weight for style in self.styles)
        return tuple(style.weight / whole for style in self.styles)

    def stages(self) -> tuple["Stylization", ...]:
        """One for each size of the pyramid, the smallest first, and one for the last pass."""
        sizes = self.pyramid.sizes(self.size)
        found = [self._stage(number, size, len(sizes)) for number, size in enumerate(sizes)]
        if self.last_terms:
            last = found[-1]
            objective = dataclasses.replace(last.objective, alpha=0.0, style_terms=self.last_terms)
            styles = tuple(dataclasses.replace(style, terms=()) for style in last.styles)
            found.append(dataclasses.replace(last, objective=objective, styles=styles))
        return tuple(found)

    def _stage(self, number: int, size: int, count: int) -> "Stylization":
        """The stage of one size."""
        terms, start = self.objective, self.start
        objective = dataclasses.replace(
            terms,
            content_terms=grown(terms.content_terms, number),
            style_terms=grown(terms.style_terms, number),
            image_terms=grown(terms.image_terms, number),
        )
        styles = tuple(dataclasses.replace(style, terms=grown(style.terms, number)) for style in self.styles)
        if number == count - 1 > 0 and isinstance(start, GoesOn):
            start = start.at_last()
        return dataclasses.replace(
            self, size=size, pyramid=Pyramid(), objective=objective, styles=styles, start=start, last_terms=()
        )

    def stage_parts(self) -> tuple[float, ...]:
        """As the pyramid says."""
        parts = self.pyramid.parts(self.size)
        return (*parts, parts[-1]) if self.last_terms else parts

    @property
    def step_cost(self) -> float:
        """The pixels of a square of this size."""
        return float(self.size**2)

    def promote(self, learned: Array, constants: StylizationConstants) -> Array:
        """The image of a smaller size at this one, bicubically."""
        return self._enlarged(learned, constants, "cubic")

    def promote_moment(self, moment: Array, constants: StylizationConstants) -> Array:
        """A moment of the gradient at this size, bilinearly, which keeps positive what is positive."""
        return self._enlarged(moment, constants, "linear")

    def _enlarged(self, image: Array, constants: StylizationConstants, method: Literal["linear", "cubic"]) -> Array:
        if self.edges == "wrap":
            _, height, width, _ = constants.content.shape
            return resize_around(image, (height, width), method)
        return jax.image.resize(image, constants.content.shape, method)

    @property
    def carries_moments(self) -> bool:
        """As the parametrization says."""
        return self.parametrization.carries_moments

    @property
    def _made(self) -> ImageParametrization:
        """What the image is made of, told where it goes on at its other side."""
        own = self.parametrization
        return own.wrapped() if self.edges == "wrap" and isinstance(own, Wraps) else own

    def enter(self, learned: Variables, constants: StylizationConstants) -> Variables:
        """The painting at this size, and the partners that its places find in the styles."""
        painted = self._made.image(learned.params)
        content = constants.content
        # The last pass goes on at the same size, and has all details that there are.
        if painted.shape == content.shape:
            return Variables(learned.params, self._matches(painted, constants))
        painted = self.promote(painted, constants)
        begun = self.start.goes_on(painted, content) if isinstance(self.start, GoesOn) else painted
        return Variables(self._made.parameters(begun), self._matches(painted + details(content), constants))

    def _matches(self, painted: Array, constants: StylizationConstants) -> PyTree:
        """The partners that the losses look up which then hold the image to them, by look and by term; ``{}`` for none."""
        found = {}
        for number, (look, targets) in enumerate(zip(self._looks, constants.targets.styles, strict=True), 1):
            for index, (term, target) in enumerate(zip(self._asked(look), targets, strict=True), 1):
                if isinstance(term.loss, MatchesOnce):
                    query = term.loss.content * constants.content + (1.0 - term.loss.content) * painted
                    matches = term.loss.match(self.encoder(constants.encoder, query), target)
                    found.setdefault(f"look {number}", {})[f"term {index}"] = matches
        return found

    def open(self, weights: tuple[PyTree, PyTree] | None = None, before: OpenedStylization | None = None) -> OpenedStylization:
        """Reads the images, loads the encoder and takes the targets.

        Args:
            weights: of the encoder and of the one that evaluates, where they are at hand.
            before: the same of another content, by the same weights: where the styles and what counts of them are the same to
                the bit, so are their targets, and they are not taken again.

        Raises:
            UserError: an image that cannot be read, weights that cannot be had, or images too small for the encoder.
        """
        original = content = self._opened()
        styles = tuple(style.open(content) for style in self.styles)
        content, styles = self.colors.before(content, styles)
        regions = [style.region_in(content) for style in self.styles]
        masks = tuple(style.mask_of(image) for style, image in zip(self.styles, styles, strict=True))
        terms = self.objective
        variables, evaluator = weights or (terms.encoder.variables(), terms.evaluator.variables())
        try:
            reader = self.reader(content, self.edges)
            targets = Targets(
                content=reader.targets(variables, content, self._seen(terms.content_terms)),
                styles=self._style_targets(variables, styles, masks)
                if before is None or not same_arrays((styles, masks), (before.styles, before.masks))
                else before.constants.targets.styles,
                image=reader.targets(variables, content, self._seen(terms.image_terms)),
            )
            regions = [reader.region(variables, content, regions[look.styles[0]]) for look in self._looks]
        except ValueError as error:
            raise UserError(f"The images and the losses of this config do not fit each other: {error}") from error
        constants = StylizationConstants(
            encoder=variables,
            content=jnp.asarray(content)[None],
            targets=targets,
            regions=regions,
            start=self.start.open(content, styles),
            portrait=None if self.portrait is None else self.portrait.constants(original, self.content),
        )
        return OpenedStylization(original, content, styles, constants, reader.places, evaluator, masks)

    def _opened(self) -> np.ndarray:
        """The content image, of the size that is painted."""
        content = self.content.open(self.size)
        return fitted(content, self.encoder, layers(self._all_terms)) if self.edges == "wrap" else content

    def _style_targets(
        self, variables: PyTree, styles: tuple[np.ndarray, ...], masks: tuple[np.ndarray | None, ...]
    ) -> list[PyTree]:
        """Of each look."""
        kept = [self._targets(variables, *one) for one in zip(self.styles, styles, masks, strict=True)]
        return [look.targets(self._terms(self.styles[look.styles[0]]), kept) for look in self._looks]

    def _targets(self, variables: PyTree, style: StyleImage, image: np.ndarray, mask: np.ndarray | None) -> list[PyTree]:
        """What the terms keep of a style and of its turned copies."""
        terms = self._terms(style)
        kept = []
        for turns in (0, *style.turned):
            turned = np.ascontiguousarray(np.rot90(image, turns))
            masked = None if mask is None else np.ascontiguousarray(np.rot90(mask, turns))
            kept.append(self.reader(turned).targets(variables, turned, terms, masked))
        if len(kept) == 1:
            return kept[0]
        return [joined(term.loss, targets) for term, *targets in zip(terms, *kept, strict=True)]

    def constants(self, data: OpenedStylization) -> StylizationConstants:
        """The encoder's weights, the content image, and what the losses keep of the references."""
        return data.constants

    def sources(self) -> dict[str, ImageSource]:
        """Every image that is read, by what it is: ``content``, ``style 1``, ``region of style 1`` and so on."""
        found = {"content": self.content}
        for number, style in enumerate(self.styles, 1):
            found |= {f"{what}style {number}": source for what, source in style.sources().items()}
        return found | (dict(self.start.sources()) if isinstance(self.start, StartOfImages) else {})

    def fingerprints(self, data: OpenedStylization) -> Fingerprints:
        """Of all images, and of the weights of the encoders."""
        read = {name: source.fingerprint() for name, source in self.sources().items()}
        read |= self.encoder.fingerprint(data.constants.encoder)
        if (portrait := data.constants.portrait) is not None:
            read["weights of the face encoder"] = of_arrays(portrait.encoder)
        return Fingerprints(training=read, validation=self.objective.evaluator.fingerprint(data.evaluator))

    def describe(self, data: OpenedStylization) -> tuple[str, ...]:
        """The images and their sizes."""
        height, width, _ = data.content.shape
        named = " and ".join(
            f"{style.image.title} ({image.shape[1]} × {image.shape[0]})"
            for style, image in zip(self.styles, data.styles, strict=True)
        )
        if not self._has_content:
            return (f"painting a texture ({width} × {height}) in the look of {named}",)
        if not self._has_style:
            known = ", ".join(layers(self.objective.content_terms))
            return (f"painting {self.content.title} ({width} × {height}) again, from what is known of it at {known}",)
        return (f"painting {self.content.title} ({width} × {height}) in the look of {named}",)

    def stream(self, data: OpenedStylization, seed: int) -> Batches:
        """The same windows again and again; nothing for an image that is read whole."""
        return super().stream(data, seed) if data.places is None else Rounds(data.places)

    def init(self, key: PRNGKey, constants: StylizationConstants, batch: PyTree) -> Variables:
        """The image to begin with."""
        del batch
        begun = self.start(constants.content, constants.start, key)
        return Variables(self._made.parameters(begun), self._matches(constants.content, constants))

    def cost(self, params: PyTree, state: PyTree, constants: StylizationConstants, batch: PyTree, key: PRNGKey) -> LossOutput:
        """J of the image as it is now, and its parts."""
        pixels, kept = self._made.image(params), constants.targets
        terms = self.objective
        asked = [Asked(self._seen(terms.content_terms), kept.content), Asked(self._seen(terms.image_terms), kept.image)]
        for number, (look, target, region) in enumerate(zip(self._looks, kept.styles, constants.regions, strict=True), 1):
            own = self._asked(look)
            looked_up = state.get(f"look {number}", {})
            matches = {index: looked_up[name] for index in range(len(own)) if (name := f"term {index + 1}") in looked_up}
            asked.append(Asked(self._seen(own), target, region, matches))
        content, image, *found = self.reader(pixels[0], self.edges).totals(constants.encoder, pixels, batch, asked, key)
        shared = sum((look.share * value for look, value in zip(self._looks, found, strict=True)), start=jnp.zeros(()))
        parts = terms.parts(content, shared, image)
        if self.portrait is not None and constants.portrait is not None:
            parts["identity"] = self.portrait.cost(constants.portrait, pixels)
        return LossOutput(self.scale * sum(parts.values(), start=jnp.zeros(())), state, parts)

    def reader(self, image: Any, edges: Literal["border", "wrap"] = "border") -> Reader:
        """How the encoder reads an image (h, w, 3) that ends at a border, or goes on at its other side."""
        if edges == "wrap":
            return WholeReader(wrapped_encoder(self.encoder))
        if self.tile is None:
            return WholeReader(self.encoder)
        return tiled_reader(self.encoder, layers(self._all_terms), image.shape[0], image.shape[1], self.tile)

    @property
    def _looks(self) -> tuple[StyleLook, ...]:
        return looks(self.styles, [self._terms(style) for style in self.styles], self.shares, self.several)

    def _asked(self, look: StyleLook) -> tuple[Term, ...]:
        """The terms of a look."""
        return look.asked(self._terms(self.styles[look.styles[0]]))

    @property
    def _all_terms(self) -> tuple[Term, ...]:
        styles = (term for style in self.styles for term in self._terms(style))
        return (*self.objective.content_terms, *styles, *self.objective.image_terms)

    def _seen(self, terms: tuple[Term, ...]) -> tuple[Term, ...]:
        """The terms as they look at the painted image."""
        return wrapped_terms(terms) if self.edges == "wrap" else terms

    def _terms(self, style: StyleImage) -> tuple[Term, ...]:
        return style.terms or self.objective.style_terms

    def image(self, params: PyTree) -> np.ndarray:
        """What was painted, with the colors that it is to have: (h, w, 3), RGB in [0, 1]."""
        pixels = np.clip(np.asarray(self._made.image(params)[0], np.float32), 0.0, 1.0)

        def originals() -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
            content = dataclasses.replace(self, size=max(pixels.shape))._opened()
            return content, tuple(style.open(content) for style in self.styles)

        return self.colors.after(pixels, originals)

    def as_compiled(self) -> "Stylization":
        """The same of other images: those are constants. Which styles have one region together is none."""
        nothing = Blank(height=1, width=1)
        regions = list(dict.fromkeys(style.region for style in self.styles))
        styles = tuple(
            dataclasses.replace(
                style,
                image=nothing,
                region=None if style.region is None else Blank(height=1, width=1 + regions.index(style.region)),
                mask=None,
            )
            for style in self.styles
        )
        portrait = self.portrait and self.portrait.as_compiled()
        return dataclasses.replace(self, content=nothing, styles=styles, portrait=portrait)

    def shown(self, params: PyTree) -> dict[str, np.ndarray]:
        """The painting."""
        return {"image": self.image(params)}

    def originals(self) -> Originals:
        """The content and the styles, as they came."""
        content = self.content.open(self.size)
        return Originals({"image": content}, tuple(style.open(content) for style in self.styles))

    def evaluate(self, data: OpenedStylization, params: PyTree, state: PyTree, part: Part) -> Evaluation:
        """What is left of the content, and how near the style is; on the test part also the images side by side.

        What is not painted by is not compared either: a texture has no content, a reconstruction no style. All is compared with
        what was painted from, in whose colors, but for ``content/color_distance``: how far the colors are from those that the
        content had.
        """
        del state
        pixels = self.image(params)
        terms = tuple(term for style in self.styles for term in self._terms(style))
        read = (layers(self.objective.content_terms), layers(terms))
        encoder, weights = self.encoder, data.constants.encoder
        seen = self.colors.compared(pixels)
        found = self.objective.evaluator.metrics(data.evaluator, encoder, weights, read, seen, data.content, data.styles)
        found["content/color_distance"] = own_colors(pixels, data.original, self.objective.evaluator.size)
        absent = [word for word, painted_by in (("content/", self._has_content), ("style/", self._has_style)) if not painted_by]
        metrics = {name: value for name, value in found.items() if not any(word in name for word in absent)}
        notes: tuple[str, ...] = ()
        if self.portrait is not None and data.constants.portrait is not None:
            kept = SamePeople.of(self.portrait, data.constants.portrait, pixels)
            metrics, notes = metrics | kept.metrics, kept.notes
        if part == "validation":
            return Evaluation(metrics=metrics, columns=_COLUMNS, images={"image": pixels})
        shown = {self.content.title: data.original} if self._has_content else {}
        if self._has_style:
            shown |= {style.image.title: image for style, image in zip(self.styles, data.styles, strict=True)}
        drawn = figures.side_by_side({**shown, "painted": pixels})
        images, figures_ = {"image": pixels}, {"side_by_side": drawn}
        return Evaluation(metrics=metrics, columns=_COLUMNS, images=images, figures=figures_, notes=notes)
