"""Answers of DNS: they are kept for a time, and few threads ask at once.

A thread that asks waits for somebody else's name server. Other requests must never wait for such threads. So at most
SLOTS threads of a process ask at once, and fewer of them for participants that staff have not registered. The owner of
a zone has any number of names, such as those of `*.agr.example`, and its name server need not answer: so one name of a
zone is asked for at a time.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Asker(Enum):
    """On whose behalf a thread asks."""

    REGISTERED = "a participant that staff have registered"
    DISCOVERED = "a participant that discovery has recorded, and that was heard from lately"
    UNREGISTERED = "anybody else"


SLOTS = 5
"""How many threads of a process ask at once. A web process has 8 threads for requests (`manage.py serve`)."""

SLOTS_OF = {Asker.REGISTERED: SLOTS, Asker.DISCOVERED: 2, Asker.UNREGISTERED: 2}
"""How many of these ask on behalf of each."""

FOLLOWERS = 1
"""How many further threads of a process wait for an answer to a question that another thread is asking."""

FOUND_SECONDS = 10.0, 3_600.0
"""For how long an answer is kept: at least and at most, whatever its source says."""

NOTHING_SECONDS = 60.0
"""For how long it is kept that there is nothing."""

FAILURE_SECONDS = 15.0
"""For how long a failure is kept."""

STALE_SECONDS = 3_600.0
"""For how long an answer that is no longer valid is used while it cannot be renewed."""

MAX_FOUND, MAX_OTHERS, MAX_FAILURES = 2_000, 2_000, 2_000
"""How many answers about participants are kept, how many others, and how many failures.

