"""The senders of which this CRO has no key (419), counted for staff within limits, so that nobody can fill a disk.

A request only adds to a count in memory. A thread of the web process writes all counts in one transaction, every few
seconds at most.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, InterfaceError, connection, transaction

from common import locks
from common.networks import client_network, site_network
from participants.models import Role
from uftp.models import OtherUnknownSenders, UnknownSender

logger = logging.getLogger(__name__)

MAX_ROWS = 1_000
MAX_ROWS_PER_NETWORK = 50
MAX_ROWS_PER_SITE = 100
"""Limits of what is stored: rows, rows whose first request came from one client's addresses, and from one site's.

The rest is only counted (`common/networks.py` says what the addresses of a client and of a site are).
"""

MAX_PENDING = 1_000
"""How many senders a process counts by name between two writes, with the same limits for a client and a site."""

LONGEST_DOMAIN = 253
"""The length of the longest name of DNS. A longer one is counted among the others."""

WRITE_SECONDS = 5.0
"""A process writes this long after the first request that it has not written."""

KEEP_DAYS = 30
QUIET_DAYS = 7
"""A sender that did not come for KEEP_DAYS is deleted. While the list is full, one that did not come for QUIET_DAYS
makes room for another."""

_LOCK = "SELECT pg_try_advisory_xact_lock(%(lock)s)"

# The counts of the senders that have a row.
_COUNT = """
UPDATE uftp_unknownsender AS row
SET requests = row.requests + new.requests, last_at = greatest(row.last_at, new.last_at), address = new.address,
    line = new.line
FROM unnest(%(roles)s::text[], %(domains)s::text[], %(addresses)s::text[], %(lines)s::text[], %(requests)s::bigint[],
    %(lasts)s::timestamptz[]) AS new (role, domain, address, line, requests, last_at)
