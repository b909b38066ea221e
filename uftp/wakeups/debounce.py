"""Wake-ups made sparingly: at once, and then no more often than they do any good."""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from django.db import connections

EVERY = 0.25
"""Seconds between two wake-ups of the same."""

_Woken = TypeVar("_Woken", bound=Hashable)


class Sparing(Generic[_Woken]):
    """Wakes what it is called with: at once, or soon where that was woken less than EVERY ago.

    A wake-up serves for all that was committed before it is taken up, so that of many messages a second few need one.
    One that this process still owes when it ends is left to the sweep.
    """

    def __init__(self, wake: Callable[[_Woken], None]) -> None:
        """`wake` is called in the caller's thread, or in one of this object's own."""
        self._wake = wake
        self._lock = threading.Lock()
        self._woken_at: dict[_Woken, float] = {}
        self._owed: set[_Woken] = set()
        self._payer: threading.Thread | None = None

    def __call__(self, woken: _Woken) -> None:
        """Wake `woken`. To be called after the commit of what is to be found there."""
        with self._lock:
            now = time.monotonic()
            at_once = self._woken_at.get(woken, 0.0) <= now - EVERY and woken not in self._owed
            if at_once:
                self._woken_at[woken] = now
            else:
                self._owed.add(woken)
                if self._payer is None:
                    self._payer = threading.Thread(target=self._pay, name="wake-ups", daemon=True)
                    self._payer.start()
        if at_once:
            self._wake(woken)

    def _pay(self) -> None:
        """Wake what is owed, every so often until nothing is."""
        try:
            while to := self._due():
                for woken in to:
                    self._wake(woken)
        finally:
            connections.close_all()

    def _due(self) -> set[_Woken]:
        """What is owed after a pause; where that is nothing, this thread is to end."""
        time.sleep(EVERY)
        with self._lock:
            to, self._owed = self._owed, set()
            now = time.monotonic()
            recent = {woken: at for woken, at in self._woken_at.items() if at > now - EVERY}
            self._woken_at = recent | dict.fromkeys(to, now)
            if not to:
                self._payer = None
            return to
