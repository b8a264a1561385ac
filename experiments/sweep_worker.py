"""One run of a sweep in a process of its own: ``python -m experiments.sweep_worker CONFIG.json WORKDIR``."""

import os
import sys
import traceback
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Trains what is written down, and answers as ``likeness train`` does."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from experiments.config import from_json
    from experiments.interruption import Interrupted
    from experiments.progress import Quiet
    from experiments.trainer import train
    from experiments.workdir import read_json
    from research.errors import UserError

    asked, workdir = arguments
    try:
        train(from_json(read_json(Path(asked))), workdir, reporter=Quiet())
    except Interrupted as stop:
        print(stop)
        return 75
    except UserError as error:
        print(error)
        return 2
    except Exception as error:
        traceback.print_exc()
        sys.stderr.flush()
        print(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
