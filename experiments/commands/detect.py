"""``likeness detect IMAGE|FOLDER … -o OUT``: where are the objects, or the faces?"""

import collections
import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from likeness.experiments.commands.flags import TrustCode, cli, trust

if TYPE_CHECKING:
    import numpy as np

    from likeness.experiments.detection.coco_file import Found
    from likeness.experiments.detection.detector import Detector, ImageDetections
    from likeness.experiments.display.boxes import Labels
    from likeness.research.data import BadImage
    from likeness.research.geometry import Detections

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_SHOWN = 3
"""Files that cannot be used, of which why is said."""
_WAITING = 4
"""Drawn images that wait to be written."""
_Share = tyro.conf.arg(metavar="SHARE", help_behavior_hint="(default: the detector's own)")
_Count = tyro.conf.arg(metavar="N", help_behavior_hint="(default: the detector's own)")


@dataclasses.dataclass(frozen=True)
class Options:
    """Finds objects, draws them, and writes them as COCO JSON."""

    images: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="IMAGE|FOLDER ...")]
    """Images, or folders of images, whose own folders are looked into too."""
    model: Annotated[str | None, tyro.conf.arg(metavar="NAME|DIR", help_behavior_hint="(default: fastestdet)")] = None
    """Published weights (fastestdet for COCO's 80 classes, yunet, yunet_s or mtcnn for faces), or the working directory of a
    run that has learned a detector."""
    faces: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Find faces and their landmarks: the same as --model yunet."""
    out: Annotated[
        str | None,
        tyro.conf.arg(
            aliases=["-o"], metavar="FILE|DIR", help_behavior_hint="(default: detected.png, or detected/ for several images)"
        ),
    ] = None
    """Where the images with boxes go: a file for one image, a folder for several."""
    coco: Annotated[
        str | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: detections.json in that folder)")
    ] = None
    """Where the boxes go, as COCO JSON."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the COCO JSON and nothing else, and draw only where --out says so."""
    draw: bool = True
    """Draw the boxes."""
    labels: Literal["auto", "names", "scores", "none"] = "auto"
    """What is written at a box: its class and score, its score, or nothing. auto leaves out the name of an only class."""
    explain: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Draw too what of each image made its surest boxes, beside the drawn image as NAME_explained.png. It takes as long as
    looking at so many images as there are masks."""
    masks: int = 1000
    """With --explain: under how many random masks the image is looked at. Fewer are quicker, and their maps noisier."""
    score_threshold: Annotated[float | None, _Share] = None
    """Leave out what scores this or less."""
    iou_threshold: Annotated[float | None, _Share] = None
    """Of boxes of one class that overlap by more, only the surest remains."""
    max_detections: Annotated[int | None, _Count] = None
    """The most in one image."""
    class_agnostic: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Let boxes of different classes overlap no more than boxes of one: an object has one class, the surest."""
    classes: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...", help_behavior_hint="(default: all)")] = ()
    """Only these classes."""
    slice: Annotated[int | None, tyro.conf.arg(metavar="PIXELS", help_behavior_hint="(default: none)")] = None
    """Look at slices of this side too, for what is small in a large image; boxes are put together at the seams."""
    overlap: float = 0.25
    """Of neighboring slices, as a share of their side. What is smaller than the overlap is whole in one of them."""
    on_bad: Literal["skip", "refuse"] = "skip"
    """What to do about a file in a folder that cannot be used. One that is named is always refused."""
    trust_code: TrustCode = False


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness detect", arguments=arguments)
    from likeness.research.errors import UserError

    if options.faces and options.model not in (None, "yunet", "yunet_s", "mtcnn"):
        raise UserError(f"--faces is --model yunet, and --model is {options.model}: give one of them.")
    if options.explain and not (options.draw and (options.out is not None or not options.json)):
        raise UserError(
            "--explain draws an image, and nothing is to be drawn: leave out --no-draw, and with --json give --out."
        )
    if options.masks < 1:
        raise UserError(f"--masks is {options.masks}: give 1 or more.")
    if not options.images:
        raise UserError("No image is named: give one, or a folder of images, as in `likeness detect photo.jpg`.")
    name = options.model or ("yunet" if options.faces else "fastestdet")
    # Found out before anything is loaded.
    files = _Files.find(options)
    trust(name, options)
    from likeness.experiments.display.phases import watched
    from likeness.experiments.display.progress import Phases

    with Phases() as phases, watched(phases.tell):
        phases.tell(f"loading {name}", 0, 1)
        from likeness.experiments.detection.detector import Detector

        detector = Detector.load(name)
        phases.tell(f"loading {name}", 1, 1)
        return _detect(options, detector, files)


