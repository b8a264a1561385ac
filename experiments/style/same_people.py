"""What is said of the faces of a painting: how far each is from the original, and whether that is still the same person."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from likeness.experiments.frozen import FromRun
from likeness.experiments.recognition.published import PUBLISHED
from likeness.experiments.storage.workdir import Workdir
from likeness.experiments.style.portrait import Portrait, PortraitConstants
from likeness.research.gallery import Threshold
from likeness.research.types import Float

__all__ = ["SamePeople", "calibrated"]


def calibrated(portrait: Portrait) -> Threshold | None:
    """The threshold τ of a portrait's encoder; None where none was calibrated for such crops and distances.

    Of published weights it is that which ``likeness verify`` answers by, of a run's encoder the run's.
    """
    weights = portrait.encoder.weights
    if isinstance(weights, FromRun):
        file = Workdir(weights.workdir).artifact("threshold")
    else:
        asked = (weights, portrait.template, portrait.loss.distance, portrait.mirror)
        known = (one for one in PUBLISHED if (one.pretrained, one.crop.finder.template, one.distance, True) == asked)
        one = next(known, None)
        if one is None:
            return None
        file = one.threshold
    if not file.is_file():
        return None
    found = Threshold.load(file)
    return found if found.distance == repr(portrait.loss.distance) else None


@dataclasses.dataclass(frozen=True, eq=False)
class SamePeople:
    """How far the faces of a painting are from the originals, beside the threshold of the encoder that compares them."""

    distances: Float[np.ndarray, "n"]
    """Of each face."""
    threshold: Threshold | None
    """None where none is known."""

    @classmethod
    def of(cls, portrait: Portrait, constants: PortraitConstants, image: Float[np.ndarray, "h w 3"]) -> "SamePeople":
        """Compares the faces of a painting, RGB in [0, 1], with the originals."""
        return cls(portrait.distances(constants, jnp.asarray(image, jnp.float32)[None]), calibrated(portrait))

    @property
    def metrics(self) -> dict[str, float]:
        """``identity/distance`` of the face that is farthest, and where there are several ``identity/distance@1`` and so on of
        each; ``identity/kept``, the share of those that are the same person, where τ is known."""
        found = {"identity/distance": float(self.distances.max())}
        if len(self.distances) > 1:
            found |= {f"identity/distance@{number}": float(one) for number, one in enumerate(self.distances, 1)}
        if self.threshold is not None:
            found["identity/kept"] = float(np.mean(self._same))
        return found

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence about each face, and what can be done where one is another person."""
        count = len(self.distances)
        said = [self._told("the face" if count == 1 else f"face {i + 1} of {count}", i) for i in range(count)]
        if self.threshold is None:
            return (*said, "Nobody has calibrated a threshold for this encoder: the distances alone say nothing of who it is.")
        said.append(f"Of pairs of photographs of two people this τ takes {self.threshold.far.text()} for one person.")
        if not self._same.all():
            said.append("A larger --size, a smaller --strength, more --steps or finer strokes keep more of a person.")
        return tuple(said)

    @property
    def _same(self) -> np.ndarray:
        assert self.threshold is not None
        return np.array([self.threshold.decide(float(one)) for one in self.distances])

    def _told(self, face: str, index: int) -> str:
        apart = f"{face} is at a distance of {self.distances[index]:.3f}"
        if self.threshold is None:
            return f"{apart} from the photograph's"
        same = self._same[index]
        answer = "it is still the same person" if same else "it is not the same person any more"
        return f"{apart} {'≤' if same else '>'} τ {self.threshold.tau:.3f} from the photograph's: {answer}"
