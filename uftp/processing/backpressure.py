"""Handling gives way to receiving: whoever posts a message waits for its 200, whoever is answered waits anyway.

While messages come in fast, a worker waits before it handles the next, for a while at most: a flood that goes on is
handled half of the time.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from common import sql

FAST = 200.0
"""Receipts a second from which on they need the machine for themselves."""

LOOK_EVERY = 0.05  # seconds
LONGEST = 2.0  # seconds

_RECEIVED = "SELECT last_value FROM uftp_inboundmessage_id_seq"


@dataclass
class GivingWay:
    """What one process knows of the pace of receipts; its threads share it.

    `received` gives how many there were so far, `clock` and `sleep` are those of `time`.
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
        """Return when receipts have slowed down, after LONGEST at most, or when `stopping`."""
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


receiving_first = GivingWay(_received)
"""That of this process."""
