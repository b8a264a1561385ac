"""The one check of arrays, and that every metric, mask and index makes it: what broadcasts to a wrong number is refused."""

import re
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research import metrics
from likeness.research.checks import as_embeddings, as_labels, as_labels_or_same, check_array, check_members
from likeness.research.distances import squared_distance
from likeness.research.gallery.search import Index
from likeness.research.losses.style.layers import mask_at, mask_of
from likeness.research.metrics import bootstrap, calibration, folds, identification, one_shot, pairs, roc, verification

LABELS = np.array([0, 0, 1, 1, 2, 2, 3, 3])
DISTANCES = np.random.default_rng(0).random((8, 8))
LIST = DISTANCES[0]
SAME = LABELS > 1
TWO = np.stack([LABELS, LABELS[::-1]], axis=1)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64])
def test_labels_of_any_integer_dtype_are_the_same_labels(dtype):
    found = as_labels("it", LABELS.astype(dtype), 8)
    assert found.dtype == jnp.int32
    np.testing.assert_array_equal(found, LABELS)
    assert as_labels("it", np.zeros(0, dtype), 0).shape == (0,)


@pytest.mark.parametrize("label", [2**31, -(2**31) - 1, 2**32, 2**63 - 1])
def test_labels_beyond_32_bits_are_refused(label: int):
    with pytest.raises(ValueError, match="JAX keeps integers in 32 bits, where labels 2³² apart become one"):
        as_labels("it", np.array([0, label]), 2)
    with pytest.raises(ValueError, match="labels 2³² apart become one"):
        as_labels_or_same("it", np.array([0, label]), None)
    largest = np.array([-(2**31), 2**31 - 1])
    np.testing.assert_array_equal(as_labels("it", largest, 2), largest)


def test_letters_stand_for_any_size_and_equal_letters_for_equal_ones():
    for shape in (("a", "b"), ("a", 3), (2, 3)):
        check_array("it", "x", np.zeros((2, 3)), shape)
    check_array("it", "x", np.zeros((3, 3), bool), ("a", "a"), "booleans")
    for shape in (("a", "a"), ("a",), ("a", "b", "c"), (3, 3), (2, 1)):
        with pytest.raises(ValueError, match=re.escape("and are float64 of shape (2, 3)")):
            check_array("it", "x", np.zeros((2, 3)), shape)


def test_numbers_are_integers_and_floats_of_any_precision():
    for dtype in (jnp.bfloat16, np.float16, np.float64, np.int8):
        check_array("it", "x", np.zeros(2, dtype), (2,))
    for kind, wrong in {"numbers": bool, "integers": float, "floats": int, "booleans": int}.items():
        with pytest.raises(ValueError, match=rf"^it: x must be {kind} of shape \(2,\)"):
            check_array("it", "x", np.zeros(2, wrong), (2,), kind)
    assert as_embeddings("it", np.ones((1, 2), np.float64)).dtype == jnp.float32


def test_what_a_protocol_misses_is_named():
    class Bell(Protocol):
        loud: bool

        def ring(self, times: int) -> str: ...

        @property
        def tone(self) -> str: ...

    class Gong:
        tone = "deep"

    class Chime(Gong):
        loud = False

        def ring(self, times: int) -> str:
            return "ding" * times

    check_members("Tower", "bell", Chime(), Bell, "Chime()")
    with pytest.raises(
        ValueError, match=r"Tower\.bell is .*which is no Bell: Gong has no `loud` and no `ring`\. Give Chime\(\)"
    ):
        check_members("Tower", "bell", Gong(), Bell, "Chime()")
    with pytest.raises(ValueError, match=r"Tower\.bell is the class Chime: give one of its values, such as Chime\(…\)"):
        check_members("Tower", "bell", Chime, Bell, "Chime()")


