"""Leases of messages: one worker at a time has a message to deliver, until a moment after its POST must have ended."""

import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction

from common import sql
from uftp.delivery.ordering import LAST_TRY_BEFORE_END, postpone_later_messages
from uftp.handlers import Party
from uftp.models import CircuitBreaker

MAX_ATTEMPTS = 32_767
"""The counter of attempts stops here."""

MAX_CONCURRENT = 4
"""Maximum number of concurrent deliveries to one participant."""

MARGIN = 15.0
"""Seconds of a lease beyond the maximum time of its POST."""

BYTES_PER_SECOND = 1_000_000
"""A POST gets one more second for so many bytes."""

LONG_POST = 3.0
"""While the POST of an earlier message takes longer than this, in seconds, a message near its end gets its only try."""

# Lease the oldest due message to a recipient that no worker has leased. While an earlier message of the same line
# waits, it is leased only if its time is over, or if this is its only try: it is near its end, was never tried, and
# - the caller has just tried the earlier ones in vain, or
# - the recipient asked to wait with the first one, or
# - the POST of the first one takes long.
# While the recipient's circuit breaker is open, it is leased only as a trial. If no trial is due, only messages near
# their end are leased.
# Also return whether the circuit breaker is open, whether an earlier message waits, who sealed a message that is passed
# on, whether more is due, and the recipient's endpoint and delivery settings.
_LEASE = """
WITH circuit AS (
    SELECT EXISTS (
        SELECT FROM uftp_circuitbreaker WHERE role = %(role)s AND domain = %(domain)s AND state = 'open'
    ) AS is_open
), due AS (
    SELECT oldest.*, sealed_by_id IS NOT NULL AND EXISTS (
        SELECT FROM uftp_outboundmessage AS before
        WHERE before.sealed_by_id = oldest.sealed_by_id AND before.recipient_role = %(role)s
            AND before.recipient_domain = %(domain)s AND before.state = 'waiting' AND before.id < oldest.id
    ) AS has_earlier,
    attempts = 0 AND give_up_at <= %(near_end)s AND (
        sealed_by_id = ANY(%(tried_senders)s::bigint[]) OR (
            SELECT not_before > %(now)s OR claimed_until > %(now)s AND claimed_until <= %(now)s + make_interval(
                secs => %(seconds)s + first.size / %(bytes_per_second)s - %(long_post)s
            )
            FROM uftp_outboundmessage AS first
            WHERE first.sealed_by_id = oldest.sealed_by_id AND first.recipient_role = %(role)s
                AND first.recipient_domain = %(domain)s AND first.state = 'waiting'
            ORDER BY id
            LIMIT 1
        )
    ) AS is_only_try
    FROM (
        SELECT id, sealed_by_id, give_up_at, attempts FROM uftp_outboundmessage
        WHERE recipient_role = %(role)s AND recipient_domain = %(domain)s AND state = 'waiting'
            AND next_attempt_at <= %(now)s AND (claimed_until IS NULL OR claimed_until <= %(now)s)
            AND (
                SELECT count(*) FROM uftp_outboundmessage
                WHERE recipient_role = %(role)s AND recipient_domain = %(domain)s AND state = 'waiting'
                    AND claimed_until > %(now)s
            ) < %(max_concurrent)s
            AND (%(trial)s OR NOT (SELECT is_open FROM circuit))
            AND (%(any_message)s OR passes_on_id IS NOT NULL AND give_up_at <= %(near_end)s)
        ORDER BY next_attempt_at, id
        LIMIT 1
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS oldest
), leased AS (
    UPDATE uftp_outboundmessage
    SET attempts = least(attempts + 1, %(max_attempts)s), claims = claims + 1,
        claimed_until = %(now)s + make_interval(secs => %(seconds)s + size / %(bytes_per_second)s)
    WHERE id = (SELECT id FROM due WHERE NOT has_earlier OR give_up_at <= %(now)s OR is_only_try)
    RETURNING claims, attempts, version, sealed, passes_on_id, resent_at
)
SELECT circuit.is_open, due.id, due.sealed_by_id, due.has_earlier, due.give_up_at, leased.*, sender.role,
    sender.domain,
    EXISTS (
        SELECT FROM uftp_outboundmessage AS other
        WHERE recipient_role = %(role)s AND recipient_domain = %(domain)s AND state = 'waiting'
            AND next_attempt_at <= %(now)s AND (claimed_until IS NULL OR claimed_until <= %(now)s)
            AND other.id <> due.id
    ),
    recipient.endpoint, settings.participant_id
FROM circuit
LEFT JOIN due ON true
LEFT JOIN participants_participant AS recipient ON recipient.role = %(role)s AND recipient.domain = %(domain)s
LEFT JOIN participants_deliverysettings AS settings ON settings.participant_id = recipient.id
LEFT JOIN leased ON true
LEFT JOIN uftp_sender AS sender ON sender.id = due.sealed_by_id
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease: this process may post a message.

    Attributes:
        id: The id of the OutboundMessage.
        number: The number of the lease. It is never used again for the same message.
        attempts: The number of attempts, this one included. It starts again when staff send the message again.
        version: The version of UFTP.
        sealed: The signature, then the inner XML.
        give_up_at: The moment of the last attempt. For a message that is passed on: from then on it is not posted.
        expires_at: The end of the lease, in seconds of `time.monotonic()`.
        recipient: The recipient.
        passes_on: The id of the InboundMessage that is passed on, or None.
        resent_at: When the message was last sent again. Earlier attempts do not count. None if it never was.
        sender_id: The id of the Sender whose message is passed on, or None.
        sealed_by: The party that signed the message.
        endpoint: The configured endpoint of the recipient. May be empty.
        credentials_of: The key of the recipient's delivery settings, or None if it has none.
        more_due: Whether another message to the recipient is due and not leased.
        trial: Whether the recipient's circuit breaker is open, so that this message is tried alone.
        has_earlier: Whether earlier messages of the sender wait: this is its only try near its end, or its end.
    """

    id: int
    number: int
    attempts: int
    version: str
    sealed: bytes
    give_up_at: datetime
    expires_at: float
    recipient: Party
    passes_on: int | None
    resent_at: datetime | None
    sender_id: int | None
    sealed_by: Party
    endpoint: str
    credentials_of: int | None
    more_due: bool
    trial: bool
    has_earlier: bool


