"""What units see, as an image: their patches beside what of them is seen, unit by unit, layer below layer."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageFont

from likeness.experiments.display.contact_sheet import Tile, sheet
from likeness.experiments.visualization import plotted
from likeness.experiments.visualization.examples import LookedAt
from likeness.experiments.visualization.microscope import Microscope, Seen
from likeness.research.data import to_unit
from likeness.research.geometry import ReceptiveField
from likeness.research.types import Float, Int
from likeness.research.visualization import Rule, without_rounding

Pixels = Float[np.ndarray, "h w 3"]
_SMALLEST, _LARGEST, _HATCH = 40, 96, 6


def cut(image: Float[np.ndarray, "h w c"], field: ReceptiveField, place: Sequence[int]) -> Float[np.ndarray, "h2 w2 c"]:
    """What a unit at a place of its map sees of an image; outside of the image there is NaN, see :func:`hatched`.

    A field that is larger than the image is cut to it.
    """
    windows = [field.window(int(unit)) for unit in place]
    sides = image.shape[:2]
    if field.size >= min(sides):
        return image
    before = [max(0, -start) for start, _ in windows]
    after = [max(0, stop - side) for (_, stop), side in zip(windows, sides, strict=True)]
    padded = np.pad(image, [*zip(before, after, strict=True), (0, 0)], constant_values=np.nan)
    top, left = (start + more for (start, _), more in zip(windows, before, strict=True))
    return padded[top : top + field.size, left : left + field.size]


def hatched(pixels: Float[np.ndarray, "h w c"]) -> Float[np.ndarray, "h w c"]:
    """NaN, which is outside of an image, as thin slanted lines on white: no gray, which could be an image's own."""
    outside = np.asarray(np.isnan(pixels).any(axis=-1))
    if not outside.any():
        return pixels
    rows, columns = np.indices(outside.shape)
    lines = np.where((rows + columns) % _HATCH == 0, 0.45, 1.0)[..., None].astype(pixels.dtype)
    return np.where(outside[..., None], lines, pixels)


