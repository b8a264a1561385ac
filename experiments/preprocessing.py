"""What a trained network takes, and how an image file becomes that: kept with the model, and asked wherever a file is read."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from likeness.experiments.config import from_json, to_json
from likeness.experiments.display.phases import tracked
from likeness.experiments.storage.workdir import Workdir, read_json
from likeness.research.data import Folder, Images, Preprocessing
from likeness.research.errors import UserError
from likeness.research.types import AnyArray, UInt8

__all__ = ["ModelInputs", "preprocessing_of"]


def preprocessing_of(source: object) -> Preprocessing | None:
    """How a source's image files become the images of its table, those of new people too; None where it does not say.

    A source says it by a field or property ``preprocessing``. It is no part of the protocol, since the command line asks
    whether a class is a source, which Python answers only for protocols of methods.

    Raises:
        UserError: it says something else.
    """
    found = getattr(source, "preprocessing", None)
    if found is not None and not isinstance(found, Preprocessing):
        raise UserError(
            f"{type(source).__name__}.preprocessing is a {type(found).__name__}: let it be a Preprocessing of "
            "likeness.research.data, or None where no file can become one of its images."
        )
    return found


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelInputs:
    """What a network was trained on, to be made of files in the same way."""

    shape: tuple[int, ...]
    """Of an example: height, width and channels of an image."""
    preprocessing: Preprocessing | None
    """How a file becomes one; None where nobody said it, so that no file can be read."""
    source: str = "a source"
    """What the examples came from, for people."""

    @classmethod
    def of(cls, experiment: Any, shape: tuple[int, ...]) -> "ModelInputs":
        """Those of an experiment: files become examples as its source says, or else as its own field ``preprocessing`` does.

        Args:
            experiment: with ``data``, the source, and ``preprocessing``.
            shape: of the examples in the source's table.

        Raises:
            UserError: the two contradict each other, or files would become something else than the examples are.
        """
        said, stated = preprocessing_of(experiment.data), experiment.preprocessing
        source, kind = type(experiment.data).__name__, type(experiment).__name__
        if said is not None and stated is not None and said != stated:
            raise UserError(
                f"{kind}.preprocessing says how files become images, and so does {source}, in another way: leave the field out "
                f"and set those of {source}."
            )
        found = stated or said
        if found is not None and found.shape != shape:
            raise UserError(
                f"{kind if said is None else source}.preprocessing makes images of {_sides(found.shape)}, and those of "
                f"{source} are {_sides(shape)}: files would become something else than what is learned from. Set its size and "
                "channels to those of the images."
            )
        return cls(shape=shape, preprocessing=found, source=source)

    @classmethod
    def load(cls, workdir: str | Path) -> "ModelInputs":
        """Reads what a finished run keeps in ``preprocessing.json``.

        Raises:
            UserError: the run has not finished, or the file does not describe it.
        """
        path = Workdir(workdir).artifact("preprocessing")
        if not path.exists():
            raise UserError(
                f"{workdir} holds a run that has not finished: {path.name} is written at its end. Wait for it if it still "
                "trains; if it was stopped, launch the same `likeness train` command again, which goes on where it stopped, or "
                "with --steps and the step that it has come to, which ends it there."
            )
        told = read_json(path)
        damaged = UserError(f"{path} does not say what the model takes: write it anew by `likeness evaluate {workdir}`.")
        try:
            shape, files, source = tuple(told["shape"]), told["preprocessing"], str(told["source"])
            preprocessing = None if files is None else from_json(files)
        except (KeyError, TypeError, ValueError) as error:
            raise damaged from error
        if not all(isinstance(side, int) and side > 0 for side in shape):
            raise damaged
        if not (preprocessing is None or (isinstance(preprocessing, Preprocessing) and preprocessing.shape == shape)):
            raise damaged
        return cls(shape=shape, preprocessing=preprocessing, source=source)

    def to_json(self) -> Mapping[str, Any]:
        """As :meth:`load` reads it."""
        files = None if self.preprocessing is None else to_json(self.preprocessing)
        return {"shape": list(self.shape), "preprocessing": files, "source": self.source}

    def of_files(self) -> Preprocessing:
        """How a file becomes what the network takes.

        Raises:
            UserError: nobody said how, and nothing is guessed.
        """
        if self.preprocessing is not None:
            return self.preprocessing
        if len(self.shape) != 3 or self.shape[-1] not in (1, 3):
            raise UserError(f"This model has learned from examples of {_sides(self.shape)}, which no image file becomes.")
        height, width, channels = self.shape
        raise UserError(
            f"This model has learned from images of {_sides(self.shape)} of {self.source}, and nothing says how an image file "
            "becomes one of them, which is not guessed. State it in the config, by the experiment's field `preprocessing`, "
            f'such as `preprocessing=Preprocessing(size=({height}, {width}), channels={channels}, fit="exact")` of '
            "likeness.research.data, and train again; a finished run may be given one step more (--steps)."
        )

    def read(self, path: str | Path) -> UInt8[np.ndarray, "h w c"]:
        """Makes a file into what the network takes.

        Raises:
            UserError: nobody said how.
            BadImage: the file cannot be used.
        """
        return self.of_files()(path)

    def open_folder(self, path: str) -> Images:
        """The images in the folders of a folder.

        Raises:
            UserError: nobody said how files become images, or there are none that can be used.
        """
        return Folder(path).open_as(self.of_files(), tracked)

    def check(self, images: AnyArray) -> None:
        """Refuses arrays that are not what the network takes.

        Raises:
            ValueError: another shape than (n, height, width, channels), or another dtype than uint8.
        """
        if images.dtype != np.uint8 or tuple(images.shape[1:]) != self.shape:
            raise ValueError(
                f"This model takes uint8 images (n, {', '.join(map(str, self.shape))}), and these are {images.dtype} "
                f"{tuple(images.shape)}."
            )


def _sides(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
