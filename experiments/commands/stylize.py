"""``likeness stylize CONTENT STYLE -o OUT``: paints one image in the look of another."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from likeness.experiments.commands.flags import TrustCode, cli, trust
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

if TYPE_CHECKING:
    from likeness.experiments.run import Run
    from likeness.experiments.style import Stylization


_IN_ONE_PASS = frozenset(("content", "contents", "styles", "out", "size", "weights", "strength", "grid", "model", "trust_code"))
"""What there is to say to a network that paints in one pass."""


@dataclasses.dataclass(frozen=True)
class Options(PaintingFlags):
    """Paints CONTENT in the look of STYLE. With neither, a built-in photograph in the look of a procedural painting."""

    content: Annotated[
        tyro.conf.Positional[str | None], tyro.conf.arg(metavar="CONTENT", help_behavior_hint="(default: the preset's)")
    ] = None
    """What is to be seen: an image; or a folder with the frames of a film, in the order of the numbers in their names, each of
    which begins with the painting before, so that they do not flicker. Without it, the preset's own."""
    styles: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="STYLE ...")] = ()
    """What it is to look like: an image; several, which are mixed; or a folder of them, for a painting in the look of each.
    Without any, the preset's own. With --model, the styles that a network has learned, by name."""
    out: Annotated[str, tyro.conf.arg(aliases=["-o"], metavar="FILE|FOLDER")] = "stylized.png"
    """Where the image goes; of several paintings the folder, which without it is called stylized."""
    contents: Annotated[tuple[str, ...], tyro.conf.arg(metavar="FOLDER|FILE ...")] = ()
    """Several contents, for a painting of each: then all that stands before this flag are styles, as in `likeness stylize
    STYLE --contents a.jpg b.jpg`, and after a single folder too. What is painted already is not painted again; with
    --model, which takes seconds, it is."""
    grid: Annotated[str | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: none)")] = None
    """Of several paintings, also write a contact sheet: a row for each content, a column for each style. With --model, of every
    style that a network has learned, and nothing else is written. A .png."""
    explore: Annotated[str | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: none)")] = None
    """Also paint fifteen other strengths of the style, from a sixteenth of --strength to eleven times it, and write a page that
    explains them: a slider for the strength, the piece of the style that each place looks like, the layer that asks for it, and
    what can be measured. A .html, at most 10 MB. It takes sixteen times as long; what is painted is not painted again."""
    model: Annotated[str | None, tyro.conf.arg(metavar="NAME|DIR", help_behavior_hint="(default: none)")] = None
    """Paint in one pass, in seconds, with a network trained for that: the name of published weights, such as pastiche26, or a
    working directory. Of the other flags only --out, --size, --weights, --strength, --contents and --grid apply then."""
    strength: float = 1.0
    """How strong the style is: a factor of the preset's beta."""
    content_weight: float = 1.0
    """How much the content counts: a factor of the preset's alpha."""
    content_layers: Annotated[tuple[str, ...], tyro.conf.arg(metavar="LAYER ...")] = ()
    """At which layers of the encoder the content is compared, as relu4_2: early ones keep its pixels, late ones only its forms.
    Without it, at the preset's."""
    weights: Annotated[tuple[float, ...], tyro.conf.arg(metavar="W ...")] = ()
    """How much each of several styles counts beside the others, as 2 1 or 1 0.5; without it, all alike. The strength of all of
    them together is --strength."""
    mask: Annotated[tuple[str, ...], tyro.conf.arg(metavar="FILE=STYLE ...")] = ()
    """Where in the content a style applies, as left.png=style1: an image of the content's proportions, white there, black
    elsewhere, gray in between. STYLE is style1, style2 and so on, or the name of the style's file without its ending. A style
    without a mask applies everywhere."""
    colors: Literal["preset", "free", "style", "content", "luminance", "hues"] = "preset"
    """Whose colors: as the preset says; what the losses make of them; the content gets the style's palette first; the style
    gets the content's first; only light and dark are painted, under the content's own colors; the content's hues in the style's
    palette, over the light and dark of the painting."""
    face: Annotated[tuple[float, ...], tyro.conf.arg(metavar="X Y ...")] = ()
    """For a preset that holds faces to their people, which are found in CONTENT otherwise: where the face is, five points in
    CONTENT's pixels: the eye on the left, the eye on the right, the tip of the nose, the corner of the mouth on the left, and
    on the right. Of several faces, one after the other."""
    tile: Annotated[int | None, tyro.conf.arg(metavar="PIXELS", help_behavior_hint="(default: 512 where it is needed)")] = None
    """Side of the tiles in which an image too large for memory is read; the result is the same. Without it, 512 where the
    image needs it."""
    workdir: Annotated[str | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="(default: in runs/stylize)")] = None
    """Where checkpoints and figures are. The same command on the same images goes on where it stopped."""
    trust_code: TrustCode = False


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness stylize", arguments=arguments)
    options = _sorted(options)
    say_first(_begun(options))
    _check(options)
    if options.model is not None and (options.content is None or not Path(options.content).is_dir()):
        return _in_one_pass(options)
    if options.content is not None and Path(options.content).is_dir():
        return _frames(options, Path(options.content))
    if options.contents or any(Path(style).is_dir() for style in options.styles):
        return _many(options)
    from likeness.experiments.commands.painted import check_film, check_writable, load_preset, paint
    from likeness.experiments.commands.places import check_kept

    out, film = Path(options.out), None if options.film is None else Path(options.film)
    check_writable("--out", out)
    if film is not None:
        check_film(film)
    check_kept([("--out", out), ("--film", film)], [options.content, *options.styles, *images_of(options, options.mask)])
    run, experiment, workdir = _placed(options, *load_preset(options.preset), options.workdir)
    if options.explore is None:
        return paint(run, experiment, workdir, out, film, live=options.live)
    from likeness.experiments.commands.explored import check_exploration, explore

    check_exploration(page := Path(options.explore), run)
    code = paint(run, experiment, workdir, out, film, live=options.live)
    explore(run, workdir, options.workdir, page)
    return code


