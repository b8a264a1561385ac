"""A gallery as an index of FAISS."""

import sys

import numpy as np
import pytest

from likeness.research.distances import Cosine, Dot, SquaredEuclidean
from likeness.research.errors import UserError
from likeness.research.gallery import Codes
from likeness.research.gallery.faiss_index import faiss_index

VECTORS = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


def codes(vectors=VECTORS, template="nearest"):
    owners = np.arange(len(vectors)) // 2
    return Codes(
        names=tuple("abc"[: len(set(owners.tolist()))]),
        vectors=vectors,
        owners=owners,
        ids=np.arange(1, len(vectors) + 1),
        template=template,
    )


def test_without_faiss_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(UserError, match=r"needs faiss.*likeness-jax\[faiss\]"):
        faiss_index(codes(), Cosine())


@pytest.mark.parametrize(("distance", "metric"), [(SquaredEuclidean(), "squared_l2"), (Cosine(), "inner_product")])
@pytest.mark.parametrize("template", ["nearest", "average"])
def test_its_order_is_that_of_the_distance(distance, metric, template):
    faiss = pytest.importorskip("faiss")
    data, told = faiss_index(codes(template=template), distance)
    index = faiss.deserialize_index(np.frombuffer(data, np.uint8))
    assert told["metric"] == metric and told["template"] == template
    assert told["names"] == (list("abc") if template == "average" else list("aabbcc"))
    query = np.random.default_rng(1).normal(size=(1, 4)).astype(np.float32)
    query /= np.linalg.norm(query)
    if template == "nearest":
        _, found = index.search(query, 6)
        np.testing.assert_array_equal(found[0], np.argsort(np.asarray(distance.pairwise(query, VECTORS))[0]))


def test_an_empty_gallery_and_another_order_are_refused():
    pytest.importorskip("faiss")
    with pytest.raises(UserError, match="nobody is enrolled"):
        faiss_index(codes(VECTORS[:0]), Cosine())
    with pytest.raises(UserError, match="does neither"):
        faiss_index(codes(), Dot())
