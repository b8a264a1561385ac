"""What people call the flags that Likeness calls otherwise."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Synonym:
    """Names that people bring from elsewhere, and where Likeness has what they mean.

    Attributes:
        names: what is typed, in small letters with spaces between words; ``batch size`` stands for ``batch_size``,
            ``batch-size`` and ``batchsize`` too.
        fields: ends of paths of flags, the likeliest first, such as ``schedule.peak-lr``. A config has some of them, or none.
        note: whole sentences to say as well, for what is no flag or counted otherwise.
        wants: the end of a path without which the note means nothing.
    """

    names: tuple[str, ...]
    fields: tuple[str, ...] = ()
    note: str = ""
    wants: str = ""


SYNONYMS = (
    Synonym(
        ("lr", "learning rate", "learn rate", "base lr", "peak lr", "max lr", "init lr", "step size"),
        ("schedule.peak-lr", "optimizer.rate"),
    ),
    Synonym(
        ("epochs", "epoch", "num epochs", "n epochs", "max epochs", "train epochs", "num train epochs"),
        ("steps",),
        "A run is counted in steps, each of one batch: E epochs of N images are E · N / (images in a batch) steps.",
        "steps",
    ),
    Synonym(
        (
            "iterations",
            "iters",
            "iter",
            "n iter",
            "num iters",
            "num iterations",
            "max iter",
            "max steps",
            "num steps",
            "updates",
        ),
        ("steps",),
    ),
    Synonym(
        ("batch size", "bs", "batch", "mini batch", "images per batch", "train batch size"),
        ("batches.people", "batches.images", "experiment.batch-size", "experiment.batch", "batch"),
        "A batch here is batches.people × batches.images.",
        "batches.people",
    ),
    Synonym(
        ("classes per batch", "identities per batch", "people per batch", "n way", "p"),
        ("batches.people",),
    ),
    Synonym(
        ("samples per class", "samples per identity", "images per person", "images per class", "instances", "num instances"),
        ("batches.images", "data.images"),
    ),
    Synonym(("wd", "weight decay", "l2", "l2 regularization", "l2 penalty", "regularization"), ("optimizer.weight-decay",)),
    Synonym(("momentum", "beta", "beta1"), ("optimizer.momentum", "optimizer.b1")),
    Synonym(("beta2",), ("optimizer.b2",)),
    Synonym(("betas", "adam betas"), ("optimizer.b1", "optimizer.b2")),
    Synonym(("epsilon", "adam epsilon"), ("optimizer.eps",)),
    Synonym(("warmup", "warmup steps", "warmup epochs", "warmup ratio"), ("schedule.warmup-share",)),
    Synonym(("min lr", "final lr", "end lr"), ("schedule.final",)),
    Synonym(
        ("clip", "grad clip", "clip grad", "gradient clipping", "max grad norm", "clip grad norm", "gradient clip val"),
        ("optimizer.clip-norm",),
    ),
    Synonym(
        ("gradient accumulation", "gradient accumulation steps", "grad accum", "accum", "accumulation steps"),
        ("optimizer.accumulate",),
    ),
    Synonym(("ema", "moving average", "polyak"), ("ema-decay",)),
    Synonym(
        ("workers", "num workers", "n workers", "dataloader workers", "threads", "num threads", "n jobs"),
        ("jobs",),
        "Images are read ahead in threads, whose number is no flag.",
        "steps",
    ),
    Synonym(
        ("gpu", "gpus", "num gpus", "n gpus", "gpu id", "gpu ids", "device", "devices", "cuda", "cpu", "tpu", "accelerator"),
        ("mesh.data", "devices"),
        "All devices that JAX finds are used: choose others by the environment, as in CUDA_VISIBLE_DEVICES=0 or "
        "JAX_PLATFORMS=cpu.",
    ),
    Synonym(("nodes", "num nodes", "world size", "nproc", "nproc per node", "num processes"), ("processes",)),
    Synonym(("rank", "local rank", "node rank", "process id", "process index"), ("process",)),
    Synonym(("master addr", "master address", "master", "init method", "dist url"), ("coordinator",)),
    Synonym(("fsdp", "zero", "sharding", "model parallel", "tensor parallel"), ("mesh.fsdp",)),
    Synonym(
        ("output", "out", "o", "out dir", "output dir", "output path", "output file", "dest", "destination", "save", "save to"),
        ("out", "output", "workdir"),
    ),
    Synonym(
        ("work dir", "log dir", "save dir", "save path", "run dir", "result dir", "results dir", "exp dir", "checkpoint dir"),
        ("workdir", "out", "output", "model"),
    ),
    Synonym(("name", "run name", "exp name", "experiment name"), ("workdir",)),
    Synonym(("seed", "random seed", "manual seed", "random state", "rng", "rng seed"), ("seed",)),
    Synonym(
        ("resume", "resume from", "resume from checkpoint", "continue", "restore", "ckpt", "checkpoint", "load", "load from"),
        ("workdir",),
        "Training goes on from the newest checkpoint when the same command is given again with the same working directory.",
        "steps",
    ),
    Synonym(("model path", "run", "model dir"), ("workdir", "model")),
    Synonym(
        ("pretrained", "pretrained weights", "weights", "weights path", "init weights", "finetune from"),
        ("encoder.weights.name", "encoder.weights.path"),
    ),
    Synonym(("overwrite", "force", "restart", "clean", "from scratch", "no resume"), ("fresh",)),
    Synonym(
        (
            "image size",
            "img size",
            "imgsz",
            "input size",
            "resolution",
            "image shape",
            "width and height",
            "crop size",
            "pixels",
        ),
        ("experiment.size", "data.size", "contents.size", "images.size", "size"),
    ),
    Synonym(("margin", "m", "alpha margin", "triplet margin", "arcface margin"), ("loss.margin", "loss.m2")),
    Synonym(
        ("s", "logit scale", "arcface scale", "temperature", "tau"), ("loss.scale", "loss.temperature", "loss.initial-scale")
    ),
    Synonym(("label smoothing",), ("loss.smoothing",)),
    Synonym(
        (
            "embedding size",
            "embedding dim",
            "embedding",
            "embed dim",
            "emb dim",
            "emb size",
            "feature dim",
            "latent dim",
            "dim",
        ),
        ("encoder.dimension", "encoder.encoder.dimension"),
    ),
    Synonym(
        ("hidden size", "hidden dim", "channels", "filters", "base width"),
        ("encoder.width", "encoder.encoder.width", "encoder.widths"),
    ),
    Synonym(
        ("precision", "fp16", "bf16", "bfloat16", "amp", "mixed precision", "half", "half precision", "dtype", "compute dtype"),
        ("encoder.dtype", "encoder.encoder.dtype", "matmul-precision"),
    ),
    Synonym(
        ("gradient checkpointing", "remat", "checkpoint activations", "activation checkpointing"),
        ("experiment.remat", "experiment.gradient-cache-chunks"),
    ),
    Synonym(
        ("save every", "save steps", "save freq", "save interval", "checkpoint every", "ckpt every"), ("checkpoints.every",)
    ),
    Synonym(
        ("save top k", "save best", "keep checkpoints", "save total limit", "max to keep"),
        ("checkpoints.keep-best", "checkpoints.keep-last"),
    ),
    Synonym(("monitor", "best metric", "metric for best model"), ("checkpoints.best-metric", "metric")),
    Synonym(
        (
            "eval every",
            "eval steps",
            "eval freq",
            "eval interval",
            "val every",
            "val interval",
            "validate every",
            "eval frequency",
            "evaluation frequency",
        ),
        ("evaluate-every",),
    ),
    Synonym(("log interval", "log freq", "log steps", "print freq", "print every", "logging steps"), ("log-every",)),
    Synonym(("wandb", "tensorboard", "tb", "logger", "report to", "tracker"), ("log-to",)),
    Synonym(
        (
            "data dir",
            "data path",
            "data root",
            "dataset path",
            "dataset dir",
            "root",
            "root dir",
            "folder",
            "train dir",
            "images",
        ),
        ("data.path", "data.data-dir", "data"),
    ),
    Synonym(("val split", "validation split", "val share", "val ratio", "val size"), ("split.validation", "data.validation")),
    Synonym(("test split", "test ratio", "test size", "holdout"), ("split.test", "data.test")),
    Synonym(
        ("num classes", "n classes", "identities", "num ids", "num people", "num identities"), ("loss.classes", "data.people")
    ),
    Synonym(("flip", "hflip", "horizontal flip", "random flip"), ("augmentation.mirror", "contents.mirror", "images.mirror")),
    Synonym(("rotation", "rotate"), ("augmentation.rotate", "encoder.rotate")),
    Synonym(("cutout", "random erasing", "random erase"), ("augmentation.erase",)),
    Synonym(("color jitter", "jitter"), ("augmentation.brightness", "augmentation.contrast")),
    Synonym(("content weight",), ("objective.alpha", "content-weight", "content-terms.0.weight", "strength")),
    Synonym(("style weight",), ("objective.beta", "style-terms.0.weight", "strength")),
    Synonym(("tv", "tv weight", "tv loss", "total variation"), ("tv", "image-terms.0.weight", "experiment.variation")),
    Synonym(("init image", "start image", "initial image", "start from", "begin with"), ("init",)),
    Synonym(("style masks", "style regions"), ("style-mask",)),
    Synonym(("content layers",), ("content-terms.0.loss.layers",)),
    Synonym(("style layers",), ("style-terms.0.loss.layers",)),
    Synonym(("layers", "layer"), ("layers", "why-layer", "experiment.layers", "objectives.0.layer")),
    Synonym(("preserve color", "preserve colors", "original colors", "keep colors", "color"), ("colors", "colors.change")),
    Synonym(("regions", "region", "masks", "content mask", "segmentation", "guidance"), ("mask",)),
    Synonym(("tile size", "tiling"), ("tile", "experiment.tile")),
    Synonym(("config", "preset", "style preset"), ("preset",)),
    Synonym(("video", "animation", "gif"), ("film",)),
    Synonym(("far", "fmr", "fpr", "false accept rate"), ("experiment.target-far", "validation.0.fars")),
    Synonym(
        ("threshold", "thresh", "cutoff", "thr", "min score", "confidence"),
        ("experiment.target-far",),
        "The threshold is a run's own: it is calibrated on validation people for the false-accept rate of the config, "
        "experiment.target_far.",
    ),
    Synonym(
        ("explain", "explanation", "heatmap", "saliency", "cam", "grad cam", "attribution"), ("why", "why-method", "methods")
    ),
    Synonym(("method",), ("why-method", "methods")),
    Synonym(("db", "database", "index", "gallery path"), ("gallery",)),
    Synonym(("skip bad", "ignore errors", "skip errors"), ("on-bad", "data.on-bad")),
    Synonym(("sweep", "grid", "search", "values", "param", "params", "vary", "search space", "hyperparameters"), ("over",)),
    Synonym(("parallel", "together", "concurrency", "num jobs", "max parallel"), ("jobs", "vmap")),
    Synonym(("early stopping", "asha", "hyperband", "pruner", "halving", "reduction factor"), ("halve", "first-rung")),
    Synonym(("minimize", "maximize", "mode", "direction"), ("mode", "checkpoints.mode")),
    Synonym(("top k", "n patches", "num patches"), ("k",)),
    Synonym(("watch", "poll interval"), ("follow", "poll")),
)
"""Every name at most once; ``tests/commands/test_suggestions.py`` holds that."""

CHOSEN = {
    "model": "encoder",
    "backbone": "encoder",
    "arch": "encoder",
    "architecture": "encoder",
    "network": "encoder",
    "net": "encoder",
    "encoder": "encoder",
    "loss": "loss",
    "criterion": "loss",
    "objective": "loss",
    "optimizer": "optimizer",
    "optim": "optimizer",
    "opt": "optimizer",
    "solver": "optimizer",
    "dataset": "data",
    "data": "data",
    "scheduler": "schedule",
    "schedule": "schedule",
    "lr scheduler": "schedule",
    "sampler": "batches",
    "augment": "augmentation",
    "augmentation": "augmentation",
    "augmentations": "augmentation",
}
"""What a config file chooses by a class, and flags cannot: the names that people type, and the part of a path it is."""
