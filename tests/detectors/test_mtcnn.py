"""MTCNN against its definition in NumPy: the networks in float64, and the cascade box by box."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from likeness.research.detectors import CanvasPlaces, MTCNNDetector, detect
from likeness.research.detectors.mtcnn import area_weights
from likeness.research.encoders import MTCNN
from likeness.research.faces import FaceFinder
from likeness.research.faces.photographs import FaceReader
from likeness.research.geometry.warp import warp
from likeness.research.weights import named


def convolution(x, layer):
    kernel = np.asarray(layer["kernel"], np.float64)
    windows = sliding_window_view(x, kernel.shape[:2], axis=(1, 2))
    return np.einsum("bhwcij,ijco->bhwo", windows, kernel, optimize=True) + layer["bias"]


def prelu(x, layer):
    slope = np.asarray(layer["slope"], np.float64).reshape(-1)
    return np.maximum(x, 0) + slope * np.minimum(x, 0)


def pooled(x, side, *, whole):
    """Maxima over windows at every second place; those that reach beyond the border, unless only whole ones count."""
    if not whole:
        more = [(-(-n // 2) - 1) * 2 + side - n for n in x.shape[1:3]]
        x = np.pad(x, ((0, 0), *((0, max(0, extra)) for extra in more), (0, 0)), constant_values=-np.inf)
    return sliding_window_view(x, (side, side), axis=(1, 2))[:, ::2, ::2].max((-2, -1))


def dense(x, layer):
    return x @ np.asarray(layer["kernel"], np.float64) + layer["bias"]


def probability(x):
    odds = np.exp(x - x.max(-1, keepdims=True))
    return (odds / odds.sum(-1, keepdims=True))[..., 1]


def proposal(p, x):
    x = pooled(prelu(convolution(x, p["conv1"]), p["prelu1"]), 2, whole=False)
    for number in (2, 3):
        x = prelu(convolution(x, p[f"conv{number}"]), p[f"prelu{number}"])
    return {"box": convolution(x, p["box"]), "face": convolution(x, p["face"])}


def patch(p, x, poolings):
    for number, pooling in enumerate((*poolings, None), 1):
        x = prelu(convolution(x, p[f"conv{number}"]), p[f"prelu{number}"])
        x = x if pooling is None else pooled(x, pooling[0], whole=pooling[1])
    x = prelu(dense(x.transpose(0, 2, 1, 3).reshape(len(x), -1), p["dense"]), p[f"prelu{len(poolings) + 2}"])
    return {head: dense(x, p[head]) for head in ("box", "face", "landmarks") if head in p}


def refinement(p, x):
    return patch(p, x, ((3, False), (3, True)))


def output(p, x):
    return patch(p, x, ((3, False), (3, True), (2, False)))


def signed(images):
    return (255 * np.asarray(images, np.float64) - 127.5) / 128


@pytest.fixture(scope="module")
def variables():
    shapes = jax.eval_shape(lambda: MTCNN().init(jax.random.key(0), jnp.zeros((1, 24, 24, 3))))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: (0.3 * rng.normal(size=leaf.shape)).astype(np.float32), shapes)


@pytest.mark.parametrize(
    ("method", "network", "reference", "size"),
    [
        ("propose", "proposal", proposal, (23, 30)),
        ("propose", "proposal", proposal, (12, 13)),
        ("refine", "refinement", refinement, (24, 24)),
        ("look", "output", output, (48, 48)),
    ],
)
def test_each_network_is_its_definition(variables, method, network, reference, size):
    images = np.random.default_rng(1).uniform(size=(2, *size, 3)).astype(np.float32)
    said = MTCNN().apply(variables, images, method=method)
    expected = reference(variables["params"][network], signed(images))
    assert said.keys() == expected.keys()
    for name, value in expected.items():
        scale = np.abs(value).max()
        np.testing.assert_allclose(said[name] / scale, value / scale, rtol=0, atol=2e-6)


@pytest.mark.slow
def test_images_pass_all_three(variables):
    activations = MTCNN().apply(variables, jnp.zeros((2, 32, 40, 3)))
    assert activations["proposal_box"].shape == (2, 11, 15, 4)
    assert activations["output_landmarks"].shape == (2, 10)
    with pytest.raises(ValueError, match="MTCNN: images of 11×40 pixels are too small"):
        MTCNN().apply(variables, jnp.zeros((1, 11, 40, 3)))


def test_areas_keep_the_mean():
    row = np.random.default_rng(0).uniform(size=37)
    for wanted in (37, 36, 20, 5, 1):
        assert (area_weights(37, wanted) @ row).mean() == pytest.approx(row.mean(), rel=1e-6)
    np.testing.assert_allclose(area_weights(12, 4) @ row[:12], row[:12].reshape(4, 3).mean(1), rtol=1e-6)


def test_fields_are_checked():
    with pytest.raises(ValueError, match=r"MTCNNDetector\(proposals=0\)"):
        MTCNNDetector(proposals=0)
    with pytest.raises(ValueError, match=r"MTCNNDetector\.factor is 1"):
        MTCNNDetector(factor=1.0)


def iou(one, other):
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    both = np.prod(np.maximum(0, high - low))
    return both / (np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - both)


def unique(rows, threshold):
    """(box, score) in falling order, without those that overlap any that is surer."""
    rows = sorted(rows, key=lambda row: -row[1])
    return [row for i, row in enumerate(rows) if not any(iou(row[0], surer[0]) > threshold for surer in rows[:i])]


def square(box):
    center, half = (box[:2] + box[2:]) / 2, max(box[2:] - box[:2]) / 2
    return np.concatenate([center - half, center + half])


def moved(box, offsets):
    return box + np.tile(box[2:] - box[:2], 2) * offsets


def cut(image, boxes, side):
    scale = (boxes[:, 2] - boxes[:, 0]) / side
    maps = np.stack([scale, 0 * scale, boxes[:, 0] + scale / 2 - 0.5, boxes[:, 1] + scale / 2 - 0.5], axis=-1)
    return np.asarray(warp(image[None], maps[None].astype(np.float32), (side, side)))[0]


def cascade(params, image, smallest):
    """Boxes, scores and landmarks, as many as there are."""
    height, width = image.shape[:2]
    rows, scale = [], 12 / smallest
    while min(height, width) * scale >= 12:
        size = int(height * scale), int(width * scale)
        copy = np.einsum("ih,hwc,jw->ijc", area_weights(height, size[0]), image, area_weights(width, size[1]), optimize=True)
        said = proposal(params["proposal"], signed(copy[None]))
        faces = probability(said["face"])[0]
        here = []
        for i, j in zip(*np.nonzero(faces > 0.6), strict=True):
            box = np.array([2 * j, 2 * i, 2 * j + 12, 2 * i + 12]) + 12 * said["box"][0, i, j]
            here.append((box * np.tile([width / size[1], height / size[0]], 2), faces[i, j]))
        rows += unique(here, 0.5)
        scale *= 0.709
    boxes = np.array([square(box) for box, _ in unique(rows, 0.7)])
    said = refinement(params["refinement"], signed(cut(image, boxes, 24)))
    rows = [(moved(b, d), f) for b, d, f in zip(boxes, said["box"], probability(said["face"]), strict=True) if f > 0.7]
    boxes = np.array([square(box) for box, _ in unique(rows, 0.7)])
    said = output(params["output"], signed(cut(image, boxes, 48)))
    faces = probability(said["face"])
    sides = (boxes[:, 2:] - boxes[:, :2])[:, None]
    landmarks = boxes[:, None, :2] + sides * said["landmarks"].reshape(-1, 2, 5).transpose(0, 2, 1)
    moved_boxes = np.array([moved(box, offsets) for box, offsets in zip(boxes, said["box"], strict=True)])
    kept = faces > 0.7
    return moved_boxes[kept], faces[kept], landmarks[kept]


@pytest.mark.data
@pytest.mark.weights("mtcnn")
def test_the_cascade_is_its_definition(real_data):
    from PIL import Image

    with Image.open(real_data / "pictures" / "content" / "astronaut.png") as opened:
        image = np.asarray(opened.convert("RGB").crop((60, 0, 380, 320)))
    variables, _ = named("mtcnn").load()
    candidates = jax.jit(lambda canvases: MTCNNDetector(smallest=40).candidates(variables, canvases))(image[None])
    boxes, scores, landmarks = cascade(variables["params"], image.astype(np.float32) / 255, 40)
    found = np.asarray(candidates.scores[0]) > 0
    assert found.sum() == len(boxes) >= 1
    ours, theirs = np.argsort(-np.asarray(candidates.scores[0])[found]), np.argsort(-scores)
    np.testing.assert_allclose(np.asarray(candidates.scores[0])[found][ours], scores[theirs], rtol=0, atol=1e-4)
    np.testing.assert_allclose(np.asarray(candidates.boxes[0])[found][ours], boxes[theirs], rtol=0, atol=1e-2)
    np.testing.assert_allclose(np.asarray(candidates.landmarks[0])[found][ours], landmarks[theirs], rtol=0, atol=1e-2)


@pytest.mark.weights("mtcnn")
def test_an_empty_canvas_has_no_face_and_nothing_is_infinite():
    model = MTCNNDetector()
    variables, _ = named("mtcnn").load()
    for size in ((32, 32), (64, 96)):
        found = detect(model, variables, np.zeros((1, *size, 3), np.uint8), CanvasPlaces.of([model.placement(size)]))
        assert not found.valid.any() and all(np.isfinite(np.asarray(part)).all() for part in found if part is not None)


@pytest.mark.data
@pytest.mark.weights("mtcnn")
def test_it_finds_the_faces_of_people_where_their_landmarks_are(real_data):
    from PIL import Image

    lines = [line.split() for line in (real_data / "lfw" / "landmarks5_center160.txt").read_text().splitlines()]
    marks = {line[0]: np.array(line[1:11], float).reshape(5, 2) for line in lines if not line[0].startswith("#")}
    names = list(marks)[:16]
    images = [np.asarray(Image.open(real_data / "lfw" / name).convert("RGB")) for name in names]
    reader = FaceReader.load(FaceFinder(detector=MTCNNDetector(longest=None)), "mtcnn")
    for name, found in zip(names, reader(images), strict=True):
        assert len(found) == 1 and found.surest > 0.9
        assert np.abs(found.landmarks[0] - marks[name]).mean() < 2.5


@pytest.mark.weights("mtcnn")
def test_more_faces_may_be_asked_for_than_a_small_canvas_has_candidates():
    reader = FaceReader.load(FaceFinder(detector=MTCNNDetector(longest=None), faces=64), "mtcnn")
    assert [len(found) for found in reader([np.full((60, 60, 3), 90, np.uint8)])] == [0]
