"""Sources of images of people, and of labelled signals and volumes, and how training reads them.

A source is opened to an :class:`Images` table, a split parts its people, a sampler says which rows make a
batch, and :func:`stream` reads them.
"""

from typing import TYPE_CHECKING

from likeness.research.lazy import lazily

if TYPE_CHECKING:
    from likeness.research.data.arrays import Arrays, from_arrays
    from likeness.research.data.augmentation import Augmentation
    from likeness.research.data.blufr import BlufrLists, read_blufr
    from likeness.research.data.decode import BadImage, Decode
    from likeness.research.data.digits import Digits
    from likeness.research.data.duplicates import Duplicates
    from likeness.research.data.example_files import ExampleArrays
    from likeness.research.data.examples import Examples, Parts, stream_examples
    from likeness.research.data.folder import Folder
    from likeness.research.data.images import ArrayReader, Images, index_people
    from likeness.research.data.names import identity_name
    from likeness.research.data.omniglot import Omniglot, OmniglotRuns, OneShotRun
    from likeness.research.data.omniglot_split import OmniglotSplit
    from likeness.research.data.pair_lists import PairList, read_pairs, rows_by_name
    from likeness.research.data.paths import expand_path, printable
    from likeness.research.data.pipeline import stream
    from likeness.research.data.preprocessing import Preprocessing, to_unit
    from likeness.research.data.protocols import Sampler, Source, TrackedSource, is_synthetic, open_source
    from likeness.research.data.recordio import RecordIO
    from likeness.research.data.sampling import BalancedPairs, IdentityBatches, IndexBatches, Shuffled
    from likeness.research.data.split import CountSplit, Everybody, HashSplit, Split, Splits
    from likeness.research.data.synthetic_examples import Ecg, Volumes
    from likeness.research.data.synthetic_faces import Faces
    from likeness.research.data.synthetic_textures import Textures
    from likeness.research.data.template_lists import TemplateList, read_groups, read_template_pairs, read_templates
    from likeness.research.data.tfds import Tfds
    from likeness.research.data.verification_bin import VerificationBin, read_verification_bin
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
            "folder": ("Folder",),
            "images": ("ArrayReader", "Images", "index_people"),
            "names": ("identity_name",),
            "omniglot": ("Omniglot", "OmniglotRuns", "OneShotRun"),
            "omniglot_split": ("OmniglotSplit",),
            "paths": ("expand_path", "printable"),
            "pipeline": ("stream",),
            "preprocessing": ("Preprocessing", "to_unit"),
            "protocols": ("Sampler", "Source", "TrackedSource", "is_synthetic", "open_source"),
            "sampling": ("BalancedPairs", "IdentityBatches", "IndexBatches", "Shuffled"),
            "synthetic_examples": ("Ecg", "Volumes"),
            "synthetic_faces": ("Faces",),
            "synthetic_textures": ("Textures",),
            "split": ("CountSplit", "Everybody", "HashSplit", "Split", "Splits"),
            "tfds": ("Tfds",),
            "blufr": (
                "BlufrLists",
                "read_blufr",
            ),
            "pair_lists": (
                "PairList",
                "read_pairs",
                "rows_by_name",
            ),
            "recordio": ("RecordIO",),
            "template_lists": (
                "TemplateList",
                "read_groups",
                "read_template_pairs",
                "read_templates",
            ),
            "verification_bin": (
                "VerificationBin",
                "read_verification_bin",
            ),
        },
    )

__all__ = [
    "ArrayReader",
    "Arrays",
    "Augmentation",
    "BadImage",
    "BalancedPairs",
    "BlufrLists",
    "CountSplit",
    "Decode",
    "Digits",
    "Duplicates",
    "Ecg",
    "Everybody",
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
    "OmniglotSplit",
    "OneShotRun",
    "PairList",
    "Parts",
    "Preprocessing",
    "RecordIO",
    "Sampler",
    "Shuffled",
    "Source",
    "Split",
    "Splits",
    "TemplateList",
    "Textures",
    "Tfds",
    "TrackedSource",
    "VerificationBin",
    "Volumes",
    "expand_path",
    "from_arrays",
    "identity_name",
    "index_people",
    "is_synthetic",
    "open_source",
    "printable",
    "read_blufr",
    "read_groups",
    "read_pairs",
    "read_template_pairs",
    "read_templates",
    "read_verification_bin",
    "rows_by_name",
    "stream",
    "stream_examples",
    "to_unit",
]
