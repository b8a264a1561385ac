"""Any labeled data set of TensorFlow Datasets, read without TensorFlow."""

import dataclasses
import hashlib
import os
from typing import Any, Literal, SupportsIndex

import numpy as np
from jaxtyping import Int, UInt8

from likeness.research.data.decode import BadImage
from likeness.research.data.duplicates import Duplicates
from likeness.research.data.images import ArrayReader, Images, content_numbers, index_people
from likeness.research.data.names import about_names, identity_name
from likeness.research.data.paths import expand_path, printable
from likeness.research.data.preprocessing import Preprocessing, sides
from likeness.research.errors import UserError


@dataclasses.dataclass(frozen=True)
class Tfds:
    """A data set of TensorFlow Datasets that was prepared as ArrayRecord.

    Reading needs no TensorFlow. Preparing a stock data set may, once, in any environment, and the error says the
    command. People are told apart by the label's name: a ``ClassLabel``'s, a ``Text``'s own (LFW), or an integer.
    The fingerprint is SHA-256 over every record's label and encoded image.

    Example::

        images = Tfds("lfw", image_key="image", label_key="label", size=112).open()
    """

    builder: str
    """The data set's name, perhaps with config and version: ``lfw``, ``omniglot``, ``my_faces/aligned:1.0.0``."""
    split: str = "train"
    """The split, or a slice of it such as ``train[:50%]``."""
    data_dir: str = ""
    """Where prepared data sets lie; empty: ``$TFDS_DATA_DIR``, else ``~/tensorflow_datasets``."""
    image_key: str = "image"
    """The feature that holds the image."""
    label_key: str = "label"
    """The feature that tells whom it shows."""
    size: int | tuple[int, int] = 112
    """Height and width of the images, in pixels, or the side of a square."""
    channels: Literal[1, 3] = 3
    """1 for gray, 3 for RGB."""
    fit: Literal["crop", "stretch"] = "crop"
    """How an image of other proportions gets these: ``crop`` keeps the center, ``stretch`` distorts."""
    resample: Literal["box", "bilinear", "lanczos"] = "bilinear"
    """The filter; each is antialiased."""
    on_bad: Literal["skip", "refuse"] = "skip"
    """``skip`` leaves a bad image out and lists it in ``Images.skipped``; ``refuse`` stops at the first."""
    duplicates: Duplicates = Duplicates()
    """What becomes of images that are identical when decoded."""
    cache_megabytes: float = 2048.0
    """Images are kept in memory if, decoded, all take no more than this; else each is read when needed."""
    download: bool = False
    """Download and prepare the data set if it is missing; may take hours and want TensorFlow."""

    def __post_init__(self) -> None:
        if min(sides(self.size)) < 1:
            raise ValueError(f"Tfds.size is the side of the images in pixels and must be positive, not {self.size}.")

    @property
    def preprocessing(self) -> Preprocessing:
        """How each file becomes an image."""
        return Preprocessing(size=sides(self.size), channels=self.channels, fit=self.fit, resample=self.resample)

    def open(self) -> Images:
        """Reads every label, and checks every image by decoding it once.

        Raises:
            UserError: the data set is not there, was prepared in another format, or has not these features.
        """
        source = self._source()
        features = self._features(source)
        n = len(source)
        if not n:
            raise UserError(f"The split {self.split!r} of {self.builder} is empty: name another by the field `split`.")
        preprocessing = self.preprocessing
        shape = preprocessing.shape
        fits = n * float(np.prod(shape)) <= self.cache_megabytes * 1e6
        cache = np.empty((n, *shape), np.uint8) if fits else None
        reader = _RecordReader(source, self.image_key, preprocessing, self.builder)
        who, kept, digests, content, skipped, given = [], [], [], [], [], {}
        for row in range(n):
            record = source[row]
            try:
                pixels = reader.decode_record(record, row)
            except BadImage as error:
                if self.on_bad == "refuse":
                    raise
                skipped.append((error.name, error.why))
                continue
            label = _label(record[self.label_key], features[self.label_key])
            given[label] = person = identity_name(label)
            told = repr(preprocessing).encode() + b"\0" + person.encode() + b"\0"
            digests.append(hashlib.sha256(told + record[self.image_key]).digest())
            content.append(hashlib.sha256(np.ascontiguousarray(pixels).data).digest())
            who.append(person)
            kept.append(row)
            if cache is not None:
                cache[len(kept) - 1] = pixels
        if not kept:
            raise UserError(f"None of {n} images of {self.builder} can be used; the first: {skipped[0][1]}.")
        names = [f"{person}/{row}" for person, row in zip(who, kept, strict=True)]
        unique, copies = self.duplicates(content, who, names, self.builder)
        if not len(unique):
            raise UserError(f"Every image of {self.builder} is left out as a copy of another's: set `duplicates.across`.")
        if cache is not None:
            cache = cache[: len(kept)] if len(unique) == len(kept) else cache[unique]
        columns = (who, kept, names, digests, content)
        who, kept, names, digests, content = ([column[row] for row in unique] for column in columns)
        people, labels = index_people(who)
        rows = np.array(kept, np.int64)
        return Images(
            labels=labels,
            people=people,
            shape=shape,
            read=dataclasses.replace(reader, rows=rows) if cache is None else ArrayReader(cache),
            names=tuple(names),
            fingerprint=hashlib.sha256(b"".join(digests)).hexdigest(),
            digests=tuple(digests),
            skipped=tuple(skipped),
            notes=about_names(given, "labels") + copies,
            content=content_numbers(content),
        )

    def _source(self) -> Any:
        return prepared_source(self.builder, self.split, self.data_dir, self.image_key, self.download)

    def _features(self, source: Any) -> Any:
        import tensorflow_datasets as tfds

        features = source.dataset_info.features
        for field in ("image_key", "label_key"):
            key = getattr(self, field)
            if key not in features:
                raise UserError(
                    f"{self.builder} has no feature {key!r}, only {', '.join(map(repr, sorted(features)))}: mend the "
                    f"field `{field}`."
                )
        if not isinstance(features[self.image_key], tfds.features.Image):
            raise UserError(f"The feature {self.image_key!r} of {self.builder} is not an Image: mend the field `image_key`.")
        return features


