import dataclasses
import sys

import numpy as np
import pytest
from objectives import with_objective

from likeness.experiments.display.phases import watched
from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.run import Run
from likeness.experiments.style import Pyramid, StyleImage, Stylization
from likeness.experiments.style.colors import AsTheyAre, Matched
from likeness.experiments.style.evaluator import StyleEvaluator
from likeness.experiments.style.film import Film
from likeness.experiments.style.flow import TVL1
from likeness.experiments.style.starts import FromContent
from likeness.experiments.style.terms import Term
from likeness.research.encoders import Vgg
from likeness.research.errors import UserError
from likeness.research.geometry import flowed
from likeness.research.images import write_image
from likeness.research.images.sources import ImageFile, Painting
from likeness.research.losses import Content, Gram, Temporal
from likeness.research.synthetic.moving_scene import MovingScene
from likeness.research.synthetic.styles import CurlStrokes

pytestmark = pytest.mark.end_to_end

SCENE = MovingScene(frames=4, size=48, things=2, speed=2)()
TINY = FrozenEncoder(encoder=Vgg(convolutions=(1, 1), widths=(6, 8), pooling="average", preprocessing="torchvision"))


@dataclasses.dataclass(frozen=True)
class Known:
    """The scene's own flow, between frames that it knows by their pixels."""

    def check(self):
        """Nothing is missing."""

    def __call__(self, image, other):
        here, there = (self._number(each) for each in (image, other))
        return SCENE.to_earlier[there] if there < here else SCENE.to_later[here]

    def _number(self, image):
        return int(np.argmin(np.square(SCENE.frames - image).mean((1, 2, 3))))


@pytest.fixture
def frames(tmp_path):
    paths = [tmp_path / f"frame{number}.png" for number in range(len(SCENE.frames))]
    for path, frame in zip(paths, SCENE.frames, strict=True):
        write_image(path, frame)
    return [ImageFile(path=str(path)) for path in paths]


def run(**fields):
    how = with_objective(
        Stylization,
        content=Painting(style=CurlStrokes()),
        styles=(StyleImage(image=Painting(style=CurlStrokes())),),
        encoder=TINY,
        evaluator=StyleEvaluator(encoder=TINY, content=("relu2_1",), style=("relu1_1",)),
        size=48,
        content_terms=(Term(loss=Content(layers=("relu2_1",))),),
        style_terms=(Term(loss=Gram(layers=("relu1_1", "relu2_1")), weight=5.0),),
        start=FromContent(noise=0.5),
        **fields,
    )
    return Run(experiment=how, steps=12, optimizer=Adam(schedule=Constant(peak_lr=0.03), box=(0.0, 1.0)))


def flicker(paintings):
    """Mean over the frames of the squared difference from the one before, moved along the true flow, where it was seen."""
    return np.mean(
        [
            Temporal()(
                paintings[number][None],
                flowed(paintings[number - 1], SCENE.to_earlier[number - 1])[None],
                SCENE.seen_before[number - 1].astype(np.float32),
            )
            for number in range(1, len(paintings))
        ]
    )


@pytest.mark.slow
def test_a_film_flickers_less_than_half_as_much_as_frames_that_are_painted_alone(frames):
    """Each frame alone is painted from noise of its own, as it would be by another seed."""
    film = list(Film(flow=Known())(run(), frames))
    alone = [
        next(iter(Film(flow=Known())(dataclasses.replace(run(), seed=seed), [frame]))) for seed, frame in enumerate(frames)
    ]
    assert flicker(film) < 0.5 * flicker(alone)
    assert [image.shape for image in film] == [(48, 48, 3)] * 4


@pytest.mark.slow
def test_the_temporal_loss_makes_the_film_steadier(frames):
    free, held = (list(Film(flow=Known(), weight=weight)(run(), frames)) for weight in (0.0, 200.0))
    assert flicker(held) < flicker(free)
    assert np.array_equal(held[0], free[0])


@pytest.mark.slow
def test_a_film_goes_on_after_what_is_painted_already_to_the_same_paintings(frames):
    whole = list(Film(flow=Known())(run(), frames))
    rest = list(Film(flow=Known())(run(), frames, painted=[lambda: whole[0], lambda: whole[1]]))
    assert len(rest) == 2
    np.testing.assert_array_equal(rest, whole[2:])


