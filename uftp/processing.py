"""The handling of received messages: one sender's messages one after another, each in one transaction."""

import logging
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Any

from django.db import DatabaseError, InterfaceError, connection, connections, transaction
from django.db.models import F, Q
from django.utils import timezone

from participants import clock, retrying
from participants.retrying import lost_race, retried, server_trouble
from uftp import answering, binary, checks
from uftp.handling import Incoming, Outcome, Rejection, handler_of
from uftp.messages import is_response
from uftp.models import InboundMessage, Sender
from uftp.parsing import UnusableValue
from uftp.reasons import Reason, named

logger = logging.getLogger(__name__)

TRIES = 3
PAUSE = 0.5  # seconds, times the number of tries so far
WAKE_EVERY = 0.1  # seconds

SETBACKS = 5
"""After so many setbacks in a row a message is set aside. Each is a minute of lost races, or trouble with a database
that works again at once; one a minute counts."""

WORKER_DIED = (
    "The worker's process ended while it was at this message, without saying why: killed, or out of memory."
)

_SUSPECTS = 7_201_190_441_002
"""The advisory lock under which messages that failed before are handled one at a time."""

Wake = Callable[[str, str], None]

_COLUMNS = [
    "id",
    "sender_id",
    "message_type",
    "version",
    "major",
    "message_id",
    "conversation_id",
    "content_hash",
    "size",
    "received_at",
    "state",
    "attempts",
]

# The oldest waiting message of a sender, its inner XML, and whether another message of this sender holds its
# MessageID; the content of that one differs, then (M10).
_OLDEST = """
SELECT id, sender_id, message_type, version, major, message_id, conversation_id, content_hash, size, received_at,
    state, attempts, substring(sealed FROM 65),
    EXISTS (
        SELECT FROM uftp_inboundmessage AS other
        WHERE other.sender_id = oldest.sender_id AND other.message_id = oldest.message_id
            AND other.id <> oldest.id AND other.holds_message_id
    )
FROM uftp_inboundmessage AS oldest
WHERE sender_id = %(sender_id)s AND state = 'received'
ORDER BY id
LIMIT 1
"""


class _Step(Enum):
    HANDLED = auto()
    EMPTY = auto()
    ELSEWHERE = auto()
    SUSPECT = auto()


@dataclass(slots=True)
class _Attempt:
    """What one transaction was about, for what is to be done once it has ended.

    `noted` is the number of a message and of its try, where that was counted before it began.
    """

    message: InboundMessage | None = None
    duplicate: bool = False
    answered: bool = False
    noted: tuple[int, int] | None = None


def drain(sender_id: int, *, wake: Wake, stopping: Callable[[], bool] = lambda: False) -> None:
    """Handle the waiting messages of one sender, oldest receipt first, until none is left (docs/rules.md M13).

    Returns at once where another worker is at this sender: that one looks again after it has let go, and so finds
    what was there when this call came. `wake` is called with role and domain after an answer to them is committed,
    at once for the first and soon for more.
    `stopping` is asked between messages.
    """
    owed, noted = _Owed(wake), None
    try:
        while not stopping():
            attempt, noted = _Attempt(noted=noted), None
            try:
                step = retried(lambda attempt=attempt: _handle_oldest(sender_id, attempt))  # type: ignore[misc]
            except Exception as error:
                if not _blame(attempt, error):
                    return
                continue
            if step is _Step.ELSEWHERE:
                return
            if step is _Step.EMPTY and not _waiting(sender_id):
                return
            if step is _Step.SUSPECT:
                noted = _note_try(attempt)
            if attempt.answered and attempt.message:
                owed.add(attempt.message.sender)
    finally:
        owed.pay()


class _Owed:
    """The wake-up for answers to one sender: at once for the first, and then WAKE_EVERY at most.

    One that is owed waits no longer than that for the handling of the next message, which may take minutes.
    """

    def __init__(self, wake: Wake) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._to: Sender | None = None
        self._next = 0.0
        self._timer: threading.Timer | None = None

    def add(self, sender: Sender) -> None:
        with self._lock:
            self._to = sender
            wait = self._next - time.monotonic()
            if wait > 0 and self._timer is None:
                self._timer = threading.Timer(wait, self._pay_late)
                self._timer.daemon = True
                self._timer.start()
        if wait <= 0:
            self.pay()

    def pay(self) -> None:
        with self._lock:
            to, self._to = self._to, None
            self._next = time.monotonic() + WAKE_EVERY
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        if to is not None:
            self._wake(to.role, to.domain)

    def _pay_late(self) -> None:
        """In the timer's thread, with a connection of its own."""
        try:
            self.pay()
        finally:
            connections.close_all()


