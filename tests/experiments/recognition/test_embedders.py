"""Who is evaluated: how images are embedded."""

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from likeness.experiments.recognition import embedders
from likeness.research.encoders import Conv4


@pytest.mark.parametrize(
    "images, sizes", [(1, [8]), (2, [8]), (20, [8, 8, 8]), (65, [256]), (256, [256]), (300, [256, *[8] * 6])]
)
def test_a_few_images_do_not_cost_a_full_batch(monkeypatch: pytest.MonkeyPatch, images: int, sizes: list[int]) -> None:
    """Two programs at most, and each image's embedding in its place."""
    embedded = []

    def embed(encoder: Any, variables: Any, batch: np.ndarray) -> np.ndarray:
        embedded.append(len(batch))
        return batch.reshape(len(batch), -1)[:, :1]

    monkeypatch.setattr(embedders, "_embed", embed)
    loss: Any = SimpleNamespace(compare=None)
    embedder = embedders.trained(Conv4(), loss, {"encoder": {}, "loss": {}}, {})
    table = np.arange(images, dtype=np.uint16).reshape(-1, 1, 1, 1)
    assert embedder.embed(table).ravel().tolist() == list(range(images))
    assert embedded == sizes


@pytest.mark.slow
def test_answering_waits_for_nothing_that_only_training_needs() -> None:
    code = (
        "import sys, likeness.experiments.recognition.recognizer; "
        "print([name for name in ('sklearn', 'matplotlib', 'grain', 'tensorflow_datasets') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == "[]\n"
