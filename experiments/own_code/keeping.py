"""A run's own code in its working directory: ``code/manifest.json``, and each version of it in a folder of its digest's name.

A version is never changed: when the code has changed, the new one is kept beside it, and the manifest names the newest.
"""

import re
import secrets
import shutil
from pathlib import Path
from typing import Any

from likeness.experiments.own_code.code import LIMIT, Code
from likeness.experiments.own_code.modules import ModuleSource
from likeness.experiments.storage.workdir import read_json, write_json
from likeness.research.data.regular import open_regular
from likeness.research.errors import UserError
from likeness.research.files import cannot_write

_NAME = re.compile(r"[^\W.][^./\\\0]*(\.[^\W.][^./\\\0]*)*|__\w+")
_MOST = 10_000
"""Modules."""


def manifest(root: Path, digest: str | None = None) -> Path:
    """The file that says what a version of the code consists of; without a digest that of the newest."""
    return root / "code" / ("manifest.json" if digest is None else f"{digest[:12]}.json")


def folder_of(root: Path, code: Code) -> Path:
    """Where a version of a run's own code is."""
    return root / "code" / code.digest[:12]


def keep(root: Path, code: Code) -> None:
    """Writes code into a working directory, whole or not at all. Nothing is written where there is none and was none.

    Raises:
        UserError: when it cannot be written.
    """
    if code.digest == kept_or_none(root).digest:
        return
    target = folder_of(root, code)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
        scratch.mkdir()
        try:
            for place, source in code.files.items():
                file = scratch / place
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(source.data)
            if target.exists():
                shutil.rmtree(target)
            scratch.rename(target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise cannot_write(target, error) from error
    written = {
        "digest": code.digest,
        "modules": sorted(code.modules),
        "packages": sorted(name for name, source in code.modules.items() if source.is_package),
        "installed": sorted(code.installed),
    }
    write_json(manifest(root, code.digest), written)
    write_json(manifest(root), written)


def kept_or_none(root: Path) -> Code:
    """The newest code that a working directory keeps; none where it is damaged, and will be kept anew."""
    try:
        return kept(root)
    except UserError:
        return Code()


def kept(root: Path, digest: str | None = None) -> Code:
    """The code that a working directory keeps, read and not executed; none where it keeps none.

    Args:
        root: the working directory.
        digest: of the version; None for the newest.

    Raises:
        UserError: it is damaged.
    """
    path = manifest(root, digest)
    if not path.is_file():
        return Code()
    written = read_json(path)
    modules, packages, installed = (_names(path, written, part) for part in ("modules", "packages", "installed"))
    stated = written.get("digest")
    if not isinstance(stated, str) or not re.fullmatch("[0-9a-f]{64}", stated) or digest not in (None, stated):
        raise _damaged(path)
    folder, found, left = path.parent / stated[:12], {}, LIMIT
    for name in modules:
        file = folder.joinpath(*name.split("."))
        file = file / "__init__.py" if name in packages else file.with_name(f"{file.name}.py")
        data = _read(file, left)
        left -= len(data)
        found[name] = ModuleSource(data, file.absolute())
    code = Code(found, tuple(installed))
    if code.digest != stated:
        raise UserError(
            f"{folder} is not what the run was made with: a file in it was changed, which its digest in {path} tells. Restore "
            "it, or launch the same `likeness train` again, which keeps the code anew."
        )
    return code


def describe(before: Code, after: Code) -> list[str]:
    """One line for each file in which two versions of a run's code differ."""
    old, new = before.checksums, after.checksums
    lines = [f"code/{file}: {_brief(old.get(file))} → {_brief(new.get(file))}" for file in sorted({*old, *new})]
    return [line for line, file in zip(lines, sorted({*old, *new}), strict=True) if old.get(file) != new.get(file)]


def _brief(checksum: str | None) -> str:
    return "none" if checksum is None else checksum[:12]


def _names(path: Path, written: Any, part: str) -> list[str]:
    """Names of modules; none leads out of the folder."""
    found = written.get(part) if isinstance(written, dict) else None
    if not isinstance(found, list) or len(found) > _MOST:
        raise _damaged(path)
    if not all(isinstance(name, str) and len(name) < 500 and _NAME.fullmatch(name) for name in found):
        raise _damaged(path)
    return found


def _read(file: Path, most: int) -> bytes:
    # A link may lead to what is not the run's, and anything else than a file may never end.
    if file.is_symlink():
        raise UserError(f"{file} is a link, which Likeness does not write: put the file there that the run was made with.")
    with open_regular(file) as opened:
        data = opened.read(most + 1)
    if len(data) > most:
        raise UserError(f"{file} is larger than what a run keeps of code ({LIMIT:,} bytes): it was not written by Likeness.")
    return data


def _damaged(path: Path) -> UserError:
    return UserError(f"{path} does not describe the code of a run: restore it, or launch the same `likeness train` again.")
