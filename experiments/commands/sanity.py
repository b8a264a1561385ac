"""``likeness sanity WORKDIR|ENCODER``: do maps of saliency show what the network has learned, or the image?"""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from likeness.experiments.commands.flags import Network, TrustCode, cli, trust
from likeness.experiments.commands.recognizers import recognizer_dir
from likeness.experiments.visualization.methods import METHODS, Method

if TYPE_CHECKING:
    from likeness.experiments.visualization.sanity import Checked


@dataclasses.dataclass(frozen=True)
class Options:
    """Gives the network's layers random weights, from the top down and one by one, and looks what is left of maps of saliency.

    A map that says what the network has learned is another when the network has forgotten it (Adebayo et al. 2018). Writes
    sanity.json, curves.png and maps.png.
    """

    network: Network = None
    """The working directory of a trained recognizer, or published weights by name (`likeness weights list`)."""
    data: Annotated[str | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Images to look at, in folders in this folder; those that it was trained on unless given."""
    methods: Annotated[
        tuple[Method, ...],
        tyro.conf.arg(metavar="METHOD ...", help_behavior_hint="(default: all)"),
    ] = ()
    """Which methods: gradient, smooth_gradient, gradient_times_input, integrated_gradients, grad_cam, guided_grad_cam, guided,
    deconvnet, occlusion."""
    images: int = 16
    """How many images, evenly spaced."""
    size: Annotated[int | None, tyro.conf.arg(metavar="PIXELS", help_behavior_hint="(default: 128)")] = None
    """Side of the images for published weights; 128 unless given."""
    seed: int = 0
    """Of the random weights."""
    trust_code: TrustCode = False
    out: Annotated[str | None, tyro.conf.arg(aliases=["-o"], metavar="DIR", help_behavior_hint="(default: in WORKDIR)")] = None
    """Where table and figures go."""


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness sanity", arguments=arguments)
    from likeness.experiments.display import figures
    from likeness.experiments.display.contact_sheet import write
    from likeness.experiments.display.phases import watched
    from likeness.experiments.display.progress import Phases
    from likeness.experiments.storage.workdir import write_json
    from likeness.experiments.visualization.examples import thinned
    from likeness.experiments.visualization.microscope import Microscope
    from likeness.experiments.visualization.sanity import check
    from likeness.experiments.visualization.sanity_sheet import curves, maps
    from likeness.research.errors import UserError

    if options.images < 2:
        raise UserError(f"--images is {options.images}: give 2 or more.")
    network = options.network or str(recognizer_dir(None, "WORKDIR"))
    trust(network, options)
    with Phases() as phases, watched(phases.tell):
        scope = Microscope.load(network, options.size)
        found = scope.own_images() if options.data is None else scope.images_in(options.data)
        checked = check(scope, thinned(found, options.images), options.methods or METHODS, seed=options.seed)
    root = Path(options.out) if options.out else _default(network)
    write_json(root / "sanity.json", checked.to_json())
    figures.save(curves(checked), root / "curves.png")
    write(maps(checked), root / "maps.png")
    if left_out := found.left_out():
        print(left_out)
    if options.images > len(found):
        print(f"--images is {options.images} and there are {len(found)}: all were looked at")
    _print(checked)
    for method, reason in checked.skipped.items():
        print(f"left out {method}: {reason}")
    for path in (root / "curves.png", root / "maps.png", root / "sanity.json"):
        print(f"{path.suffix[1:]:<8} {path}")
    return 0


def _print(checked: "Checked") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from likeness.experiments.visualization.sanity import LITTLE, MUCH

    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title="Rank correlation with the trained network's maps, of networks in which layers got random weights",
        title_justify="left",
    )
    table.add_column("method")
    table.add_column(f"{checked.layers[0]} only", justify="right")
    table.add_column("every layer", justify="right")
    table.add_column("what stays")
    first = {method: measures["rank_absolute"][0].mean() for method, measures in checked.similarity["cascading"].items()}
    for method in sorted(first, key=lambda method: checked.kept(method).mean):
        kept = checked.kept(method)
        table.add_row(method, f"{first[method]:.2f}", f"{kept.mean:.2f} ± {2 * kept.error:.2f}", kept.stays)
    Console().print(table)
    print(
        f"What stays though nothing is learned shows the image, not the network: little below {LITTLE}, much above {MUCH}; "
        "±: two standard errors."
    )


def _default(network: str) -> Path:
    """In a working directory, beside its other figures; for published weights a folder of their name."""
    folder = Path(network)
    return folder / "figures" / "sanity" if folder.is_dir() else Path("runs") / "sanity" / network
