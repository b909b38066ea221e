"""The handling of received messages: one sender's messages one after another, each in one transaction."""

from collections.abc import Callable
from enum import Enum, auto

from django.db import connection, transaction
from django.utils import timezone

from common import clock, locks, sql
from common.retry import retried
from uftp.handlers import Incoming, LookUpFirst, Rejection, handler_of
from uftp.models import InboundMessage, Sender
from uftp.processing import checks, responses
from uftp.processing.backpressure import backpressure
from uftp.processing.dead_letters import Attempt, blame, note_try
from uftp.protocol.messages import is_response
from uftp.protocol.parsing import UnusableValue
from uftp.protocol.reasons import Reason, named

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

# The lock leaves room for the foreign keys of messages that arrive meanwhile.
_LOCK = """
SELECT id, role, domain FROM uftp_sender WHERE id = %(sender_id)s FOR NO KEY UPDATE SKIP LOCKED
"""

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

_WAITING = "SELECT id FROM uftp_inboundmessage WHERE sender_id = %(sender_id)s AND state = 'received' LIMIT 1"

_HANDLED = """
UPDATE uftp_inboundmessage
SET state = 'processed', holds_message_id = %(holds_message_id)s, result = %(result)s, reason = %(reason)s,
    processed_at = %(now)s
WHERE id = %(id)s AND state = 'received'
RETURNING id
"""


class _Step(Enum):
    HANDLED = auto()
    EMPTY = auto()
    ELSEWHERE = auto()
    SUSPECT = auto()


def drain(sender_id: int, *, wake: Wake, stopping: Callable[[], bool] = lambda: False) -> None:
    """Handle the waiting messages of one sender, oldest receipt first, until none is left (docs/rules.md M13).

    Returns at once where another worker is at this sender: that one looks again after it has let go, and so finds
    what was there when this call came. `wake` is called with role and domain after an answer to them is committed;
    so are those for whom a handler has something else delivered. `stopping` is asked between messages.
    """
    noted = None
    while not stopping():
        backpressure.wait(stopping)
        attempt, noted = Attempt(noted=noted), None
        try:
            step = _step(sender_id, attempt)
        except Exception as error:
            if not blame(attempt, error):
                return
            continue
        if step is _Step.ELSEWHERE:
            return
        if step is _Step.EMPTY and not _waiting(sender_id):
            return
        if step is _Step.SUSPECT:
            noted = note_try(attempt)
        for party in sorted(set(attempt.wakes)):
            wake(*party)


def _waiting(sender_id: int) -> bool:
    return sql.fetch(_WAITING, {"sender_id": sender_id}) is not None


def _step(sender_id: int, attempt: Attempt) -> _Step:
    """Handle one message in a transaction of its own; look up what its handler needs between transactions."""
    while True:
        try:
            return retried(lambda: _handle_oldest(sender_id, attempt))
        except LookUpFirst as needed:
            attempt.answers[needed.question] = needed.ask()


def _handle_oldest(sender_id: int, attempt: Attempt) -> _Step:
    """Handle one message, in the caller's transaction, holding the sender's row to its end."""
    attempt.message, attempt.wakes = None, ()
    locked = sql.fetch(_LOCK, {"sender_id": sender_id})
    if locked is None:
        return _Step.ELSEWHERE
    # A statement of its own: it sees what was committed until the lock was given.
    found = sql.fetch(_OLDEST, {"sender_id": sender_id})
    if found is None:
        return _Step.EMPTY
    *values, content, attempt.duplicate = found
    message = InboundMessage.from_db(connection.alias, _COLUMNS, values)
    message.sender = Sender.from_db(connection.alias, ["id", "role", "domain"], locked)
    attempt.message = message
    if message.attempts and attempt.noted != (message.pk, message.attempts):
        return _Step.SUSPECT
    if message.attempts and not _alone():
        return _Step.ELSEWHERE
    result, reason = _handle(message, content, attempt)
    handled = sql.fetch(
        _HANDLED,
        {
            "id": message.pk,
            "holds_message_id": not attempt.duplicate,
            "result": result,
            "reason": reason,
            "now": timezone.now(),
        },
    )
    if handled is None:
        raise RuntimeError(f"message {message.pk} changed its state while it was handled")
    return _Step.HANDLED


def _alone() -> bool:
    """Whether this transaction, to its end, is the only one with a message that failed before, or ended a worker.

    So one that ends its worker each time takes no other such message with it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [locks.FAILED_BEFORE])
        return bool(cursor.fetchone()[0])


def _handle(message: InboundMessage, content: bytes, attempt: Attempt) -> tuple[str, str]:
    """Check the message, have it handled and store the answer, where this CRO is to answer it.

    Gives result and reason, as answered.
    """
    received = checks.read(message, content, attempt.answers)
    sender = (message.sender.role, message.sender.domain)
    handler = handler_of(message.message_type)
    reasons = checks.reasons_against(received, handler, attempt.duplicate)
    if not reasons and handler:
        try:
            with transaction.atomic():
                outcome = handler.handle(received.incoming)
                if is_response(message.message_type):
                    attempt.wakes = outcome.wakes
                    return _what_it_says(received.incoming)
                response = responses.accepted(received.incoming, outcome, clock.now())
                if outcome.answered_by:
                    attempt.wakes = outcome.wakes
                    return response.result, response.reason
                responses.enqueue(response, received.incoming)
                attempt.wakes = (sender, *outcome.wakes)
                return response.result, response.reason
        except Rejection as rejection:
            reasons = rejection.reasons
        except UnusableValue as unusable:
            reasons = [named(Reason.INVALID_MESSAGE, [], str(unusable))]
    if is_response(message.message_type):
        result, reason = _what_it_says(received.incoming)
        return result, "; ".join(filter(None, [reason, *reasons]))
    response = responses.rejected(received.incoming, reasons, handler, clock.now())
    responses.enqueue(response, received.incoming)
    attempt.wakes = (sender,)
    return response.result, response.reason


def _what_it_says(incoming: Incoming) -> tuple[str, str]:
    """Result and reason that a response carries itself; a response is never answered (docs/rules.md M12)."""
    said = incoming.header.attributes
    return said.get("Result", ""), said.get("RejectionReason", "")