METRICS = {
    "share_people": lambda x: bootstrap.share_people(x),
    "independent_pairs": lambda x: bootstrap.independent_pairs(x),
    "replicate_weights": lambda x: next(bootstrap.replicate_weights(x)),
    "clustered_rate/hits": lambda x: bootstrap.clustered_rate(x, LABELS),
    "clustered_rate/people": lambda x: bootstrap.clustered_rate(SAME, x),
    "roc": lambda x: roc.roc(LIST, x),
    "best_threshold": lambda x: roc.best_threshold(LIST, x),
    "stratified_folds": lambda x: folds.stratified_folds(x, 2),
    "kfold_accuracy/same": lambda x: folds.kfold_accuracy(LIST, x, 2),
    "kfold_accuracy/folds": lambda x: folds.kfold_accuracy(LIST, SAME, x),
    "verification/same": lambda x: verification.verification(LIST, x),
    "verification/people": lambda x: verification.verification(LIST, SAME, x),
    "at_threshold/people": lambda x: verification.at_threshold(LIST, SAME, 0.5, x),
    "threshold_at_far/people": lambda x: calibration.threshold_at_far(LIST, SAME, 0.5, x),
    "roc_band/people": lambda x: verification.roc_band(LIST, SAME, x),
    "delong_interval": lambda x: verification.delong_interval(LIST, x),
    "pair_rows": lambda x: pairs.pair_rows(x),
    "all_pairs": lambda x: pairs.all_pairs(DISTANCES, x),
    "hardest/same": lambda x: pairs.hardest(LIST, x, 2),
    "hardest/rows": lambda x: pairs.hardest(LIST, SAME, 2, x),
    "protocol": lambda x: identification.protocol(x),
    "identify": lambda x: identification.identify(DISTANCES, x, 0.5),
    "mate_ranks/probes": lambda x: identification.mate_ranks(DISTANCES, x, LABELS),
    "mate_ranks/gallery": lambda x: identification.mate_ranks(DISTANCES, LABELS, x),
    "cmc": lambda x: identification.cmc(DISTANCES, x, LABELS),
    "identification": lambda x: identification.identification(DISTANCES, x, LABELS),
    "identification/at": lambda x: identification.at_threshold(DISTANCES, x, LABELS, 0.5),
    "draw_trials": lambda x: one_shot.draw_trials(x, ways=2, count=1),
    "one_shot/answers": lambda x: one_shot.one_shot(DISTANCES, x),
    "one_shot/people": lambda x: one_shot.one_shot(DISTANCES, LABELS, x),
    "omniglot_runs": lambda x: one_shot.omniglot_runs(np.zeros((8, 2, 4)), x),
    "mcnemar": lambda x: one_shot.mcnemar(x, SAME),
    "index": lambda x: Index(DISTANCES.astype(np.float32), x),
}
EVERYWHERE_WRONG = {
    "a column": LABELS[:, None],
    "one-hot rows": np.eye(8, dtype=int)[LABELS],
    "one too few": LABELS[:7],
    "floats": LABELS.astype(np.float64),
    "pairs of floats": TWO.astype(np.float64),
    "booleans in a column": SAME[:, None],
    "a scalar": np.array(3),
}
RIGHT_FOR_SOME = {"one too few": {"share_people", "pair_rows", "protocol", "draw_trials"}}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("wrong", EVERYWHERE_WRONG)
def test_no_metric_answers_for_a_shape_it_does_not_define(metric: str, wrong: str):
    if metric in RIGHT_FOR_SOME.get(wrong, ()):
        return
    with pytest.raises(ValueError, match=r"must be|do(es)? not fit|pairs outcomes on the same trials|takes \(n, d\) vectors"):
        METRICS[metric](EVERYWHERE_WRONG[wrong])


@pytest.mark.parametrize(
    "metric", ["roc", "verification/same", "delong_interval", "hardest/same", "mcnemar", "stratified_folds"]
)
def test_labels_are_no_flags(metric: str):
    """All of them but 0 would say "the same"."""
    with pytest.raises(ValueError, match="must be booleans"):
        METRICS[metric](LABELS)


@pytest.mark.parametrize("answers", [[0, 8], [-1, 0]])
def test_an_answer_that_is_none_of_the_ways_is_refused(answers: list[int]):
    with pytest.raises(ValueError, match="there are 8 ways, counted from 0"):
        metrics.one_shot.one_shot(DISTANCES[:2], np.array(answers))


def test_codes_of_two_dimensions_are_not_compared():
    with pytest.raises(ValueError, match=r"squared_distance: embeddings of shapes \(2, 4\) and \(2, 1\)"):
        squared_distance(np.zeros((2, 4), np.float32), np.zeros((2, 1), np.float32))


