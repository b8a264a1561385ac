"""The rows of the search benchmark do the same work."""

import numpy as np

from likeness.experiments.benchmarks.suites import search


def test_stores_have_a_row_in_which_all_answer_alike_to_the_bit():
    (row,) = (row for row in search.rows("tiny") if row.name.endswith("stores"))
    assert [each.name for each in row.contenders] == ["Likeness", "bfloat16", "int8"] and row.tolerance == (0.0,)
    answers = []
    for contender in row.contenders:
        work = contender.build()
        work.once()
        assert work.answer is not None
        answers.append(work.answer()[0])
    assert answers[0].shape == (64, search.NEAREST)
    for answer in answers[1:]:
        np.testing.assert_array_equal(answer, answers[0])


def test_ours_and_a_comparison_of_each_pair_agree():
    row = search.rows("tiny")[1]
    work = row.contenders[0].build()
    gallery, asked = search.vectors(1_000, 64)
    apart = np.sort(((asked[:, None].astype(np.float64) - gallery) ** 2).sum(-1), axis=1)[:, : search.NEAREST]
    assert work.answer is not None
    np.testing.assert_allclose(work.answer()[0], apart, atol=search.TOLERANCE)
