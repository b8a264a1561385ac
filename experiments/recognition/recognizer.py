"""A trained recognizer, ready to answer: what the command line and notebooks use after training."""

import dataclasses
import functools
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np

from likeness.experiments.display.phases import tracked
from likeness.experiments.experiment import Variables
from likeness.experiments.preprocessing import ModelInputs
from likeness.experiments.recognition.embedders import Embedder, trained
from likeness.experiments.recognition.recognition import Recognition, split_flags
from likeness.experiments.storage.workdir import Workdir
from likeness.experiments.training.evaluation import read_run, restore
from likeness.research.data import BadImage, is_synthetic, printable
from likeness.research.data.folder import CLUTTER
from likeness.research.data.names import about_one_name, identity_name
from likeness.research.distances import Distance
from likeness.research.errors import UserError
from likeness.research.gallery import (
    EnrolledImage,
    Enrollment,
    Gallery,
    IdentificationResult,
    Identifier,
    Threshold,
    VerificationResult,
)
from likeness.research.types import AnyArray


@dataclasses.dataclass(frozen=True, eq=False)
class Recognizer:
    """An encoder with its distance, the images it takes, and the threshold it was calibrated to.

    Example::

        recognizer = Recognizer.load("runs/recognition/quickstart")
        print(recognizer.verify("a.jpg", "b.jpg"))
    """

    workdir: Path
    experiment: Recognition
    variables: Variables
    embedder: Embedder
    inputs: ModelInputs
    """What it takes, and how a file becomes that."""
    fingerprint: str
    """Of the weights and the definitions that use them; a gallery or threshold of another is refused."""

    @classmethod
    def load(cls, workdir: str | Path) -> "Recognizer":
        """Loads the best checkpoint of a working directory. Needs no training data.

        Raises:
            UserError: when the directory holds no trained recognizer.
        """
        run = read_run(workdir)
        experiment = run.experiment
        if not isinstance(experiment, Recognition):
            raise UserError(
                f"{workdir} holds a run of {type(experiment).__name__}, not a face recognizer: give one of Recognition."
            )
        inputs = ModelInputs.load(workdir)
        batch = {"images": jax.ShapeDtypeStruct((1, *inputs.shape), np.uint8)}
        abstract = jax.eval_shape(experiment.init, jax.random.key(0), {}, batch)
        _, variables = restore(workdir, run, abstract)
        return cls(
            workdir=Path(workdir),
            experiment=experiment,
            variables=variables,
            embedder=trained(experiment.encoder, experiment.compared_by, variables.params, variables.state),
            inputs=inputs,
            fingerprint=experiment.model_fingerprint(variables, inputs),
        )

    @functools.cached_property
    def threshold(self) -> Threshold:
        """τ, calibrated on validation people.

        Raises:
            UserError: when the run had no validation people, or the model has changed since.
        """
        path = Workdir(self.workdir).artifact("threshold")
        if not path.exists():
            raise UserError(
                f"{self.workdir} has no threshold τ: its validation people could not resolve the false-accept rate asked for "
                f"({self.experiment.target_far:g}; {Workdir(self.workdir).summary} says why). Train with more of them"
                f"{split_flags(self.experiment.split, 'validation')} or for a higher rate (--experiment.target-far)."
            )
        return Threshold.load(path, self.fingerprint)

    @property
    def calibration(self) -> str:
        """On whom τ was chosen and the rates that come with each answer were measured, as a sentence for people to read.

        Raises:
            UserError: as :attr:`threshold` does.
        """
        source: Any = self.experiment.data
        # Fields without a default are what tells one folder or data set from another.
        given = [getattr(source, field.name) for field in dataclasses.fields(source) if field.default is dataclasses.MISSING]
        data = " ".join([type(source).__name__, *map(str, given)])
        synthetic = "; they are synthetic: the rates say nothing of real people" if is_synthetic(source) else ""
        return (
            f"These rates were measured on the {self.threshold.people} validation people of {data}, for whom τ was chosen"
            f"{synthetic}."
        )

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return self.embedder.embed(np.zeros((1, *self.inputs.shape), np.uint8)).shape[-1]

    def embed(self, images: AnyArray) -> np.ndarray:
        """Embeds uint8 images (n, h, w, c), made as those that it was trained on: float32 (n, d).

        Raises:
            ValueError: another shape or dtype.
        """
        images = np.asarray(images)
        self.inputs.check(images)
        return self.embedder.embed(images)

    def embed_files(self, paths: Sequence[str | Path]) -> np.ndarray:
        """Embeds image files, made into what the training images were.

        Raises:
            UserError: nobody said how files become those, or one of them cannot be used.
        """
        return self.embed(np.stack([self.inputs.read(path) for path in paths]))

    def verify(self, first: str | Path, second: str | Path) -> VerificationResult:
        """Do two image files show the same person?"""
        codes = self.embed_files([first, second])
        return self.threshold.verify(float(self.embedder.distance(codes[:1], codes[1:])[0, 0]))

    def identify(self, gallery: Gallery, paths: Sequence[str | Path]) -> tuple[IdentificationResult, ...]:
        """Who of the gallery is in each image file, if anyone?"""
        identifier = Identifier(gallery.codes(), self.threshold, distance=self.distance)
        answers = identifier(self.embed_files(paths))
        known = [gallery.enrolled_as(self.note(path).sha256) for path in paths]
        return tuple(dataclasses.replace(each, enrolled_as=names) for each, names in zip(answers, known, strict=True))

    def enroll(self, gallery: str | Path, people: Mapping[str, Sequence[str | Path]]) -> tuple[Enrollment, ...]:
        """Adds image files of people to a gallery, which is made if there is none: all of them or, if one is bad, none.

        Args:
            gallery: the SQLite file.
            people: the images of each person, by name.

        Raises:
            UserError: an image cannot be used, or the gallery cannot be written or belongs to another model.
        """
        # All images are embedded before the gallery is made, or locked for others.
        ready = [
            (name, self.embed_files(files), [self.note(file) for file in files])
            for name, files in tracked("embedding images", list(people.items()), lambda each: len(each[1]))
        ]
        with self.gallery(gallery, create=True) as opened, opened.transaction("enroll the images"):
            return tuple(opened.add(name, codes, notes) for name, codes, notes in ready)

    def find_people(
        self, folder: str | Path, on_bad: Literal["refuse", "skip"] = "refuse"
    ) -> tuple[dict[str, list[Path]], tuple[BadImage, ...], tuple[str, ...]]:
        """Finds image files in a folder that has a folder for each person.

        Returns:
            The images that can be used, by person (:func:`identity_name`); what is wrong with the others; and sentences about
            folders that are one person's.

        Raises:
            BadImage: an image cannot be used and ``on_bad`` is ``"refuse"``.
            UserError: there is no such folder, or no image in it that can be used.
        """
        root = Path(folder)
        if not root.is_dir():
            raise UserError(f"There is no folder {printable(root)}: give a folder that has a folder for each person.")
        people: dict[str, list[Path]] = {}
        skipped: list[BadImage] = []
        try:
            persons = [entry for entry in _entries(root) if entry.is_dir()]
            found = {person.name: _entries(person) for person in persons}
        except OSError as error:
            raise UserError(f"The folder {printable(root)} cannot be read: {error.strerror}.") from error
        if blank := [name for name, files in found.items() if files and not name.strip()]:
            raise UserError(f"A folder in {printable(root)} has a blank name, {blank[0]!r}, and it is the person's: rename it.")
        every = [(name, file) for name, files in found.items() for file in files]
        for name, file in tracked("reading images", every):
            try:
                self.inputs.read(file)
            except BadImage as error:
                if on_bad == "refuse":
                    raise
                skipped.append(error)
            else:
                people.setdefault(identity_name(name), []).append(file)
        if not people:
            first = f", the first bad one being: {skipped[0]}" if skipped else "."
            raise UserError(
                f"The folder {printable(root)} holds no image that can be used: there must be a folder for each person, with "
                f"their images in it{first}"
            )
        return people, tuple(skipped), about_one_name(name for name, files in found.items() if files)

    @functools.cached_property
    def distance(self) -> Distance:
        """How embeddings are compared, in the units of τ."""
        return self.experiment.distance_with(self.variables.params)

    def gallery(self, path: str | Path, *, create: bool = False) -> Gallery:
        """Opens a gallery of this model.

        Args:
            path: the SQLite file.
            create: make an empty one when there is none.

        Raises:
            UserError: when it belongs to another model, is missing, or is no gallery.
        """
        if create:
            return Gallery.open_or_create(path, self.fingerprint, self.dimension)
        return Gallery.open(path, self.fingerprint)

    @property
    def default_gallery(self) -> Path:
        """Where its gallery is unless another file is given."""
        return self.workdir / "gallery.sqlite"

    def note(self, path: str | Path) -> EnrolledImage:
        """What a gallery keeps of an enrolled image: its path and a checksum of its bytes."""
        return EnrolledImage(source=str(path), sha256=hashlib.sha256(Path(path).read_bytes()).hexdigest())


def _entries(folder: Path) -> list[Path]:
    """As the source of training images sees a folder: without what is hidden and what systems leave behind."""
    return sorted(entry for entry in folder.iterdir() if entry.name[0] != "." and entry.name not in CLUTTER)