def _sorted(options: Options) -> Options:
    """The same with all contents in ``contents`` where there are several, and ``styles`` complete."""
    content, contents, styles = options.content, options.contents, options.styles
    if not contents:
        return options
    if content is not None:
        styles = (content, *styles)
    elif Path(contents[0]).is_dir():
        contents, styles = contents[:1], contents[1:]
    return dataclasses.replace(options, content=None, contents=contents, styles=styles)


def _frames(options: Options, folder: Path) -> int:
    """The frames of a film."""
    from likeness.experiments.commands.filmed import frames_of, paint_frames
    from likeness.experiments.commands.painted import check_film, load_preset
    from likeness.experiments.commands.places import check_folder, check_kept, check_outside
    from likeness.experiments.style.film import Film
    from likeness.research.errors import UserError

    flags = {
        "--model": options.model,
        "--explore": options.explore,
        "--live": options.live,
        "--face": options.face,
        "--init": options.init,
    }
    flags |= {"--init": options.init, "--mask": options.mask, "--grid": options.grid, "--workdir": options.workdir}
    if given := [flag for flag, value in flags.items() if value]:
        raise UserError(
            f"{given[0]} is for one image, and {options.content} is a folder, which is taken for the frames of a film: leave "
            f"{given[0]} out, or paint each image alone by --contents {options.content}."
        )
    if any(Path(style).is_dir() for style in options.styles):
        raise UserError(
            f"{options.content} is a folder, which is taken for the frames of a film, and a film is painted in one look: give "
            f"style images, and no folder of them, or paint each image alone by --contents {options.content}."
        )
    out, animation = Path("stylized" if options.out == Options.out else options.out), None
    check_folder(out)
    if out.resolve() == folder.resolve():
        check_outside("--out", out, folder)
    if options.film is not None:
        check_film(animation := Path(options.film))
        check_outside("--film", animation, folder, without=out)
        check_kept([("--film", animation)], options.styles)
    preset = load_preset(options.preset)
    if preset[1].portrait is not None:
        raise UserError(
            f"{options.content} is a folder, which is taken for the frames of a film, and {options.preset} holds the faces of "
            f"one photograph to their people: film it by another preset, or paint each image alone by --contents "
            f"{options.content}."
        )
    frames = frames_of(folder, out)
    run, _ = _fitted(dataclasses.replace(options, content=str(frames[0])), *preset)
    return paint_frames(run, Film(), frames, out, animation)


