"""Published style transfer in NumPy's float64: VGG forward and backward by hand, and each preset's formula as it was published.

Nothing here uses the project's losses or encoders; every number is the publication's own.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

Maps = Mapping[str, np.ndarray]
Part = tuple[float, dict[str, np.ndarray]]
"""A cost of activations (h, w, c), and its derivatives by those that it reads."""
Formula = Callable[[Maps, Maps, Maps], dict[str, Part]]
"""``formula(image, content, style)`` of activations by name: the parts of the cost."""

STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
BGR_MEANS = (103.939, 116.779, 123.68)
TORCHVISION = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclasses.dataclass(frozen=True)
class Network:
    """VGG, one image at a time."""

    convolutions: Sequence[int]
    weights: Mapping[str, tuple[np.ndarray, np.ndarray]]
    """By layer: kernel (3, 3, in, out) and bias (out,)."""
    pooling: str
    """max or average, without rescaling."""
    preprocessing: str
    """caffe or torchvision."""
    borders: Mapping[str, str]
    """How a convolution's map is padded, as ``np.pad`` calls it: edge or reflect; constant where nothing is said."""

    def forward(self, image: np.ndarray, last: str) -> tuple[dict[str, np.ndarray], list[tuple[str, Callable]]]:
        """Activations of an image (h, w, 3), RGB in [0, 1], and for each the map from its derivative to that of its input."""
        found, tape = {"input": image}, []
        x, backward = _prepared(image, self.preprocessing)
        tape.append(("input", backward))
        before = "prepared"

        def step(name: str, result: tuple[np.ndarray, Callable]) -> None:
            nonlocal x, before
            x, found[name] = result[0], result[0]
            tape.append((name, result[1]))
            before = name

        for block, count in enumerate(self.convolutions, 1):
            for index in range(1, count + 1):
                name = f"{block}_{index}"
                kernel, bias = self.weights[f"conv{name}"]
                step(f"conv{name}", _convolved(x, kernel, bias, self.borders.get(f"conv{name}", "constant")))
                step(f"relu{name}", (np.maximum(x, 0.0), functools.partial(np.multiply, x > 0)))
                if f"relu{name}" == last:
                    return found, tape
            step(f"pool{block}", _pooled(x, self.pooling))
        raise AssertionError(f"no layer {last}")

    def costs(
        self, formula: Formula, image: np.ndarray, content: np.ndarray, style: np.ndarray, last: str
    ) -> dict[str, tuple[float, np.ndarray]]:
        """The parts of the cost, and the derivative of each by the image's pixels."""
        maps, tape = self.forward(image.astype(np.float64), last)
        references = [self.forward(other.astype(np.float64), last)[0] for other in (content, style)]
        found = {}
        for part, (value, slopes) in formula(maps, *references).items():
            flowing = np.zeros_like(maps[last])
            for name, backward in reversed(tape):
                flowing = backward(flowing if name == "input" else flowing + slopes.get(name, 0.0))
            found[part] = float(value), flowing + slopes.get("input", 0.0)
        return found


def _prepared(image: np.ndarray, kind: str) -> tuple[np.ndarray, Callable]:
    if kind == "caffe":
        return 255.0 * image[:, :, ::-1] - BGR_MEANS, lambda slope: 255.0 * slope[:, :, ::-1]
    means, deviations = map(np.asarray, TORCHVISION)
    return (image - means) / deviations, lambda slope: slope / deviations


def _convolved(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray, mode: str) -> tuple[np.ndarray, Callable]:
    """A 3×3 convolution over a map with one more pixel on each side."""
    height, width, _ = x.shape
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)), mode=mode)
    offsets = list(itertools.product(range(3), repeat=2))
    result = bias + sum(padded[i : i + height, j : j + width] @ kernel[i, j] for i, j in offsets)

    def backward(slope: np.ndarray) -> np.ndarray:
        whole = np.zeros_like(padded)
        for i, j in offsets:
            whole[i : i + height, j : j + width] += slope @ kernel[i, j].T
        inner = whole[1:-1]
        if mode != "constant":
            # What lies in the border belongs to the pixel that was copied there.
            first, last = (0, -1) if mode == "edge" else (1, -2)
            inner[first] += whole[0]
            inner[last] += whole[-1]
            inner[:, 1 + first] += inner[:, 0]
            inner[:, last - 1] += inner[:, -1]
        return inner[:, 1:-1]

    return result, backward


