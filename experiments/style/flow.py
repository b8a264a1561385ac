"""What estimates the optical flow between the frames of a film."""

import dataclasses
from typing import Any, Protocol, runtime_checkable

import jax.numpy as jnp
import numpy as np

from likeness.research.errors import require
from likeness.research.images import luminance
from likeness.research.types import Float

Frame = Float[np.ndarray, "h w 3"]


@runtime_checkable
class OpticalFlow(Protocol):
    """Says where each pixel of an image is in another."""

    def check(self) -> None:
        """Finds out, before anything is painted, whether it can.

        Raises:
            UserError: it cannot; the message says what to install.
        """
        ...

    def __call__(self, image: Frame, other: Frame) -> Float[np.ndarray, "h w 2"]:
        """(x to the right, y down) in pixels: what ``image`` shows at p is at p + flow(p) in ``other``. RGB in [0, 1]."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class TVL1:
    """The flow of least total variation whose differences in light are least (Zach, Pock and Bischof 2007; Sánchez et al. 2013,
    "TV-L1 optical flow estimation"), by scikit-image."""

    attachment: float = 15.0
    """How much differences in light count beside smoothness: λ."""
    warps: int = 5
    """How often the image is moved at each size."""

    def __post_init__(self) -> None:
        if not 0 < self.attachment < float("inf"):
            raise ValueError(f"TVL1.attachment is {self.attachment}: give a finite number above 0")
        if self.warps < 1:
            raise ValueError(f"TVL1.warps is {self.warps}: give 1 or more")

    def check(self) -> None:
        """Raises UserError where scikit-image is not installed."""
        require("skimage", "film", "The optical flow of a film")

    def __call__(self, image: Frame, other: Frame) -> Float[np.ndarray, "h w 2"]:
        """The flow.

        Raises:
            UserError: scikit-image is not installed.
        """
        self.check()
        from skimage.registration import optical_flow_tvl1

        gray = (np.asarray(luminance(jnp.asarray(each)), np.float32) for each in (image, other))
        # Its stubs say that the attachment is a whole number.
        attachment: Any = self.attachment
        down, right = optical_flow_tvl1(*gray, attachment=attachment, num_warp=self.warps)
        return np.stack([right, down], axis=-1).astype(np.float32)