def _many(options: Options) -> int:
    """A painting of each content in the look of each style."""
    from likeness.experiments.commands.painted import load_preset
    from likeness.experiments.commands.painted_folders import Placed, Work, check_apart, check_sheet, paint_all, works
    from likeness.research.errors import UserError

    flags = {"--film": options.film, "--live": options.live, "--face": options.face, "--explore": options.explore}
    for flag, given in flags.items():
        if given:
            raise UserError(f"{flag} is for one painting, and this paints several: leave it out.")
    if options.grid is not None:
        check_sheet(Path(options.grid))
    out = Path("stylized" if options.out == Options.out else options.out)
    contents = options.contents or ((options.content,) if options.content else ())
    if not contents:
        raise UserError("A folder of styles is given and no content: give CONTENT before it, an image or a folder of them.")
    if len(contents) > 1 and not options.styles:
        raise UserError(
            "--contents has several images and no style stands before it: give `likeness stylize STYLE --contents a.jpg b.jpg`."
        )
    asked = works(contents, options.styles, out)
    check_apart(asked, (*contents, *options.styles), out, None if options.grid is None else Path(options.grid))
    run, experiment = load_preset(options.preset)

    def placed(work: Work) -> Placed:
        one = dataclasses.replace(options, content=work.content, styles=work.styles)
        base = None if options.workdir is None else str(Path(options.workdir) / work.out.stem)
        return Placed(*_placed(one, run, experiment, base), work.out)

    return paint_all(asked, placed, None if options.grid is None else Path(options.grid))


def _placed(options: Options, run: "Run", experiment: "Stylization", workdir: str | None) -> "tuple[Run, Stylization, Path]":
    """The preset as the flags change it, and where its files are."""
    from likeness.experiments.commands.painted import place

    run, experiment = _fitted(options, run, experiment)
    title = "_".join([experiment.content.title, *(style.image.title for style in experiment.styles)])
    return run, experiment, place(run, experiment, workdir, "stylize", title)


def _fitted(options: Options, run: "Run", experiment: "Stylization") -> "tuple[Run, Stylization]":
    """The preset as the flags change it, in tiles where the memory asks for them."""
    from likeness.experiments.style.memory import tiled_if_needed

    run, experiment = _changed(options, run, experiment)
    experiment, said = tiled_if_needed(experiment)
    if said:
        say_first(said)
    return dataclasses.replace(run, experiment=experiment), experiment


def _changed(options: Options, run: "Run", experiment: "Stylization") -> "tuple[Run, Stylization]":
    """The preset as the flags change it.

    Raises:
        UserError: a flag that cannot be.
    """
    from likeness.research.errors import UserError

    try:
        return _asked(options, run, experiment)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{error}.") from error


def _begun(options: Options) -> str:
    if options.content is not None and Path(options.content).is_dir():
        return (
            f"painting the images in {options.content} as the frames of a film, each beginning with the one before (images of "
            "their own: --contents)"
        )
    content, styles = options.content or ", ".join(options.contents) or "a photograph", " and ".join(options.styles)
    styles += ", mixed" if len(options.styles) > 1 else ""
    how = f"by {options.model}" if options.model else f"by {options.preset}"
    return f"painting {content}{f' in the look of {styles}' if styles else ''} {how}: reading the images and the encoder"


def _check(options: Options) -> None:
    from likeness.research.errors import UserError

    if options.tile is not None and options.tile < 1:
        raise UserError(
            f"--tile is {options.tile}: give the side of a tile in pixels, such as 512. Without it the image is read whole, or "
            "in tiles of 512 where it is too large for the memory."
        )
    given, styles = len(options.weights), max(1, len(options.styles))
    if given and given != styles:
        raise UserError(f"--weights has {given} values for {styles} styles: give one for each.")
    if options.model is not None:
        return
    check_numbers(options.size, options.steps, options.style_scale)
    if options.grid is not None and not options.contents and not any(Path(style).is_dir() for style in options.styles):
        raise UserError("--grid is a contact sheet of several paintings, and this is one: leave it out, or give a folder.")
    _check_contents(options)