The others are names without a record, and answers about senders that are not registered. So nothing that such senders
cause displaces an answer about a participant.
"""


class DiscoveryFailed(Exception):
    """A look-up gave no usable answer. This is temporary: 419 for a received message, a retry for a message to send."""


@dataclass(frozen=True, slots=True)
class _Kept:
    value: Any
    failure: str | None
    asked_at: float
    expires_at: float


@dataclass(frozen=True, slots=True, eq=False)
class _UnderWay:
    """A question that a thread is asking."""

    asker: Asker
    zone: str | None
    answer: "Future[_Kept]" = field(default_factory=Future)


class LookUps:
    """Keeps answers, and limits how many threads ask for others.

    Args:
        clock: Returns seconds that never run backwards.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition(threading.Lock())
        self._found: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._others: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._failures: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._under_way: dict[Hashable, _UnderWay] = {}
        self._followers = 0

    def answer(
        self,
        question: Hashable,
        ask: Callable[[], tuple[T, float]],
        *,
        patience: float = 0.0,
        asker: Asker = Asker.REGISTERED,
        zone: str | None = None,
        newer_than: float | None = None,
    ) -> T:
        """Return the answer that is kept, or else the one of `ask`.

        If another thread is asking the same question, wait for its answer. If there is no new answer, return the
        former one until STALE_SECONDS after its time.

        Args:
            question: Identifies the question.
            ask: Returns the answer and the seconds for which it may be kept. An answer that is false, such as an
                empty tuple, means that there is nothing. Raises DiscoveryFailed.
            patience: For how many seconds to wait for a slot.
            asker: On whose behalf this is.
            zone: The zone of the name. One name of it is asked for at a time on behalf of each kind of asker. None: as
                many as there are slots.
            newer_than: Ignore an answer that is older than so many seconds. If there is no newer one, the older one
                is still kept for other callers.

        Raises:
            DiscoveryFailed: `ask` failed, now or a short time ago, or too many threads ask already.
        """
        try:
            kept = self._answer(question, ask, _UnderWay(asker, zone), patience, newer_than)
        except DiscoveryFailed:
            stale = self._stale(question) if newer_than is None else None
            if stale is None:
                raise
            kept = stale
        return cast(T, kept.value)

    def _answer(
        self,
        question: Hashable,
        ask: Callable[[], tuple[Any, float]],
        mine: _UnderWay,
        patience: float,
        newer_than: float | None,
    ) -> _Kept:
        """Return an answer that is kept, or the new one. Raises DiscoveryFailed."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._kept(question, newer_than) or self._has_room(question, mine), timeout=patience
            )
            kept = self._kept(question, newer_than)
            other = self._under_way.get(question)
            if kept is None:
                if not self._has_room(question, mine):
                    raise DiscoveryFailed("too many other look-ups are under way")
                if other is None:
                    self._under_way[question] = mine
                else:
                    self._followers += 1
        if kept is None:
            kept = self._ask(question, ask, mine) if other is None else self._follow(other)
        if kept.failure is not None:
            raise DiscoveryFailed(kept.failure)
        return kept

    def _has_room(self, question: Hashable, mine: _UnderWay) -> bool:
        """Return whether a thread may ask `question`, or wait for another one that asks it. Needs the lock."""
        if question in self._under_way:
            return self._followers < FOLLOWERS
        like = [other for other in self._under_way.values() if other.asker == mine.asker]
        return (
            len(self._under_way) < SLOTS
            and len(like) < SLOTS_OF[mine.asker]
            and (mine.zone is None or all(other.zone != mine.zone for other in like))
        )

    def _kept(self, question: Hashable, newer_than: float | None) -> _Kept | None:
        """Return the answer or failure that is kept for `question`. Needs the lock."""
        now = self._clock()
        for stored in (self._found, self._others, self._failures):
            kept = stored.get(question)
            if kept is None or now >= kept.expires_at:
                continue
            if newer_than is None or now - kept.asked_at <= newer_than:
                return kept
        return None

    def _stale(self, question: Hashable) -> _Kept | None:
        """Return the answer that was kept until at most STALE_SECONDS ago, or None."""
        with self._changed:
            kept = self._found.get(question) or self._others.get(question)
        return kept if kept and self._clock() < kept.expires_at + STALE_SECONDS else None

    def _follow(self, other: _UnderWay) -> _Kept:
        """Wait for the thread that asks the same question."""
        try:
            return other.answer.result()
        finally:
            with self._changed:
                self._followers -= 1
                self._changed.notify_all()

    def _ask(self, question: Hashable, ask: Callable[[], tuple[Any, float]], mine: _UnderWay) -> _Kept:
        try:
            kept = self._kept_anew(ask)
            self._keep(question, kept, registered=mine.asker is not Asker.UNREGISTERED)
            mine.answer.set_result(kept)
        except BaseException as error:
            mine.answer.set_exception(error)
            raise
        finally:
            with self._changed:
                del self._under_way[question]
                self._changed.notify_all()
        return kept

    def _kept_anew(self, ask: Callable[[], tuple[Any, float]]) -> _Kept:
        """Ask, and return the answer or the failure with its time."""
        asked_at = self._clock()
        value, failure = None, None
        try:
            value, seconds = ask()
        except DiscoveryFailed as failed:
            failure, seconds = str(failed), FAILURE_SECONDS
        else:
            least, most = FOUND_SECONDS
            seconds = min(max(seconds, least), most) if value else NOTHING_SECONDS
        return _Kept(value, failure, asked_at, self._clock() + seconds)

    def _keep(self, question: Hashable, kept: _Kept, *, registered: bool) -> None:
        with self._changed:
            self._failures.pop(question, None)
            if kept.failure is not None:
                # A failure does not replace an answer. Otherwise anybody could remove the key of a participant whose
                # name server is down: a message with a forged signature makes us ask again.
                where, longest = self._failures, MAX_FAILURES
            else:
                self._found.pop(question, None)
                self._others.pop(question, None)
                found = kept.value and registered
                where, longest = (self._found, MAX_FOUND) if found else (self._others, MAX_OTHERS)
            where[question] = kept
            while len(where) > longest:
                where.popitem(last=False)