def grid(patches: Sequence[np.ndarray], columns: int, largest: int = _LARGEST) -> Pixels:
    """Patches of one size in rows, small ones enlarged pixel by pixel, large ones reduced; white where there are fewer.

    What is NaN in them is hatched as it is drawn, so that the lines are not enlarged.
    """
    if max(patches[0].shape[:2]) > largest:
        patches = [_reduced(patch, largest) for patch in patches]
    height, width = patches[0].shape[:2]
    times = max(1, -(-_SMALLEST // max(height, width)))
    rows = -(-len(patches) // columns)
    whole = np.ones((rows * (height * times + 2) - 2, columns * (width * times + 2) - 2, 3), np.float32)
    for number, patch in enumerate(patches):
        row, column = divmod(number, columns)
        top, left = row * (height * times + 2), column * (width * times + 2)
        enlarged = np.repeat(np.repeat(patch, times, axis=0), times, axis=1)
        whole[top : top + height * times, left : left + width * times] = hatched(enlarged)
    return whole


def shown(back: Float[np.ndarray, "h w c"]) -> Float[np.ndarray, "h w c"]:
    """What was projected back, as an image: gray is 0, and the largest hundredth of the values is white or black.

    NaN stays NaN. If it were the largest alone, one strong pixel would leave the others gray.
    """
    size = np.abs(back[~np.isnan(back)])
    largest = np.quantile(size, 0.99) or size.max()
    return np.clip(0.5 + back / (2 * largest if largest else 1.0), 0, 1)


def layer_sheet(
    title: str,
    seen: Seen,
    units: Sequence[int],
    examples: Sequence[Sequence[np.ndarray]],
    backs: Sequence[Sequence[np.ndarray]],
    columns: int,
    largest: int = _LARGEST,
) -> Image.Image:
    """One layer: for each unit its patches, and beside or below them what of each excites it.

    Args:
        title: the layer's name.
        seen: what was found.
        units: which are drawn.
        examples: for each of them, the images, signals or volumes of its patches, in [0, 1], the first first.
        backs: for each of those, what was projected back to it.
        columns: units in a row.
        largest: patches of images with more pixels a side are reduced to so many.
    """
    tiles = []
    for unit, of_unit, back_of_unit in zip(units, examples, backs, strict=True):
        if not of_unit:
            continue
        places = np.asarray(seen.patches.place[unit][: len(of_unit)])
        image = _unit_image(seen, of_unit, back_of_unit, places, largest)
        selective = seen.statistics.selectivity[unit]
        words = [f"unit {unit}", f"active at {share(seen.statistics.active[unit])}"]
        words += [] if np.isnan(selective) else [f"selective {selective:.2f}"]
        tiles.append(Tile(image, _fitting(words, image.shape[1])))
    size, field = len(seen.statistics.mean), seen.field
    dead = len(seen.statistics.dead)
    hatch = "; hatched: outside of the image" if seen.patches.place.shape[2] == 2 else ""
    caption = [
        f"{title}: each unit sees {seen.sees}, one every {field.stride}; {dead} of {size} dead",
        f"active: the share of all places at which the unit is above 0{hatch}",
    ]
    if not tiles:
        return sheet([[Tile(np.ones((8, 400, 3), np.float32))]], caption=caption)
    blank = Tile(np.ones_like(tiles[0].image))
    heights = {tile.image.shape for tile in tiles}
    if len(heights) > 1:
        # A unit with fewer patches than others has fewer rows.
        height, width = (max(shape[axis] for shape in heights) for axis in (0, 1))
        tiles = [Tile(_filled(tile.image, height, width), tile.text) for tile in tiles]
        blank = Tile(np.ones_like(tiles[0].image))
    tiles += [blank] * (-len(tiles) % columns)
    return sheet([tiles[start : start + columns] for start in range(0, len(tiles), columns)], caption=caption)


def _unit_image(
    seen: Seen, examples: Sequence[np.ndarray], backs: Sequence[np.ndarray], places: Int[np.ndarray, "n axes"], largest: int
) -> Pixels:
    side = round(np.ceil(np.sqrt(seen.patches.place.shape[1])))
    if places.shape[1] == 1:
        return plotted.signals(examples, backs, places, seen.field, side)
    if places.shape[1] == 3:
        return plotted.volumes(examples, backs, places, seen.field, side)
    patches = [cut(_colored(one), seen.field, place) for one, place in zip(examples, places, strict=True)]
    projected = [shown(cut(_colored(one), seen.field, place)) for one, place in zip(backs, places, strict=True)]
    both = [grid(each, side, largest) for each in (patches, projected)]
    return np.concatenate([both[0], np.ones((both[0].shape[0], 6, 3), np.float32), both[1]], axis=1)


def share(value: float) -> str:
    """A share in percent with two digits, however small it is: 12 %, 0.034 %."""
    return f"{float(f'{100 * value:.2g}'):g} %"


def _fitting(words: Sequence[str], width: int) -> str:
    """As many of the words as stand below an image so wide."""
    font = ImageFont.load_default(15)
    fits = [count for count in range(1, len(words) + 1) if font.getlength(", ".join(words[:count])) <= width]
    return ", ".join(words[: max(fits, default=1)])


def stacked(sheets: Sequence[Image.Image]) -> Image.Image:
    """Sheets one below the other."""
    whole = Image.new("RGB", (max(each.width for each in sheets), sum(each.height for each in sheets)), "white")
    top = 0
    for each in sheets:
        whole.paste(each, (0, top))
        top += each.height
    return whole


def _reduced(patch: np.ndarray, side: int) -> np.ndarray:
    outside = np.asarray(np.isnan(patch).any(axis=-1))
    whole = Image.fromarray(np.uint8(np.round(255 * np.clip(np.where(outside[..., None], 0.5, patch), 0, 1))))
    whole.thumbnail((side, side), Image.Resampling.LANCZOS)
    nothing = np.asarray(Image.fromarray(outside).resize(whole.size, Image.Resampling.NEAREST))
    return np.where(nothing[..., None], np.float32(np.nan), to_unit(np.asarray(whole)))


def _filled(image: Pixels, height: int, width: int) -> Pixels:
    whole = np.ones((height, width, 3), np.float32)
    whole[: image.shape[0], : image.shape[1]] = image
    return whole


def spread(seen: Seen, count: int) -> list[int]:
    """Units evenly spaced among those that are not dead: nobody has chosen them."""
    alive = np.flatnonzero(seen.statistics.active > 0)
    if not len(alive):
        return []
    return [int(alive[round(place)]) for place in np.linspace(0, len(alive) - 1, min(count, len(alive)))]


def draw_layer(
    scope: Microscope,
    images: LookedAt,
    title: str,
    seen: Seen,
    units: Sequence[int],
    rule: Rule,
    columns: int = 4,
    largest: int = _LARGEST,
) -> Image.Image:
    """Reads the examples of some units' patches again, goes back through the network to them, and draws the sheet."""
    rows = [(unit, number) for unit in units for number in np.flatnonzero(seen.patches.image[unit] >= 0)]
    if not rows:
        return layer_sheet(title, seen, [], [], [], columns)
    which = np.array([seen.patches.image[row] for row in rows])
    places = np.array([seen.patches.place[row] for row in rows])
    pixels = images.read(which)
    back = scope.back(title, pixels, np.array([unit for unit, _ in rows], np.int32), places, rule)
    back = without_rounding(back, np.array([seen.patches.value[row] for row in rows]))
    examples: dict[int, list[np.ndarray]] = {unit: [] for unit in units}
    backs: dict[int, list[np.ndarray]] = {unit: [] for unit in units}
    for (unit, _), one, projected in zip(rows, pixels, back, strict=True):
        examples[unit].append(to_unit(one))
        backs[unit].append(projected)
    of_units, backs_of_units = ([each[unit] for unit in units] for each in (examples, backs))
    return layer_sheet(title, seen, units, of_units, backs_of_units, columns, largest)


def _colored(image: Float[np.ndarray, "h w c"]) -> Pixels:
    return np.broadcast_to(image, (*image.shape[:2], 3)) if image.shape[-1] == 1 else image
