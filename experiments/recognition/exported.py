"""A gallery as a file for other programs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from likeness.experiments.storage.columns import ENDINGS, write_columns
from likeness.research.data.paths import printable
from likeness.research.errors import UserError
from likeness.research.files import write_atomically
from likeness.research.gallery import Gallery
from likeness.research.gallery.faiss_index import faiss_index

if TYPE_CHECKING:
    from likeness.research.distances import Distance

__all__ = ["FAISS_ENDINGS", "check_ending", "export_gallery"]

FAISS_ENDINGS = (".faiss", ".index")


def check_ending(out: Path) -> None:
    """Finds out from its name whether a file can be written.

    Raises:
        UserError: its name ends in nothing that is known.
    """
    if out.suffix.lower() not in (*ENDINGS, *FAISS_ENDINGS):
        raise UserError(
            f"{printable(out)} ends in nothing that a gallery is written to: NumPy's .npz, a table .parquet, or FAISS's .faiss "
            "or .index."
        )


def export_gallery(gallery: Gallery, out: Path, distance: "Distance | None" = None) -> tuple[int, tuple[Path, ...]]:
    """Writes a gallery, and returns how many rows and which files were written.

    ``.npz`` and ``.parquet`` have a row for each enrolled image, ordered by person: ``embeddings``, ``people``, ``files``,
    ``sha256``, ``added`` and ``ids``. :func:`~likeness.experiments.recognition.protocols.open_embeddings` reads the first.
    ``.faiss`` and ``.index`` are an index, with the names of its rows in a file of the same name that ends in ``.json``
    (:func:`~likeness.research.gallery.faiss_index.faiss_index`).

    Args:
        gallery: what to write.
        out: the file.
        distance: that its model compares by; an index needs it.

    Raises:
        UserError: nobody is enrolled, a package is not installed, or the file cannot be written.
        ValueError: an index is asked for without a distance.
    """
    check_ending(out)
    codes = gallery.codes()
    if not len(codes.vectors):
        raise UserError(
            f"Gallery {printable(gallery.path)}: nobody is enrolled, so there is nothing to write. Enroll somebody first."
        )
    told = {"fingerprint": gallery.fingerprint, "template": codes.template}
    if out.suffix.lower() in FAISS_ENDINGS:
        if distance is None:
            raise ValueError("export_gallery: an index of FAISS needs the distance that the gallery's model compares by.")
        index, rows = faiss_index(codes, distance)
        names = out.with_name(out.name + ".json")
        write_atomically(names, json.dumps({**told, **rows}, indent=1, ensure_ascii=False) + "\n")
        write_atomically(out, index)
        return len(rows["names"]), (out, names)  # pyright: ignore[reportArgumentType]
    notes = {note.id: note for note in gallery.embeddings()}
    listed = [notes[int(row)] for row in np.asarray(codes.ids) if int(row) in notes]
    if len(listed) != len(codes.vectors):
        raise UserError(f"Gallery {printable(gallery.path)}: it was changed while it was read. Run the same command again.")
    columns = {
        "embeddings": np.asarray(codes.vectors, np.float32),
        "people": np.array([note.name for note in listed]),
        "files": np.array([note.source for note in listed]),
        "sha256": np.array([note.sha256 for note in listed]),
        "added": np.array([note.added for note in listed]),
        "ids": np.asarray(codes.ids),
    }
    write_columns(out, columns, told)
    return len(listed), (out,)
