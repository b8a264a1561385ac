"""Networks that turn images, or signals or volumes, into named activations, one family a file.

``encoder.apply(variables, images, train=False)`` returns every layer's output by name. An encoder of faces or
characters always has ``"embedding"``; one of images (``Vgg``, ``SqueezeNet``) has the images as ``"input"``, and
says by ``geometry`` how its layers lie.
What nobody reads is never computed under ``jax.jit``.
"""

from likeness.research.encoders.alexnet import AlexNet
from likeness.research.encoders.conv4 import Conv4
from likeness.research.encoders.detection_heads import PlaceHead, VoteHead, WholeHead
from likeness.research.encoders.dlib_resnet import DlibResNet
from likeness.research.encoders.edge_net import EdgeNet
from likeness.research.encoders.energy import normalize_energy
from likeness.research.encoders.fastestdet import FastestDet
from likeness.research.encoders.feature_pyramid import FeaturePyramid
from likeness.research.encoders.flip import FlipEmbedding
from likeness.research.encoders.hog import HOG
from likeness.research.encoders.inception import NN4Small2
from likeness.research.encoders.inception_v3 import InceptionV3
from likeness.research.encoders.iresnet import IResNet, iresnet18, iresnet34, iresnet50, iresnet100
from likeness.research.encoders.koch import Koch
from likeness.research.encoders.layers import dimension_of, l2_normalize
from likeness.research.encoders.mobilefacenet import MobileFaceNet
from likeness.research.encoders.mtcnn import MTCNN
from likeness.research.encoders.patch_pyramid import PatchPyramid
from likeness.research.encoders.plain import PlainConvNet
from likeness.research.encoders.region_head import RegionNetwork
from likeness.research.encoders.residual_conv import ResidualConv
from likeness.research.encoders.shufflenet import ShuffleNetV2
from likeness.research.encoders.squeezenet import SqueezeNet
from likeness.research.encoders.test_time import TestTimeAugmentation
from likeness.research.encoders.texture_embedding import TextureEmbedding
from likeness.research.encoders.vgg import Vgg, texture_vgg
from likeness.research.encoders.window_network import WindowNetwork
from likeness.research.encoders.yunet import YuNet
from likeness.research.ops.pooling import avg_pool, l2_pool, max_pool, max_pool_2x2

__all__ = [
    "HOG",
    "MTCNN",
    "AlexNet",
    "Conv4",
    "DlibResNet",
    "EdgeNet",
    "FastestDet",
    "FeaturePyramid",
    "FlipEmbedding",
    "IResNet",
    "InceptionV3",
    "Koch",
    "MobileFaceNet",
    "NN4Small2",
    "PatchPyramid",
    "PlaceHead",
    "PlainConvNet",
    "RegionNetwork",
    "ResidualConv",
    "ShuffleNetV2",
    "SqueezeNet",
    "TestTimeAugmentation",
    "TextureEmbedding",
    "Vgg",
    "VoteHead",
    "WholeHead",
    "WindowNetwork",
    "YuNet",
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
    "texture_vgg",
]
