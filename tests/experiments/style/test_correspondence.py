import jax.numpy as jnp
import numpy as np
import pytest

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.style.correspondence import CellGrid, nearest, partners
from likeness.research.encoders import Vgg
from likeness.research.geometry.receptive_field import ReceptiveField, receptive_fields

ENCODER = FrozenEncoder(encoder=Vgg(convolutions=(1, 1), widths=(32, 24), pooling="average"))


@pytest.fixture(scope="module")
def pasted() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The activations of a painting and of a style: rows 20 to 52 and columns 30 to 62 of the painting are rows 8 to 40 and
    columns 40 to 72 of the style."""
    draw = np.random.default_rng(0)
    style, painting = draw.uniform(size=(64, 80, 3)), draw.uniform(size=(60, 72, 3))
    painting[20:52, 30:62] = style[8:40, 40:72]
    variables = ENCODER.variables()

    def read(image: np.ndarray) -> dict[str, np.ndarray]:
        found = ENCODER(variables, jnp.asarray(image, jnp.float32)[None])
        return {name: np.asarray(each[0]) for name, each in found.items()}

    return read(painting), read(style)


@pytest.mark.parametrize("layer", ["input", "relu1_1", "pool1", "relu2_1"])
def test_what_was_pasted_from_the_style_is_found_where_it_was_taken(pasted, layer: str) -> None:
    painted, style = (each[layer] for each in pasted)
    field = receptive_fields(ENCODER.encoder)[layer]
    grid = CellGrid.over(60, 72, 24)
    units = grid.units(field, painted.shape[:2])
    found = partners(painted, {0: style}, units, "euclidean" if layer == "input" else "cosine")
    inside = 0
    for unit, row, column, distance in zip(units, found.row, found.column, found.distance, strict=True):
        (top, bottom), (left, right) = (field.window(int(place)) for place in np.divmod(unit, painted.shape[1]))
        if top >= 20 and bottom <= 52 and left >= 30 and right <= 62:
            assert field.window(int(row)) == (top - 12, bottom - 12)
            assert field.window(int(column)) == (left + 10, right + 10)
            assert distance == pytest.approx(0.0, abs=1e-3)
            inside += 1
    assert inside >= 60


def test_a_unit_lies_around_the_center_of_its_cell() -> None:
    field = ReceptiveField(size=10, stride=2, offset=-4)
    grid = CellGrid.over(40, 64, 16)
    assert grid[:2] == (10, 16)
    units = grid.units(field, (20, 32)).reshape(10, 16)
    for (row, column), unit in np.ndenumerate(units):
        for place, cells, axis in ((row, 10, 0), (column, 16, 1)):
            start, stop = field.window(int(np.divmod(unit, 32)[axis]))
            center = (place + 0.5) * (40, 64)[axis] / cells - 0.5
            assert abs((start + stop - 1) / 2 - center) <= field.stride / 2


def test_an_image_of_few_pixels_has_no_more_cells() -> None:
    assert CellGrid.over(3, 8, 40)[:2] == (3, 8)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_the_nearest_of_many_is_that_of_a_plain_search(metric: str) -> None:
    draw = np.random.default_rng(1)
    queries, references = draw.normal(size=(37, 5)), draw.normal(size=(9000, 5))
    there = draw.uniform(size=9000) < 0.5
    if metric == "cosine":
        centered = [each - references[there].mean(axis=0) for each in (queries, references)]
        unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in centered]
        far = 1 - unit[0] @ unit[1].T
    else:
        far = np.linalg.norm(queries[:, None] - references[None], axis=-1)
    far[:, ~there] = np.inf
    single = (np.asarray(each, np.float32) for each in (queries, references))
    index, distance = nearest(*map(jnp.asarray, single), jnp.asarray(there), metric)  # pyright: ignore[reportArgumentType]
    np.testing.assert_array_equal(index, far.argmin(axis=1))
    np.testing.assert_allclose(distance, far.min(axis=1), atol=1e-3)


def test_what_is_the_mean_of_all_is_near_to_nothing() -> None:
    _, distance = nearest(jnp.full((1, 4), 0.25), jnp.eye(4), jnp.ones(4, bool))
    assert float(distance[0]) == 1.0


def test_of_several_styles_the_nearest_is_taken_and_masks_are_kept() -> None:
    painted = np.eye(3, dtype=np.float32).reshape(1, 3, 3)
    styles = {0: np.eye(3, dtype=np.float32)[:2].reshape(2, 1, 3), 2: np.eye(3, dtype=np.float32).reshape(1, 3, 3)}
    found = partners(
        painted, styles, np.arange(3), "euclidean", masks={2: np.array([[True, False, True]]), 0: np.array([[False], [True]])}
    )
    assert found.style.tolist() == [2, 0, 2]
    assert found.row.tolist() == [0, 1, 0]
    assert found.column.tolist() == [0, 0, 2]
    with pytest.raises(ValueError, match="no style"):
        partners(painted, {}, np.arange(3))
