"""The one error a person can cause."""


class UserError(ValueError):
    """Something the person who typed the command can mend.

    The message is one paragraph that says what is wrong, where, and what to do next; the command line prints it without
    a stack trace and exits with 2.
    """
