"""The one error a person can cause, and the words for a package that is missing."""


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
