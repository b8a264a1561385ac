"""Sources of pictures of people, and of labelled signals and volumes, and how training reads them.

A source is opened to an :class:`Images` table, a split parts its people, a sampler says which rows make a
batch, and :func:`stream` reads them.
"""

from typing import TYPE_CHECKING

from likeness.research.lazy import lazily

if TYPE_CHECKING:
    from .arrays import Arrays, from_arrays
    from .augmentation import Augmentation
    from .decode import BadImage, Decode
    from .digits import Digits
    from .duplicates import Duplicates
    from .example_files import ExampleArrays
    from .examples import Examples, Parts, stream_examples
    from .faces import Faces
    from .folder import Folder
    from .images import ArrayReader, Images, index_people
    from .names import identity_name
    from .omniglot import Omniglot, OmniglotRuns, OneShotRun
    from .paths import expand_path, printable
    from .pipeline import stream
    from .preprocessing import Preprocessing, to_unit
    from .sampling import BalancedPairs, IdentityBatches, IndexBatches, Shuffled
    from .signals import Ecg
    from .split import CountSplit, HashSplit, Splits
    from .tfds import Tfds
    from .volumes import Volumes
else:
    __getattr__ = lazily(
        __name__,
        {
            "arrays": ("Arrays", "from_arrays"),
            "augmentation": ("Augmentation",),
            "decode": ("BadImage", "Decode"),
            "digits": ("Digits",),
            "duplicates": ("Duplicates",),
            "example_files": ("ExampleArrays",),
            "examples": ("Examples", "Parts", "stream_examples"),
            "faces": ("Faces",),
            "folder": ("Folder",),
            "images": ("ArrayReader", "Images", "index_people"),
            "names": ("identity_name",),
            "omniglot": ("Omniglot", "OmniglotRuns", "OneShotRun"),
            "paths": ("expand_path", "printable"),
            "pipeline": ("stream",),
            "preprocessing": ("Preprocessing", "to_unit"),
            "sampling": ("BalancedPairs", "IdentityBatches", "IndexBatches", "Shuffled"),
            "signals": ("Ecg",),
            "split": ("CountSplit", "HashSplit", "Splits"),
            "tfds": ("Tfds",),
            "volumes": ("Volumes",),
        },
    )

__all__ = [
    "ArrayReader",
    "Arrays",
    "Augmentation",
    "BadImage",
    "BalancedPairs",
    "CountSplit",
    "Decode",
    "Digits",
    "Duplicates",
    "Ecg",
    "ExampleArrays",
    "Examples",
    "Faces",
    "Folder",
    "HashSplit",
    "IdentityBatches",
    "Images",
    "IndexBatches",
    "Omniglot",
    "OmniglotRuns",
    "OneShotRun",
    "Parts",
    "Preprocessing",
    "Shuffled",
    "Splits",
    "Tfds",
    "Volumes",
    "expand_path",
    "from_arrays",
    "identity_name",
    "index_people",
    "printable",
    "stream",
    "stream_examples",
    "to_unit",
]
