"""A working directory in an object store: trained in a local copy, which is kept there file by file.

An object is put whole or not at all, but a store knows neither directories to rename nor files to append to. So the run works
on a local disk as ever, and what has changed is put into the store from time to time: first the files, then each new
checkpoint, and last an object that says that it is whole. Who fetches the directory leaves out checkpoints of which nothing
says so. A process that is killed loses what was written since the last time, and the same command goes on from the newest
checkpoint that is whole in the store. Nothing keeps two machines from training in one address.

Neither Orbax nor ``etils.epath`` does this: the one writes checkpoints to ``gs://`` and to no other store, and the other's
paths are no files, so that a log, a lock, a figure and a checkpoint that appears at once are not to be had by them.
"""

import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from likeness.experiments.display.progress import Reporter
from likeness.experiments.distributed import processes
from likeness.experiments.storage.workdir import Workdir
from likeness.research.errors import UserError, how_to_install

_CHECKPOINTS, _CODE, _WHOLE = "checkpoints", "code", ".whole"
_ARRIVING = ".arriving"
_EXTRAS = {"gs": "gcs", "gcs": "gcs", "s3": "s3"}
_PACKAGES = {"az": "fsspec adlfs", "abfs": "fsspec adlfs"}


def is_remote(workdir: str) -> bool:
    """Whether a working directory is an address such as ``gs://bucket/run``."""
    return "://" in workdir


class ObjectStore:
    """A run's directory in a store, and its local copy.

    Args:
        url: such as ``gs://bucket/run``; whatever fsspec has a package for.
        local: the copy.

    Raises:
        UserError: the package is missing, or there is no such store.
    """

    def __init__(self, url: str, local: Path) -> None:
        self.url, self.local = url.rstrip("/"), local
        self._put: dict[str, tuple[int, int]] = {}
        self._begun: set[str] = set()
        self._whole: set[str] = set()
        scheme = url.split("://", maxsplit=1)[0]
        try:
            import fsspec

            found: Any = fsspec.core.url_to_fs(self.url, use_listings_cache=False)
        except ImportError as error:
            extra = _EXTRAS.get(scheme)
            how = how_to_install(extra) if extra else f"pip install {_PACKAGES.get(scheme, 'fsspec and what it names')}"
            raise UserError(
                f"{url} needs a package that is not installed ({error}): {how}, or give --workdir a directory."
            ) from error
        except ValueError as error:
            raise UserError(
                f"{url} is no address of a store that fsspec knows ({error}): give one such as gs://bucket/run or "
                "s3://bucket/run, or a directory."
            ) from error
        self._files, self._root = found

    def fetch(self) -> None:
        """Copies everything to the local directory but checkpoints that are not whole."""
        there = {path.removeprefix(self._root).lstrip("/"): path for path in self._files.find(self._root)}
        self._begun = {_step(name) for name in there if _in_step(name)}
        self._whole = {_step(name) for name in there if name.endswith(_WHOLE)}
        if odd := next((name for name in there if ".." in Path(name).parts), None):
            raise UserError(
                f"{self.url} holds {odd!r}, which would be written outside of the run's directory: remove that object."
            )
        for name, path in there.items():
            if name.endswith(_WHOLE) or (_in_step(name) and _step(name) not in self._whole):
                continue
            target = self.local / name
            target.parent.mkdir(parents=True, exist_ok=True)
            self._files.get_file(path, str(target))
            if not _in_step(name):
                self._put[name] = _stamp(target)

    def refresh(self, *names: str) -> None:
        """Brings some files as they are, and the checkpoints that have become whole since; removes checkpoints that went.

        Another process may write there meanwhile: whatever arrives here is whole.
        """
        for name in names:
            self._bring(name)
        arriving = self.local / _ARRIVING
        folder = self.local / _CHECKPOINTS
        marks = (Path(path).name for path in self._files.find(self._path(_CHECKPOINTS), maxdepth=1))
        whole = {name.removesuffix(_WHOLE) for name in marks if name.endswith(_WHOLE)}
        for step in sorted(self._whole - whole, key=int):
            shutil.rmtree(folder / step)
            self._whole.remove(step)
        for step in sorted(whole - self._whole, key=int):
            shutil.rmtree(arriving, ignore_errors=True)
            with contextlib.suppress(FileNotFoundError):
                self._files.get(self._path(f"{_CHECKPOINTS}/{step}"), str(arriving), recursive=True)
            # Who removes a checkpoint removes the mark first: with the mark still there nothing was missing.
            if arriving.is_dir() and self._files.exists(self._mark(step)):
                folder.mkdir(exist_ok=True)
                arriving.replace(folder / step)
                self._whole.add(step)
        shutil.rmtree(arriving, ignore_errors=True)

    def refresh_code(self) -> None:
        """Brings the code of one's own that the run keeps: first files that are not here, and last what names them."""
        found = [path.removeprefix(self._root).lstrip("/") for path in self._files.find(self._path(_CODE))]
        if odd := next((name for name in found if ".." in Path(name).parts), None):
            raise UserError(f"{self.url} holds {odd!r}, which would be written outside of the run's directory: remove it.")
        for name in (name for name in found if not name.endswith(".json") and not (self.local / name).exists()):
            self._bring(name)
        for name in sorted(name for name in found if name.endswith(".json")):
            self._bring(name)

    def _bring(self, name: str) -> None:
        """Replaces a file by what is in the store, if it is there."""
        arriving = self.local / _ARRIVING
        with contextlib.suppress(FileNotFoundError):
            self._files.get_file(self._path(name), str(arriving))
            (self.local / name).parent.mkdir(parents=True, exist_ok=True)
            arriving.replace(self.local / name)

    def put(self, name: str) -> None:
        """Puts one file, if it is there."""
        if (self.local / name).is_file():
            self._upload(self.local / name, name)

    def store(self) -> None:
        """Puts what has changed since the last time, and removes checkpoints that are no longer kept."""
        folder = self.local / _CHECKPOINTS
        # Before the files are looked at: the lines that a checkpoint has behind it were written before it.
        steps = {path.name for path in folder.iterdir() if path.name.isdigit()} if folder.is_dir() else set()
        for path in sorted(self.local.rglob("*")):
            name = path.relative_to(self.local).as_posix()
            # Names that start with a dot are of files being written, and of the lock.
            if name.startswith(f"{_CHECKPOINTS}/") or any(part[0] == "." for part in Path(name).parts) or not path.is_file():
                continue
            stamp = _stamp(path)
            if self._put.get(name) != stamp:
                self._upload(path, name)
                self._put[name] = stamp
        for step in sorted(steps - self._whole, key=int):
            self._begun.add(step)
            for path in sorted((folder / step).rglob("*")):
                if path.is_file():
                    self._upload(path, path.relative_to(self.local).as_posix())
            self._files.pipe_file(self._mark(step), b"")
            self._whole.add(step)
        for step in sorted(self._begun - steps):
            if step in self._whole:
                self._files.rm_file(self._mark(step))
                self._whole.remove(step)
            self._files.rm(self._path(f"{_CHECKPOINTS}/{step}"), recursive=True)
            self._begun.remove(step)

    def _mark(self, step: str) -> str:
        return self._path(f"{_CHECKPOINTS}/{step}{_WHOLE}")

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _upload(self, path: Path, name: str) -> None:
        self._files.put_file(str(path), self._path(name))


