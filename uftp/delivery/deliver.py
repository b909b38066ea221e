"""The delivery of messages: leased, posted, recorded, and tried again with growing pauses.

Messages are due by the real time, even if the clock stands still for a test.
"""

import logging
import random
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Q, Value
from django.db.models.functions import Least
from django.utils import timezone

from participants import discovery
from participants.credentials import credentials_of
from participants.encryption import EncryptionFailed
from uftp import meanings
from uftp.delivery.attempts import (
    DELIVERED,
    FOR_GOOD,
    TEMPORARILY,
    AttemptResult,
    earlier_result,
    expired_result,
    record,
)
from uftp.delivery.http_client import NoReply, Reply, post
from uftp.delivery.leases import Lease, extra_seconds, lease_oldest
from uftp.delivery.ordering import LAST_TRY_BEFORE_END
from uftp.models import DeliveryAttempt, OutboundMessage
from uftp.protocol.rendering import seal_envelope
from uftp.protocol.versions import major_of

logger = logging.getLogger(__name__)

MAX_RECIPIENT_PAUSE = 60.0
"""Maximum pause in seconds of all due messages to a participant that could not be reached."""

UNVERIFIED = 401
"""The status of a recipient that cannot verify the signature, or does not accept the credentials."""

UNVERIFIED_FOR = timedelta(hours=24)
"""For how long a 401 is temporary (docs/rules.md M16): a key may be registered late, or be rotated."""


