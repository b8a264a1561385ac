"""What the commands that paint share: where the image goes, painting it with progress, and the film of how it came about."""

import contextlib
import functools
import hashlib
import json
import operator
import tempfile
from pathlib import Path
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from PIL import Image

from likeness.experiments.commands.places import check_place
from likeness.experiments.commands.summary import print_evaluation
from likeness.experiments.config import load, to_json
from likeness.experiments.display.progress import Reporter, Terminal
from likeness.experiments.fingerprints import CannotResume
from likeness.experiments.run import Run
from likeness.experiments.storage.checkpoints import reached
from likeness.experiments.storage.workdir import Workdir
from likeness.experiments.style import Stylization
from likeness.experiments.training.evaluation import restore
from likeness.experiments.training.interruption import Interrupted
from likeness.experiments.training.recorder import changed, indifferent, shortened
from likeness.experiments.training.stages import stages, work
from likeness.experiments.training.trainer import Trained, train
from likeness.research.errors import UserError
from likeness.research.files import write_atomically
from likeness.research.images import read_image, resize, write_image
from likeness.research.images.sources import ImageFile, ImageSource

TRANSPARENT = (".png", ".tif", ".tiff", ".webp")
FILMS = {".gif": "GIF", ".webp": "WEBP"}
_LONGEST = 200
"""Bytes of a title in the name of a directory, of the 255 that a name may have; a digest and a number of steps follow."""
FRAMES = 30
"""Images of a film at most, and of what is shown on the way."""


def check_writable(flag: str, out: Path) -> None:
    """Finds out before the painting, and not after it, that an image cannot be written.

    Raises:
        UserError: a kind of file that holds no image, or a place that may not be written to.
    """
    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
        write_image(out.name or "image", np.zeros((1, 1, 3), np.float32))
    check_place(flag, out)


def check_film(film: Path) -> None:
    """The same for a film.

    Raises:
        UserError: neither .gif nor .webp, or a place that may not be written to.
    """
    if film.suffix.lower() not in FILMS:
        raise UserError(f"--film is {film}: give a file that ends in {' or '.join(FILMS)}.")
    check_place("--film", film, "film")


def load_preset(name: str) -> tuple[Run, Stylization]:
    """A config that paints by the pixels.

    Raises:
        UserError: there is no such config, or it is one of another experiment.
    """
    run = load(name)
    if not isinstance(run.experiment, Stylization):
        raise UserError(
            f"The config {name} is a {type(run.experiment).__name__}, not a Stylization: give one such as "
            "stylization/quickstart, or with --model the working directory of a network that paints in one pass."
        )
    return run, run.experiment


def place(run: Run, experiment: Stylization, given: str | None, command: str, title: str) -> Path:
    """Where a painting is: in a directory that was given, or in one of its own.

    That is named by the images and by all that decides what is painted, so that the same command on the same images finds it
    again, and no other does. How often is looked on decides nothing. More steps go on in it; fewer than it has taken are
    painted beside it.

    Raises:
        CannotResume: the directory that was given holds another painting.
        UserError: an image that cannot be read.
    """
    if given:
        _check_question(run, Path(given))
        return Path(given)
    read = {name: source.fingerprint() for name, source in experiment.sources().items()}
    own = Path("runs") / command / f"{_short(title)}_{digest([asked(run, without=('steps',)), read])[:8]}"
    return own if reached(own) <= run.steps else own.with_name(f"{own.name}_{run.steps}_steps")


def _short(title: str) -> str:
    """As much of a title as a file system takes for a name; what tells paintings apart stands behind it."""
    return title.encode()[:_LONGEST].decode(errors="ignore")


def asked(run: Run, without: tuple[str, ...] = ()) -> Any:
    """A run as JSON, with nothing in it but what decides what is painted.

    Args:
        run: what is painted, and how.
        without: fields, by their paths, that decide nothing here.
    """
    told = to_json(run)
    for field in (*without, *indifferent(run)):
        *parts, last = field.split(".")
        functools.reduce(operator.getitem, parts, told).pop(last)
    return told


