"""What verify, identify and enroll say and draw of the photographs that they were given."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.experiments.commands.places import check_place
from likeness.research.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from likeness.experiments.recognition.photographs import FaceAsked, SeenPhotograph
    from likeness.experiments.recognition.recognizer import Recognizer

_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
SAME, OTHER = 3, 2
"""Colors of a frame: the person that is meant, and somebody else or a stranger."""


def check_photographs(recognizer: "Recognizer", face: str | None, show: str | None) -> "FaceAsked | None":
    """Which faces are asked for; None where none was.

    Raises:
        UserError: --face or --show is given for a recognizer that takes no photographs, or a value is illegal.
    """
    if (face or show) and not recognizer.takes_photographs:
        flag = "--face" if face else "--show"
        raise UserError(
            f"{flag} is for recognizers of photographs, and {recognizer.name} takes crops of faces: leave it out, or take "
            "--model mobilefacenet."
        )
    if show is not None:
        if Path(show).suffix.lower() not in _ENDINGS:
            raise UserError(f"--show is {show}: a drawn image ends in {', '.join(_ENDINGS)}.")
        check_place("--show", Path(show))
    if face is None:
        return None
    from likeness.experiments.recognition.photographs import asked_face

    return asked_face(face)


def remark(photographs: Iterable["SeenPhotograph"]) -> None:
    """Says on the standard error what there is to know of photographs before an answer about them is believed."""
    for line in dict.fromkeys(line for seen in photographs for line in seen.remarks):
        print(f"likeness: {line}", file=sys.stderr)


def write_shown(show: str, images: Sequence["np.ndarray"]) -> None:
    """Writes images beside one another, as high as the highest, and says where."""
    import numpy as np
    from PIL import Image

    from likeness.research.images import write_image

    height = max(image.shape[0] for image in images)
    parts = []
    for image in images:
        if image.shape[0] != height:
            width = round(image.shape[1] * height / image.shape[0])
            image = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))
        parts += [image, np.full((height, max(2, height // 100), 3), 255, np.uint8)]
    write_image(Path(show), np.concatenate(parts[:-1], axis=1).astype(np.float32) / 255)
    print(f"shown    {show}")
