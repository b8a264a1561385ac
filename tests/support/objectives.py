"""Style experiments as tests vary them: the fields of the objective beside their own."""

import dataclasses

from likeness.experiments.style import StyleObjective

_FIELDS = {field.name for field in dataclasses.fields(StyleObjective)}


def with_objective(kind, **fields):
    """An experiment of this kind."""
    own = {name: value for name, value in fields.items() if name not in _FIELDS}
    return kind(objective=StyleObjective(**{name: fields[name] for name in fields.keys() & _FIELDS}), **own)
