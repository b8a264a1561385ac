"""Run in a process of its own: convolutional runs trained together on two devices, beside each alone.

Prints one JSON object: the largest difference of the parameters after a few steps, and the collectives of a step.
"""

import json
import re
from typing import Any

import jax
import numpy as np
from small_digits import get_config

from likeness.experiments.sweeps.overrides import apply
from likeness.experiments.sweeps.timing import sequential_steps
from likeness.experiments.sweeps.vmapped import vmap_runs


def main() -> None:
    """Compare and print."""
    runs = [apply(get_config(), {"experiment.loss.margin": 0.2 + 0.1 * number, "seed": number // 2}) for number in range(4)]
    vmapped = vmap_runs(runs)
    states = vmapped.start()
    batch = vmapped.put(vmapped.draw())
    update: Any = vmapped.update
    text = update.lower(states, vmapped.constants, batch, vmapped.keys, vmapped.rows).compile().as_text()
    for _ in range(2):
        states, _ = vmapped.step(states, batch)
        batch = vmapped.put(vmapped.draw())
    differences = []
    for number in (0, 3):
        state, step = sequential_steps(vmap_runs([runs[number]] * 2))
        for _ in range(2):
            state = step(state)
        pairs = zip(jax.tree.leaves(vmapped.row(states, number).params), jax.tree.leaves(state.params), strict=True)
        differences += [float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in pairs]
    found = {
        "devices": jax.device_count(),
        "difference": max(differences),
        "collectives": len(re.findall(r"\b(all-gather|all-reduce|all-to-all|collective-permute)\(", text)),
        "grouped": len(re.findall(r"(?:feature|batch)_group_count=", text)),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
