"""The handling of received messages. Those of one sender are handled one after another, each in a transaction."""

import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone

from common import clock, locks, sql
from common.retry import retried
from uftp.handlers import Incoming, LookUpFirst, Rejection, handler_for
from uftp.models import InboundMessage, Sender
from uftp.processing import checks, responses
from uftp.processing.backpressure import backpressure
from uftp.processing.dead_letters import HandlingTry, count_try, record_failure
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

# This kind of lock allows the foreign keys of messages that are stored meanwhile.
_LOCK = """
SELECT id, role, domain FROM uftp_sender WHERE id = %(sender_id)s FOR NO KEY UPDATE SKIP LOCKED
"""

# The oldest waiting message of a sender, its inner XML, and whether another message of the sender has its MessageID.
# The content of the other one differs, as copies are not stored (M10).
_OLDEST = """
SELECT id, sender_id, message_type, version, major, message_id, conversation_id, content_hash, size, received_at,
    state, attempts, substring(sealed FROM 65),
    EXISTS (
        SELECT FROM uftp_inboundmessage AS other
        WHERE other.sender_id = oldest.sender_id AND other.message_id = oldest.message_id
            AND other.id <> oldest.id AND other.holds_message_id
    ), pg_try_advisory_xact_lock(%(look_up)s, %(number)s)
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


_ROW_WAIT, _ROW_PAUSE = 1.0, 0.01  # seconds


class _Step(Enum):
    HANDLED = auto()
    EMPTY = auto()
    LOCKED = auto()
    FAILED_BEFORE = auto()


def drain(sender_id: int, *, wake: Wake, stopping: Callable[[], bool] = lambda: False) -> None:
    """Handle the waiting messages of one sender, oldest receipt first, until none is left (docs/rules.md M13).

    Return at once if another worker handles this sender's messages. That worker looks for more messages after it has
    released the lock, so it finds all that were stored before this call.

    Args:
        sender_id: The id of the Sender.
        wake: Called with role and domain for each party for whom messages were stored, after the commit.
        stopping: Called before each message. No further one is handled once it returns True.
    """
    counted = None
    while not stopping():
        backpressure.wait(stopping)
        handling_try, counted = HandlingTry(counted=counted), None
        try:
            step = _step(sender_id, handling_try)
        except Exception as error:
            if not record_failure(handling_try, error):
                return
            continue
        finally:
            if handling_try.counted:
                _unlock_failed_before()
        if step is _Step.LOCKED:
            return
        if step is _Step.EMPTY and not _waiting(sender_id):
            return
        if step is _Step.FAILED_BEFORE:
            # Locked before it is counted, and until it has ended. Otherwise another worker could have the lock by then,
            # and the message would be set aside for tries that never were.
            if not _lock_failed_before():
                return
            counted = count_try(handling_try)
            if counted is None:
                _unlock_failed_before()
        for party in sorted(set(handling_try.wakes)):
            wake(*party)
    if counted:
        _unlock_failed_before()


def _waiting(sender_id: int) -> bool:
    return sql.fetch(_WAITING, {"sender_id": sender_id}) is not None


def _step(sender_id: int, handling_try: HandlingTry) -> _Step:
    """Handle one message in a transaction. Look-ups that its handler needs are made between transactions.

    From the first look-up to the end of the step, this session holds the sender's LOOK_UP lock. So no other worker
    handles the message, asks the same, or counts a try of it meanwhile.
    """
    looking_up = False
    deadline = time.monotonic() + _ROW_WAIT
    try:
        while True:
            try:
                step = retried(lambda: _handle_oldest(sender_id, handling_try))
            except LookUpFirst as needed:
                if looking_up:
                    _unlock_look_up(sender_id)  # each question acquires the lock once more
                looking_up = True
                handling_try.answers[needed.question] = needed.ask()
                deadline = time.monotonic() + _ROW_WAIT
                continue
            # Another worker has the row for as long as it takes to see that the LOOK_UP lock is held.
            if step is not _Step.LOCKED or not looking_up or time.monotonic() > deadline:
                return step
            time.sleep(_ROW_PAUSE)
    finally:
        if looking_up:
            _unlock_look_up(sender_id)


def _look_up_lock(sender_id: int) -> dict[str, int]:
    return {"look_up": locks.LOOK_UP, "number": sender_id % 2**31}


def _unlock_look_up(sender_id: int) -> None:
    """Release the LOOK_UP lock once. A session that has ended has released it already."""
    with suppress(DatabaseError, InterfaceError):
        sql.fetch("SELECT pg_advisory_unlock(%(look_up)s, %(number)s)", _look_up_lock(sender_id))


def _handle_oldest(sender_id: int, handling_try: HandlingTry) -> _Step:
    """Handle the oldest message in the caller's transaction, with the sender's row locked to its end."""
    handling_try.message, handling_try.wakes = None, ()
    locked = sql.fetch(_LOCK, {"sender_id": sender_id})
    if locked is None:
        return _Step.LOCKED
    # A second statement, so that it sees everything that was committed before the lock was acquired.
    found = sql.fetch(_OLDEST, {"sender_id": sender_id, **_look_up_lock(sender_id)})
    if found is None:
        return _Step.EMPTY
    *values, content, handling_try.duplicate, nobody_looks_up = found
    if not nobody_looks_up:
        return _Step.LOCKED
    message = InboundMessage.from_db(connection.alias, _COLUMNS, values)
    message.sender = Sender.from_db(connection.alias, ["id", "role", "domain"], locked)
    handling_try.message = message
    if message.attempts and handling_try.counted != (message.pk, message.attempts):
        return _Step.FAILED_BEFORE
    if message.attempts and not _lock_failed_before_in_transaction():
        return _Step.LOCKED
    try:
        result, reason = _handle(message, content, handling_try)
    except LookUpFirst:
        # Acquired while the row is still locked, so no other worker can handle this message in between.
        sql.fetch("SELECT pg_advisory_lock(%(look_up)s, %(number)s)", _look_up_lock(sender_id))
        raise
    handled = sql.fetch(
        _HANDLED,
        {
            "id": message.pk,
            "holds_message_id": not handling_try.duplicate,
            "result": result,
            "reason": reason,
            "now": timezone.now(),
        },
    )
    if handled is None:
        raise RuntimeError(f"message {message.pk} changed its state while it was handled")
    return _Step.HANDLED


def _lock_failed_before() -> bool:
    """Acquire the lock FAILED_BEFORE for this session if it is free, and return whether it was."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [locks.FAILED_BEFORE])
        return bool(cursor.fetchone()[0])


