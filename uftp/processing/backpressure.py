"""Backpressure: handling pauses while many messages come in.

A participant's system waits for the 200 of a message, but not for the response. So receiving goes first.

There are two mechanisms. A worker runs at a lower priority than the web processes. While messages come in fast, it
also pauses before it handles the next one. A pause has a maximum: if the flood goes on, handling runs half of the time.
"""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from common import sql

NICENESS = 10
"""The `nice` value of a worker. The web processes have 0."""

FAST = 200.0
"""Receipts per second above which handling pauses."""

LOOK_EVERY = 0.05  # seconds
LONGEST = 2.0  # seconds

_RECEIVED = "SELECT last_value FROM uftp_inboundmessage_id_seq"


@dataclass
class Backpressure:
    """The rate of receipts, as one process measures it for all of its threads.

    `received` returns the number of receipts so far. Tests replace `clock` and `sleep`.
    """

    received: Callable[[], int]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _looked_at: float = 0.0
    _seen: int | None = None
    _fast: bool = False
    _since: float | None = None
    _works_until: float = 0.0

    def wait(self, stopping: Callable[[], bool]) -> None:
        """Wait until receipts slow down, for at most LONGEST seconds, or until `stopping` returns True."""
        while not stopping() and self._is_to_wait():
            self.sleep(LOOK_EVERY)

    def _is_to_wait(self) -> bool:
        with self._lock:
            now = self.clock()
            if now - self._looked_at >= LOOK_EVERY:
                seen = self.received()
                self._fast = self._seen is not None and seen - self._seen > FAST * (now - self._looked_at)
                self._looked_at, self._seen = now, seen
            if not self._fast or now < self._works_until:
                self._since = None
                return False
            if self._since is None:
                self._since = now
            if now - self._since >= LONGEST:
                self._works_until, self._since = now + LONGEST, None
                return False
            return True


def _received() -> int:
    found = sql.fetch(_RECEIVED, {})
    assert found is not None
    return int(found[0])


backpressure = Backpressure(_received)
"""The backpressure of this process."""


def lower_priority() -> None:
    """Give this process a lower priority than the web processes on the same machine."""
    os.nice(max(0, NICENESS - os.nice(0)))
