"""A recognizer in a file of InsightFace's: asked like a published one, and calibrated on one's own photographs."""

from pathlib import Path

import jax
import numpy as np
import pytest
from flax import traverse_util

from likeness.experiments.recognition.published import published
from likeness.experiments.recognition.recognizer import Recognizer
from likeness.research.encoders import FlipEmbedding, IResNet
from likeness.research.errors import UserError

ENCODER = IResNet(blocks=(1, 1, 1, 1), width=4, dimension=8, normalize=False)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file whose reading is taken for granted here."""
    shapes = jax.eval_shape(lambda: ENCODER.init(jax.random.key(0), np.zeros((1, 112, 112, 3), np.float32)))
    rng = np.random.default_rng(0)
    variables = jax.tree.map(lambda leaf: rng.uniform(0.1, 0.2, leaf.shape).astype(np.float32), shapes)
    path = tmp_path / "w600k_r50.onnx"
    path.write_bytes(b"\x08\x06\x12\x07pytorch:")
    monkeypatch.setattr("likeness.experiments.recognition.published.read_iresnet", lambda path: (ENCODER, variables, None))
    flat = traverse_util.flatten_dict(variables, sep="/")
    monkeypatch.setattr("likeness.research.weights.readers.read_onnx", lambda path, check=None: flat)
    return path


def test_it_is_made_of_what_the_file_holds(file: Path) -> None:
    one = published(str(file))
    assert one.encoder == FlipEmbedding(encoder=ENCODER.clone(normalize=True))
    assert one.threshold == file.with_name("w600k_r50.threshold.json")
    assert one.crop.size == (112, 112)


def test_a_file_that_is_not_there_is_said() -> None:
    with pytest.raises(UserError, match=r"There is no file .*nowhere\.onnx: give one of InsightFace's"):
        published("nowhere.onnx")


@pytest.mark.slow
@pytest.mark.weights("yunet")
def test_without_a_threshold_the_next_command_is_named(file: Path) -> None:
    recognizer = Recognizer.published(str(file))
    codes = recognizer.embed(np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), np.uint8))
    assert codes.shape == (2, 8)
    with pytest.raises(UserError, match=r"has no threshold τ\. .*_thresholds --models .*w600k_r50\.onnx --people FOLDER"):
        recognizer.compare(codes[0], codes[1])
