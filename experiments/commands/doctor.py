"""``likeness doctor``: what this machine has, and what to do about what is missing."""

import dataclasses
import importlib.metadata
import json
import os
import platform
import shutil
from pathlib import Path
from typing import Annotated

import tyro

from likeness.experiments.commands.flags import cli
from likeness.research.errors import how_to_install

_CORE = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "grain",
    "tensorflow-datasets",
    "numpy",
    "scikit-learn",
    "tyro",
)
_EXTRAS = {
    "bokeh": "report",
    "fsspec": "gcs or s3",
    "h5py": "keras",
    "tensorboardX": "tensorboard",
    "wandb": "wandb",
    "submitit": "slurm",
    "torch": "peers",
    "lz4": "faces",
    "onnx": "onnx",
}


@dataclasses.dataclass(frozen=True)
class Options:
    """Print versions, devices, compile cache and data, and what to do about what is missing."""

    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print all of it as JSON and nothing else."""


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness doctor", arguments=arguments)
    # JAX takes its time to find the devices; help does not wait for it.
    import jax

    from likeness.experiments.distributed.cores import a_device_for_each_core

    facts: dict[str, str] = {}
    advice: list[str] = []
    facts["python"] = f"{platform.python_version()} on {platform.platform()}"
    for package in _CORE:
        facts[package] = importlib.metadata.version(package)
    for package, extra in _EXTRAS.items():
        try:
            facts[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            facts[package] = f"not installed (optional: extra {extra})"
    facts["an extra"] = how_to_install("NAME")
    # As training does.
    a_device_for_each_core()
    devices = jax.devices()
    facts["devices"] = ", ".join(f"{device.platform}:{device.id} {device.device_kind}" for device in devices)
    facts["cpu cores"] = str(os.cpu_count())
    if devices[0].platform == "cpu" and shutil.which("nvidia-smi"):
        advice.append(f"There is an NVIDIA GPU that JAX does not see: {how_to_install('cuda')}.")
    facts["compile cache"] = _compile_cache(getattr(jax.config, "jax_compilation_cache_dir", None), advice)
    facts["data"] = _data(advice)
    facts["weights"] = _weights(advice)
    facts["TFDS data"] = _tfds()
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    facts["free disk here"] = f"{free:.1f} GiB"
    if free < 1:
        advice.append("Less than 1 GiB is free here: give --workdir on another disk.")
    if options.json:
        print(json.dumps({"found": facts, "advice": advice}, indent=2))
        return 0
    for name, value in facts.items():
        print(f"{name:<22}{value}")
    for sentence in advice or ["Nothing is missing: try `likeness train recognition/quickstart`."]:
        print(f"→ {sentence}")
    return 0


def _compile_cache(directory: str | None, advice: list[str]) -> str:
    if directory is None:
        advice.append(
            "Programs are compiled anew in every process: export JAX_COMPILATION_CACHE_DIR=~/.cache/jax to keep them."
        )
        return "off"
    return directory


def _data(advice: list[str]) -> str:
    root = os.environ.get("LIKENESS_DATA")
    if not root:
        advice.append(
            "LIKENESS_DATA is not set: configs of real data (recognition/orl_triplet, recognition/omniglot) look below it. "
            "Put the data sets into one folder and export LIKENESS_DATA=FOLDER. The quickstart needs none."
        )
        return "LIKENESS_DATA is not set"
    path = Path(root).expanduser()
    if not path.is_dir():
        advice.append(f"LIKENESS_DATA is {root}, which is not a folder: correct it.")
        return f"{root} (missing)"
    found = sorted(entry.name for entry in path.iterdir() if not entry.name.startswith("."))
    if not found:
        advice.append(
            f"LIKENESS_DATA is {root}, an empty folder: configs of real data look for theirs below it, such as "
            f"{path / 'orl_faces'}. Put the data sets there, or correct it. The quickstart needs none."
        )
    return f"{root}: {', '.join(found) or 'empty'}"


def _weights(advice: list[str]) -> str:
    from likeness.research.weights import RELEASES

    here = [release for release in RELEASES if release.find() is not None]
    missing = {release.name: release.missing() for release in here}
    advice += [f"The weights {name} are here and cannot be read: {what}" for name, what in missing.items() if what]
    return ", ".join(release.name for release in here) or "none (`likeness weights list`)"


def _tfds() -> str:
    path = Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()
    if not path.is_dir():
        from likeness.research.data.tfds import how_to_prepare

        return f"{path} (none yet; LFW by {how_to_prepare('lfw')})"
    return f"{path}: {', '.join(sorted(entry.name for entry in path.iterdir() if entry.is_dir())) or 'empty'}"
