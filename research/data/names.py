"""What people, and whatever else an encoder tells apart, are called: one rule for folders, labels, commands and galleries."""

import os
import unicodedata
from collections.abc import Iterable

from likeness.research.errors import UserError

_MARK = "\N{REPLACEMENT CHARACTER}"


def identity_name(name: str | bytes | os.PathLike) -> str:
    r"""A name as it is compared, stored and shown: composed (Unicode NFC), stripped, and printable.

    White space of any kind becomes plain spaces. A byte that is not UTF-8, or a character that does not print, is written as
    �, which no keyboard has, and its number; what prints stays as it is, backslashes too. So a name that is copied from a
    listing is the name, and the bytes ``Jos\xe9`` are not the text ``Jos\xe9``.

    Raises:
        UserError: nothing is left.

    Example:
        >>> identity_name("  Jose\u0301 ") == "Jos\u00e9", identity_name(b"Jos\xe9"), identity_name(r"Jos\xe9")
        (True, 'Jos�xe9', 'Jos\\xe9')
    """
    text = unicodedata.normalize("NFC", os.fsdecode(name)).strip()
    if not text:
        raise UserError("A person's name is empty; give one with at least one letter.")
    # An accent after a byte that is no text is one on the last digit of the byte's number.
    return text if text.isprintable() else unicodedata.normalize("NFC", "".join(map(_printed, text)))


def folded(name: str) -> str:
    """What a name and all those have in common that people easily take for it (Unicode NFKC, without case).

    >>> folded("ADA \N{LATIN SMALL LIGATURE FI}") == folded("Ada fi")
    True
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def easily_confused(names: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """The groups of different names that are :func:`folded` to one, sorted.

    >>> easily_confused(["bob", "Ada", "ada", "ADA"])
    (('ADA', 'Ada', 'ada'),)
    """
    groups: dict[str, set[str]] = {}
    for name in names:
        groups.setdefault(folded(name), set()).add(name)
    return tuple(sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1))


def about_names(given: Iterable[str], what: str = "folders") -> tuple[str, ...]:
    """Sentences about names that became one by :func:`identity_name`, and about those that are easily confused.

    Args:
        given: the names as they were found.
        what: what they are the names of, in the plural.

    Example:
        >>> about_names(["Ada", "Ada ", "bob"])
        ("1 name is that of several folders, which are taken for one: Ada ('Ada', 'Ada ')",)
    """
    given = tuple(given)
    said = about_one_name(given, what)
    if confused := easily_confused(map(identity_name, given)):
        groups = [", ".join(group) for group in confused]
        said += (f"warning: names that differ by little are taken for different ones: {_listed(groups)}",)
    return said


def about_one_name(given: Iterable[str], what: str = "folders") -> tuple[str, ...]:
    """Of :func:`about_names` the sentence about names that became one."""
    found: dict[str, set[str]] = {}
    for name in given:
        found.setdefault(identity_name(name), set()).add(name)
    one = [f"{name} ({', '.join(map(ascii, sorted(group)))})" for name, group in sorted(found.items()) if len(group) > 1]
    if not one:
        return ()
    several = "1 name is that" if len(one) == 1 else f"{len(one):,} names are those"
    return (f"{several} of several {what}, which are taken for one: {_listed(one)}",)


def _listed(items: list[str]) -> str:
    return "; ".join(items[:5]) + (f"; and {len(items) - 5} more" if len(items) > 5 else "")


def _printed(character: str) -> str:
    if character.isprintable():
        return character
    if unicodedata.category(character) == "Zs":
        return " "
    code = ord(character)
    # A byte that is not UTF-8 reaches Python as a lone surrogate.
    return f"{_MARK}x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"{_MARK}u{code:04x}"
