"""Procedural textures: endless kinds of strokes, cells, weaves and noise, each of which can be drawn again and again."""

from likeness.research.synthetic.textures.patterns import PATTERNS, Pattern
from likeness.research.synthetic.textures.texture import CHANGES, VERSION, Texture

__all__ = ["CHANGES", "PATTERNS", "VERSION", "Pattern", "Texture"]
