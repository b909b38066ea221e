"""Messages to be posted are claimed: each is held by one worker at a time, and for no longer than its POST may take."""

import time
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from common import sql
from uftp.delivery.ordering import line_up
from uftp.handlers import Party

MOST_ATTEMPTS = 32_767
"""As many attempts as are counted."""

AT_ONCE = 4
"""Deliveries to one participant at a time."""

MARGIN = 15.0
"""Seconds of a claim beyond the time that its POST may take."""

BYTES_A_SECOND = 1_000_000
"""A POST gets a second more for each so many bytes."""

# The oldest due message of a recipient that no worker holds, held from here on until its claim ends; who sealed it,
# where it is passed on; whether another is due; and the recipient's endpoint on record. One of the same line before
# it that still waits keeps it from being claimed.
_CLAIM = """
WITH due AS (
    SELECT oldest.*, sealed_by_id IS NOT NULL AND give_up_at > %(now)s AND EXISTS (
        SELECT FROM uftp_outboundmessage AS before
        WHERE before.sealed_by_id = oldest.sealed_by_id AND before.recipient_role = %(role)s
            AND before.recipient_domain = %(domain)s AND before.state = 'waiting' AND before.id < oldest.id
    ) AS is_behind
    FROM (
        SELECT id, sealed_by_id, give_up_at FROM uftp_outboundmessage
        WHERE recipient_role = %(role)s AND recipient_domain = %(domain)s AND state = 'waiting'
            AND next_attempt_at <= %(now)s AND (claimed_until IS NULL OR claimed_until <= %(now)s)
            AND (
                SELECT count(*) FROM uftp_outboundmessage
                WHERE recipient_role = %(role)s AND recipient_domain = %(domain)s AND state = 'waiting'
                    AND claimed_until > %(now)s
            ) < %(at_once)s
        ORDER BY next_attempt_at, id
        LIMIT 1
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS oldest
), claimed AS (
    UPDATE uftp_outboundmessage
    SET attempts = least(attempts + 1, %(most_attempts)s), claims = claims + 1,
        claimed_until = %(now)s + make_interval(secs => %(seconds)s + size / %(bytes_a_second)s)
    WHERE id = (SELECT id FROM due WHERE NOT is_behind)
    RETURNING claims, attempts, version, sealed, passes_on_id
)
SELECT due.id, due.sealed_by_id, due.is_behind, due.give_up_at, claimed.*, sender.role, sender.domain,
    EXISTS (
        SELECT FROM uftp_outboundmessage AS other
        WHERE recipient_role = %(role)s AND recipient_domain = %(domain)s AND state = 'waiting'
            AND next_attempt_at <= %(now)s AND (claimed_until IS NULL OR claimed_until <= %(now)s)
            AND other.id <> due.id
    ),
    (SELECT endpoint FROM participants_participant WHERE role = %(role)s AND domain = %(domain)s)
FROM due
LEFT JOIN claimed ON true
LEFT JOIN uftp_sender AS sender ON sender.id = due.sealed_by_id
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A message that this process may post, until `ends` on the monotonic clock.

    `number` is never used for a message again; `attempts` begins anew when staff have it sent again. `passes_on` is
    the id of the InboundMessage that is passed on, `line` the id of its Sender, and `sealed_by` the role and domain of
    who signed it. `endpoint` is the recipient's on record, or empty; `more_due` says whether something else was due for
    it that nobody held.
    """

    id: int
    number: int
    attempts: int
    version: str
    sealed: bytes
    give_up_at: datetime
    ends: float
    recipient: Party
    passes_on: int | None
    line: int | None
    sealed_by: Party
    endpoint: str
    more_due: bool


def claim_oldest(role: str, domain: str, now: datetime) -> Claim | None:
    """The oldest due message for (role, domain) that nobody holds, claimed; None without one, or with enough held.

    A message that is passed on is left out while an earlier one of its sender waits, and that one is due then.
    """
    seconds = settings.DELIVERY_TIMEOUT + MARGIN
    while True:
        started = time.monotonic()
        found = sql.fetch(
            _CLAIM,
            {
                "role": role,
                "domain": domain,
                "now": now,
                "seconds": float(seconds),
                "bytes_a_second": BYTES_A_SECOND,
                "at_once": AT_ONCE,
                "most_attempts": MOST_ATTEMPTS,
            },
        )
        if found is None:
            return None
        outbound_id, line, is_behind, give_up_at, *claimed, sender_role, sender_domain, more_due, endpoint = (
            found
        )
        if not is_behind:
            break
        line_up(line, (role, domain), now)
    number, attempts, version, sealed, passes_on = claimed
    return Claim(
        id=outbound_id,
        number=number,
        attempts=attempts,
        version=version,
        sealed=sealed,
        give_up_at=give_up_at,
        ends=started + seconds + extra_seconds(sealed),
        recipient=(role, domain),
        passes_on=passes_on,
        line=line,
        sealed_by=("CRO", settings.CRO_DOMAIN) if line is None else (sender_role, sender_domain),
        endpoint=endpoint or "",
        more_due=more_due,
    )


def extra_seconds(sealed: bytes) -> float:
    """How many seconds more than others the POST of `sealed` may take."""
    return len(sealed) / BYTES_A_SECOND
