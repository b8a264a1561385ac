"""What the commands that paint share: where the image goes, painting it with progress, and the film of how it came about."""

import contextlib
import hashlib
import json
import tempfile
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from PIL import Image

from likeness.experiments.commands.places import check_place
from likeness.experiments.commands.summary import print_evaluation
from likeness.experiments.config import load, to_json
from likeness.experiments.display.progress import Terminal
from likeness.experiments.fingerprints import CannotResume
from likeness.experiments.run import Run
from likeness.experiments.storage.workdir import Workdir
from likeness.experiments.style import Stylization
from likeness.experiments.training.evaluation import restore
from likeness.experiments.training.interruption import Interrupted
from likeness.experiments.training.recorder import changed, shortened
from likeness.experiments.training.trainer import train
from likeness.research.errors import UserError
from likeness.research.files import write_atomically
from likeness.research.images import read_image, resize, write_image
from likeness.research.images.sources import ImageFile, ImageSource

TRANSPARENT = (".png", ".tif", ".tiff", ".webp")
FILMS = {".gif": "GIF", ".webp": "WEBP"}


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


def default_workdir(run: Run, experiment: Stylization, command: str, title: str) -> Path:
    """A directory of this run's own, so that the same command on the same images finds it again, and no other does.

    Raises:
        UserError: an image that cannot be read.
    """
    read = {name: source.fingerprint() for name, source in experiment.sources().items()}
    digest = hashlib.sha256(json.dumps([to_json(run), read], sort_keys=True).encode()).hexdigest()[:8]
    return Path("runs") / command / f"{title}_{digest}"


def check_question(run: Run, workdir: Path) -> None:
    """Refuses to paint on, in a directory that was given, what was begun by another command. More steps are no other question.

    Raises:
        CannotResume: it holds another painting.
    """
    harmless = ("steps", "log_every", "evaluate_every", "checkpoints.")
    changes = [change for change in changed(Workdir(workdir), run) if not change.startswith(harmless)]
    if changes and Workdir(workdir).checkpoints.is_dir():
        raise CannotResume(
            f"{workdir} holds a painting that something else was asked for ({shortened(changes)}): give another --workdir, or "
            "leave it out, and each has a directory of its own."
        )


def paint(run: Run, experiment: Stylization, workdir: Path, out: Path, film: Path | None, *, live: bool = False) -> int:
    """Paints, writes the image and the film, and prints the numbers. Interrupted, it writes how far it got."""

    def refresh(image: np.ndarray) -> None:
        _write(out, image, experiment.content)

    check_question(run, workdir)
    try:
        with Terminal(run.steps, run.evaluate_every, refresh if live else None) as terminal:
            painted = train(run, workdir, reporter=terminal)
    except Interrupted:
        _, variables = restore(workdir, run)
        _write(out, experiment.image(variables.params), experiment.content)
        print(f"image  {out}, as far as it got")
        raise
    _write(out, painted.evaluation.images["image"], experiment.content)
    print_evaluation(painted.workdir, painted.evaluation, painted.seconds)
    if film is not None:
        write_film(film, sorted(Workdir(workdir).images.glob("image_*.png")))
        print(f"film     {film}")
    print(f"image  {out}")
    return 0


def _write(out: Path, pixels: np.ndarray, content: ImageSource) -> None:
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
