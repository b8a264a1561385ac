"""Procedural styles: paintings without a painter or a license, of any size, the same for the same key.

Each is a frozen dataclass that is called with a size and a key, see :class:`Style`.
"""

from likeness.research.synthetic.styles.curl_strokes import CurlStrokes
from likeness.research.synthetic.styles.ink_wash import InkWash
from likeness.research.synthetic.styles.pointillism import Pointillism
from likeness.research.synthetic.styles.protocol import Style
from likeness.research.synthetic.styles.voronoi_mosaic import VoronoiMosaic
from likeness.research.synthetic.styles.woodcut import Woodcut

__all__ = ["CurlStrokes", "InkWash", "Pointillism", "Style", "VoronoiMosaic", "Woodcut"]
