"""Prints the axes of color of photographs: ``python -m likeness.experiments.visualization.color_axes``."""

import numpy as np

from likeness.research.images.sources import Photograph
from likeness.research.types import Float
from likeness.research.visualization.parametrization import color_axes


def axes_of_photographs() -> Float[np.ndarray, "3 3"]:
    """Of scikit-learn's two photographs, every pixel of both."""
    images = (Photograph(name="china"), Photograph(name="flower"))
    return color_axes(np.concatenate([image.open(640).reshape(-1, 3) for image in images]))


if __name__ == "__main__":
    print(np.round(axes_of_photographs(), 4))
