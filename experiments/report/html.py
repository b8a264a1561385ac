"""HTML that is escaped by construction: text is text, and only what an element returns is markup."""

import html
import re
from collections.abc import Mapping

_VOID = frozenset({"img", "input", "link", "meta", "wbr"})
"""Elements that have no end. SVG knows none."""


class Html(str):
    """Markup that may stand in a page as it is."""


def escaped(text: object) -> Html:
    """Text as markup, in an attribute as well; what no encoding can write, such as parts of odd file names, is spelled out."""
    return Html(html.escape(str(text).encode("utf-8", "backslashreplace").decode(), quote=True))


def element(name: str, attributes: Mapping[str, object] | None = None, *children: object) -> Html:
    """An element with its children.

    Args:
        name: of the element.
        attributes: escaped; of those that are True only the name is written, and those that are None or False not at all.
        children: :class:`Html` as it is, None as nothing, all else as escaped text.

    Example:
        >>> element("a", {"class": "x", "hidden": True}, "1 < 2")
        '<a class="x" hidden>1 &lt; 2</a>'
    """
    written = [name]
    for key, value in (attributes or {}).items():
        if value is True:
            written.append(key)
        elif value is not None and value is not False:
            written.append(f'{key}="{escaped(value)}"')
    opened = f"<{' '.join(written)}>"
    return Html(opened) if name in _VOID else Html(f"{opened}{joined(*children)}</{name}>")


def joined(*children: object) -> Html:
    """Children one after the other, without an element around them."""
    return Html("".join(child if isinstance(child, Html) else escaped(child) for child in children if child is not None))


def breakable(name: str) -> Html:
    """The name of a metric or a field, which may be broken after its parts and not within them."""
    return joined(*(joined(part, element("wbr")) for part in re.split(r"(?<=[/._@])", name)))


def rows(pairs: Mapping[str, object]) -> Html:
    """Terms and what they are."""
    return element(
        "dl", {"class": "facts"}, *(joined(element("dt", {}, name), element("dd", {}, is_)) for name, is_ in pairs.items())
    )


def tabs(key: str, label: str, panels: Mapping[str, Html]) -> Html:
    """Panels of which one is shown; all are where there are no scripts. One alone needs no tab.

    Args:
        key: begins the ids, and is used once in a page.
        label: what is chosen.
        panels: by the title of their tab.
    """
    if len(panels) < 2:
        return joined(*panels.values())
    buttons, bodies = [], []
    for number, (title, panel) in enumerate(panels.items()):
        tab, body = f"{key}-tab-{number}", f"{key}-panel-{number}"
        chosen = "true" if number == 0 else "false"
        buttons.append(
            element(
                "button",
                {
                    "type": "button",
                    "role": "tab",
                    "id": tab,
                    "aria-controls": body,
                    "aria-selected": chosen,
                    "tabindex": "0" if number == 0 else "-1",
                },
                title,
            )
        )
        bodies.append(element("div", {"role": "tabpanel", "id": body, "aria-labelledby": tab}, panel))
    return element(
        "div", {"class": "tabs"}, element("div", {"role": "tablist", "aria-label": label}, *buttons), joined(*bodies)
    )
