"""The published weights that Likeness knows, each with its encoder and the names in its files."""

import dataclasses
from pathlib import Path

from flax import linen as nn

from likeness.research.encoders.alexnet import AlexNet
from likeness.research.encoders.dlib_resnet import DlibResNet
from likeness.research.encoders.fastestdet import FastestDet
from likeness.research.encoders.inception_v3 import InceptionV3
from likeness.research.encoders.mobilefacenet import MobileFaceNet
from likeness.research.encoders.mtcnn import MTCNN
from likeness.research.encoders.shufflenet import ShuffleNetV2
from likeness.research.encoders.squeezenet import SqueezeNet
from likeness.research.encoders.vgg import Vgg, texture_vgg
from likeness.research.encoders.yunet import YuNet
from likeness.research.style_networks import Conditional, Johnson
from likeness.research.weights import layouts
from likeness.research.weights.layout import Layout
from likeness.research.weights.published import Published
from likeness.research.weights.releases import released


def _known(name: str, encoder: nn.Module | None, *known: Layout, image: tuple[int, int, int] = (64, 64, 3)) -> Published:
    found = released(name)
    told = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    return Published(**told, encoder=encoder, layouts=known, image=image)


KNOWN = (
    _known("textures", texture_vgg()),
    _known("vgg19", Vgg(preprocessing="torchvision"), layouts.vgg_torchvision(layouts.VGG19)),
    _known("vgg16", Vgg(convolutions=layouts.VGG16, preprocessing="torchvision"), layouts.vgg_torchvision(layouts.VGG16)),
    _known("vgg19_caffe", Vgg(), layouts.vgg_torchvision(layouts.VGG19), layouts.vgg_by_name(layouts.VGG19)),
    _known("vgg19_adain", Vgg(padding="reflect", preprocessing="convolution"), layouts.vgg_normalised()),
    _known("vgg19_normalised", Vgg(last="relu3_1", padding="reflect", preprocessing="convolution"), layouts.vgg_normalised()),
    _known(
        "vgg19_pruned16x",
        Vgg(widths=(16, 32, 64, 128, 128), last="relu5_1", padding="reflect", preprocessing="convolution"),
        layouts.vgg_pruned(),
    ),
    _known("squeezenet11", SqueezeNet(), layouts.squeezenet_keras()),
    _known("squeezenet11_torchvision", SqueezeNet(preprocessing="torchvision", classes=1000), layouts.squeezenet_torchvision()),
    _known("alexnet", AlexNet(), layouts.alexnet_torchvision()),
    _known("lpips_alex", None),
    _known("lpips_vgg", None),
    _known("inception_art", InceptionV3(), layouts.inception_v3(), image=(96, 96, 3)),
    _known(
        "inception_fid",
        InceptionV3(pooling="fid", preprocessing="signed", size=(299, 299)),
        layouts.inception_v3(),
        image=(299, 299, 3),
    ),
    _known("mobilefacenet", MobileFaceNet(), layouts.mobilefacenet(), image=(112, 112, 3)),
    _known("dlib_face", DlibResNet(), layouts.dlib_resnet(), image=(150, 150, 3)),
    _known("shufflenetv2", ShuffleNetV2(), layouts.shufflenet()),
    _known("fastestdet", FastestDet(), layouts.fastestdet()),
    _known("yunet", YuNet(), layouts.yunet()),
    _known("yunet_s", YuNet(widths=(16, 32, 64, 64, 64, 64), shared=0), layouts.yunet(shared=0)),
    _known("mtcnn", MTCNN(), layouts.mtcnn()),
    _known("pastiche26", Conditional(widths=(32, 32, 32), back=(8, 4), blocks=6, styles=26), layouts.pastiche()),
    _known(
        "johnson_wave",
        Johnson(padding="zeros", upsampling="transposed", output="tanh150", brightness=255.0, epsilon=1e-3),
        layouts.johnson_deeplearnjs(),
    ),
)
"""Those of :data:`likeness.research.weights.releases.RELEASES`, in their order."""


def named(name: str) -> Published:
    """The known weights of a name.

    Raises:
        UserError: there are none; the message has the nearest names.
    """
    for published in KNOWN:
        if published.name == name:
            return published
    # Says the nearest names.
    released(name)
    raise AssertionError(f"{name} has no encoder in the table of likeness.research.weights.known.")


def recognize(path: Path) -> Published | None:
    """The known weights that a file is, told by its size and checksum; None if it is none of them."""
    if path.is_file():
        for published in KNOWN:
            for edition in published.editions:
                if len(edition) == 1 and edition[0].intact(path):
                    return published
    return None
