"""Several receipts in one transaction: who finds a store at work waits, and is stored with all who wait then."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

_Given = TypeVar("_Given")
_Told = TypeVar("_Told")


class _Entry(Generic[_Given, _Told]):
    """What one thread has given, and what it is told."""

    __slots__ = ("given", "leads", "size", "told", "wakes")

    def __init__(self, given: _Given, size: int) -> None:
        self.given = given
        self.size = size
        self.told: list[_Told] = []
        self.leads = False
        self.wakes = threading.Lock()
        self.wakes.acquire()


class Together(Generic[_Given, _Told]):
    """Has what many threads give stored by one of them at a time, each time all that waits.

    A thread that finds nobody at work stores at once, and its own alone. Others wait until they are told, or until
    it is their turn to store what waits.
    """

    def __init__(
        self, store: Callable[[Sequence[_Given]], Sequence[_Told]], *, at_most: int, bytes_at_most: int
    ) -> None:
        """`store` gives an outcome for each of what it is given, in the same order; all of it is then durable.

        It is called in one of the threads that have called, with `at_most` things of `bytes_at_most` together.
        """
        self._store = store
        self._at_most = at_most
        self._bytes_at_most = bytes_at_most
        self._lock = threading.Lock()
        self._at_work = False
        self._waiting: deque[_Entry[_Given, _Told]] = deque()

    def __call__(self, given: _Given, size: int) -> _Told | None:
        """The outcome of `given`, of `size` bytes; None where it, or what was stored with it, made `store` fail."""
        entry: _Entry[_Given, _Told] = _Entry(given, size)
        with self._lock:
            self._waiting.append(entry)
            waits, self._at_work = self._at_work, True
        if waits:
            entry.wakes.acquire()
        if not waits or entry.leads:
            self._lead()
        return entry.told[0] if entry.told else None

    def _lead(self) -> None:
        """Store what waits, tell each, and wake who is next. One at a time does this, who is first of what waits."""
        group = self._group()
        try:
            outcomes = self._store([entry.given for entry in group])
            for entry, outcome in zip(group, outcomes, strict=True):
                entry.told.append(outcome)
        except Exception as error:
            logger.warning("%s messages were not stored together, but are one by one: %s", len(group), error)
        finally:
            with self._lock:
                following = self._waiting[0] if self._waiting else None
                self._at_work = following is not None
            if following is not None:
                following.leads = True
                following.wakes.release()
            for entry in group[1:]:
                entry.wakes.release()

    def _group(self) -> list[_Entry[_Given, _Told]]:
        """What waits, the first of it at least, as far as it may be stored together."""
        left = self._bytes_at_most
        group: list[_Entry[_Given, _Told]] = []
        with self._lock:
            while (
                self._waiting and len(group) < self._at_most and (not group or self._waiting[0].size <= left)
            ):
                left -= self._waiting[0].size
                group.append(self._waiting.popleft())
        return group
