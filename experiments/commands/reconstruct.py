"""``likeness reconstruct CONTENT -o OUT``: what each layer still knows of an image."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from likeness.experiments.commands.flags import cli
from likeness.experiments.commands.streams import say_first
from likeness.experiments.commands.style_flags import check_numbers


@dataclasses.dataclass(frozen=True)
class Options:
    """Paints CONTENT again from noise, out of one layer's activations at a time, and shows the images in one row.

    An early layer gives the image back, a late one what is in it but not where exactly: why style transfer compares the
    content at a layer in the middle (Gatys et al. 2015, figure 1; Mahendran and Vedaldi 2015).
    """

    content: Annotated[tyro.conf.Positional[str | None], tyro.conf.arg(metavar="CONTENT")] = None
    """An image. Without it, the preset's own."""
    out: Annotated[str, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = "reconstructions.png"
    """Where the row of images goes."""
    preset: Annotated[str, tyro.conf.arg(metavar="CONFIG")] = "stylization/quickstart"
    """The config whose encoder is looked at: a shipped one, or a file."""
    layers: Annotated[tuple[str, ...], tyro.conf.arg(metavar="LAYER ...")] = ()
    """Which layers; without it, those at which the preset compares the style and the content."""
    size: int = 192
    """Longer side in pixels."""
    steps: int = 200
    """How many steps for each layer."""
    seed: int = 0
    """Of the noise."""
    workdir: Annotated[str | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="(default: in runs/reconstruct)")] = None
    """Where checkpoints and figures are, a directory a layer. The same command on the same image goes on where it stopped."""


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness reconstruct", arguments=arguments)
    say_first(f"painting {options.content or 'a photograph'} again from the layers of {options.preset}: reading them")
    check_numbers(options.size, options.steps)
    from likeness.experiments.commands.painted import load_preset, place
    from likeness.experiments.commands.places import check_figure, check_kept
    from likeness.experiments.display import figures
    from likeness.experiments.display.progress import Terminal
    from likeness.experiments.style.colors import AsTheyAre
    from likeness.experiments.style.pyramid import Pyramid
    from likeness.experiments.style.starts import FromNoise
    from likeness.experiments.style.terms import Term, check_layers, layers
    from likeness.experiments.training.trainer import train
    from likeness.research.errors import UserError
    from likeness.research.images.sources import ImageFile
    from likeness.research.losses import Content, TotalVariation

    out = Path(options.out)
    check_figure("--out", out)
    check_kept([("--out", out)], [options.content])
    run, preset = load_preset(options.preset)
    names = options.layers or tuple(
        dict.fromkeys((*layers(preset.objective.style_terms), *layers(preset.objective.content_terms)))
    )
    content = ImageFile(path=options.content) if options.content else preset.content
    try:
        asked = {name: Term(loss=Content(layers=(name,))) for name in names}
        check_layers(preset.encoder, tuple(asked.values()))
        objective = dataclasses.replace(preset.objective, beta=0.0, image_terms=(Term(loss=TotalVariation(), weight=0.02),))
        one = dataclasses.replace(
            preset,
            content=content,
            colors=AsTheyAre(),
            size=options.size,
            pyramid=Pyramid(),
            start=FromNoise(),
        )
        experiments = {
            name: dataclasses.replace(one, objective=dataclasses.replace(objective, content_terms=(term,)))
            for name, term in asked.items()
        }
        runs = {
            name: dataclasses.replace(run, experiment=experiment, steps=options.steps, seed=options.seed)
            for name, experiment in experiments.items()
        }
    except ValueError as error:
        raise UserError(f"{str(error).rstrip('.')}.") from error
    shown = {}
    for name, layer_run in runs.items():
        file = name.replace("/", "_")
        given = str(Path(options.workdir) / file) if options.workdir else None
        workdir = place(layer_run, experiments[name], given, "reconstruct", f"{content.title}_{file}")
        with Terminal(layer_run.steps, layer_run.evaluate_every) as terminal:
            terminal.say(f"layer {name}")
            painted = train(layer_run, workdir, reporter=terminal)
        left = painted.evaluation.metrics["content/relative"]
        assert isinstance(left, float)
        shown[f"{name}: {100 * left:.2g} % left"] = painted.evaluation.images["image"]
    figures.save(figures.side_by_side({content.title: content.open(options.size), **shown}), out)
    print("how much of a layer's energy the image painted from it still differs by is written above it")
    print(f"image  {out}")
    return 0
