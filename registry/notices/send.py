"""Send the notices that are due: one at a time in the whole CRO, and none in a transaction.

A mail server that is slow keeps one thread of one worker waiting, and nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.errors import MessageError
from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused, SMTPSenderRefused

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection
from django.urls import reverse

from common import locks
from participants.models import Role
from registry.models import Notice
from registry.notices.queue import State, addresses_of, due, why_not_by_mail

RETRY_FOR = timedelta(hours=24)
"""How long a notice is tried again, from its first try on."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
LEASE = timedelta(minutes=5)
"""How long a notice belongs to the worker that sends it; EMAIL_TIMEOUT is shorter."""

UNWRITABLE = "An address of a contact is not one that an e-mail can be written to."
REFUSED_BEFORE = "The mail server refused an address for good at an earlier try."

logger = logging.getLogger(__name__)


def send_due(*, now: Callable[[], datetime], stopping: Callable[[], bool]) -> None:
    """Send all notices that are due (docs/rules.md N2). Return at once where another worker does.

    Args:
        now: Returns the present moment, in real time.
        stopping: Whether the worker is to stop; asked before each notice.
    """
    with _alone() as alone:
        while alone and not stopping():
            notice = _lease(now())
            if notice is None:
                return
            _send(notice, now)


@contextmanager
def _alone() -> Iterator[bool]:
    """Hold the lock of sending, and yield whether it was free."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [locks.NOTICES])
        (alone,) = cursor.fetchone()
    try:
        yield bool(alone)
    finally:
        if alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [locks.NOTICES])


def _lease(now: datetime) -> Notice | None:
    """Return the next notice that is due. Where this worker dies, it is due again when the lease ends."""
    notice = due(now).select_related("participant", "change").first()
    if notice is not None:
        notice.tries += 1
        notice.next_try_at = now + LEASE
        notice.save(update_fields=["tries", "next_try_at"])
    return notice


def _send(notice: Notice, now: Callable[[], datetime]) -> None:
    """Send a leased notice to each address that does not have it yet, and record what came of it.

    Each address gets an e-mail of its own: a mail server may take one address and refuse another.
    """
    obstacle = why_not_by_mail(notice.participant)
    if obstacle:
        _end(notice, State.BY_HAND, now(), detail=obstacle)
        return
    failures: list[str] = []
    waits = False
    try:
        with get_connection() as server:
            for address in _addresses_left(notice):
                try:
                    message_of(notice, address, server).send()
                except SMTPRecipientsRefused as error:
                    failures.append(_in_words(error))
                    if _is_permanent(error):
                        notice.refused.append(address)
                    else:
                        waits = True
                except (ValueError, MessageError):
                    failures.append(UNWRITABLE)
                    notice.refused.append(address)
                else:
                    notice.sent_to.append(address)
                # At once: if this worker dies, no address gets the e-mail twice.
                notice.save(update_fields=["sent_to", "refused"])
    except (OSError, SMTPException) as error:
        failures.append(_in_words(error))
        waits = not _is_permanent(error)
    _record_result(notice, failures, now(), waits=waits)


def _addresses_left(notice: Notice) -> list[str]:
    """Return the addresses that neither have the notice nor were refused for good."""
    return [
        address
        for address in addresses_of(notice.participant)
        if address not in notice.sent_to and address not in notice.refused
    ]


def message_of(notice: Notice, address: str, server: BaseEmailBackend) -> EmailMessage:
    """Return the e-mail of a notice: the CRO's reference and a link, never another party or a reason (N3)."""
    participant, reference = notice.participant, notice.reference
    query = "AGRPortfolioQuery" if participant.role == Role.AGR else "DSOPortfolioQuery"
    page = reverse("admin:registry_change_change", args=[notice.change_id])
    body = (
        f"{participant}\n\n"
        f"Staff of the Common Reference Operator {settings.CRO_DOMAIN} decided about days of connections that you"
        " claim.\n\n"
        f"Reference: {reference}\n"
        f"{settings.SITE_URL}{page}\n\n"
        "The link is for the CRO's staff. Quote the reference when you write or call.\n"
        f"What counts for you now is in the answer to your next {query}.\n"
    )
    return EmailMessage(
        subject=f"{settings.CRO_DOMAIN}: {reference}",
        body=body,
        to=[address],
        connection=server,
        headers={
            # The same for each try, so that mail programs show a second copy as the first one.
            "Message-ID": f"<notice-{notice.pk}@{settings.CRO_DOMAIN}>",
            "Auto-Submitted": "auto-generated",
        },
    )


def _record_result(notice: Notice, failures: list[str], now: datetime, *, waits: bool) -> None:
    """Record that a notice is sent, is tried again later, or is to be told by hand.

    Args:
        notice: The notice, after a try.
        failures: What went wrong, for each address or for all.
        now: The present moment, in real time.
        waits: Whether an address may take it later.
    """
    said = " ".join(dict.fromkeys(failures))
    if not said and set(notice.refused) & set(addresses_of(notice.participant)):
        said = REFUSED_BEFORE
    if waits and now - notice.created_at < RETRY_FOR:
        pause = min(FIRST_PAUSE * 2 ** min(notice.tries - 1, 10), LONGEST_PAUSE)
        Notice.objects.filter(pk=notice.pk, state=State.WAITING).update(
            next_try_at=now + pause, detail=said[:500]
        )
    else:
        _end(notice, State.BY_HAND if said else State.SENT, now, detail=said)
    if failures:
        logger.warning("Notice %s was not sent to all addresses: %s", notice.pk, said)


def _is_permanent(error: Exception) -> bool:
    """Return whether the mail server refused the message for good (a status of 5xx)."""
    if isinstance(error, SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, SMTPDataError | SMTPSenderRefused) and error.smtp_code >= 500


def _in_words(error: Exception) -> str:
    """Return what went wrong, without the addresses and without what the server said of them."""
    if isinstance(error, SMTPRecipientsRefused):
        codes = sorted({str(code) for code, _ in error.recipients.values()})
        return f"The mail server refused the addresses ({', '.join(codes)})."
    if (code := getattr(error, "smtp_code", None)) is not None:
        return f"The mail server answered {code}."
    return f"The mail server was not reached: {getattr(error, 'strerror', None) or type(error).__name__}."


def _end(notice: Notice, state: str, now: datetime, *, detail: str = "") -> None:
    Notice.objects.filter(pk=notice.pk, state=State.WAITING).update(
        state=state, next_try_at=None, finished_at=now, detail=detail[:500]
    )
