"""How a painted image is evaluated: by an encoder that did not paint it."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.compiled_quickly import compiled_quickly
from likeness.experiments.fingerprints import of_arrays
from likeness.experiments.frozen import FrozenEncoder, Random
from likeness.experiments.style.perceptual import Perceptual
from likeness.experiments.style.structure_texture import StructureTexture
from likeness.research.encoders import Vgg
from likeness.research.errors import UserError
from likeness.research.images.resize import resize
from likeness.research.losses import Content, Gram
from likeness.research.metrics.image_quality import color_distance, edge_correlation, patch_distance, ssim
from likeness.research.types import Array, PyTree, Scalar

SMALLEST = 28
"""Least side of an image that has 7 x 7 patches at three scales."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StyleEvaluator:
    """An encoder by which a painted image is evaluated and not painted, and the layers it looks at."""

    encoder: FrozenEncoder = FrozenEncoder(
        encoder=Vgg(convolutions=(2, 2, 2, 2), widths=(24, 48, 96, 192), pooling="max", preprocessing="torchvision"),
        weights=Random(seed=1),
    )
    """Of other filters and another shape than the one that painted, so that its flaws are not shared. What random filters say
    compares under the same filters only: with other seeds the same image's errors are several times larger or smaller."""
    content: tuple[str, ...] = ("relu3_1",)
    """Layers at which the content is compared."""
    style: tuple[str, ...] = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
    """Layers at which the style is."""
    perceptual: Perceptual | None = None
    """LPIPS from the content as well, where its weights are given."""
    structure_texture: StructureTexture | None = None
    """DISTS from the content as well, in the same way."""
    size: int = 640
    """Longer side at which images are compared; larger ones are shrunk."""

    def variables(self) -> PyTree:
        """The weights of the encoders that evaluator.

        Raises:
            UserError: when they cannot be had, or the encoder has no such layers.
        """
        variables = self.encoder.variables()

        def look(image: Array) -> None:
            activations = self.encoder(variables, image)
            for loss in (Content(layers=self.content), Gram(layers=self.style)):
                list(loss.read(activations))

        try:
            # Now, and not after the painting; of shapes only.
            jax.eval_shape(look, jax.ShapeDtypeStruct((1, 96, 96, 3), jnp.float32))
        except ValueError as error:
            raise UserError(f"The StyleEvaluator of this config does not fit its encoder: {error}") from error
        perceptual = None if self.perceptual is None else self.perceptual.variables()
        structure_texture = None if self.structure_texture is None else self.structure_texture.variables()
        return {"encoder": variables, "perceptual": perceptual, "structure_texture": structure_texture}

    def fingerprint(self, variables: PyTree) -> dict[str, str]:
        """Of the weights of the encoders that evaluator."""
        of_encoder = self.encoder.fingerprint(variables["encoder"])
        found = {f"{name} that evaluates": value for name, value in of_encoder.items()}
        asked = {"LPIPS": "perceptual", "DISTS": "structure_texture"}
        kept = {name: variables[part] for name, part in asked.items() if variables[part] is not None}
        return found | {f"weights of {name}": of_arrays(arrays) for name, arrays in kept.items()}

    def metrics(
        self,
        weights: PyTree,
        own_encoder: FrozenEncoder,
        own_weights: PyTree,
        layers: tuple[tuple[str, ...], tuple[str, ...]],
        image: np.ndarray,
        content: np.ndarray,
        styles: tuple[np.ndarray, ...],
    ) -> dict[str, float]:
        """How far an image is from the content and from the styles, in numbers that no loss or normalizer shifts.

        Args:
            weights: :meth:`variables`.
            own_encoder: the encoder by which the image was painted.
            own_weights: its weights.
            layers: those at which the painting compared content, and style.
            image: (h, w, 3), RGB in [0, 1].
            content: of the same size.
            styles: of any size.

        Returns:
            Relative errors under both encoders (``content/relative``, ``style/relative``, and ``held_out/…``, see
            :func:`relative_errors`), structural similarity and correlation of edges with the content, and the distances of
            colors and of patches from the nearest style; LPIPS and DISTS from the content where they were asked for. Images
            with a side below 28 pixels have no patches and no structural similarity.
        """
        share = min(1.0, self.size / max(image.shape))
        image, content, *looks = (_shrunk(each, share) for each in (image, content, *styles))
        arrays = [jnp.asarray(each) for each in (image, content)], [jnp.asarray(look) for look in looks]
        # A painting that compares no content, or no style, has no layers at which to look at it.
        seen = tuple(own or others for own, others in zip(layers, layers[::-1], strict=True))
        own = relative_errors(own_encoder, *seen, own_weights, *arrays[0], arrays[1])
        other = relative_errors(self.encoder, self.content, self.style, weights["encoder"], *arrays[0], arrays[1])
        errors: dict[str, Scalar | float] = {"content/relative": own[0], "style/relative": own[1]}
        errors |= {"held_out/content/relative": other[0], "held_out/style/relative": other[1]}
        errors["style/color_distance"] = min(color_distance(image, look) for look in looks)
        if min(min(each.shape[:2]) for each in (image, *looks)) >= SMALLEST:
            errors |= {"content/ssim": ssim(image, content), "content/edge_correlation": edge_correlation(image, content)}
            errors["style/patch_distance"] = min(patch_distance(image, look) for look in looks)
        if self.perceptual is not None:
            errors["content/lpips"] = _measured(self.perceptual, weights["perceptual"], *arrays[0])
        if self.structure_texture is not None:
            errors["content/dists"] = _measured(self.structure_texture, weights["structure_texture"], *arrays[0])
        return {name: float(value) for name, value in errors.items()}


@functools.partial(compiled_quickly, static_argnums=(0,))
def _measured(distance: Perceptual | StructureTexture, variables: PyTree, image: Array, content: Array) -> Scalar:
    return distance(variables, image[None], content[None])


def _shrunk(image: np.ndarray, share: float) -> np.ndarray:
    if share == 1.0:
        return image
    size = (round(image.shape[0] * share), round(image.shape[1] * share))
    return np.clip(np.asarray(resize(jnp.asarray(image), size)), 0.0, 1.0)


@functools.partial(compiled_quickly, static_argnums=(0, 1, 2))
def relative_errors(
    encoder: FrozenEncoder,
    content_layers: tuple[str, ...],
    style_layers: tuple[str, ...],
    variables: PyTree,
    image: Array,
    reference: Array,
    styles: list[Array],
) -> tuple[Scalar, Scalar]:
    """``‖F - P‖²/‖P‖²`` from the content and ``‖G - A‖²/‖A‖²`` from the styles, means over layers and styles."""
    content, style = Content(layers=content_layers), Gram(layers=style_layers)
    painted = encoder(variables, image[None])
    kept = content(painted, content.target(encoder(variables, reference[None])))
    looks = [style(painted, style.target(encoder(variables, other[None]))) for other in styles]
    return kept, jnp.mean(jnp.stack(looks))
