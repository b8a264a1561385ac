"""Procedural faces as a data source: every row is drawn from (seed, person, draw) alone, in any order."""

import dataclasses
import hashlib
import json
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float32, Int

from likeness.research.data.drawn import DrawnNames, DrawnReader
from likeness.research.data.images import Images
from likeness.research.data.preprocessing import Preprocessing
from likeness.research.synthetic.faces.geometry import FaceIdentity, Nuisance, landmarks
from likeness.research.synthetic.faces.renderer import VERSION, render

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_IDENTITY, _NUISANCE = 1, 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Faces:
    """Synthetic portraits: ``people`` identities with ``images`` images each, drawn when read.

    A person's identity vector is uniform in the unit cube and depends on (seed, person) only, an image's nuisance on
    (seed, person, draw) only; so adding people or images changes none of those there were.

    Example:
        >>> images = Faces(people=3, images=2, size=32).open()
        >>> len(images), images.people[2], images.read(np.array([5])).shape
        (6, 'person-0002', (1, 32, 32, 3))
    """

    synthetic: ClassVar[bool] = True
    """No number measured on them says anything of real people."""

    people: int = 200
    """How many people."""
    images: int = 20
    """Images of each person."""
    size: int = 48
    """Pixels on a side."""
    channels: Literal[1, 3] = 3
    """3 for color, 1 for gray."""
    seed: int = 0
    """Which people and which images."""
    pose: float = 1.0
    """Strength of the turns: 1 is up to 30 degrees of yaw, 14 of pitch, 12 of roll."""
    placement: float = 1.0
    """Strength of scale and shift: 1 is up to 8 % and 3 % of the image."""
    light: float = 1.0
    """Strength of the light's variation in direction, intensity, contrast and color."""
    expression: float = 1.0
    """Strength of smiles, brows, lids and gaze."""
    glasses: float = 0.2
    """Probability of glasses; a fifth of them are dark."""
    occlusion: float = 0.15
    """Probability of something blurred in front of the face."""
    noise: float = 4.0
    """Largest standard deviation of the pixel noise, in gray levels."""
    cache: int = 1024
    """Mebibytes of drawn images to keep in memory; a larger table is drawn anew at every reading, as with 0."""

    def __post_init__(self) -> None:
        for field, low, high in (
            ("people", 1, 10**7),
            ("images", 1, 10**6),
            ("size", 16, 1024),
            ("seed", 0, 2**63 - 1),
            ("pose", 0.0, 2.0),
            ("placement", 0.0, 3.0),
            ("light", 0.0, 1.5),
            ("expression", 0.0, 1.5),
            ("glasses", 0.0, 1.0),
            ("occlusion", 0.0, 1.0),
            ("noise", 0.0, 64.0),
            ("cache", 0, 2**40),
        ):
            value = getattr(self, field)
            if not low <= value <= high:
                raise ValueError(f"Faces.{field} is {value}; choose a value from {low} to {high}.")
        if self.channels not in (1, 3):
            raise ValueError(f"Faces.channels is {self.channels}; choose 3 for color or 1 for gray.")

    @property
    def preprocessing(self) -> Preprocessing:
        """Files of the table's own size, which nothing is done to: a face that was drawn at another size is another image."""
        return Preprocessing(size=(self.size, self.size), channels=self.channels, fit="exact")

    @property
    def description(self) -> str:
        """What the data is, for people who read a report."""
        return f"synthetic: procedural faces, {self.people} people, {self.images} images each"

    def open(self) -> Images:
        """The table of all images; ``extras`` holds landmarks (n, 5, 2) and boxes (n, 4) in pixels."""
        count = self.people * self.images
        digits = max(4, len(str(self.people - 1)))
        people = tuple(f"person-{person:0{digits}d}" for person in range(self.people))
        rows = np.arange(count)
        points, boxes = landmarks(*self.vectors(rows), self.size)
        what = {field: value for field, value in dataclasses.asdict(self).items() if field != "cache"}
        what["renderer"] = VERSION
        return Images(
            labels=(rows // self.images).astype(np.int32),
            people=people,
            shape=(self.size, self.size, self.channels),
            read=DrawnReader(self.drawn, count, (self.size, self.size, self.channels), self.cache),
            names=DrawnNames(people, self.images),
            fingerprint=hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest(),
            extras={"landmarks": points, "boxes": boxes},
        )

    def drawn(self, rows: Int[np.ndarray, "b"]) -> np.ndarray:
        """The images of some rows, uint8 (b, size, size, channels)."""
        return render(*self.vectors(rows), self.size, self.channels)

    def vectors(self, rows: Int[np.ndarray, "b"]) -> tuple[Float32[np.ndarray, "b i"], Float32[np.ndarray, "b k"]]:
        """The identity and nuisance vectors of some rows, as :func:`likeness.research.synthetic.faces.render` takes them."""
        person, draw = np.asarray(rows, np.int64) // self.images, np.asarray(rows, np.int64) % self.images
        base = np.full(len(person), self.seed, np.uint64)
        who = _mix(_mix(base) ^ person.astype(np.uint64))
        identity = _uniforms(_mix(who + np.uint64(_IDENTITY)), len(FaceIdentity._fields))
        image = _mix(_mix(who + np.uint64(_NUISANCE)) ^ draw.astype(np.uint64))
        return identity, self._nuisance(_uniforms(image, len(Nuisance._fields) + 4))

    def _nuisance(self, uniform: Float32[np.ndarray, "b u"]) -> Float32[np.ndarray, "b k"]:
        # Column i of the uniforms is drawn for field i of Nuisance; the last four choose whether something happens.
        u = dict(zip(Nuisance._fields, np.split(uniform, uniform.shape[1], axis=1), strict=False))
        closed, opened, dark, worn = np.split(uniform[:, -4:], 4, axis=1)
        about = {field: 2.0 * column - 1.0 for field, column in u.items()}
        pose, placement, light, face = self.pose, self.placement, self.light, self.expression
        shut = np.where(closed < 0.06 * face, 0.9, 0.25 * u["eyes_open"] ** 2)
        fields: dict[str, Any] = {
            **u,
            "yaw": 30.0 * pose * about["yaw"],
            "pitch": 14.0 * pose * about["pitch"],
            "roll": 12.0 * pose * about["roll"],
            "scale": 1.0 + 0.08 * placement * about["scale"],
            "shift_x": 0.03 * placement * about["shift_x"],
            "shift_y": 0.03 * placement * about["shift_y"],
            "light_azimuth": 75.0 * light * about["light_azimuth"],
            "light_elevation": 25.0 + 35.0 * light * about["light_elevation"],
            "light_intensity": 2.0 ** (0.7 * light * about["light_intensity"]),
            "light_ambient": 0.30 * 2.0 ** (1.1 * light * about["light_ambient"]),
            "light_warmth": light * about["light_warmth"],
            "smile": face * (0.35 + 0.60 * about["smile"]),
            "mouth_open": face * np.where(opened < 0.35, u["mouth_open"], 0.0),
            "brow_raise": face * about["brow_raise"],
            "eyes_open": 1.0 - min(face, 1.0) * shut,
            "gaze_x": face * about["gaze_x"] * 0.8,
            "gaze_y": face * about["gaze_y"] * 0.6,
            "glasses": np.where(worn < self.glasses, 1.0, 0.0),
            "glasses_tint": np.where(dark < 0.2, 0.6 + 0.4 * u["glasses_tint"], 0.0),
            "occlusion": np.where(u["occlusion"] < self.occlusion, 0.95, 0.0),
            "occlusion_depth": 0.15 + 0.25 * u["occlusion_depth"],
            "backdrop_value": 0.30 + 0.65 * u["backdrop_value"],
            "clothes_value": 0.15 + 0.70 * u["clothes_value"],
            "grain": self.noise * u["grain"],
            "grain_key": np.floor(u["grain_key"] * 2.0**24),
        }
        return Nuisance(**fields).vector(len(uniform))


def _mix(word: np.ndarray) -> np.ndarray:
    """SplitMix64's finalizer: a bijection of uint64 whose output looks random."""
    word = word + _GOLDEN
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def _uniforms(key: np.ndarray, count: int) -> Float32[np.ndarray, "b count"]:
    """``count`` numbers in [0, 1) for every key: Steele et al. 2014, "Fast splittable pseudorandom number generators"."""
    counters = key[:, None] + np.arange(count, dtype=np.uint64)[None] * _GOLDEN
    return (_mix(counters) >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)
