"""COCO's evaluation by pycocotools."""

import contextlib
import copy
import io
from typing import Any

import numpy as np
from pycocotools.coco import COCO  # pyright: ignore[reportMissingImports]
from pycocotools.cocoeval import COCOeval  # pyright: ignore[reportMissingImports]

from likeness.experiments.benchmarks.protocol import Work


def evaluation(annotations: dict[str, Any], results: list[Any]) -> Work:
    """From lists of dictionaries to the twelve numbers.

    Args:
        annotations: as ``json.load`` gives them.
        results: likewise. pycocotools writes into them, and may: what it writes is the same every time.
    """
    annotations, results = copy.deepcopy((annotations, results))

    def answer() -> tuple[np.ndarray, ...]:
        with contextlib.redirect_stdout(io.StringIO()):
            truth: Any = COCO()
            truth.dataset = annotations
            truth.createIndex()
            evaluated = COCOeval(truth, truth.loadRes(results), "bbox")
            evaluated.evaluate()
            evaluated.accumulate()
            evaluated.summarize()
        tables = evaluated.eval
        return evaluated.stats, tables["precision"], tables["recall"], tables["scores"]

    return Work(lambda: (answer(), None)[1], answer=answer)
