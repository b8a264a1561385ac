"""Reads a config's name and its overrides from a command line; shared by the commands that take a config.

JAX is imported once a config is named, so that a command's own help is there at once.
"""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import tyro

from likeness.experiments.commands.flags import cli, parser_of
from likeness.experiments.shipped import shipped
from likeness.research.errors import UserError

if TYPE_CHECKING:
    from likeness.experiments.run import Run

Options = TypeVar("Options")


def parse(command: str, options: type[Options], arguments: list[str]) -> "tuple[str, Options, Run]":
    """Splits ``CONFIG --option … --field value …`` into the config's name, the command's options and the run.

    Args:
        command: the command's name, for its help.
        options: a dataclass whose fields are the command's own flags.
        arguments: what follows the command.

    Raises:
        UserError: when no config is named or it cannot be loaded. A flag that does not exist, or an illegal value, ends the
            program with tyro's explanation and exit code 2.
    """
    configs = (
        f"CONFIG is a Python file or one of {', '.join(shipped())}; `likeness {command} CONFIG --help` lists its fields too, "
        "which are flags as well."
    )
    if not arguments:
        raise UserError(f"usage: likeness {command} CONFIG [--field value …], where {configs}")
    if arguments[0] in ("-h", "--help"):
        try:
            cli(options, prog=f"likeness {command} CONFIG", arguments=["--help"])
        finally:
            print(configs)
    if arguments[0].startswith("-"):
        raise UserError(f"The config comes first: likeness {command} CONFIG {' '.join(arguments)}.")
    from likeness.experiments.config import load
    from likeness.experiments.run import Run

    name = arguments[0]
    run = load(name)
    both = dataclasses.make_dataclass(
        "Arguments",
        [
            ("options", Annotated[options, tyro.conf.arg(name="")], dataclasses.field(default_factory=options)),  # pyright: ignore
            # A config's yes and no are values like any other; only the command's own are flags.
            (
                "run",
                Annotated[tyro.conf.FlagConversionOff[Run], tyro.conf.arg(name="")],  # pyright: ignore
                dataclasses.field(default=run),
            ),
        ],
        frozen=True,
    )
    parsed: Any = cli(
        both,
        prog=f"likeness {command} {name}",
        arguments=arguments[1:],
        description=f"What the config {name} says, and the flags that say otherwise.",
    )
    return name, parsed.options, parsed.run


def meant(run: "Run", path: str) -> str:
    """A sentence about the fields of a run that somebody may have meant by a path that is none; empty if there are none."""
    from likeness.experiments.commands.suggestions import flags_of, nearest
    from likeness.experiments.run import Run

    parser = parser_of(Annotated[tyro.conf.FlagConversionOff[Run], tyro.conf.arg(name="")], "likeness", default=run)
    fields = [
        dataclasses.replace(flag, name=flag.name.lstrip("-").replace("-", "_"), takes="") for flag in flags_of(parser, [])
    ]
    found, note = nearest(path, fields)
    return " ".join(([f"Perhaps you mean {', or '.join(map(str, found))}."] if found else []) + ([note] if note else []))
