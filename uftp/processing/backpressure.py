"""Backpressure: handling leaves the machine to receiving.

Whoever posts a message waits for its 200. The answer comes later in any case.

Two mechanisms. A worker runs at a lower priority than the web processes. While messages come in fast, it also pauses
before it handles the next one, for a while at most: a flood that goes on is handled half of the time.
"""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from common import sql

NICENESS = 10
"""The priority of a worker, as `nice` counts: the web processes have 0."""

FAST = 200.0
"""Receipts a second from which on they need the machine for themselves."""

LOOK_EVERY = 0.05  # seconds
LONGEST = 2.0  # seconds

_RECEIVED = "SELECT last_value FROM uftp_inboundmessage_id_seq"


@dataclass
class Backpressure:
    """What one process knows of the pace of receipts. Its threads share it.

    `received` gives the number of receipts so far. `clock` and `sleep` are those of `time`.
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
        """Wait until receipts slow down, for LONGEST at most, or until `stopping`."""
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
"""That of this process."""


def lower_priority() -> None:
    """Let the web processes go first where they share a machine with this one."""
    os.nice(max(0, NICENESS - os.nice(0)))
