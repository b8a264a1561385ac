"""What docstrings write as Sphinx reads it, as Markdown shows it."""

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|mod|attr|data|exc):`~?([^`]+)`")
_EXAMPLE = re.compile(r"^( *)Example:$", re.MULTILINE)
_BLOCK = re.compile(r"::$", re.MULTILINE)


def markdown(docstring: str) -> str:
    """Roles become code, one example becomes a section of examples, and an indented block needs one colon only."""
    docstring = _ROLE.sub(lambda match: f"`{match[1].rsplit('.', 1)[-1]}`", docstring)
    return _BLOCK.sub(":", _EXAMPLE.sub(r"\1Examples:", docstring))


class Roles(griffe.Extension):
    """Rewrites each docstring once, as it is found."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = markdown(obj.docstring.value)