@dataclasses.dataclass(frozen=True)
class _Files:
    """What is read, and where what is made of it goes."""

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    """What each is called below the folder that it was found in."""
    found: frozenset[int]
    """Those that nobody named, by index."""
    folder: Path
    """Where several are drawn."""
    drawn: tuple[Path, ...] | None
    """Where each is drawn; None for nowhere."""
    coco: Path | None

    @classmethod
    def find(cls, options: Options) -> "_Files":
        """The files that are meant.

        Raises:
            UserError: there are none, or what is made of them cannot be written.
        """
        from likeness.experiments.commands.places import images_below
        from likeness.experiments.detection.explanation import explained_place
        from likeness.research.data import printable
        from likeness.research.data.paths import expand_path
        from likeness.research.errors import UserError

        given = [expand_path(each, "IMAGE") for each in options.images]
        several = len(given) > 1 or given[0].is_dir()
        folder = Path(options.out or "detected")
        files: list[tuple[Path, str, bool]] = []
        for path in given:
            if path.is_dir():
                files += [(each, str(each.relative_to(path)), True) for each in images_below(path, folder)]
            elif path.exists():
                files.append((path, path.name, False))
            else:
                raise UserError(f"There is no {printable(path)}: give an image, or a folder of images.")
        names = _apart([name for _, name, _ in files])
        drawn = None
        if options.draw and (options.out is not None or not options.json):
            # a.bmp and a.bmp.png would be drawn to one place, and a.jpg and a.png explained at one.
            made = explained_place if options.explain else None
            apart = _apart(list(map(_as_drawn, names)), made)
            drawn = tuple(folder / name for name in apart) if several else (Path(options.out or "detected.png"),)
        coco = Path(options.coco) if options.coco else None
        if coco is None and several and not options.json:
            coco = folder / "detections.json"
        why = [explained_place(place) for place in drawn or ()] if options.explain else []
        _check_places([path for path, _, _ in files], drawn, folder if several else None, coco, why)
        return cls(
            paths=tuple(path for path, _, _ in files),
            names=tuple(names),
            found=frozenset(index for index, (_, _, found) in enumerate(files) if found),
            folder=folder,
            drawn=drawn,
            coco=coco,
        )


def _check_places(
    read: Sequence[Path], drawn: Sequence[Path] | None, folder: Path | None, coco: Path | None, why: Sequence[Path] = ()
) -> None:
    """Finds out that something cannot be written, or would be written over what is read.

    Raises:
        UserError: it is one of those.
    """
    from likeness.experiments.commands.places import check_place
    from likeness.research.data import printable
    from likeness.research.errors import UserError

    if folder is not None and drawn is not None:
        if folder.exists() and not folder.is_dir():
            raise UserError(f"--out is {printable(folder)}, a file, and several images go into a folder: give one.")
        check_place("--out", folder / "detections.json", "file of detections")
    elif drawn is not None:
        if drawn[0].is_dir():
            raise UserError(f"--out is the folder {printable(drawn[0])}, and one image goes into a file: give its name.")
        if drawn[0].suffix.lower() not in _FORMATS:
            raise UserError(f"--out is {printable(drawn[0])}: a drawn image ends in {', '.join(_FORMATS)}.")
        check_place("--out", drawn[0])
    if coco is not None:
        check_place("--coco", coco, "file of detections")
        if drawn is not None and coco.resolve() in {place.resolve() for place in (*drawn, *why)}:
            raise UserError(f"--coco and --out are both {printable(coco)}: give two places.")
    originals = {path.resolve() for path in read}
    for place in (*(drawn or ()), *([coco] if coco else []), *why):
        if place.resolve() in originals:
            raise UserError(f"{printable(place)} would be written over, and it is one of the images: give --out another place.")


def _detect(options: Options, detector: "Detector", files: _Files) -> int:
    import json
    import time

    from likeness.experiments.detection.coco_file import as_coco
    from likeness.research.files import write_atomically

    began = time.perf_counter()
    skipped: list[BadImage] = []
    found = _look(options, detector, files, skipped)
    seconds = time.perf_counter() - began
    said = as_coco(found, detector.model)
    if files.coco is not None:
        files.coco.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(files.coco, json.dumps(said, indent=1) + "\n")
    if options.json:
        print(json.dumps(said))
    else:
        _summarize(files, found, seconds, explained=options.explain)
    for error in skipped[:_SHOWN]:
        print(f"likeness: left out: {error}", file=sys.stderr)
    if len(skipped) > _SHOWN:
        print(f"likeness: left out: {len(skipped) - _SHOWN} more files that cannot be used.", file=sys.stderr)
    return 0