def prepared_source(builder: str, split: str, data_dir: str, image_key: str, download: bool) -> Any:
    """The records of a prepared data set, whose images are not decoded.

    Args:
        builder: the data set's name, perhaps with config and version.
        split: of it.
        data_dir: where prepared data sets lie; empty for the library's default.
        image_key: the feature that holds the image.
        download: whether a data set that is missing is prepared.

    Raises:
        UserError: it is not there, or was prepared in another format.
    """
    import tensorflow_datasets as tfds

    folder = str(expand_path(data_dir, "data_dir")) if data_dir else None
    where = folder or "the default folder of TensorFlow Datasets"
    try:
        # Undecoded, so that the one decoder of this project checks and scales every image.
        return tfds.data_source(
            builder,
            split=split,
            data_dir=folder,
            download=download,
            decoders={image_key: tfds.decode.SkipDecoding()},
        )
    except tfds.core.DatasetNotFoundError as error:
        raise UserError(
            f"TensorFlow Datasets knows no data set {builder!r}, and there is none in {where}: mend the "
            "field `builder`, or `data_dir`."
        ) from error
    # What a library as wide as this raises is not documented; the person gets its first line and the way out.
    except Exception as error:
        reason = printable(str(error).strip().split("\n")[0]) or type(error).__name__
        raise UserError(
            f"The data set {builder} (split {split!r}) cannot be read from {where}: {reason} Mend the "
            f"field `split` or `data_dir`; if it is not prepared, or in another format, run "
            f"`{how_to_prepare(builder)}` where there is a network, and point `data_dir` at the result."
        ) from error


@dataclasses.dataclass(frozen=True, eq=False)
class _RecordReader:
    source: Any
    key: str
    preprocessing: Preprocessing
    builder: str
    rows: np.ndarray | None = None

    def __call__(self, rows: Int[np.ndarray, "b"]) -> UInt8[np.ndarray, "b h w c"]:
        records = rows if self.rows is None else self.rows[rows]
        found = self.source.__getitems__([int(row) for row in records])
        return np.stack([self.decode_record(record, row) for record, row in zip(found, records, strict=True)])

    def decode_record(self, record: dict[str, Any], row: SupportsIndex) -> UInt8[np.ndarray, "h w c"]:
        return self.preprocessing.from_bytes(record[self.key], f"{self.builder} record {row}")


def _label(label: Any, feature: Any) -> str:
    if isinstance(label, bytes | str):
        return os.fsdecode(label)
    number = int(label)
    return str(feature.int2str(number)) if hasattr(feature, "int2str") and number >= 0 else str(number)


def how_to_prepare(builder: str) -> str:
    """The command that writes a data set as ArrayRecord, without TensorFlow.

    The ``tfds`` command imports TensorFlow, whatever it is asked; the library imports it for the data sets that need it only.

    >>> print(how_to_prepare("lfw"))
    python -c "import tensorflow_datasets as t; t.builder('lfw', file_format='array_record').download_and_prepare()"
    """
    code = f"import tensorflow_datasets as t; t.builder({builder!r}, file_format='array_record').download_and_prepare()"
    return f'python -c "{code}"'
