"""Which faces of a photograph a painting holds to their people: those that a person names, or those that are found."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from likeness.experiments.commands.streams import say_first

if TYPE_CHECKING:
    from likeness.experiments.style.portrait import Portrait

_NUMBERS = 10
"""Of a face: x and y of five points."""


def held(portrait: "Portrait | None", preset: str, content: str | None, given: Sequence[float], size: int) -> "Portrait | None":
    """The portrait of a preset with the faces of a photograph: where they are given, else where they are found.

    Args:
        portrait: the preset's; None where it has none.
        preset: its name.
        content: the photograph; None for the preset's own, which says itself where the face is.
        given: x and y of five points of each face, in the photograph's pixels.
        size: the longer side of the painting.

    Raises:
        UserError: points that are no faces or belong to no photograph; no face is found, or what finds it is not on this
            machine.
    """
    from likeness.research.errors import UserError

    if given:
        if portrait is None:
            raise UserError(
                f"--face is for a preset that holds a portrait to its person, such as stylization/portrait; {preset} does not."
            )
        return _given(portrait, content, given)
    if portrait is None or content is None:
        return portrait
    from likeness.experiments.style.sitters import find_sitters

    found = find_sitters(portrait, content, size)
    for remark in found.remarks:
        say_first(remark)
    faces = found.faces
    return dataclasses.replace(portrait, face=faces[0] if len(faces) == 1 else faces)


def _given(portrait: "Portrait", content: str | None, given: Sequence[float]) -> "Portrait":
    """The portrait with its faces where the person says they are."""
    from likeness.experiments.recognition.face_crops import Landmarks
    from likeness.research.errors import UserError
    from likeness.research.images import read_image

    if content is None or len(given) % _NUMBERS:
        raise UserError(
            f"--face has {len(given)} numbers for {content or 'no image of your own'}: give CONTENT, and ten for each face: x "
            "and y of both eyes, the tip of the nose and both corners of the mouth. Without --face the faces are found."
        )
    height, width, _ = read_image(content).pixels.shape
    points = list(zip(given[::2], given[1::2], strict=True))
    try:
        faces = tuple(Landmarks(points=tuple(points[i : i + 5]), size=(width, height)) for i in range(0, len(points), 5))
    except ValueError as error:
        said = " ".join(f"{number:g}" for number in given)
        raise UserError(
            f"--face is {said}, and one of its points lies far outside {content}, which is {width} × {height} pixels: give "
            "x and y of the five points in the pixels of this image. Without --face the faces are found."
        ) from error
    return dataclasses.replace(portrait, face=faces[0] if len(faces) == 1 else faces)
