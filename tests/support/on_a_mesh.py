"""Trains a few steps on however many devices there are and prints the losses: ``on_a_mesh.py DATA FSDP WORKDIR [STEPS]``."""

import dataclasses
import json
import sys

from small_digits import get_config

from likeness.experiments.distributed.sharding import Mesh
from likeness.experiments.run import Checkpoints
from likeness.experiments.storage.metrics_log import read_metrics
from likeness.experiments.training.trainer import train
from likeness.research.encoders import Conv4


def main() -> None:
    data, fsdp, workdir = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    steps = int(sys.argv[4]) if len(sys.argv) > 4 else 4
    run = get_config()
    run = dataclasses.replace(
        run,
        # Wide enough for something to be split.
        experiment=dataclasses.replace(run.experiment, encoder=Conv4(width=16, dimension=16)),
        steps=steps,
        mesh=Mesh(data=data, fsdp=fsdp, shard_above=1000),
        checkpoints=Checkpoints(every=4),
    )
    trained = train(run, workdir)
    spread = sorted({len(leaf.sharding.device_set) for leaf in [*trained.state.params["encoder"]["conv2"].values()]})
    split = not trained.state.params["encoder"]["conv2"]["kernel"].sharding.is_fully_replicated
    losses = [record["loss"] for record in read_metrics(trained.workdir / "metrics.jsonl")]
    print(json.dumps({"losses": losses, "devices": spread, "split": split}))


if __name__ == "__main__":
    main()