def _look(options: Options, detector: "Detector", files: _Files, skipped: "list[BadImage]") -> "list[Found]":
    """Finds, draws and says, one image after the other; drawing and writing go on while the next ones are looked at."""
    from concurrent.futures import Future, ThreadPoolExecutor

    from likeness.experiments.detection.coco_file import Found
    from likeness.experiments.display.phases import telling
    from likeness.research.data import printable
    from likeness.research.errors import UserError
    from likeness.research.geometry.slices import Slices

    agnostic = True if options.class_agnostic else None
    rule = detector.rule(options.score_threshold, options.iou_threshold, options.max_detections, agnostic)
    try:
        slices = None if options.slice is None else Slices(side=options.slice, overlap=options.overlap)
    except ValueError as error:
        raise UserError(str(error)) from error

    def skip(index: int, error: "BadImage") -> None:
        if index not in files.found or options.on_bad == "refuse":
            raise error
        skipped.append(error)

    found: list[Found] = []
    tell = telling("finding objects")
    tell(0, len(files.paths))
    with ThreadPoolExecutor(max_workers=2) as writers:
        writing: list[Future[None]] = []
        for seen in detector.look(files.paths, rule, classes=options.classes or None, slices=slices, skip=skip):
            name, detections = files.names[seen.number], seen.detections
            found.append(Found(name, (seen.image.shape[0], seen.image.shape[1]), detections))
            if files.drawn is not None:
                writing.append(writers.submit(_draw, seen.image, detections, options.labels, files.drawn[seen.number]))
                if options.explain:
                    _explain(detector, seen, options.masks, files.drawn[seen.number])
            # No more images are held than are being written.
            while len(writing) > _WAITING:
                writing.pop(0).result()
            if not options.json:
                print(f"{printable(name)}: {_said(detections)}")
            tell(seen.number + 1, len(files.paths))
        for each in writing:
            each.result()
    tell(len(files.paths), len(files.paths))
    return found


def _draw(image: "np.ndarray", detections: "Detections", labels: "Labels", place: Path) -> None:
    import io

    from PIL import Image

    from likeness.experiments.display.boxes import draw_boxes
    from likeness.research.files import write_atomically

    stored = io.BytesIO()
    drawn = Image.fromarray(draw_boxes(image, detections, labels=labels))
    kind = _FORMATS[place.suffix.lower()]
    drawn.save(stored, format=kind, **({"quality": 92} if kind in ("JPEG", "WEBP") else {}))
    place.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(place, stored.getvalue())


def _explain(detector: "Detector", seen: "ImageDetections", masks: int, drawn: Path) -> None:
    from likeness.experiments.detection.explanation import explain, explained, explained_place
    from likeness.experiments.display.figures import save
    from likeness.research.visualization import Drise

    save(explained(explain(detector, seen.image, seen.detections, Drise(masks=masks))), explained_place(drawn))


def _said(detections: "Detections") -> str:
    """How many of each class, the most frequent first; of few objects of one class, how sure each is."""
    names = [one.class_name or f"class {one.class_id}" for one in detections]
    if not names:
        return "nothing found"
    counts = sorted(collections.Counter(names).items(), key=lambda each: -each[1])
    text = ", ".join(f"{name} × {count}" if count > 1 else name for name, count in counts)
    few = len(counts) == 1 and len(names) <= 5
    return f"{text} ({' '.join(f'{one.confidence:.2f}' for one in detections)})" if few else text


def _summarize(files: _Files, found: "Sequence[Found]", seconds: float, *, explained: bool) -> None:
    from likeness.experiments.detection.explanation import explained_place
    from likeness.research.data import printable

    if len(files.paths) > 1:
        objects = sum(len(one.detections) for one in found)
        pace = f", {len(found) / seconds:.1f} images a second" if seconds > 0 else ""
        print(f"{len(found):,} images, {objects:,} objects{pace}")
    if files.drawn is not None and found:
        place = files.drawn[0] if len(files.paths) == 1 else files.folder
        print(f"images  {printable(place)}" if len(files.paths) > 1 else f"image  {printable(place)}")
    if files.drawn is not None and found and explained:
        place = explained_place(files.drawn[0])
        print(f"why    {printable(place)}" if len(files.paths) == 1 else "why     beside each image, as NAME_explained.png")
    if files.coco is not None:
        print(f"boxes   {printable(files.coco)}")


def _apart(names: Sequence[str], beside: Callable[[Path], Path] | None = None) -> list[str]:
    """The names, of which no two are alike: of those that are, the later ones get a number.

    Args:
        names: paths below a folder.
        beside: what else is made of each, whose names are to be apart from all as well.
    """
    taken: set[str] = set()
    apart = []
    for name in names:
        path, number = Path(name), 1
        while True:
            tried = name if number == 1 else str(path.with_name(f"{path.stem}_{number}{path.suffix}"))
            places = {tried, *([] if beside is None else [str(beside(Path(tried)))])}
            if taken.isdisjoint(places):
                break
            number += 1
        taken |= places
        apart.append(tried)
    return apart


def _as_drawn(name: str) -> str:
    """What the drawn image is called: as it was, if that is a format which is written."""
    path = Path(name)
    return name if path.suffix.lower() in _FORMATS else f"{name}.png"
