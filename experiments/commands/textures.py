"""``likeness textures STYLE -o OUT``: paints a style alone, with nothing to be seen in it."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from likeness.experiments.commands.flags import cli
from likeness.experiments.commands.streams import say_first
from likeness.experiments.commands.style_flags import (
    PaintingFlags,
    at_layers,
    check_numbers,
    compared,
    images_of,
    masked,
    pyramid_of,
)


@dataclasses.dataclass(frozen=True)
class Options(PaintingFlags):
    """Paints a texture: the style of STYLE without any content, beginning with noise in its colors (Gatys et al. 2015)."""

    style: Annotated[tyro.conf.Positional[str | None], tyro.conf.arg(metavar="STYLE")] = None
    """What it is to look like: an image. Without it, the preset's own."""
    out: Annotated[str, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = "texture.png"
    """Where the image goes."""
    width: Annotated[int | None, tyro.conf.arg(metavar="PIXELS", help_behavior_hint="(default: as --size says)")] = None
    """Width in pixels, in place of --size: a texture of any proportions. Without --height it is a square."""
    height: Annotated[int | None, tyro.conf.arg(metavar="PIXELS", help_behavior_hint="(default: as --size says)")] = None
    """Height in pixels; without --width a square."""
    tileable: bool = False
    """Paint a tile that can be laid beside itself without a seam. Its sides are the nearest that the encoder's strides divide,
    mostly multiples of 8."""
    workdir: Annotated[str | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="(default: in runs/textures)")] = None
    """Where checkpoints and figures are. The same command on the same images goes on where it stopped."""


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness textures", arguments=arguments)
    say_first(f"painting a texture in the look of {options.style or 'a painting'} by {options.preset}: reading them")
    check_numbers(options.size, options.steps, options.style_scale)
    from likeness.experiments.commands.painted import check_film, check_writable, load_preset, paint, place
    from likeness.experiments.commands.places import check_kept
    from likeness.experiments.style.colors import AsTheyAre
    from likeness.experiments.style.memory import tiled_if_needed
    from likeness.experiments.style.starts import FromImage, FromStyleColors
    from likeness.research.errors import UserError
    from likeness.research.images.sources import Blank, ImageFile

    out, film = Path(options.out), None if options.film is None else Path(options.film)
    check_writable("--out", out)
    if film is not None:
        check_film(film)
    check_kept([("--out", out), ("--film", film)], [options.style, *images_of(options)])
    run, experiment = load_preset(options.preset)
    style = experiment.styles[0]
    sides = [side for side in (options.width, options.height) if side is not None]
    if sides and options.size is not None:
        raise UserError("--size and --width or --height say twice how large the texture is: give the one or the others.")
    try:
        if options.style:
            style = dataclasses.replace(style, image=ImageFile(path=options.style))
        if options.style_scale is not None:
            style = dataclasses.replace(style, scale=options.style_scale)
        (style,) = masked((style,), "--style-mask", "mask", options.style_mask)
        size = max(sides, default=experiment.size if options.size is None else options.size)
        experiment = dataclasses.replace(
            experiment,
            # Nothing of it is painted: it only says of what size the texture is.
            content=Blank(width=options.width or sides[0], height=options.height or sides[0]) if sides else style.image,
            colors=AsTheyAre(),
            styles=(style,),
            last_terms=at_layers(experiment.last_terms, options.style_layers, options.style_weights),
            objective=dataclasses.replace(compared(experiment.objective, options), content_terms=()),
            size=size,
            pyramid=pyramid_of(experiment, size),
            edges="wrap" if options.tileable else "border",
            start=FromImage(image=ImageFile(path=options.init)) if options.init else FromStyleColors(),
        )
        steps = run.steps if options.steps is None else options.steps
        run = dataclasses.replace(run, experiment=experiment, steps=steps, seed=options.seed)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{error}.") from error
    if not options.tileable:
        experiment, said = tiled_if_needed(experiment)
        if said:
            say_first(said)
        run = dataclasses.replace(run, experiment=experiment)
    workdir = place(run, experiment, options.workdir, "textures", style.image.title)
    return paint(run, experiment, workdir, out, film, live=options.live)
