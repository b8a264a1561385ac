"""The SQLite file of a gallery: its tables, and how it is made, opened and changed."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from likeness.research.gallery import history
from likeness.research.gallery.errors import explained

SCHEMA = 3
_TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    # An id is never given twice: the history tells by it who of one name was meant.
    "CREATE TABLE people (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE)",
    """CREATE TABLE embeddings (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        person_id INTEGER NOT NULL REFERENCES people (id) ON DELETE CASCADE,
        vector BLOB NOT NULL,
        source TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        added TEXT NOT NULL
    )""",
    "CREATE INDEX embeddings_of_person ON embeddings (person_id)",
    "CREATE INDEX embeddings_of_image ON embeddings (sha256)",
)


def _connect(path: Path, parameters: str = "") -> sqlite3.Connection:
    address = path.absolute().as_uri() + parameters
    connection = sqlite3.connect(address, uri=True, timeout=30, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def made(path: Path, fingerprint: str, dimension: int, doing: str) -> tuple[sqlite3.Connection, dict[str, str], bool]:
    """Makes a gallery where there is nothing yet; what the file then says of itself, and whether it was made just now."""
    if dimension < 1 or not fingerprint:
        raise ValueError(f"A gallery needs a model's fingerprint and a positive dimension, not {fingerprint!r}, {dimension}.")
    with explained(path, doing):
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = _connect(path)
        try:
            # Whoever has the lock finds the file whole: without tables, which are then made, or with all of them.
            with transaction(connection):
                created = not connection.execute("SELECT 1 FROM sqlite_master").fetchone()
                if created:
                    for statement in (*_TABLES, *history.TABLES):
                        connection.execute(statement)
                    rows = {"schema": SCHEMA, "fingerprint": fingerprint, "dimension": dimension, "template": "nearest"}
                    connection.executemany("INSERT INTO meta VALUES (?, ?)", [(k, str(v)) for k, v in rows.items()])
                meta = _meta(connection)
            if "schema" in meta:
                _write_ahead(connection)
        except BaseException:
            connection.close()
            raise
    return connection, meta, created


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Lets processes read while one writes, from now on and for everybody; a later opener does it where this one cannot."""
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if not str(getattr(error, "sqlite_errorname", "")).startswith("SQLITE_BUSY"):
            raise


def open_and_read(path: Path) -> tuple[sqlite3.Connection, dict[str, str]]:
    """Opens a gallery, for reading alone where it cannot be written; and what it says of itself."""
    try:
        return _read_meta(_connect(path, "?mode=rw"))
    except sqlite3.OperationalError as error:
        # Reading takes two small files beside the gallery, which a read-only directory or a full disk does not have room for.
        kinds = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_FULL", "SQLITE_IOERR")
        refused = str(getattr(error, "sqlite_errorname", "")).startswith(kinds)
        if not refused or _unread(path.with_name(path.name + "-wal")):
            raise
        return _read_meta(_connect(path, "?mode=ro&immutable=1"))


def _unread(log: Path) -> bool:
    """Whether changes may lie in the write-ahead log that the file itself does not hold yet."""
    return log.exists() and log.stat().st_size > 0


def _read_meta(connection: sqlite3.Connection) -> tuple[sqlite3.Connection, dict[str, str]]:
    try:
        return connection, _meta(connection)
    except (sqlite3.Error, UnicodeDecodeError):
        connection.close()
        raise


def _meta(connection: sqlite3.Connection) -> dict[str, str]:
    """What the gallery says of itself; nothing where the file is none."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
        return {}
    return {str(key): str(value) for key, value in connection.execute("SELECT key, value FROM meta")}


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All changes or, if anything is raised, none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
