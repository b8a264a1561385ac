"""BLUFR's official lists: ten trials of Labeled Faces in the Wild with verification over all pairs and open-set
identification."""

import dataclasses
import io
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from likeness.research.data.paths import expand_path, printable
from likeness.research.data.regular import open_regular
from likeness.research.errors import UserError

_FIELDS = ("imageList", "labels", "trainIndex", "testIndex", "galIndex", "probIndex")
_HOME = "http://www.cbsr.ia.ac.cn/users/scliao/projects/blufr/"
_MOST_BYTES = 64 << 20


class BlufrTrial(NamedTuple):
    """One random split; each field holds rows of :attr:`BlufrLists.names`, from 0."""

    train: Int[np.ndarray, "t"]
    """Images of people that thresholds may be set, and networks trained, on."""
    test: Int[np.ndarray, "n"]
    """Images of other people, all of whose pairs are verified."""
    gallery: Int[np.ndarray, "g"]
    """Enrolled images, one a person, among the test images."""
    probes: Int[np.ndarray, "p"]
    """The other test images: of enrolled people and of others."""


@dataclasses.dataclass(frozen=True, eq=False)
class BlufrLists:
    """The images of the benchmark, whom each shows, and the trials."""

    names: tuple[str, ...]
    """Names of image files, such as ``Aaron_Eckhart_0001.jpg``."""
    labels: Int[np.ndarray, "n"]
    """The person in each."""
    trials: tuple[BlufrTrial, ...]


def read_blufr(path: str) -> BlufrLists:
    """Reads ``blufr_lfw_config.mat`` and checks that it keeps the rules of the benchmark.

    Args:
        path: the file, in MATLAB's format 5; ``~`` and environment variables are replaced.

    Raises:
        UserError: there is no such file, it is another one, or its lists contradict the benchmark: indices that lie outside,
            people who are in training and in the test, gallery images that are probes too, people enrolled twice, probes that
            are no test images.

    Liao, Lei, Yi and Li, "A benchmark study of large-scale unconstrained face recognition", IJCB 2014.
    """
    file = expand_path(path, "lists")
    shown = printable(file)
    if not file.is_file():
        raise UserError(f"There is no file {shown}: give BLUFR's `blufr_lfw_config.mat` ({_HOME}).")
    found = _matlab(file, shown)
    if missing := [field for field in _FIELDS if field not in found]:
        raise UserError(
            f"{shown} is not BLUFR's list of trials: it has no {', '.join(missing)}. Give `blufr_lfw_config.mat` ({_HOME})."
        )
    try:
        names = tuple(str(np.asarray(cell).reshape(-1)[0]) for cell in found["imageList"].reshape(-1))
        labels = np.asarray(found["labels"]).reshape(-1).astype(np.int64)
        columns = [
            [np.asarray(cell).reshape(-1).astype(np.int64) - 1 for cell in found[field].reshape(-1)] for field in _FIELDS[2:]
        ]
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise UserError(f"{shown} is not BLUFR's list of trials: its columns are not lists of names and of indices.") from error
    if len(labels) != len(names) or len(set(names)) != len(names) or len({len(column) for column in columns}) != 1:
        raise UserError(
            f"{shown} is not BLUFR's list of trials: it has {len(set(names))} different names, {len(labels)} labels and "
            f"{', '.join(str(len(column)) for column in columns)} lists of indices."
        )
    lists = BlufrLists(names, labels, tuple(BlufrTrial(*rows) for rows in zip(*columns, strict=True)))
    for number, trial in enumerate(lists.trials, start=1):
        if wrong := _wrong(trial, labels):
            raise UserError(f"Trial {number} of {shown} breaks BLUFR's rules: {wrong}. Fetch the file again ({_HOME}).")
    return lists


def _matlab(file: Any, shown: str) -> dict[str, Any]:
    # A tenth of a second, for which nobody else waits.
    from scipy.io import loadmat

    with open_regular(file) as opened:
        data = opened.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES or not data.startswith(b"MATLAB 5.0 MAT-file"):
        raise UserError(
            f"{shown} is no file of MATLAB's format 5 of at most {_MOST_BYTES >> 20} MiB: give `blufr_lfw_config.mat` "
            f"({_HOME})."
        )
    try:
        return loadmat(io.BytesIO(data), variable_names=_FIELDS)
    # On a file that is damaged the parser raises nearly anything.
    except Exception as error:
        raise UserError(
            f"{shown} is damaged and cannot be read: fetch BLUFR's `blufr_lfw_config.mat` again ({_HOME})."
        ) from error


def _wrong(trial: BlufrTrial, labels: np.ndarray) -> str:
    for name, rows in trial._asdict().items():
        if not len(rows):
            return f"the list of {name} images is empty"
        if rows.min() < 0 or rows.max() >= len(labels):
            return f"the {name} images are numbered from {rows.min() + 1} to {rows.max() + 1}, of {len(labels)}"
        if len(np.unique(rows)) != len(rows):
            return f"the list of {name} images names one twice"
    if shared := np.intersect1d(labels[trial.train], labels[trial.test]).size:
        return f"{shared} people are both in training and in the test"
    if shared := np.intersect1d(trial.gallery, trial.probes).size:
        return f"{shared} images are both enrolled and probes"
    if not np.isin(np.concatenate([trial.gallery, trial.probes]), trial.test).all():
        return "an enrolled image or a probe is no test image"
    if len(np.unique(labels[trial.gallery])) != len(trial.gallery):
        return "a person is enrolled with two images"
    if np.isin(labels[trial.probes], labels[trial.gallery]).all():
        return "every probe shows somebody enrolled, so that no rate of strangers can be counted"
    return ""


__all__ = ["BlufrLists", "BlufrTrial", "read_blufr"]
