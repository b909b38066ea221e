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
from django.core.mail import EmailMessage
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
    """Send a leased notice, and record what came of it."""
    obstacle, addresses = why_not_by_mail(notice.participant), addresses_of(notice.participant)
    if obstacle:
        _end(notice, State.BY_HAND, now(), detail=obstacle)
        return
    try:
        message_of(notice, addresses).send()
    except (OSError, SMTPException) as error:
        _record_failure(notice, error, now())
    except (ValueError, MessageError):
        # Not the addresses: the log has none.
        logger.warning("Notice %s was not sent: no e-mail can be written to its addresses.", notice.pk)
        _end(notice, State.BY_HAND, now(), detail=UNWRITABLE)
    else:
        _end(notice, State.SENT, now(), sent_to=addresses)


def message_of(notice: Notice, addresses: list[str]) -> EmailMessage:
    """Return the e-mail of a notice: the CRO's reference and a link, never another party or a reason (N3)."""
    participant, reference = notice.participant, f"decision {notice.change_id}"
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
        to=addresses,
        headers={
            # The same for each try, so that mail programs show a second copy as the first one.
            "Message-ID": f"<notice-{notice.pk}@{settings.CRO_DOMAIN}>",
            "Auto-Submitted": "auto-generated",
        },
    )


def _record_failure(notice: Notice, error: Exception, now: datetime) -> None:
    """Have a notice tried again later, or told by hand: when it is refused for good, or was tried for a day."""
    said = _in_words(error)
    if _is_permanent(error) or now - notice.created_at >= RETRY_FOR:
        _end(notice, State.BY_HAND, now, detail=said)
    else:
        pause = min(FIRST_PAUSE * 2 ** min(notice.tries - 1, 10), LONGEST_PAUSE)
        Notice.objects.filter(pk=notice.pk, state=State.WAITING).update(next_try_at=now + pause, detail=said)
    logger.warning("Notice %s was not sent: %s", notice.pk, said)


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


def _end(
    notice: Notice, state: str, now: datetime, *, detail: str = "", sent_to: list[str] | None = None
) -> None:
    Notice.objects.filter(pk=notice.pk, state=State.WAITING).update(
        state=state, next_try_at=None, finished_at=now, detail=detail[:500], sent_to=sent_to or []
    )
