"""XML that somebody else wrote: elements and their text, and nothing that reads other files or grows.

The parser is expat, with every handler set that a document could make it do something by. A document type is refused where it
begins, so that no entity is ever declared: that ends entity bombs and external entities alike, and nothing is fetched.
"""

import dataclasses
from xml.parsers import expat

__all__ = ["HostileXml", "UnreadableXml", "XmlElement", "parse_xml"]

LONGEST = 16 << 20
"""Bytes of a file. The annotations of a thousand objects take half a megabyte."""
_DEPTH, _ELEMENTS = 32, 100_000


class UnreadableXml(ValueError):
    """It is no XML, or more of it than any annotation has."""


class HostileXml(UnreadableXml):
    """It declares a document type or entities."""


@dataclasses.dataclass
class XmlElement:
    """An element: its name, its own text, and what is inside of it."""

    tag: str
    text: str = ""
    children: "list[XmlElement]" = dataclasses.field(default_factory=list)

    def find(self, *path: str) -> "XmlElement | None":
        """The first element by a path of names, if there is one."""
        here: XmlElement | None = self
        for tag in path:
            here = next((child for child in here.children if child.tag == tag), None) if here else None
        return here

    def all(self, tag: str) -> "list[XmlElement]":
        """Those of that name directly inside."""
        return [child for child in self.children if child.tag == tag]

    def value(self, *path: str) -> str | None:
        """The text of the element by a path of names, stripped; None if it is not there."""
        found = self.find(*path)
        return None if found is None else found.text.strip()


def parse_xml(data: bytes) -> XmlElement:
    """The root element of a document.

    Raises:
        HostileXml: it has a document type, entities, or refers to anything outside.
        UnreadableXml: it is not well-formed, longer than 16 MiB, or nested deeper than 32 elements.

    Example:
        >>> parse_xml(b"<annotation><size><width>640</width></size></annotation>").value("size", "width")
        '640'
        >>> parse_xml(b'<!DOCTYPE x [<!ENTITY a "ha">]><x>&a;</x>')
        Traceback (most recent call last):
        likeness.research.data.detection.safe_xml.HostileXml: it declares the document type 'x'
    """
    if len(data) > LONGEST:
        raise UnreadableXml(f"it has {len(data) / 1e6:.1f} MB, and an annotation has at most {LONGEST / 1e6:.1f}")
    parser = expat.ParserCreate()
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.buffer_text = True
    root: list[XmlElement] = []
    open_elements: list[XmlElement] = []
    count = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(open_elements) >= _DEPTH or count > _ELEMENTS:
            raise UnreadableXml(f"it has more than {_DEPTH} elements within each other or {_ELEMENTS:,} in all")
        element = XmlElement(tag)
        (open_elements[-1].children if open_elements else root).append(element)
        open_elements.append(element)

    def end(tag: str) -> None:
        open_elements.pop()

    def text(words: str) -> None:
        if open_elements:
            open_elements[-1].text += words

    def document_type(name: str, *declared: object) -> None:
        raise HostileXml(f"it declares the document type {name[:40]!r}")

    def entity(name: str, *declared: object) -> None:
        raise HostileXml(f"it declares the entity {name[:40]!r}")

    def outside(*reference: object) -> int:
        raise HostileXml("it refers to another file")

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler, parser.EntityDeclHandler = document_type, entity
    parser.ExternalEntityRefHandler, parser.SkippedEntityHandler = outside, outside
    parser.UnparsedEntityDeclHandler = entity
    try:
        parser.Parse(data, True)  # noqa: FBT003 - expat names no arguments
    except UnreadableXml:
        raise
    except expat.ExpatError as error:
        raise UnreadableXml(f"it is no well-formed XML: {error}") from error
    # An encoding that Python has not, or one of several bytes that expat cannot take from it.
    except (LookupError, ValueError, UnicodeError) as error:
        raise UnreadableXml(f"its encoding cannot be read ({error})") from error
    return root[0]
