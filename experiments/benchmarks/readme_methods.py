"""One photograph in several paintings' looks, by several methods: the sheet of the page on style transfer, and what each costs.

    python -m likeness.experiments.benchmarks.readme_methods TUBINGEN STARRY_NIGHT GREAT_WAVE THE_SCREAM

Each image is painted by ``likeness stylize`` in a process of its own, whose processor time is noted. What is
painted already is not painted again. It writes docs/methods.jpg and prints the table.
"""

import dataclasses
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from PIL import Image, ImageOps

from likeness.experiments.display.contact_sheet import Tile, sheet
from likeness.research.files import write_atomically
from likeness.research.images import read_image

IMAGE, _ACROSS = Path("docs/methods.jpg"), 4
METHODS = {
    "quickstart": (),
    "squeezenet": (),
    "vgg19_pruned": (),
    "gatys_vgg16": (),
    "strotss": ("--steps", "320"),
    "nnst_fast": ("--colors", "free"),
}
"""Six presets, which fill two rows with the two images; and what is said to them beside the images and the size."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """What is painted, and where it goes."""

    content: tyro.conf.Positional[str]
    styles: tyro.conf.Positional[tuple[str, ...]]
    size: int = 512
    """Longer side of the paintings."""
    out: Annotated[str, tyro.conf.arg(metavar="DIR")] = "runs/readme_methods"


def paint(method: str, style: str, asked: Asked, out: Path) -> None:
    """Paints one image, unless it is there, and notes seconds of processor time."""
    if out.exists() and out.with_suffix(".json").exists():
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    command = [str(Path(sys.executable).parent / "likeness"), "stylize", asked.content, style, "-o", str(out)]
    command += ["--preset", f"stylization/{method}", "--size", str(asked.size), "--workdir", str(out.with_suffix(""))]
    command += METHODS[method]
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    cost = {"seconds": round(used.ru_utime + used.ru_stime)}
    write_atomically(out.with_suffix(".json"), json.dumps(cost).encode())


def main() -> None:
    """Paints what is missing, draws the sheet and prints the table."""
    asked = tyro.cli(Asked, description=__doc__)
    rows, costs = [], {method: [] for method in METHODS}
    for style in asked.styles:
        row = []
        for method in METHODS:
            out = Path(asked.out) / f"{method}_{Path(style).stem}.png"
            paint(method, style, asked, out)
            costs[method].append(json.loads(out.with_suffix(".json").read_text())["seconds"])
            row.append(Tile(read_image(out).pixels, method))
        shape = row[0].image.shape
        row = [*(Tile(_inside(each, shape), Path(each).stem) for each in (asked.content, style)), *row]
        rows += [row[first : first + _ACROSS] for first in range(0, len(row), _ACROSS)]
    encoded = io.BytesIO()
    sheet(rows).save(encoded, "JPEG", quality=85)
    write_atomically(IMAGE, encoded.getvalue())
    print(f"{IMAGE}, {IMAGE.stat().st_size // 1024} KiB")
    print("| preset | processor time |\n|---|---|")
    for method, found in costs.items():
        print(f"| `{method}` | {min(found)} to {max(found)} s |")


def _inside(path: str, shape: tuple[int, ...]) -> np.ndarray:
    """All of an image in the middle of a white one of another shape."""
    with Image.open(path) as opened:
        padded = ImageOps.pad(opened.convert("RGB"), (shape[1], shape[0]), Image.Resampling.LANCZOS, color="white")
    return np.asarray(padded, np.float32) / 255


if __name__ == "__main__":
    main()
