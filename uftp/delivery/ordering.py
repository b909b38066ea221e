"""The order of messages that are passed on: each waits for the earlier ones of its sender to the same recipient.

The waiting messages of one sender to one recipient are a line, ordered by id. Only the first of a line is due by its
own attempts. The others are postponed until shortly before their end, or until the one before them has ended.

A message that a worker finds in time is undone only after a try of its own. So in its last seconds, one that was never
tried waits no longer than until those before it have been tried once more in vain. If it is delivered then, those that
end no later are not posted any more: no recipient gets the older of two updates last.

No statement here waits for a lock, but for the one that stops the earlier messages: a worker is at the locked message,
and skipped messages are found again later.
"""

from datetime import datetime, timedelta

from common import sql
from uftp.handlers import Party

LAST_TRY_BEFORE_END = timedelta(seconds=30)
"""Time between the last attempt for a message that is passed on, and its end.

It is longer than the pause between sweeps, so that each message near its end is found.
"""

SHORT_DELAY = timedelta(seconds=1)
"""Pause of the other messages of a line while the first is locked because its result is being recorded.

Near its end a message that was never tried is looked at again after this pause, too.
"""

# The due messages of a line, except its first, are postponed until shortly before their end. From then on, one that was
# tried before is postponed until its end, and one that was not is due again soon, to get its only try.
# If one of them has become due since the last attempt for the first, the first is due at once, unless its recipient
# asked to wait. If the first is locked, it may be about to end, so the others are postponed only for a moment.
_POSTPONE_LATER = """
WITH first AS (
    SELECT id FROM uftp_outboundmessage
    WHERE sealed_by_id = %(sender)s AND recipient_role = %(role)s AND recipient_domain = %(domain)s
        AND state = 'waiting'
    ORDER BY id
    LIMIT 1
), locked AS (
    SELECT id FROM uftp_outboundmessage
    WHERE id = (SELECT id FROM first) AND state = 'waiting'
    FOR NO KEY UPDATE SKIP LOCKED
), later AS (
    SELECT id, next_attempt_at FROM uftp_outboundmessage
    WHERE sealed_by_id = %(sender)s AND recipient_role = %(role)s AND recipient_domain = %(domain)s
        AND state = 'waiting' AND id <> (SELECT id FROM first) AND next_attempt_at <= %(now)s
        AND give_up_at > %(now)s AND (claimed_until IS NULL OR claimed_until <= %(now)s)
    FOR NO KEY UPDATE SKIP LOCKED
), postponed AS (
    UPDATE uftp_outboundmessage
    SET next_attempt_at = CASE
        WHEN NOT EXISTS (SELECT FROM locked) THEN least(give_up_at, %(soon)s)
        WHEN give_up_at > %(last_try_ends)s THEN give_up_at - %(last_try)s
        WHEN attempts = 0 THEN least(give_up_at, %(soon)s)
        ELSE give_up_at
    END
    WHERE id IN (SELECT id FROM later)
)
UPDATE uftp_outboundmessage
SET next_attempt_at = least(next_attempt_at, greatest(%(now)s, not_before))
WHERE id IN (SELECT id FROM locked)
    AND (SELECT max(next_attempt_at) FROM later) > coalesce(
        (SELECT max(finished_at) FROM uftp_deliveryattempt WHERE message_id = (SELECT id FROM first)), '-infinity'
    )
"""

# After the message `ended` of a line, its next message is due at once. If earlier messages of the line still wait,
# nothing changes.
_RELEASE_NEXT = """
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

# The messages of a line after `tried` that are near their end and were never tried.
_RELEASE_ONLY_TRIES = """
UPDATE uftp_outboundmessage
SET next_attempt_at = %(now)s
WHERE id IN (
    SELECT id FROM uftp_outboundmessage
    WHERE sealed_by_id = %(sender)s AND recipient_role = %(role)s AND recipient_domain = %(domain)s
        AND state = 'waiting' AND id > %(tried)s AND attempts = 0
        AND give_up_at > %(now)s AND give_up_at <= %(last_try_ends)s
    FOR NO KEY UPDATE SKIP LOCKED
)
"""

# The messages of a line before `delivered` that end no later are due at their end, and not before: then they are given
# up.
_STOP_EARLIER = """
UPDATE uftp_outboundmessage
SET next_attempt_at = give_up_at, not_before = give_up_at
WHERE sealed_by_id = %(sender)s AND recipient_role = %(role)s AND recipient_domain = %(domain)s
    AND state = 'waiting' AND id < %(delivered)s AND give_up_at <= %(give_up_at)s
"""


def postpone_later_messages(sender_id: int, recipient: Party, now: datetime) -> None:
    """Postpone the due messages of a line except the first, and make the first due at `now`.

    So a new message of the line, or one near its end, does not wait until the pause of the first is over. Call this
    outside of a transaction.
    """
    sql.fetch(
        _POSTPONE_LATER,
        {
            **_line(sender_id, recipient),
            "now": now,
            "soon": now + SHORT_DELAY,
            "last_try": LAST_TRY_BEFORE_END,
            "last_try_ends": now + LAST_TRY_BEFORE_END,
        },
    )


def release_next(ended: int, sender_id: int, recipient: Party, now: datetime) -> None:
    """Make the next message of a line due at `now`, in the transaction that records the end of the message `ended`."""
    sql.fetch(_RELEASE_NEXT, {**_line(sender_id, recipient), "ended": ended, "now": now})


def release_only_tries(tried: int, sender_id: int, recipient: Party, now: datetime) -> None:
    """Make the messages of a line due that were never tried and are near their end, after `tried` was tried in vain.

    They are due at `now`, in the transaction that records the attempt for `tried`.
    """
    sql.fetch(
        _RELEASE_ONLY_TRIES,
        {
            **_line(sender_id, recipient),
            "tried": tried,
            "now": now,
            "last_try_ends": now + LAST_TRY_BEFORE_END,
        },
    )


def stop_earlier(delivered: int, sender_id: int, recipient: Party, give_up_at: datetime) -> None:
    """Post the earlier messages of a line no more that end by `give_up_at`, when `delivered` was delivered before them.

    Call this in the transaction that records the delivery.
    """
    sql.fetch(
        _STOP_EARLIER, {**_line(sender_id, recipient), "delivered": delivered, "give_up_at": give_up_at}
    )


def last_try(give_up_at: datetime, now: datetime) -> datetime:
    """Return the moment of the last attempt, or `give_up_at` if it is too late for one."""
    return give_up_at - LAST_TRY_BEFORE_END if give_up_at > now + LAST_TRY_BEFORE_END else give_up_at


def _line(sender_id: int, recipient: Party) -> dict[str, object]:
    role, domain = recipient
    return {"sender": sender_id, "role": role, "domain": domain}
