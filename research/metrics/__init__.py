"""Metrics that say how far they can be trusted, from exact sorted scores.

``verification``, ``identification``, ``one_shot`` and ``roc`` name modules here; the functions of the same
names are inside them (``from likeness.research.metrics.templates import pool_templates, template_verification
from likeness.research.metrics.verification import verification``). What evaluates detectors is in
``detection``.
"""

from likeness.research.metrics import blufr, detection, identification, one_shot, retrieval, roc, verification
from likeness.research.metrics.all_pairs import rates_of_all_pairs, verify_all_pairs
from likeness.research.metrics.bootstrap import clustered_rate
from likeness.research.metrics.calibration import Calibration, stranger_rate, threshold_at_far
from likeness.research.metrics.folds import FoldAccuracy, contiguous_folds, kfold_accuracy, stratified_folds
from likeness.research.metrics.gallery_size import by_gallery_size
from likeness.research.metrics.groups import GroupRates, group_rates
from likeness.research.metrics.identification import (
    Cmc,
    OpenSetRates,
    Protocol,
    cmc,
    compound_error,
    identify,
    protocol,
)
from likeness.research.metrics.intervals import Estimate, clopper_pearson, wilson
from likeness.research.metrics.listed_pairs import accuracy_at, listed_pairs, unrestricted_folds
from likeness.research.metrics.one_shot import McNemar, Trials, draw_trials, mcnemar, omniglot_runs
from likeness.research.metrics.pair_stream import PairStream, compare_blocks, compare_pairs, count_pairs, rates_at
from likeness.research.metrics.paired import RateDifference, paired_eer
from likeness.research.metrics.pairs import Pairs, all_pairs, hardest, pair_rows
from likeness.research.metrics.random_galleries import RandomGalleries, in_random_galleries
from likeness.research.metrics.rejection import RejectCurve, error_versus_reject, knowing_the_errors, norms
from likeness.research.metrics.roc import Roc, auc, best_threshold, eer, tar_at_far
from likeness.research.metrics.score_normalization import CohortNormalized, normalized_distances
from likeness.research.metrics.sized_thresholds import SizedThreshold, thresholds_by_size
from likeness.research.metrics.templates import pool_templates, template_verification
from likeness.research.metrics.verification import Rates, RocBand, roc_band

__all__ = [
    "Calibration",
    "Cmc",
    "CohortNormalized",
    "Estimate",
    "FoldAccuracy",
    "GroupRates",
    "McNemar",
    "OpenSetRates",
    "PairStream",
    "Pairs",
    "Protocol",
    "RandomGalleries",
    "RateDifference",
    "Rates",
    "RejectCurve",
    "Roc",
    "RocBand",
    "SizedThreshold",
    "Trials",
    "accuracy_at",
    "all_pairs",
    "auc",
    "best_threshold",
    "blufr",
    "by_gallery_size",
    "clopper_pearson",
    "clustered_rate",
    "cmc",
    "compare_blocks",
    "compare_pairs",
    "compound_error",
    "contiguous_folds",
    "count_pairs",
    "detection",
    "draw_trials",
    "eer",
    "error_versus_reject",
    "group_rates",
    "hardest",
    "identification",
    "identify",
    "in_random_galleries",
    "kfold_accuracy",
    "knowing_the_errors",
    "listed_pairs",
    "mcnemar",
    "normalized_distances",
    "norms",
    "omniglot_runs",
    "one_shot",
    "pair_rows",
    "paired_eer",
    "pool_templates",
    "protocol",
    "rates_at",
    "rates_of_all_pairs",
    "retrieval",
    "roc",
    "roc_band",
    "stranger_rate",
    "stratified_folds",
    "tar_at_far",
    "template_verification",
    "threshold_at_far",
    "thresholds_by_size",
    "unrestricted_folds",
    "verification",
    "verify_all_pairs",
    "wilson",
]