@contextlib.contextmanager
def kept_in_store(url: str, say: Reporter, every: float = 30.0) -> Iterator[Path]:
    """The local copy of a directory in a store: fetched first, put back every so many seconds and in the end.

    Args:
        url: of the directory.
        say: told what goes where, and warned while the store cannot be reached.
        every: seconds between two puts.

    Raises:
        UserError: the store cannot be read; it cannot be written to in the end, when the copy stays; or there are several
            processes, each of which would have a copy of its own.
    """
    if processes.several():
        raise UserError(
            f"{url} holds a run of one process: several of them need a directory that all share, such as the bucket mounted "
            "by gcsfuse or mountpoint-s3, or a file share."
        )
    local = Path(tempfile.mkdtemp(prefix="likeness-"))
    store = _fetched(url, local)
    say.say(f"{url} is worked on in {local} and kept there every {every:g} s")
    done = threading.Event()

    def keep() -> None:
        while not done.wait(every):
            try:
                store.store()
            except Exception as error:
                say.warn(f"{url} cannot be written to ({_short(error)}); it is tried again in {every:g} s")

    thread = threading.Thread(target=keep, name="object store", daemon=True)
    thread.start()
    try:
        yield local
    finally:
        done.set()
        thread.join()
        try:
            store.store()
        except Exception as error:
            raise UserError(
                f"{url} cannot be written to ({_short(error)}). What the run left is in {local}: copy it there, or train on "
                f"with --workdir {local}."
            ) from error
        shutil.rmtree(local)


@contextlib.contextmanager
def followed_in_store(url: str, say: Reporter) -> Iterator[tuple[Path, Callable[[float], None]]]:
    """The local copy of a run that another process trains, and what passes some seconds and then brings what is new.

    Of what is written beside the run only ``evaluations.jsonl`` is put into the store.

    Args:
        url: of the directory; the run need not have begun.
        say: warned while the store cannot be reached.

    Raises:
        UserError: the store cannot be read, or not be written to in the end, when the copy stays.
    """
    files = Workdir(tempfile.mkdtemp(prefix="likeness-"))
    store, found = ObjectStore(url, files.root), files.evaluations.name

    def fetch(*more: str) -> None:
        # A config names classes of the code.
        store.refresh_code()
        store.refresh(files.config.name, *more)

    try:
        fetch(found)
    except Exception as error:
        raise _unreadable(url, error) from error

    def wait(seconds: float) -> None:
        time.sleep(seconds)
        for act in (lambda: store.put(found), fetch):
            try:
                act()
            except Exception as error:
                say.warn(f"{url} cannot be reached ({_short(error)}); it is tried again in {seconds:g} s")

    try:
        yield files.root, wait
    finally:
        # Also of who was interrupted, which is how most stop following.
        try:
            store.put(found)
        except Exception as error:
            raise UserError(
                f"{url} cannot be written to ({_short(error)}). What was evaluated is in {files.evaluations}: copy it there."
            ) from error
        shutil.rmtree(files.root)


def _fetched(url: str, local: Path) -> ObjectStore:
    store = ObjectStore(url, local)
    try:
        store.fetch()
    except UserError:
        raise
    except Exception as error:
        raise _unreadable(url, error) from error
    return store


def _unreadable(url: str, error: Exception) -> UserError:
    return UserError(f"{url} cannot be read ({_short(error)}): check the address and your credentials for it.")


def _in_step(name: str) -> bool:
    return name.startswith(f"{_CHECKPOINTS}/")


def _step(name: str) -> str:
    return name.split("/")[1].removesuffix(_WHOLE)


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
