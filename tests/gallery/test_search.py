import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.research.distances import Cosine, Distance, Dot, SquaredEuclidean, squared_distance
from likeness.research.gallery import blocks, search
from likeness.research.gallery.search import Index


def brute_force(queries, vectors, owners, k, distance):
    """Nearest people one by one, in float64: (distance, person) in order."""
    answers = []
    for query in np.asarray(queries, np.float64):
        each = [distance(query, vector) for vector in np.asarray(vectors, np.float64)]
        people = {int(owner): min(d for d, o in zip(each, owners, strict=True) if o == owner) for owner in owners}
        answers.append(sorted((d, person) for person, d in people.items())[:k])
    return answers


def squared(x, y):
    return ((x - y) ** 2).sum()


def weighted(x, y):
    return (np.arange(1, x.size + 1) * abs(x - y)).sum()


@dataclasses.dataclass(frozen=True)
class Weighted(Distance):
    def paired(self, first, second):
        return jnp.sum(jnp.arange(1.0, first.shape[-1] + 1) * jnp.abs(first - second), axis=-1)


def check(index, queries, vectors, owners, k, distance):
    neighbors = index.nearest(queries, k)
    for row, expected in enumerate(brute_force(queries, vectors, owners, k, distance)):
        found = len(expected)
        np.testing.assert_array_equal(neighbors.people[row, :found], [person for _, person in expected])
        np.testing.assert_allclose(neighbors.distances[row, :found], [d for d, _ in expected], rtol=1e-5)
        np.testing.assert_array_equal(owners[neighbors.rows[row, :found]], neighbors.people[row, :found])
        assert (neighbors.people[row, found:] == -1).all()
        assert np.isinf(neighbors.distances[row, found:]).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 999), st.integers(1, 60), st.integers(1, 8), st.sampled_from([1, 2, 4]))
def test_the_nearest_people_equal_brute_force(seed, count, people, k):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, 3)).astype(np.float32)
    owners = rng.integers(0, people, count)
    queries = rng.normal(size=(5, 3)).astype(np.float32)
    check(Index(vectors, owners), queries, vectors, owners, k, squared)


@pytest.mark.parametrize("kind", ["euclidean", "learned"])
def test_several_blocks_and_slices_equal_brute_force(kind, monkeypatch):
    monkeypatch.setattr(search, "BLOCK", 32)
    monkeypatch.setattr(blocks, "LARGEST", 64)
    monkeypatch.setattr(blocks, "LEAST", 16)
    monkeypatch.setattr(blocks, "FEWEST", 8)
    monkeypatch.setattr(search, "_ELEMENTS", 16 * 8 * 4)
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(150, 8)).astype(np.float32)
    owners = np.sort(rng.integers(0, 30, 150))
    queries = rng.normal(size=(9, 8)).astype(np.float32)
    if kind == "euclidean":
        check(Index(vectors, owners), queries, vectors, owners, 3, squared)
    else:
        index = Index(vectors, owners, distance=Weighted())
        check(index, queries, vectors, owners, 3, weighted)


def test_a_gallery_is_cut_into_the_largest_blocks_that_it_fills():
    made = tuple(blocks.blocks_of(np.ones((65536 * 2 + 8192 + 9, 1), np.float32), 0.0))
    assert [(block.start, block.stride * blocks.GROUP) for block in made] == [
        (0, 65536),
        (65536, 65536),
        (131072, 8192),
        (139264, 1024),
    ]
    assert np.isinf(np.concatenate(made[-1].rows.norms)[[9, 15]]).all()
    assert [block.stride for block in blocks.blocks_of(np.ones((3, 1), np.float32), 0.0)] == [128]


def test_groups_are_read_back_as_the_rows_that_they_were_made_of(monkeypatch):
    monkeypatch.setattr(blocks, "FEWEST", 8)
    vectors = np.arange(24.0, dtype=np.float32)[:, None]
    made = [(block.start, block.stride) for block in blocks.blocks_of(vectors[:17], 0.0)]
    assert made == [(0, 4)]
    rows = blocks.rows_of_groups(np.array([[1, -1, 3]]), made, 17)
    assert rows.tolist() == [[1, 5, 9, 13, -1, -1, -1, -1] + [-1] * 8 + [3, 7, 11, 15, -1, -1, -1, -1]]


