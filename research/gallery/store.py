"""Enrolled people in one SQLite file."""

import contextlib
import difflib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import cast

import numpy as np

from likeness.research.data.names import easily_confused, folded, identity_name
from likeness.research.data.paths import printable
from likeness.research.errors import UserError
from likeness.research.gallery import history
from likeness.research.gallery.database import SCHEMA, made, open_and_read, transaction
from likeness.research.gallery.errors import explained
from likeness.research.gallery.history import GalleryChange
from likeness.research.gallery.records import (
    LARGEST,
    PERSON_TEMPLATES,
    Codes,
    Duplicate,
    Enrolled,
    EnrolledImage,
    Enrollment,
    PersonTemplate,
    comparable,
)
from likeness.research.types import AnyArray

_LITTLE_ENDIAN = np.dtype("<f4")


class Gallery:
    """Enrolled people: several embeddings each, computed once, in one SQLite file.

    Every change is one transaction: it happens entirely or not at all, also when the process is killed, and
    several processes may read and write at once (WAL; keep the file on a local disk). Adding, renaming and
    removing people needs no training: an embedding depends on the model alone. A gallery belongs to one
    model, whose fingerprint it keeps; embeddings of two models cannot be compared.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with Gallery.create(f"{folder}/people.sqlite", fingerprint="abc", dimension=2) as gallery:
        ...         _ = gallery.add("Ada", [[0.6, 0.8]])
        ...         gallery.people()
        {'Ada': 1}
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, fingerprint: str, dimension: int) -> None:
        """For :meth:`create` and :meth:`open`."""
        self.path = path
        self.fingerprint = fingerprint
        self.dimension = dimension
        self._connection = connection

    @classmethod
    def create(cls, path: str | Path, fingerprint: str, dimension: int) -> "Gallery":
        """Makes an empty gallery, and its directory if need be.

        Args:
            path: the file to make.
            fingerprint: identifies the model whose embeddings it will hold.
            dimension: their length.

        Raises:
            UserError: there is a file already, or it cannot be written.
            ValueError: the dimension is not positive, or the fingerprint is empty.
        """
        path = Path(path)
        connection, meta, created = made(path, fingerprint, dimension, "be created")
        if not created:
            connection.close()
            raise UserError(f"Gallery {path}: the file exists already. Open it to add people, or choose another path.")
        return cls._checked(path, connection, meta, fingerprint)

    @classmethod
    def open_or_create(cls, path: str | Path, fingerprint: str, dimension: int) -> "Gallery":
        """Opens a gallery, which is made if there is none, however many processes ask for it at once.

        Args:
            path: the file. One that holds nothing yet, as a process killed while it made the gallery leaves it, is made into
                a gallery.
            fingerprint: identifies the model whose embeddings it holds.
            dimension: their length.

        Raises:
            UserError: it is not a gallery, is damaged, is of another model, or cannot be made.
            ValueError: the dimension is not positive, or the fingerprint is empty.
        """
        path = Path(path)
        connection, meta, _ = made(path, fingerprint, dimension, "be opened or created")
        return cls._checked(path, connection, meta, fingerprint)

    @classmethod
    def open(cls, path: str | Path, fingerprint: str | None = None) -> "Gallery":
        """Opens a gallery; where the directory is read-only, for reading.

        Args:
            path: the file.
            fingerprint: of the model at hand; ``None`` to look without one.

        Raises:
            UserError: there is none, it is not a gallery or damaged, or it is of another model.
        """
        path = Path(path)
        if not path.is_file():
            raise UserError(f"Gallery {path}: there is no such file. Enroll someone first, or check the path.")
        if not path.stat().st_size:
            raise UserError(f"Gallery {path}: the file is empty, nobody is enrolled yet. Enroll someone first.")
        with explained(path, "be opened"):
            connection, meta = open_and_read(path)
        return cls._checked(path, connection, meta, fingerprint)

    @classmethod
    def _checked(cls, path: Path, connection: sqlite3.Connection, meta: dict[str, str], fingerprint: str | None) -> "Gallery":
        try:
            cls._check(path, meta, fingerprint)
        except BaseException:
            connection.close()
            raise
        return cls(path, connection, meta["fingerprint"], int(meta["dimension"]))

    @staticmethod
    def _check(path: Path, meta: dict[str, str], fingerprint: str | None) -> None:
        if not {"schema", "fingerprint", "dimension"} <= meta.keys() or not meta["dimension"].isdecimal():
            raise UserError(
                f"Gallery {path}: it is an SQLite file but not a gallery. Give another path, or move it away and enroll anew."
            )
        if meta["schema"] != str(SCHEMA):
            raise UserError(
                f"Gallery {path}: it has version {meta['schema']} of the format and this program reads version {SCHEMA}. "
                "Use the program that wrote it, or enroll its people anew."
            )
        if fingerprint is not None and fingerprint != meta["fingerprint"]:
            raise UserError(
                f"Gallery {path}: it was made with the model {meta['fingerprint']} and this is {fingerprint}. "
                "Embeddings of two models cannot be compared: use that model, or enroll the people again from their "
                "images into a new gallery."
            )

    def __enter__(self) -> "Gallery":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the file. Every change is already on disk."""
        self._connection.close()

    @contextlib.contextmanager
    def transaction(self, doing: str = "be changed") -> Iterator[None]:
        """Makes all changes within it one: they happen together or, if anything is raised, not at all.

        Args:
            doing: for the error's message, continuing "could not".

        Raises:
            UserError: the disk is full, the file read-only or locked.
        """
        with explained(self.path, doing):
            if self._connection.in_transaction:
                yield
            else:
                with transaction(self._connection):
                    yield

    def add(self, name: str, vectors: AnyArray | Sequence[Sequence[float]], images: Sequence[EnrolledImage] = ()) -> Enrollment:
        """Adds embeddings of one person, who is enrolled if new.

        Args:
            name: the person; stored composed, stripped and printable (:func:`~likeness.research.data.names.identity_name`).
            vectors: (n, dimension), finite.
            images: where each row comes from, if known.

        Returns:
            What was added, and which images the gallery had before.

        Raises:
            UserError: the embeddings are not finite or of another dimension, the name is empty, or the file
            cannot
                be written.
            ValueError: as many images as rows are not given.
        """
        name = identity_name(name)
        rows = self._rows(name, vectors)
        images = [EnrolledImage()] * len(rows) if not images else list(images)
        if len(images) != len(rows):
            raise ValueError(f"{len(rows)} embeddings of {name!r} come with {len(images)} images.")
        now = history.now()
        added, skipped, shared = [], [], []
        with self.transaction(f"enroll {name}"):
            run = self._connection.execute
            run("INSERT INTO people (name) VALUES (?) ON CONFLICT DO NOTHING", (name,))
            (person,) = run("SELECT id FROM people WHERE name = ?", (name,)).fetchone()
            for row, image in zip(rows, images, strict=True):
                source = printable(image.source)
                earlier = self._same_image(image.sha256, source)
                own = [duplicate for duplicate in earlier if duplicate.name == name]
                if own:
                    skipped.append(own[0])
                    continue
                shared.extend(earlier)
                values = (person, row.tobytes(), source, image.sha256, now)
                cursor = run("INSERT INTO embeddings (person_id, vector, source, sha256, added) VALUES (?, ?, ?, ?, ?)", values)
                added.append(int(cursor.lastrowid or 0))
                history.record(
                    self._connection, "added", person, name, now, embedding=added[-1], source=source, sha256=image.sha256
                )
        return Enrollment(name, tuple(added), tuple(skipped), tuple(shared))

    def replace(
        self, name: str, vectors: AnyArray | Sequence[Sequence[float]], images: Sequence[EnrolledImage] = ()
    ) -> Enrollment:
        """Puts embeddings in the place of all that a person has.

        Args:
            name: somebody who is enrolled.
            vectors: (n, dimension), finite.
            images: where each row comes from, if known.

        Raises:
            UserError: as :meth:`add` does, or nobody has the name.
            ValueError: as :meth:`add` does.
        """
        name = identity_name(name)
        with self.transaction(f"enroll {name}"):
            person = self._person(name)
            history.record_embeddings(self._connection, "replaced", name, person)
            self._connection.execute("DELETE FROM embeddings WHERE person_id = ?", (person,))
            return self.add(name, vectors, images)

    def rename(self, old: str, new: str) -> None:
        """Gives a person another name. Their own one changes nothing, and is not told in the history.

        Raises:
            UserError: nobody has the old name, or somebody else has the new one.
        """
        old, new = identity_name(old), identity_name(new)
        with self.transaction(f"rename {old}"):
            person = self._person(old)
            if old == new:
                return
            if self._connection.execute("SELECT 1 FROM people WHERE name = ?", (new,)).fetchone():
                raise UserError(
                    f"Gallery {self.path}: {new} is enrolled already, so {old} cannot be renamed to it. Remove one of "
                    "them, or choose another name."
                )
            self._connection.execute("UPDATE people SET name = ? WHERE id = ?", (new, person))
            history.record(self._connection, "renamed", person, new, history.now(), was=old)

    def remove(self, name: str) -> int:
        """Removes a person and returns how many embeddings went with them.

        Raises:
            UserError: nobody has the name.
        """
        name = identity_name(name)
        with self.transaction(f"remove {name}"):
            person = self._person(name)
            count = history.record_embeddings(self._connection, "removed", name, person)
            if not count:
                history.record(self._connection, "removed", person, name, history.now())
            self._connection.execute("DELETE FROM people WHERE id = ?", (person,))
        return count

    def remove_embedding(self, embedding: int) -> None:
        """Removes one embedding by its id. The person stays enrolled, if with none left.

        Raises:
            UserError: there is no such embedding.
        """
        with self.transaction(f"remove embedding {embedding}"):
            if not history.record_embedding(self._connection, "removed", embedding):
                raise UserError(f"Gallery {self.path}: there is no embedding {embedding}. List the gallery to see the ids.")
            self._connection.execute("DELETE FROM embeddings WHERE id = ?", (embedding,))

    def history(self, name: str | None = None) -> tuple[GalleryChange, ...]:
        """All that was changed, the earliest first: who was added, removed, replaced or renamed, when, and from which file.

        A change is written in the transaction that makes it, and the file itself refuses to alter what is written. It outlives
        whom it tells of: names, paths and checksums of those who were removed stay in it.

        Args:
            name: one person's only, whatever they were called before or after; everybody's when not given. Where several
                people had this name, one after the other, it is theirs: ``person`` tells them apart.

        Raises:
            UserError: nobody ever had the name.
        """
        with explained(self.path, "be read"):
            if name is None:
                return history.changes(self._connection, None)
            name = identity_name(name)
            found = history.changes(self._connection, name)
            if not found:
                hint = _meant(name, history.names(self._connection), "Leave the name out to see the history of all.")
                raise UserError(f"Gallery {self.path}: nobody was ever enrolled as {name}. {hint}")
            return found

    @property
    def template(self) -> PersonTemplate:
        """What stands for a person of several images: the ``nearest`` of them, or their ``average``
        (:func:`~likeness.research.gallery.templates.averaged`). The gallery keeps every embedding either way."""
        with explained(self.path, "be read"):
            found = self._connection.execute("SELECT value FROM meta WHERE key = 'template'").fetchone()
        if found is None or found[0] not in PERSON_TEMPLATES:
            raise UserError(
                f"Gallery {self.path}: it does not say how a person of several images is compared, so it is damaged. Restore "
                "the file from a backup."
            )
        return cast(PersonTemplate, found[0])

    def set_template(self, template: PersonTemplate) -> None:
        """Chooses what stands for a person of several images, from now on.

        Raises:
            ValueError: it is neither ``nearest`` nor ``average``.
            UserError: the file cannot be written.
        """
        if template not in PERSON_TEMPLATES:
            raise ValueError(f"Gallery: template={template!r} is none of {', '.join(PERSON_TEMPLATES)}.")
        with self.transaction("change how people are compared"):
            was = self.template
            if was == template:
                return
            self._connection.execute("UPDATE meta SET value = ? WHERE key = 'template'", (template,))
            history.record(self._connection, "template", None, template, history.now(), was=was)

    def people(self) -> dict[str, int]:
        """Names, sorted, with how many embeddings each has."""
        query = """SELECT name, COUNT(embeddings.id) FROM people LEFT JOIN embeddings ON person_id = people.id
                   GROUP BY people.id ORDER BY name"""
        with explained(self.path, "be read"):
            return {name: int(count) for name, count in self._connection.execute(query)}

    def easily_confused(self, names: Iterable[str]) -> tuple[tuple[str, ...], ...]:
        """The groups of people, one of these among them, whose names differ in case or in look-alike characters only."""
        asked = {folded(identity_name(name)) for name in names}
        return tuple(group for group in easily_confused(self.people()) if folded(group[0]) in asked)

    def embeddings(self, name: str | None = None) -> tuple[Enrolled, ...]:
        """What is stored, ordered by person and id, without the vectors.

        Args:
            name: one person's only; everybody's when not given.

        Raises:
            UserError: nobody has the name.
        """
        query = """SELECT embeddings.id, name, source, sha256, added FROM embeddings JOIN people ON person_id = people.id
                   WHERE ?1 IS NULL OR name = ?1 ORDER BY name, embeddings.id"""
        with explained(self.path, "be read"):
            if name is not None:
                name = identity_name(name)
                self._person(name)
            return tuple(Enrolled(*row) for row in self._connection.execute(query, (name,)))

    def __len__(self) -> int:
        """The number of embeddings."""
        with explained(self.path, "be read"):
            return int(self._connection.execute("SELECT COUNT(*) FROM embeddings").fetchone()[0])

    def codes(self) -> Codes:
        """All embeddings at one moment.

        Raises:
            UserError: a stored vector is damaged.
        """
        query = """SELECT name, embeddings.id, vector FROM embeddings JOIN people ON person_id = people.id
                   ORDER BY name, embeddings.id"""
        with explained(self.path, "be read"):
            rows = self._connection.execute(query).fetchall()
        size = self.dimension * _LITTLE_ENDIAN.itemsize
        for name, embedding, blob in rows:
            if not isinstance(blob, bytes) or len(blob) != size:
                raise UserError(
                    f"Gallery {self.path}: embedding {embedding} of {name} is damaged (not {self.dimension} numbers). "
                    "Remove that embedding and enroll the image again, or restore the file from a backup."
                )
        vectors = np.frombuffer(b"".join(row[2] for row in rows), _LITTLE_ENDIAN).astype(np.float32)
        vectors = vectors.reshape(-1, self.dimension)
        damaged = np.flatnonzero(~comparable(vectors))
        if damaged.size:
            name, embedding, _ = rows[damaged[0]]
            raise UserError(
                f"Gallery {self.path}: embedding {embedding} of {name} is damaged (not finite, or above {LARGEST:g}). "
                "Remove that embedding and enroll the image again, or restore the file from a backup."
            )
        names = tuple(dict.fromkeys(row[0] for row in rows))
        index = {name: position for position, name in enumerate(names)}
        owners = np.asarray([index[row[0]] for row in rows], np.int64)
        return Codes(names, vectors, owners, np.asarray([row[1] for row in rows], np.int64), self.template)

    def _rows(self, name: str, vectors: AnyArray | Sequence[Sequence[float]]) -> np.ndarray:
        rows = np.asarray(vectors, _LITTLE_ENDIAN)
        if rows.ndim != 2 or rows.shape[1] != self.dimension or not len(rows):
            raise UserError(
                f"Gallery {self.path}: {name} comes with embeddings of shape {rows.shape}, and the gallery takes "
                f"(n, {self.dimension}). Use the model that the gallery was made with."
            )
        if not comparable(rows).all():
            bad = int(np.flatnonzero(~comparable(rows))[0])
            raise UserError(
                f"Gallery {self.path}: embedding {bad} of {name} is not finite or above {LARGEST:g}, so it cannot be "
                "compared. Check that image for NaN values and the model's weights, and enroll again."
            )
        return rows

    def _person(self, name: str) -> int:
        found = self._connection.execute("SELECT id FROM people WHERE name = ?", (name,)).fetchone()
        if not found:
            hint = _meant(name, self.people(), "List the gallery to see the names.")
            raise UserError(f"Gallery {self.path}: nobody is enrolled as {name}. {hint}")
        return int(found[0])

    def enrolled_as(self, sha256: str) -> tuple[str, ...]:
        """The names under which an image file is enrolled, by the SHA-256 of its bytes."""
        with explained(self.path, "be read"):
            return tuple(dict.fromkeys(sorted(duplicate.name for duplicate in self._same_image(sha256, ""))))

    def _same_image(self, sha256: str, source: str) -> list[Duplicate]:
        if not sha256:
            return []
        query = "SELECT name, source FROM embeddings JOIN people ON person_id = people.id WHERE sha256 = ?"
        return [Duplicate(source, name, earlier) for name, earlier in self._connection.execute(query, (sha256,))]


def _meant(name: str, names: Iterable[str], otherwise: str) -> str:
    close = difflib.get_close_matches(name, list(names), n=1)
    return f"Did you mean {close[0]!r}?" if close else otherwise
