"""The encoders of the suite ``training`` in PyTorch: the same layers, written as PyTorch's users write them.

Layers have the names that they have in :mod:`likeness.research.encoders`, so that a test copies weights by name and compares
embeddings.
"""

import torch  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]

from likeness.research.encoders.mobilefacenet import STAGES

_MEANS, _DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def convolution(before: int, after: int, side: int, stride: int = 1, *, bias: bool = False, groups: int = 1) -> nn.Conv2d:
    """Padded by half of its side."""
    return nn.Conv2d(before, after, side, stride, side // 2, bias=bias, groups=groups)


def depthwise(channels: int, side: int, stride: int = 1, padding: int = 0) -> nn.Conv2d:
    """Each channel by itself."""
    return nn.Conv2d(channels, channels, side, stride, padding, bias=False, groups=channels)


class Conv4(nn.Module):
    """As :class:`likeness.research.encoders.Conv4`."""

    def __init__(self, channels: int, side: int, width: int, dimension: int = 128) -> None:
        super().__init__()
        for block in range(1, 5):
            self.add_module(f"conv{block}", convolution(channels if block == 1 else width, width, 3))
            self.add_module(f"norm{block}", nn.BatchNorm2d(width))
        self.dense = nn.Linear(width * (side // 16) ** 2, dimension)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(b, c, h, w) in [0, 1] to (b, dimension)."""
        x = 2 * images - 1
        for block in range(1, 5):
            x = self.get_submodule(f"norm{block}")(self.get_submodule(f"conv{block}")(x))
            x = functional.max_pool2d(functional.relu(x, inplace=True), 2)
        return functional.normalize(self.dense(x.flatten(1)))


class ConvNormRelu(nn.Module):
    """Convolution with bias, batch normalization, ReLU: OpenFace's."""

    def __init__(self, before: int, after: int, side: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = convolution(before, after, side, stride, bias=True)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """A map to a map."""
        return functional.relu(self.norm(self.conv(x)), inplace=True)


class Inception(nn.Module):
    """As the module of :mod:`likeness.research.encoders.inception`."""

    def __init__(
        self,
        before: int,
        three: tuple[int, int],
        five: tuple[int, int] = (0, 0),
        pool: str = "max",
        projection: int = 0,
        one: int = 0,
        stride: int = 1,
    ) -> None:
        super().__init__()
        self.pool, self.sides = pool, [side for side, (_, channels) in ((3, three), (5, five)) if channels]
        for side, (reduction, channels) in ((3, three), (5, five)):
            if channels:
                self.add_module(f"reduce{side}", ConvNormRelu(before, reduction, 1))
                self.add_module(f"conv{side}", ConvNormRelu(reduction, channels, side, stride))
        self.projection = ConvNormRelu(before, projection, 1) if projection else None
        self.conv1 = ConvNormRelu(before, one, 1) if one else None
        self.channels = three[1] + five[1] + (projection or before) + one

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """A map to a map."""
        columns = [self.get_submodule(f"conv{side}")(self.get_submodule(f"reduce{side}")(x)) for side in self.sides]
        pooled = functional.max_pool2d(x, 3, 2) if self.pool == "max" else functional.lp_pool2d(x, 2.0, 3)
        pooled = pooled if self.projection is None else self.projection(pooled)
        down, right = (wanted - had for wanted, had in zip(columns[0].shape[2:], pooled.shape[2:], strict=True))
        columns.append(functional.pad(pooled, (right // 2, right - right // 2, down // 2, down - down // 2)))
        if self.conv1 is not None:
            columns.append(self.conv1(x))
        return torch.cat(columns, 1)


class NN4Small2(nn.Module):
    """As :class:`likeness.research.encoders.NN4Small2`."""

    def __init__(self, dimension: int = 128) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = ConvNormRelu(3, 64, 7, 2), ConvNormRelu(64, 64, 1), ConvNormRelu(64, 192, 3)
        self.norm = nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0)
        self.inception_3a = Inception(192, (96, 128), (16, 32), "max", 32, 64)
        self.inception_3b = Inception(256, (96, 128), (32, 64), "l2", 64, 64)
        self.inception_3c = Inception(320, (128, 256), (32, 64), "max", stride=2)
        self.inception_4a = Inception(640, (96, 192), (32, 64), "l2", 128, 256)
        self.inception_4e = Inception(640, (160, 256), (64, 128), "max", stride=2)
        self.inception_5a = Inception(1024, (96, 384), pool="l2", projection=96, one=256)
        self.inception_5b = Inception(736, (96, 384), pool="max", projection=96, one=256)
        self.dense = nn.Linear(736, dimension)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(b, 3, h, w) in [0, 1] to (b, dimension)."""
        x = self.norm(functional.max_pool2d(self.conv1(images), 3, 2, 1))
        x = functional.max_pool2d(self.norm(self.conv3(self.conv2(x))), 3, 2, 1)
        for stage in ("3a", "3b", "3c", "4a", "4e", "5a", "5b"):
            x = self.get_submodule(f"inception_{stage}")(x)
        return functional.normalize(self.dense(x.mean((2, 3))))


class Block(nn.Module):
    """As the block of :mod:`likeness.research.encoders.iresnet`."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(before), convolution(before, width, 3)
        self.norm2, self.prelu = nn.BatchNorm2d(width), nn.PReLU(width)
        self.conv2, self.norm3 = convolution(width, width, 3, stride), nn.BatchNorm2d(width)
        self.changes = stride != 1 or before != width
        if self.changes:
            self.shortcut_conv, self.shortcut_norm = convolution(before, width, 1, stride), nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """A map to a map."""
        y = self.prelu(self.norm2(self.conv1(self.norm1(x))))
        return self.norm3(self.conv2(y)) + (self.shortcut_norm(self.shortcut_conv(x)) if self.changes else x)


class IResNet(nn.Module):
    """As :class:`likeness.research.encoders.IResNet`."""

    def __init__(self, side: int, blocks: tuple[int, ...] = (2, 2, 2, 2), width: int = 64, dimension: int = 128) -> None:
        super().__init__()
        self.conv1, self.norm1, self.prelu = convolution(3, width, 3), nn.BatchNorm2d(width), nn.PReLU(width)
        self.names, before = [], width
        for stage, count in enumerate(blocks):
            for index in range(count):
                self.names.append(f"layer{stage + 1}_{index + 1}")
                self.add_module(self.names[-1], Block(before, width * 2**stage, 2 if index == 0 else 1))
                before = width * 2**stage
            side = -(-side // 2)
        self.norm2, self.dense = nn.BatchNorm2d(before), nn.Linear(before * side**2, dimension)
        self.norm_embedding = nn.BatchNorm1d(dimension)
        self.norm_embedding.weight.requires_grad = False

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(b, 3, h, w) in [0, 1] to (b, dimension)."""
        x = self.prelu(self.norm1(self.conv1(2 * images - 1)))
        for name in self.names:
            x = self.get_submodule(name)(x)
        return functional.normalize(self.norm_embedding(self.dense(self.norm2(x).flatten(1))))


class InvertedResidual(nn.Module):
    """As the block of :mod:`likeness.research.encoders.mobilefacenet`."""

    def __init__(self, before: int, expansion: int, width: int, stride: int) -> None:
        super().__init__()
        inner = expansion * before
        self.expand, self.expand_norm = convolution(before, inner, 1), nn.BatchNorm2d(inner)
        self.depthwise, self.depthwise_norm = depthwise(inner, 3, stride, 1), nn.BatchNorm2d(inner)
        self.project, self.project_norm = convolution(inner, width, 1), nn.BatchNorm2d(width)
        self.stays = stride == 1 and before == width

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """A map to a map."""
        y = functional.relu6(self.expand_norm(self.expand(x)), inplace=True)
        y = functional.relu6(self.depthwise_norm(self.depthwise(y)), inplace=True)
        y = self.project_norm(self.project(y))
        return x + y if self.stays else y


class MobileFaceNet(nn.Module):
    """As :class:`likeness.research.encoders.MobileFaceNet`."""

    def __init__(self, dimension: int = 128) -> None:
        super().__init__()
        self.mean, self.deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (_MEANS, _DEVIATIONS))
        self.conv1, self.conv1_norm = convolution(3, 64, 3, 2), nn.BatchNorm2d(64)
        self.separable_depthwise, self.separable_depthwise_norm = depthwise(64, 3, 1, 1), nn.BatchNorm2d(64)
        self.separable_pointwise, self.separable_pointwise_norm = convolution(64, 64, 1), nn.BatchNorm2d(64)
        self.names, before = [], 64
        for stage, (expansion, width, blocks, stride) in enumerate(STAGES, 1):
            for block in range(1, blocks + 1):
                self.names.append(f"stage{stage}_{block}")
                self.add_module(self.names[-1], InvertedResidual(before, expansion, width, stride if block == 1 else 1))
                before = width
        self.conv2, self.conv2_norm = convolution(before, 512, 1), nn.BatchNorm2d(512)
        self.add_module("global", depthwise(512, 7))
        self.global_norm, self.conv3 = nn.BatchNorm2d(512), convolution(512, dimension, 1, bias=True)
        self.embedding_norm = nn.BatchNorm1d(dimension)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(b, 3, h, w) in [0, 1] to (b, dimension)."""
        x = (images - self.mean) / self.deviation
        x = functional.relu6(self.conv1_norm(self.conv1(x)), inplace=True)
        x = functional.relu(self.separable_depthwise_norm(self.separable_depthwise(x)), inplace=True)
        x = functional.relu(self.separable_pointwise_norm(self.separable_pointwise(x)), inplace=True)
        for name in self.names:
            x = self.get_submodule(name)(x)
        x = functional.relu6(self.conv2_norm(self.conv2(x)), inplace=True)
        x = self.conv3(self.global_norm(self.get_submodule("global")(x)))
        return functional.normalize(self.embedding_norm(x.flatten(1)))
