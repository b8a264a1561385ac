"""How an orderly stop is told to who launched the run. Imports nothing, since the command line waits for it."""


class Interrupted(Exception):
    """The run stopped on request and can go on; the command line exits with 75, "try again later"."""
