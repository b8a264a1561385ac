"""Reads a command's flags. It imports neither JAX nor the data code, so that help and typos are answered at once."""

import warnings
from pathlib import Path
from typing import Annotated, Any

import tyro

Pictures = Annotated[
    tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[PICTURE …]", help_behavior_hint="(any number)")
]
"""Any number of picture files, after the first."""
Workdir = Annotated[
    str | None,
    tyro.conf.arg(
        metavar="DIR", help_behavior_hint="(default: runs/recognition/quickstart, else the newest recognizer in runs)"
    ),
]
"""The working directory of a trained recognizer; None for the one that :func:`recognizer_dir` finds."""
GalleryFile = Annotated[str | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: DIR/gallery.sqlite)")]
"""Where a gallery is; None for the working directory's own."""

TrustCode = Annotated[
    tyro.conf.FlagCreatePairsOff[bool],
    tyro.conf.arg(help="Execute the code that the run was made with and keeps below its code folder, whoever wrote it."),
]
"""A yes to code of a run that this user has not trained."""


def trust(workdir: str | Path, options: Any) -> None:
    """Says yes to the code of a working directory, where ``--trust-code`` was given."""
    if options.trust_code:
        from experiments.own_code import trust_code

        trust_code(workdir)


def cli(kind: Any, *, prog: str, arguments: list[str], description: str | None = None) -> Any:
    """``tyro.cli`` with the project's conventions: a union keeps the config's choice and its fields stay reachable.

    Ends the program with code 2 and tyro's explanation when a flag does not exist or a value is illegal.
    """
    with warnings.catch_warnings():
        # A protocol's implementation stands where the protocol is annotated; tyro follows it, and says so.
        warnings.filterwarnings("ignore", message="The field .* is annotated with type")
        return tyro.cli(
            kind,
            prog=prog,
            description=description,
            args=arguments,
            config=(tyro.conf.AvoidSubcommands,),
        )
