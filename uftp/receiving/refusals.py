"""The refused requests that are stored for staff, within limits, so that nobody can fill a disk.

A refused request is stored if it names a registered participant, or if its signature proves its sender. In the second
case the beginning of the inner XML is stored too. All proven senders that are not registered share the limits of one
sender: the owner of a domain has any number of names. All other refused requests are only in the log.
"""

import logging
import os
import re
import threading
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO

from django.db import DatabaseError, InterfaceError, connection
from django.db.models import QuerySet

from common import clock
from common.networks import client_network
from participants.models import Participant, Role
from participants.scope import Scope
from uftp.models import Refusal

logger = logging.getLogger(__name__)

STATUSES = (400, 401, 413, 419)
"""The statuses of refused requests that are stored: the request itself is wrong. The others are temporary."""

PER_MINUTE = 120
PER_MINUTE_AND_ADDRESS = 30
"""Maximum number of refused requests that one web process considers in a minute: of all addresses, and of one.

The addresses of an IPv6 /64 count as one.
"""

UNREGISTERED_PER_MINUTE = 10
"""Maximum number of refused requests of unregistered senders that one web process stores in a minute."""

SAMPLE_BYTES = 4096
"""Number of bytes at both ends of a body that are searched for its sender. The large attribute is between them."""

CONTENT_BYTES = 1_000_000
CONTENT_BYTES_UNREGISTERED = 100_000
KEEP_DAYS = 30
MAX_ROWS = 100_000
MAX_ROWS_PER_SENDER = 1_000
MAX_CONTENTS_PER_SENDER = 100
"""Limits of what is stored: days, rows, rows of one sender, and rows of one sender with XML.

Proven and unproven rows of a sender are counted apart. All unregistered senders count as one.
"""

DAY = timedelta(days=1)

_CLAIMED_DOMAIN = re.compile(rb"SenderDomain\s*=\s*[\"']([a-z0-9.-]{1,253})[\"']")
_CLAIMED_ROLE = re.compile(rb"SenderRole\s*=\s*[\"']([A-Z]{3})[\"']")

# Delete the refused requests beyond one of the limits.
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

# Delete the XML of refused requests, except of the latest ones of each sender.
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
class RefusalRecord:
    """A refused request. `role` and `domain` are those in the envelope. `content` is set if they are proven."""

    at: datetime
    address: str
    role: str
    domain: str
    major: int
    status: int
    line: str
    size: int
    content: bytes | None = None


class _Limits:
    """Counts refused requests of one web process by the minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = -1
        self._all = 0
        self._unregistered = 0
        self._by_address: Counter[str] = Counter()

    def allow(self, address: str, minute: int) -> bool:
        """Count a refused request from `address`, and return whether it is within the limits of the minute."""
        with self._lock:
            if minute != self._minute:
                self._minute, self._all, self._unregistered = minute, 0, 0
                self._by_address.clear()
            if self._all >= PER_MINUTE or self._by_address[address] >= PER_MINUTE_AND_ADDRESS:
                return False
            self._all += 1
            self._by_address[address] += 1
            return True

    def allow_unregistered(self) -> bool:
        """Count one of an unregistered sender, and return whether it is within the limit of the latest minute."""
        with self._lock:
            self._unregistered += 1
            return self._unregistered <= UNREGISTERED_PER_MINUTE


_limits = _Limits()


def claimed_sender(sample: bytes) -> tuple[str, str] | None:
    """Return the role and domain in the first and last bytes of an envelope, or None if they are not found."""
    role, domain = _CLAIMED_ROLE.search(sample), _CLAIMED_DOMAIN.search(sample)
    return (role[1].decode(), domain[1].decode()) if role and domain else None


def ends_of(body: IO[bytes]) -> bytes:
    """Return the first and the last bytes of a body in a file, in which `claimed_sender` searches."""
    length = body.seek(0, os.SEEK_END)
    body.seek(0)
    first = body.read(SAMPLE_BYTES)
    body.seek(max(0, length - SAMPLE_BYTES))
    return first + body.read(SAMPLE_BYTES)


def record_refusal(refused: RefusalRecord) -> None:
    """Store a refused request if it is within the limits.

    An error of the database is only logged.
    """
    if refused.status not in STATUSES or refused.role not in Role.values:
        return
    if not _limits.allow(client_network(refused.address), int(refused.at.timestamp()) // 60):
        return
    verified = refused.content is not None
    try:
        registered = _is_registered(refused.role, refused.domain)
        if not registered and not (verified and _limits.allow_unregistered()):
            return
        longest = CONTENT_BYTES if registered else CONTENT_BYTES_UNREGISTERED
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
        logger.warning("A refused request is only in the log: %s", error)


def _is_registered(role: str, domain: str) -> bool:
    return Participant.objects.filter(role=role, domain=domain).exists()


def last_day(scope: Scope, now: datetime | None = None) -> QuerySet[Refusal]:
    """Return the refused requests of the 24 hours before `now` that name participants in `scope`.

    The default of `now` is the present moment.
    """
    since = (now or clock.now()) - DAY
    return scope.restrict_named(Refusal.objects.defer("content").filter(at__gte=since), "role", "domain")


def prune(now: datetime) -> tuple[int, int]:
    """Delete the refused requests, and the XML of them, that are beyond the limits at `now`.

    Returns:
        The number of deleted rows, and the number of other rows whose XML was deleted.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _PRUNE, {"before": now - KEEP_DAYS * DAY, "rows": MAX_ROWS, "rows_of_sender": MAX_ROWS_PER_SENDER}
        )
        rows = cursor.rowcount
        cursor.execute(_FORGET_CONTENTS, {"contents": MAX_CONTENTS_PER_SENDER})
        contents = cursor.rowcount
    if rows or contents:
        logger.info("Deleted %s old refused requests, and the XML of %s more.", rows, contents)
    return rows, contents
