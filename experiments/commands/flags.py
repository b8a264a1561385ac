"""Reads a command's flags. It imports neither JAX nor the data code, so that help and typos are answered at once."""

import argparse
import contextlib
import io
import warnings
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import tyro

from likeness.research.errors import UserError

MISTAKE = 2
"""The exit code of a command line that cannot be read."""

Images = Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[IMAGE …]", help_behavior_hint="(any number)")]
"""Any number of image files, after the first."""
Model = Annotated[
    str | None,
    tyro.conf.arg(
        metavar="NAME|FILE|DIR",
        help_behavior_hint="(default: mobilefacenet, else dlib or dlib_mtcnn if their weights are here, else "
        "runs/recognition/quickstart or the newest recognizer in runs)",
    ),
]
"""A published recognizer, a file of one of InsightFace's in ONNX, or the working directory of a trained one; None for what
:func:`~likeness.experiments.commands.recognizers.recognizer_named` finds."""
Face = Annotated[str | None, tyro.conf.arg(metavar="largest|all|N")]
"""Which faces of a photograph are meant; None for what the command does."""
Network = Annotated[
    tyro.conf.Positional[str | None],
    tyro.conf.arg(
        metavar="[WORKDIR|ENCODER]",
        help_behavior_hint="(default: runs/recognition/quickstart, else the newest recognizer in runs)",
    ),
]
"""A working directory or the name of published weights; None for the directory that :func:`recognizer_dir` finds."""
GalleryFile = Annotated[str | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: gallery.sqlite of the model)")]
"""Where a gallery is; None for the model's own."""

Rate = Annotated[
    float | None,
    # tyro's own of an optional number tells of NoneType where one is mistyped, and takes the word None.
    tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="RATE",
        instance_from_str=lambda values: _rate(values[0]),
        is_instance=lambda value: value is None or isinstance(value, float),
        str_from_instance=lambda value: [str(value)],
    ),
]
"""A share between 0 and 1; None where none is given."""
Template = Annotated[
    Literal["nearest", "average"] | None,
    tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="nearest|average",
        instance_from_str=lambda values: cast(Literal["nearest", "average"], values[0]),
        is_instance=lambda value: value in (None, "nearest", "average"),
        str_from_instance=lambda value: [str(value)],
        choices=("nearest", "average"),
    ),
]
"""How a person of several images is compared; None for what the gallery says."""

TrustCode = Annotated[
    tyro.conf.FlagCreatePairsOff[bool],
    tyro.conf.arg(help="Execute the code that the run was made with and keeps below its code folder, whoever wrote it."),
]
"""A yes to code of a run that this user has not trained."""


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = float("nan")
    if not 0 < rate < 1:
        raise ValueError(f"{text} is no rate, which lies between 0 and 1: 0.1 is 10 %")
    return rate


def trust(workdir: str | Path, options: Any) -> None:
    """Says yes to the code of a working directory, where ``--trust-code`` was given."""
    if options.trust_code:
        from likeness.experiments.own_code import trust_code

        trust_code(workdir)


def cli(kind: Any, *, prog: str, arguments: list[str], description: str | None = None) -> Any:
    """``tyro.cli`` with the project's conventions: a union keeps the config's choice and its fields stay reachable.

    Ends the program with code 2 and tyro's explanation when a value is illegal or missing.

    Raises:
        UserError: a flag does not exist, and the message says which ones may have been meant; or the values do not go together.
    """

    def parsed(**options: Any) -> Any:
        return tyro.cli(
            kind, prog=prog, description=description, args=arguments, config=(tyro.conf.AvoidSubcommands,), **options
        )

    with warnings.catch_warnings():
        _any_class()
        if {"-h", "--help"} & set(arguments):
            return parsed()
        try:
            # Standard output stays: it is where --tyro-print-completion prints.
            with contextlib.redirect_stderr(io.StringIO()):
                return parsed()
        except ValueError as error:
            # tyro tells of what a part refuses, and lets through what the whole refuses of values that are alright alone.
            raise UserError(f"`{prog}` cannot be run with these flags: {error}") from error
        except SystemExit as leave:
            if leave.code != MISTAKE:
                raise
            _refuse_strangers(kind, prog, arguments, parsed)
        return parsed()


def parser_of(kind: Any, prog: str, **options: Any) -> argparse.ArgumentParser:
    """What :func:`cli` reads, as a parser that lists its flags."""
    with warnings.catch_warnings():
        _any_class()
        # tyro has no other way to list them.
        warnings.simplefilter("ignore", DeprecationWarning)
        return cast(Any, tyro.extras.get_parser)(kind, prog=prog, config=(tyro.conf.AvoidSubcommands,), **options)


def _any_class() -> None:
    """A protocol's implementation stands where the protocol is annotated, and a class of the user's own where a choice of ours
    is; tyro follows it, and need not say so."""
    warnings.filterwarnings("ignore", message="The field .* is annotated with type")
    warnings.filterwarnings("ignore", message=".* does not match any type in Union")


def _refuse_strangers(kind: Any, prog: str, arguments: list[str], parsed: Any) -> None:
    """Raises UserError if arguments are no flags of a command, nor values of one."""
    from likeness.experiments.commands.suggestions import explain, flags_of, misplaced, strangers

    parser = parser_of(kind, prog)
    flags = flags_of(parser, arguments)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            left = parsed(return_unknown_args=True)[1]
        unknown = strangers(left, parser, flags, bare=True)
    except (SystemExit, ValueError):
        # Something else is wrong too, such as an image that is not named, perhaps because of a flag that is none.
        left, unknown = [], strangers(arguments, parser, flags, bare=False)
    if unknown:
        raise UserError(explain(prog, unknown, flags))
    if left:
        raise UserError(misplaced(prog, left[0], flags))
