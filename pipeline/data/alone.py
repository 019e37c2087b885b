"""What two processes at once would spoil, done by one at a time."""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def alone_in(folder: Path, when_busy: Callable[[], None]) -> Iterator[None]:
    """Nobody else who asks has the folder meanwhile; what has it ends with its process, however that ends.

    Args:
        folder: is there already. Where its file system knows no locks, such as some over a network, nothing is held.
        when_busy: called if another has it, before that one is waited for; it may raise instead.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            if not _taken(descriptor):
                when_busy()
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
