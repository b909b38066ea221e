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

BUSY_RATE = 200.0
"""Receipts per second above which handling pauses."""

CHECK_INTERVAL = 0.05  # seconds
MAX_PAUSE = 2.0  # seconds

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
    _checked_at: float = 0.0
    _last_count: int | None = None
    _busy: bool = False
    _waiting_since: float | None = None
    _resume_until: float = 0.0

    def wait(self, stopping: Callable[[], bool]) -> None:
        """Wait until receipts slow down, for at most MAX_PAUSE seconds, or until `stopping` returns True."""
        while not stopping() and self._must_wait():
            self.sleep(CHECK_INTERVAL)

    def _must_wait(self) -> bool:
        with self._lock:
            now = self.clock()
            if now - self._checked_at >= CHECK_INTERVAL:
                count = self.received()
                self._busy = self._last_count is not None and count - self._last_count > BUSY_RATE * (
                    now - self._checked_at
                )
                self._checked_at, self._last_count = now, count
            if not self._busy or now < self._resume_until:
                self._waiting_since = None
                return False
            if self._waiting_since is None:
                self._waiting_since = now
            if now - self._waiting_since >= MAX_PAUSE:
                self._resume_until, self._waiting_since = now + MAX_PAUSE, None
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
