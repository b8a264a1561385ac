"""Images that are already arrays, in memory or in an .npz file."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from likeness.research.data.decode import to_uint8
from likeness.research.data.duplicates import KEEP_ALL, Duplicates
from likeness.research.data.images import ArrayReader, Images, content_numbers, index_people
from likeness.research.data.names import about_names, identity_name
from likeness.research.data.npz import BadArchive, open_npz
from likeness.research.data.paths import expand_path, printable
from likeness.research.data.regular import open_regular
from likeness.research.errors import UserError


def from_arrays(
    images: Shaped[np.ndarray, "..."],
    labels: Shaped[np.ndarray, "..."] | Sequence[str] | Sequence[int],
    people: Sequence[str] | None = None,
    *,
    name: str = "the arrays",
    duplicates: Duplicates = KEEP_ALL,
) -> Images:
    """Makes the table of images and labels that are in memory.

    Args:
        images: (n, h, w), (n, h, w, 1) or (n, h, w, 3), uint8 or floating-point in [0, 1].
        labels: (n,) of whom each image shows: integers or names.
        people: what the integers are called: label i is ``people[i]``. Default: the integer itself.
        name: what to call the arrays in an error.
        duplicates: what becomes of identical images. They are kept, and counted in ``Images.notes``, unless told otherwise.

    Raises:
        UserError: the shapes or dtypes do not fit, or an image holds NaN.

    Example:
        >>> images = from_arrays(np.zeros((3, 8, 8), np.uint8), ["bob", "ann", "bob"])
        >>> images.people, images.labels.tolist(), images.shape
        (('ann', 'bob'), [1, 0, 1], (8, 8, 1))
    """
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or 0 in images.shape:
        raise UserError(
            f"The images of {name} have shape {images.shape}: (n, h, w), (n, h, w, 1) or (n, h, w, 3) with none "
            "of them 0 is expected; a stack with channels first is turned by `images.transpose(0, 2, 3, 1)`."
        )
    pixels = to_uint8(images, name)
    who, said = _names(np.asarray(labels), people, len(images), name)
    called = [f"{person}/{row}" for row, person in enumerate(who)]
    content = [hashlib.sha256(np.ascontiguousarray(image).data).digest() for image in pixels]
    kept, copies = duplicates(content, who, called, name)
    if len(kept) < len(who):
        pixels, who, called = pixels[kept], [who[row] for row in kept], [called[row] for row in kept]
        content = [content[row] for row in kept]
    if not who:
        raise UserError(f"Every image of {name} is left out as a copy of somebody else's: mend its labels.")
    found, indices = index_people(who)
    digests = tuple(
        hashlib.sha256(repr((image.shape, person)).encode() + image.tobytes()).digest()
        for image, person in zip(pixels, who, strict=True)
    )
    return Images(
        labels=indices,
        people=found,
        shape=(images.shape[1], images.shape[2], images.shape[3]),
        read=ArrayReader(pixels),
        names=tuple(called),
        fingerprint=hashlib.sha256(b"".join(digests)).hexdigest(),
        digests=digests,
        notes=said + copies,
        content=content_numbers(content),
    )


def _names(labels: np.ndarray, people: Sequence[str] | None, n: int, name: str) -> tuple[list[str], tuple[str, ...]]:
    """Whom each row shows, and sentences about the names."""
    if labels.shape != (n,):
        raise UserError(f"The labels of {name} have shape {labels.shape}: one for each of {n} images is expected.")
    if labels.dtype.kind == "U":
        if people is not None:
            raise UserError(f"The labels of {name} are names already: leave `people` out.")
        given = [str(label) for label in labels]
        return [identity_name(label) for label in given], about_names(dict.fromkeys(given), "labels")
    if labels.dtype.kind not in "iu":
        raise UserError(f"The labels of {name} are {labels.dtype}: give integers or names.")
    if people is None:
        # Padded with zeros, so that names sort as the integers do.
        width = max(len(str(label)) for label in labels)
        return [f"{label:0{width}d}" for label in labels.tolist()], ()
    called = [identity_name(person) for person in people]
    if len(set(called)) != len(called):
        raise UserError(f"The `people` of {name} name somebody twice: give each label a name of its own.")
    if labels.min() < 0 or labels.max() >= len(called):
        raise UserError(
            f"The labels of {name} run from {labels.min()} to {labels.max()}, and there are {len(called)} "
            "people: labels index `people` from 0."
        )
    return [called[label] for label in labels], about_names(called, "labels")


@dataclasses.dataclass(frozen=True)
class Arrays:
    """An .npz file with ``images``, ``labels`` and perhaps ``people``, as :func:`from_arrays` takes them."""

    path: str
    """The file; ``~`` and environment variables are replaced."""
    images_key: str = "images"
    """The array of images in the file."""
    labels_key: str = "labels"
    """The array of labels in the file."""
    people_key: str = "people"
    """The array of names that integer labels index; it may be missing."""
    duplicates: Duplicates = Duplicates()
    """What becomes of identical images."""

    preprocessing = None
    """The arrays do not say how files became their images."""

    def open(self) -> Images:
        """Reads the file into memory.

        Raises:
            UserError: it is missing, not an .npz file, damaged, or its arrays do not fit together.
        """
        path = expand_path(self.path)
        arrays, names = self._load(path)
        for key in (self.images_key, self.labels_key):
            if key not in arrays:
                raise UserError(
                    f"{printable(path)} has no array {key!r}, only {', '.join(map(repr, names)) or 'none at all'}"
                    ": write it by `numpy.savez(path, images=…, labels=…)`, or name the arrays by the fields "
                    "`images_key` and `labels_key`."
                )
        people = arrays.get(self.people_key)
        return from_arrays(
            arrays[self.images_key],
            arrays[self.labels_key],
            None if people is None else [str(person) for person in people],
            name=printable(path),
            duplicates=self.duplicates,
        )

    def _load(self, path: Path) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
        """The arrays that were asked for, and the names of all."""
        wanted = (self.images_key, self.labels_key, self.people_key)
        try:
            with open_regular(path) as file, open_npz(file, wanted) as archive:
                return {key: archive.read(key) for key in archive.headers}, archive.names
        except BadArchive as error:
            raise UserError(
                f"{printable(path)} cannot be read as an .npz file of plain arrays: {error}. It is written by "
                "`numpy.savez(path, images=…, labels=…)`, with names as an array of strings and not of objects."
            ) from error
