"""Objects as another process gets them."""

import multiprocessing
import threading
from typing import TypeVar

_T = TypeVar("_T")


def crossed(value: _T) -> _T:
    """What comes out of a pipe into which the value was put, as Grain's workers get what they read with."""
    here, there = multiprocessing.Pipe()
    # A pipe holds little: who puts in waits for who takes out.
    sender = threading.Thread(target=here.send, args=(value,))
    sender.start()
    received = there.recv()
    sender.join()
    here.close()
    there.close()
    return received
