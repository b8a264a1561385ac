"""Docstrings, which Sphinx's roles are in, read well on the pages of the reference."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def roles() -> ModuleType:
    pytest.importorskip("griffe", reason="the docs extra is not installed: make docs")
    spec = importlib.util.spec_from_file_location("roles", Path(__file__).parents[2] / "docs" / "roles.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "written, shown",
    [
        ("see :class:`~likeness.research.data.Images` and :meth:`open`", "see `Images` and `open`"),
        ("``code`` stays, and so does a: colon", "``code`` stays, and so does a: colon"),
        ("Words.\n\nExample:\n    >>> 1\n    1", "Words.\n\nExamples:\n    >>> 1\n    1"),
        ("Example::\n\n    load()", "Example:\n\n    load()"),
    ],
)
def test_what_sphinx_reads_becomes_markdown(roles: ModuleType, written: str, shown: str) -> None:
    assert roles.markdown(written) == shown
