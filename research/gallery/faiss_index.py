"""A gallery as a flat index of FAISS, for programs that search with that."""

import numpy as np

from likeness.research.distances import Distance
from likeness.research.errors import UserError, require
from likeness.research.gallery.records import Codes
from likeness.research.gallery.templates import averaged


def faiss_index(codes: Codes, distance: Distance) -> tuple[bytes, dict[str, object]]:
    """Returns the file of an exact FAISS index, and what its rows and its numbers are.

    The i-th row of the index is the i-th of ``names`` and ``ids``. A distance of Euclid's order becomes an ``IndexFlatL2``,
    which answers ``|x - y|²``; one of directions, such as the cosine distance, an ``IndexFlatIP`` of unit vectors, which
    answers ``x·y``, one less the cosine distance for a query of unit length.

    Args:
        codes: Of a gallery. Where a person is the average of their images, the averages are the rows.
        distance: That the gallery's model compares by.

    Returns:
        The bytes, and ``names`` and ``ids`` of the rows, ``metric`` (``squared_l2`` or ``inner_product``), ``distance`` and
        ``template``.

    Raises:
        UserError: FAISS is not installed, nobody is enrolled, or FAISS has no order like that of the distance.

    Johnson, Douze and Jégou, "Billion-scale similarity search with GPUs", IEEE Transactions on Big Data, 2021.
    """
    require("faiss", "faiss", "A file for FAISS")
    import faiss  # pyright: ignore[reportMissingImports]

    if not len(codes.vectors):
        raise UserError("The gallery is empty: nobody is enrolled, so there is nothing to write. Enroll somebody first.")
    if not (distance.euclidean or distance.directional):
        raise UserError(
            f"FAISS orders by Euclidean distances or by inner products, and {distance!r} does neither: write .npz or .parquet."
        )
    rows = averaged(codes, distance) if codes.template == "average" else codes
    vectors = np.ascontiguousarray(rows.vectors, np.float32)
    if not distance.euclidean:
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
        vectors = (vectors / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
    index = (faiss.IndexFlatL2 if distance.euclidean else faiss.IndexFlatIP)(vectors.shape[1])
    index.add(vectors)
    told = {
        "names": [rows.names[owner] for owner in np.asarray(rows.owners)],
        "ids": np.asarray(rows.ids).tolist(),
        "metric": "squared_l2" if distance.euclidean else "inner_product",
        "distance": repr(distance),
        "template": rows.template,
    }
    return faiss.serialize_index(index).tobytes(), told
