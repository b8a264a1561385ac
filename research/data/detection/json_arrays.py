"""The lists of a large JSON file, entry by entry, so that a file of hundreds of megabytes is never held as Python's objects."""

import json
import os
import re
from collections.abc import Callable, Collection
from typing import Any

from likeness.research.data.paths import printable
from likeness.research.data.regular import NotAFile, open_regular

__all__ = ["UnreadableJson", "read_json_arrays", "top_level_keys"]

_SPACE = re.compile(r"[ \t\r\n]*")


class UnreadableJson(ValueError):
    """It is no JSON, another kind of JSON, or too long."""


def read_json_arrays(
    path: str | os.PathLike, wanted: dict[str, Callable[[Any], None]], max_megabytes: float
) -> dict[str, bool]:
    """Hands every entry of some lists of a JSON object to a function, in the order in which they stand in the file.

    The text is held as a whole, a byte a character where it is ASCII, and of what it says one entry at a time. COCO's training
    annotations of 2017 have 448 MB.

    Args:
        path: the file.
        wanted: what takes the entries of each list, by its name. What else there is, is passed over.
        max_megabytes: a longer file is refused before it is read.

    Returns:
        Which of the names were there.

    Raises:
        UnreadableJson: the file is longer, no JSON, or no object; or what is wanted is no list.
    """
    text, decoder = _text(path, max_megabytes), json.JSONDecoder()
    found = dict.fromkeys(wanted, False)
    at = _after(text, 0, "{", "it is no JSON object")
    while text[at : at + 1] != "}":
        key, at = _decode(decoder, text, at)
        if not isinstance(key, str):
            raise UnreadableJson(f"a key is {str(key)[:40]}, and keys are strings")
        at = _after(text, at, ":", f"there is no value for {key[:40]!r}")
        if key in wanted:
            found[key] = True
            if text[at : at + 1] != "[":
                raise UnreadableJson(f"{key!r} is no list")
        at = _value(decoder, text, at, wanted.get(key, _nothing))
        if text[at : at + 1] == ",":
            at = _after(text, at, ",", "")
        elif text[at : at + 1] != "}":
            raise UnreadableJson(f"it ends or is damaged behind {key[:40]!r}, at character {at:,}")
    return found


def top_level_keys(path: str | os.PathLike, wanted: Collection[str], most: int = 1 << 16) -> bool:
    """Whether a file seems to be a JSON object with some keys, by its beginning and end only."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(most)
            file.seek(max(len(head), size - most))
            text = (head + file.read()).decode("utf-8", "replace")
    except (NotAFile, OSError):
        return False
    return text.lstrip("\ufeff \t\r\n").startswith("{") and all(f'"{key}"' in text for key in wanted)


def _text(path: str | os.PathLike, max_megabytes: float) -> str:
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > max_megabytes * 1e6:
                raise UnreadableJson(
                    f"it has {size / 1e6:,.0f} MB, and at most {max_megabytes:,.0f} are read; raise `max_json_megabytes`, or "
                    "split it"
                )
            data = file.read()
    except NotAFile as error:
        raise UnreadableJson(error.why) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableJson(f"it is no UTF-8 ({error.reason} at byte {error.start:,})") from error


def _nothing(entry: Any) -> None:
    """Takes what is passed over."""


def _value(decoder: json.JSONDecoder, text: str, at: int, take: Callable[[Any], None]) -> int:
    """Hands out the entries of a list one by one, so that no list is held as a whole; returns where what follows begins."""
    if text[at : at + 1] != "[":
        return _space(text, _decode(decoder, text, at)[1])
    at = _after(text, at, "[", "")
    while text[at : at + 1] != "]":
        entry, at = _decode(decoder, text, at)
        take(entry)
        at = _space(text, at)
        if text[at : at + 1] == ",":
            at = _after(text, at, ",", "")
        elif text[at : at + 1] != "]":
            raise UnreadableJson(f"a list ends or is damaged at character {at:,}")
    return _space(text, at + 1)


def _space(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # pyright: ignore[reportOptionalMemberAccess] - it matches nothing as well


def _after(text: str, at: int, character: str, why: str) -> int:
    """Behind a character, and behind the space on both of its sides."""
    at = _space(text, at)
    if text[at : at + 1] != character:
        raise UnreadableJson(why)
    return _space(text, at + 1)


def _decode(decoder: json.JSONDecoder, text: str, at: int) -> tuple[Any, int]:
    try:
        return decoder.raw_decode(text, at)
    except RecursionError as error:
        raise UnreadableJson("it is nested too deeply") from error
    # Also of integers of thousands of digits.
    except ValueError as error:
        raise UnreadableJson(f"it is no JSON: {printable(str(error)[:200])}") from error
