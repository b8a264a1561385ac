"""The configs that come with Likeness, and any config's own words, without running one."""

import ast
import pkgutil
import tokenize
from pathlib import Path

from likeness import configs

ROOT = Path(configs.__path__[0])
"""The folder of the configs that come with Likeness."""


def shipped() -> list[str]:
    """Names of the configs that come with Likeness, such as ``recognition/quickstart``."""
    found = pkgutil.walk_packages(configs.__path__, prefix="likeness.configs.")
    return sorted(module.name.removeprefix("likeness.configs.").replace(".", "/") for module in found if not module.ispkg)


def docstring(name: str) -> str:
    """A config's label: what it reproduces, the result to expect, the cost, the command.

    It is read off the file, since running a config imports JAX.

    Args:
        name: a shipped name, or the path of a Python file.
    """
    path = Path(name) if name.endswith(".py") else ROOT / f"{name}.py"
    with tokenize.open(path) as file:
        return ast.get_docstring(ast.parse(file.read())) or ""
