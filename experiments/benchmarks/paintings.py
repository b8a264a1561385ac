"""Which way to paint is better at what? Given contents in given styles, each painted by every method, one after another.

    python -m likeness.experiments.benchmarks.paintings --contents $LIKENESS_DATA/pictures/content \
        --styles $LIKENESS_DATA/pictures/style --methods Gram Wasserstein stylization/strotss --size 256

A method is a preset (its name has a slash; ``stylization/strotss:200`` takes 200 steps), a published network that paints in
one pass (``johnson_wave:great_wave``, and the style that it has learned, the only one that it paints), or one of Gram and
Wasserstein: VGG-16 of torchvision, content at relu4_2, style at relu1_1 to relu5_1, Adam from the content image. Unlike
stylization/bench, which paints all in one program, methods may have pyramids and losses of any shape, and each painting is a
run of its own below ``--out``. Goes on where it was stopped. Without ``--contents`` and ``--styles`` it paints a procedural
face and two photographs in three procedural paintings.

Every painting is read back from its 8-bit file. Contents are cut to three by two. They are evaluated by SqueezeNet 1.1, which
painted none of them (``--evaluator random``: by random filters, with nothing to fetch), by colors, patches and structure, and
by LPIPS of AlexNet where its weights are at hand. Differences from the first method come with 95 % intervals over contents and
styles (:func:`~likeness.research.metrics.crossed.crossed_difference`). Where a person has brought the weights inception_art,
each method's set of paintings has its ArtFID. Writes paintings.md, paintings.json and paintings.png.
"""

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import jax
import numpy as np
import tyro

from likeness.experiments.commands.painted import digest
from likeness.experiments.config import load, to_json
from likeness.experiments.display.contact_sheet import Tile, draw
from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.run import Run
from likeness.experiments.storage.workdir import Workdir, read_json
from likeness.experiments.style import Pyramid, Stylization, Term
from likeness.experiments.style.art_fid import ArtFID, ArtFIDScore
from likeness.experiments.style.cropped import Cropped
from likeness.experiments.style.evaluator import StyleEvaluator
from likeness.experiments.style.painting import Stylizer
from likeness.experiments.style.perceptual import Perceptual
from likeness.experiments.training.trainer import train
from likeness.research.data.paths import expand_path
from likeness.research.encoders import SqueezeNet
from likeness.research.errors import UserError
from likeness.research.files import write_atomically
from likeness.research.images import read_image, write_image
from likeness.research.images.portraits import ProceduralFace
from likeness.research.images.sources import ImageFile, ImageSource, Painting, Photograph
from likeness.research.losses import Gram, Wasserstein
from likeness.research.losses.style.layers import ActivationLoss
from likeness.research.metrics.crossed import CrossedDifference, crossed_difference
from likeness.research.synthetic.styles import CurlStrokes, VoronoiMosaic, Woodcut
from likeness.research.weights import Pretrained, named

STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
SHOWN = {
    "held_out/content/relative": "the features of the content",
    "held_out/style/relative": "the statistics of the style",
    "content/lpips": "LPIPS from the content",
    "content/ssim": "the structure of the content",
    "style/color_distance": "the colors of the style",
    "style/patch_distance": "the small patches of the style",
}
"""What is compared, where it was measured, and what it is about."""
HIGHER = ("content/ssim",)
"""Of these more is better."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Benchmark:
    """What is painted, how, and where the results go."""

    contents: str | None = None
    """A folder of images."""
    styles: str | None = None
    """A folder of images."""
    methods: tuple[str, ...] = ("Gram", "Wasserstein")
    """How it is painted; the others are compared with the first."""
    size: int = 256
    """Longer side of the paintings."""
    steps: int | None = None
    """How many steps; without it, 200 and those of the presets."""
    evaluator: Literal["squeezenet11", "random"] = "squeezenet11"
    """By whom the paintings are evaluated."""
    out: str = "runs/paintings"
    """Where paintings and tables go."""


@dataclasses.dataclass(frozen=True)
class Method:
    """One way to paint, and the styles that it can paint."""

    name: str
    run: Run | None = None
    """Whose experiment is a Stylization of one style; None for a network."""
    network: str = ""
    style: str = ""
    """The only one that a network knows."""
    given: str = ""
    """What it was called by --methods, where that tells more than its name; its paintings lie below a folder of that."""

    def paints(self, style: ImageSource) -> bool:
        """Whether it can paint in the look of this one."""
        return not self.style or style.title == self.style

    def paint(self, content: ImageSource, style: ImageSource, options: Benchmark, out: Path) -> tuple[np.ndarray, bool]:
        """The painting as it is in its 8-bit file, and whether it is new: it was not there already, of the same bytes."""
        read = digest([content.fingerprint(), style.fingerprint()])[:8]
        folder = (self.given or self.name).replace("/", "_").replace(":", "_")
        workdir = out / folder / f"{content.title}_{style.title}_{read}"
        if self.run is None:
            file = workdir / "image.png"
            if new := not file.exists() or max(read_image(file).pixels.shape[:2]) != options.size:
                workdir.mkdir(parents=True, exist_ok=True)
                write_image(file, Stylizer.load(self.network)(content.open(options.size)))
            return read_image(file).pixels, new
        experiment = self.run.experiment
        assert isinstance(experiment, Stylization)
        look = dataclasses.replace(experiment.styles[0], image=style)
        experiment = dataclasses.replace(experiment, content=content, styles=(look,), size=options.size)
        steps = self.run.steps if options.steps is None else options.steps
        run = dataclasses.replace(self.run, experiment=experiment, steps=steps)
        files = Workdir(workdir)
        if new := not files.summary.exists() or read_json(files.config) != json.loads(json.dumps(to_json(run))):
            train(run, workdir)
        return read_image(files.images / "image.png").pixels, new


@dataclasses.dataclass(frozen=True)
class Painted:
    """One painting, and how it was evaluated."""

    method: str
    content: str
    style: str
    pixels: np.ndarray
    metrics: Mapping[str, float]


def by_vgg16(loss: ActivationLoss) -> Run:
    """stylization/gatys_vgg16 at one size, with another loss of the style."""
    run = load("stylization/gatys_vgg16")
    assert isinstance(run.experiment, Stylization)
    objective = dataclasses.replace(run.experiment.objective, style_terms=(Term(loss=loss),))
    experiment = dataclasses.replace(run.experiment, objective=objective, pyramid=Pyramid())
    return dataclasses.replace(run, experiment=experiment, steps=200)


def method(name: str) -> Method:
    """The method of a name.

    Raises:
        UserError: there is none.
    """
    if name in ("Gram", "Wasserstein"):
        loss = {"Gram": Gram, "Wasserstein": Wasserstein}[name](layers=STYLE)
        return Method(name, by_vgg16(loss))
    head, _, tail = name.rpartition(":")
    preset, steps = (head, tail) if "/" not in tail and ("/" in head or head.endswith(".py")) else (name, "")
    if "/" in preset or preset.endswith(".py"):
        run = load(preset)
        if steps:
            if not steps.isdecimal() or int(steps) < 1:
                raise UserError(f"--methods: {name} must end with how many steps, such as {preset}:200.")
            run = dataclasses.replace(run, steps=int(steps))
        if not isinstance(run.experiment, Stylization) or len(run.experiment.styles) != 1:
            raise UserError(f"--methods: {preset} is no preset of a Stylization in one style.")
        return Method(Path(preset).stem, run, given=name)
    network, _, style = name.partition(":")
    if not style:
        raise UserError(
            f"--methods: there is no {name}; give Gram, Wasserstein, a preset such as stylization/crowson, or a network and "
            "the style that it has learned, such as johnson_wave:great_wave."
        )
    return Method(network, network=network, style=style)


def told_apart(methods: Sequence[Method]) -> list[Method]:
    """The same, each by its own name: presets of one stem by what they were given as."""
    names = [how.name for how in methods]
    return [dataclasses.replace(how, name=how.given or how.name) if names.count(how.name) > 1 else how for how in methods]


def images(folder: str | None, flag: str, builtin: Sequence[ImageSource]) -> list[ImageSource]:
    """Those of a folder by name, or the built-in ones.

    Raises:
        UserError: there is no folder, or no image in it.
    """
    if folder is None:
        return list(builtin)
    path = expand_path(folder, flag)
    found = sorted(each for each in path.glob("*") if each.suffix.lower() in ENDINGS)
    if not found:
        raise UserError(f"{flag} {folder} is no folder with images ({' '.join(ENDINGS)}) in it.")
    stems = [each.stem for each in found]
    if twice := next((stem for stem in stems if stems.count(stem) > 1), None):
        raise UserError(f"{flag} {folder} has two images called {twice}: paintings are told apart by that, so rename one.")
    return [ImageFile(path=str(each)) for each in found]


def evaluator(options: Benchmark) -> StyleEvaluator:
    """By whom the paintings are evaluated: with LPIPS where its weights are at hand."""
    lpips = Perceptual(network="alex") if all(named(name).find() for name in ("alexnet", "lpips_alex")) else None
    if options.evaluator == "random":
        return StyleEvaluator(perceptual=lpips, size=options.size)
    return StyleEvaluator(
        encoder=FrozenEncoder(encoder=SqueezeNet(), weights=Pretrained(name="squeezenet11")),
        content=("fire5/concat",),
        style=("relu_conv1", "fire3/concat", "fire5/concat", "fire7/concat"),
        perceptual=lpips,
        size=options.size,
    )


def cut(source: ImageSource, size: int, folder: Path) -> ImageSource:
    """The middle of an image, three by two, as a file: all contents of one shape are painted by one program."""
    file, pixels = folder / f"{source.title}.png", Cropped(source=source, proportions=(2, 3)).open(size)
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_image(file, pixels)
    kept = read_image(file).pixels
    if kept.shape != pixels.shape or np.abs(kept - pixels).max() > 1 / 255:
        raise UserError(f"{file} was cut from another image of this name: give --out another folder.")
    return ImageFile(path=str(file))


def kept(source: ImageSource, folder: Path) -> ImageSource:
    """An image's file, copied to where it lies by its bytes, so that nothing depends on where it was."""
    if not isinstance(source, ImageFile):
        return source
    file = folder / source.fingerprint()[:8] / Path(source.path).name
    if not file.exists():
        write_atomically(file, expand_path(source.path).read_bytes())
    return ImageFile(path=str(file))


