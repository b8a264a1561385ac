"""What the tests of the command line are about: small images of people, a config, and what a command said."""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 32
CONFIG = '''"""Tells patterns apart.

likeness train tiny_patterns.py
"""

from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.recognition.protocols import Identification, Verification
from likeness.experiments.recognition import Recognition
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.optim.schedules import Constant
from likeness.research.data import CountSplit, Folder, IdentityBatches
from likeness.research.encoders import Conv4
from likeness.research.losses import BatchAll, Triplet


def get_config() -> Run:
    return Run(
        experiment=Recognition(
            data=Folder(path={path!r}, size=32, channels=3),
            split=CountSplit(validation=6, test=4),
            batches=IdentityBatches(people=5, images=3),
            encoder=Conv4(width=8, dimension=16),
            loss=Triplet(margin=0.3, rule=BatchAll(), reduction="mean_active"),
            validation=(),
            test=(Verification(fars=(0.1,)), Identification(fpirs=(0.1,))),
            target_far=0.05,
        ),
        steps=40,
        optimizer=Adam(schedule=Constant(peak_lr=3e-3)),
        log_every=8,
        checkpoints=Checkpoints(every=20),
    )
'''


@dataclasses.dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str


Likeness = Callable[..., Said]


@dataclasses.dataclass(frozen=True)
class World:
    """Images to learn from, images of others, and what was learned."""

    people: Path
    """One folder a person: 24 people, 6 images each."""
    strangers: Path
    """Three people who are not among them: ada, bob and cyd."""
    config: Path
    workdir: Path


def draw(folder: Path, names: list[str], images: int, seed: int) -> None:
    """A person is a smooth colored pattern; their images are shifted, lit and noisy."""
    generator = np.random.default_rng(seed)
    for name in names:
        (folder / name).mkdir(parents=True)
        pattern = Image.fromarray(generator.integers(0, 256, (4, 4, 3), np.uint8)).resize(
            (SIZE + 2, SIZE + 2), Image.Resampling.BICUBIC
        )
        for index in range(images):
            x, y = generator.integers(0, 3, 2)
            seen = np.asarray(pattern, np.float32)[y : y + SIZE, x : x + SIZE] * generator.uniform(0.9, 1.1)
            seen += generator.normal(0, 4, seen.shape)
            Image.fromarray(seen.clip(0, 255).astype(np.uint8)).save(folder / name / f"{index}.png")


def contents(folder: Path) -> dict[str, str]:
    """The files below a folder with a checksum of each, to see that nothing changed."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