@pytest.mark.parametrize("spoiled", [np.nan, np.inf])
def test_what_is_no_number_hides_nobody_of_its_group(spoiled, monkeypatch):
    monkeypatch.setattr(blocks, "FEWEST", 8)
    vectors = np.random.default_rng(8).normal(size=(64, 4)).astype(np.float32)
    vectors[8, 1] = spoiled
    (block,) = blocks.blocks_of(vectors, 0.0)
    values, first = blocks.nearest_groups(blocks.no_groups(1, 8), np.zeros((1, 4), np.float32), block)
    lengths = np.where(np.arange(64) == 8, np.inf, np.square(vectors).sum(axis=1))
    np.testing.assert_allclose(np.asarray(values)[0], np.sort(np.nanmin(lengths.reshape(8, 8), axis=0)), rtol=1e-5)
    assert sorted(np.asarray(first)[0].tolist()) == list(range(8))


@pytest.mark.parametrize("distance", [SquaredEuclidean(), Cosine()])
def test_of_more_equal_rows_than_candidates_the_first_people_are_named(distance):
    """Thousands of rows at one distance, whose people are in another order than they."""
    rng = np.random.default_rng(10)
    points = rng.normal(size=(5, 8)).astype(np.float32)
    of_point = rng.integers(0, 5, 9000)
    owners = rng.permutation(9000) // 2
    nearest = Index(points[of_point], owners, distance=distance).nearest(points, 6)
    for point, people, rows in zip(range(5), nearest.people, nearest.rows, strict=True):
        assert people.tolist() == np.unique(owners[of_point == point])[:6].tolist()
        first = [int(np.flatnonzero((owners == one) & (of_point == point))[0]) for one in people]
        assert rows.tolist() == first


def test_codes_that_are_no_numbers_are_refused():
    vectors = np.eye(3, dtype=np.float32)
    vectors[1, 0] = np.nan
    with pytest.raises(ValueError, match="row 1 holds NaN or infinity"):
        Index(vectors, range(3))


def test_thousands_in_several_blocks_equal_brute_force():
    rng = np.random.default_rng(9)
    vectors = rng.normal(size=(8192 + 700, 6)).astype(np.float32)
    owners = rng.integers(0, 3000, len(vectors))
    queries = rng.normal(size=(70, 6)).astype(np.float32)
    distances = ((queries.astype(np.float64)[:, None] - vectors) ** 2).sum(-1)
    nearest = Index(vectors, owners).nearest(queries, 4)
    for row, found in zip(distances, nearest.people, strict=True):
        expected = dict.fromkeys(owners[np.argsort(row)[:200]].tolist())
        assert found.tolist() == list(expected)[:4]


def test_more_queries_than_a_program_takes_are_split():
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(6, 2)).astype(np.float32)
    queries = rng.normal(size=(1500, 2)).astype(np.float32)
    neighbors = Index(vectors, range(6)).nearest(queries)
    expected = ((queries[:, None] - vectors[None]) ** 2).sum(-1).argmin(1)
    np.testing.assert_array_equal(neighbors.people[:, 0], expected)


def test_ties_go_to_the_first_person():
    vectors = np.asarray([[1, 0], [0, 1], [1, 0], [0, 1]], np.float32)
    neighbors = Index(vectors, [3, 2, 1, 0]).nearest(np.asarray([[1, 0]], np.float32), 4)
    assert neighbors.people.tolist() == [[1, 3, 0, 2]]
    assert neighbors.distances.tolist() == [[0, 0, 2, 2]]