WHERE row.role = new.role AND row.domain = new.domain
RETURNING row.role, row.domain
"""

_REGISTERED = """
SELECT role, domain FROM participants_participant
WHERE (role, domain) IN (SELECT * FROM unnest(%(roles)s::text[], %(domains)s::text[]))
"""

# The first rows of further senders, as far as the limits go. If there is no room, those that were quiet for longest go.
_ADD = """
WITH new AS (
    SELECT *, row_number() OVER (PARTITION BY network ORDER BY first_at, domain) AS place
    FROM unnest(%(roles)s::text[], %(domains)s::text[], %(addresses)s::text[], %(networks)s::text[], %(sites)s::text[],
        %(lines)s::text[], %(requests)s::bigint[], %(firsts)s::timestamptz[], %(lasts)s::timestamptz[])
        AS new (role, domain, address, network, site, line, requests, first_at, last_at)
), of_network AS (
    SELECT *, row_number() OVER (PARTITION BY site ORDER BY first_at, domain) AS place_in_site
    FROM new
    WHERE place + (SELECT count(*) FROM uftp_unknownsender AS row WHERE row.network = new.network)
        <= %(rows_of_network)s
), of_site AS (
    SELECT *, row_number() OVER (ORDER BY first_at, domain) AS place_of_all
    FROM of_network
    WHERE place_in_site + (SELECT count(*) FROM uftp_unknownsender AS row WHERE row.site = of_network.site)
        <= %(rows_of_site)s
), room AS (
    SELECT %(rows)s - count(*) AS rows FROM uftp_unknownsender
), gone AS (
    DELETE FROM uftp_unknownsender WHERE id IN (
        SELECT id FROM uftp_unknownsender WHERE last_at < %(quiet_since)s ORDER BY last_at
        LIMIT greatest(0, (SELECT count(*) FROM of_site) - (SELECT rows FROM room))
    )
    RETURNING id
)
INSERT INTO uftp_unknownsender (role, domain, address, network, site, line, requests, first_at, last_at)
SELECT role, domain, address, network, site, line, requests, first_at, last_at
FROM of_site
WHERE place_of_all <= (SELECT rows FROM room) + (SELECT count(*) FROM gone)
RETURNING role, domain
"""

_COUNT_OTHERS = """
INSERT INTO uftp_otherunknownsenders AS row (id, requests, last_at) VALUES (1, %(requests)s, %(last_at)s)
ON CONFLICT (id) DO UPDATE
SET requests = row.requests + excluded.requests, last_at = greatest(row.last_at, excluded.last_at)
"""

# Those that have not come again, and those that staff have registered.
_PRUNE = """
DELETE FROM uftp_unknownsender AS row
WHERE last_at < %(before)s OR EXISTS (
    SELECT FROM participants_participant AS registered
    WHERE registered.role = row.role AND registered.domain = row.domain
)
"""

Party = tuple[str, str]


@dataclass(slots=True)
class _Count:
    """The requests of one sender that are not written yet."""

    address: str
    network: str
    site: str
    line: str
    requests: int
    first_at: datetime
    last_at: datetime


def _later(write: Callable[[], None]) -> None:
    """Have a thread call `write` after WRITE_SECONDS."""
    timer = threading.Timer(WRITE_SECONDS, write)
    timer.daemon = True
    timer.start()


class UnknownSenders:
    """Counts the requests of unknown senders of one process, and writes the counts.

    Args:
        later: Has a function called after some seconds.
    """

    def __init__(self, later: Callable[[Callable[[], None]], None] = _later) -> None:
        self._later = later
        self._lock = threading.Lock()
        self._counts: dict[Party, _Count] = {}
        self._senders_of: Counter[str] = Counter()
        self._senders_of_site: Counter[str] = Counter()
        self._others = 0
        self._others_at: datetime | None = None
        self._scheduled = False

    def record(self, role: str, domain: str, *, address: str, line: str, at: datetime) -> None:
        """Count a request. It is written some seconds later."""
        if role not in Role.values:
            return
        network, site = client_network(address), site_network(address)
        with self._lock:
            counted = self._counts.get((role, domain))
            if counted is not None:
                counted.requests += 1
                counted.address, counted.line, counted.last_at = address, line, at
            elif len(domain) <= LONGEST_DOMAIN and self._has_room(network, site):
                self._counts[role, domain] = _Count(address, network, site, line, 1, at, at)
                self._senders_of[network] += 1
                self._senders_of_site[site] += 1
            else:
                self._others, self._others_at = self._others + 1, at
            begin, self._scheduled = not self._scheduled, True
        if begin:
            self._later(self._write_in_thread)

    def _has_room(self, network: str, site: str) -> bool:
        """Return whether one more sender is counted by name. So one site cannot fill the list before a write."""
        return (
            len(self._counts) < MAX_PENDING
            and self._senders_of[network] < MAX_ROWS_PER_NETWORK
            and self._senders_of_site[site] < MAX_ROWS_PER_SITE
        )

    def write(self) -> bool:
        """Write what was counted. Return False if another process is writing: then it is still to be written."""
        with self._lock:
            counts, self._counts = self._counts, {}
            self._senders_of.clear()
            self._senders_of_site.clear()
            others, self._others = self._others, 0
            others_at, self._others_at = self._others_at, None
            self._scheduled = False
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_LOCK, {"lock": locks.UNKNOWN_SENDERS})
            if not cursor.fetchone()[0]:
                self._take_back(counts, others, others_at)
                return False
            rest = _store(counts)
            others += sum(counts[party].requests for party in rest)
            moments = [counts[party].last_at for party in rest] + ([others_at] if others_at else [])
            if others:
                cursor.execute(_COUNT_OTHERS, {"requests": others, "last_at": max(moments)})
        return True

    def _take_back(self, counts: dict[Party, _Count], others: int, others_at: datetime | None) -> None:
        """Put back what could not be written. What came meanwhile goes to the others if the names are too many."""
        with self._lock:
            for party, count in self._counts.items():
                if party in counts:
                    counts[party].requests += count.requests
                    counts[party].last_at = count.last_at
                elif len(counts) < MAX_PENDING:
                    counts[party] = count
                else:
                    others, others_at = others + count.requests, count.last_at
            self._counts = counts
            self._senders_of = Counter(count.network for count in counts.values())
            self._senders_of_site = Counter(count.site for count in counts.values())
            self._others += others
            self._others_at = others_at or self._others_at

    def _write_in_thread(self) -> None:
        try:
            written = self.write()
        except (DatabaseError, InterfaceError) as error:
            logger.warning("Requests of unknown senders are only in the log: %s", error)
            return
        finally:
            connection.close()
        if not written:
            with self._lock:
                begin, self._scheduled = not self._scheduled, True
            if begin:
                self._later(self._write_in_thread)


def _store(counts: dict[Party, _Count]) -> set[Party]:
    """Write `counts` in the caller's transaction, and return the senders that get no row because of the limits."""
    with connection.cursor() as cursor:
        cursor.execute(_REGISTERED, _columns(counts))
        missing = set(counts) - set(cursor.fetchall())
        cursor.execute(_COUNT, _columns({party: counts[party] for party in missing}))
        missing -= set(cursor.fetchall())
        if missing:
            limits: dict[str, Any] = {
                "rows": MAX_ROWS,
                "rows_of_network": MAX_ROWS_PER_NETWORK,
                "rows_of_site": MAX_ROWS_PER_SITE,
                "quiet_since": max(counts[party].last_at for party in missing) - timedelta(days=QUIET_DAYS),
            }
            cursor.execute(_ADD, {**_columns({party: counts[party] for party in missing}), **limits})
            missing -= set(cursor.fetchall())
        return missing


def _columns(counts: dict[Party, _Count]) -> dict[str, Any]:
    """Return `counts` as arrays, one for each column."""
    rows = list(counts.values())
    return {
        "roles": [role for role, _ in counts],
        "domains": [domain for _, domain in counts],
        "addresses": [row.address[:45] for row in rows],
        "networks": [row.network[:45] for row in rows],
        "sites": [row.site[:45] for row in rows],
        "lines": [row.line for row in rows],
        "requests": [row.requests for row in rows],
        "firsts": [row.first_at for row in rows],
        "lasts": [row.last_at for row in rows],
    }


_unknown_senders = UnknownSenders()


def record(role: str, domain: str, *, address: str, line: str, at: datetime) -> None:
    """Count a request that was refused because no key of (role, domain) can be found."""
    _unknown_senders.record(role, domain, address=address, line=line, at=at)


def prune(now: datetime) -> int:
    """Delete the senders that did not come for KEEP_DAYS, and those that are registered. Return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_PRUNE, {"before": now - timedelta(days=KEEP_DAYS)})
        deleted: int = cursor.rowcount
    return deleted


def clear() -> dict[str, int]:
    """Delete all senders and the count of the others, in the caller's transaction. Return what was deleted."""
    requests = sum(OtherUnknownSenders.objects.values_list("requests", flat=True))
    OtherUnknownSenders.objects.all().delete()
    senders, _ = UnknownSender.objects.all().delete()
    return {"senders": senders, "further requests": requests}
