"""What was changed in a gallery, when, and from which file: written in the transaction of the change itself."""

import dataclasses
import datetime
import sqlite3
from typing import Literal, TypeAlias

Action: TypeAlias = Literal["added", "removed", "replaced", "renamed", "template"]

_COLUMNS = "at, action, person, name, was, embedding, source, sha256"
TABLES = (
    """CREATE TABLE history (
        id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id > 0),
        at TEXT NOT NULL,
        action TEXT NOT NULL,
        person INTEGER,
        name TEXT NOT NULL,
        was TEXT NOT NULL,
        embedding INTEGER,
        source TEXT NOT NULL,
        sha256 TEXT NOT NULL
    )""",
    # What was written is not changed by mistake, neither here nor by another program.
    "CREATE TRIGGER history_is_kept BEFORE DELETE ON history BEGIN SELECT RAISE(ABORT, 'the history is kept'); END",
    "CREATE TRIGGER history_is_not_altered BEFORE UPDATE ON history BEGIN SELECT RAISE(ABORT, 'the history is kept'); END",
    # SQLite does not call it a deletion where REPLACE puts a row in the place of another.
    """CREATE TRIGGER history_is_not_replaced BEFORE INSERT ON history
       WHEN EXISTS (SELECT 1 FROM history WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'the history is kept'); END""",
)


@dataclasses.dataclass(frozen=True)
class GalleryChange:
    """One line of a gallery's history: an embedding that came or went, or a name or the template that became another."""

    id: int
    """Rising with time."""
    at: str
    """UTC, ISO 8601."""
    action: Action
    """``added``; ``removed``; ``replaced``, which is removed because others took its place; ``renamed``; ``template``, which
    says how people of several images are compared."""
    person: int | None
    """Whom it is about, by a number that stays when the name changes, and that nobody else is given; None of ``template``."""
    name: str
    """The person then, after a change of name the new one; of ``template`` the new one."""
    was: str
    """The name or template before it was changed; otherwise empty."""
    embedding: int | None
    """The embedding's id; None where the change is of none."""
    source: str
    """The path of the image that the embedding comes from."""
    sha256: str
    """The SHA-256 of that file, or of the face in it where it shows several; empty when unknown."""

    def __str__(self) -> str:
        """One line for people to read."""
        match self.action:
            case "renamed":
                what = f"{self.name}, who was {self.was}"
            case "template":
                what = f"people are compared by {self.name}, which was {self.was}"
            case _:
                image = f"embedding {self.embedding}" if self.embedding is not None else "without an image"
                digest = f", SHA-256 {self.sha256}" if self.sha256 else ""
                what = f"{self.name}: {image}{' of ' + self.source if self.source else ''}{digest}"
        return f"{self.at}  {self.action:8}  {what}"


def now() -> str:
    """UTC, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def record(
    connection: sqlite3.Connection,
    action: Action,
    person: int | None,
    name: str,
    at: str,
    *,
    was: str = "",
    embedding: int | None = None,
    source: str = "",
    sha256: str = "",
) -> None:
    """Writes one change, within the transaction that makes it."""
    values = (at, action, person, name, was, embedding, source, sha256)
    connection.execute(f"INSERT INTO history ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)


def record_embeddings(connection: sqlite3.Connection, action: Action, name: str, person: int) -> int:
    """Writes that all embeddings of a person go; how many those are."""
    cursor = connection.execute(
        f"""INSERT INTO history ({_COLUMNS})
            SELECT ?, ?, person_id, ?, '', id, source, sha256 FROM embeddings WHERE person_id = ? ORDER BY id""",
        (now(), action, name, person),
    )
    return int(cursor.rowcount)


def record_embedding(connection: sqlite3.Connection, action: Action, embedding: int) -> bool:
    """Writes that an embedding goes; whether there is such a one."""
    cursor = connection.execute(
        f"""INSERT INTO history ({_COLUMNS})
            SELECT ?, ?, person_id, name, '', embeddings.id, source, sha256
            FROM embeddings JOIN people ON person_id = people.id WHERE embeddings.id = ?""",
        (now(), action, embedding),
    )
    return cursor.rowcount == 1


def changes(connection: sqlite3.Connection, name: str | None) -> tuple[GalleryChange, ...]:
    """The history, the earliest first: everybody's, or that of those who were ever called so, under all of their names."""
    rows = tuple(GalleryChange(*row) for row in connection.execute(f"SELECT id, {_COLUMNS} FROM history ORDER BY id"))
    if name is None:
        return rows
    people = {row.person for row in rows if row.person is not None and name in (row.name, row.was)}
    return tuple(row for row in rows if row.person in people)


def names(connection: sqlite3.Connection) -> tuple[str, ...]:
    """All names that anybody ever had, sorted."""
    query = (
        "SELECT name FROM history WHERE person IS NOT NULL UNION SELECT was FROM history WHERE action = 'renamed' ORDER BY 1"
    )
    return tuple(row[0] for row in connection.execute(query))