def test_masks_that_would_be_stretched_or_weigh_255_are_refused():
    layer = jnp.ones((1, 4, 6, 3))
    for wrong in (np.ones((8, 12, 1), np.float32), np.ones(12, np.float32), np.full((8, 12), 255, np.uint8)):
        with pytest.raises(ValueError, match="the mask's numbers must be floats of shape"):
            mask_at(wrong, layer, {})
        with pytest.raises(ValueError, match="the mask's numbers at 'a' must be floats of shape"):
            mask_of({"a": wrong}, "a", {"a": layer})
    with pytest.raises(ValueError, match=r"at 'a' must be floats of shape \(4, 6\), and are float32 of shape \(4, 1\)"):
        mask_of({"a": np.ones((4, 1), np.float32)}, "a", {"a": layer})
    with pytest.raises(ValueError, match="no mask for the layer 'b', only for a"):
        mask_of({"a": np.ones((4, 6), np.float32)}, "b", {"b": layer})
    half = np.arange(12)[None] < np.full((8, 1), 6)
    np.testing.assert_allclose(mask_at(half, layer, {}), mask_at(half.astype(np.float32), layer, {}))
    assert mask_of({"a": half[::2, ::2]}, "a", {"a": layer}).dtype == jnp.float32


def test_traced_arrays_are_checked_by_what_is_known():
    with pytest.raises(ValueError, match=r"labels must be integers of shape \(3,\)"):
        jax.eval_shape(lambda labels: as_labels("it", labels, 3), LABELS)


def masked(values: np.ndarray) -> np.ndarray:
    return np.ma.masked_array(values, mask=np.arange(values.size).reshape(values.shape) == 0)


NUMBERS = {
    "roc": lambda x: roc.roc(x, SAME),
    "verification": lambda x: verification.verification(x, SAME),
    "threshold_at_far": lambda x: calibration.threshold_at_far(x, SAME, 0.5),
    "stranger_rate": lambda x: calibration.stranger_rate(x, float(LIST.max()), TWO),
    "hardest": lambda x: pairs.hardest(x, SAME, 1),
    "identify": lambda x: identification.identify(x[None], LABELS, 0.5),
    "one_shot": lambda x: one_shot.one_shot(x[None], LABELS[:1]),
    "embeddings": lambda x: as_embeddings("it", x[None]),
}


@pytest.mark.parametrize("metric", NUMBERS)
def test_distances_that_are_no_numbers_or_whose_mask_nobody_heeds_are_refused(metric: str):
    NUMBERS[metric](LIST)
    for wrong in (LIST.astype(str), LIST + 1j, (100 * LIST).astype("m8[s]"), LIST > 0.5):
        with pytest.raises(ValueError, match="must be numbers"):
            NUMBERS[metric](wrong)
    with pytest.raises(ValueError, match="a masked array, whose mask nothing here heeds"):
        NUMBERS[metric](masked(LIST))


@pytest.mark.parametrize("metric", ["stranger_rate", "hardest", "roc", "identify", "one_shot"])
def test_a_distance_that_is_nan_is_refused(metric: str):
    with pytest.raises(ValueError, match="1 of 8 distances are NaN"):
        NUMBERS[metric](np.where(np.arange(8) == 2, np.nan, LIST))


def test_masked_labels_and_flags_are_refused():
    for given in (lambda: as_labels("it", masked(LABELS), 8), lambda: roc.roc(LIST, masked(SAME))):
        with pytest.raises(ValueError, match="a masked array"):
            given()


def test_a_threshold_that_is_nan_misses_nobody_and_is_refused():
    for metric in (
        lambda: verification.at_threshold(LIST, SAME, np.nan),
        lambda: identification.at_threshold(DISTANCES, LABELS, LABELS, np.nan),
        lambda: identification.identify(DISTANCES, LABELS, np.nan),
        lambda: calibration.stranger_rate(LIST, np.nan, TWO),
    ):
        with pytest.raises(ValueError, match="the threshold is NaN"):
            metric()
    with pytest.raises(ValueError, match="none of the distances"):
        calibration.stranger_rate(LIST, -1.0, TWO)