def _waiting(sender_id: int) -> bool:
    return InboundMessage.objects.filter(sender_id=sender_id, state=InboundMessage.State.RECEIVED).exists()


def _handle_oldest(sender_id: int, attempt: _Attempt) -> _Step:
    """Handle one message, in the caller's transaction, holding the sender's row to its end.

    The lock leaves room for the foreign keys of messages that arrive meanwhile.
    """
    attempt.message, attempt.answered = None, False
    locked = Sender.objects.select_for_update(skip_locked=True, no_key=True).filter(pk=sender_id).first()
    if locked is None:
        return _Step.ELSEWHERE
    found = binary.fetch(_OLDEST, {"sender_id": sender_id})
    if found is None:
        return _Step.EMPTY
    *values, content, attempt.duplicate = found
    message = InboundMessage.from_db(connection.alias, _COLUMNS, values)
    message.sender = locked
    attempt.message = message
    if message.attempts and attempt.noted != (message.pk, message.attempts):
        return _Step.SUSPECT
    if message.attempts and not _alone():
        return _Step.ELSEWHERE
    result, reason = _handle(message, content, attempt)
    handled = InboundMessage.objects.filter(pk=message.pk, state=InboundMessage.State.RECEIVED).update(
        state=InboundMessage.State.PROCESSED,
        holds_message_id=not attempt.duplicate,
        result=result,
        reason=reason,
        processed_at=timezone.now(),
    )
    if not handled:
        raise RuntimeError(f"message {message.pk} changed its state while it was handled")
    return _Step.HANDLED


