"""IJB-style protocols: templates of several images, compared 1:1 and 1:N."""

import dataclasses
from typing import Literal, get_args

import numpy as np

from likeness.experiments.preprocessing import preprocessing_of
from likeness.experiments.recognition.protocols.base import EvaluatedSet, Metrics
from likeness.research.data.pair_lists import rows_by_name
from likeness.research.data.preprocessing import Preprocessing
from likeness.research.data.protocols import Source
from likeness.research.data.template_lists import TemplateList, read_template_pairs, read_templates
from likeness.research.errors import UserError
from likeness.research.metrics import identification as open_set
from likeness.research.metrics.pair_stream import compare_blocks, compare_pairs
from likeness.research.metrics.rejection import norms
from likeness.research.metrics.templates import FARS, pool_templates, template_verification

Pooling = Literal["mean", "norm"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TemplateVerification:
    """1:1 of templates: ``templates/tar@far=…`` over a list of pairs, as IJB-B and IJB-C report it.

    The images of a template are pooled into one embedding, see :func:`~likeness.research.metrics.templates.pool_templates`.
    """

    templates: str
    """Which images each template has, see :func:`~likeness.research.data.template_lists.read_templates`."""
    pairs: str
    """Which templates are compared."""
    images: Source | None = None
    """Where the images are; None: among those that are evaluated."""
    pooling: Pooling = "mean"
    """How images weigh in a template: alike, or by the norm of their embedding, the quality that costs nothing."""
    fars: tuple[float, ...] = FARS
    """False-accept rates to report the true-accept rate at."""

    def __post_init__(self) -> None:
        _check(type(self).__name__, self.pooling, self.fars)

    @property
    def preprocessing(self) -> Preprocessing | None:
        """How the images of the templates are read, where it has its own."""
        return preprocessing_of(self.images)

    def check(self) -> None:
        """Reads the lists."""
        read_templates(self.templates)
        read_template_pairs(self.pairs)

    def metrics(self, evaluated: EvaluatedSet) -> Metrics:
        found, templates = evaluated.of(self.images), read_templates(self.templates)
        codes, numbers = _pooled(templates, found, self.pooling)
        first, second, same = read_template_pairs(self.pairs)
        missing = np.setdiff1d(np.concatenate([first, second]), numbers)
        if len(missing):
            raise UserError(
                f"The pairs name template {missing[0]}, of which {self.templates} lists no image: give lists of one set."
            )
        rows = np.searchsorted(numbers, np.stack([first, second], axis=1))
        subjects = None if templates.subjects is None else _subjects(templates, numbers)
        distances = compare_pairs(codes, rows[:, 0], rows[:, 1], found.compared_by)
        return template_verification(distances, same, rows, subjects, self.fars)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TemplateIdentification:
    """1:N of templates: rank 1 and FNIR at FPIR of probe templates in a gallery of templates.

    Probes of people without a template in the gallery are the strangers. See
    :func:`likeness.research.metrics.identification.identification`, whose names it has with ``templates/`` in front.
    """

    gallery: str
    """Which images each enrolled template has, and whom it shows (SUBJECT_ID)."""
    probes: str
    """The same of the probes."""
    images: Source | None = None
    """Where the images are; None: among those that are evaluated."""
    pooling: Pooling = "mean"
    """How images weigh in a template: alike, or by the norm of their embedding."""
    fpirs: tuple[float, ...] = open_set.FPIRS
    """False-positive identification rates to report the false-negative rate at."""
    seed: int = 0
    """Of resampling people."""

    def __post_init__(self) -> None:
        _check(type(self).__name__, self.pooling, self.fpirs)

    @property
    def preprocessing(self) -> Preprocessing | None:
        """How the images of the templates are read, where it has its own."""
        return preprocessing_of(self.images)

    def check(self) -> None:
        """Reads the lists."""
        for path in (self.gallery, self.probes):
            read_templates(path)

    def metrics(self, evaluated: EvaluatedSet) -> Metrics:
        found = evaluated.of(self.images)
        sides = []
        for path in (self.gallery, self.probes):
            templates = read_templates(path)
            if templates.subjects is None:
                raise UserError(f"{path} does not say whom its templates show: give it a column SUBJECT_ID.")
            codes, numbers = _pooled(templates, found, self.pooling)
            sides.append((codes, _subjects(templates, numbers)))
        (enrolled, owners), (probes, shown) = sides
        distances = compare_blocks(probes, enrolled, found.compared_by)
        measured = open_set.identification(distances, shown, owners, self.fpirs, self.seed)
        return {name.replace("identification", "templates", 1): each for name, each in measured.items()}


def _check(owner: str, pooling: str, rates: tuple[float, ...]) -> None:
    if pooling not in get_args(Pooling):
        raise ValueError(f"{owner}.pooling is {pooling!r}: choose of {', '.join(get_args(Pooling))}")
    if not all(0 < rate < 1 for rate in rates):
        raise ValueError(f"{owner} has the rates {rates}: give rates between 0 and 1")


def _pooled(templates: TemplateList, evaluated: EvaluatedSet, pooling: Pooling) -> tuple[np.ndarray, np.ndarray]:
    codes = np.asarray(evaluated.embeddings[rows_by_name(evaluated.images.names, templates.images)], np.float64)
    lengths = norms(codes)
    directions = codes / np.where(lengths > 0, lengths, 1.0)[:, None]
    return pool_templates(directions, templates.templates, templates.media, lengths if pooling == "norm" else None)


def _subjects(templates: TemplateList, numbers: np.ndarray) -> np.ndarray:
    """The person of each of the templates, in the order of their numbers."""
    assert templates.subjects is not None
    found, first = np.unique(templates.templates, return_index=True)
    return templates.subjects[first][np.searchsorted(found, numbers)]
