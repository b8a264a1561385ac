"""A working directory as training leaves it, made in no time, and what may be wrong with its files."""

import json

import numpy as np

from likeness.experiments.config import load, to_json
from likeness.experiments.preprocessing import ModelInputs
from likeness.experiments.storage.workdir import Workdir, write_arrays, write_json
from likeness.research.data import Preprocessing

RATE = {"value": 0.1, "low": 0.05, "high": 0.2, "n": 100, "why": None}


def threshold():
    from likeness.research.gallery import Threshold
    from likeness.research.metrics.intervals import Estimate

    rate = Estimate(value=0.001, low=0.0005, high=0.002, n=1000)
    return Threshold(tau=0.7, target_far=0.001, far=rate, tar=rate, people=12, fingerprint="abc", distance="SquaredEuclidean()")


def make(root):
    """Writes every JSON file of a run, and two of its arrays."""
    files = Workdir(root)
    root.mkdir(parents=True)
    write_json(files.config, to_json(load("recognition/quickstart")))
    write_json(
        files.provenance,
        {
            "git": "0123abc",
            "versions": {"python": "3.11", "jax": "0.10.2"},
            "devices": ["cpu:0 cpu"],
            "processes": 1,
            "cpus": 2,
            "argv": ["likeness", "train", "recognition/quickstart"],
            "seed": 0,
            "data": "f00d",
        },
    )
    summary = {
        "metrics": {"verification/eer": RATE, "loss": 0.5, "pixels/verification/eer": RATE},
        "notes": ["synthetic"],
        "seconds": 3.5,
        "steps": 300,
        "figures": [],
        "images": [],
    }
    write_json(files.summary, summary)
    threshold().save(files.artifact("threshold"))
    inputs = ModelInputs(shape=(28, 28, 1), preprocessing=Preprocessing(size=(28, 28), channels=1), source="Omniglot")
    write_json(files.artifact("preprocessing"), inputs.to_json())
    lines = [{"step": step, "split": "train", "loss": 1 / (1 + step)} for step in range(20, 301, 20)]
    lines.append({"step": 300, "split": "validation", "verification/eer": RATE})
    files.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    files.system.write_text(json.dumps({"step": 20, "seconds_per_step": 0.1}) + "\n")
    files.evaluations.write_text(json.dumps(lines[-1]) + "\n")
    files.changes.write_text(json.dumps({"step": 100, "changed": ["steps: 200 → 300"]}) + "\n")
    rng = np.random.default_rng(0)
    write_arrays(files.arrays("embeddings"), {"embeddings": rng.normal(size=(6, 4)).astype(np.float32), "labels": np.arange(6)})
    return root


FILES = ("config.json", "provenance.json", "summary.json", "threshold.json", "metrics.jsonl", "system.jsonl", "changes.jsonl")
