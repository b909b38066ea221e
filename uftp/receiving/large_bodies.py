"""The lock for large bodies. They are received one at a time, so that several cannot fill the memory."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from uftp.receiving.exceptions import RETRY_SECONDS, Refused

LARGE = 4_000_000
"""The length in bytes above which a body is large."""

WAIT = 20.0
"""Maximum seconds that a request with a large body waits for another one."""

_large_body_lock = threading.Lock()


@contextmanager
def one_at_a_time(length: int) -> Iterator[None]:
    """Lock the receiving of large bodies, if `length` bytes are large.

    Raises:
        Refused: 503, after `WAIT` seconds.
    """
    if length <= LARGE:
        yield
        return
    if not _large_body_lock.acquire(timeout=WAIT):
        raise Refused(503, "busy with other large messages", retry_after=RETRY_SECONDS)
    try:
        yield
    finally:
        _large_body_lock.release()