def test_a_person_with_many_near_embeddings_does_not_hide_the_next():
    vectors = np.concatenate([np.full((300, 2), 0.1), np.full((1, 2), 5.0)]).astype(np.float32)
    neighbors = Index(vectors, [0] * 300 + [1]).nearest(np.zeros((1, 2), np.float32), 2)
    assert neighbors.people.tolist() == [[0, 1]]


def test_distances_are_the_pairwise_ones_far_from_the_origin():
    rng = np.random.default_rng(2)
    vectors = (100 + 0.01 * rng.normal(size=(200, 16))).astype(np.float32)
    queries = vectors[:5] + np.float32(0.001)
    neighbors = Index(vectors, np.arange(200)).nearest(queries)
    assert neighbors.people[:, 0].tolist() == [0, 1, 2, 3, 4]
    direct = squared_distance(queries, vectors[:5])
    np.testing.assert_array_equal(neighbors.distances[:, 0], direct)


def test_an_equal_code_is_at_distance_zero():
    vectors = np.random.default_rng(3).normal(size=(50, 128)).astype(np.float32)
    assert (Index(vectors, range(50)).nearest(vectors[:16]).distances == 0).all()


def test_an_empty_index_and_an_empty_query():
    empty = Index(np.zeros((0, 2), np.float32), [])
    assert empty.nearest(np.zeros((1, 2), np.float32)).people.tolist() == [[-1]]
    assert Index(np.eye(2, dtype=np.float32), [0, 1]).nearest(np.zeros((0, 2)), 2).people.shape == (0, 2)


def test_a_nan_query_has_no_neighbor():
    index = Index(np.eye(2, dtype=np.float32), [0, 1])
    assert index.nearest(np.full((1, 2), np.nan, np.float32)).people.tolist() == [[-1]]


def test_illegal_arguments_are_refused():
    index = Index(np.eye(2, dtype=np.float32), [0, 1])
    with pytest.raises(ValueError, match="k=0.*at least 1, a whole number"):
        index.nearest(np.zeros((1, 2), np.float32), 0)
    for length in (1e19, 1e-20):
        with pytest.raises(ValueError, match="Scale all, and what is searched for, alike"):
            Index(length * np.eye(2, dtype=np.float32), [0, 1])
    with pytest.raises(ValueError, match="codes of 2 numbers"):
        index.nearest(np.zeros((1, 3), np.float32))
    with pytest.raises(ValueError, match="negative"):
        Index(np.eye(2, dtype=np.float32), [0, -1])


@pytest.mark.parametrize("apart", [1e2, 1e5])
@pytest.mark.parametrize("k", [1, 3])
def test_groups_far_apart_hide_nobody(apart, k):
    """Two groups, and one stray code: either puts the gallery's mean so far off that products keep no digit of who is near."""
    rng = np.random.default_rng(4)
    vectors = (1e-3 * rng.normal(size=(120, 16))).astype(np.float32)
    vectors[60:] += np.float32(apart)
    vectors[0] = 1e4 * apart
    queries = vectors[[1, 30, 61, 119]]
    owners = np.arange(120) // 2
    check(Index(vectors, owners), queries, vectors, owners, k, squared)


def test_a_distance_of_ones_own_is_not_taken_for_euclids():
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(100, 4)).astype(np.float32)
    queries = rng.normal(size=(6, 4)).astype(np.float32)
    check(Index(vectors, np.arange(100), distance=Weighted()), queries, vectors, np.arange(100), 1, weighted)


@pytest.mark.parametrize(
    "distance, oracle",
    [
        (Cosine(), lambda x, y: 1 - x @ y / np.linalg.norm(x) / np.linalg.norm(y)),
        (Dot(), lambda x, y: -x @ y),
    ],
)
def test_the_nearest_by_angle_and_by_product_are_those_of_brute_force(distance, oracle):
    rng = np.random.default_rng(7)
    vectors = (rng.normal(size=(90, 5)) * rng.uniform(0.1, 10, (90, 1))).astype(np.float32)
    owners = np.arange(90) // 3
    check(Index(vectors, owners, distance=distance), vectors[:7] + np.float32(0.3), vectors, owners, 3, oracle)
