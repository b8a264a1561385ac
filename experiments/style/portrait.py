"""A face that stays the same person while it is painted."""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.recognition.face_crops import FaceAlignment, SourceLandmarks, Template
from likeness.research.encoders import MobileFaceNet
from likeness.research.errors import UserError
from likeness.research.geometry import Crop, Similarity, crop
from likeness.research.images.sources import ImageSource
from likeness.research.losses import Identity
from likeness.research.types import Activations, AnyArray, Array, Float, PyTree, Scalar
from likeness.research.weights import Pretrained


class PortraitConstants(NamedTuple):
    """What the cost of a portrait reads, on the device."""

    encoder: PyTree
    """Its weights."""
    crops: tuple[Crop, ...]
    """The template's first, then the moved ones."""
    target: PyTree
    """What the loss keeps of the original in all crops, blurred."""
    verified: PyTree
    """The same of the first crop, as it is."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Portrait:
    """The distance of a painted face from the original, by an encoder of faces, as a part of a stylization's cost:

        weight · max(0, mean_v J_identity(f(B A_v G), f(B A_v C)) - margin),    f(x) = (e(x) + e(mirror x)) / 2

    with C the content, G the image, e the encoder, A_0 the crop of the face onto the encoder's template, A_1, A_2, … the
    same moved a little, and B a blur. A portrait whose distance at A_0, without blur, is below the encoder's threshold is
    still verified as the same person.

    What an encoder of faces sees in an image can be had by a noise that means nothing to people. That is what the margin is
    for, since nothing is gained by less distance than two photographs of one person have; the moved crops, since noise that
    holds an identity in one need not in another; and the blur, which leaves only shapes as coarse as strokes.
    """

    encoder: FrozenEncoder = FrozenEncoder(encoder=MobileFaceNet(normalize=False), weights=Pretrained(name="mobilefacenet"))
    """e, which returns an ``embedding``, and where its weights come from. The published one is not normalized: the embeddings
    of a face and of its mirror image are added as they are."""
    face: FaceAlignment = SourceLandmarks()
    """Where the face is in the content image."""
    template: Template = Template()
    """Where the encoder wants it."""
    loss: Identity = Identity()
    """How embeddings are compared."""
    weight: float = 1.0
    """Strength of the identity."""
    margin: float = 0.0
    """The distance that is near enough."""
    moved: int = 2
    """Crops beside the one that verification takes, each at the cost of that one."""
    blur: float = 1.5
    """Standard deviation of the blur in the template's pixels; 0 for none. Much more, and encoders know nobody."""
    mirror: bool = True
    """Look at mirror images as well, at twice the cost, as verification does; otherwise f is e."""

    def __post_init__(self) -> None:
        for name in ("weight", "margin"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"Portrait.{name} is {getattr(self, name)}: give a finite number, 0 or more")
        if not 0 <= self.blur <= 16:
            raise ValueError(f"Portrait.blur is {self.blur}: give 0 to 16 pixels")
        if not 0 <= self.moved <= 64:
            raise ValueError(f"Portrait.moved is {self.moved}: give 0 to 64 crops")

    def constants(self, content: Float[np.ndarray, "h w 3"], source: ImageSource | None = None) -> PortraitConstants:
        """The encoder's weights, the crops, and the original's embeddings, on the device.

        Args:
            content: the original, RGB in [0, 1].
            source: where it comes from; needed by a ``face`` that asks it.

        Raises:
            UserError: when the weights cannot be had, the face cannot be where it is said to be, or the encoder does not take
                the template's crops.
        """
        size = (content.shape[0], content.shape[1])
        to_image = self.face.to_template(self.template, size, source).inverse()
        views = [to_image.after(move) for move in self.moves()]
        crops = tuple(crop(view, size, self.template.size) for view in views)
        variables, crops = jax.tree.map(jnp.asarray, (self.encoder.variables(), crops))
        try:
            targets = _targets(self._anywhere(), variables, crops, jnp.asarray(content, jnp.float32)[None])
            return PortraitConstants(variables, crops, *targets)
        except ValueError as error:
            raise UserError(f"The portrait's template, encoder and loss do not fit each other: {error}") from error

    def cost(self, constants: PortraitConstants, pixels: Float[Array, "1 h w 3"]) -> Scalar:
        """The weighted distance of a painted image beyond the margin. Runs under ``jit``."""
        activations = self._activations(constants.encoder, constants.crops, pixels, self.blur)
        return self.weight * jax.nn.relu(self.loss(activations, constants.target) - self.margin)

    def distance(self, constants: PortraitConstants, pixels: Float[AnyArray, "1 h w 3"]) -> float:
        """The distance by which the painted face is verified, whatever the weight and the margin."""
        return float(_distance(self._anywhere(), constants, jnp.asarray(pixels)))

    def moves(self) -> list[Similarity]:
        """How the crops lie to the template: first as it says, then turned by up to 8 degrees, scaled by up to 1.1 and shifted
        by up to 4 % of its height, the same for every image.
        """
        center = np.array([self.template.width - 1, self.template.height - 1]) / 2
        moves = [Similarity(a=1.0, b=0.0)]
        for angle, scale, *shift in np.random.default_rng(0).uniform(-1, 1, (self.moved, 4)):
            factor = 1.1**scale * np.exp(1j * np.deg2rad(8.0 * angle))
            turn = Similarity(a=float(factor.real), b=float(factor.imag))
            right, down = center - turn(center[None])[0] + 0.04 * self.template.height * np.array(shift)
            moves.append(dataclasses.replace(turn, right=float(right), down=float(down)))
        return moves

    def _activations(self, encoder: PyTree, crops: tuple[Crop, ...], pixels: Array, blur: float) -> Activations:
        """Of the face in each crop, averaged with those of its mirror image."""
        faces = _blurred(jnp.concatenate([cut(pixels) for cut in crops]), blur)
        if not self.mirror:
            return self.encoder(encoder, faces)
        activations = self.encoder(encoder, jnp.concatenate([faces, faces[:, :, ::-1]]))
        return {layer: (both[: len(faces)] + both[len(faces) :]) / 2 for layer, both in activations.items()}

    def _anywhere(self) -> "Portrait":
        """Itself for what is compiled: the same for every face and weight."""
        return dataclasses.replace(self, face=SourceLandmarks(), weight=1.0, margin=0.0)