def painted(options: Benchmark, out: Path) -> tuple[list[Painted], list[ImageSource], list[ImageSource]]:
    """Paints what is missing and evaluates all of it, with a line for each painting."""
    contents = images(
        options.contents, "--contents", (ProceduralFace(person=3), Photograph(name="china"), Photograph(name="flower"))
    )
    contents = [cut(source, options.size, out / f"contents_{options.size}") for source in contents]
    builtin = [Painting(style=style) for style in (CurlStrokes(), VoronoiMosaic(), Woodcut())]
    styles = [kept(source, out / "styles") for source in images(options.styles, "--styles", builtin)]
    judge = evaluator(options)
    weights, measured = judge.variables(), []
    methods = told_apart([method(name) for name in options.methods])
    asked = [(how, c, s) for how in methods for c in contents for s in styles if how.paints(s)]
    took: list[float] = []
    for number, (how, content, style) in enumerate(asked, 1):
        begun = time.monotonic()
        pixels, new = how.paint(content, style, options, out)
        look, read = style.open(options.size), (judge.content, judge.style)
        metrics = judge.metrics(weights, judge.encoder, weights["encoder"], read, pixels, content.open(options.size), (look,))
        # Those of the encoder that painted are not asked for: methods have several.
        metrics = {name: value for name, value in metrics.items() if name in SHOWN}
        measured.append(Painted(how.name, content.title, style.title, pixels, metrics))
        # One that was there already says nothing of how long others take.
        took += [time.monotonic() - begun] if new else []
        left = f"; about {sum(took) / len(took) * (len(asked) - number) / 60:.0f} min left" if took else ""
        print(f"{number} of {len(asked)}: {how.name}, {content.title} in {style.title}{left}", flush=True)
    return measured, contents, styles


