"""Faces that stay the same people while they are painted."""

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
    crops: tuple[tuple[Crop, ...], ...]
    """Of each face: the template's first, then the moved ones."""
    target: PyTree
    """What the loss keeps of the original in all crops, blurred: a row each, face after face."""
    verified: PyTree
    """The same of each face's first crop, as it is."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Portrait:
    """The distance of painted faces from the originals, by an encoder of faces, as a part of a stylization's cost:

        weight · Σ_n max(0, mean_v J_identity(f(B A_nv G), f(B A_nv C)) - margin),    f(x) = (e(x) + e(mirror x)) / 2

    with C the content, G the image, e the encoder, A_n0 the crop of face n onto the encoder's template, A_n1, A_n2, … the
    same moved a little, and B a blur. Each face has a margin of its own, so that none is given up for another, and it is held
    as firmly among others as alone. A face whose distance at A_n0, without blur, is below the encoder's threshold is still
    verified as the same person.

    What an encoder of faces sees in an image can be had by a noise that means nothing to people. That is what the margin is
    for, since nothing is gained by less distance than two photographs of one person have; the moved crops, since noise that
    holds an identity in one need not in another; and the blur, which leaves only shapes as coarse as strokes.
    """

    encoder: FrozenEncoder = FrozenEncoder(encoder=MobileFaceNet(normalize=False), weights=Pretrained(name="mobilefacenet"))
    """e, which returns an ``embedding``, and where its weights come from. The published one is not normalized: the embeddings
    of a face and of its mirror image are added as they are."""
    face: FaceAlignment | tuple[FaceAlignment, ...] = SourceLandmarks()
    """Where the face is in the content image; of a group, where each is."""
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
        if not self.faces:
            raise ValueError("Portrait.face is empty: give at least one face")
        for name in ("weight", "margin"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"Portrait.{name} is {getattr(self, name)}: give a finite number, 0 or more")
        if not 0 <= self.blur <= 16:
            raise ValueError(f"Portrait.blur is {self.blur}: give 0 to 16 pixels")
        if not 0 <= self.moved <= 64:
            raise ValueError(f"Portrait.moved is {self.moved}: give 0 to 64 crops")

    @property
    def faces(self) -> tuple[FaceAlignment, ...]:
        """All of them, also where there is one."""
        return self.face if isinstance(self.face, tuple) else (self.face,)

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
        placed = [face.to_template(self.template, size, source).inverse() for face in self.faces]
        moves = self.moves()
        crops = tuple(tuple(crop(one.after(move), size, self.template.size) for move in moves) for one in placed)
        variables, crops = jax.tree.map(jnp.asarray, (self.encoder.variables(), crops))
        try:
            targets = _targets(self._anywhere(), variables, crops, jnp.asarray(content, jnp.float32)[None])
            return PortraitConstants(variables, crops, *targets)
        except ValueError as error:
            raise UserError(f"The portrait's template, encoder and loss do not fit each other: {error}") from error

    def cost(self, constants: PortraitConstants, pixels: Float[Array, "1 h w 3"]) -> Scalar:
        """The weighted distances of a painted image's faces beyond the margin. Runs under ``jit``."""
        activations = self._activations(constants.encoder, constants.crops, pixels, self.blur)
        apart = self._apart(activations, constants.target, len(constants.crops))
        return self.weight * jnp.sum(jax.nn.relu(apart - self.margin))

    def distances(self, constants: PortraitConstants, pixels: Float[AnyArray, "1 h w 3"]) -> Float[np.ndarray, "n"]:
        """The distance by which each painted face is verified, whatever the weight and the margin."""
        return np.asarray(_distances(self._anywhere(), constants, jnp.asarray(pixels)))

    def distance(self, constants: PortraitConstants, pixels: Float[AnyArray, "1 h w 3"]) -> float:
        """That of the face which is farthest from its original."""
        return float(self.distances(constants, pixels).max())

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

    def _activations(self, encoder: PyTree, crops: tuple[tuple[Crop, ...], ...], pixels: Array, blur: float) -> Activations:
        """Of each face in each of its crops, averaged with those of its mirror image."""
        faces = _blurred(jnp.concatenate([cut(pixels) for views in crops for cut in views]), blur)
        if not self.mirror:
            return self.encoder(encoder, faces)
        activations = self.encoder(encoder, jnp.concatenate([faces, faces[:, :, ::-1]]))
        return {layer: (both[: len(faces)] + both[len(faces) :]) / 2 for layer, both in activations.items()}

    def _apart(self, activations: Activations, target: PyTree, faces: int) -> Float[Array, "n"]:
        """The loss of each face, of rows that are its crops."""
        seen = {layer: activations[layer] for layer in self.loss.layers if layer in activations}
        return jax.vmap(self.loss)(*jax.tree.map(lambda rows: rows.reshape(faces, -1, *rows.shape[1:]), (seen, target)))

    def _anywhere(self) -> "Portrait":
        """Itself for what is compiled: the same for every face and weight."""
        return dataclasses.replace(self.as_compiled(), weight=1.0, margin=0.0)

    def as_compiled(self) -> "Portrait":
        """The same of faces elsewhere: where they are is a constant, and how many its shape."""
        return dataclasses.replace(self, face=SourceLandmarks())


def _first(crops: tuple[tuple[Crop, ...], ...]) -> tuple[tuple[Crop, ...], ...]:
    return tuple(views[:1] for views in crops)


@functools.partial(jax.jit, static_argnums=0)
def _targets(portrait: Portrait, encoder: PyTree, crops: tuple[tuple[Crop, ...], ...], content: Array) -> tuple[PyTree, PyTree]:
    return (
        portrait.loss.target(portrait._activations(encoder, crops, content, portrait.blur)),
        portrait.loss.target(portrait._activations(encoder, _first(crops), content, 0.0)),
    )


@functools.partial(jax.jit, static_argnums=0)
def _distances(portrait: Portrait, constants: PortraitConstants, pixels: Array) -> Float[Array, "n"]:
    activations = portrait._activations(constants.encoder, _first(constants.crops), pixels, 0.0)
    return portrait._apart(activations, constants.verified, len(constants.crops))


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