def lease_oldest(
    role: str, domain: str, now: datetime, tried_senders: Collection[int] = frozenset()
) -> Lease | None:
    """Lease the oldest due message to (role, domain) that is not leased.

    A message that is passed on is left out while an earlier one of its sender waits. The earlier one becomes due. While
    the circuit breaker of the recipient is open, one message at a time is leased.

    Args:
        role: The role of the recipient.
        domain: The domain of the recipient.
        now: The present moment, in real time.
        tried_senders: The ids of Senders whose earlier messages the caller has just tried in vain. A message of theirs
            that was never tried and is near its end waits for them no longer.

    Returns:
        The lease, or None if nothing is due or enough messages to the recipient are leased.
    """
    while True:
        found = _lease(role, domain, now, tried_senders)
        if found.lease is None and found.is_open:
            found = _lease_trial(role, domain, now, tried_senders)
        if found.waits_behind is None:
            return found.lease
        postpone_later_messages(found.waits_behind, (role, domain), now)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a statement has found.

    `waits_behind` is the sender in whose line the due message waits for an earlier one. Then nothing is leased.
    """

    is_open: bool
    lease: Lease | None = None
    waits_behind: int | None = None


def _lease_trial(role: str, domain: str, now: datetime, tried_senders: Collection[int]) -> _Found:
    """Lease a message to a recipient whose circuit breaker is open, if no other one is leased.

    The lock of the circuit breaker lets one worker at a time look whether another message is leased.
    """
    with transaction.atomic():
        opened = CircuitBreaker.objects.select_for_update(no_key=True).filter(
            role=role, domain=domain, state=CircuitBreaker.State.OPEN
        )
        circuit = opened.first()
        if circuit is None:
            return _lease(role, domain, now, tried_senders)
        return _lease(role, domain, now, tried_senders, trial=True, any_message=circuit.next_trial_at <= now)


def _lease(
    role: str,
    domain: str,
    now: datetime,
    tried_senders: Collection[int],
    *,
    trial: bool = False,
    any_message: bool = True,
) -> _Found:
    seconds = settings.DELIVERY_TIMEOUT + MARGIN
    started = time.monotonic()
    found = sql.fetch(
        _LEASE,
        {
            "role": role,
            "domain": domain,
            "now": now,
            "seconds": float(seconds),
            "bytes_per_second": BYTES_PER_SECOND,
            "max_concurrent": 1 if trial else MAX_CONCURRENT,
            "max_attempts": MAX_ATTEMPTS,
            "trial": trial,
            "any_message": any_message,
            "near_end": now + LAST_TRY_BEFORE_END,
            "tried_senders": list(tried_senders),
            "long_post": LONG_POST,
        },
    )
    assert found is not None
    (
        is_open,
        outbound_id,
        sender_id,
        has_earlier,
        give_up_at,
        *leased,
        sender_role,
        sender_domain,
        more_due,
        endpoint,
        credentials_of,
    ) = found
    if outbound_id is None:
        return _Found(is_open)
    number, attempts, version, sealed, passes_on, resent_at = leased
    if number is None:
        return _Found(is_open, waits_behind=sender_id)
    lease = Lease(
        id=outbound_id,
        number=number,
        attempts=attempts,
        version=version,
        sealed=sealed,
        give_up_at=give_up_at,
        expires_at=started + seconds + extra_seconds(sealed),
        recipient=(role, domain),
        passes_on=passes_on,
        resent_at=resent_at,
        sender_id=sender_id,
        sealed_by=("CRO", settings.CRO_DOMAIN) if sender_id is None else (sender_role, sender_domain),
        endpoint=endpoint or "",
        credentials_of=credentials_of,
        more_due=more_due and not trial,
        trial=trial,
        has_earlier=has_earlier,
    )
    return _Found(is_open, lease)


def extra_seconds(sealed: bytes) -> float:
    """Return how many seconds longer the POST of `sealed` may take because of its size."""
    return len(sealed) / BYTES_PER_SECOND
