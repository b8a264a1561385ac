"""Pages are filled templates. What a template is given is text, and is escaped unless a template made it."""

import base64
import functools
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup as Html
else:
    Html = str

_FOLDER = Path(__file__).parent / "templates"


@functools.cache
def _templates() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    found = Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    found.filters |= {"digest": _digest, "path": _path, "pieces": _pieces}
    # Bokeh names a model where it first stands, and refers to it after that.
    found.policies["json.dumps_kwargs"] = {"sort_keys": False}
    return found


def part(name: str, *given: Any) -> Html:
    """A part of a page: the macro of ``parts.html`` of that name, called with what is given."""
    return getattr(_templates().get_template("parts.html").module, name)(*given)


def page(template: str, given: Mapping[str, Any], libraries: Sequence[str] = ()) -> str:
    """A page that opens from a disk and asks no network for anything.

    Args:
        template: the name of its file, which extends ``page.html``.
        given: what it shows, by the names that it has in the template.
        libraries: scripts that are there before the page's own.
    """
    style, script = map(template_text, ("style.css", "script.js"))
    whole = _templates().get_template(template).render({**given, "style": style, "scripts": [*libraries, script]})
    # What no encoding can write, such as parts of odd file names, is spelled out.
    return whole.encode("utf-8", "backslashreplace").decode()


def template_text(name: str) -> str:
    """A file beside the templates, such as a script that only one kind of page needs."""
    return (_FOLDER / name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _path(places: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in places)


def _pieces(name: str) -> list[str]:
    return re.split(r"(?<=[/._@])", name)
