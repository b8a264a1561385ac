"""What the names of metrics mean, in words for a reader who has not met them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple


class Meaning(NamedTuple):
    """Of the metrics whose path begins with ``path``."""

    path: str
    name: str
    """What they are called."""
    words: str
    """What they are, in words that fit beside the name into 80 columns."""
    better: str = ""
    """Which way is better, where one would not guess it."""
    share: bool = False
    """Whether a plain number of it, one without an interval, is a share of 1, and shown in %."""


MEANINGS = (
    Meaning("verification/eer", "eer", "equal error rate: where both kinds of error are equally frequent", "lower is better"),
    Meaning("verification/auc", "auc", "chance that a same-person pair is closer than one of two people"),
    Meaning("verification/tar@far=", "tar@far=x", "same-person pairs accepted (TAR) where x of the others are (FAR)"),
    Meaning("verification/accuracy", "accuracy", "right answers over folds, both kinds of pair counting one half"),
    Meaning("identification/rank1", "rank1", "probes whose nearest enrolled person is the right one"),
    Meaning(
        "identification/fnir@fpir=",
        "fnir@fpir=x",
        "enrolled people not named (FNIR) where x of strangers are (FPIR)",
        "lower is better",
    ),
    Meaning(
        "pairs/accuracy@best", "accuracy@best", "right answers at the threshold that is best on these very pairs", share=True
    ),
    Meaning("pairs/accuracy@chosen", "accuracy@chosen", "right answers at the threshold of another list of pairs", share=True),
    Meaning("pairs/accuracy", "accuracy", "right answers over folds, each at the threshold of the others"),
    Meaning("pairs/standard_error", "standard_error", "of that accuracy, as LFW has it", share=True),
    Meaning("pairs/fold_deviation", "fold_deviation", "of that accuracy between folds", share=True),
    Meaning("all_pairs/tar@far=", "tar@far=x", "same-person pairs accepted where x of all others are"),
    Meaning("blufr/vr@far=", "vr@far=x", "BLUFR's verification rate, the mean over trials"),
    Meaning("blufr/dir@far=", "dir@far=x", "enrolled people named where x of strangers are, the mean over trials"),
    Meaning("blufr/observed_far@promised=", "observed_far", "FAR on the test people at the threshold of the training people"),
    Meaning("retrieval/p@1", "p@1", "images whose nearest other is of their class"),
    Meaning("retrieval/r_precision", "r_precision", "share of the class among the R nearest, R being its other images"),
    Meaning("retrieval/map@r", "map@r", "the same, where the nearest count more"),
    Meaning("gallery_size/fpir@n=", "fpir@n=N", "strangers who are given a name in a gallery of N", "near its target"),
    Meaning("gallery_size/fnir@n=", "fnir@n=N", "enrolled people not given theirs in a gallery of N", "lower is better"),
    Meaning("groups/fmr@", "fmr@group", "pairs of two people of the group that are accepted", "lower is better"),
    Meaning("groups/fnmr@", "fnmr@group", "pairs of one person of the group that are rejected", "lower is better"),
    Meaning("rejection/fnmr@reject=", "fnmr@reject=x", "same-person pairs rejected once the worst x of images are left out"),
    Meaning("one_shot/error@", "error@trials", "the same, in those trials", "lower is better"),
    Meaning("one_shot/error", "error", "one-shot trials in which another than the right one was nearest", "lower is better"),
    Meaning("classification/accuracy", "accuracy", "examples given their right class"),
    Meaning("detection/ap50", "ap50", "average precision where an IoU of 0.5 is enough: objects found, mistakes left out"),
    Meaning("detection/ap75", "ap75", "average precision where boxes must fit: an IoU of 0.75"),
    Meaning("detection/ap", "ap", "COCO's average precision, the mean over IoUs from 0.5 to 0.95"),
    Meaning("detection/ar", "ar", "COCO's average recall with 100 boxes an image"),
    Meaning(
        "detection/calibration_error", "calibration_error", "how far scores are from the share that is right", "lower is better"
    ),
    Meaning("detection/gain@", "gain@kind", "what ap50 would gain, of 1, without this kind of error"),
    Meaning("proposals/recall@", "recall@k", "objects that one of an image's first k proposals overlaps by an IoU of 0.5"),
    Meaning("proposals/ar@", "ar@k", "the same as the mean over IoUs from 0.5 to 0.95"),
    Meaning("localization/iou", "iou", "mean overlap (IoU) of the box said with the object's"),
    Meaning("localization/correct", "correct", "images in which object, class and box are said right, or their absence"),
    Meaning("landmarks/nme@eyes", "nme@eyes", "mean distance of landmarks over the distance of the eyes", "lower is better"),
    Meaning("landmarks/nme", "nme", "mean distance of landmarks over the size of the face", "lower is better"),
    Meaning("windows/accuracy", "accuracy", "crops given their right class, the background among them"),
    Meaning("windows/difference", "difference", "of scores by one pass from those of windows alone", "lower is better"),
    Meaning("windows/multiplications_saved", "saved", "multiplications for all windows alone over those of one pass"),
    Meaning("held_out/", "held_out/…", "the same by an encoder that has not painted", "lower is nearer"),
    Meaning(
        "content/relative", "content", "distance from the content's features, as a share of their energy", "lower is nearer"
    ),
    Meaning(
        "style/relative", "style", "distance from the style's Gram matrices, as a share of their energy", "lower is nearer"
    ),
    Meaning("content/ssim", "ssim", "likeness of the structure to the content's, at most 1", "higher is nearer"),
    Meaning("content/edge_correlation", "edge_correlation", "of the edges with the content's, at most 1", "higher is nearer"),
    Meaning("content/lpips", "lpips", "perceptual distance from the content (LPIPS)", "lower is nearer"),
    Meaning("content/dists", "dists", "distance from the content in structure and texture (DISTS)", "lower is nearer"),
    Meaning("style/frechet", "frechet", "distance of features of all paintings from the styles'", "lower is nearer"),
    Meaning("art_fid", "art_fid", "(1 + LPIPS)(1 + Fréchet distance): contents kept, styles met", "lower is better"),
    Meaning("style/color_distance", "style/color_distance", "of the colors from the nearest style's", "lower is nearer"),
    Meaning("content/color_distance", "content/color_distance", "of the colors from the content's own", "lower is nearer"),
    Meaning("style/patch_distance", "patch_distance", "of small patches from the nearest style's", "lower is nearer"),
    Meaning("identity/distance@", "identity@n", "the same of face n, counted from the left", "lower is nearer"),
    Meaning("identity/distance", "identity", "distance of the farthest face from the original's", "lower is nearer"),
    Meaning("identity/kept", "kept", "faces that their encoder takes for the same people as before", share=True),
    Meaning("relative", "relative", "distance from the photograph's features, as a share of their energy", "lower is nearer"),
    Meaning("psnr", "psnr", "likeness of the pixels to the photograph's, in dB", "higher is nearer"),
    Meaning("ssim", "ssim", "likeness of the structure to the photograph's, at most 1"),
    Meaning("synthesis/score_of_photographs", "of photographs", "the same of photographs as they are"),
    Meaning("synthesis/score", "score", "what the images were made to excite, the mean over them"),
    Meaning(
        "threshold/far",
        "threshold/far",
        "FAR at τ: pairs of two people, evaluated here, that τ accepts",
        "lower is better",
    ),
    Meaning("threshold/tar", "threshold/tar", "TAR at τ: pairs of one person, evaluated here, that τ accepts"),
)


def placed(metric: str, columns: Mapping[str, str]) -> tuple[str, str]:
    """The column of a metric in a table, and its name there: ``eigenfaces`` and ``verification/eer``.

    Args:
        metric: its path.
        columns: see :attr:`likeness.experiments.experiment.Evaluation.columns`.
    """
    if columns:
        front = next((each for each in columns if each and metric.startswith(f"{each}/")), "")
        return front, metric.removeprefix(f"{front}/") if front else metric
    # The subject may stand before "held_out" as well as before the metric itself.
    embedder, _, name = metric.partition("/") if metric.count("/") > 1 else ("", "", metric)
    return embedder, name


def head(embedder: str, columns: Mapping[str, str]) -> str:
    """What stands above a column."""
    return columns.get(embedder) or embedder.replace("_", " ") or "trained"


def meanings(metrics: list[str]) -> Iterator[Meaning]:
    """What some metrics mean, each once."""
    met = {found for metric in metrics if (found := _of(metric))}
    return (each for each in MEANINGS if each in met)


def meaning(metric: str) -> str:
    """What a metric says, by its path, with or without the name of a baseline in front; empty where nobody has said so."""
    found = _of(metric)
    return "" if found is None else "; ".join(filter(None, (found.words, found.better)))


def is_share(metric: str) -> bool:
    """Whether a number of this metric that has no interval is a share of 1, and shown in % as the rates beside it are."""
    found = _of(metric)
    return found is not None and found.share


def _of(metric: str) -> Meaning | None:
    found = next((each for each in MEANINGS if metric.startswith(each.path) or f"/{each.path}" in metric), None)
    # A list of pairs may have a name of its own, such as view2/accuracy.
    lists = (each for each in MEANINGS if each.path.startswith("pairs/") and metric.endswith(each.path.removeprefix("pairs")))
    return found or next(lists, None)


def legend(metrics: Sequence[str]) -> list[str]:
    """A line for each word that the names of metrics hold: the word, and beside it what it means."""
    found = list(meanings(list(metrics)))
    width = max((len(each.name) for each in found), default=0)
    return [f"{each.name:<{width}}  {each.words}" for each in found]