def test_rates_counts_and_names_that_mean_something_else_are_refused():
    """Each of these gave a number: of the last threshold, of the farthest but one, of an interval that is everything."""
    curve = roc.roc(LIST, SAME)
    for rates in ([-1.0], [2.0], [np.nan], np.array(0.5)):
        with pytest.raises(ValueError, match="False-accept rates"):
            roc.tar_at_far(curve, rates)
    assert roc.tar_at_far(curve, [1.0]).tolist() == [1.0]
    for given in ({"fars": [0.0]}, {"folds": -3}, {"folds": 1}, {"replicates": 0}):
        with pytest.raises(ValueError, match="measured at rates above 0, on two folds or more"):
            verification.verification(LIST, SAME, **given)
    for count in (-1, 0, 1):
        with pytest.raises(ValueError, match="two folds or more"):
            folds.stratified_folds(SAME, count)
        with pytest.raises(ValueError, match="two folds or more"):
            folds.kfold_accuracy(LIST, SAME, count)
    assert folds.kfold_accuracy(LIST, SAME, np.int64(2)).mean == folds.kfold_accuracy(LIST, SAME, 2).mean
    # Types are checked in tests, before the function itself does.
    with pytest.raises((ValueError, TypeError), match="compat"):
        folds.kfold_accuracy(LIST, SAME, 2, compat="face-net")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="a count from 0"):
        pairs.hardest(LIST, SAME, -1)
    with pytest.raises(ValueError, match="give 0 or more"):
        pairs.pair_rows(LABELS, limit=-1)
    with pytest.raises(ValueError, match="CMC curve of 0 ranks"):
        identification.cmc(DISTANCES, LABELS, LABELS, ranks=0)
    with pytest.raises(ValueError, match="makes no sense"):
        identification.compound_error(0.1, np.nan)
    for interval in (metrics.wilson, metrics.clopper_pearson):
        with pytest.raises(ValueError, match="An interval of confidence 95"):
            interval(2, 3, 95.0)


def test_weights_are_how_often_a_pair_counts():
    once = roc.roc(LIST, SAME, np.ones((2, 8), np.uint8))
    np.testing.assert_array_equal(roc.auc(once), np.full(2, roc.auc(roc.roc(LIST, SAME))))
    for wrong in (np.array([2]), np.ones(7, int), np.full(8, 0.5), np.full(8, np.nan)):
        with pytest.raises(ValueError, match="weights must be integers of shape"):
            roc.roc(LIST, SAME, wrong)
    with pytest.raises(ValueError, match="a weight is negative"):
        roc.roc(LIST, SAME, np.arange(8) - 1)
    nothing = roc.roc(LIST[:0], SAME[:0])
    assert np.isnan(roc.eer(nothing))
    assert np.isnan(roc.auc(nothing))


def test_nobody_enrolled_has_the_label_of_nobody():
    with pytest.raises(ValueError, match="the answer for nobody"):
        identification.identify(DISTANCES, LABELS - 1, 0.5)


def test_a_label_has_a_group_of_its_own():
    """-1 would be in the group of the last person."""
    for labels, groups in ((LABELS - 1, np.arange(4)), (LABELS, np.arange(3))):
        with pytest.raises(ValueError, match="draw_trials: labels run from"):
            one_shot.draw_trials(labels, ways=2, count=1, groups=groups)
    with pytest.raises(ValueError, match="groups must be integers of shape"):
        one_shot.draw_trials(LABELS, ways=2, count=1, groups=np.zeros((4, 1), int))


def test_one_triangle_of_a_mask_is_no_mask():
    same = LABELS[:, None] == LABELS
    np.testing.assert_array_equal(as_labels_or_same("it", same, 8), same)
    with pytest.raises(ValueError, match="says that 0 and 1 are one person and that 1 and 0 are not"):
        as_labels_or_same("it", np.triu(same), 8)


def test_embeddings_without_a_number_are_refused():
    with pytest.raises(ValueError, match=r"embeddings of shape \(8, 0\) have no numbers"):
        as_embeddings("it", np.zeros((8, 0)))


@pytest.mark.parametrize("value", [255.0, -1.0, np.nan])
def test_a_mask_of_floats_that_are_no_shares_is_refused(value: float):
    with pytest.raises(ValueError, match="must be shares from 0 to 1"):
        mask_at(np.full((8, 12), value, np.float32), jnp.ones((1, 4, 6, 3)), {})
