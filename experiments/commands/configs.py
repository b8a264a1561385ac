"""``likeness configs``: what can be trained, with each config's own words, and as a page with images."""

import dataclasses
import difflib
from pathlib import Path
from typing import Annotated

import tyro

from likeness.experiments.commands.flags import cli


@dataclasses.dataclass(frozen=True)
class Options:
    """List the configs that come with Likeness. One in full: likeness show CONFIG."""

    html: Annotated[str | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Write a page instead: each config with its image, what came out, what it cost, and the command. It needs no network."""
    runs: Annotated[str, tyro.conf.arg(metavar="DIR")] = "runs"
    """Where working directories lie by the name of their config. What was run there is shown instead of what the repository
    keeps."""
    keep: Annotated[str | None, tyro.conf.arg(metavar="CONFIG", help_behavior_hint="")] = None
    """Keep what the page needs of this config's run in the repository, in configs/gallery."""


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness configs", arguments=arguments)
    from likeness.experiments.shipped import docstring, shipped
    from likeness.research.errors import UserError

    names = shipped()
    if options.keep is not None:
        from likeness.experiments.report.gallery import KEPT, keep

        if options.keep not in names:
            nearest = ", ".join(difflib.get_close_matches(options.keep, names, n=3, cutoff=0.0))
            raise UserError(f"{options.keep} is no config that comes with Likeness; nearest: {nearest}.")
        keep(Path(options.runs) / options.keep, options.keep)
        print(f"kept     {KEPT / options.keep}")
    if options.html is not None:
        from likeness.experiments.report.gallery import write_gallery

        path = Path(options.html)
        if path.suffix.lower() not in (".html", ".htm"):
            raise UserError(f"--html is {path}, which is no name of a page: give one that ends in .html.")
        if options.runs != "runs" and not Path(options.runs).is_dir():
            raise UserError(f"--runs is {options.runs}, which is no directory: give the one that working directories lie in.")
        write_gallery(path, Path(options.runs))
        print(f"page     {path} ({path.stat().st_size / 1e6:.1f} MB)")
    if options.html is None and options.keep is None:
        width = max(map(len, names))
        for name in names:
            print(f"{name:<{width}}  {docstring(name).splitlines()[0]}")
    return 0
