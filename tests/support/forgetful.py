"""Forgets code of one's own, as a new process would, so that one process can play several."""

import contextlib
import sys
from collections.abc import Iterator

from likeness.experiments.own_code import modules, trust


@contextlib.contextmanager
def new_process() -> Iterator[None]:
    """What is imported within, and what is said yes to, is forgotten afterwards; nothing of before is known within."""
    before, path = dict(sys.modules), list(sys.path)
    folders, kept, allowed = list(modules._FOLDERS), dict(modules._KEPT), set(trust._ALLOWED)
    own = [name for name, module in before.items() if modules.known_source(module) is not None]
    for name in own:
        del sys.modules[name]
    modules._FOLDERS.clear(), modules._KEPT.clear(), trust._ALLOWED.clear()
    try:
        yield
    finally:
        for name, module in list(sys.modules.items()):
            if name not in before and (modules.known_source(module) is not None or not getattr(module, "__file__", None)):
                del sys.modules[name]
        sys.modules.update({name: before[name] for name in own})
        sys.path[:] = path
        modules._FOLDERS[:] = folders
        modules._KEPT.clear(), modules._KEPT.update(kept)
        trust._ALLOWED.clear(), trust._ALLOWED.update(allowed)
