"""Networks that turn images into named activations, one family a file.

``encoder.apply(variables, images, train=False)`` returns every layer's output by name; ``"embedding"`` is
always there.
What nobody reads is never computed under ``jax.jit``.
"""

from typing import TypeAlias

from research.encoders.conv4 import Conv4
from research.encoders.gradients import OrientedGradients
from research.encoders.inception import NN4Small2
from research.encoders.iresnet import IResNet, iresnet18, iresnet34, iresnet50, iresnet100
from research.encoders.koch import Koch
from research.encoders.layers import dimension_of, l2_normalize
from research.encoders.mirrored import Mirrored
from research.encoders.pooling import avg_pool, l2_pool, max_pool, max_pool_2x2

Encoder: TypeAlias = Conv4 | Koch | NN4Small2 | IResNet | OrientedGradients | Mirrored

__all__ = [
    "Conv4",
    "Encoder",
    "IResNet",
    "Koch",
    "Mirrored",
    "NN4Small2",
    "OrientedGradients",
    "avg_pool",
    "dimension_of",
    "iresnet18",
    "iresnet34",
    "iresnet50",
    "iresnet100",
    "l2_normalize",
    "l2_pool",
    "max_pool",
    "max_pool_2x2",
]
