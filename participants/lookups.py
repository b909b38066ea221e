"""Answers of DNS: they are kept for a time, and few threads ask at once.

A thread that asks waits for somebody else's name server. Other requests must never wait for such threads. So at most
SLOTS threads of a process ask at once, and fewer on behalf of senders that are not registered.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

T = TypeVar("T")

SLOTS = 4
"""How many threads of a process ask at once. A web process has 8 threads for requests (`manage.py serve`)."""

SLOTS_FOR_UNREGISTERED = 2
"""How many of these ask on behalf of senders that are not registered."""

FOUND_SECONDS = 10.0, 3_600.0
"""For how long an answer is kept: at least and at most, whatever its source says."""

NOTHING_SECONDS = 60.0
"""For how long it is kept that there is nothing."""

FAILURE_SECONDS = 15.0
"""For how long a failure is kept."""

MAX_FOUND, MAX_OTHERS = 2_000, 2_000
"""How many answers about registered participants are kept, and how many others.

The others are failures, names without a record, and answers about senders that are not registered. So nothing that
such senders cause displaces an answer about a registered participant.
"""


class DiscoveryFailed(Exception):
    """A look-up gave no usable answer. This is temporary: 419 for a received message, a retry for a message to send."""


@dataclass(frozen=True, slots=True)
class _Kept:
    value: Any
    failure: str | None
    asked_at: float
    expires_at: float


class LookUps:
    """Keeps answers, and limits how many threads ask for others.

    Args:
        clock: Returns seconds that never run backwards.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._found: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._others: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._slots = threading.BoundedSemaphore(SLOTS)
        self._slots_for_unregistered = threading.BoundedSemaphore(SLOTS_FOR_UNREGISTERED)

    def answer(
        self,
        question: Hashable,
        ask: Callable[[], tuple[T, float]],
        *,
        patience: float = 0.0,
        unregistered: bool = False,
        newer_than: float | None = None,
    ) -> T:
        """Return the answer that is kept, or else the one of `ask`.

        Args:
            question: Identifies the question.
            ask: Returns the answer and the seconds for which it may be kept. An answer that is false, such as an
                empty tuple, means that there is nothing. Raises DiscoveryFailed.
            patience: For how many seconds to wait for a slot.
            unregistered: Whether this is on behalf of a sender that is not registered.
            newer_than: Ignore an answer that is older than so many seconds. If there is no newer one, the older one
                is still kept for other callers.

        Raises:
            DiscoveryFailed: `ask` failed, now or a short time ago, or too many threads ask already.
        """
        kept = self._kept(question, newer_than)
        if kept is not None:
            return cast(T, self._value(kept))
        gates = [self._slots_for_unregistered, self._slots] if unregistered else [self._slots]
        passed: list[threading.BoundedSemaphore] = []
        try:
            for gate in gates:
                if not gate.acquire(timeout=patience):
                    raise DiscoveryFailed("too many other look-ups are under way")
                passed.append(gate)
            kept = self._kept(question, newer_than)  # another thread may have asked meanwhile
            return cast(T, self._value(kept or self._ask(question, ask, unregistered)))
        finally:
            for gate in passed:
                gate.release()

    def _kept(self, question: Hashable, newer_than: float | None) -> _Kept | None:
        now = self._clock()
        with self._lock:
            stored = [self._found.get(question), self._others.get(question)]
        for kept in stored:
            if kept is None or now >= kept.expires_at:
                continue
            if newer_than is None or now - kept.asked_at <= newer_than:
                return kept
        return None

    def _ask(self, question: Hashable, ask: Callable[[], tuple[T, float]], unregistered: bool) -> _Kept:
        asked_at = self._clock()
        value, failure = None, None
        try:
            value, seconds = ask()
        except DiscoveryFailed as failed:
            failure, seconds = str(failed), FAILURE_SECONDS
        else:
            least, most = FOUND_SECONDS
            seconds = min(max(seconds, least), most) if value else NOTHING_SECONDS
        kept = _Kept(value, failure, asked_at, self._clock() + seconds)
        with self._lock:
            # A failure does not replace an answer. Otherwise anybody could remove the key of a participant whose name
            # server is down: a message with a forged signature makes us ask again.
            if failure is None:
                self._found.pop(question, None)
            self._others.pop(question, None)
            for_registered = value and not unregistered
            where, longest = (self._found, MAX_FOUND) if for_registered else (self._others, MAX_OTHERS)
            where[question] = kept
            while len(where) > longest:
                where.popitem(last=False)
        return kept

    @staticmethod
    def _value(kept: _Kept) -> Any:
        if kept.failure is not None:
            raise DiscoveryFailed(kept.failure)
        return kept.value
