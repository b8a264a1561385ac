"""Published detectors in the ONNX files of their authors, run by onnxruntime."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # pyright: ignore[reportMissingImports]

from likeness.experiments.benchmarks.protocol import Work


def heads(file: Path, canvases: np.ndarray, scale: float) -> Work:
    """What the heads of a detector say of canvases.

    Args:
        file: the ONNX file.
        canvases: RGB uint8 (b, h, w, 3).
        scale: of the pixels that the network takes, which are BGR: 255 or 1.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    # A file whose batch is fixed takes one image after the other.
    each = 1 if given.shape[0] == 1 else len(canvases)

    def run() -> list[Any]:
        pixels = np.ascontiguousarray(canvases[..., ::-1].transpose(0, 3, 1, 2)).astype(np.float32)
        if scale != 255:
            pixels *= np.float32(scale / 255)
        return [session.run(None, {given.name: pixels[i : i + each]}) for i in range(0, len(pixels), each)]

    def answer() -> tuple[np.ndarray, ...]:
        return (np.concatenate([np.concatenate(parts).ravel() for parts in zip(*run(), strict=True)]),)

    def once() -> None:
        run()

    return Work(once, answer=answer)
