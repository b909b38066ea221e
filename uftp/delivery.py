"""The delivery of messages: claimed, posted, recorded, and tried again with growing pauses.

What is due when goes by the real time, also where the clock stands for a test.
"""

import logging
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Value
from django.db.models.functions import Least
from django.utils import timezone

from participants import discovery
from participants.models import Participant
from participants.retrying import retried
from uftp import binary, passing_on
from uftp.handling import Party
from uftp.models import DeliveryAttempt, OutboundMessage
from uftp.posting import NotPosted, Reply, post
from uftp.rendering import seal_envelope
from uftp.versions import SUPPORTED

logger = logging.getLogger(__name__)

PAUSES = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 18000.0, 36000.0)
"""Seconds after the first, second … failed attempt; the last one again and again. Each with some jitter."""

JITTER = 0.2
AT_ONCE = 4
"""Deliveries to one participant at a time."""

MARGIN = 15.0
"""Seconds of a claim beyond the time that its POST may take."""

BYTES_A_SECOND = 1_000_000
"""A POST gets a second more for each so many bytes."""

REST = 60.0
"""Seconds at most for which the rest of what is due for a participant waits after it could not be reached."""

TEMPORARY = frozenset({404, 408, 419, 425, 429})

# The oldest due message of a recipient that no worker holds, held from here on until its claim ends; and who sealed
# it, where it is passed on.
_CLAIM = """
WITH claimed AS (
    UPDATE uftp_outboundmessage
    SET attempts = attempts + 1, claims = claims + 1,
        claimed_until = %(now)s + make_interval(secs => %(seconds)s + size / %(bytes_a_second)s)
    WHERE id = (
        SELECT id FROM uftp_outboundmessage
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
    )
    RETURNING id, claims, attempts, version, sealed, give_up_at, passes_on_id
)
SELECT claimed.*, sender.role, sender.domain
FROM claimed
LEFT JOIN uftp_inboundmessage AS passed ON passed.id = claimed.passes_on_id
LEFT JOIN uftp_sender AS sender ON sender.id = passed.sender_id
"""

_KEEP_ATTEMPT = """
INSERT INTO uftp_deliveryattempt (message_id, started_at, endpoint, status, outcome, detail)
VALUES (%(id)s, %(started_at)s, %(endpoint)s, %(status)s, %(outcome)s, %(detail)s)
"""

_SET_STATE = """
UPDATE uftp_outboundmessage
SET state = %(state)s, next_attempt_at = %(next_attempt_at)s, finished_at = %(finished_at)s, claimed_until = NULL
WHERE id = %(id)s AND state = 'waiting' AND claims = %(claim)s
RETURNING id
"""

# The attempt is kept whatever has become of the message; its state changes only while this
# attempt's claim is the latest.
_RECORD = f"WITH attempt AS ({_KEEP_ATTEMPT}) {_SET_STATE}"

DELIVERED, TEMPORARILY, FOR_GOOD = "delivered", "temporary", "permanent"
EXPIRED = "expired"
"""The outcome of no attempt: the time of a message that is passed on is over."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A message that this process may post, until `ends` on the monotonic clock.

    `number` is never used for a message again; `attempts` begins anew when staff have it sent again. `passes_on` is
    the id of the InboundMessage that is passed on, and `sealed_by` the role and domain of who signed it.
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
    sealed_by: Party


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one attempt. `reached` is False where the participant's system did not answer at all.

    `fresh` is False for what was found out without one, so that none is kept. `wakes` are those for whom there is
    something to deliver since it was recorded.
    """

    outcome: str
    detail: str
    endpoint: str = ""
    status: int | None = None
    retry_after: float | None = None
    reached: bool = True
    fresh: bool = True
    wakes: tuple[Party, ...] = ()


