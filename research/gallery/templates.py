"""One embedding for each person, the average of their images."""

import dataclasses

import numpy as np

from likeness.research.distances import Distance
from likeness.research.errors import UserError
from likeness.research.gallery.records import Codes

_UNIT = 1e-3
_SHORT = 1e-6


def averaged(codes: Codes, distance: Distance) -> Codes:
    """Returns the codes with one row for each person, the average of theirs.

    Where the distance sees directions alone, or every embedding has unit length (to 0.1 %), that is the direction of the mean
    of the directions, ``Σ f_i / |Σ f_i|``: a plain mean lies inside of the sphere, where it is nearer to everybody. Otherwise
    it is the plain mean, ``Σ f_i / n``.

    A threshold was calibrated on pairs of images. An average of n images is nearer to a person's next image than most of the n
    are, and so is it, by less, to those who resemble them: how often a stranger is accepted in one comparison with an average
    was not measured with τ. What a gallery does to strangers is, see
    :func:`~likeness.research.gallery.identification.named_strangers`.

    Args:
        codes: Of a gallery.
        distance: That they are compared by.

    Raises:
        UserError: A person's images cancel each other or have length zero, so that their average has no direction.

    Maze et al., "IARPA Janus Benchmark - C", ICB 2018, whose templates are such averages.

    Example:
        >>> from likeness.research.distances import Cosine
        >>> codes = Codes(("Ada",), np.eye(2, dtype=np.float32), np.zeros(2, np.int64), np.arange(2))
        >>> averaged(codes, Cosine()).vectors.round(3).tolist()
        [[0.7070000171661377, 0.7070000171661377]]
    """
    vectors, owners = np.asarray(codes.vectors, np.float64), np.asarray(codes.owners)
    norms = np.linalg.norm(vectors, axis=1)
    spherical = distance.directional or bool((np.abs(norms - 1) <= _UNIT).all())
    if spherical:
        vectors = vectors / np.where(norms > 0, norms, 1.0)[:, None]
    people, firsts = np.unique(owners, return_index=True)
    means = np.zeros((len(codes.names), vectors.shape[1]))
    np.add.at(means, owners, vectors)
    means /= np.bincount(owners, minlength=len(codes.names))[:, None]
    if spherical:
        lengths = np.linalg.norm(means, axis=1)
        if (lengths <= _SHORT).any():
            least = int(np.argmin(lengths))
            name, own = codes.names[least], norms[owners == least]
            if not own.any():
                raise UserError(
                    f"{'The image' if len(own) == 1 else 'Each image'} of {name} has an embedding of length zero, which has no "
                    "direction to be compared by. Enroll others in its place, and check the model's weights."
                )
            raise UserError(
                f"The images of {name} have no average: their embeddings cancel each other. "
                "Enroll others, or compare with the nearest image (--template nearest)."
            )
        means /= lengths[:, None]
    rows = means.astype(np.float32)
    # A single image stands for itself, to the bit.
    single = np.bincount(owners, minlength=len(codes.names)) == 1
    rows[single] = np.asarray(codes.vectors, np.float32)[firsts[single]]
    return dataclasses.replace(codes, vectors=rows, owners=people, ids=np.asarray(codes.ids)[firsts])
