"""Large bodies: each is read into a file, and then one at a time is received, so that several cannot fill the memory.

Nothing that waits for somebody outside is done under the lock: neither reading, nor looking up keys.
"""

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from uftp.receiving.exceptions import PIECE, RETRY_SECONDS, Refused

LARGE = 4_000_000
"""The length in bytes above which a body is large."""

WAIT = 20.0
"""Maximum seconds that a request with a large body waits for another one."""

READ_SECONDS, READ_BYTES_PER_SECOND = 30.0, 200_000
"""A large body must come within so many seconds, and one more for so many bytes."""

_large_body_lock = threading.Lock()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Lock the receiving of large bodies.

    Raises:
        Refused: 503, after `WAIT` seconds.
    """
    if not _large_body_lock.acquire(timeout=WAIT):
        raise Refused(503, "busy with other large messages", retry_after=RETRY_SECONDS)
    try:
        yield
    finally:
        _large_body_lock.release()


@contextmanager
def read_into_file(stream: IO[bytes], length: int) -> Iterator[IO[bytes]]:
    """Read `length` bytes of a body, or fewer if it is shorter, into a file that exists until the end.

    Raises:
        Refused: 503, if it comes too slowly.
    """
    deadline = time.monotonic() + READ_SECONDS + length / READ_BYTES_PER_SECOND
    with tempfile.TemporaryFile() as file:
        missing = length
        while missing and (piece := stream.read(min(missing, PIECE))):
            file.write(piece)
            missing -= len(piece)
            if missing and time.monotonic() > deadline:
                raise Refused(503, "the body came too slowly", retry_after=RETRY_SECONDS)
        yield file
