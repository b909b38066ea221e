"""Messages whose handling fails: they are tried again, and set aside if it keeps failing (docs/rules.md M14).

Failed tries and setbacks of a message are counted apart. A try that ends the worker is a failed try.
"""

import logging
import time
import traceback
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, InterfaceError, connection
from django.db.models import F, Q
from django.utils import timezone

from common import retry
from common.retry import lost_race, server_trouble
from uftp.handlers import Party
from uftp.models import InboundMessage

logger = logging.getLogger(__name__)

TRIES = 3
PAUSE = 0.5  # seconds, times the number of tries so far

SETBACKS = 5
"""After so many setbacks in a row a message is set aside.

A setback is a minute of lost races, or an error of a database that works again at once. At most one a minute counts.
"""

WORKER_DIED = (
    "The worker process ended while it handled this message, without an error: killed, or out of memory."
)


@dataclass(slots=True)
class HandlingTry:
    """One try to handle a message, for what follows after its transaction.

    Attributes:
        message: The message, once it is known.
        duplicate: Whether an earlier message of the sender has the same MessageID.
        wakes: The parties for whom messages were stored.
        counted: The id of the message and the number of the try, if the try was counted before it began.
        answers: The answers that were looked up for the message, by question.
    """

    message: InboundMessage | None = None
    duplicate: bool = False
    wakes: tuple[Party, ...] = ()
    counted: tuple[int, int] | None = None
    answers: dict[Hashable, Any] = field(default_factory=dict)


def count_try(handling_try: HandlingTry) -> tuple[int, int] | None:
    """Count a further try of a message before it begins, so that it counts even if it ends the worker.

    If the message has had all its tries, it is set aside.

    Returns:
        The id of the message and the number of the try. None if there is no further try.
    """
    message = handling_try.message
    assert message is not None
    waiting = InboundMessage.objects.filter(
        pk=message.pk, state=InboundMessage.State.RECEIVED, attempts=message.attempts
    )
    if message.attempts >= TRIES:
        if waiting.update(**_set_aside(handling_try.duplicate), last_error=WORKER_DIED):
            logger.error(
                "%s (id %s) of %s is set aside: %s", message, message.pk, message.sender, WORKER_DIED
            )
    elif waiting.update(attempts=F("attempts") + 1):
        return message.pk, message.attempts + 1
    return None


def count_try_of_dead_worker(sender_id: int) -> None:
    """Count a try of the message that a dead worker was handling: the sender's oldest waiting message.

    From then on, each try of it is counted before it begins. If every try ends a worker, the message is set aside
    (docs/rules.md M14).
    """
    oldest = (
        InboundMessage.objects.filter(sender_id=sender_id, state=InboundMessage.State.RECEIVED)
        .order_by("id")
        .values("pk")[:1]
    )
    counted = InboundMessage.objects.filter(pk__in=list(oldest.values_list("pk", flat=True)), attempts=0)
    if counted.update(attempts=1, last_error=WORKER_DIED):
        logger.error(
            "A worker died while it handled messages of sender %s. The oldest waiting one counts as tried.",
            sender_id,
        )


def record_failure(handling_try: HandlingTry, error: Exception) -> bool:
    """Record that handling a message failed with `error`.

    A message that fails TRIES times is set aside for staff (docs/rules.md M14). Lost races and errors of the database
    are not failed tries but setbacks: the message waits for the next wake-up. It is set aside after SETBACKS of them.

    Returns:
        Whether to go on with this inbox.
    """
    message = handling_try.message
    if lost_race(error) or server_trouble(error) or message is None:
        logger.warning("Handling of messages was interrupted: %s", error, exc_info=message is None)
        if not connection.in_atomic_block:
            connection.close()
        return message is not None and _count_setback(message, handling_try, error)
    tried = message.attempts if _is_counted(handling_try) else message.attempts + 1
    logger.error(
        "Handling %s (id %s) of %s failed, try %s of %s.",
        message,
        message.pk,
        message.sender,
        tried,
        TRIES,
        exc_info=error,
    )
    changes: dict[str, Any] = {"attempts": tried, "last_error": _error_in_one_line(error)}
    if tried >= TRIES:
        changes |= _set_aside(handling_try.duplicate)
    InboundMessage.objects.filter(
        pk=message.pk, state=InboundMessage.State.RECEIVED, attempts=message.attempts
    ).update(**changes)
    if tried < TRIES:
        time.sleep(PAUSE * tried)
    return True


def _set_aside(duplicate: bool) -> dict[str, Any]:
    """Return the values of a message that is set aside. It keeps its MessageID, for when staff process it again."""
    return {"state": InboundMessage.State.SET_ASIDE, "holds_message_id": not duplicate}


def _is_counted(handling_try: HandlingTry) -> bool:
    """Return whether this try was counted before it began."""
    return handling_try.message is not None and handling_try.counted == (
        handling_try.message.pk,
        handling_try.message.attempts,
    )


def _count_setback(message: InboundMessage, handling_try: HandlingTry, error: Exception) -> bool:
    """Count a setback instead of a try, and return whether the message was set aside because of too many.

    The database counts them. So a database that is not available sets no message aside.
    """
    now = timezone.now()
    before = now - timedelta(seconds=retry.PATIENCE)
    waiting = InboundMessage.objects.filter(pk=message.pk, state=InboundMessage.State.RECEIVED)
    try:
        if _is_counted(handling_try):
            waiting.filter(attempts=message.attempts).update(attempts=F("attempts") - 1)
        waiting.filter(Q(last_setback_at__isnull=True) | Q(last_setback_at__lte=before)).update(
            setbacks=F("setbacks") + 1, last_setback_at=now, last_error=_error_in_one_line(error)
        )
        if not waiting.filter(setbacks__gte=SETBACKS).update(**_set_aside(handling_try.duplicate)):
            return False
    except (DatabaseError, InterfaceError) as failure:
        logger.warning("A setback of %s (id %s) is not recorded: %s", message, message.pk, failure)
        return False
    logger.error(
        "%s (id %s) of %s is set aside: %s", message, message.pk, message.sender, _error_in_one_line(error)
    )
    return True


def _error_in_one_line(error: Exception) -> str:
    """Return the error as one line for staff."""
    return " ".join("".join(traceback.format_exception_only(error)).replace("\x00", "").split())[:2000]


def process_again(message: InboundMessage) -> bool:
    """Let a message that is set aside wait again, and return False if it is not set aside.

    The caller wakes the sender's inbox after the commit.
    """
    return bool(
        InboundMessage.objects.filter(pk=message.pk, state=InboundMessage.State.SET_ASIDE).update(
            state=InboundMessage.State.RECEIVED, attempts=0, setbacks=0, last_setback_at=None
        )
    )
