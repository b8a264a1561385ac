"""A recognizer that is ready to answer, trained here or published: what the command line and notebooks use."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np

from likeness.experiments.display.phases import tracked
from likeness.experiments.encoders import unnormalized, wrapped
from likeness.experiments.experiment import Variables
from likeness.experiments.preprocessing import ModelInputs
from likeness.experiments.recognition.embedders import Embedder, trained
from likeness.experiments.recognition.photographs import FaceAsked, SeenPhotograph, look_for_faces
from likeness.experiments.recognition.published import published
from likeness.experiments.recognition.recognition import Recognition, split_flags
from likeness.experiments.storage.workdir import Workdir
from likeness.experiments.training.evaluation import read_run, restore
from likeness.research.data import BadImage, is_synthetic, printable
from likeness.research.data.folder import CLUTTER
from likeness.research.data.names import about_one_name, identity_name
from likeness.research.distances import Distance
from likeness.research.errors import UserError
from likeness.research.faces import FaceCrop
from likeness.research.gallery import (
    EnrolledImage,
    Enrollment,
    Gallery,
    GalleryThresholds,
    IdentificationResult,
    Identifier,
    PersonTemplate,
    Store,
    Threshold,
    VerificationResult,
)
from likeness.research.types import AnyArray, Float


@dataclasses.dataclass(frozen=True, eq=False)
class Recognizer:
    """An encoder with its distance, the images it takes, and the threshold it was calibrated to.

    Example::

        recognizer = Recognizer.published("mobilefacenet")  # or .load("runs/recognition/faces")
        print(recognizer.verify("a.jpg", "b.jpg"))
    """

    name: str
    """Its working directory, or the name of its published weights."""
    experiment: Recognition
    variables: Variables
    embedder: Embedder
    inputs: ModelInputs
    """What it takes, and how a file becomes that."""
    fingerprint: str
    """Of the weights and the definitions that use them; a gallery or threshold of another is refused."""
    home: Path
    """Where its gallery is unless another file is given."""
    calibrated_on: str
    """Whose images τ was chosen on, with a verb's subject: "the 12 validation people of Folder faces"."""
    threshold_file: Path
    gallery_thresholds_file: Path
    """Where the thresholds T(N) are."""
    without_threshold: str
    """What there is to do where τ was never chosen, as sentences."""
    least_norm: float | None = None
    """The length of an embedding, before it is normalized, below which few good images of faces are; None: not known."""

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
        _, variables = restore(workdir, run, _shapes(experiment, inputs))
        source: Any = experiment.data
        # Fields without a default are what tells one folder or data set from another.
        given = [getattr(source, field.name) for field in dataclasses.fields(source) if field.default is dataclasses.MISSING]
        return cls._of(
            str(workdir),
            experiment,
            variables,
            inputs,
            home=Path(workdir),
            calibrated_on=f"validation people of {' '.join([type(source).__name__, *map(str, given)])}",
            threshold_file=Workdir(workdir).artifact("threshold"),
            gallery_thresholds_file=Workdir(workdir).artifact("gallery_thresholds"),
            without_threshold="Its validation people could not resolve the false-accept rate asked for "
            f"({experiment.target_far:g}; {Workdir(workdir).summary} says why). Train with more of them"
            f"{split_flags(experiment.split, 'validation')} or for a higher rate (--experiment.target-far).",
        )

    @classmethod
    def published(cls, name: str = "mobilefacenet") -> "Recognizer":
        """A recognizer with published weights. It takes photographs, and finds the faces in them.

        Args:
            name: ``mobilefacenet``, ``dlib`` or ``dlib_mtcnn``; ``likeness weights list`` says how to get their weights. Or a
                file of one of InsightFace's IResNets, which ends in ``.onnx``.

        Raises:
            UserError: there is none of that name, or its weights or those of its detector are not on this machine.
        """
        one = published(name)
        experiment = one.experiment()
        inputs = ModelInputs(shape=one.crop.shape, preprocessing=one.crop, source="photographs")
        # Said now, and not when the first photograph is read.
        one.crop.reader  # noqa: B018
        encoder, path = wrapped(experiment.encoder)
        start = one.pretrained.variables(encoder)
        # What wraps the encoder has no parameters of its own, and neither has the loss: nothing is left to be drawn.
        state = {kind: functools.reduce(lambda tree, name: {name: tree}, reversed(path), start[kind]) for kind in start}
        params = {"encoder": state.pop("params"), "loss": {}}
        return cls._of(
            name,
            experiment,
            Variables(params, state),
            inputs,
            home=Path("runs/published", Path(name).stem if one.file else name),
            calibrated_on=f"people of {one.calibrated_on}",
            threshold_file=one.threshold,
            gallery_thresholds_file=one.gallery_thresholds,
            without_threshold="Which distance means one person must be measured on photographs of people, some hundred of "
            "them, each in a folder of their own. Run `python -m likeness.experiments.benchmarks.published_thresholds --models "
            f"{name} --people FOLDER`, which writes {one.threshold}.",
            least_norm=one.least_norm,
        )

    @classmethod
    def _of(
        cls,
        name: str,
        experiment: Recognition,
        variables: Variables,
        inputs: ModelInputs,
        *,
        home: Path,
        calibrated_on: str,
        threshold_file: Path,
        gallery_thresholds_file: Path,
        without_threshold: str,
        least_norm: float | None = None,
    ) -> "Recognizer":
        return cls(
            name=name,
            experiment=experiment,
            variables=variables,
            embedder=trained(experiment.encoder, experiment.compared_by, variables.params, variables.state),
            inputs=inputs,
            fingerprint=experiment.model_fingerprint(variables, inputs),
            home=home,
            calibrated_on=calibrated_on,
            threshold_file=threshold_file,
            gallery_thresholds_file=gallery_thresholds_file,
            without_threshold=without_threshold,
            least_norm=least_norm,
        )

    @functools.cached_property
    def threshold(self) -> Threshold:
        """τ, calibrated on validation people, or on those whose photographs come with a published recognizer.

        Raises:
            UserError: when the run had no validation people, or the model has changed since.
        """
        if not self.threshold_file.exists():
            raise UserError(f"{self.name} has no threshold τ. {self.without_threshold}")
        return Threshold.load(self.threshold_file, self.fingerprint)

    @functools.cached_property
    def gallery_thresholds(self) -> GalleryThresholds:
        """The thresholds T(N) of galleries of N, from the same people as τ.

        Raises:
            UserError: there are none, or the model has changed since.
        """
        if not self.gallery_thresholds_file.exists():
            raise UserError(
                f"{self.name} has no thresholds for galleries of several sizes ({self.gallery_thresholds_file}): a share of "
                "strangers needs one divided by it of people to be chosen on, ten for 0.1. Evaluate a run with more validation "
                "people, or run `python -m likeness.experiments.benchmarks.published_thresholds` for a published recognizer; "
                "or leave --fpir out."
            )
        return GalleryThresholds.load(self.gallery_thresholds_file, self.fingerprint)

    @property
    def calibration(self) -> str:
        """On whom τ was chosen and the rates that come with each answer were measured, as a sentence for people to read.

        Raises:
            UserError: as :attr:`threshold` does.
        """
        synthetic = "; they are synthetic: the rates say nothing of real people" if is_synthetic(self.experiment.data) else ""
        people = f"{self.threshold.people:,} {self.calibrated_on}"
        return f"These rates were measured on the {people}, for whom τ was chosen{synthetic}."

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
        """Embeds image files, made into what the training images were; of a photograph the face that its preprocessing chooses.

        Raises:
            UserError: nobody said how files become those, or one of them cannot be used.
        """
        return self.embed(np.stack([self.inputs.read(path) for path in paths]))

    @property
    def takes_photographs(self) -> bool:
        """Whether it finds the faces in an image itself; otherwise an image is taken to be one face, cropped as those were that
        it was trained on."""
        return isinstance(self.inputs.preprocessing, FaceCrop)

    def look(
        self,
        paths: Sequence[str | Path],
        face: FaceAsked = "largest",
        *,
        most: int = 64,
        skip: Callable[[str, BadImage], None] | None = None,
    ) -> Iterator[tuple[SeenPhotograph, np.ndarray]]:
        """Finds the faces in photographs, and embeds those that are asked for: (n, d) float32 for each photograph.

        Args:
            paths: files.
            face: the largest of each, all, or one by its number from the left.
            most: faces that are found in a photograph, at most.
            skip: told of each file that cannot be used or shows no face, which is then left out; without it that is an error.

        Raises:
            UserError: it takes cropped images and no photographs, or there is no such face.
            BadImage: a file cannot be used, or shows no face.
        """
        crop = self.inputs.of_files()
        if not isinstance(crop, FaceCrop):
            raise UserError(
                f"{self.name} has learned from cropped images, and finds no faces in photographs: give it crops made as those "
                "were, or take a model that does, such as mobilefacenet."
            )
        for seen in look_for_faces(crop, paths, face, most=most, skip=skip):
            if self.least_norm is not None and most > 1:
                seen = dataclasses.replace(seen, norms=self.norms(seen.crops), least_norm=self.least_norm)
            yield seen, self.embed(seen.crops)

    def norms(self, images: AnyArray) -> Float[np.ndarray, "n"]:
        """Lengths of embeddings before they are normalized, a measure of how well a face is seen.

        Args:
            images: as :meth:`embed` takes them.

        Source: Meng et al., MagFace: a universal representation for face recognition and quality assessment, CVPR 2021.
        """
        images = np.asarray(images)
        self.inputs.check(images)
        encoder = unnormalized(self.experiment.encoder)
        plain = trained(encoder, self.experiment.compared_by, self.variables.params, self.variables.state)
        return np.linalg.norm(plain.embed(images), axis=-1)

    def compare(self, first: np.ndarray, second: np.ndarray) -> VerificationResult:
        """Do two embeddings (d,) show the same person?"""
        return self.threshold.verify(float(self.embedder.distance(first[None], second[None])[0, 0]))

    def verify(self, first: str | Path, second: str | Path) -> VerificationResult:
        """Do two image files show the same person?"""
        return self.compare(*self.embed_files([first, second]))

    def identifier(
        self,
        gallery: Gallery,
        *,
        store: Store = "float32",
        mesh: jax.sharding.Mesh | None = None,
        fpir: float | None = None,
    ) -> Identifier:
        """What finds embeddings in a gallery.

        Args:
            gallery: of this model.
            store: what the device keeps of each number: float32, bfloat16 or int8. It changes no answer.
            mesh: devices that share a large gallery; None for one.
            fpir: the share of strangers who may be given a name: by T(N) of this gallery's size. None for τ.

        Raises:
            UserError: nobody is enrolled, there is no τ, or T(N) was not chosen for this distance, this rate or so large a
                gallery.
        """
        codes, sized = gallery.codes(), None
        if fpir is not None:
            compared = len(codes.names) if codes.template == "average" else len(codes.vectors)
            sized = self.gallery_thresholds.of(self.distance).at(max(1, compared), fpir)
        return Identifier(codes, self.threshold, distance=self.distance, store=store, mesh=mesh, sized=sized)

    def identify(
        self, gallery: Gallery, paths: Sequence[str | Path], *, identifier: Identifier | None = None
    ) -> tuple[IdentificationResult, ...]:
        """Who of the gallery is in each image file, if anyone?

        Args:
            gallery: of this model.
            paths: image files.
            identifier: from :meth:`identifier`, where it was made already or made otherwise than by default.
        """
        answers = (identifier or self.identifier(gallery))(self.embed_files(paths))
        known = [gallery.enrolled_as(self.note(path).sha256) for path in paths]
        return tuple(dataclasses.replace(each, enrolled_as=names) for each, names in zip(answers, known, strict=True))

    def enroll(
        self,
        gallery: str | Path,
        people: Mapping[str, Sequence[str | Path]],
        *,
        face: FaceAsked = "largest",
        tell: Callable[[SeenPhotograph], None] | None = None,
        earlier: Literal["kept", "replaced"] = "kept",
        template: PersonTemplate | None = None,
    ) -> tuple[Enrollment, ...]:
        """Adds image files of people to a gallery, which is made if there is none: all of them or, if one is bad, none.

        Args:
            gallery: the SQLite file.
            people: the images of each person, by name.
            face: which face of each photograph, where it takes photographs.
            tell: is shown each photograph.
            earlier: what becomes of the images that these people had.
            template: what stands for a person of several images in this gallery from now on; None leaves that as it is.

        Raises:
            UserError: an image cannot be used, a name is empty, nobody has the name whose images are to be replaced, or the
                gallery cannot be written or belongs to another model.
        """
        for name in people:
            identity_name(name)
        # All images are embedded before the gallery is made, or locked for others.
        ready = [
            (name, *self._ready(files, face, tell))
            for name, files in tracked("embedding images", list(people.items()), lambda each: len(each[1]))
        ]
        with self.gallery(gallery, create=earlier == "kept") as opened, opened.transaction("enroll the images"):
            if template is not None:
                opened.set_template(template)
            put = opened.add if earlier == "kept" else opened.replace
            return tuple(put(name, codes, notes) for name, codes, notes in ready)

    def _ready(
        self, files: Sequence[str | Path], face: FaceAsked, tell: Callable[[SeenPhotograph], None] | None
    ) -> tuple[np.ndarray, list[EnrolledImage]]:
        """Embeddings of a person's images, and what is noted of each."""
        if not self.takes_photographs:
            return self.embed_files(files), [self.note(file) for file in files]
        codes, notes = [], []
        for file, (seen, code) in zip(files, self.look(files, face), strict=True):
            if tell is not None:
                tell(seen)
            note = self.note(file)
            if len(seen.found) > 1:
                # Somebody else may be enrolled from the same photograph.
                digest = hashlib.sha256(note.sha256.encode() + seen.crops.tobytes()).hexdigest()
                note = EnrolledImage(source=f"{note.source}, face {seen.chosen[0] + 1}", sha256=digest)
            codes.append(code)
            notes.append(note)
        return np.concatenate(codes), notes

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
        for name, file in tracked(self.inputs.of_files().doing, every):
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
        return self.home / "gallery.sqlite"

    def note(self, path: str | Path) -> EnrolledImage:
        """What a gallery keeps of an enrolled image: its path and a checksum of its bytes."""
        return EnrolledImage(source=str(path), sha256=hashlib.sha256(Path(path).read_bytes()).hexdigest())


def _shapes(experiment: Recognition, inputs: ModelInputs) -> Variables:
    batch = {"images": jax.ShapeDtypeStruct((1, *inputs.shape), np.uint8)}
    return jax.eval_shape(experiment.init, jax.random.key(0), {}, batch)


def _entries(folder: Path) -> list[Path]:
    """As the source of training images sees a folder: without what is hidden and what systems leave behind."""
    return sorted(entry for entry in folder.iterdir() if entry.name[0] != "." and entry.name not in CLUTTER)
