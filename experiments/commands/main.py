"""``likeness COMMAND …``: finds the command, and turns what went wrong into one paragraph and an exit code."""

import difflib
import errno
import importlib
import importlib.metadata
import os
import sys
import traceback
import warnings

from likeness.experiments.commands.streams import settle_streams
from likeness.experiments.host_memory import keep_freed_memory
from likeness.experiments.training.compile_cache import keep_programs
from likeness.experiments.training.interruption import Interrupted, leave

COMMANDS = {
    "train": "train a config, or go on where it stopped",
    "sweep": "make many runs of a config, together where that is faster, and compare them",
    "evaluate": "evaluate a working directory's model again",
    "configs": "list the configs that come with Likeness",
    "show": "print a config resolved, its size and cost, without training",
    "scale": "predict what more devices would bring, from programs compiled for 1 to 64",
    "doctor": "print versions, devices and data, and what is missing",
    "verify": "do two images show the same person?",
    "enroll": "add people to a gallery, list, rename or remove them",
    "identify": "who of the gallery is this, if anyone?",
    "embed": "embeddings of the faces in images, as a file for an analysis of your own",
    "robustness": "how much worse may images get before a recognizer errs, and does it know on which?",
    "detect": "where are the objects, or the faces? drawn, and as COCO JSON",
    "visualize": "what do a network's units see? the patches that excite each most",
    "sanity": "do maps of saliency show what a network has learned? random weights, layer by layer",
    "data": "check a data set for faults, before a step is trained",
    "report": "write one page about runs: numbers, curves, figures and images",
    "weights": "list, fetch, import, export or check published weights",
    "stylize": "paint one image in the look of another",
    "textures": "paint a style alone",
    "reconstruct": "paint an image from what one layer knows of it",
    "benchmark": "measure how fast Likeness is on this machine, alone or beside other libraries",
}
"""What each command does; each has a module of its name beside this one."""

DONE, FAILED, MISTAKE, AGAIN = 0, 1, 2, 75


def main() -> None:
    """The console script."""
    settle_streams()
    keep_freed_memory()
    # Pillow warns of large images; the decoder has a limit of its own and says what it refuses.
    warnings.filterwarnings("ignore", message="Image size .* exceeds limit")
    sys.unraisablehook = _stray
    keep_programs(lambda text: print(f"likeness: {text}", file=sys.stderr))
    leave(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Runs one command line and returns its exit code: 0 done, 2 the user's mistake, 75 stopped on request, 1 anything else."""
    trace = "--traceback" in arguments
    arguments = [argument for argument in arguments if argument != "--traceback"]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        _usage()
        return DONE if arguments else MISTAKE
    name = arguments[0]
    if name in ("-V", "--version"):
        print(f"likeness {importlib.metadata.version('likeness-jax')}")
        return DONE
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"choose one of {', '.join(COMMANDS)}."
        print(f"likeness: there is no command {name!r}: {hint}", file=sys.stderr)
        return MISTAKE
    # Decided before JAX is imported: Orbax and XLA otherwise greet the user with their own log lines.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from likeness.research.errors import UserError

    try:
        module = importlib.import_module(f"likeness.experiments.commands.{name}")
        code = int(module.main(arguments[1:]) or DONE)
        # What a full disk refuses of the output is refused here and not after the last word.
        sys.stdout.flush()
        return code
    except Interrupted as stop:
        print(f"likeness: {stop}", file=sys.stderr)
        return AGAIN
    except KeyboardInterrupt:
        print("likeness: interrupted.", file=sys.stderr)
        return 130
    except UserError as error:
        return _report(str(error), trace, MISTAKE)
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else FAILED
    except OSError as error:
        where = error.filename or ("the standard output" if error.errno == errno.ENOSPC else None)
        if where is None:
            return _unforeseen(error, trace)
        if error.filename is None:
            _discard_output()
        text = f"Cannot use {where}: {error.strerror}. Check the path, its permissions and the space on its disk."
        return _report(text, trace, MISTAKE)
    except Exception as error:
        return _unforeseen(error, trace)


def _stray(unraisable: "sys.UnraisableHookArgs") -> None:
    # Threads of a save that failed call back when its loop is gone; the failure itself is told by run().
    if str(unraisable.exc_value) != "Event loop is closed":
        sys.__unraisablehook__(unraisable)


def _discard_output() -> None:
    # Else Python tries again, and complains, as it ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unforeseen(error: Exception, trace: bool) -> int:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return _report(f"{text} (an error in Likeness or a library; --traceback shows where)", trace, FAILED)


def _report(text: str, trace: bool, code: int) -> int:
    if trace:
        traceback.print_exc()
    else:
        print(f"likeness: {text}".encode("utf-8", "backslashreplace").decode(), file=sys.stderr)
    return code


def _usage() -> None:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {purpose}" for name, purpose in COMMANDS.items()]
    print("usage: likeness COMMAND …\n\n" + "\n".join(lines))
    print("\nlikeness COMMAND --help says more, likeness --version which this is.")
    print("--traceback after any command shows where an error came from.")


if __name__ == "__main__":
    main()