def set_metric() -> ArtFID | None:
    """What measures sets of paintings; None, and a sentence, where weights of it are not at hand."""
    lacking = [weights for name in ("inception_art", "alexnet", "lpips_alex") if not (weights := named(name)).find()]
    if not lacking:
        return ArtFID()
    print("ArtFID is left out, for it takes weights that are not on this machine.", flush=True)
    for weights in lacking:
        print(f"  {weights.name}: {weights.how_to_get()}", flush=True)
    return None


def scores(
    works: Sequence[Painted], contents: Sequence[ImageSource], styles: Sequence[ImageSource], size: int
) -> dict[str, ArtFIDScore]:
    """ArtFID of what each method has painted, with a line for each; of methods with a single painting there is none."""
    metric = set_metric()
    if metric is None:
        return {}
    found, kept = {}, {source.title: source.open(size) for source in contents}
    try:
        weights = metric.variables()
        looks = dict(zip((s.title for s in styles), metric.features(weights, (s.open(size) for s in styles)), strict=True))
        for name in dict.fromkeys(work.method for work in works):
            own = [work for work in works if work.method == name]
            if len(own) < 2:
                continue
            print(f"ArtFID: {len(own)} paintings by {name} are compared with their contents and styles", flush=True)
            paintings = [work.pixels for work in own]
            apart = metric.content_distances(weights, paintings, [kept[work.content] for work in own])
            seen = np.stack([looks[work.style] for work in own])
            found[name] = metric.score(metric.features(weights, paintings), seen, apart)
    except UserError as error:
        print(f"ArtFID is left out: {error}", flush=True)
        return {}
    return found


def compared(first: str, second: str, metric: str, works: Sequence[Painted]) -> CrossedDifference | None:
    """Of the pairs that both methods painted; None where there are none."""
    values = {(w.method, w.content, w.style): w.metrics[metric] for w in works if metric in w.metrics}
    both = [(c, s) for m, c, s in values if m == first and (second, c, s) in values]
    contents, styles = (list(dict.fromkeys(names)) for names in zip(*both, strict=True)) if both else ([], [])
    if not both or len(both) != len(contents) * len(styles):
        return None
    of = {m: np.array([[values[m, c, s] for s in styles] for c in contents]) for m in (first, second)}
    return crossed_difference(of[first], of[second])


def table(works: Sequence[Painted], sets: Mapping[str, ArtFIDScore] | None = None) -> str:
    """Markdown: the means of each method, its differences from the first, and in a sentence what is resolved.

    Args:
        works: all paintings.
        sets: ArtFID of each method's paintings, where it was measured.
    """
    methods = list(dict.fromkeys(work.method for work in works))
    metrics = [name for name in SHOWN if any(name in work.metrics for work in works)]
    lines = [f"| mean over its paintings | {' | '.join(methods)} |", f"|---|{'---|' * len(methods)}"]
    for metric in metrics:
        means = [np.mean([w.metrics[metric] for w in works if w.method == m and metric in w.metrics]) for m in methods]
        lines.append(f"| {metric} | {' | '.join(f'{mean:.3f}' for mean in means)} |")
    if sets:
        lines += _of_sets(methods, sets)
    lines += ["", f"| difference from {methods[0]}, on the pairs that both painted | {' | '.join(methods[1:])} |"]
    lines.append(f"|---|{'---|' * (len(methods) - 1)}")
    told: dict[str, dict[str, list[str]]] = {name: {"better": [], "worse": []} for name in methods[1:]}
    for metric in metrics:
        differences = {m: compared(m, methods[0], metric, works) for m in methods[1:]}
        lines.append(f"| {metric} | {' | '.join(d.text() if d else '' for d in differences.values())} |")
        for name, difference in differences.items():
            if difference is not None and difference.resolved:
                better = (difference.value > 0) == (metric in HIGHER)
                told[name]["better" if better else "worse"].append(SHOWN[metric])
    lines.append("")
    for name in methods[1:]:
        found = " and ".join(f"{how} at {', '.join(what)}" for how, what in told[name].items() if what)
        lines.append(f"{name} is {found or 'no different, as far as these pairs can say,'} beside {methods[0]}.")
    return "\n".join(lines) + "\n"


