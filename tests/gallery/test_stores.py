"""Stores of bfloat16 and int8: smaller, and of the same answers."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from likeness.research.distances import Cosine, Dot, Euclidean, SquaredEuclidean
from likeness.research.errors import UserError
from likeness.research.gallery import Index, blocks, search

SMALL = ("bfloat16", "int8")
ALL = ("float32", *SMALL)


def oracle(queries, vectors, owners, k):
    """The nearest people in float64, ties to the first: squared distances and people."""
    apart = ((queries.astype(np.float64)[:, None] - vectors.astype(np.float64)) ** 2).sum(-1)
    people = np.unique(owners)
    least = np.stack([apart[:, owners == person].min(axis=1) for person in people], axis=1)
    order = np.argsort(least, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(least, order, axis=1), people[order]


def agree(found, wanted):
    distances, people = wanted
    np.testing.assert_array_equal(found.people, people)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-5, atol=1e-12)


def same(one, other):
    for name in ("distances", "people", "rows"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def faces(people, images=1, width=32, seed=0):
    """Codes of unit length, images of one person near each other; and queries near some of them."""
    rng = np.random.default_rng(seed)
    centers = np.repeat(rng.normal(size=(people, width)), images, axis=0)
    vectors = centers + 0.2 * rng.normal(size=centers.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = vectors[:: max(1, len(vectors) // 20)] + 0.05 * rng.normal(
        size=(len(vectors[:: max(1, len(vectors) // 20)]), width)
    )
    return vectors.astype(np.float32), np.repeat(np.arange(people), images), queries.astype(np.float32)


@pytest.mark.parametrize("store", SMALL)
@pytest.mark.parametrize("distance", [SquaredEuclidean(), Euclidean()])
def test_a_small_store_answers_as_float32_does_to_the_bit(store, distance):
    vectors, owners, queries = faces(3000, 2)
    full = Index(vectors, owners, distance=distance).nearest(queries, 5)
    small = Index(vectors, owners, distance=distance, store=store).nearest(queries, 5)
    same(small, full)
    assert (full.passes == 1).all()


@pytest.mark.parametrize("store", ALL)
@pytest.mark.parametrize("k", [1, 3, 10])
def test_stores_agree_with_float64(store, k):
    vectors, owners, queries = faces(500, 3, seed=1)
    agree(Index(vectors, owners, store=store).nearest(queries, k), oracle(queries, vectors, owners, k))


@pytest.mark.parametrize("store", SMALL)
def test_most_answers_are_proved_by_the_store_alone(store):
    """Of codes that lie as faces do: the nearest person is much nearer than strangers are."""
    vectors, owners, queries = faces(5000, width=128, seed=2)
    assert (Index(vectors, owners, store=store).nearest(queries, 1).passes == 1).mean() > 0.9


@pytest.mark.parametrize("store", SMALL)
def test_no_row_is_farther_from_what_is_stored_than_is_said(store):
    vectors = (
        np.random.default_rng(3).normal(size=(2000, 24)).astype(np.float32)
        * np.logspace(-3, 3, 2000, dtype=np.float32)[:, None]
    )
    start = 0
    for block in blocks.blocks_of(vectors, 0.0, store):
        kept = np.concatenate([np.asarray(part.astype("float32")) for part in block.rows.vectors])
        if block.rows.scales:
            kept = kept * np.concatenate([np.asarray(part) for part in block.rows.scales])[:, None]
        own = vectors[start : start + len(kept)].astype(np.float64)
        errors = np.linalg.norm(own - kept[: len(own)], axis=1)
        assert errors.max() <= block.error <= 1.001 * errors.max()
        if store == "int8":
            assert (abs(own - kept[: len(own)]) <= abs(own).max(axis=1, keepdims=True) / 127 * 0.50001).all()
        start += len(kept)


@pytest.mark.parametrize("store", ALL)
def test_ties_equal_rows_and_zero_vectors(store):
    """Thousands of rows at one distance are more than any candidates; the people that come first are named."""
    rng = np.random.default_rng(4)
    points = np.concatenate([np.zeros((1, 8)), rng.normal(size=(4, 8))]).astype(np.float32)
    of_point = rng.integers(0, 5, 4000)
    owners = rng.permutation(4000) // 2
    vectors = points[of_point]
    found = Index(vectors, owners, store=store).nearest(points, 4)
    for point, people in enumerate(found.people):
        assert people.tolist() == np.unique(owners[of_point == point])[:4].tolist()
    assert (found.distances == 0).all()
    nobody = np.zeros((50, 8), np.float32)
    same(Index(nobody, np.arange(50), store=store).nearest(points, 3), Index(nobody, np.arange(50)).nearest(points, 3))


@pytest.mark.parametrize("store", SMALL)
def test_where_the_store_proves_nothing_the_answer_is_right_and_it_is_said(store):
    """Rows that differ by less than what the store rounds, about a mean that a stray row puts far off."""
    rng = np.random.default_rng(5)
    vectors = (rng.normal(size=16) + 1e-4 * rng.normal(size=(3000, 16))).astype(np.float32)
    vectors[0] = 50
    queries = vectors[[5, 700, 2999]] + np.float32(1e-5)
    found = Index(vectors, np.arange(3000), store=store).nearest(queries, 2)
    assert (found.passes > 1).all()
    agree(found, oracle(queries, vectors, np.arange(3000), 2))


@pytest.mark.parametrize("store", SMALL)
def test_an_answer_is_proved_where_nobody_else_can_be_nearer(store):
    """Rows that are r from the query by the store and off by e may be r - e from it."""
    vectors, owners, _ = faces(200, seed=9)
    index = Index(vectors, owners, store=store)
    query, last, error = vectors[:1] * np.float32(0.5), np.array([0]), 0.125
    distance = float(np.linalg.norm(query[0].astype(np.float64) - vectors[0]))
    own = float(np.square(query[0].astype(np.float64) - index._shift).sum())
    for apart, unsure in ((distance + error - 1e-3, True), (distance + error + 1e-3, False), (0.9 * error, True)):
        assert index._unsure(query, last, np.array([apart**2 - own], np.float32), error).tolist() == [unsure]


@pytest.mark.parametrize("store", SMALL)
def test_what_a_block_is_off_by_decides_whether_its_answer_is_proved(store):
    vectors, owners, queries = faces(3000, seed=10)
    index = Index(vectors, owners, store=store)
    exact = index.nearest(queries, 2)
    index._blocks = tuple(block._replace(error=10.0) for block in index._blocks)
    doubted = index.nearest(queries, 2)
    assert (exact.passes == 1).all() and (doubted.passes == 2).all()
    same(doubted, exact)


@pytest.mark.parametrize("store", SMALL)
def test_a_small_store_takes_less_of_the_device(store):
    vectors, owners, _ = faces(2000)

    def size(index):
        return sum(part.nbytes for block in index._blocks for part in block.rows.vectors)

    assert size(Index(vectors, owners, store=store)) * {"bfloat16": 2, "int8": 4}[store] == size(Index(vectors, owners))


def test_codes_in_a_file_are_left_there(tmp_path):
    vectors, owners, queries = faces(300, 2)
    np.save(tmp_path / "codes.npy", vectors)
    mapped = np.load(tmp_path / "codes.npy", mmap_mode="r")
    index = Index(mapped, owners, store="int8")
    assert np.shares_memory(index._vectors, mapped)
    same(index.nearest(queries, 2), Index(vectors, owners).nearest(queries, 2))


def test_a_small_store_wants_euclids_order():
    with pytest.raises(UserError, match="A store of int8 is searched in the Euclidean order of .* which Dot.. has not"):
        Index(np.eye(3, dtype=np.float32), range(3), distance=Dot(), store="int8")


@pytest.mark.parametrize("store", ALL)
@pytest.mark.parametrize("people, images", [(3000, 1), (700, 3)])
def test_by_angle_a_gallery_is_searched_by_products_and_answers_as_each_pair_compared(store, people, images):
    """Of embeddings of any length, the directions are searched."""
    vectors, owners, queries = faces(people, images, seed=11)
    lengths = np.logspace(-6, 6, len(vectors), dtype=np.float32)[:, None]
    vectors, queries = vectors * lengths, queries * np.float32(1e20)
    queries[3] = vectors[5]
    found = Index(vectors, owners, distance=Cosine(), store=store).nearest(queries, 5)
    compared = Index(vectors, owners, distance=Cosine())
    compared._order = None
    each = compared.nearest(queries, 5)
    assert (each.passes == 3).all() and (found.passes < 3).all()
    same(found, each)
    assert found.distances[3, 0] == 0


@pytest.mark.parametrize("store", ALL)
def test_what_has_no_direction_is_one_from_everybody(store):
    vectors, owners, queries = faces(40, seed=12)
    queries[2] = 0
    index = Index(vectors, owners, distance=Cosine(), store=store)
    found = index.nearest(queries, 2)
    assert found.distances[2].tolist() == [1, 1] and found.people[2].tolist() == [0, 1]
    assert found.passes[2] == 3 and (np.delete(found.passes, 2) < 3).all()
    queries[2] = np.nan
    assert index.nearest(queries, 2).people[2].tolist() == [-1, -1]
    vectors[7] = 0
    nearest = Index(vectors, owners, distance=Cosine(), store=store).nearest(-vectors[:1], 40)
    assert nearest.people[0].tolist() != list(range(40)) and sorted(nearest.people[0].tolist()) == list(range(40))
    assert nearest.distances[0][nearest.people[0] == 7] == 1


@pytest.mark.parametrize("store", ALL)
def test_directions_that_hardly_differ_hide_nobody(store):
    """Rounding a direction to float32 moves it by as much as these lie apart."""
    rng = np.random.default_rng(13)
    vectors = (rng.normal(size=16) + 3e-6 * rng.normal(size=(2000, 16))).astype(np.float32)
    queries = vectors[:9] * np.float32(3)
    found = Index(vectors, np.arange(2000), distance=Cosine(), store=store).nearest(queries, 3)
    compared = Index(vectors, np.arange(2000), distance=Cosine())
    compared._order = None
    same(found, compared.nearest(queries, 3))


@pytest.mark.parametrize("store", SMALL)
def test_float32s_rows_are_made_once_however_many_queries_need_them(store, monkeypatch):
    vectors, owners, queries = faces(3000, seed=14)
    index = Index(vectors, owners, store=store)
    index._blocks = tuple(block._replace(error=10.0) for block in index._blocks)
    made = []
    real = search.blocks_of
    monkeypatch.setattr(search, "blocks_of", lambda *given: made.append(given) or real(*given))
    many = np.tile(queries, (10, 1))
    found = index.nearest(many, 2)
    assert len(many) > 2 * search._ON_CPUS and (found.passes == 2).all() and len(made) == 1
    monkeypatch.undo()
    same(found, Index(vectors, owners).nearest(many, 2))


@pytest.mark.parametrize("store", ALL)
@pytest.mark.parametrize("images", [1, 7])
def test_somebody_new_changes_no_bit_of_the_others_answers(store, images):
    """The mean, the scales and the number of candidates change; what is answered of those who were there does not."""
    vectors, owners, queries = faces(400, 3, seed=6)
    far = np.tile(-5 * vectors.mean(axis=0) - 3, (images, 1)).astype(np.float32)
    before = Index(vectors, owners, store=store).nearest(queries, 2)
    grown = np.concatenate([vectors, far]), np.concatenate([owners, np.full(images, 400)])
    after = Index(*grown, store=store).nearest(queries, 2)
    same(after, before)
    # And who leaves changes nothing either.
    same(Index(*(part[: len(owners)] for part in grown), store=store).nearest(queries, 2), before)


@pytest.mark.parametrize("store", ALL)
def test_who_comes_and_goes_compiles_nothing(store):
    vectors, owners, queries = faces(2040, width=16, seed=7)
    asked = queries[:5]

    def programs():
        jitted: Any = (blocks._nearest_groups, search._paired, search._nearest_rows)
        return sum(each._cache_size() for each in jitted)

    for people in (1500, 1000, 3):
        Index(vectors[:people], owners[:people], store=store).nearest(asked, 2)
    before = programs()
    for people in (1501, 1025, 1999, 2040, 1499, 1001, 1000, 999, 513, 4, 2, 7):
        Index(vectors[:people], owners[:people], store=store).nearest(asked, 2)
    assert programs() == before


_ON_DEVICES = """
import jax, numpy as np
from tests.gallery.test_stores import faces, same
from likeness.research.gallery import Index, blocks
shape = {shape}
mesh = jax.make_mesh(shape, ("data", "fsdp")[: len(shape)], devices=jax.devices()[: int(np.prod(shape))])
blocks.LARGEST, blocks.LEAST = 4096, 2048
vectors, owners, queries = faces(5000, 2, seed=8)
for store in blocks.STORES:
    shared = Index(vectors, owners, store=store, mesh=mesh)
    for block in shared._blocks:
        assert len(block.rows.vectors[0].sharding.device_set) == mesh.size
        assert block.rows.vectors[0].addressable_shards[0].data.shape[0] * mesh.size == block.stride
    for k in (1, 6):
        same(shared.nearest(queries, k), Index(vectors, owners, store=store).nearest(queries, k))
tied = np.repeat(vectors[:3], 2000, axis=0)
same(Index(tied, np.arange(6000), mesh=mesh).nearest(vectors[:3], 4), Index(tied, np.arange(6000)).nearest(vectors[:3], 4))
first = shared._blocks[0]
arguments = blocks.no_groups(1, 4), queries[:1], first.rows, np.int32(0)
text = blocks._of_all_devices.lower(mesh, *arguments).as_text()
assert "callback" not in text and "all_gather" in text
"""


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(2,), (2, 2), (3,)])
def test_devices_that_share_a_gallery_answer_as_one(shape):
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": str(int(np.prod(shape)))}
    done = subprocess.run(
        [sys.executable, "-c", _ON_DEVICES.format(shape=shape)], env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