@pytest.mark.slow
def test_the_first_frame_is_painted_through_a_pyramid(frames):
    painted = next(iter(Film(flow=Known())(run(pyramid=Pyramid(smallest=24)), frames)))
    assert painted.shape == (48, 48, 3)
    assert not np.array_equal(painted, next(iter(Film(flow=Known())(run(), frames))))


@pytest.mark.slow
def test_a_film_read_in_tiles_is_the_same(frames):
    whole, tiled = (list(Film(flow=Known())(run(**how), frames[:2])) for how in ({}, {"tile": 16}))
    np.testing.assert_allclose(tiled, whole, atol=2 / 255)


def test_what_is_missing_is_said_before_anything_is_painted(frames, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    film = Film()(run(), frames)
    with pytest.raises(UserError, match=r"The optical flow of a film needs skimage.*likeness-jax\[film\]"):
        next(film)


def test_frames_of_several_shapes_are_refused_before_any_is_painted(frames, tmp_path):
    write_image(tmp_path / "wide.png", SCENE.frames[1][:32])
    film = Film(flow=Known())(run(), [*frames, ImageFile(path=str(tmp_path / "wide.png"))])
    with pytest.raises(UserError, match=r"The frame wide is 48 × 32 pixels .* and frame3 before it 48 × 48: .* one shape"):
        next(film)


@pytest.mark.slow
def test_progress_is_told_from_the_first_step_on(frames):
    told = []
    with watched(lambda *said: told.append(said)):
        list(Film(flow=Known())(run(pyramid=Pyramid(smallest=24)), frames[:3]))
    assert told[0] == ("reading the frames", 0, 3)
    names = list(dict.fromkeys(name for name, _, _ in told))
    assert names == [
        "reading the frames",
        "compiling what paints the first frame, size 1 of 2",
        "painting the first frame, size 1 of 2: steps",
        "compiling what paints the first frame, size 2 of 2",
        "painting the first frame, size 2 of 2: steps",
        "compiling what paints the frames after the first",
        "painting frames 2 to 3: steps",
    ]
    assert [said for said in told if said[0] == names[-1]] == [(names[-1], step, 12) for step in range(1, 13)]


@pytest.mark.slow
@pytest.mark.parametrize("colors", [AsTheyAre(), Matched(change="content"), Matched(change="styles")])
def test_targets_of_the_style_are_taken_once_and_are_those_that_are_taken_anew(frames, colors, monkeypatch):
    own, taken = Stylization._style_targets, []
    monkeypatch.setattr(Stylization, "_style_targets", lambda self, *args: taken.append(self) or own(self, *args))
    once = list(Film(flow=Known())(run(colors=colors), frames))
    # The first frame and the second; styles that take each frame's colors are other styles each time.
    assert len(taken) == (4 if colors == Matched(change="styles") else 2)
    fresh = Stylization.open
    monkeypatch.setattr(Stylization, "open", lambda self, weights=None, before=None: fresh(self, weights))
    np.testing.assert_array_equal(list(Film(flow=Known())(run(colors=colors), frames)), once)
    assert len(taken) == (8 if colors == Matched(change="styles") else 6)


def test_the_estimated_flow_is_near_the_true_one():
    """Where the ground's texture shows where it goes: within a pixel for most of it."""
    estimated = TVL1()(SCENE.frames[1].astype(np.float32), SCENE.frames[0].astype(np.float32))
    assert estimated.shape == (48, 48, 2)
    error = np.linalg.norm(estimated - SCENE.to_earlier[0], axis=-1)[SCENE.seen_before[0]]
    assert np.mean(error < 1.0) > 0.7


@pytest.mark.parametrize("changes", [{"weight": -1.0}, {"share": 0.0}])
def test_bad_fields_are_named(changes):
    with pytest.raises(ValueError, match=f"Film.{next(iter(changes))}"):
        Film(**changes)


@pytest.mark.parametrize("changes", [{"attachment": 0.0}, {"warps": 0}])
def test_bad_fields_of_the_flow_are_named(changes):
    with pytest.raises(ValueError, match=f"TVL1.{next(iter(changes))}"):
        TVL1(**changes)
