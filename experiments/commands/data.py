"""``likeness data check``: what is wrong with a data set, before a step is trained."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from likeness.experiments.commands.flags import cli

_CLEAN, _FAULTY = 0, 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """What a check looks for, and where it is told."""

    out: Annotated[str | None, tyro.conf.arg(aliases=["-o"], metavar="FILE", help_behavior_hint="(default: no page)")] = None
    """Write one page with the suspects as images; it needs no network."""
    json: bool = False
    """Print what was found as JSON, with every place."""
    fail_on: Literal["error", "warning", "never"] = "error"
    """From what on the exit code is 1."""
    classes: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME …")] = ()
    """The classes that there are; others are unknown."""
    format: Literal["told", "voc", "coco", "yolo"] = "told"
    """How a folder is annotated, where its content does not tell."""
    voc_pixels: Literal["one_based", "continuous"] = "one_based"
    """What numbers in VOC's XML are: indices of pixels from 1, or continuous coordinates from 0."""
    size: Annotated[tuple[int, int] | None, tyro.conf.arg(metavar="HEIGHT WIDTH", help_behavior_hint="(default: 640 640)")] = (
        None
    )
    """What a detector will be shown, for the sizes of objects."""
    strides: Annotated[tuple[int, ...], tyro.conf.arg(metavar="PIXELS …")] = (8, 16, 32)
    """Of the detector's maps."""
    anchors: Annotated[tuple[str, ...], tyro.conf.arg(metavar="WxH@STRIDE …")] = ()
    """Anchors on these maps, such as 10x13@8, whose best possible recall is told."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(Flags):
    """Look for faults in annotated images (VOC, COCO, YOLO) or in a folder of people, before a step is trained.

    Boxes without area, outside of their image, reversed or NaN; unknown classes; coordinates that are off by one or in another
    unit; images that EXIF turns; copies within and across parts; images without annotation and annotations without image;
    classes that are rare; objects that are too small for the strides, and anchors that fit none. Exits with 1 where there are
    errors.
    """

    data: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="FOLDER|CONFIG")]
    """A folder of annotated images, a JSON file of COCO's, a folder with a folder for each person, or a config."""


def main(arguments: list[str]) -> int:
    from likeness.research.errors import UserError

    action, *rest = arguments or ["--help"]
    if action in ("-h", "--help"):
        action, rest = "check", ["--help"]
    if action != "check":
        raise UserError(f"There is no `likeness data {action}`: one can check data, by `likeness data check FOLDER|CONFIG`.")
    if rest and not rest[0].startswith("-") and not _is_path(rest[0]):
        from likeness.experiments.commands.choose import parse

        # The fields of a config are flags here too, such as the path of its data.
        name, flags, run = parse("data check", Flags, rest)
        return _check(name, run.experiment, flags)
    options: Options = cli(Options, prog="likeness data check", arguments=rest)
    return _check(options.data, None if _is_path(options.data) else _configured(options.data), options)


def _check(name: str, configured: Any, options: Flags) -> int:
    from likeness.experiments.data_check.checking import check_data, source_of
    from likeness.experiments.data_check.page import write_page
    from likeness.experiments.display.phases import watched
    from likeness.experiments.display.progress import Phases
    from likeness.research.data.detection import DetectionFolder
    from likeness.research.errors import UserError

    if options.out is not None and Path(options.out).suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--out is {options.out}, which is no name of a page: give one that ends in .html.")
    pyramid = _pyramid(options.anchors)

    def annotated(path: str) -> DetectionFolder:
        return DetectionFolder(path, format=options.format, classes=options.classes, voc_pixels=options.voc_pixels)

    source = source_of(name, annotated) if configured is None else configured
    strides = tuple(grid.stride for grid in pyramid.levels) if pyramid else options.strides
    with Phases() as phases, watched(phases.tell):
        report = check_data(source, name, options.size, strides, pyramid)
        if options.out is not None:
            write_page(report, Path(options.out))
    if options.json:
        print(json.dumps(report.as_json(), indent=1))
    else:
        print("\n".join(report.lines()))
        if options.out is not None:
            print(f"page     {options.out}")
        elif report.of("error") or report.of("warning"):
            print("A page with the suspects as images: add --out check.html.")
    worst = {"error": ("error",), "warning": ("error", "warning"), "never": ()}[options.fail_on]
    return _FAULTY if any(finding.level in worst for finding in report.findings) else _CLEAN


def _is_path(data: str) -> bool:
    from likeness.experiments.shipped import shipped

    return not data.endswith(".py") and (Path(data).exists() or data not in shipped())


def _configured(config: str) -> Any:
    from likeness.experiments.config import load

    return load(config).experiment


def _pyramid(anchors: tuple[str, ...]):
    """The anchors of each stride."""
    from likeness.research.errors import UserError
    from likeness.research.geometry import AnchorGrid, AnchorPyramid

    shapes: dict[int, list[tuple[float, float]]] = {}
    for anchor in anchors:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)x(\d+(?:\.\d+)?)@([1-9]\d*)", anchor)
        if found is None or min(float(found[1]), float(found[2])) <= 0:
            raise UserError(f"--anchors holds {anchor}: give width, height and stride of each in pixels, such as 10x13@8.")
        shapes.setdefault(int(found[3]), []).append((float(found[1]), float(found[2])))
    if not shapes:
        return None
    return AnchorPyramid(levels=tuple(AnchorGrid(shapes=tuple(own), stride=stride) for stride, own in sorted(shapes.items())))
