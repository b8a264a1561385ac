"""``likeness visualize WORKDIR|ENCODER``: what the units of a network see."""

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from likeness.experiments.commands.flags import Network, TrustCode, cli, trust
from likeness.experiments.commands.recognizers import recognizer_dir

if TYPE_CHECKING:
    from likeness.experiments.visualization.examples import LookedAt
    from likeness.experiments.visualization.microscope import Seen


_UNITS = 12


@dataclasses.dataclass(frozen=True)
class Options:
    """Finds the patches of images, signals or volumes that excite each unit most, and draws them, layer by layer, with what
    of each is seen.

    The first layers see small patches, edges and colors; deeper ones larger patches, textures and parts (Zeiler and Fergus
    2014). The units drawn are evenly spaced among those that any image excites. All units are in units.json.
    """

    network: Network = None
    """The working directory of a recognition, a classification or a stylization (it is its encoder then), or published weights
    by name (`likeness weights list`). Without it, the newest recognizer below runs, and where there is none, the encoder that
    comes with Likeness, textures."""
    data: Annotated[str | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Images to look at, in folders in this folder. Unless given, what it was trained on, and for published weights and
    stylization's encoders 1,000 cutouts of the two photographs that come with scikit-learn."""
    layers: Annotated[tuple[str, ...], tyro.conf.arg(metavar="LAYER ...")] = ()
    """Which layers; up to five spread over the depth unless given."""
    units: Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="(default: 12, or all of fewer)")] = None
    """How many units of a layer to draw."""
    k: int = 9
    """How many patches for each unit."""
    order: Literal["top", "bottom", "random"] = "top"
    """The patches that excite it most, least, or some of all that excite it."""
    places: Literal["once", "all"] = "once"
    """At most one patch of an image, or as many as there are."""
    rule: Literal["gradient", "deconvnet", "guided"] = "guided"
    """How to go back through ReLUs to what of a patch is seen."""
    images: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="(default: all)")] = None
    """Look at so many images, signals or volumes only, evenly spaced."""
    size: Annotated[int | None, tyro.conf.arg(metavar="PIXELS", help_behavior_hint="(default: 128)")] = None
    """Side of the images for published weights and stylization's encoders; 128 unless given."""
    columns: int = 4
    """Units in a row of a sheet."""
    patch: int = 96
    """Patches of images with more pixels a side are drawn with so many."""
    batch: int = 32
    """Images at a time."""
    trust_code: TrustCode = False
    out: Annotated[str | None, tyro.conf.arg(aliases=["-o"], metavar="DIR", help_behavior_hint="(default: in WORKDIR)")] = None
    """Where the sheets go."""


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness visualize", arguments=arguments)
    import numpy as np
    from rich.progress import Progress

    from likeness.experiments.display.contact_sheet import write
    from likeness.experiments.storage.workdir import write_json
    from likeness.experiments.visualization.examples import thinned
    from likeness.experiments.visualization.microscope import Microscope
    from likeness.experiments.visualization.patch_sheet import draw_layer, share, spread, stacked
    from likeness.research.errors import UserError
    from likeness.research.visualization import TopPatches

    for flag, value in (
        ("--units", options.units),
        ("--k", options.k),
        ("--batch", options.batch),
        ("--columns", options.columns),
        ("--patch", options.patch),
        ("--images", options.images),
    ):
        if value is not None and value < 1:
            raise UserError(f"{flag} is {value}: give 1 or more.")
    network = options.network or _own()
    trust(network, options)
    scope = Microscope.load(network, options.size)
    found = scope.own_examples() if options.data is None else scope.images_in(options.data)
    images = found if options.images is None else thinned(found, options.images)
    layers = scope.layers(images.shape, options.layers)
    top = TopPatches(k=options.k, order=options.order, once=options.places == "once")
    with Progress(transient=True) as progress:
        task = progress.add_task(f"looking at {len(images):,} examples", total=len(images))
        seen = scope.look(images, layers, top, batch=options.batch, tell=lambda done: progress.update(task, completed=done))
    root = Path(options.out) if options.out else _default(network)
    sheets = []
    for layer in layers:
        sheets.append(
            draw_layer(
                scope,
                images,
                layer,
                seen[layer],
                spread(seen[layer], _UNITS if options.units is None else options.units),
                options.rule,
                options.columns,
                options.patch,
            )
        )
        write(sheets[-1], root / _file(layer))
    write(stacked(sheets), root / "layers.png")
    write_json(root / "units.json", {layer: seen[layer].to_json(images) for layer in layers})
    for note in (*scope.notes, *_cut_short(options, found, images, seen)):
        print(note)
    for layer in layers:
        numbers = seen[layer].statistics
        print(
            f"{layer}: {len(numbers.mean)} units, each of {seen[layer].sees}; "
            f"{len(numbers.dead)} dead; active at {share(float(np.median(numbers.active)))} of the places (median)"
        )
    for path in [root / "layers.png", *(root / _file(layer) for layer in layers), root / "units.json"]:
        print(f"{path.suffix[1:]:<8} {path}")
    return 0


def _cut_short(options: Options, found: "LookedAt", images: "LookedAt", seen: "Mapping[str, Seen]") -> list[str]:
    """What was asked for and is not drawn, in sentences."""
    from likeness.research.data import Images

    told = []
    if isinstance(found, Images) and (left_out := found.left_out()):
        told.append(left_out)
    if options.images is not None and options.images > len(found):
        told.append(f"--images is {options.images:,} and there are {len(found):,}: all were looked at")
    if options.places == "once" and options.k > len(images):
        told.append(
            f"--k is {options.k} and there are {len(images)} examples, of each of which one patch is kept: a unit has at most "
            f"{len(images)} (--places all keeps more)"
        )
    for layer, what in seen.items():
        units, dead = len(what.statistics.mean), len(what.statistics.dead)
        if options.units is not None and options.units > units - dead:
            told.append(f"--units is {options.units} and {layer} has {units}, {dead} of them dead: {units - dead} are drawn")
    return told


def _own() -> str:
    """What is looked into where nothing is named: the newest recognizer below ``runs``, else the encoder that comes with
    Likeness."""
    found = recognizer_dir(None, "WORKDIR")
    if found.is_dir():
        return str(found)
    print("likeness: WORKDIR is not given: the encoder that comes with Likeness (textures) is looked into.", file=sys.stderr)
    return "textures"


def _default(network: str) -> Path:
    """In a working directory, beside its other figures; for published weights a folder of their name."""
    folder = Path(network)
    return folder / "figures" / "units" if folder.is_dir() else Path("runs") / "visualize" / network


def _file(layer: str) -> str:
    return f"{layer.replace('/', '_')}.png"
