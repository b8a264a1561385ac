"""What the names of metrics and of figures mean, in words for a reader who has not met them."""

_METRICS = {
    "verification/eer": "equal error rate: where both kinds of error are equally frequent; lower is better",
    "verification/auc": "chance that a same-person pair is closer than one of two people",
    "verification/tar@far=": "same-person pairs accepted (TAR) where so many of the others are (FAR)",
    "verification/accuracy": "right answers over folds, both kinds of pair counting one half",
    "identification/rank1": "probes whose nearest enrolled person is the right one",
    "identification/fnir@fpir=": "enrolled people not named (FNIR) where so many strangers are (FPIR); lower is better",
    "one_shot/error": "one-shot trials in which another than the right one was nearest; lower is better",
    "threshold/far": "pairs of two of the people judged here that τ accepts; lower is better",
    "threshold/tar": "pairs of one of the people judged here that τ accepts",
    "content/relative": "distance from the content's features, as a share of their energy; lower is nearer",
    "style/relative": "distance from the style's Gram matrices, as a share of their energy; lower is nearer",
}
_FIGURES = {
    "roc": "Verification: same-person pairs accepted over others accepted (ROC), with 95 % band",
    "det": "Verification: both kinds of error against each other (DET)",
    "distances": "Distances of pairs of one person and of two, and where τ cuts them",
    "mistakes": "The hardest pairs; those that τ gets wrong are framed",
    "cmc": "How often the right person is among the nearest (CMC)",
    "side_by_side": "The content, the styles and what was painted",
    "curves": "Training loss and validation over the steps",
}
_HEADLINES = (
    "verification/eer",
    "verification/accuracy",
    "identification/rank1",
    "one_shot/error",
    "content/relative",
    "style/relative",
    "identity/distance",
)


def meaning(metric: str) -> str:
    """What a metric says, by its path, with or without the name of a baseline in front; empty where nobody has said so."""
    return next((words for start, words in _METRICS.items() if metric.startswith(start) or f"/{start}" in metric), "")


def caption(figure: str) -> str:
    """What a figure shows, by the name of its file without its ending."""
    return _FIGURES.get(figure, figure.replace("_", " "))


def rank(figure: str) -> int:
    """Where a figure stands among others: the known ones first, and the curves, which are drawn anew above them, last."""
    names = [name for name in _FIGURES if name != "curves"]
    return names.index(figure) if figure in names else len(names) + (figure == "curves")


def headlines(metrics: list[str], most: int = 4) -> list[str]:
    """The metrics to be read first."""
    known = [name for name in _HEADLINES if name in metrics]
    return [*known, *(name for name in metrics if name not in known)][:most]
