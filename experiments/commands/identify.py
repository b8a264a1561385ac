"""``likeness identify PICTURE …``: who of the gallery is this, if anyone?"""

import dataclasses

import tyro

from experiments.commands.choose import cli
from experiments.recognizer import Recognizer
from research.data import printable


@dataclasses.dataclass(frozen=True)
class Options:
    pictures: tyro.conf.Positional[tuple[str, ...]]
    """One or more pictures."""
    workdir: str = "runs/recognition/quickstart"
    """The working directory of the recognizer that enrolled the gallery."""
    gallery: str | None = None
    """The gallery's file; by default gallery.sqlite in the working directory."""


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness identify", arguments=arguments)
    recognizer = Recognizer.load(options.workdir)
    with recognizer.gallery(options.gallery or recognizer.default_gallery) as gallery:
        answers = recognizer.identify(gallery, options.pictures)
    for picture, answer in zip(options.pictures, answers, strict=True):
        print(f"{printable(picture)}: {answer}")
    return 0
