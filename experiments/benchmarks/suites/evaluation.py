"""COCO's evaluation of detections, from files as ``json.load`` gives them to the twelve numbers, beside pycocotools.

Both read the lists of dictionaries, match, and fill the tables of precision, recall and scores, which must be equal to the bit.
Where real annotations are under ``LIKENESS_DATA`` the official made-up results of a hundred images are evaluated too.
"""

import functools
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from likeness.experiments.benchmarks.protocol import OURS, Contender, Goal, Row, Size, Work
from likeness.research.metrics.detection import evaluate_coco

PEER = "pycocotools"


def rows(size: Size) -> tuple[Row, ...]:
    """A hundred images of COCO; many classes; many detections an image; where asked for as many images as COCO's own test."""
    if size == "tiny":
        return (_row(20, 5, 5, 20),)
    usual = (_row(500, 80, 7, 30), _row(300, 3, 10, 100), _row(1000, 1, 3, 10))
    folder = Path(os.environ.get("LIKENESS_DATA", "")) / "coco_sample"
    if folder.is_dir():
        usual = (_contest("100 images of COCO, 734 detections", functools.partial(_sample, folder)), *usual)
    return (*usual, _row(5000, 80, 7, 30)) if size == "large" else usual


def _row(images: int, classes: int, truths: int, detections: int) -> Row:
    name = f"{images:,} images, {classes} class{'es' if classes > 1 else ''}, {truths} truths and {detections} detections each"
    return _contest(name, functools.partial(random_files, images, classes, truths, detections))


def _contest(name: str, files: Any) -> Row:
    contenders = (
        Contender(OURS, functools.partial(_ours, files)),
        Contender(PEER, functools.partial(_theirs, files), ("pycocotools",), peer=True),
    )
    return Row(name, contenders, Goal(PEER, 1.0), tolerance=(0.0,) * 4)


def random_files(images: int, classes: int, truths: int, detections: int, seed: int = 0) -> tuple[dict[str, Any], list[Any]]:
    """Annotations and results that look like a fair detector's: most boxes near a truth, some classes confused, few crowds.

    Args:
        images: how many.
        classes: of objects.
        truths: in an image, on average.
        detections: in an image, on average.
        seed: of all.
    """
    rng = np.random.default_rng(seed)
    annotations, results = [], []
    for image in range(1, images + 1):
        n, m = rng.poisson(truths), rng.poisson(detections)
        boxes = np.concatenate([500 * rng.random((n, 2)), 5 + 300 * rng.random((n, 2)) ** 2], axis=1)
        of = rng.integers(1, classes + 1, n)
        for box, each, crowd in zip(boxes.tolist(), of.tolist(), (rng.random(n) < 0.01).tolist(), strict=True):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": each,
                    "bbox": box,
                    "area": 0.7 * box[2] * box[3],
                    "iscrowd": int(crowd),
                }
            )
        found = np.concatenate([500 * rng.random((m, 2)), 5 + 300 * rng.random((m, 2)) ** 2], axis=1)
        said = rng.integers(1, classes + 1, m)
        if n:
            near, one = rng.random(m) < 0.7, rng.integers(0, n, m)
            found = np.where(near[:, None], np.abs(boxes[one] * (1 + 0.1 * rng.standard_normal((m, 4)))), found)
            said = np.where(near & (rng.random(m) < 0.9), of[one], said)
        results += [
            {"image_id": image, "category_id": each, "bbox": box, "score": score}
            for box, each, score in zip(found.tolist(), said.tolist(), rng.random(m).tolist(), strict=True)
        ]
    lists = {"images": range(1, images + 1), "categories": range(1, classes + 1)}
    listed = {key: [{"id": each, "name": str(each)} for each in ids] for key, ids in lists.items()}
    return {**listed, "annotations": annotations}, results


def _sample(folder: Path) -> tuple[dict[str, Any], list[Any]]:
    names = "instances_val2014_100.json", "fakebbox100_results.json"
    annotations, results = (json.loads((folder / name).read_text()) for name in names)
    return annotations, results


def _ours(files: Any) -> Work:
    annotations, results = files()

    def answer() -> tuple[np.ndarray, ...]:
        evaluation = evaluate_coco(annotations, results)
        return np.array([*evaluation.numbers.values()]), evaluation.precision, evaluation.recall, evaluation.scores

    return Work(lambda: (answer(), None)[1], answer=answer)


def _theirs(files: Any) -> Work:
    from likeness.experiments.benchmarks.peers.pycocotools_boxes import evaluation

    return evaluation(*files())
