"""``likeness stylize FRAMES/ STYLE``: paints the frames of a film, one after the other, so that they do not flicker."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from likeness.experiments.commands.painted import asked, digest, write_film
from likeness.experiments.commands.places import images_below
from likeness.experiments.commands.streams import say_first
from likeness.experiments.config import to_json
from likeness.experiments.display.phases import watched
from likeness.experiments.display.progress import Phases
from likeness.experiments.run import Run
from likeness.experiments.style import Stylization
from likeness.experiments.style.film import Film
from likeness.research.data.paths import printable
from likeness.research.errors import UserError
from likeness.research.files import write_atomically
from likeness.research.images import read_image, write_image
from likeness.research.images.sources import ImageFile

RECORD = "film.json"
"""What was asked for, and which frames are painted: by this a film goes on where it stopped."""


def frames_of(folder: Path, without: Path) -> list[Path]:
    """The frames of a film in the order of the numbers in their names: frame2.png comes before frame10.png.

    Raises:
        UserError: there is one or none.
    """
    found = sorted(images_below(folder, without), key=lambda path: _by_numbers(str(path.relative_to(folder))))
    if len(found) < 2:
        raise UserError(
            f"The folder {printable(folder)} holds one image, and a film has two frames or more: give the image itself. The "
            "frames of a video are taken out by `ffmpeg -i video.mp4 frames/%05d.png`."
        )
    return found


def paint_frames(run: Run, film: Film, frames: list[Path], out: Path, animation: Path | None) -> int:
    """Paints a film into a folder, a PNG for each frame, and perhaps an animation of them all.

    Args:
        run: of a stylization; each frame takes the place of its content.
        film: how frames follow one another.
        frames: image files, in order.
        out: the folder.
        animation: a .gif or .webp; None for none.

    Raises:
        UserError: another film is in the folder; two frames have one name; what the film refuses.
    """
    names = [f"{frame.stem}.png" for frame in frames]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"Two frames would both be painted into {twice}: give each a name of its own.")
    record = _Record(out, _question(run, film))
    sources = [ImageFile(path=str(frame)) for frame in frames]
    read = [source.fingerprint() for source in sources]
    done = record.painted(read, names)
    if done:
        print(f"{done} of {len(frames)} frames are painted already")
    try:
        with Phases() as phases, watched(phases.tell):
            painted = film(run, sources, [_opener(out / name) for name in names[:done]])
            for number, image in enumerate(painted, done):
                write_image(out / names[number], image)
                record.add(read[number])
    except KeyboardInterrupt:
        print(f"{len(record.frames)} of {len(frames)} frames are painted, in {out}: the same command goes on after them")
        raise
    if animation is not None:
        say_first(f"writing {animation}, of {len(frames)} images")
        write_film(animation, [out / name for name in names])
        print(f"film    {animation}")
    print(f"frames  {len(frames)}, in {out}")
    return 0


class _Record:
    """What a folder of painted frames says of itself."""

    def __init__(self, folder: Path, question: str) -> None:
        self.folder, self.question = folder, question
        self.frames: list[str] = []

    def painted(self, fingerprints: list[str], names: list[str]) -> int:
        """How many of the first frames are there, painted as is asked, of the same images."""
        path = self.folder / RECORD
        if not path.is_file():
            if self.folder.is_dir() and any((self.folder / name).exists() for name in names):
                raise UserError(
                    f"The folder {printable(self.folder)} holds images of the names that the painted frames would have, and "
                    "no film: give --out another folder, so that none is lost."
                )
            return 0
        try:
            kept: Any = json.loads(path.read_text())
            question, frames = kept["question"], list(kept["frames"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{printable(path)} cannot be read ({error}): remove it, and the film is painted anew.") from error
        if question != self.question:
            raise UserError(
                f"The folder {printable(self.folder)} holds a film that something else was asked for: give --out another "
                "folder, or remove this one."
            )
        if frames and not set(frames) & set(fingerprints):
            raise UserError(
                f"The folder {printable(self.folder)} holds a film of other frames, of which none is given here: give --out "
                "another folder, or remove this one."
            )
        same = 0
        for mine, kept_one, name in zip(fingerprints, frames, names, strict=False):
            if mine != kept_one or not (self.folder / name).is_file():
                break
            same += 1
        self.frames = frames[:same]
        return same

    def add(self, fingerprint: str) -> None:
        """Notes that one more frame is painted, after its file is written."""
        self.frames.append(fingerprint)
        write_atomically(self.folder / RECORD, json.dumps({"question": self.question, "frames": self.frames}, indent=1))


def _question(run: Run, film: Film) -> str:
    how = run.experiment
    assert isinstance(how, Stylization)
    read = {name: source.fingerprint() for name, source in how.sources().items() if name != "content"}
    return digest([asked(run, without=("experiment.content",)), to_json(film), read])


def _opener(path: Path) -> Callable[[], np.ndarray]:
    return lambda: read_image(path).pixels


def _by_numbers(name: str) -> list[tuple[int, str]]:
    """Parts of a name that compare as numbers where they are numbers."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name) if part]
