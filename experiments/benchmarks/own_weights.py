"""Makes the file of the encoder that comes with Likeness, of the run that has learned it.

    likeness train recognition/textures
    python -m likeness.experiments.benchmarks.own_weights runs/recognition/textures

Every layer is brought to the same energy on drawn textures that were not learned from, and numbers are kept in float16. It
prints the size and the SHA-256 that :mod:`likeness.research.weights.releases` states.
"""

import argparse
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from flax import traverse_util
from safetensors.numpy import save

from likeness.experiments.encoders import inner, wrapped
from likeness.experiments.frozen import LearnedEncoder
from likeness.research import weights
from likeness.research.data import Textures
from likeness.research.encoders import normalize_energy
from likeness.research.files import write_atomically
from likeness.research.weights.verified import digest

FILE = Path(weights.__file__).parent / "own" / "textures.safetensors"
HELD_OUT = Textures(families=64, images=1, size=96, largest=48.0, seed=1)


def main() -> None:
    """Reads the run, writes the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workdir", nargs="?", default="runs/recognition/textures", help="of the run")
    parser.add_argument("-o", "--out", type=Path, default=FILE, help="where the file goes")
    options = parser.parse_args()
    learned = LearnedEncoder.load(options.workdir)
    network, path = wrapped(learned.encoder)
    table = HELD_OUT.open()
    images = table.read(np.arange(0, len(table), 5)).astype(np.float32) / 255
    scaled = normalize_energy(network, inner(learned.variables, path), jnp.asarray(images))
    flat = traverse_util.flatten_dict(scaled, sep="/")
    arrays = {name: np.asarray(value, np.float16) for name, value in sorted(flat.items())}
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise SystemExit("A weight is too large for float16.")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(options.out, save(arrays))
    print(f"{options.out}: {sum(array.size for array in arrays.values()):,} numbers")
    print(f"size={options.out.stat().st_size:_}, sha256={digest(options.out)!r}")


if __name__ == "__main__":
    main()
