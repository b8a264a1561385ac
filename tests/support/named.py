"""What code names of Likeness, without running it."""

import ast
import importlib
import importlib.util

import likeness


def check_names(code: str) -> None:
    """Fails where code does not parse, or takes something of Likeness that is not there."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("likeness"):
            module = importlib.import_module(str(node.module))
            for name in (alias.name for alias in node.names):
                assert hasattr(module, name) or importlib.util.find_spec(f"{node.module}.{name}"), name
        elif isinstance(node, ast.Attribute) and (path := _dotted(node))[:1] == ["likeness"]:
            found: object = likeness
            for part in path[1:]:
                found = getattr(found, part)


def _dotted(node: ast.expr) -> list[str]:
    """The parts of ``likeness.losses.Triplet``; empty where something is called on the way."""
    if isinstance(node, ast.Name):
        return [node.id]
    return [*before, node.attr] if isinstance(node, ast.Attribute) and (before := _dotted(node.value)) else []