def deliver_due(
    role: str,
    domain: str,
    *,
    wake: Callable[[str, str], None],
    stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Deliver the due messages to (role, domain), oldest first, until none is left.

    If the participant cannot be reached, only those messages go on that have their only try now. Several workers may
    call this at the same time. Each message is posted by one at a time.

    Args:
        role: The role of the recipient.
        domain: The domain of the recipient.
        wake: Called with role and domain to wake another delivery, also to the same recipient if more is due.
        stopping: Called before each message. No further one is delivered once it returns True.
    """
    is_first = True
    tried_senders: set[int] = set()
    while not stopping():
        now = timezone.now()
        lease = lease_oldest(role, domain, now, tried_senders)
        if lease is None:
            return
        if is_first and lease.more_due:
            wake(role, domain)
        is_first = False
        result = attempt(lease, role, domain)
        for party in result.wakes if result else ():
            wake(*party)
        if lease.sender_id is not None and result is not None:
            if result.outcome == TEMPORARILY:
                tried_senders.add(lease.sender_id)
            elif not lease.has_earlier:
                # Its next message is due now, maybe in the hands of another worker. A later one waits for that.
                tried_senders.discard(lease.sender_id)
        if result is not None and not result.reached:
            _postpone_others(role, domain, timezone.now())


def attempt(lease: Lease, role: str, domain: str) -> AttemptResult | None:
    """Post a leased message once and record the result.

    Any error is recorded as a temporary failure. Otherwise the message would be posted again at once. A message that
    is passed on is not posted if its time is over, or if an earlier POST had a final result.

    Returns:
        The result, or None if the lease is too short for a POST. Then another worker may have the message.
    """
    started_at = timezone.now()
    result = earlier_result(lease) or expired_result(lease) or _post(lease, role, domain)
    if result is None:
        return None
    return replace(result, wakes=record(lease, result, started_at, timezone.now()))


def _post(lease: Lease, role: str, domain: str) -> AttemptResult | None:
    seconds = settings.DELIVERY_TIMEOUT + extra_seconds(lease.sealed)
    endpoint = ""
    try:
        endpoint = endpoint_of(lease.endpoint, role, domain, major_of(lease.version)) or ""
        if not endpoint:
            raise NoReply("no endpoint is configured or published for this participant")
        sender_role, sender_domain = lease.sealed_by
        envelope = seal_envelope(sender_domain, sender_role, lease.sealed)
        if time.monotonic() > lease.expires_at - seconds:
            return None
        if over := expired_result(lease):
            return over
        credentials = credentials_of(lease.credentials_of) if lease.credentials_of is not None else None
        reply = post(endpoint, envelope, seconds=seconds, credentials=credentials)
        result = classify(reply, endpoint, again=reply.reposted or _posted_before(lease))
        if reply.status == UNVERIFIED and _unverified_for_long(lease, timezone.now()):
            return replace(result, outcome=FOR_GOOD)
        return result
    except (NoReply, discovery.DiscoveryFailed) as failure:
        return AttemptResult(TEMPORARILY, str(failure), endpoint, reached=False)
    except EncryptionFailed as failure:
        return AttemptResult(TEMPORARILY, f"no credentials: {failure}", endpoint, reached=False)
    except Exception as error:
        logger.exception("Message %s was not delivered: internal error.", lease.id)
        return AttemptResult(TEMPORARILY, f"an error of ours: {type(error).__name__}: {error}", endpoint)


def endpoint_of(configured: str, role: str, domain: str, major: int) -> str | None:
    """Return the URL for messages of major version `major` to (role, domain): configured, else published, else None.

    A configured URL of the form `…/api/v3/…` is used with the message's own major version.

    Raises:
        DiscoveryFailed: DNS gives no usable answer.
    """
    if configured:
        return re.sub(r"/api/v\d+/", f"/api/v{major}/", configured, count=1)
    return discovery.configured().endpoint(role, domain, major)


def classify(reply: Reply, endpoint: str, *, again: bool) -> AttemptResult:
    """Return the result of a reply (docs/protocol-support.md, Sending). A 401 is temporary here.

    Args:
        reply: The reply of the participant's system.
        endpoint: The URL that was posted to.
        again: Whether the message was posted before. Then a 400 for a duplicate means that it is delivered.
    """
    status = reply.status
    detail = f"HTTP {status}" + (
        f", after a redirect to {reply.redirected_to}" if reply.redirected_to else ""
    )
    detail += f": {reply.text}" if reply.text and status >= 300 else ""
    known_there = status == 400 and again and "duplicate message" in reply.text.lower()
    if 200 <= status < 300 or known_there:
        outcome = DELIVERED
    elif meanings.is_permanent(status):
        outcome = FOR_GOOD
    else:
        outcome = TEMPORARILY
    return AttemptResult(outcome, detail, endpoint, status, reply.retry_after)


def _unverified_for_long(lease: Lease, now: datetime) -> bool:
    """Return whether the first 401 of the message was longer ago than UNVERIFIED_FOR.

    If staff have sent the message again since, it is counted from then on.
    """
    refused = DeliveryAttempt.objects.filter(message_id=lease.id, status=UNVERIFIED)
    if lease.resent_at is not None:
        refused = refused.filter(started_at__gte=lease.resent_at)
    return refused.filter(started_at__lte=now - UNVERIFIED_FOR).exists()


def _posted_before(lease: Lease) -> bool:
    return lease.number > 1 and DeliveryAttempt.objects.filter(message_id=lease.id).exists()


def _postpone_others(role: str, domain: str, now: datetime) -> None:
    """Postpone the other due messages to a participant that cannot be reached. It counts as no attempt.

    Messages whose `give_up_at` is over fail at once: if thousands wait, most of them never get an attempt of their
    own. Messages that are passed on do not: their handlers must get the result. One that was never tried and is near
    its end is not postponed, so that it is undone only after a try of its own.
    """
    unleased = OutboundMessage.objects.filter(
        recipient_role=role, recipient_domain=domain, state=OutboundMessage.State.WAITING
    ).exclude(claimed_until__gt=now)
    given_up = unleased.filter(give_up_at__lte=now, passes_on=None).update(
        state=OutboundMessage.State.FAILED, next_attempt_at=None, claimed_until=None, finished_at=now
    )
    if given_up:
        logger.error("%s messages to %s %s, which cannot be reached, are given up.", given_up, role, domain)
    pause = timedelta(seconds=random.uniform(MAX_RECIPIENT_PAUSE / 2, MAX_RECIPIENT_PAUSE))  # noqa: S311
    only_tries = Q(
        passes_on__isnull=False, attempts=0, give_up_at__gt=now, give_up_at__lte=now + LAST_TRY_BEFORE_END
    )
    due = unleased.filter(next_attempt_at__lte=now).exclude(only_tries)
    due.filter(passes_on__isnull=False, give_up_at__gt=now + LAST_TRY_BEFORE_END).update(
        next_attempt_at=Least(Value(now + pause), F("give_up_at") - LAST_TRY_BEFORE_END)
    )
    due.update(next_attempt_at=Least(Value(now + pause), "give_up_at"))
