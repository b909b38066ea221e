"""Large bodies are received one at a time, so that several cannot fill the memory together."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from uftp.receiving.exceptions import RETRY_SECONDS, Refused

LARGE = 4_000_000
"""The length in bytes above which a body is large."""

WAIT = 20.0
"""Seconds that a request waits for another with a large body."""

_one = threading.Lock()


@contextmanager
def one_at_a_time(length: int) -> Iterator[None]:
    """Wait, if a body of `length` bytes is large, until no other large one is being received.

    Raises:
        Refused: 503, after `WAIT` seconds.
    """
    if length <= LARGE:
        yield
        return
    if not _one.acquire(timeout=WAIT):
        raise Refused(503, "busy with other large messages", retry_after=RETRY_SECONDS)
    try:
        yield
    finally:
        _one.release()
