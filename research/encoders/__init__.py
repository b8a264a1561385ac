"""Networks that turn images, or signals or volumes, into named activations, one family a file.

``encoder.apply(variables, images, train=False)`` returns every layer's output by name. An encoder of faces or
characters always has ``"embedding"``; one of pictures (``Vgg``, ``SqueezeNet``) has the pictures as ``"input"``, and
says by ``geometry`` how its layers lie.
What nobody reads is never computed under ``jax.jit``.
"""

from typing import TypeAlias

from research.encoders.averaged import Averaged
from research.encoders.conv4 import Conv4
from research.encoders.energy import normalize_energy
from research.encoders.gradients import OrientedGradients
from research.encoders.inception import NN4Small2
from research.encoders.iresnet import IResNet, iresnet18, iresnet34, iresnet50, iresnet100
from research.encoders.koch import Koch
from research.encoders.layers import dimension_of, l2_normalize
from research.encoders.mirrored import Mirrored
from research.encoders.mobilefacenet import MobileFaceNet
from research.encoders.plain import Plain
from research.encoders.pooling import avg_pool, l2_pool, max_pool, max_pool_2x2
from research.encoders.squeezenet import SqueezeNet
from research.encoders.vgg import Vgg

Encoder: TypeAlias = Conv4 | Plain | Koch | NN4Small2 | IResNet | MobileFaceNet | OrientedGradients | Mirrored | Averaged
PictureEncoder: TypeAlias = Vgg | SqueezeNet

__all__ = [
    "Averaged",
    "Conv4",
    "Encoder",
    "IResNet",
    "Koch",
    "Mirrored",
    "MobileFaceNet",
    "NN4Small2",
    "OrientedGradients",
    "PictureEncoder",
    "Plain",
    "SqueezeNet",
    "Vgg",
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
    "normalize_energy",
]
