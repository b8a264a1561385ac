"""``likeness configs``: what can be trained, with each config's own words."""

import dataclasses

from experiments.commands.flags import cli


@dataclasses.dataclass(frozen=True)
class Options:
    """List the configs that come with Likeness. One in full: likeness show CONFIG."""


def main(arguments: list[str]) -> int:
    cli(Options, prog="likeness configs", arguments=arguments)
    from experiments.config import docstring, shipped

    names = shipped()
    width = max(map(len, names))
    for name in names:
        print(f"{name:<{width}}  {docstring(name).splitlines()[0]}")
    return 0