def _unlock_failed_before() -> None:
    """Release the lock FAILED_BEFORE of this session. A session that has ended has released it already."""
    with suppress(DatabaseError, InterfaceError):
        sql.fetch("SELECT pg_advisory_unlock(%(lock)s)", {"lock": locks.FAILED_BEFORE})


def _lock_failed_before_in_transaction() -> bool:
    """Acquire the lock FAILED_BEFORE, if it is free, until this transaction ends. Return whether it was.

    One worker at a time handles a message that failed before. So a message that ends its worker cannot end the try of
    another one.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [locks.FAILED_BEFORE])
        return bool(cursor.fetchone()[0])


def _handle(message: InboundMessage, content: bytes, handling_try: HandlingTry) -> tuple[str, str]:
    """Check a message, call its handler, and store the response unless another participant answers.

    Returns:
        Result and reason of the response.
    """
    parsed = checks.parse_message(message, content, handling_try.answers)
    sender = (message.sender.role, message.sender.domain)
    handler = handler_for(message.message_type)
    reasons = checks.reasons_against(parsed, handler, handling_try.duplicate)
    if not reasons and handler:
        # Not an atomic block: it would end the savepoint by a further statement, which the commit does as well.
        before = transaction.savepoint()
        try:
            outcome = handler.handle(parsed.incoming)
            if is_response(message.message_type):
                handling_try.wakes = outcome.also_deliver_to
                return _result_of_response(parsed.incoming)
            response = responses.accepted_response(parsed.incoming, outcome, clock.now())
            if outcome.answered_by:
                handling_try.wakes = outcome.also_deliver_to
                return response.result, response.reason
            responses.enqueue_response(response, parsed.incoming)
            handling_try.wakes = (sender, *outcome.also_deliver_to)
            return response.result, response.reason
        except Rejection as rejection:
            reasons = rejection.reasons
        except UnusableValue as unusable:
            reasons = [named(Reason.INVALID_MESSAGE, [], str(unusable))]
        transaction.set_rollback(
            False
        )  # the verbs' atomic blocks ask for it; going back to the savepoint is enough
        transaction.savepoint_rollback(before)
    if is_response(message.message_type):
        result, reason = _result_of_response(parsed.incoming)
        return result, "; ".join(filter(None, [reason, *reasons]))
    response = responses.rejected_response(parsed.incoming, reasons, handler, clock.now())
    responses.enqueue_response(response, parsed.incoming)
    handling_try.wakes = (sender,)
    return response.result, response.reason


def _result_of_response(incoming: Incoming) -> tuple[str, str]:
    """Return result and reason of a received response. It is never answered (docs/rules.md M12)."""
    attributes = incoming.header.attributes
    return attributes.get("Result", ""), attributes.get("RejectionReason", "")