def deliver_due(
    role: str,
    domain: str,
    *,
    wake: Callable[[str, str], None],
    stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Deliver what is due for (role, domain), oldest first, until nothing is left or it cannot be reached.

    Several workers may be at it; each message is posted by one at a time. `wake` is called with role and domain to
    bring one more where there is more than one message.
    """
    alone = True
    while not stopping():
        now = timezone.now()
        claim = claim_oldest(role, domain, now)
        if claim is None:
            return
        if alone and more_due(role, domain, now):
            wake(role, domain)
        alone = False
        result = attempt(claim, role, domain)
        for party in result.wakes if result else ():
            wake(*party)
        if result is not None and not result.reached:
            _let_rest_wait(role, domain, timezone.now())
            return


def claim_oldest(role: str, domain: str, now: datetime) -> Claim | None:
    """The oldest due message for (role, domain) that nobody holds, claimed; None without one, or with enough held."""
    seconds = settings.DELIVERY_TIMEOUT + MARGIN
    started = time.monotonic()
    claimed = binary.fetch(
        _CLAIM,
        {
            "role": role,
            "domain": domain,
            "now": now,
            "seconds": float(seconds),
            "bytes_a_second": BYTES_A_SECOND,
            "at_once": AT_ONCE,
        },
    )
    if claimed is None:
        return None
    outbound_id, number, attempts, version, sealed, give_up_at, passes_on, sender_role, sender_domain = (
        claimed
    )
    return Claim(
        id=outbound_id,
        number=number,
        attempts=attempts,
        version=version,
        sealed=sealed,
        give_up_at=give_up_at,
        ends=started + seconds + _extra_seconds(sealed),
        recipient=(role, domain),
        passes_on=passes_on,
        sealed_by=("CRO", settings.CRO_DOMAIN) if passes_on is None else (sender_role, sender_domain),
    )


def more_due(role: str, domain: str, now: datetime) -> bool:
    """Whether another message for (role, domain) is due that nobody holds."""
    return (
        OutboundMessage.objects.filter(
            recipient_role=role,
            recipient_domain=domain,
            state=OutboundMessage.State.WAITING,
            next_attempt_at__lte=now,
        )
        .exclude(claimed_until__gt=now)
        .exists()
    )


def attempt(claim: Claim, role: str, domain: str) -> Result | None:
    """Post the claimed message once and record what came of it; None where the claim ended before the POST began.

    A worker that was held up for longer than its claim leaves the message to the one that has claimed it since.
    Whatever goes wrong is recorded as a temporary failure: a message without it would be posted again and again.
    A message that is passed on is not posted from its `give_up_at` on, nor where an earlier POST has settled it.
    """
    started_at = timezone.now()
    result = _settled_before(claim) or _post(claim, role, domain)
    if result is None:
        return None
    return replace(result, wakes=record(claim, result, started_at, timezone.now()))


def _post(claim: Claim, role: str, domain: str) -> Result | None:
    seconds = settings.DELIVERY_TIMEOUT + _extra_seconds(claim.sealed)
    endpoint = ""
    try:
        if _expired(claim):
            return _given_up(claim)
        endpoint = endpoint_of(role, domain, SUPPORTED[claim.version].major) or ""
        if not endpoint:
            raise NotPosted("no endpoint is configured or published for this participant")
        sender_role, sender_domain = claim.sealed_by
        envelope = seal_envelope(sender_domain, sender_role, claim.sealed)
        if time.monotonic() > claim.ends - seconds:
            return None
        if _expired(claim):
            return _given_up(claim)
        reply = post(endpoint, envelope, seconds=seconds)
        return classify(reply, endpoint, again=_posted_before(claim))
    except (NotPosted, discovery.DiscoveryFailed) as failure:
        return Result(TEMPORARILY, str(failure), endpoint, reached=False)
    except Exception as error:
        logger.exception("Message %s was not delivered for an error of ours.", claim.id)
        return Result(TEMPORARILY, f"an error of ours: {type(error).__name__}: {error}", endpoint)


def endpoint_of(role: str, domain: str, major: int) -> str | None:
    """Where messages of `major` to (role, domain) are posted: as configured, else as published; None without either.

    A configured URL of the form `…/api/v3/…` is used with the message's own major version.
    Raises DiscoveryFailed.
    """
    participant = Participant.objects.filter(role=role, domain=domain).only("endpoint").first()
    if participant and participant.endpoint:
        return re.sub(r"/api/v\d+/", f"/api/v{major}/", participant.endpoint, count=1)
    return discovery.configured().endpoint(role, domain, major)


def classify(reply: Reply, endpoint: str, *, again: bool) -> Result:
    """What a reply means (docs/protocol-support.md, Sending). `again`: this message was posted before."""
    status = reply.status
    detail = f"HTTP {status}" + (f": {reply.text}" if reply.text and status >= 300 else "")
    known_there = status == 400 and again and "duplicate message" in reply.text.lower()
    if 200 <= status < 300 or known_there:
        outcome = DELIVERED
    elif (400 <= status < 500 and status not in TEMPORARY) or status == 501:
        outcome = FOR_GOOD
    else:
        outcome = TEMPORARILY
    return Result(outcome, detail, endpoint, status, reply.retry_after)


def record(claim: Claim, result: Result, started_at: datetime, now: datetime) -> tuple[Party, ...]:
    """Keep the attempt, and set what follows: delivered, failed, or when to try again.

    Gives those for whom there is something to deliver since. The app that had a message passed on is told of its end in
    the same transaction; where that fails, the message waits with its attempt kept, and the app is told later.
    """
    state, next_attempt_at, finished_at = OutboundMessage.State.WAITING, None, None
    if result.outcome == DELIVERED:
        state, finished_at = OutboundMessage.State.DELIVERED, now
    elif result.outcome in (FOR_GOOD, EXPIRED) or now >= claim.give_up_at:
        state, finished_at = OutboundMessage.State.FAILED, now
    else:
        next_attempt_at = min(now + pause_after(claim.attempts, result.retry_after), claim.give_up_at)
    values = {
        "id": claim.id,
        "claim": claim.number,
        "started_at": started_at,
        "endpoint": result.endpoint[:500],
        "status": result.status,
        "outcome": result.outcome,
        "detail": result.detail.replace("\x00", "")[:2000],
        "state": str(state),
        "next_attempt_at": next_attempt_at,
        "finished_at": finished_at,
    }
    statement = _RECORD if result.fresh else _SET_STATE

    def keep_and_tell() -> tuple[Party, ...]:
        if binary.fetch(statement, values) is None:
            logger.warning(
                "Message %s was taken over while attempt %s was under way.", claim.id, claim.attempts
            )
            return ()
        if state is OutboundMessage.State.FAILED:
            logger.error("Message %s cannot be delivered: %s", claim.id, result.detail)
        if claim.passes_on is None or finished_at is None:
            return ()
        return _tell(claim, result)

    if claim.passes_on is None or finished_at is None:
        return keep_and_tell()
    try:
        return retried(keep_and_tell)
    except Exception:
        logger.exception("What became of message %s is not recorded for an error of ours.", claim.id)
    again_at = now + passing_on.TOLD_AGAIN_AFTER
    later = {"state": "waiting", "next_attempt_at": again_at, "finished_at": None}
    binary.fetch(statement, values | later)
    return ()


def _expired(claim: Claim) -> bool:
    """Whether a message that is passed on may not be posted any more."""
    return claim.passes_on is not None and timezone.now() >= claim.give_up_at


def _given_up(claim: Claim) -> Result:
    """The end of a message whose time is over, and what its last attempt came to."""
    last = passing_on.last_attempt(claim.id)
    said = f"the last attempt: {last.detail}" if last else "there was no attempt"
    return Result(EXPIRED, f"not delivered in time; {said}", fresh=False)


def _settled_before(claim: Claim) -> Result | None:
    """What a POST of a message that is passed on came to, where its app could not be told of it then."""
    if claim.passes_on is None or claim.attempts == 1:
        return None
    last = passing_on.last_attempt(claim.id, DELIVERED, FOR_GOOD)
    return last and Result(last.outcome, last.detail, last.endpoint, last.status, fresh=False)


def _tell(claim: Claim, result: Result) -> tuple[Party, ...]:
    assert claim.passes_on is not None
    delivered, refused = result.outcome == DELIVERED, result.outcome == FOR_GOOD
    detail = result.detail
    if result.outcome == TEMPORARILY:
        detail = f"not delivered in time; the last attempt: {detail}"
    return passing_on.tell(
        claim.passes_on,
        *claim.recipient,
        delivered=delivered,
        expired=not delivered and not refused,
        endpoint=result.endpoint,
        detail=detail,
    )


def pause_after(attempts: int, retry_after: float | None) -> timedelta:
    """How long to wait after `attempts` attempts in vain, and no shorter than the participant asked for."""
    pause = PAUSES[min(attempts, len(PAUSES)) - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
    return timedelta(seconds=max(pause, retry_after or 0.0))


def _posted_before(claim: Claim) -> bool:
    return claim.attempts > 1 or DeliveryAttempt.objects.filter(message_id=claim.id).exists()


def _extra_seconds(sealed: bytes) -> float:
    return len(sealed) / BYTES_A_SECOND


def _let_rest_wait(role: str, domain: str, now: datetime) -> None:
    """Hold back, without counting an attempt, what else is due for a participant that cannot be reached.

    What was to be given up by `now` fails with it: of thousands that wait, few come to an attempt of their own. But
    what is passed on comes to an end of its own, in time, as somebody is to be told of it.
    """
    unclaimed = OutboundMessage.objects.filter(
        recipient_role=role, recipient_domain=domain, state=OutboundMessage.State.WAITING
    ).exclude(claimed_until__gt=now)
    given_up = unclaimed.filter(give_up_at__lte=now, passes_on=None).update(
        state=OutboundMessage.State.FAILED, next_attempt_at=None, claimed_until=None, finished_at=now
    )
    if given_up:
        logger.error("%s messages to %s %s, which cannot be reached, are given up.", given_up, role, domain)
    pause = timedelta(seconds=random.uniform(REST / 2, REST))  # noqa: S311
    unclaimed.filter(next_attempt_at__lte=now).update(next_attempt_at=Least(Value(now + pause), "give_up_at"))
