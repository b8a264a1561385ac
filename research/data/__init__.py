"""Sources of pictures of people, and how training reads them.

A source is opened to an :class:`Images` table, a split parts its people, a sampler says which rows make a batch, and
:func:`stream` reads them.
"""

from .images import ArrayReader, Images, index_people

__all__ = ["ArrayReader", "Images", "index_people"]
