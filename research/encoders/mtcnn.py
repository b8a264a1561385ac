"""P-Net, R-Net and O-Net, the three networks of MTCNN, each of which looks closer than the one before it."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from likeness.research.encoders.layers import Images, check_size
from likeness.research.encoders.preprocessing import rgb
from likeness.research.types import Activations, AnyArray, Array, Float

PROPOSAL_SIDE = 12
"""Pixels of a side of what one cell of P-Net sees."""
REFINEMENT_SIDE = 24
"""Pixels of a side that R-Net takes."""
OUTPUT_SIDE = 48
"""Pixels of a side that O-Net takes."""

__all__ = ["MTCNN", "OUTPUT_SIDE", "PROPOSAL_SIDE", "REFINEMENT_SIDE"]


class MTCNN(nn.Module, kw_only=True):
    """The three networks, with their weights in one tree.

    Each says of what it sees how likely it is a face, and where the face's box lies; O-Net also says where the eyes, the tip
    of the nose and the corners of the mouth are. Convolutions have no border, and parametric ReLUs one slope a channel.

    - P-Net: 10, 16 and 32 convolutions 3×3, a max pooling 2×2 after the first. It sees 12×12 pixels, every second one.
    - R-Net, 24×24: 28 and 48 convolutions 3×3 and 64 of 2×2, a max pooling 3×3/2 after each of the first two; dense to 128.
    - O-Net, 48×48: 32, 64 and 64 convolutions 3×3 and 128 of 2×2, a max pooling after each of the first three; dense to 256.

    Activations of a batch of images: those of P-Net, and of R-Net and O-Net when each image is resized to what they take:
    ``proposal_face`` (b, h, w, 2), ``proposal_box`` (b, h, w, 4), ``refinement_face`` (b, 2), ``refinement_box`` (b, 4),
    ``output_face``, ``output_box`` and ``output_landmarks`` (b, 10): five x, then five y. Of the two numbers of ``face`` the
    second is for a face, before a softmax.

    Parameters: 6,632 + 100,178 + 389,040 = 495,850.

    Paper: Zhang et al., Joint face detection and alignment using multitask cascaded convolutional networks, IEEE Signal
    Processing Letters 2016.
    """

    def setup(self) -> None:
        self.proposal = _ProposalNetwork()
        self.refinement = _PatchNetwork(widths=(28, 48, 64), hidden=128, points=0)
        self.output = _PatchNetwork(widths=(32, 64, 64, 128), hidden=256, points=5)

    def __call__(self, images: Images, train: bool = False) -> Activations:
        """What all three say of a batch.

        Args:
            images: (b, h, w, 3), RGB in [0, 1].
            train: without effect.

        Raises:
            ValueError: images smaller than 12×12, not RGB, or not floating point.
        """
        del train
        images = rgb(images)
        check_size("MTCNN", "proposal", images, PROPOSAL_SIDE, images, PROPOSAL_SIDE)

        def resized(side: int) -> Array:
            return jax.image.resize(images, (images.shape[0], side, side, 3), "linear")

        found = {
            "proposal": self.propose(images),
            "refinement": self.refine(resized(REFINEMENT_SIDE)),
            "output": self.look(resized(OUTPUT_SIDE)),
        }
        return {f"{network}_{what}": value for network, said in found.items() for what, value in said.items()}

    def propose(self, images: Float[AnyArray, "b h w 3"]) -> Activations:
        """What P-Net says of every second pixel: ``face`` (b, ⌈(h−2)/2⌉−4, …, 2) and ``box`` (…, 4)."""
        return self.proposal(_signed(images))

    def refine(self, patches: Float[AnyArray, "n 24 24 3"]) -> Activations:
        """What R-Net says of patches: ``face`` (n, 2) and ``box`` (n, 4)."""
        return self.refinement(_signed(patches))

    def look(self, patches: Float[AnyArray, "n 48 48 3"]) -> Activations:
        """What O-Net says of patches: ``face`` (n, 2), ``box`` (n, 4) and ``landmarks`` (n, 10)."""
        return self.output(_signed(patches))


class _ProposalNetwork(nn.Module):
    @nn.compact
    def __call__(self, x: Array) -> Activations:
        x = _Slopes(name="prelu1")(nn.Conv(10, (3, 3), padding="VALID", name="conv1")(x))
        x = nn.max_pool(x, (2, 2), (2, 2), "SAME")
        x = _Slopes(name="prelu2")(nn.Conv(16, (3, 3), padding="VALID", name="conv2")(x))
        x = _Slopes(name="prelu3")(nn.Conv(32, (3, 3), padding="VALID", name="conv3")(x))
        return {"box": nn.Conv(4, (1, 1), name="box")(x), "face": nn.Conv(2, (1, 1), name="face")(x)}


class _PatchNetwork(nn.Module, kw_only=True):
    widths: tuple[int, ...]
    hidden: int
    points: int

    @nn.compact
    def __call__(self, x: Array) -> Activations:
        last = len(self.widths)
        for number, width in enumerate(self.widths, 1):
            side = 2 if number == last else 3
            x = nn.Conv(width, (side, side), padding="VALID", name=f"conv{number}")(x)
            x = _Slopes(name=f"prelu{number}")(x)
            if number < last:
                # The second pooling leaves out what does not fill a window.
                window = 2 if number == 3 else 3
                x = nn.max_pool(x, (window, window), (2, 2), "VALID" if number == 2 else "SAME")
        # The weights were trained on patches whose columns come before their rows in memory.
        x = jnp.swapaxes(x, 1, 2).reshape(x.shape[0], -1)
        x = _Slopes(flat=True, name=f"prelu{last + 1}")(nn.Dense(self.hidden, name="dense")(x))
        said = {"box": nn.Dense(4, name="box")(x), "face": nn.Dense(2, name="face")(x)}
        return said | ({"landmarks": nn.Dense(2 * self.points, name="landmarks")(x)} if self.points else {})


class _Slopes(nn.Module, kw_only=True):
    """Parametric ReLU, with its slopes in the shape in which they were published."""

    flat: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = (x.shape[-1],) if self.flat else (1, 1, x.shape[-1])
        slope = self.param("slope", nn.initializers.constant(0.25), shape, jnp.float32)
        return jnp.where(x >= 0, x, slope * x)


def _signed(images: AnyArray) -> Array:
    """[0, 1] → (255·x − 127.5) / 128."""
    return (255.0 * jnp.asarray(images, jnp.float32) - 127.5) / 128.0
