"""Where else metrics go: TensorBoard and Weights & Biases, beside the lines that are always written.

A tracker is told what ``metrics.jsonl`` is told, and at the end the hyperparameters and what came out.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from likeness.experiments.storage.workdir import Workdir, plain_metrics, read_json, write_json
from likeness.research.errors import require

TrackerName = Literal["tensorboard", "wandb"]
_NEEDS: dict[TrackerName, tuple[str, str]] = {"tensorboard": ("tensorboardX", "tensorboard"), "wandb": ("wandb", "wandb")}


class Tracker(Protocol):
    """A service that draws metrics."""

    def write(self, step: int, split: str, values: Mapping[str, Any]) -> None:
        """Numbers of a step, or estimates as JSON, of which the value counts."""
        ...

    def finish(self, config: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
        """The run is done: its config and its last metrics."""
        ...

    def close(self) -> None:
        """No more comes, for now."""
        ...


def check_trackers(names: tuple[TrackerName, ...]) -> None:
    """Finds out before the training that a tracker cannot be written.

    Raises:
        UserError: the library of a tracker is not installed.
    """
    for name in names:
        require(*_NEEDS[name], f"--log-to {name}")


def open_tracker(name: TrackerName, files: Workdir, resume_from: int) -> Tracker:
    """Opens a tracker for a run that goes on after a step; what the tracker has beyond it is replaced."""
    return TensorBoard(files.root / "tensorboard", resume_from) if name == "tensorboard" else WeightsAndBiases(files)


class TensorBoard:
    """Event files in the working directory, for ``tensorboard --logdir``."""

    def __init__(self, folder: Path, resume_from: int) -> None:
        from tensorboardX import SummaryWriter  # pyright: ignore[reportMissingImports]

        self._writer: Any = SummaryWriter(str(folder), purge_step=resume_from + 1 if resume_from else None)

    def write(self, step: int, split: str, values: Mapping[str, Any]) -> None:
        for name, value in plain_metrics(values).items():
            self._writer.add_scalar(f"{split}/{name}", value, step)

    def finish(self, config: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
        final = {f"final/{name}": value for name, value in plain_metrics(metrics).items()}
        self._writer.add_hparams(flat(config), final, name="hparams")

    def close(self) -> None:
        self._writer.close()


class WeightsAndBiases:
    """A run of Weights & Biases, where this machine is logged in. Its number is kept in ``wandb.json``: a run stays one run.

    Lines that are written again after a crash are there twice, each with its ``step``.
    """

    def __init__(self, files: Workdir) -> None:
        import wandb  # pyright: ignore[reportMissingImports]

        kept = files.artifact("wandb")
        number = read_json(kept)["id"] if kept.exists() else wandb.util.generate_id()
        write_json(kept, {"id": number})
        self._run: Any = wandb.init(
            project="likeness", id=number, name=str(files.root), dir=str(files.root), resume="allow", config={}
        )

    def write(self, step: int, split: str, values: Mapping[str, Any]) -> None:
        self._run.log({f"{split}/{name}": value for name, value in plain_metrics(values).items()} | {"step": step})

    def finish(self, config: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
        self._run.config.update(flat(config), allow_val_change=True)
        self._run.summary.update({f"final/{name}": value for name, value in plain_metrics(metrics).items()})

    def close(self) -> None:
        self._run.finish()


def flat(config: Any, path: str = "") -> dict[str, Any]:
    """A config as one level of names, as tables of hyperparameters want it; lists as their JSON."""
    if isinstance(config, Mapping):
        parts = [flat(value, f"{path}.{name}" if path else str(name)) for name, value in config.items()]
        return {name: value for part in parts for name, value in part.items()}
    return {path: config if isinstance(config, bool | int | float | str) else json.dumps(config)}
