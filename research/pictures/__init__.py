"""Pictures as people have them: read, resized, written."""

from research.pictures.resize import fit, resize
from research.pictures.writing import write_picture

__all__ = ["fit", "resize", "write_picture"]
