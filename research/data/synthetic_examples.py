"""Drawn examples as data sources: electrocardiograms labelled by rhythm, and volumes labelled by what is in them."""

import dataclasses
from typing import ClassVar, Literal

import numpy as np

from likeness.research.data.examples import Examples, Parts
from likeness.research.synthetic.signals import RHYTHMS, draw_ecg
from likeness.research.synthetic.volumes import FINDINGS, draw_volumes

__all__ = ["Ecg", "Volumes"]

View = Literal["volume", "central slice"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ecg:
    """Synthetic electrocardiograms of one lead: 100 samples a second, labelled by rhythm.

    A beat is the sum of five Gaussians, the P, Q, R, S and T waves, whose heights, places and widths differ from record to
    record; rates, breathing, drift of the baseline, muscle noise and gain are drawn too. The rhythms:

    - normal: 55 to 100 beats a minute, that quicken and slow down with the breath;
    - premature ventricular: of such a rhythm one or two beats come early, wide and without P wave, and the pause that follows
      makes up for it;
    - atrial fibrillation: no P waves but a fine waving of the baseline, and intervals without order (60 to 130);
    - tachycardia: normal beats, 105 to 170 a minute.

    The waves are those of McSharry, Clifford, Tarassenko and Smith, A dynamical model for generating synthetic
    electrocardiogram signals, IEEE Transactions on Biomedical Engineering 2003, added up instead of integrated. The records
    are synthetic: what is learned from them diagnoses nobody.
    """

    synthetic: ClassVar[bool] = True
    """No number measured on them says anything of real patients."""

    train: int = 4000
    """Records to learn from."""
    validation: int = 400
    """Records to decide by."""
    test: int = 1000
    """Records to be evaluated by."""
    length: int = 512
    """Samples of a record."""
    noise: float = 0.06
    """Standard deviation of the noise in mV, in the noisiest records; the clearest have a third of it."""
    seed: int = 0
    """Decides all records; the three parts are drawn apart."""

    def __post_init__(self) -> None:
        if min(self.train, self.validation, self.test) < 1 or self.seed < 0 or self.noise < 0:
            raise ValueError(f"{self}: each part needs at least one record, and noise and seed may not be negative.")
        if not 256 <= self.length <= 1024:
            raise ValueError(f"Ecg.length is {self.length}: give 256 to 1024 samples, which are 2.6 to 10 seconds.")

    def class_names(self) -> tuple[str, ...]:
        """The rhythms."""
        return RHYTHMS

    def open(self) -> Parts:
        """Draws all records."""
        sizes = (self.train, self.validation, self.test)
        return Parts(*(self._part(n, part) for part, n in enumerate(sizes)))

    def _part(self, n: int, part: int) -> Examples:
        rng = np.random.default_rng((self.seed, part))
        labels = rng.permutation(np.arange(n, dtype=np.int32) % len(RHYTHMS))
        return Examples(values=draw_ecg(labels, rng, self.length, self.noise), labels=labels, classes=RHYTHMS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Volumes:
    """Synthetic volumes like those of computed tomography, cubes of one gray value, labelled by what is in them.

    An elliptic body lies along the first axis, with organs of other gray values, a texture of low frequency, and noise. In
    it there is nothing else; a ball; a ball with a cavity; or a tube that runs through the body, somewhat bent. They are as
    bright as each other and about as large, and lie anywhere: in two of five volumes the central slice does not
    meet the nodule at all, and where it does, a ball and a tube are both disks. What is drawn besides the finding does not
    depend on the class. So whoever sees the central slices alone cannot name more than about 70 % of the volumes right, with
    whatever method (``tests/synthetic/test_volumes.py``).

    The volumes are synthetic: what is learned from them diagnoses nobody.
    """

    synthetic: ClassVar[bool] = True
    """No number measured on them says anything of real patients."""

    train: int = 4000
    """Volumes to learn from."""
    validation: int = 400
    """Volumes to decide by."""
    test: int = 1000
    """Volumes to be evaluated by."""
    size: int = 16
    """Side in voxels."""
    noise: float = 0.05
    """Standard deviation of the noise; black is 0 and white 1, and a finding is 0.25 to 0.45 above what is around it."""
    view: View = "volume"
    """What is shown: all (d, h, w, 1), or of each the slice in the middle (h, w, 1), for an encoder of two dimensions."""
    seed: int = 0
    """Decides all volumes; the three parts are drawn apart."""

    def __post_init__(self) -> None:
        if min(self.train, self.validation, self.test) < 1 or self.seed < 0 or self.noise < 0:
            raise ValueError(f"{self}: each part needs at least one volume, and noise and seed may not be negative.")
        if not 16 <= self.size <= 96:
            raise ValueError(f"Volumes.size is {self.size}: give 16 to 96 voxels a side.")

    def class_names(self) -> tuple[str, ...]:
        """The findings."""
        return FINDINGS

    def open(self) -> Parts:
        """Draws all volumes."""
        sizes = (self.train, self.validation, self.test)
        return Parts(*(self._part(n, part) for part, n in enumerate(sizes)))

    def _part(self, n: int, part: int) -> Examples:
        rng = np.random.default_rng((self.seed, part))
        labels = rng.permutation(np.arange(n, dtype=np.int32) % len(FINDINGS))
        values = draw_volumes(labels, rng, self.size, self.noise)
        if self.view == "central slice":
            values = np.ascontiguousarray(values[:, self.size // 2])
        return Examples(values=values, labels=labels, classes=FINDINGS)
