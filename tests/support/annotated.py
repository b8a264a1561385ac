"""Small folders of annotated images, written as VOC, COCO or YOLO would."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIZE = (48, 64)
"""Height and width of the images."""


def write_image(
    path: Path, seed: int = 0, size: tuple[int, int] = SIZE, orientation: int | None = None, boxes: Sequence[Any] = ()
) -> None:
    """Noise, with bright rectangles where boxes are; ``size`` is that of the stored pixels."""
    pixels = np.random.default_rng(seed).integers(0, 100, (*size, 3)).astype(np.uint8)
    for left, top, right, bottom in boxes:
        pixels[int(top) : int(bottom), int(left) : int(right)] = 255
    image = Image.fromarray(pixels)
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    # Lossless, so that what is drawn is what is read.
    image.save(path.with_suffix(".png") if path.suffix == "" else path, exif=exif)


def voc_object(name: str | None = "disk", corners: Iterable[object] = (10, 12, 30, 40), extra: str = "") -> str:
    tags = zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=False)
    box = "".join(f"<{tag}>{value}</{tag}>" for tag, value in tags if value is not None)
    named = "" if name is None else f"<name>{name}</name>"
    return f"<object>{named}<pose>Unspecified</pose>{extra}<bndbox>{box}</bndbox></object>"


def voc_xml(
    objects: Iterable[str] = (), filename: str = "a.png", size: tuple[int, int] | None = SIZE, head: str = "", folder: str = "x"
) -> str:
    sides = "" if size is None else f"<size><width>{size[1]}</width><height>{size[0]}</height><depth>3</depth></size>"
    start = f"<annotation><folder>{folder}</folder><filename>{filename}</filename>{sides}"
    return f"{head}{start}{''.join(objects)}</annotation>"


def write_voc(root: Path, annotations: dict[str, Iterable[str]], lists: dict[str, Sequence[str]] | None = None) -> Path:
    """``Annotations``, ``JPEGImages`` and ``ImageSets``: the objects of each image by its name."""
    for seed, (name, objects) in enumerate(annotations.items()):
        write_image(root / "JPEGImages" / f"{name}.png", seed)
        path = root / "Annotations" / f"{name}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(voc_xml(objects, f"{name}.png"))
    for part, names in (lists or {}).items():
        path = root / "ImageSets" / "Main" / f"{part}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{name}\n" for name in names))
    return root


def coco_json(
    annotations: Sequence[Any],
    images: Sequence[dict[str, Any]] | None = None,
    categories: Sequence[dict[str, Any]] = ({"id": 1, "name": "disk"}, {"id": 3, "name": "box"}),
) -> dict[str, Any]:
    listed = [{"id": 1, "file_name": "a.png", "height": SIZE[0], "width": SIZE[1]}] if images is None else images
    return {"info": {"year": 2026}, "images": list(listed), "annotations": list(annotations), "categories": list(categories)}


def coco_box(box: object = (10, 12, 20, 28), **fields: object) -> dict[str, Any]:
    given = list(box) if isinstance(box, tuple) else box
    return {"id": 1, "image_id": 1, "category_id": 1, "bbox": given, "area": 100.5, "iscrowd": 0, **fields}


def write_coco(root: Path, content: dict[str, Any], name: str = "annotations/instances.json", images: str = "images") -> Path:
    for seed, row in enumerate(content["images"]):
        if isinstance(row.get("file_name"), str) and ".." not in row["file_name"]:
            write_image(root / images / row["file_name"], seed)
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return root


def write_yolo(root: Path, labels: dict[str, str | None], names: Sequence[str] | None = ("disk", "box")) -> Path:
    """``images`` and ``labels``: the lines of each image by its name; None for no file."""
    for seed, (name, lines) in enumerate(labels.items()):
        write_image(root / "images" / f"{name}.png", seed)
        if lines is not None:
            path = root / "labels" / f"{name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(lines)
    if names is not None:
        (root / "data.yaml").write_text(f"train: ../train/images\nnc: {len(names)}\nnames: {json.dumps(list(names))}\n")
    return root
