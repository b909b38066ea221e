"""Search for a text in the XML of one sender's messages of some days, the newest first, as a long job of a worker.

A search is bounded in days, messages and bytes, and so is the number of searches that wait. It is done in short
transactions: one that is interrupted goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, datetime, timedelta

from django.db import transaction

from uftp import stored_xml
from uftp.models import InboundMessage, MessageSearch, Sender
from uftp.protocol.finding import has_text, place_of_text
from uftp.wakeups import long_jobs, wakeups

MAX_DAYS = 31
MAX_MESSAGES = 20_000
MAX_BYTES = 2_000_000_000
MAX_FOUND = 200
"""A search ends where it has found so many messages."""

MAX_UNFINISHED = 10
"""Searches that wait or are under way, of all staff; each member of staff has one."""

MAX_STORED = 1_000
"""Searches that are stored; older ones are deleted."""

BATCH_BYTES = 16_000_000
BATCH_MESSAGES = 200
TURN = 30.0
"""Seconds after which a search lets other long jobs, such as imports, go first."""

TASK = "uftp.search_messages"

State = MessageSearch.State
UNFINISHED = (State.WAITING, State.RUNNING)


class SearchRefused(ValueError):
    """The search cannot be started. The message is for staff."""


@transaction.atomic
def start(
    sender: Sender,
    text: str,
    days: tuple[date, date],
    moments: tuple[datetime, datetime],
    *,
    actor: str,
    now: datetime,
) -> MessageSearch:
    """Store a search, which waits for a worker. Wake one after the commit.

    Args:
        sender: Whose messages are read.
        text: What they are searched for, in any case.
        days: The first and the last day, both inclusive.
        moments: The beginning of the first day, and the end of the last one.
        actor: The member of staff.
        now: The present moment (aware).

    Raises:
        SearchRefused: There are too many days, or too many searches.
    """
    first, last = days
    if last < first:
        raise SearchRefused("The last day is before the first.")
    if last - first >= timedelta(days=MAX_DAYS):
        raise SearchRefused(f"A search reads the messages of at most {MAX_DAYS} days; choose fewer.")
    unfinished = MessageSearch.objects.filter(state__in=UNFINISHED)
    if unfinished.filter(actor=actor).exists():
        raise SearchRefused("Another search of yours is not done yet; wait for it.")
    if unfinished.count() >= MAX_UNFINISHED:
        raise SearchRefused("Too many searches wait at the moment; try again in some minutes.")
    oldest = MessageSearch.objects.order_by("-pk").values_list("pk", flat=True)[MAX_STORED - 1 : MAX_STORED]
    if oldest:
        MessageSearch.objects.filter(pk__lte=oldest[0]).delete()
    search = MessageSearch.objects.create(
        sender=sender,
        text=text,
        first_day=first,
        last_day=last,
        begin=moments[0],
        end=moments[1],
        actor=actor,
        created_at=now,
    )
    transaction.on_commit(lambda: wake_search(search.pk))
    return search


def wake_search(search_id: int) -> None:
    """Wake a worker for a search."""
    wakeups.wake(long_jobs.QUEUE, TASK, f"search {search_id}", {"search_id": search_id})


def wake() -> None:
    """Wake a worker for each search that is not done."""
    for pk in MessageSearch.objects.filter(state__in=UNFINISHED).order_by("pk").values_list("pk", flat=True):
        wake_search(pk)


def is_waiting() -> bool:
    """Return whether any search is not done."""
    return MessageSearch.objects.filter(state__in=UNFINISHED).exists()


def run(search_id: int, *, now: Callable[[], datetime], stopping: Callable[[], bool]) -> None:
    """Search, until it is done, the process is to stop, or others have waited for TURN seconds."""
    until = time.monotonic() + TURN
    while not stopping() and _step(search_id, now=now):
        if time.monotonic() > until:
            wake_search(search_id)
            return


@transaction.atomic
def _step(search_id: int, *, now: Callable[[], datetime]) -> bool:
    """Do the next part of a search; return whether there is more to do here."""
    rows = MessageSearch.objects.select_for_update(skip_locked=True).filter(
        pk=search_id, state__in=UNFINISHED
    )
    search = rows.first()
    if search is None:
        return False
    search.state = State.RUNNING
    if search.messages is None:
        search.messages = _messages(search)
        search.total = len(search.messages)
        search.save()
        return True
    _read(search)
    if search.state != State.RUNNING:
        search.finished_at = now()
    search.save(update_fields=["state", "read", "read_bytes", "found", "places", "finished_at"])
    return search.state == State.RUNNING


def _messages(search: MessageSearch) -> list[int]:
    """Return the messages to read, the newest first, and one more if they are too many."""
    rows = InboundMessage.objects.filter(
        sender=search.sender_id, received_at__gte=search.begin, received_at__lt=search.end
    )
    return list(rows.order_by("-received_at", "-pk").values_list("pk", flat=True)[: MAX_MESSAGES + 1])


def _read(search: MessageSearch) -> None:
    """Read the next messages, as many as one transaction reads."""
    following = (search.messages or [])[search.read : search.read + BATCH_MESSAGES]
    in_order = InboundMessage.objects.defer("sealed").in_bulk(following)
    until = search.read_bytes + BATCH_BYTES
    for pk in following:
        if search.read >= MAX_MESSAGES or search.read_bytes >= MAX_BYTES or len(search.found) >= MAX_FOUND:
            search.state = State.CUT
            return
        message = in_order[pk]
        if has_text(stored_xml.pieces(message), search.text):
            search.found.append(pk)
            search.places.append(place_of_text(stored_xml.pieces(message), search.text))
        search.read, search.read_bytes = search.read + 1, search.read_bytes + message.size
        if search.read_bytes >= until:
            break
    if search.read == search.total:
        search.state = State.DONE
