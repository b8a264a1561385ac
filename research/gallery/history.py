"""What was changed in a gallery, when, and from which file: written in the transaction of the change itself."""

import dataclasses
import datetime
import sqlite3
from typing import Literal, TypeAlias

Action: TypeAlias = Literal["added", "removed", "replaced", "renamed", "template"]

TABLES = (
    """CREATE TABLE history (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        action TEXT NOT NULL,
        name TEXT NOT NULL,
        was TEXT NOT NULL,
        embedding INTEGER,
        source TEXT NOT NULL,
        sha256 TEXT NOT NULL
    )""",
    # What was written is not changed by mistake, neither here nor by another program.
    "CREATE TRIGGER history_is_kept BEFORE DELETE ON history BEGIN SELECT RAISE(ABORT, 'the history is kept'); END",
    "CREATE TRIGGER history_is_not_altered BEFORE UPDATE ON history BEGIN SELECT RAISE(ABORT, 'the history is kept'); END",
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
    name: str,
    at: str,
    *,
    was: str = "",
    embedding: int | None = None,
    source: str = "",
    sha256: str = "",
) -> None:
    """Writes one change, within the transaction that makes it."""
    values = (at, action, name, was, embedding, source, sha256)
    connection.execute(
        "INSERT INTO history (at, action, name, was, embedding, source, sha256) VALUES (?, ?, ?, ?, ?, ?, ?)", values
    )


def record_embeddings(connection: sqlite3.Connection, action: Action, name: str, person: int) -> int:
    """Writes that all embeddings of a person go; how many those are."""
    cursor = connection.execute(
        """INSERT INTO history (at, action, name, was, embedding, source, sha256)
           SELECT ?, ?, ?, '', id, source, sha256 FROM embeddings WHERE person_id = ? ORDER BY id""",
        (now(), action, name, person),
    )
    return int(cursor.rowcount)


def record_embedding(connection: sqlite3.Connection, action: Action, embedding: int) -> bool:
    """Writes that an embedding goes; whether there is such a one."""
    cursor = connection.execute(
        """INSERT INTO history (at, action, name, was, embedding, source, sha256)
           SELECT ?, ?, name, '', embeddings.id, source, sha256 FROM embeddings JOIN people ON person_id = people.id
           WHERE embeddings.id = ?""",
        (now(), action, embedding),
    )
    return cursor.rowcount == 1


def changes(connection: sqlite3.Connection, name: str | None) -> tuple[GalleryChange, ...]:
    """The history, the earliest first: everybody's, or that of a name and of those that it became or came from."""
    query = "SELECT id, at, action, name, was, embedding, source, sha256 FROM history ORDER BY id"
    rows = tuple(GalleryChange(*row) for row in connection.execute(query))
    if name is None:
        return rows
    names = {name}
    renamed = [row for row in rows if row.action == "renamed"]
    for row in (*renamed, *reversed(renamed)):
        if names & {row.name, row.was}:
            names |= {row.name, row.was}
    return tuple(row for row in rows if row.action != "template" and row.name in names)
