"""Columns with a row for each image, as files that other programs read."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from likeness.research.data.paths import printable
from likeness.research.errors import UserError
from likeness.research.files import write_atomically

ENDINGS = (".npz", ".parquet")
"""NumPy's archive, and the table for pandas, Polars or DuckDB."""


def write_columns(out: Path, columns: Mapping[str, np.ndarray], told: Mapping[str, str]) -> None:
    """Writes columns, entirely or not at all.

    Args:
        out: the file, whose name ends in one of :data:`ENDINGS`.
        columns: arrays of one length. In a table what lies behind the first axis is a list of numbers.
        told: what is said of the whole: arrays without axes in an archive, the metadata of a table.

    Raises:
        UserError: pyarrow, which a table needs, is not installed, or the file cannot be written.
    """
    stored = io.BytesIO()
    if out.suffix.lower() == ".npz":
        np.savez(stored, **columns, **{name: np.array(text) for name, text in told.items()})  # pyright: ignore[reportArgumentType]
    else:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise UserError(
                f"{printable(out)} is a Parquet file, for which pyarrow is needed: `pip install pyarrow`, or write .npz."
            ) from error
        table = {name: list(column.reshape(len(column), -1) if column.ndim > 1 else column) for name, column in columns.items()}
        pyarrow.parquet.write_table(pyarrow.table(table).replace_schema_metadata(dict(told)), stored)
    write_atomically(out, stored.getvalue())
