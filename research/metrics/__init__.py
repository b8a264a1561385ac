"""Metrics that say how far they can be trusted, from exact sorted scores.

``verification``, ``identification``, ``one_shot`` and ``roc`` name modules here; the functions of the same
names are inside them (``from likeness.research.metrics.verification import verification``). What evaluates detectors is in
``detection``.
"""

from likeness.research.metrics import detection, identification, one_shot, roc, verification
from likeness.research.metrics.bootstrap import clustered_rate
from likeness.research.metrics.calibration import Calibration, stranger_rate, threshold_at_far
from likeness.research.metrics.folds import FoldAccuracy, contiguous_folds, kfold_accuracy, stratified_folds
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
from likeness.research.metrics.one_shot import McNemar, Trials, draw_trials, mcnemar, omniglot_runs
from likeness.research.metrics.pairs import Pairs, all_pairs, hardest, pair_rows
from likeness.research.metrics.roc import Roc, auc, best_threshold, eer, tar_at_far
from likeness.research.metrics.verification import Rates, RocBand, roc_band

__all__ = [
    "Calibration",
    "Cmc",
    "Estimate",
    "FoldAccuracy",
    "McNemar",
    "OpenSetRates",
    "Pairs",
    "Protocol",
    "Rates",
    "Roc",
    "RocBand",
    "Trials",
    "all_pairs",
    "auc",
    "best_threshold",
    "clopper_pearson",
    "clustered_rate",
    "cmc",
    "compound_error",
    "contiguous_folds",
    "detection",
    "draw_trials",
    "eer",
    "hardest",
    "identification",
    "identify",
    "kfold_accuracy",
    "mcnemar",
    "omniglot_runs",
    "one_shot",
    "pair_rows",
    "protocol",
    "roc",
    "roc_band",
    "stranger_rate",
    "stratified_folds",
    "tar_at_far",
    "threshold_at_far",
    "verification",
    "wilson",
]
