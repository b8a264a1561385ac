import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from random_faces import RANDOM_FACES

from likeness.experiments.frozen import FromRun, FrozenEncoder
from likeness.experiments.recognition import Recognition
from likeness.experiments.recognition.face_crops import CenterCrop, Landmarks, SourceLandmarks, Template
from likeness.experiments.recognition.recognizer import Recognizer
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.style.portrait import Portrait
from likeness.experiments.training.trainer import train
from likeness.research.data import CountSplit, Faces, IdentityBatches
from likeness.research.encoders import Conv4
from likeness.research.errors import UserError
from likeness.research.images.portraits import GraceHopper, ProceduralFace
from likeness.research.images.sources import ImageFile, Photograph
from likeness.research.losses import BatchAll, Identity, SquaredEuclidean, Triplet

FACE = ProceduralFace(person=3)
SMALL = Template(height=20, width=16, points=((5.0, 7.0), (10.0, 7.0), (7.5, 10.0), (5.5, 13.0), (9.5, 13.0)))


@jax.jit
def embed(variables, cut, pixels):
    """The embeddings of the crop of an image and of its mirror image, (2, d)."""
    faces = cut(pixels)
    return RANDOM_FACES(variables, jnp.concatenate([faces, faces[:, :, ::-1]]))["embedding"]


def small(**fields):
    return Portrait(**{"encoder": RANDOM_FACES, "template": SMALL, "moved": 0, "blur": 0.0, **fields})


