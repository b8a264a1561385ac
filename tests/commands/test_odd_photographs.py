"""Photographs that nobody thinks of: what is answered about each, beside one photograph of the same astronaut."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from likeness.experiments.recognition import Recognizer
from likeness.research.data import BadImage
from likeness.research.data.synthetic_faces import Faces

pytestmark = pytest.mark.data
Draw = Callable[[Image.Image], Image.Image]


def photograph() -> Image.Image:
    with Image.open(Path(os.environ["LIKENESS_DATA"]) / "pictures/content/astronaut.png") as image:
        return image.convert("RGB")


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer.published("mobilefacenet")


@pytest.fixture(scope="module")
def known(recognizer: Recognizer) -> np.ndarray:
    ((_, codes),) = recognizer.look([Path(os.environ["LIKENESS_DATA"]) / "pictures/content/astronaut.png"])
    return codes[0]


def panorama(image: Image.Image) -> Image.Image:
    wide = Image.new("RGB", (20_000, 1500), (100, 140, 180))
    wide.paste(image.resize((1000, 1000)), (9000, 300))
    return wide


def tower(image: Image.Image) -> Image.Image:
    high = Image.new("RGB", (1500, 12_000), (100, 140, 180))
    high.paste(image.resize((1000, 1000)), (300, 7000))
    return high


def tiny(image: Image.Image) -> Image.Image:
    """A face with 4 pixels between its eyes."""
    scene = Image.new("RGB", (300, 200), (120, 130, 140))
    scene.paste(image.crop((150, 40, 300, 190)).resize((14, 14), Image.Resampling.LANCZOS), (140, 90))
    return scene


def covered(image: Image.Image) -> Image.Image:
    pixels = np.array(image)
    pixels[65:180, 224:280] = 90
    return Image.fromarray(pixels)


def seen_through(image: Image.Image) -> Image.Image:
    image.putalpha(Image.fromarray((np.indices((512, 512))[1] // 2).astype(np.uint8)))
    return image


SAME: dict[str, Draw] = {
    "a copy": lambda image: image,
    "gray": lambda image: image.convert("L"),
    "CMYK.jpg": lambda image: image.convert("CMYK"),
    "16 bits": lambda image: Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257),
    "half transparent": seen_through,
    "palette": lambda image: image.quantize(64),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "turned by 35 degrees": lambda image: image.rotate(35, fillcolor=(90, 90, 90)),
    "half covered": covered,
    "a panorama.jpg": panorama,
    "a tower.jpg": tower,
}
REMARKED: dict[str, tuple[Draw, str]] = {
    "upside down": (lambda image: image.rotate(180), "lies upside down"),
    "on its side": (lambda image: image.rotate(90), "lies on its side"),
    "on its other side": (lambda image: image.rotate(270), "lies on its side"),
    "blurred": (lambda image: image.filter(ImageFilter.GaussianBlur(12)), "is blurred, dark or hardly a face"),
    "a panorama on its side.jpg": (lambda image: panorama(image).rotate(90, expand=True), "lies on its side"),
    "stretched": (lambda image: image.resize((1024, 512)), "is half hidden or distorted"),
}
NOBODY: dict[str, Draw] = {
    "a wall": lambda image: Image.new("RGB", image.size, (190, 180, 170)),
    "black": lambda image: Image.new("RGB", image.size),
    "a face of a few pixels": tiny,
    "noise": lambda image: Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8)),
    "the rest of the photograph": lambda image: image.crop((0, 200, 512, 512)),
}


def saved(draw: Draw, name: str, folder: Path) -> Path:
    path = folder / (name if "." in name else f"{name}.png")
    draw(photograph()).save(path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", SAME)
def test_the_same_person_is_told_in_files_of_every_kind(
    name: str, recognizer: Recognizer, known: np.ndarray, tmp_path: Path
) -> None:
    ((seen, codes),) = recognizer.look([saved(SAME[name], name, tmp_path)])
    assert recognizer.compare(known, codes[0]).same
    assert not seen.remarks


@pytest.mark.slow
@pytest.mark.parametrize("name", REMARKED)
def test_what_makes_an_answer_less_sure_is_said(name: str, recognizer: Recognizer, known: np.ndarray, tmp_path: Path) -> None:
    draw, remark = REMARKED[name]
    ((seen, codes),) = recognizer.look([saved(draw, name, tmp_path)])
    assert remark in " ".join(seen.remarks)
    if "lies" in remark:
        assert recognizer.compare(known, codes[0]).distance < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("name", NOBODY)
def test_where_there_is_nobody_it_is_said(name: str, recognizer: Recognizer, tmp_path: Path) -> None:
    with pytest.raises(BadImage, match="no face was found"):
        next(recognizer.look([saved(NOBODY[name], name, tmp_path)]))


@pytest.mark.slow
def test_a_cat_is_nobody(recognizer: Recognizer) -> None:
    with pytest.raises(BadImage, match="no face was found"):
        next(recognizer.look([Path(os.environ["LIKENESS_DATA"]) / "pictures/content/chelsea.png"]))


@pytest.mark.slow
def test_a_drawn_face_is_another_person(recognizer: Recognizer, known: np.ndarray, tmp_path: Path) -> None:
    drawn = Faces(people=1, images=1, size=256, channels=3).open().read(np.arange(1))[0]
    Image.fromarray(drawn).save(tmp_path / "drawn.png")
    ((_, codes),) = recognizer.look([tmp_path / "drawn.png"])
    assert not recognizer.compare(known, codes[0]).same


@pytest.mark.slow
def test_forty_faces_are_found(recognizer: Recognizer, tmp_path: Path) -> None:
    root = Path(os.environ["LIKENESS_DATA"]) / "lfw"
    scene = Image.new("RGB", (8 * 160, 5 * 160))
    people = sorted(each for each in root.iterdir() if each.is_dir())[:40]
    for number, person in enumerate(people):
        with Image.open(next(iter(sorted(person.iterdir())))) as image:
            scene.paste(image, (number % 8 * 160, number // 8 * 160))
    scene.save(tmp_path / "forty.png")
    ((seen, codes),) = recognizer.look([tmp_path / "forty.png"], "all")
    assert len(seen.found) == len(codes) == 40


@pytest.mark.slow
def test_broken_files_are_named(recognizer: Recognizer, tmp_path: Path) -> None:
    whole = saved(SAME["a copy"], "whole.jpg", tmp_path).read_bytes()
    for name, content in (("cut.jpg", whole[: len(whole) // 2]), ("empty.jpg", b""), ("text.jpg", b"hello")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadImage, match=name):
            next(recognizer.look([tmp_path / name]))
    Image.new("RGB", (8000, 7000)).save(tmp_path / "large.png")
    with pytest.raises(BadImage, match="56.0 megapixels"):
        next(recognizer.look([tmp_path / "large.png"]))
