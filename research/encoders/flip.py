"""An encoder to which left and right are the same."""

from flax import linen as nn

from likeness.research.encoders.layers import Images, l2_normalize
from likeness.research.geometry.receptive_field import NetworkGeometry, WindowGeometry
from likeness.research.types import Activations


class FlipEmbedding(nn.Module, kw_only=True):
    """Adds the embeddings of an image and of its mirror image: ``g(x) = f(x) + f(mirror x)``.

    A face that looks to the left is compared with one that looks to the right. Training with random mirroring
    teaches ``f`` to ignore the difference for the people it sees; the sum ignores it for everybody, since
    ``g(x) = g(mirror x)`` exactly. It is taken when evaluating and in use. In training the encoder is applied once,
    at half the cost, so train it with ``Augmentation(mirror=0.5)``: then it sees both.

    Activations: those of the image itself, and the sum as ``embedding``. No parameters of its own.
    """

    encoder: nn.Module
    """f, any encoder."""
    normalize: bool = True
    """Scale the sum to unit length; otherwise it is halved, the mean of the two."""

    @property
    def geometry(self) -> tuple[WindowGeometry, ...]:
        """The encoder's, for the maps are of the image itself; none where it does not say how its layers lie."""
        return tuple(self.encoder.geometry) if isinstance(self.encoder, NetworkGeometry) else ()

    def __call__(self, images: Images, train: bool = False) -> Activations:
        """Encodes a batch.

        Args:
            images: (b, h, w, c) in [0, 1].
            train: as the encoder alone does.

        Returns:
            Activations by name; ``embedding`` is float32, (b, dimension).

        Raises:
            ValueError: what the encoder raises.
        """
        activations = self.encoder(images, train=train)
        if train:
            return activations
        total = activations["embedding"] + self.encoder(images[:, :, ::-1], train=False)["embedding"]
        return {**activations, "embedding": l2_normalize(total) if self.normalize else total / 2}
