"""Procedural styles: paintings without a painter or a license, of any size, the same for the same key.

Each is a frozen dataclass that is called with a size and a key, see :class:`Style`.
"""

from likeness.research.data.styles.curl_strokes import CurlStrokes
from likeness.research.data.styles.ink_wash import InkWash
from likeness.research.data.styles.pointillism import Pointillism
from likeness.research.data.styles.protocol import Style
from likeness.research.data.styles.voronoi_mosaic import VoronoiMosaic
from likeness.research.data.styles.woodcut import Woodcut

__all__ = ["CurlStrokes", "InkWash", "Pointillism", "Style", "VoronoiMosaic", "Woodcut"]
