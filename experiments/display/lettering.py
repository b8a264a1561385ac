"""Text in figures and sheets that holds whatever people and files are called: by a font that has it, else spelled out.

A figure's own font has Latin, Greek and Cyrillic letters. For others any font of this machine is taken; where none has a
letter, it is spelled in Latin ones, so that nothing is drawn as an empty box and nothing is warned of.
"""

import functools
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import ImageFont

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

_OWN = "DejaVu Sans"
_NOT_FOR_TEXT = ("Last Resort", "Emoji", "STIXSize", "STIXNonUnicode", "cm", "Symbol", "Wingdings", "Webdings")
"""Fonts of boxes, of images in color, which Matplotlib cannot draw, and those whose places hold other letters."""
_SPELLED = ("HIRAGANA", "KATAKANA", "HANGUL")
_MARKS = {"Mn", "Me", "Cf", "Cc", "Cs"}


def write_readably(figure: "Figure") -> None:
    """Gives every text of a figure fonts that have its letters, and takes a name for a name: ``$`` begins no formula."""
    from matplotlib.text import Text

    ticks: set[int] = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            _write_ticks(axis)
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                ticks |= {id(tick.label1), id(tick.label2)}
            ticks.add(id(axis.get_offset_text()))
    # Numbers at the ticks may be formulas, as powers of ten are.
    written: Any = (text for text in figure.findobj(Text) if id(text) not in ticks)
    for text in written:
        spelled, families = _spelled_for(text.get_text())
        text.set_text(spelled)
        text.set_parse_math(False)
        if families:
            text.set_fontfamily([*text.get_fontfamily(), *families])


def _write_ticks(axis: "Axis") -> None:
    """The same for names at ticks."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter

    formatter = axis.get_major_formatter()
    if not isinstance(formatter, FixedFormatter | FuncFormatter) or not isinstance(axis.get_major_locator(), FixedLocator):
        return
    places = axis.get_majorticklocs()
    names = formatter.format_ticks(list(places))
    found = [_spelled_for(name) for name in names]
    written = [text.replace("$", r"\$") for text, _ in found]
    families = dict.fromkeys(family for _, more in found for family in more)
    if families:
        axis.set_tick_params(labelfontfamily=[_OWN, *families])  # pyright: ignore[reportArgumentType]
    if written != names:
        axis.set_ticks(places, labels=written)


def pillow_text(text: str, size: int) -> tuple[str, ImageFont.FreeTypeFont | ImageFont.ImageFont]:
    """A text as Pillow can write it, and the font that has all of it: its own, another of this machine, or spelled out."""
    font = ImageFont.load_default(size)
    strange = [letter for letter in dict.fromkeys(text) if not _in_pillows_own(letter)]
    if not strange:
        return text, font
    if (path := _font_of_all("".join(sorted(set(text))))) is not None:
        return text, ImageFont.truetype(path, size)
    return "".join(letter if _in_pillows_own(letter) else _spelled(letter) for letter in text), font


def _spelled_for(text: str) -> tuple[str, tuple[str, ...]]:
    """A text as Matplotlib can draw it, and the families that it needs beside the figure's own."""
    families: dict[str, None] = {}
    letters = []
    for letter in text:
        if letter == "\n" or ord(letter) in _letters(_own_path()):
            letters.append(letter)
        elif (found := _font_of(letter)) is not None:
            families[found[0]] = None
            letters.append(letter)
        else:
            letters.append(_spelled(letter))
    return "".join(letters), tuple(families)


def _spelled(letter: str) -> str:
    """A letter that no font has, in Latin ones: kana and Hangul by their sound, others by their name or number."""
    plain = "".join(part for part in unicodedata.normalize("NFKD", letter) if part.isascii())
    if plain:
        return plain
    if unicodedata.category(letter) in _MARKS:
        return ""
    name = unicodedata.name(letter, "")
    if name.startswith(_SPELLED):
        return name.rsplit(" ", 1)[-1].lower()
    if not name or "IDEOGRAPH" in name:
        return f"<{ord(letter):X}>"
    return f"<{name.lower()}>"


@functools.cache
def _own_path() -> str:
    from matplotlib import font_manager

    return font_manager.findfont(_OWN)


@functools.cache
def _letters(path: str) -> frozenset[int]:
    """What a font has; nothing of one that cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(path).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()


@functools.cache
def _candidates() -> tuple[tuple[str, str], ...]:
    """The upright regular fonts of this machine, family and path, those made for many letters first."""
    from matplotlib import font_manager

    fonts = {
        (font.name, font.fname)
        for font in font_manager.fontManager.ttflist
        if font.style == "normal" and font.weight in (400, "normal", "regular") and Path(font.fname).exists()
    }
    wide = ("CJK", "Unicode", "Fallback", "Noto Sans", "Hei", "Gothic")
    useful = [font for font in fonts if not font[0].startswith(_NOT_FOR_TEXT) and "Emoji" not in font[0]]
    return tuple(sorted(useful, key=lambda font: (not any(word in font[0] for word in wide), font)))


@functools.cache
def _font_of(letter: str) -> tuple[str, str] | None:
    """The first font of this machine that has a letter."""
    return next((font for font in _candidates() if ord(letter) in _letters(font[1])), None)


@functools.cache
def _font_of_all(letters: str) -> str | None:
    """The path of the first font that has all letters."""
    wanted = {ord(letter) for letter in letters}
    return next((path for _, path in ((_OWN, _own_path()), *_candidates()) if wanted <= _letters(path)), None)


@functools.cache
def _in_pillows_own(letter: str) -> bool:
    """Whether Pillow's own font has a letter: what it lacks looks like what no font has."""
    font: Any = ImageFont.load_default(15)
    return letter == " " or bytes(font.getmask(letter)) != bytes(font.getmask("\U0010fffe"))
