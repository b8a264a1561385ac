"""What figures show and which metrics are read first, in words for a reader who has not met them."""

_FIGURES = {
    "roc": "Verification: same-person pairs accepted over others accepted (ROC), with 95 % band",
    "det": "Verification: both kinds of error against each other (DET)",
    "distances": "Distances of pairs of one person and of two, and where τ cuts them",
    "mistakes": "The hardest pairs; those that τ gets wrong are framed",
    "cmc": "How often the right person is among the nearest (CMC)",
    "detections": "The first images of the test: what was found over what is there",
    "worst_images": "The images with most mistakes",
    "precision_recall": "Precision by recall of each class, with 95 % bands",
    "errors": "What the missing points of AP50 are made of",
    "confusion": "Which class is taken for which, what is missed, and what is found where nothing is",
    "calibration": "What a score is worth: the share that is right by score",
    "thresholds": "What is wrong and what is missed by score threshold",
    "grid": "Which cell and which anchor answers for each object",
    "synthesis": "What was made, and how many times the photographs' score it has",
    "inversion": "The photograph, and images that have its activations, layer by layer",
    "side_by_side": "The content, the styles and what was painted",
    "curves": "Training loss and validation over the steps",
}
_HEADLINES = (
    "verification/eer",
    "verification/accuracy",
    "identification/rank1",
    "one_shot/error",
    "detection/ap50",
    "detection/ap",
    "localization/iou",
    "landmarks/nme",
    "content/relative",
    "style/relative",
    "identity/distance",
    "synthesis/score",
    "synthesis/score_of_photographs",
)


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
    known += [name for name in metrics if name.endswith("/ssim")]
    return [*known, *(name for name in metrics if name not in known)][:most]