def _pooled(x: np.ndarray, pooling: str) -> tuple[np.ndarray, Callable]:
    """2×2, a last odd row or column dropped. Where nothing is at a tie but zeros, a maximum's derivative is one pixel's."""
    height, width, channels = x.shape
    even = x[: height // 2 * 2, : width // 2 * 2]
    cells = even.reshape(height // 2, 2, width // 2, 2, channels)
    result = cells.max((1, 3)) if pooling == "max" else cells.mean((1, 3))

    def backward(slope: np.ndarray) -> np.ndarray:
        spread = slope[:, None, :, None]
        share = cells == result[:, None, :, None] if pooling == "max" else np.full(cells.shape, 0.25)
        whole = np.zeros_like(x)
        whole[: even.shape[0], : even.shape[1]] = (spread * share).reshape(even.shape)
        return whole

    return result, backward


def gram(x: np.ndarray) -> np.ndarray:
    """``G_kk' = Σ_ij a_ijk a_ijk'``."""
    return np.einsum("ijk,ijl->kl", x, x)


def together(*parts: Part) -> Part:
    """Of costs and of derivatives."""
    slopes: dict[str, np.ndarray] = {}
    for _, each in parts:
        for name, slope in each.items():
            slopes[name] = slopes.get(name, 0.0) + slope
    return sum(value for value, _ in parts), slopes


def squares(x: Maps, y: Maps, layer: str, factor: float) -> Part:
    """``factor Σ (F - P)²``."""
    difference = x[layer] - y[layer]
    return factor * np.sum(difference**2), {layer: 2.0 * factor * difference}


def mean_squares(x: Maps, y: Maps, layer: str, factor: float) -> Part:
    """Torch's MSELoss."""
    return squares(x, y, layer, factor / x[layer].size)


def gram_squares(x: Maps, y: Maps, layer: str, factor: float, divide: Callable[[np.ndarray], float]) -> Part:
    """``factor Σ (G/d - A/d')²``, each Gram matrix divided by a number of its own map."""
    own = divide(x[layer])
    difference = gram(x[layer]) / own - gram(y[layer]) / divide(y[layer])
    return factor * np.sum(difference**2), {layer: 4.0 * factor / own * x[layer] @ difference}


def course(x: Maps, content: Maps, style: Maps) -> dict[str, Part]:
    """``α ½ ‖a(C) - a(G)‖² + β Σ λ_l ‖G(S) - G(G)‖² / (2 nH nW nC)²``."""
    alpha, beta = 1.0, 1e6
    looks = []
    for layer in STYLE[:4]:
        height, width, channels = x[layer].shape
        factor = beta * 0.25 / (2.0 * height * width * channels) ** 2
        looks.append(gram_squares(x, style, layer, factor, lambda _: 1.0))
    return {"content": squares(x, content, "relu2_2", 0.5 * alpha), "style": together(*looks)}


def gatys_paper(x: Maps, content: Maps, style: Maps) -> dict[str, Part]:
    """``α ½ Σ (F - P)² + β Σ w_l / (4 N² M²) Σ (G - A)²``, α/β = 1e-3, w_l = 1/5, N filters, M places."""
    looks = []
    for layer in STYLE:
        filters, places = x[layer].shape[2], x[layer].shape[0] * x[layer].shape[1]
        looks.append(gram_squares(x, style, layer, 1e3 / 5 / (4.0 * filters**2 * places**2), lambda _: 1.0))
    return {"content": squares(x, content, "relu4_2", 0.5), "style": together(*looks)}


def gatys_code(x: Maps, content: Maps, style: Maps) -> dict[str, Part]:
    """MSELoss of features with weight 1, and of F Fᵀ/(h w) with 1e3/n² for n = 64, 128, 256, 512, 512."""
    looks = []
    for layer, n in zip(STYLE, (64, 128, 256, 512, 512), strict=True):
        factor = 1e3 / n**2 / x[layer].shape[2] ** 2
        looks.append(gram_squares(x, style, layer, factor, lambda a: a.shape[0] * a.shape[1]))
    return {"content": mean_squares(x, content, "relu4_2", 1.0), "style": together(*looks)}


def johnson_neural_style(x: Maps, content: Maps, style: Maps) -> dict[str, Part]:
    """5 MSE of features + 100 MSE of F Fᵀ/(C h w) in each layer + the function whose gradient TVLoss adds, with 1e-3.

    TVLoss sees what the network sees: there, of images multiplied by 256.
    """
    looks = [gram_squares(x, style, layer, 1e2 / x[layer].shape[2] ** 2, np.size) for layer in STYLE]
    seen, strength = 256.0 * x["input"], 1e-3
    right, down = seen[:-1, :-1] - seen[:-1, 1:], seen[:-1, :-1] - seen[1:, :-1]
    slope = np.zeros_like(seen)
    slope[:-1, :-1] += right + down
    slope[:-1, 1:] -= right
    slope[1:, :-1] -= down
    rough = 0.5 * strength * float(np.sum(right**2) + np.sum(down**2)), {"input": 256.0 * strength * slope}
    return {"content": mean_squares(x, content, "relu4_2", 5e0), "style": together(*looks), "image": rough}


def crowson(x: Maps, content: Maps, style: Maps, iterations: int = 12) -> dict[str, Part]:
    """0.015 MSE of features + Σ w_l W₂²/C with w_l ∝ 256, 64, 16, 4, 1 + 2 TV."""
    total = 256 + 64 + 16 + 4 + 1
    looks = [
        _wasserstein(x, style, layer, weight / total, iterations)
        for layer, weight in zip(STYLE, (256, 64, 16, 4, 1), strict=True)
    ]
    rough = _nine_points(x["input"], 2.0)
    return {"content": mean_squares(x, content, "relu4_2", 0.015), "style": together(*looks), "image": rough}


def _wasserstein(x: Maps, y: Maps, layer: str, factor: float, iterations: int) -> Part:
    """Mean over the channels of ``(μ - μ')²`` and of the diagonal of ``Σ + Σ' - 2 (Σ'^½ Σ Σ'^½)^½``, 1e-4 added to both Σ."""
    channels = x[layer].shape[2]
    (mean, spread), (wanted, other) = (_moments(maps[layer]) for maps in (x, y))
    root = newton_schulz(other, iterations)
    product = newton_schulz(root @ spread @ root, iterations)
    distance = np.sum((mean - wanted) ** 2) + np.trace(spread + other - 2.0 * product)
    weights = -2.0 * newton_schulz_slope(product, np.eye(channels), iterations)
    by_spread = np.eye(channels) + root @ weights @ root
    by_mean = 2.0 * (mean - wanted)
    places = x[layer].shape[0] * x[layer].shape[1]
    # Σ = (1/n) Σ_p x xᵀ - μ μᵀ, and what multiplies it is symmetric.
    slope = (by_mean + 2.0 * (x[layer] - mean) @ by_spread) / places
    return factor / channels * float(distance), {layer: factor / channels * slope}


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = x.mean((0, 1))
    return mean, gram(x) / (x.shape[0] * x.shape[1]) - np.outer(mean, mean) + 1e-4 * np.eye(x.shape[2])


def newton_schulz(a: np.ndarray, iterations: int) -> np.ndarray:
    """A's square root by so many coupled Newton–Schulz iterations (Higham 2008, equation 6.35)."""
    norm, identity = np.sqrt(np.sum(a**2)), np.eye(len(a))
    y, z = a / norm, identity
    for _ in range(iterations):
        between = (3.0 * identity - z @ y) / 2.0
        y, z = y @ between, between @ z
    return y * np.sqrt(norm)


def newton_schulz_slope(root: np.ndarray, weights: np.ndarray, iterations: int) -> np.ndarray:
    """X of ``S X + X S = W`` by as many iterations, for symmetric S and W (Lin and Maji 2017)."""
    norm, identity = np.sqrt(np.sum(root**2)), np.eye(len(root))
    s, q = root / norm, weights / norm
    for _ in range(iterations):
        rest = 3.0 * identity - s @ s
        q = (q @ rest - s @ (s @ q - q @ s)) / 2.0
        s = s @ rest / 2.0
    return q / 2.0


def _nine_points(x: np.ndarray, factor: float) -> Part:
    """``2 (d₁/3 + d₂/3 + d₃/12 + d₄/12)``, means of squared differences to four neighbors, the border repeated once."""
    height, width, channels = x.shape
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)), mode="edge")
    # Each neighbor: its offset, the number of differences along each axis, the first of them, its share.
    stencil = (
        ((0, 1), (height, width), 1, 1 / 3),
        ((1, 0), (height, width), 1, 1 / 3),
        ((1, 1), (height + 1, width + 1), 0, 1 / 12),
        ((1, -1), (height + 1, width + 1), 0, 1 / 12),
    )
    value, slope = 0.0, np.zeros_like(padded)
    for (down, right), (rows, columns), first, share in stencil:
        left = first if right >= 0 else first + 1
        here = np.s_[first : first + rows, left : left + columns]
        there = np.s_[first + down : first + down + rows, left + right : left + right + columns]
        difference = padded[there] - padded[here]
        value += 2.0 * share * np.mean(difference**2)
        slope[there] += 4.0 * share / (rows * columns * channels) * difference
        slope[here] -= 4.0 * share / (rows * columns * channels) * difference
    inner = slope[1:-1]
    inner[0] += slope[0]
    inner[-1] += slope[-1]
    inner[:, 1] += inner[:, 0]
    inner[:, -2] += inner[:, -1]
    return factor * value, {"input": factor * inner[:, 1:-1]}
