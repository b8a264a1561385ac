"""Networks that paint an image in one pass.

``network.apply(variables, images)`` takes and gives RGB in [0, 1], of any size. :class:`Johnson` knows one style,
:class:`Conditional` several and their mixtures; both are called as a :class:`StyleNetwork` is. :func:`adain` with a
:class:`Decoder` takes any style from an image of it.
"""

from likeness.research.style_networks.adain import Decoder, adain, mirror, style_statistics
from likeness.research.style_networks.conditional import Conditional, ConditionalInstanceNorm
from likeness.research.style_networks.johnson import Johnson
from likeness.research.style_networks.normalization import InstanceNorm
from likeness.research.style_networks.protocol import StyleNetwork
from likeness.research.style_networks.transformer import Transformer

__all__ = [
    "Conditional",
    "ConditionalInstanceNorm",
    "Decoder",
    "InstanceNorm",
    "Johnson",
    "StyleNetwork",
    "Transformer",
    "adain",
    "mirror",
    "style_statistics",
]