@functools.partial(jax.jit, static_argnums=0)
def _targets(portrait: Portrait, encoder: PyTree, crops: tuple[Crop, ...], content: Array) -> tuple[PyTree, PyTree]:
    return (
        portrait.loss.target(portrait._activations(encoder, crops, content, portrait.blur)),
        portrait.loss.target(portrait._activations(encoder, crops[:1], content, 0.0)),
    )


@functools.partial(jax.jit, static_argnums=0)
def _distance(portrait: Portrait, constants: PortraitConstants, pixels: Array) -> Scalar:
    return portrait.loss(portrait._activations(constants.encoder, constants.crops[:1], pixels, 0.0), constants.verified)


def _blurred(faces: Array, deviation: float) -> Array:
    """By a Gaussian, cut off at three deviations; the edge continues outside."""
    if deviation == 0:
        return faces
    reach = int(np.ceil(3 * deviation))
    weights = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / deviation))
    weights = (weights / weights.sum()).tolist()
    for axis in (1, 2):
        side = faces.shape[axis]
        ends = [(0, 0)] * 4
        ends[axis] = (reach, reach)
        padded = jnp.pad(faces, ends, mode="edge")
        shifted = (jax.lax.slice_in_dim(padded, i, i + side, axis=axis) for i in range(2 * reach + 1))
        faces = sum((weight * each for weight, each in zip(weights, shifted, strict=True)), start=jnp.zeros_like(faces))
    return faces