def digest(what: Any) -> str:
    """SHA-256 of JSON, in hex: the same for the same content."""
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def _check_question(run: Run, workdir: Path) -> None:
    harmless = ("steps", *indifferent(run))
    changes = [change for change in changed(Workdir(workdir), run) if not change.startswith(harmless)]
    if changes and Workdir(workdir).checkpoints.is_dir():
        raise CannotResume(
            f"{workdir} holds a painting that something else was asked for ({shortened(changes)}): give another --workdir, or "
            "leave it out, and each has a directory of its own."
        )


def paint(run: Run, experiment: Stylization, workdir: Path, out: Path, film: Path | None, *, live: bool = False) -> int:
    """Paints, writes the image and the film, and prints the numbers.

    Raises:
        UserError: a film is asked for of a painting that is done, and no images on the way to it were kept.
    """
    if film is not None and len(_frames(workdir)) < 2 and reached(workdir) == run.steps:
        raise UserError(
            f"The painting in {workdir} is done, and the images on the way to it were not kept: to have a film, let it be "
            "painted again in another --workdir, with --film from the beginning."
        )
    watch = max(1, run.steps // FRAMES) if live or film is not None else None

    def write(image: np.ndarray) -> None:
        write_painting(out, image, experiment.content)

    above: Literal["nothing", "image"] = "image" if live else "nothing"
    with Terminal(run.steps, run.evaluate_every, write, above, work(stages(run))) as terminal:
        painted = painted_in(run, experiment, workdir, out, terminal, watch)
    print_evaluation(painted.workdir, painted.evaluation, painted.seconds)
    if film is not None:
        frames = _frames(workdir)
        write_film(film, frames)
        print(f"film     {film}, of {len(frames)} images")
    print(f"image  {out}")
    return 0


def painted_in(
    run: Run, experiment: Stylization, workdir: Path, out: Path, reporter: Reporter, watch: int | None = None
) -> Trained:
    """Paints.

    Args:
        run: with the experiment.
        experiment: what is painted.
        workdir: where its files are.
        out: where the image goes if the painting is interrupted, as far as it got.
        reporter: shown the image before it is evaluated.
        watch: how many steps lie between two images that it is shown on the way; None for none.
    """
    try:
        return train(run, workdir, reporter=reporter, watch=watch)
    except Interrupted:
        _, variables = restore(workdir, run)
        write_painting(out, experiment.image(variables.params), experiment.content)
        print(f"image  {out}, as far as it got")
        raise


def _frames(workdir: Path) -> list[Path]:
    return sorted(Workdir(workdir).images.glob("image_*.png"))


def write_painting(out: Path, pixels: np.ndarray, content: ImageSource) -> None:
    """Writes an image, as transparent and with as many bits as the file it was painted from, where ``out`` can hold it."""
    if not isinstance(content, ImageFile):
        write_image(out, pixels)
        return
    original, ending = read_image(content.path), out.suffix.lower()
    alpha = original.alpha
    if alpha is not None and ending in TRANSPARENT:
        alpha = np.clip(np.asarray(resize(jnp.asarray(alpha)[..., None], pixels.shape[:2]))[..., 0], 0.0, 1.0)
    write_image(out, pixels, bits=original.bits if ending == ".png" else 8, alpha=alpha if ending in TRANSPARENT else None)


def write_film(film: Path, frames: list[Path], milliseconds: int = 80) -> None:
    """Writes images as an animation that plays again and again and rests on the last one; whole or not at all.

    Images of smaller scales are enlarged to the last one's size.
    """
    with contextlib.ExitStack() as opened:
        images = [opened.enter_context(Image.open(frame)).convert("RGB") for frame in frames]
    images = [image.resize(images[-1].size, Image.Resampling.BICUBIC) for image in images]
    durations = [milliseconds] * (len(images) - 1) + [1500]
    with tempfile.TemporaryDirectory() as scratch:
        written = Path(scratch) / film.name
        images[0].save(written, FILMS[film.suffix.lower()], save_all=True, append_images=images[1:], duration=durations, loop=0)
        write_atomically(film, written.read_bytes())
