"""Messages that are passed on reach a recipient in the order of their sender: each waits for those before it.

One line is what waits from one sender to one recipient, in the order of the ids. Only the first of a line is due as
its attempts have it; the others are due shortly before they are given up, unless the one before has ended by then.
No statement here waits for a lock: whoever holds one is at that message, and what was left out is found again.
"""

from datetime import datetime, timedelta

from common import sql
from uftp.handlers import Party
from uftp.models import OutboundMessage

LAST_TRY = timedelta(seconds=30)
"""How long before its end a message that is passed on is tried for the last time."""

BRIEFLY = timedelta(seconds=1)
"""How long the others of a line wait where somebody is just recording what became of the first."""

# Those of a line that are due, but not its first, are put off: to shortly before their end, then to their end. Where
# one of them has become due since the first was tried, that is due at once, unless its recipient asked to wait. Where
# the first is locked, it may be about to end: they are put off briefly.
_LINE_UP = """
WITH first AS (
    SELECT id FROM uftp_outboundmessage
    WHERE sealed_by_id = %(sender)s AND recipient_role = %(role)s AND recipient_domain = %(domain)s
        AND state = 'waiting'
    ORDER BY id
    LIMIT 1
), held AS (
    SELECT id FROM uftp_outboundmessage
    WHERE id = (SELECT id FROM first) AND state = 'waiting'
    FOR NO KEY UPDATE SKIP LOCKED
), behind AS (
    SELECT id, next_attempt_at FROM uftp_outboundmessage
    WHERE sealed_by_id = %(sender)s AND recipient_role = %(role)s AND recipient_domain = %(domain)s
        AND state = 'waiting' AND id <> (SELECT id FROM first) AND next_attempt_at <= %(now)s
        AND give_up_at > %(now)s AND (claimed_until IS NULL OR claimed_until <= %(now)s)
    FOR NO KEY UPDATE SKIP LOCKED
), put_off AS (
    UPDATE uftp_outboundmessage
    SET next_attempt_at = CASE
        WHEN NOT EXISTS (SELECT FROM held) THEN least(give_up_at, %(soon)s)
        WHEN give_up_at > %(last_try_ends)s THEN give_up_at - %(last_try)s
        ELSE give_up_at
    END
    WHERE id IN (SELECT id FROM behind)
)
UPDATE uftp_outboundmessage
SET next_attempt_at = least(next_attempt_at, greatest(%(now)s, not_before))
WHERE id IN (SELECT id FROM held)
    AND (SELECT max(next_attempt_at) FROM behind) > coalesce(
        (SELECT max(finished_at) FROM uftp_deliveryattempt WHERE message_id = (SELECT id FROM first)), '-infinity'
    )
"""

# The first of a line of which `ended` has come to its end is due at once. One that ended in its time while others
# before it still wait leaves these as they are.
_LET_NEXT_GO = """
UPDATE uftp_outboundmessage
SET next_attempt_at = %(now)s
WHERE id = (
    SELECT id FROM uftp_outboundmessage
    WHERE sealed_by_id = %(sender)s AND recipient_role = %(role)s AND recipient_domain = %(domain)s
        AND state = 'waiting' AND id > %(ended)s
        AND NOT EXISTS (
            SELECT FROM uftp_outboundmessage
            WHERE sealed_by_id = %(sender)s AND recipient_role = %(role)s AND recipient_domain = %(domain)s
                AND state = 'waiting' AND id < %(ended)s
        )
    ORDER BY id
    LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
)
"""


def line_up(sender_id: int, recipient: Party, now: datetime) -> None:
    """Put off what is due in the line of `sender_id` to `recipient` but its first, and have that tried at `now`.

    So a message that is stored behind another, or about to end there, does not wait for the other's pause to be over.
    Runs in a transaction of its own.
    """
    sql.fetch(
        _LINE_UP,
        {
            **_line(sender_id, recipient),
            "now": now,
            "soon": now + BRIEFLY,
            "last_try": LAST_TRY,
            "last_try_ends": now + LAST_TRY,
        },
    )


def let_next_go(ended: int, sender_id: int, recipient: Party, now: datetime) -> None:
    """Have the next of a line tried from `now` on; in the transaction that records how the message `ended` did."""
    sql.fetch(_LET_NEXT_GO, {**_line(sender_id, recipient), "ended": ended, "now": now})


def is_behind(message: OutboundMessage) -> bool:
    """Whether one of the same line that was stored before `message` still waits."""
    line = OutboundMessage.objects.filter(
        sealed_by=message.sealed_by_id,
        recipient_role=message.recipient_role,
        recipient_domain=message.recipient_domain,
        state=OutboundMessage.State.WAITING,
        id__lt=message.pk,
    )
    return message.sealed_by_id is not None and line.exists()


def last_try(give_up_at: datetime, now: datetime) -> datetime:
    """The latest moment after `now` at which a message that is passed on is tried, or given up where none is left."""
    return give_up_at - LAST_TRY if give_up_at > now + LAST_TRY else give_up_at


def _line(sender_id: int, recipient: Party) -> dict[str, object]:
    role, domain = recipient
    return {"sender": sender_id, "role": role, "domain": domain}
