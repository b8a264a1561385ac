"""Protocols on embeddings that somebody has already: from an array, or the file that ``likeness embed`` writes."""

import hashlib
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any, NoReturn

import numpy as np

from likeness.experiments.recognition.embedders import Embedder
from likeness.experiments.recognition.protocols.base import EvaluatedSet
from likeness.research.checks import as_numpy
from likeness.research.data.images import Images, index_people
from likeness.research.data.names import identity_name
from likeness.research.data.npz import BadArchive, read_npz
from likeness.research.data.paths import expand_path, printable
from likeness.research.data.regular import open_regular
from likeness.research.distances import Cosine, Distance
from likeness.research.errors import UserError
from likeness.research.metrics.pair_stream import compare_blocks

_NAMES = ("files", "names", "paths")


def evaluated_embeddings(
    embeddings: Any, names: Sequence[str], people: Sequence[str] | None = None, distance: Distance | None = None
) -> EvaluatedSet:
    """What every protocol takes, of embeddings instead of a network and images.

    A protocol that has images of its own cannot embed them, and says so.

    Args:
        embeddings: (n, d), as the network gives them.
        names: of the images, by which lists find them: paths.
        people: whom each shows; without, the folder that each image lies in, as in ``people/ann/1.jpg``.
        distance: how they are compared; the cosine distance by default.

    Raises:
        ValueError: these are not embeddings and a name for each.
        UserError: an image lies in no folder, and nobody says whom it shows.

    Example:
        >>> from likeness.experiments.recognition import Retrieval
        >>> codes = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]], np.float32)
        >>> bare = evaluated_embeddings(codes, ["ann/1.jpg", "ann/2.jpg", "bob/1.jpg", "bob/2.jpg"])
        >>> Retrieval().metrics(bare)["retrieval/p@1"].value
        1.0
    """
    table = as_numpy("evaluated_embeddings", "embeddings", embeddings, ("n", "d"), help="Give one row for each image.")
    if len(names) != len(table) or (people is not None and len(people) != len(table)):
        raise ValueError(
            f"evaluated_embeddings: {len(table)} embeddings have {len(names)} names: give one for each, and a person."
        )
    who = [_folder(name) for name in names] if people is None else [identity_name(person) for person in people]
    found, labels = index_people(who)
    by = Cosine() if distance is None else distance
    digest = hashlib.sha256(np.ascontiguousarray(table).tobytes() + "\0".join([*names, *who]).encode())
    images = Images(
        labels=labels,
        people=found,
        shape=(1, 1, 1),
        read=_no_images,
        names=tuple(names),
        fingerprint=digest.hexdigest(),
    )
    embedder = Embedder(embed=_no_images, distance=lambda first, second: compare_blocks(first, second, by), compared_by=by)
    return EvaluatedSet(embedder, images, np.asarray(table, np.float32))


def open_embeddings(path: str, distance: Distance | None = None) -> EvaluatedSet:
    """The same of an .npz file with ``embeddings`` and ``files``, ``names`` or ``paths``, and ``people`` where they are known.

    Args:
        path: the file; ``~`` and environment variables are replaced.
        distance: how they are compared; the cosine distance by default.

    Raises:
        UserError: there is no such file, or it lacks these arrays.

    Example::

        lfw = open_embeddings("embeddings.npz")
        print(ListedPairs(pairs="pairs.txt", name="lfw").metrics(lfw)["lfw/accuracy"].text())
    """
    file = expand_path(path)
    shown = printable(file)
    try:
        with open_regular(file) as opened:
            arrays = read_npz(opened, ("embeddings", "people", *_NAMES))
    except BadArchive as error:
        raise UserError(f"{shown} cannot be read: {error}. Write it by `likeness embed`, or by numpy.savez.") from error
    named = next((name for name in _NAMES if name in arrays), None)
    if "embeddings" not in arrays or named is None:
        raise UserError(f"{shown} has no array `embeddings`, or none of {', '.join(_NAMES)}: write it by `likeness embed`.")
    people = arrays["people"].astype(str).tolist() if "people" in arrays else None
    if arrays["embeddings"].ndim != 2 or arrays[named].shape != arrays["embeddings"].shape[:1]:
        raise UserError(
            f"{shown} has embeddings of shape {arrays['embeddings'].shape} and {named} of shape {arrays[named].shape}: "
            "each row "
            "has one name."
        )
    return evaluated_embeddings(arrays["embeddings"], arrays[named].astype(str).tolist(), people, distance)


def _folder(name: str) -> str:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if len(parts) < 2:
        raise UserError(
            f"The image {printable(name)} lies in no folder that is called as the person: say whom each image shows."
        )
    return identity_name(parts[-2])


def _no_images(*_: Any) -> NoReturn:
    raise UserError(
        "These are embeddings without the network that made them: a protocol with images of its own cannot embed them. "
        "Leave the "
        "field `images` out, and embed the images of its lists with the others."
    )


__all__ = ["evaluated_embeddings", "open_embeddings"]