def _of_sets(methods: Sequence[str], sets: Mapping[str, ArtFIDScore]) -> list[str]:
    """What was measured of all of a method's paintings, and what it says of so few."""
    asked = {
        "paintings in the set": lambda score: f"{score.paintings}",
        "style/frechet of the set": lambda score: f"{score.style_distance:.3f}",
        "art_fid of the set": lambda score: f"{score.value:.3f}",
    }
    lines = [""]
    lines += [f"| of all its paintings | {' | '.join(methods)} |", f"|---|{'---|' * len(methods)}"]
    for label, text in asked.items():
        lines.append(f"| {label} | {' | '.join(text(sets[m]) if m in sets else '' for m in methods)} |")
    if not all(score.extrapolated for score in sets.values()):
        counts = sorted({score.paintings for score in sets.values() if not score.extrapolated})
        lines += [
            "",
            f"The distance of styles is FID of {' and '.join(map(str, counts))} paintings, by ArtFID's own Inception. FID is "
            "biased: the fewer images, the larger it is, and ArtFID's authors take 50,000. So compare methods that painted the "
            "same pairs, and no published value.",
        ]
    return lines


def draw_sheet(works: Sequence[Painted], contents: Sequence[ImageSource], styles: Sequence[ImageSource], out: Path) -> None:
    """A row for each content and style: both, then every method's painting with its two held-out errors."""
    methods = list(dict.fromkeys(work.method for work in works))
    by_place = {(w.method, w.content, w.style): w for w in works}
    height, width, _ = works[0].pixels.shape
    step = max(1, round(max(height, width) / 160))
    blank = np.ones_like(works[0].pixels[::step, ::step])
    rows = []
    for content in contents:
        for style in styles:
            seen = content.open(max(height, width)), Cropped(source=style, proportions=(height, width)).open(max(height, width))
            tiles = [Tile(image[::step, ::step], shown.title) for image, shown in zip(seen, (content, style), strict=True)]
            for name in methods:
                work = by_place.get((name, content.title, style.title))
                errors = "" if work is None else " · ".join(f"{work.metrics[m]:.2f}" for m in list(SHOWN)[:2])
                tiles.append(Tile(blank if work is None else work.pixels[::step, ::step], errors))
            rows.append(tiles)
    draw(rows, out, heads=("content", "style", *methods))


def main() -> None:
    options = tyro.cli(Benchmark, description=__doc__)
    # Configs name the images that lie there: from another directory it is the same benchmark.
    out = Path(options.out).absolute()
    jax.config.update("jax_compilation_cache_dir", str(out / "compiled"))
    works, contents, styles = painted(options, out)
    text = table(works, scores(works, contents, styles, options.size))
    write_atomically(out / "paintings.md", text)
    entries = [{"method": w.method, "content": w.content, "style": w.style, "metrics": dict(w.metrics)} for w in works]
    write_atomically(out / "paintings.json", json.dumps(entries, indent=2) + "\n")
    draw_sheet(works, contents, styles, out / "paintings.png")
    print(text)


if __name__ == "__main__":
    main()