def painted(content: np.ndarray, amount: float = 0.5) -> jax.Array:
    noise = np.kron(np.random.default_rng(1).uniform(size=(8, 8, 3)), np.ones((content.shape[0] // 8,) * 2 + (1,)))
    return jnp.asarray((1 - amount) * content + amount * noise, jnp.float32)[None]


@pytest.mark.slow
def test_the_original_is_at_distance_zero_and_another_image_is_not():
    content = FACE.open(40)
    portrait = small()
    constants = portrait.constants(content, FACE)
    assert portrait.distance(constants, content[None]) == pytest.approx(0, abs=1e-6)
    assert portrait.distance(constants, painted(content)) > 0.005


@pytest.mark.slow
def test_the_cost_is_the_weighted_distance_of_the_aligned_faces_and_their_mirror_images():
    content = FACE.open(40)
    portrait = small(weight=3.0)
    constants = portrait.constants(content, FACE)
    image = painted(content)
    assert constants.crops[0][0](image).shape == (1, 20, 16, 3)
    original, other = (
        np.asarray(embed(constants.encoder, constants.crops[0][0], pixels), np.float64) for pixels in (content[None], image)
    )
    cost = jax.jit(portrait.cost)(constants, image)
    assert cost.shape == () and cost.dtype == jnp.float32
    np.testing.assert_allclose(cost, 3.0 * cosine(original.mean(0), other.mean(0)), rtol=1e-3)
    np.testing.assert_allclose(portrait.distance(constants, image), cost / 3.0, rtol=1e-5)
    one = small(mirror=False)
    expected = cosine(original[0], other[0])
    np.testing.assert_allclose(one.distance(one.constants(content, FACE), image), expected, rtol=1e-3)


def cosine(first, second):
    return 1 - first @ second / np.linalg.norm(first) / np.linalg.norm(second)


def landmarks_of(person: int, size: int, shift: int = 0, whole: tuple[int, int] | None = None) -> Landmarks:
    points = ProceduralFace(person=person).landmarks(size) + np.array([shift, 0])
    return Landmarks(points=tuple(map(tuple, points.tolist())), size=whole or (size, size))


def group() -> tuple[np.ndarray, tuple[Landmarks, ...]]:
    """Three people side by side, and where their faces are."""
    content = np.concatenate([ProceduralFace(person=person).open(40) for person in (3, 5, 8)], axis=1)
    return content, tuple(landmarks_of(person, 40, 40 * i, (120, 40)) for i, person in enumerate((3, 5, 8)))


@pytest.mark.slow
def test_each_face_of_a_group_is_compared_with_its_own_original():
    content, faces = group()
    together = small(face=faces, moved=1, blur=0.7)
    constants = together.constants(content)
    image = jnp.concatenate([painted(content[:, :40]), painted(content[:, 40:80], 0.3), jnp.asarray(content[None, :, 80:])], 2)
    found = together.distances(constants, image)
    alone = [small(face=face, moved=1, blur=0.7) for face in faces]
    each = [one.constants(content) for one in alone]
    np.testing.assert_allclose(
        found, [one.distance(kept, image) for one, kept in zip(alone, each, strict=True)], rtol=1e-4, atol=1e-6
    )
    assert found[0] > found[1] > found[2] == pytest.approx(0, abs=1e-6) and together.distance(constants, image) == found[0]
    costs = [one.cost(kept, image) for one, kept in zip(alone, each, strict=True)]
    np.testing.assert_allclose(together.cost(constants, image), sum(costs), rtol=1e-4)


@pytest.mark.slow
def test_each_face_has_a_margin_of_its_own():
    """A face that is near enough does not make up for one that is not, and is left alone."""
    content, faces = group()
    image = jnp.concatenate([painted(content[:, :40]), painted(content[:, 40:80], 0.3), jnp.asarray(content[None, :, 80:])], 2)
    plain = small(face=faces)
    first, second, _ = plain.distances(plain.constants(content), image)
    lenient = small(face=faces, margin=float(0.5 * (first + second)))
    constants = lenient.constants(content)
    value, slope = jax.value_and_grad(lambda x: lenient.cost(constants, x))(image)
    np.testing.assert_allclose(value, 0.5 * (first - second), rtol=1e-3)
    pulled = np.abs(np.asarray(slope)).max(axis=(0, 1, 3)) > 0
    assert pulled[:40].any() and not pulled[40:].any()


def test_faces_elsewhere_are_one_program():
    _, faces = group()
    assert small(face=faces).as_compiled() == small(face=faces[0]).as_compiled() == small()
    assert small(face=faces).faces == faces and small(face=faces[0]).faces == faces[:1]


@pytest.mark.slow
def test_a_face_at_the_border_is_seen_as_far_as_it_goes():
    content, faces = group()
    cut = content[:, 12:]
    moved = Landmarks(points=tuple((x - 12, y) for x, y in faces[0].points), size=(108, 40))
    portrait = small(face=moved)
    constants = portrait.constants(cut)
    assert portrait.distance(constants, cut[None]) == pytest.approx(0, abs=1e-6)
    assert jnp.isfinite(jax.grad(lambda x: portrait.cost(constants, x))(jnp.asarray(cut[None] * 0.9))).all()


@pytest.mark.slow
def test_below_the_margin_nothing_is_gained():
    content = FACE.open(40)
    image = painted(content)
    portrait = small()
    apart = portrait.distance(portrait.constants(content, FACE), image)
    for margin, expected in ((0.4 * apart, 2 * 0.6 * apart), (1.1 * apart, 0.0)):
        lenient = small(margin=margin, weight=2.0)
        constants = lenient.constants(content, FACE)
        value, gradient = jax.jit(
            jax.value_and_grad(lambda x, lenient=lenient, constants=constants: lenient.cost(constants, x))
        )(image)
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-7)
        assert bool(jnp.any(gradient != 0)) == (expected > 0)
        assert lenient.distance(constants, image) == pytest.approx(apart, rel=1e-5)


@pytest.mark.slow
@pytest.mark.end_to_end
def test_the_cost_looks_through_a_blur_and_verification_does_not():
    content = FACE.open(40)
    image = painted(content)
    soft, sharp = small(blur=0.7, mirror=False), small(mirror=False)
    constants = soft.constants(content, FACE)
    reach = np.arange(-3, 4)
    weights = np.exp(-(reach**2) / (2 * 0.7**2))
    weights /= weights.sum()
    embeddings = []
    for pixels in (content[None], image):
        face = np.asarray(constants.crops[0][0](pixels), np.float64)[0]
        for axis in (0, 1):
            wide = np.pad(face, [(3, 3) if each == axis else (0, 0) for each in range(3)], mode="edge")
            face = sum(w * np.take(wide, np.arange(face.shape[axis]) + i, axis) for i, w in enumerate(weights))
        embeddings.append(np.asarray(RANDOM_FACES(constants.encoder, jnp.asarray(face, jnp.float32)[None])["embedding"][0]))
    np.testing.assert_allclose(soft.cost(constants, image), cosine(*embeddings), rtol=1e-3)
    apart = sharp.distance(sharp.constants(content, FACE), image)
    assert soft.distance(constants, image) == pytest.approx(apart, rel=1e-5) != pytest.approx(cosine(*embeddings), rel=1e-2)


@pytest.mark.slow
@pytest.mark.end_to_end
def test_moved_crops_count_as_much_and_verification_does_not_see_them():
    content = FACE.open(40)
    image = painted(content)
    one, several = small(), small(moved=3)
    constants = several.constants(content, FACE)
    apart = []
    for cut in constants.crops[0]:
        original, other = (embed(constants.encoder, cut, pixels).mean(0) for pixels in (content[None], image))
        apart.append(float(cosine(original, other)))
    assert len(set(apart)) == 4
    np.testing.assert_allclose(several.cost(constants, image), np.mean(apart), rtol=1e-3)
    np.testing.assert_allclose(several.distance(constants, image), apart[0], rtol=1e-3)
    np.testing.assert_allclose(one.distance(one.constants(content, FACE), image), apart[0], rtol=1e-3)
    middle = np.array([[7.5, 9.5]])
    for move in several.moves():
        assert np.abs(move(middle) - middle).max() <= 0.8 + 1e-9 and 0.9 < move.scale < 1.11 and abs(move.angle) < 0.14


@pytest.mark.slow
def test_the_gradient_is_the_finite_difference():
    content = FACE.open(40)
    portrait = small(loss=Identity(distance=SquaredEuclidean()))
    constants, image = portrait.constants(content, FACE), painted(content)
    cost = jax.jit(lambda x: portrait.cost(constants, x))
    gradient = jax.jit(jax.grad(cost))(image)
    assert jnp.isfinite(gradient).all()
    direction = gradient / jnp.linalg.norm(gradient)
    step = 1e-2
    slope = (cost(image + step * direction) - cost(image - step * direction)) / (2 * step)
    np.testing.assert_allclose(slope, jnp.linalg.norm(gradient), rtol=0.02)
    border = np.asarray(gradient)[0]
    touched = np.zeros((40, 40), bool)
    cut = constants.crops[0][0]
    touched.ravel()[np.unique(np.asarray(cut.index)[np.asarray(cut.weight) > 0])] = True
    np.testing.assert_array_equal(border[~touched], 0)


@pytest.mark.end_to_end
def test_a_few_steps_bring_the_person_back():
    content = FACE.open(40)
    portrait = small()
    constants, image = portrait.constants(content, FACE), painted(content)
    before = portrait.distance(constants, image)
    slope = jax.jit(jax.grad(lambda x: portrait.cost(constants, x)))
    for _ in range(20):
        gradient = slope(image)
        image = image - 0.1 * gradient / jnp.linalg.norm(gradient)
    assert portrait.distance(constants, image) < 0.5 * before


@pytest.mark.slow
def test_equal_faces_at_other_sizes_are_one_face():
    """The same face, painted at another size, is laid over the template in the same way."""
    portrait = small()
    crops = [np.asarray(portrait.constants(FACE.open(size), FACE).crops[0][0](FACE.open(size)[None])) for size in (48, 192)]
    assert np.abs(crops[0] - crops[1]).mean() < 0.03
    template = Template()
    for source, size in itertools.product((FACE, GraceHopper()), (64, 300)):
        height, width, _ = source.open(size).shape
        moved = SourceLandmarks().to_template(template, (height, width), source)(source.landmarks(size))
        assert np.abs(moved - np.array(template.points)).max() < 8


def test_landmarks_are_scaled_with_the_image():
    points = tuple(map(tuple, FACE.landmarks(64).tolist()))
    known, given = SourceLandmarks(), Landmarks(points=points, size=(64, 64))
    for size in (64, 200):
        expected = known.to_template(SMALL, (size, size), FACE)
        found = given.to_template(SMALL, (size, size), None)
        np.testing.assert_allclose(dataclasses.astuple(found), dataclasses.astuple(expected), rtol=1e-4, atol=1e-4)


def test_a_center_crop_is_the_middle_of_the_image():
    square = CenterCrop().to_template(Template(height=20, width=20), (40, 40), None)
    np.testing.assert_allclose(square(np.array([[0.5, 0.5], [38.5, 38.5]])), [[0, 0], [19, 19]])
    tall = CenterCrop(share=0.5).to_template(Template(height=10, width=10), (60, 40), None)
    np.testing.assert_allclose(tall(np.array([[19.5, 29.5]])), [[4.5, 4.5]])
    assert 1 / tall.scale == pytest.approx(2)


@pytest.mark.parametrize(
    ("face", "why"),
    [
        (SourceLandmarks(), "Its source is not known here"),
        (Landmarks(points=((1.0, 1.0), (2.0, 2.0)), size=(40, 40)), "not to 2 points and 5"),
        (Landmarks(points=((9.0, 9.0),) * 5, size=(40, 40)), "All 5 points are at"),
        (
            Landmarks(points=((10.0, 7.0), (5.0, 7.0), (7.5, 10.0), (9.5, 13.0), (5.5, 13.0)), size=(40, 40)),
            "Check their order",
        ),
        (Landmarks(points=SMALL.points, size=(40, 60)), "of other proportions"),
    ],
)
def test_a_face_that_cannot_be_there_is_explained(face, why):
    with pytest.raises(UserError, match=why):
        small(face=face).constants(FACE.open(40))


@pytest.mark.parametrize("source", [Photograph(name="china"), ImageFile(path="me.jpg")])
def test_an_image_without_landmarks_asks_for_them(source):
    with pytest.raises(UserError, match=f"A {type(source).__name__} does not say. Give five points"):
        small().constants(FACE.open(40), source)


def test_a_template_that_the_encoder_does_not_take_is_explained():
    portrait = Portrait(encoder=RANDOM_FACES, template=Template(height=5, width=5), face=CenterCrop())
    with pytest.raises(UserError, match="do not fit each other: Conv4: images of 5×5 pixels are too small"):
        portrait.constants(FACE.open(40))
    with pytest.raises(UserError, match=r"Identity: 'conv1' is \(1, 20, 16, 6\), not one embedding"):
        small(loss=Identity(layers=("conv1",))).constants(FACE.open(40), FACE)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: Portrait(weight=-1.0), "weight is -1.0"),
        (lambda: Portrait(face=()), "face is empty"),
        (lambda: Portrait(weight=float("nan")), "weight is nan"),
        (lambda: Portrait(margin=-0.1), "margin is -0.1"),
        (lambda: Portrait(moved=-1), "moved is -1"),
        (lambda: Portrait(blur=-1.0), "blur is -1"),
        (lambda: CenterCrop(share=0.0), "share is 0"),
        (lambda: Template(height=0), "Template is 0×112"),
        (lambda: Landmarks(points=((500.0, 3.0),), size=(40, 40)), "outside of the image of 40 × 40"),
        (lambda: Landmarks(points=(), size=(0, 40)), "size is"),
        (lambda: ProceduralFace(person=-1), "person is -1"),
        (lambda: ProceduralFace(smile=2.0), "smile is 2.0"),
    ],
)
def test_illegal_fields_are_refused(make, why):
    with pytest.raises(ValueError, match=why):
        make()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A recognizer of gray images of 24 × 24 pixels, hardly trained."""
    workdir = tmp_path_factory.mktemp("run")
    recognition = Recognition(
        data=Faces(people=8, images=4, size=24, channels=1),
        split=CountSplit(validation=2, test=2),
        batches=IdentityBatches(people=4, images=2),
        encoder=Conv4(width=4, dimension=8),
        loss=Triplet(margin=0.2, rule=BatchAll()),
        validation=(),
        test=(),
    )
    train(Run(experiment=recognition, steps=1, checkpoints=Checkpoints(every=1)), workdir)
    return workdir


def learned(workdir):
    return FrozenEncoder(encoder=Conv4(width=4, dimension=8), weights=FromRun(workdir=str(workdir)))


@pytest.mark.slow
def test_the_encoder_of_a_run_is_the_one_that_its_recognizer_answers_with(run):
    square = Template(height=24, width=24)
    portrait = Portrait(encoder=learned(run), template=square, face=CenterCrop(), mirror=False, moved=0)
    levels = np.random.default_rng(0).integers(0, 256, (24, 24), np.uint8)
    content = np.repeat(levels[..., None], 3, axis=2).astype(np.float32) / 255
    constants = portrait.constants(content)
    expected = Recognizer.load(run).embed(levels[None, ..., None])
    np.testing.assert_allclose(constants.verified["embedding"]["embedding"], expected, rtol=1e-4, atol=1e-6)
    gradient = jax.jit(jax.grad(lambda x: portrait.cost(constants, x)))(painted(content))
    assert jnp.isfinite(gradient).all() and jnp.any(gradient != 0)


@pytest.mark.slow
def test_a_run_that_does_not_fit_is_explained(run, tmp_path):
    with pytest.raises(UserError, match="was trained on images of 24×24 pixels and is shown 20×16"):
        Portrait(encoder=learned(run), template=SMALL, face=SourceLandmarks()).constants(FACE.open(40), FACE)
    with pytest.raises(UserError, match="There is no working directory"):
        Portrait(encoder=learned(tmp_path / "none")).constants(FACE.open(40), FACE)


@pytest.mark.data
@pytest.mark.slow
def test_mobilefacenet_knows_people_through_the_alignment(real_data):
    """Photographs of one person are nearer than those of two, and a photograph is itself at another size."""
    lines = (line.split("\t") for line in (real_data / "lfw" / "landmarks5_center160.txt").read_text().splitlines())
    points = {line[0]: tuple((float(x), float(y)) for x, y in zip(line[1:11:2], line[2:11:2], strict=True)) for line in lines}
    names = [f"{who}/{who}_000{number}.jpg" for who in ("Aaron_Peirsol", "Abdullah_Gul", "Adel_Al-Jubeir") for number in (1, 2)]
    embeddings = []
    for name in names:
        source = ImageFile(path=str(real_data / "lfw" / name))
        portrait = Portrait(face=Landmarks(points=points[name], size=(160, 160)), moved=0)
        constants = portrait.constants(source.open(160))
        assert portrait.distance(constants, source.open(160)[None]) == pytest.approx(0, abs=1e-5)
        if name == names[0]:
            larger = portrait.constants(source.open(240))
            assert float(portrait.loss(_embedding(larger), constants.verified)) < 0.02
        embeddings.append(np.asarray(_embedding(constants)["embedding"][0]))
    unit = np.stack(embeddings) / np.linalg.norm(embeddings, axis=1, keepdims=True)
    distances = 1 - unit @ unit.T
    same = np.arange(6) // 2 == np.arange(6)[:, None] // 2
    assert distances[same & ~np.eye(6, dtype=bool)].max() < 0.6 < distances[~same].min()


def _embedding(constants):
    return {"embedding": constants.verified["embedding"]["embedding"]}
