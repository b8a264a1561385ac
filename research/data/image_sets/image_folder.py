"""All images below a folder, whatever they show."""

import dataclasses
import hashlib
import os
from pathlib import Path
from typing import Literal

from likeness.research.data.decode import BadImage, Decode, open_image
from likeness.research.data.image_guard import SUFFIXES
from likeness.research.data.image_sets.image_set import ImageSet
from likeness.research.data.paths import expand_path, printable
from likeness.research.data.regular import sampled_digest
from likeness.research.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageFolder:
    """Image files in a folder and the folders below it, by their ending; hidden ones are passed over.

    Every header is checked when the folder is opened; an image is decoded each time it is read.

    Example::

        ImageFolder(path="~/coco/train2017").open()
    """

    path: str
    """The folder; ``~`` and environment variables are replaced."""
    on_bad: Literal["skip", "refuse"] = "skip"
    """``skip`` leaves a bad image out and lists it in ``ImageSet.skipped``; ``refuse`` stops at the first."""
    max_megapixels: float = 50.0
    """An image with more pixels is bad."""
    min_side: int = 32
    """An image with a shorter side is bad."""

    def __post_init__(self) -> None:
        self._decode  # noqa: B018 - its fields are checked now and not when the folder is opened

    @property
    def _decode(self) -> Decode:
        return Decode(max_megapixels=self.max_megapixels, min_side=self.min_side)

    def open(self) -> ImageSet:
        """Finds the images and checks their headers.

        Raises:
            UserError: the folder is missing or cannot be read, or holds no image that can be used.
            BadImage: one is bad and ``on_bad`` is ``"refuse"``.
        """
        root, decode = expand_path(self.path), self._decode
        good, skipped, digest = [], [], hashlib.sha256(repr(decode).encode())
        for file in _find(root):
            try:
                with open_image(root / file) as opened:
                    content = sampled_digest(opened)
                decode.verify(root / file)
            except BadImage as error:
                if self.on_bad == "refuse":
                    raise
                skipped.append((printable(file), error.why))
                continue
            good.append(file)
            digest.update(os.fsencode(file) + b"\0" + content)
        if not good:
            why = f"; {len(skipped)} were left out, the first of them {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
            raise UserError(
                f"The folder {printable(root)} holds no image that can be used{why}. The field `path` expects a folder of "
                f"files that end in {', '.join(SUFFIXES)}."
            )
        return ImageSet(
            names=tuple(printable(file) for file in good),
            read=lambda index: decode(root / good[index]),
            fingerprint=digest.hexdigest(),
            skipped=tuple(skipped),
        )


def _find(root: Path) -> list[str]:
    """Paths below the root of the files that are called like images, in a fixed order."""
    if not root.is_dir():
        raise UserError(
            f"There is no folder {printable(root)}: mend the field `path` (of an experiment's data --experiment.data.path)."
        )

    def refuse(error: OSError) -> None:
        raise UserError(f"The folder {printable(error.filename)} cannot be read: {error.strerror}.") from error

    found = []
    for folder, below, files in os.walk(root, onerror=refuse):
        below[:] = sorted(name for name in below if not name.startswith("."))
        wanted = [name for name in files if not name.startswith(".") and name.lower().endswith(SUFFIXES)]
        found += [str((Path(folder) / name).relative_to(root)) for name in wanted]
    return sorted(found, key=os.fsencode)
