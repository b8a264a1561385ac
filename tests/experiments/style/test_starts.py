import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.experiments.style.starts import FromContent, FromImage, FromNoise, FromStyleColors, Start, StartOfImages, draws
from likeness.research.errors import UserError
from likeness.research.images.sources import ImageFile, Photograph

RNG = np.random.default_rng(0)
CONTENT = RNG.uniform(size=(48, 40, 3)).astype(np.float32)


def first(start, *styles, seed=0):
    assert isinstance(start, Start)
    opened = start.open(CONTENT, styles)
    return np.asarray(jax.jit(start)(jnp.asarray(CONTENT)[None], opened, jax.random.key(seed)))


def correlated(mean, mixing, shape=(30, 50)):
    """A style image of a known mean and covariance, well inside [0, 1]."""
    noise = RNG.normal(size=(*shape, 3))
    noise -= noise.mean((0, 1))
    return (np.asarray(mean) + noise @ np.asarray(mixing).T).astype(np.float32)


def test_content_is_itself_and_noise_mixes_in():
    np.testing.assert_array_equal(first(FromContent())[0], CONTENT)
    mixed, noise = first(FromContent(noise=0.6)), first(FromContent(noise=1.0))
    np.testing.assert_allclose(mixed[0], 0.4 * CONTENT + 0.6 * noise[0], atol=1e-6)
    assert noise.min() >= 0
    assert noise.max() <= 1
    assert noise.std() == pytest.approx(12**-0.5, rel=0.03)


def test_the_contents_details_are_laid_over_what_was_painted_smaller():
    painted = RNG.uniform(size=(1, 48, 40, 3)).astype(np.float32)
    content = jnp.asarray(CONTENT)[None]
    assert FromContent().goes_on(painted, content) is painted
    halved = content.reshape(1, 24, 2, 20, 2, 3).mean((2, 4))
    lost = content - jax.image.resize(halved, content.shape, "linear", antialias=False)
    np.testing.assert_allclose(FromContent(details=0.5).goes_on(painted, content), painted + 0.5 * lost, atol=1e-6)
    with pytest.raises(ValueError, match=r"FromContent.details is 1.5"):
        FromContent(details=1.5)


def test_noise_is_around_a_gray_or_a_color():
    np.testing.assert_allclose(first(FromNoise(deviation=0.1, center=0.4)).mean(), 0.4, atol=0.005)
    colored = first(FromNoise(deviation=1e-3, center=(0.1, 0.5, 0.9)))
    np.testing.assert_allclose(colored.mean((0, 1, 2)), (0.1, 0.5, 0.9), atol=1e-3)
    np.testing.assert_allclose(colored.std((0, 1, 2)), 1e-3, rtol=0.1)


def test_noise_has_the_style_s_mean_and_covariance():
    mixing = np.array([[0.05, 0, 0], [0.04, 0.03, 0], [-0.03, 0.01, 0.02]])
    style = correlated((0.3, 0.5, 0.6), mixing)
    pixels = first(FromStyleColors(), style).reshape(-1, 3).astype(np.float64)
    expected = style.reshape(-1, 3).astype(np.float64)
    np.testing.assert_allclose(pixels.mean(0), expected.mean(0), atol=0.005)
    np.testing.assert_allclose(np.cov(pixels.T), np.cov(expected.T), atol=2.5e-4)


def test_styles_of_other_sizes_have_equal_shares():
    one, other = np.full((4, 4, 3), 0.2, np.float32), np.full((9, 30, 3), 0.6, np.float32)
    opened = FromStyleColors().open(CONTENT, (one, other))
    np.testing.assert_allclose(opened["mean"], 0.4, rtol=1e-6)
    # Two colors, each half of the pixels: a variance of 0.2² along gray.
    np.testing.assert_allclose(opened["root"] @ opened["root"], 0.04, rtol=1e-5)


def test_a_style_of_one_color_is_that_color():
    np.testing.assert_allclose(first(FromStyleColors(), np.full((8, 8, 3), 0.25, np.float32)), 0.25, atol=1e-6)


def test_an_image_of_one_s_own_is_brought_to_the_content_s_size():
    start = first(FromImage(image=Photograph(name="flower")))
    assert start.shape == (1, 48, 40, 3)
    assert start.min() >= 0
    assert start.max() <= 1
    # Means of areas: resizing keeps the colors' mean.
    np.testing.assert_allclose(start.mean((0, 1, 2)), Photograph(name="flower").open(48).mean((0, 1)), atol=0.01)


def test_an_image_that_is_not_there_is_explained(tmp_path):
    with pytest.raises(UserError, match=r"none\.png"):
        FromImage(image=ImageFile(path=str(tmp_path / "none.png"))).open(CONTENT, ())


@pytest.mark.parametrize("start", [FromContent(noise=0.5), FromNoise(), FromStyleColors()])
def test_the_key_decides(start):
    style = correlated((0.5, 0.5, 0.5), 0.1 * np.eye(3))
    np.testing.assert_array_equal(first(start, style), first(start, style))
    assert np.abs(first(start, style) - first(start, style, seed=1)).mean() > 0.01


@pytest.mark.parametrize(
    "fields", [{"deviation": -1.0}, {"deviation": float("inf")}, {"center": 1.5}, {"center": (0.5, -0.1, 0.5)}]
)
def test_illegal_noise_is_refused(fields):
    with pytest.raises(ValueError, match="FromNoise has deviation"):
        FromNoise(**fields)


def test_illegal_shares_are_refused():
    with pytest.raises(ValueError, match=r"FromContent\.noise is 1\.5"):
        FromContent(noise=1.5)


@pytest.mark.parametrize(
    ("start", "drawn"),
    [
        (FromContent(), False),
        (FromContent(noise=0.1), True),
        (FromNoise(), True),
        (FromStyleColors(), True),
        (FromImage(image=Photograph(name="china")), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_start_says_whether_another_seed_makes_another_image(start, drawn):
    assert draws(start) is drawn
    opened = start.open(CONTENT, (CONTENT,))
    one, other = (np.asarray(start(jnp.asarray(CONTENT)[None], opened, jax.random.key(seed))) for seed in (0, 1))
    assert np.array_equal(one, other) is not drawn


def test_a_start_says_which_images_it_reads():
    image = Photograph(name="china")
    assert FromImage(image=image).sources() == {"start": image}
    assert not isinstance(FromNoise(), StartOfImages)
