"""The one error a person can cause, and the words for a package that is missing."""

import importlib.util


class UserError(ValueError):
    """Something the person who typed the command can mend.

    The message is one paragraph that says what is wrong, where, and what to do next; the command line prints it without
    a stack trace and exits with 2.
    """


def how_to_install(extra: str) -> str:
    """The command that installs one of Likeness's extras.

    >>> how_to_install("keras")
    "pip install 'likeness-jax[keras]'"
    """
    return f"pip install 'likeness-jax[{extra}]'"


def require(library: str, extra: str, what: str) -> None:
    """Finds out before anything is done that a library of one of Likeness's extras is missing.

    Args:
        library: the name that it is imported by.
        extra: that brings it.
        what: needs it, as the beginning of a sentence.

    Raises:
        UserError: it is not installed.
    """
    if importlib.util.find_spec(library) is None:
        raise UserError(f"{what} needs {library}, which is not installed: {how_to_install(extra)}.")
