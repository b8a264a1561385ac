"""``likeness identify IMAGE …``: who of the gallery is this, if anyone?"""

import dataclasses
from typing import Annotated

import tyro

from likeness.experiments.commands.flags import GalleryFile, Images, TrustCode, Workdir, cli, trust
from likeness.experiments.commands.recognizers import recognizer_dir


@dataclasses.dataclass(frozen=True)
class Options:
    """Who of the gallery is this, if anyone? Answers a name or "unknown", with how often that is wrong."""

    image: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="IMAGE")]
    """An image."""
    more: Images = ()
    """More images, each answered on a line of its own."""
    workdir: Workdir = None
    """The working directory of the recognizer that enrolled the gallery."""
    gallery: GalleryFile = None
    """The gallery's file."""
    trust_code: TrustCode = False


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness identify", arguments=arguments)
    from likeness.experiments.recognition.recognizer import Recognizer
    from likeness.research.data import printable

    images = (options.image, *options.more)
    workdir = recognizer_dir(options.workdir)
    trust(workdir, options)
    recognizer = Recognizer.load(workdir)
    with recognizer.gallery(options.gallery or recognizer.default_gallery) as gallery:
        answers = recognizer.identify(gallery, images)
    for image, answer in zip(images, answers, strict=True):
        print(f"{printable(image)}: {answer}")
    print(recognizer.calibration)
    return 0
