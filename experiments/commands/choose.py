"""Reads a config's name and its overrides from a command line; shared by the commands that take a config."""

import dataclasses
import warnings
from typing import Annotated, Any, TypeVar

import tyro

from experiments.config import load, shipped
from experiments.run import Run
from research.errors import UserError

Options = TypeVar("Options")


def parse(command: str, options: type[Options], arguments: list[str]) -> tuple[str, Options, Run]:
    """Splits ``CONFIG --option … --field value …`` into the config's name, the command's options and the run.

    Args:
        command: the command's name, for its help.
        options: a dataclass whose fields are the command's own flags.
        arguments: what follows the command.

    Raises:
        UserError: when no config is named or it cannot be loaded. A flag that does not exist, or an illegal value, ends the
            program with tyro's explanation and exit code 2.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        raise UserError(
            f"usage: likeness {command} CONFIG [--field value …], where CONFIG is a Python file or one of "
            f"{', '.join(shipped())}; `likeness {command} CONFIG --help` lists its fields."
        )
    if arguments[0].startswith("-"):
        raise UserError(f"The config comes first: likeness {command} CONFIG {' '.join(arguments)}.")
    name = arguments[0]
    run = load(name)
    both = dataclasses.make_dataclass(
        "Arguments",
        [
            ("options", Annotated[options, tyro.conf.arg(name="")], dataclasses.field(default_factory=options)),  # pyright: ignore
            ("run", Annotated[Run, tyro.conf.arg(name="")], dataclasses.field(default=run)),  # pyright: ignore
        ],
        frozen=True,
    )
    parsed: Any = cli(both, prog=f"likeness {command} {name}", arguments=arguments[1:])
    return name, parsed.options, parsed.run


def cli(kind: Any, *, prog: str, arguments: list[str]) -> Any:
    """``tyro.cli`` with the project's conventions: a union keeps the config's choice and its fields stay reachable."""
    with warnings.catch_warnings():
        # A protocol's implementation stands where the protocol is annotated; tyro follows it, and says so.
        warnings.filterwarnings("ignore", message="The field .* is annotated with type")
        return tyro.cli(kind, prog=prog, args=arguments, config=(tyro.conf.AvoidSubcommands, tyro.conf.FlagConversionOff))


__all__ = ["cli", "parse"]
