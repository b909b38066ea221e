"""Local dispatch: threads of the process that stored a message deliver it, without a job.

A job for any process is made only if all of these threads are busy, or if enough of them deliver to the recipient.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from django.db import close_old_connections

from uftp.delivery.leases import MAX_CONCURRENT
from uftp.handlers import Party

logger = logging.getLogger(__name__)

Wake = Callable[[str, str], None]


class LocalDispatch:
    """Delivers the due messages to a participant in a thread of this process, or else wakes a delivery elsewhere."""

    def __init__(self, deliver: Wake, fallback: Wake) -> None:
        """Set the two functions that deliver.

        Args:
            deliver: Delivers the due messages to (role, domain).
            fallback: Makes a wake-up for (role, domain).
        """
        self._deliver, self._fallback = deliver, fallback
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._free = 0
        self._active: Counter[Party] = Counter()
        self._starting: set[Party] = set()

    @contextmanager
    def open(self, threads: int) -> Iterator[None]:
        """Deliver in `threads` threads inside the `with` block. At its end, wait for the deliveries under way."""
        pool = ThreadPoolExecutor(threads, thread_name_prefix="delivery")
        with self._lock:
            self._pool, self._free = pool, threads
        try:
            yield
        finally:
            with self._lock:
                self._pool = None
            pool.shutdown()

    def __call__(self, role: str, domain: str) -> None:
        """Have the due messages to (role, domain) delivered. Call this after the commit that stores them."""
        party = role, domain
        with self._lock:
            if party in self._starting:
                return
            here = self._pool is not None and self._free > 0 and self._active[party] < MAX_CONCURRENT
            if here and self._pool is not None:
                self._free -= 1
                self._active[party] += 1
                self._starting.add(party)
                self._pool.submit(self._run, party)
        if not here:
            self._fallback(role, domain)

    def _run(self, party: Party) -> None:
        try:
            close_old_connections()
            with self._lock:
                self._starting.discard(party)
            self._deliver(*party)
        except Exception:
            logger.warning("A delivery to %s %s failed and is left to the sweep.", *party, exc_info=True)
        finally:
            with self._lock:
                self._starting.discard(party)
                self._free += 1
                self._active[party] -= 1
                if not self._active[party]:
                    del self._active[party]
            close_old_connections()
