"""YuNet on Labeled Faces in the Wild, which its authors' ONNX file is said to find complete."""

import numpy as np
import pytest

from likeness.experiments.benchmarks.faces_found import faces_found
from likeness.experiments.benchmarks.lfw_faces import Faces
from likeness.experiments.detection.detector import Detector


@pytest.mark.data
@pytest.mark.slow
def test_a_face_is_found_in_every_image_with_landmarks_where_another_network_sets_them(real_data):
    faces = Faces(real_data / "lfw")
    found = faces_found(Detector.load("yunet"), faces, sorted(faces.landmarks), 0.3)
    assert found.found == found.images == 13_233
    assert found.median == pytest.approx(3.4, abs=0.1)
    assert found.least > 0.8


@pytest.mark.slow
@pytest.mark.data
def test_the_first_of_them_at_once(real_data):
    faces = Faces(real_data / "lfw")
    found = faces_found(Detector.load("yunet"), faces, sorted(faces.landmarks)[:64], 0.3)
    assert found.found == found.images == 64
    assert found.distances.shape == (64, 5) and 2 < found.median < 5
    assert np.isfinite(found.distances).all()
