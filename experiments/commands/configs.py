"""``likeness configs``: what can be trained, with each config's own words."""

from experiments.config import docstring, shipped
from research.errors import UserError


def main(arguments: list[str]) -> int:
    if any(argument not in ("-h", "--help") for argument in arguments):
        raise UserError("usage: likeness configs; it takes no arguments. One config: `likeness show CONFIG`.")
    names = shipped()
    width = max(map(len, names))
    for name in names:
        print(f"{name:<{width}}  {docstring(name).splitlines()[0]}")
    return 0
