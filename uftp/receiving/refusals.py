"""What was refused at the door, kept for staff: within bounds, so that nobody can fill a disk with it.

A request in the name of a participant that is on record is kept; so is one whose signature proves its sender, with
the beginning of its inner XML. Those who prove themselves and are not on record share the bounds of one sender, since
whoever has a domain has as many names as they like. Of anything else, and beyond these bounds, there is a line in the
log.
"""

import logging
import re
import threading
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError, InterfaceError, connection
from django.db.models import QuerySet

from common import clock
from participants.models import Participant, Role
from participants.scope import Scope
from uftp.models import Refusal

logger = logging.getLogger(__name__)

STATUSES = (400, 401, 413, 419)
"""What is wrong with the request itself. The others are for the moment: they say to come again, or how."""

PER_MINUTE = 120
PER_MINUTE_AND_ADDRESS = 30
"""Refusals that one web process looks into a minute: of all addresses, and of one."""

OF_STRANGERS_PER_MINUTE = 10
"""Refusals of senders not on record that one web process keeps a minute."""

ENDS = 4096
"""Bytes at both ends of a body in which it says whose it is: the large attribute is the one between."""

CONTENT_BYTES = 1_000_000
CONTENT_BYTES_OF_STRANGERS = 100_000
DAYS = 30
ROWS = 100_000
ROWS_OF_SENDER = 1_000
CONTENTS_OF_SENDER = 100
"""What is kept: so many days, rows, rows of one sender (proven and claimed ones apart), and XML with the latest.

All senders that are not on record are one here."""

DAY = timedelta(days=1)

_CLAIMED_DOMAIN = re.compile(rb"SenderDomain\s*=\s*[\"']([a-z0-9.-]{1,253})[\"']")
_CLAIMED_ROLE = re.compile(rb"SenderRole\s*=\s*[\"']([A-Z]{3})[\"']")

# The refusals that are beyond one of the bounds.
_PRUNE = """
DELETE FROM uftp_refusal WHERE id IN (
    SELECT id FROM (
        SELECT refusal.id, at,
            row_number() OVER (ORDER BY refusal.id DESC) AS place,
            row_number() OVER (PARTITION BY sender.id, verified ORDER BY refusal.id DESC) AS place_of_sender
        FROM uftp_refusal AS refusal LEFT JOIN participants_participant AS sender USING (role, domain)
    ) AS ranked
    WHERE at < %(before)s OR place > %(rows)s OR place_of_sender > %(rows_of_sender)s
)
"""

# The XML of all but each sender's latest refusals.
_FORGET_CONTENTS = """
UPDATE uftp_refusal SET content = NULL WHERE id IN (
    SELECT id FROM (
        SELECT refusal.id, row_number() OVER (PARTITION BY sender.id ORDER BY refusal.id DESC) AS place
        FROM uftp_refusal AS refusal LEFT JOIN participants_participant AS sender USING (role, domain)
        WHERE content IS NOT NULL
    ) AS ranked
    WHERE place > %(contents)s
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A request as it was refused: `role` and `domain` as claimed, `content` where the signature proves them."""

    at: datetime
    address: str
    role: str
    domain: str
    major: int
    status: int
    line: str
    size: int
    content: bytes | None = None


class _Budget:
    """Counts by the minute, of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = -1
        self._all = 0
        self._of_strangers = 0
        self._by_address: Counter[str] = Counter()

    def take(self, address: str, minute: int) -> bool:
        """Whether one more from `address` is within the bounds of this minute."""
        with self._lock:
            if minute != self._minute:
                self._minute, self._all, self._of_strangers = minute, 0, 0
                self._by_address.clear()
            if self._all >= PER_MINUTE or self._by_address[address] >= PER_MINUTE_AND_ADDRESS:
                return False
            self._all += 1
            self._by_address[address] += 1
            return True

    def take_stranger(self) -> bool:
        """Whether one of a sender not on record is within the bounds of the minute that was last taken from."""
        with self._lock:
            self._of_strangers += 1
            return self._of_strangers <= OF_STRANGERS_PER_MINUTE


_budget = _Budget()


def claimed_in(ends: bytes) -> tuple[str, str] | None:
    """The role and domain that an envelope names in what was read of it; None where it does not say so plainly."""
    role, domain = _CLAIMED_ROLE.search(ends), _CLAIMED_DOMAIN.search(ends)
    return (role[1].decode(), domain[1].decode()) if role and domain else None


def keep(refused: Refused) -> None:
    """Keep a refusal if it is one to keep. Never raises for trouble with the database: then the log has it alone."""
    if refused.status not in STATUSES or refused.role not in Role.values:
        return
    if not _budget.take(refused.address, int(refused.at.timestamp()) // 60):
        return
    verified = refused.content is not None
    try:
        on_record = _on_record(refused.role, refused.domain)
        if not on_record and not (verified and _budget.take_stranger()):
            return
        longest = CONTENT_BYTES if on_record else CONTENT_BYTES_OF_STRANGERS
        Refusal.objects.create(
            at=refused.at,
            address=refused.address[:45],
            role=refused.role,
            domain=refused.domain,
            major=refused.major,
            status=refused.status,
            line=refused.line,
            size=refused.size,
            verified=verified,
            content=None if refused.content is None else refused.content[:longest],
            content_size=None if refused.content is None else len(refused.content),
        )
    except (DatabaseError, InterfaceError) as error:
        logger.warning("A refusal is in the log alone: %s", error)


def _on_record(role: str, domain: str) -> bool:
    return Participant.objects.filter(role=role, domain=domain).exists()


def last_day(scope: Scope, now: datetime | None = None) -> QuerySet[Refusal]:
    """The refusals of the 24 hours before `now` (default: now) that claim to be of participants in `scope`."""
    since = (now or clock.now()) - DAY
    return scope.restrict_named(Refusal.objects.defer("content").filter(at__gte=since), "role", "domain")


def prune(now: datetime) -> tuple[int, int]:
    """Delete what is beyond the bounds at `now`; gives how many rows, and of how many more the XML."""
    with connection.cursor() as cursor:
        cursor.execute(_PRUNE, {"before": now - DAYS * DAY, "rows": ROWS, "rows_of_sender": ROWS_OF_SENDER})
        rows = cursor.rowcount
        cursor.execute(_FORGET_CONTENTS, {"contents": CONTENTS_OF_SENDER})
        contents = cursor.rowcount
    if rows or contents:
        logger.info("Forgot %s old refusals at the door, and the XML of %s more.", rows, contents)
    return rows, contents