def _alone() -> bool:
    """Whether this transaction, to its end, is the only one with a message that failed before, or ended a worker.

    So one that ends its worker each time takes no other such message with it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_SUSPECTS])
        return bool(cursor.fetchone()[0])


def _note_try(attempt: _Attempt) -> tuple[int, int] | None:
    """Count a further try of a message before it begins, so that it counts even if it ends the worker.

    Gives the message's number and that of the try, for the attempt; None where there is to be none.
    """
    message = attempt.message
    assert message is not None
    waiting = InboundMessage.objects.filter(
        pk=message.pk, state=InboundMessage.State.RECEIVED, attempts=message.attempts
    )
    if message.attempts >= TRIES:
        if waiting.update(**_set_aside(attempt.duplicate), last_error=WORKER_DIED):
            logger.error(
                "%s (id %s) of %s is set aside: %s", message, message.pk, message.sender, WORKER_DIED
            )
    elif waiting.update(attempts=F("attempts") + 1):
        return message.pk, message.attempts + 1
    return None


def note_dead_worker(sender_id: int) -> None:
    """A worker died while it was at this sender's messages: what it was at counts as tried once.

    That is the oldest one that waits. From then on each try of it is counted before it begins; one that ended a
    worker with every try is set aside (docs/rules.md M14).
    """
    oldest = (
        InboundMessage.objects.filter(sender_id=sender_id, state=InboundMessage.State.RECEIVED)
        .order_by("id")
        .values("pk")[:1]
    )
    noted = InboundMessage.objects.filter(pk__in=list(oldest.values_list("pk", flat=True)), attempts=0)
    if noted.update(attempts=1, last_error=WORKER_DIED):
        logger.error(
            "A worker died while it was at messages of sender %s; the oldest counts as tried.", sender_id
        )


def _handle(message: InboundMessage, content: bytes, attempt: _Attempt) -> tuple[str, str]:
    """Check the message, have it handled and store the answer. Gives result and reason, as answered."""
    received = checks.read(message, content)
    handler = handler_of(message.message_type)
    reasons = checks.reasons_against(received, handler, attempt.duplicate)
    outcome = Outcome()
    if not reasons and handler:
        try:
            with transaction.atomic():
                if is_response(message.message_type):
                    handler.handle(received.incoming)
                    return _what_it_says(received.incoming)
                outcome = handler.handle(received.incoming)
                response = answering.accepted(received.incoming, outcome, clock.now())
                answering.enqueue(response, received.incoming)
                attempt.answered = True
                return response.result, response.reason
        except Rejection as rejection:
            reasons = rejection.reasons
        except UnusableValue as unusable:
            reasons = [named(Reason.INVALID_MESSAGE, [], str(unusable))]
    if is_response(message.message_type):
        result, reason = _what_it_says(received.incoming)
        return result, "; ".join(filter(None, [reason, *reasons]))
    response = answering.rejected(received.incoming, reasons, handler, clock.now())
    answering.enqueue(response, received.incoming)
    attempt.answered = True
    return response.result, response.reason


def _what_it_says(incoming: Incoming) -> tuple[str, str]:
    """Result and reason that a response carries itself; a response is never answered (docs/rules.md M12)."""
    said = incoming.header.attributes
    return said.get("Result", ""), said.get("RejectionReason", "")


def _blame(attempt: _Attempt, error: Exception) -> bool:
    """Record what went wrong, and say whether to go on with this inbox.

    A message that fails a few times is set aside for staff, and the next ones go on (docs/rules.md M14). Lost races
    and a database in trouble are not held against it, so that it keeps waiting for the next wake-up; only where that
    goes on and on is it set aside too.
    """
    message = attempt.message
    if lost_race(error) or server_trouble(error) or message is None:
        logger.warning("Handling of messages stops for a while: %s", error, exc_info=message is None)
        if not connection.in_atomic_block:
            connection.close()
        return message is not None and _set_back(message, attempt, error)
    tried = message.attempts if _noted(attempt) else message.attempts + 1
    logger.error(
        "Handling %s (id %s) of %s failed, try %s of %s.",
        message,
        message.pk,
        message.sender,
        tried,
        TRIES,
        exc_info=error,
    )
    changes: dict[str, Any] = {"attempts": tried, "last_error": _line(error)}
    if tried >= TRIES:
        changes |= _set_aside(attempt.duplicate)
    InboundMessage.objects.filter(
        pk=message.pk, state=InboundMessage.State.RECEIVED, attempts=message.attempts
    ).update(**changes)
    if tried < TRIES:
        time.sleep(PAUSE * tried)
    return True


def _set_aside(duplicate: bool) -> dict[str, Any]:
    """What changes of a message that is set aside: it keeps its MessageID for when staff have it handled again."""
    return {"state": InboundMessage.State.SET_ASIDE, "holds_message_id": not duplicate}


def _noted(attempt: _Attempt) -> bool:
    """Whether this try was counted before it began."""
    return attempt.message is not None and attempt.noted == (attempt.message.pk, attempt.message.attempts)


def _set_back(message: InboundMessage, attempt: _Attempt, error: Exception) -> bool:
    """Count a setback, and no try, and say whether the message was set aside for having had too many.

    It counts only where the database takes this note of it, so that one that is away sets nothing aside.
    """
    now = timezone.now()
    before = now - timedelta(seconds=retrying.PATIENCE)
    waiting = InboundMessage.objects.filter(pk=message.pk, state=InboundMessage.State.RECEIVED)
    try:
        if _noted(attempt):
            waiting.filter(attempts=message.attempts).update(attempts=F("attempts") - 1)
        waiting.filter(Q(last_setback_at__isnull=True) | Q(last_setback_at__lte=before)).update(
            setbacks=F("setbacks") + 1, last_setback_at=now, last_error=_line(error)
        )
        if not waiting.filter(setbacks__gte=SETBACKS).update(**_set_aside(attempt.duplicate)):
            return False
    except (DatabaseError, InterfaceError) as trouble:
        logger.warning("A setback of %s (id %s) is not recorded: %s", message, message.pk, trouble)
        return False
    logger.error("%s (id %s) of %s is set aside: %s", message, message.pk, message.sender, _line(error))
    return True


def _line(error: Exception) -> str:
    """The error as kept for staff."""
    return " ".join("".join(traceback.format_exception_only(error)).replace("\x00", "").split())[:2000]


def process_again(message: InboundMessage) -> bool:
    """Have a message that was set aside handled once more; False where it is not set aside.

    The caller wakes the sender's inbox after the commit.
    """
    return bool(
        InboundMessage.objects.filter(pk=message.pk, state=InboundMessage.State.SET_ASIDE).update(
            state=InboundMessage.State.RECEIVED, attempts=0, setbacks=0, last_setback_at=None
        )
    )
