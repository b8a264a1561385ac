"""Sources of pictures of people, and how training reads them.

A source is opened to an :class:`Images` table, a split parts its people, a sampler says which rows make a
batch, and :func:`stream` reads them.
"""

from .arrays import Arrays, from_arrays
from .augmentation import Augmentation
from .decode import BadImage, Decode
from .digits import Digits
from .faces import Faces
from .folder import Folder
from .images import ArrayReader, Images, index_people
from .omniglot import Omniglot, OmniglotRuns, OneShotRun
from .paths import expand_path, printable
from .pipeline import stream
from .sampling import BalancedPairs, IdentityBatches, IndexBatches, Shuffled
from .split import CountSplit, HashSplit, Splits
from .tfds import Tfds

__all__ = [
    "ArrayReader",
    "Arrays",
    "Augmentation",
    "BadImage",
    "BalancedPairs",
    "CountSplit",
    "Decode",
    "Digits",
    "Faces",
    "Folder",
    "HashSplit",
    "IdentityBatches",
    "Images",
    "IndexBatches",
    "Omniglot",
    "OmniglotRuns",
    "OneShotRun",
    "Shuffled",
    "Splits",
    "Tfds",
    "expand_path",
    "from_arrays",
    "index_people",
    "printable",
    "stream",
]
