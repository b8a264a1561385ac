"""Procedural styles: paintings without a painter or a license, of any size, the same for the same key.

Each is a frozen dataclass that is called with a size and a key, see :class:`Style`.
"""

from research.data.styles.curl_strokes import CurlStrokes
from research.data.styles.ink_wash import InkWash
from research.data.styles.pointillism import Pointillism
from research.data.styles.protocol import Style
from research.data.styles.voronoi_mosaic import VoronoiMosaic
from research.data.styles.woodcut import Woodcut

__all__ = ["CurlStrokes", "InkWash", "Pointillism", "Style", "VoronoiMosaic", "Woodcut"]
