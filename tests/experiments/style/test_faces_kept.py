import os
from pathlib import Path

import numpy as np
import pytest

from likeness.experiments.style.faces_kept import FaceWatch, watch_faces
from likeness.research.images import read_image


def test_what_is_missing_is_said_with_the_command_that_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKENESS_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    said = watch_faces(np.zeros((32, 32, 3), np.float32), ("mobilefacenet",))
    assert isinstance(said, str)
    assert "still the same person" in said and "likeness-jax[faces]" in said
    # Of the detector and the encoder, one may have been read earlier in this process.
    assert "The weights yunet are not on" in said or "The weights mobilefacenet are not on" in said


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.weights("yunet", "mobilefacenet")
def test_a_face_is_itself_and_no_longer_itself_upside_down() -> None:
    image = read_image(Path(os.environ["LIKENESS_DATA"]) / "pictures/content/astronaut.png").pixels
    watch = watch_faces(image)
    assert isinstance(watch, FaceWatch)
    assert len(watch) == 1
    (same,), (other,) = watch(image), watch(image[::-1])
    assert same.same and same.distance == pytest.approx(0.0, abs=1e-4)
    assert not other.same and other.distance > watch.threshold
    assert isinstance(watch_faces(image[300:, :200]), str)
