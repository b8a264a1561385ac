"""Style transfer in PyTorch, written as its tutorials write it."""

import os
from collections.abc import Sequence

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]

from likeness.research.types import PyTree

_MEANS, _DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Painter:
    """One image on its way to another's look."""

    def __init__(
        self,
        content: np.ndarray,
        style: np.ndarray,
        weights: PyTree,
        layers: Sequence[str],
        looks: Sequence[str],
        strength: float,
        rate: float,
        way: str,
    ) -> None:
        """Takes the targets from both images.

        Args:
            content: (1, h, w, 3) in [0, 1].
            style: the same.
            weights: kernels (3, 3, in, out) and biases of VGG's convolutions, by name.
            layers: the names of VGG's layers, in their order.
            looks: those whose Gram matrices are compared.
            strength: of the style beside the content, which is compared at relu4_2.
            rate: of Adam.
            way: ``eager`` or ``channels_last``, or ``compile``.
        """
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        self._format = torch.channels_last if way == "channels_last" else torch.contiguous_format
        self._layers, self._looks, self._strength, self._rate = layers, looks, strength, rate
        self._weights = {
            name: (
                torch.from_numpy(np.ascontiguousarray(leaf["kernel"].transpose(3, 2, 0, 1))).to(memory_format=self._format),
                torch.from_numpy(np.array(leaf["bias"])),
            )
            for name, leaf in weights.items()
        }
        self._mean, self._deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (_MEANS, _DEVIATIONS))
        self._content = self._tensor(content)
        with torch.no_grad():
            self._kept = self._features(self._content)["relu4_2"]
            seen = self._features(self._tensor(style))
            self._grams = {name: _gram(seen[name]) for name in looks}
        self._cost = torch.compile(self._plain) if way == "compile" else self._plain
        self._restart()

    def cost(self) -> tuple[np.ndarray, ...]:
        """Cost and gradient at the content image, NHWC."""
        self._restart()
        value = self._cost(self._pixels)
        value.backward()
        assert self._pixels.grad is not None
        found = self._pixels.grad.numpy().transpose(0, 2, 3, 1).copy()
        self._restart()
        return value.detach().numpy(), found

    def step(self) -> None:
        """One step of Adam."""
        self._optimizer.zero_grad()
        value = self._cost(self._pixels)
        value.backward()
        self._optimizer.step()
        with torch.no_grad():
            self._pixels.clamp_(0, 1)

    def _restart(self) -> None:
        self._pixels = self._content.clone().requires_grad_()
        self._optimizer = torch.optim.Adam([self._pixels], lr=self._rate)

    def _tensor(self, image: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(image.transpose(0, 3, 1, 2))).to(memory_format=self._format)

    def _plain(self, pixels: torch.Tensor) -> torch.Tensor:
        seen = self._features(pixels)
        value = (seen["relu4_2"] - self._kept).square().sum() / self._kept.square().sum()
        for name in self._looks:
            distance = (_gram(seen[name]) - self._grams[name]).square().sum() / self._grams[name].square().sum()
            value = value + self._strength * distance / len(self._looks)
        return value

    def _features(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        x, seen = (pixels - self._mean) / self._deviation, {}
        for name in self._layers:
            if name.startswith("conv"):
                x = functional.conv2d(x, *self._weights[name], padding=1)
            elif name.startswith("relu"):
                x = functional.relu(x)
            else:
                x = functional.avg_pool2d(x, 2)
            seen[name] = x
        return seen


def _gram(features: torch.Tensor) -> torch.Tensor:
    flat = features.flatten(2)[0]
    return flat @ flat.T / flat.shape[1]
