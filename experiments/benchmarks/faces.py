"""How many procedural faces a second one thread draws: ``python -m likeness.experiments.benchmarks.faces``.

To keep to one core, ``taskset -c 0 python -m likeness.experiments.benchmarks.faces``. The time is the thread's own, so that
other programs on the machine count little; the best of five passes over 256 images, the cache left out.
"""

import time

import numpy as np

from likeness.research.data.synthetic_faces import Faces
from likeness.research.synthetic.faces import render

COUNT = 256


def images_per_second(size: int, channels: int) -> float:
    """Images that the calling thread draws in a second of its own time."""
    identity, nuisance = Faces(people=64, images=4, size=size).vectors(np.arange(COUNT))
    render(identity[:8], nuisance[:8], size, channels)
    seconds = []
    for _ in range(5):
        start = time.thread_time()
        render(identity, nuisance, size, channels)
        seconds.append(time.thread_time() - start)
    return COUNT / min(seconds)


def main() -> None:
    """Print a line for each size and number of channels."""
    for size in (48, 64, 112):
        for channels in (1, 3):
            rate = images_per_second(size, channels)
            print(f"{size:4d} x {size:<4d} {'color' if channels == 3 else 'gray ':5s} {rate:7.0f} images/s")


if __name__ == "__main__":
    main()