def _check_contents(options: Options) -> None:
    """Refuses what was surely meant otherwise: contents where styles stand, as by a shell's ``photos/*.jpg style.jpg``."""
    from likeness.research.errors import UserError

    if options.content is None or options.weights or len(options.styles) < 2:
        return
    folder = Path(options.content).resolve().parent
    beside = [style for style in options.styles[:-1] if Path(style).resolve().parent == folder]
    apart = Path(options.styles[-1]).resolve().parent != folder
    same = [style for style in options.styles if Path(style).resolve() == Path(options.content).resolve()]
    if (apart and len(beside) == len(options.styles) - 1) or same:
        several = " ".join([options.content, *beside])
        raise UserError(
            f"{(same or beside)[0]} stands where styles do, and {'is the content' if same else 'lies beside the content'}: the "
            "first image is the content, and all others are styles, which are mixed. For a painting of each say `likeness "
            f"stylize {options.styles[-1]} --contents {several}`; to mix them all the same say how much each counts, by "
            "--weights."
        )


def _asked(options: Options, run: "Run", experiment: "Stylization") -> "tuple[Run, Stylization]":
    """The preset as the flags change it."""
    from likeness.experiments.commands.held_faces import held
    from likeness.experiments.style.colors import AsTheyAre, ByHue, ByLuminance, Matched
    from likeness.experiments.style.starts import FromImage
    from likeness.research.images.sources import ImageFile

    styles = experiment.styles
    if options.styles:
        styles = tuple(dataclasses.replace(styles[0], image=ImageFile(path=path)) for path in options.styles)
    weights = options.weights or tuple(style.weight for style in styles)
    styles = tuple(dataclasses.replace(style, weight=weight) for style, weight in zip(styles, weights, strict=True))
    styles = masked(masked(styles, "--mask", "region", options.mask), "--style-mask", "mask", options.style_mask)
    if options.style_scale is not None:
        styles = tuple(dataclasses.replace(style, scale=options.style_scale) for style in styles)
    colors = {
        "preset": experiment.colors,
        "free": AsTheyAre(),
        "style": Matched(change="content"),
        "content": Matched(change="styles"),
        "luminance": ByLuminance(),
        "hues": ByHue(),
    }[options.colors]
    size = experiment.size if options.size is None else options.size
    objective = compared(
        experiment.objective,
        options,
        strength=options.strength,
        content_weight=options.content_weight,
        content_layers=options.content_layers,
    )
    # Checked before a pyramid is made of it.
    sized = dataclasses.replace(experiment, size=size)
    experiment = dataclasses.replace(
        sized,
        content=ImageFile(path=options.content) if options.content else experiment.content,
        styles=styles,
        pyramid=pyramid_of(experiment, size),
        objective=objective,
        last_terms=at_layers(experiment.last_terms, options.style_layers, options.style_weights),
        colors=colors,
        portrait=held(experiment.portrait, options.preset, options.content, options.face, size),
        start=FromImage(image=ImageFile(path=options.init)) if options.init else experiment.start,
        tile=experiment.tile if options.tile is None else options.tile,
    )
    steps = run.steps if options.steps is None else options.steps
    run = dataclasses.replace(run, experiment=experiment, steps=steps, seed=options.seed)
    return run, experiment


def _in_one_pass(options: Options) -> int:
    from likeness.experiments.commands.one_pass import Asked, paint_in_one_pass
    from likeness.research.errors import UserError

    fields = [field for field in dataclasses.fields(Options) if field.name not in _IN_ONE_PASS]
    if given := [field.name for field in fields if getattr(options, field.name) != field.default]:
        flag = f"--{given[0].replace('_', '-')}"
        raise UserError(f"{flag} is for a preset that paints by the pixels, and --model paints in one pass: leave one out.")
    if options.weights and not (min(options.weights) >= 0 and 0 < sum(options.weights) < float("inf")):
        said = " ".join(f"{weight:g}" for weight in options.weights)
        raise UserError(f"--weights is {said}: give finite numbers, 0 or more, not all 0.")
    trust(options.model or "", options)
    asked = Asked(
        contents=options.contents or ((options.content,) if options.content else ()),
        several=bool(options.contents),
        styles=options.styles,
        weights=options.weights,
        strength=options.strength,
        size=options.size,
        out=None if options.out == Options.out else options.out,
        grid=options.grid,
    )
    return paint_in_one_pass(options.model or "", asked)
