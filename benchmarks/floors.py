"""The floors: the least work with which an update can be registered durably, or a query answered.

A floor reads the message once. It verifies the signature. It parses and validates in one pass of libxml2, directly
into COPY's text: there is no second parser, no schema for the envelope, no inbox and no answer. COPY writes the rows
into a temporary table without an index. From there they go, unsorted and unchecked, into the registry's tables. The
database is as fresh as the one in which the CRO is measured. It has the same columns, indexes, foreign keys, checks and
exclusion constraints. All is done in one transaction, which is committed as durably. A floor compares nothing with the
stored rows, applies no rule, and records one change.
"""

from __future__ import annotations

import re
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from lxml import etree
from nacl.bindings import crypto_sign, crypto_sign_open

from benchmarks.messages import Message, Sender

PIECE = 1 << 20

CHANGE = """
INSERT INTO registry_change (kind, actor, reason, moment, participants)
VALUES ('import', '', '', clock_timestamp(), ARRAY[%(party)s]::bigint[]) RETURNING id
"""

SAID_LINES = "CREATE TEMP TABLE said_line (point integer, address text, first date, last date) ON COMMIT DROP"

SAID_POINTS = """
CREATE TEMP TABLE said_point (
    number integer, address text, first date, last date, mutex boolean, day_ahead text, intraday text
) ON COMMIT DROP
"""

CONNECTIONS = "INSERT INTO registry_connection (address) SELECT address FROM said_line"

REPRESENTATIONS = """
INSERT INTO registry_representation (connection_id, agr_id, period, standing, recorded_by_id)
SELECT n.id, %(party)s, daterange(s.first, s.last, '[]'), 'effective', %(change)s
FROM said_line s JOIN registry_connection n ON n.address = s.address
"""

POINTS = """
INSERT INTO registry_congestionpoint (dso_id, address) SELECT %(party)s, address FROM said_point
"""

TERMS = """
INSERT INTO registry_congestionpointterms (congestion_point_id, period, mutex_offers_supported,
    day_ahead_redispatch_by, intraday_redispatch_by, recorded_by_id)
SELECT p.id, daterange(s.first, s.last, '[]'), s.mutex, s.day_ahead, s.intraday, %(change)s
FROM said_point s JOIN registry_congestionpoint p ON p.address = s.address AND p.dso_id = %(party)s
"""

MEMBERSHIPS = """
INSERT INTO registry_congestionpointconnection (congestion_point_id, dso_id, connection_id, period, standing,
    exclusive, recorded_by_id)
SELECT p.id, %(party)s, n.id, daterange(s.first, s.last, '[]'), 'effective', true, %(change)s
FROM said_line s
JOIN said_point o ON o.number = s.point
JOIN registry_congestionpoint p ON p.address = o.address AND p.dso_id = %(party)s
JOIN registry_connection n ON n.address = s.address
"""

PORTFOLIO = """
COPY (
    SELECT d.domain, p.address, t.mutex_offers_supported, t.day_ahead_redispatch_by, t.intraday_redispatch_by, n.address
    FROM registry_representation r
    JOIN registry_connection n ON n.id = r.connection_id
    LEFT JOIN (
        registry_congestionpointconnection m
        JOIN registry_congestionpointterms t ON t.congestion_point_id = m.congestion_point_id
            AND t.superseded_by_id IS NULL AND t.period @> %(day)s::date
        JOIN registry_congestionpoint p ON p.id = m.congestion_point_id
        JOIN participants_participant d ON d.id = p.dso_id
    ) ON m.connection_id = r.connection_id
        AND m.superseded_by_id IS NULL AND m.standing = 'effective' AND m.period @> %(day)s::date
    WHERE r.agr_id = %(party)s AND r.superseded_by_id IS NULL AND r.standing = 'effective' AND r.period @> %(day)s::date
    ORDER BY d.domain, p.address
) TO STDOUT
"""


def representations(database: psycopg.Connection[Any], message: Message, sender: Sender, party: int) -> float:
    """Write an AGRPortfolioUpdate of new connections into tables that have none of them; return the seconds."""
    began = time.monotonic()
    content = _opened(message, sender)
    with database.transaction(), database.cursor() as cursor:
        cursor.execute(SAID_LINES)
        with cursor.copy("COPY said_line FROM STDIN") as copy:
            for piece in _parsed(content, _connection_line):
                copy.write(piece)
        _insert(cursor, party, CONNECTIONS, REPRESENTATIONS)
    return time.monotonic() - began


def congestion_points(
    database: psycopg.Connection[Any], message: Message, sender: Sender, party: int
) -> float:
    """Write a DSOPortfolioUpdate of new congestion points and connections; return the seconds."""
    began = time.monotonic()
    content = _opened(message, sender)
    with database.transaction(), database.cursor() as cursor:
        cursor.execute(SAID_LINES)
        cursor.execute(SAID_POINTS)
        points: list[str] = []
        with cursor.copy("COPY said_line FROM STDIN") as copy:
            for piece in _parsed(content, _point_reader(points)):
                copy.write(piece)
        with cursor.copy("COPY said_point FROM STDIN") as copy:
            copy.write("".join(points))
        _insert(cursor, party, CONNECTIONS, POINTS, TERMS, MEMBERSHIPS)
    return time.monotonic() - began


def csv_representations(database: psycopg.Connection[Any], file: Path, party: int) -> float:
    """Give the bytes of a CSV file of one AGR's new connections to COPY as they are; return the seconds."""
    began = time.monotonic()
    with database.transaction(), database.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE said_line (agr text, address text, first date, last date) ON COMMIT DROP"
        )
        with (
            file.open("rb") as read,
            cursor.copy("COPY said_line FROM STDIN WITH (FORMAT csv, HEADER true)") as copy,
        ):
            while piece := read.read(PIECE):
                copy.write(piece)
        _insert(cursor, party, CONNECTIONS, REPRESENTATIONS)
    return time.monotonic() - began


def portfolio(
    database: psycopg.Connection[Any], party: int, day: str, answer: bytes, sender: Sender
) -> float:
    """Read the content of an AGR's answer from the database by COPY, and sign as many bytes; return the seconds.

    The rows have the answer's order of DSOs and congestion points. Connections of one congestion point are unsorted.
    """
    began = time.monotonic()
    rows = 0
    with database.cursor() as cursor:
        query = psycopg.ClientCursor(database).mogrify(PORTFOLIO, {"party": party, "day": day})
        with cursor.copy(query) as copy:
            for piece in copy:
                rows += len(piece)
    crypto_sign(answer, sender.private_key)
    return time.monotonic() - began


def _insert(cursor: psycopg.Cursor[Any], party: int, *statements: str) -> None:
    cursor.execute(CHANGE, {"party": party})
    change = cursor.fetchone()
    assert change is not None
    for statement in statements:
        cursor.execute(statement, {"party": party, "change": change[0]} if "%(" in statement else None)


def _opened(message: Message, sender: Sender) -> bytes:
    """Verify a message and return its inner XML."""
    body = re.search(rb'Body="([^"]*)"', message.envelope)
    assert body is not None
    return bytes(crypto_sign_open(b64decode(body[1]), sender.public_key))


@cache
def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(settings.BASE_DIR / "uftp" / "protocol" / "schema" / "uftp-3.xsd"))


class _Collector:
    """A target for the parser: it collects the text that `read` makes of each element."""

    def __init__(self, read: Callable[[str, Mapping[str, str]], str | None]) -> None:
        self.rows: list[str] = []
        self._read = read

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        row = self._read(name, attributes)
        if row is not None:
            self.rows.append(row)

    def close(self) -> None:
        """Do nothing at the end of the document."""


def _parsed(content: bytes, read: Callable[[str, Mapping[str, str]], str | None]) -> Iterator[str]:
    """Parse and validate a document, and yield the text that `read` makes of its elements, many rows at once."""
    collector = _Collector(read)
    target: Any = collector
    parser = etree.XMLParser(target=target, schema=_schema(), huge_tree=True, resolve_entities="internal")  # type: ignore[arg-type]
    view = memoryview(content)
    for start in range(0, len(view), PIECE):
        parser.feed(view[start : start + PIECE].tobytes())
        assert not parser.feed_error_log
        yield "".join(collector.rows)
        collector.rows.clear()
    parser.close()
    yield "".join(collector.rows)


def _connection_line(name: str, attrs: Mapping[str, str]) -> str | None:
    if name != "Connection":
        return None
    return f"0\t{attrs['EntityAddress']}\t{attrs['StartPeriod']}\t{attrs.get('EndPeriod', _NULL)}\n"


_NULL = "\\N"


def _point_reader(points: list[str]) -> Callable[[str, Mapping[str, str]], str | None]:
    """Return a reader of connections that also adds each congestion point to `points`."""

    def read(name: str, attrs: Mapping[str, str]) -> str | None:
        if name == "Connection":
            return f"{len(points)}\t{attrs['EntityAddress']}\t{attrs['StartPeriod']}\t{attrs.get('EndPeriod', _NULL)}\n"
        if name == "CongestionPoint":
            points.append(
                f"{len(points) + 1}\t{attrs['EntityAddress']}\t{attrs['StartPeriod']}\t"
                f"{attrs.get('EndPeriod', _NULL)}\t{attrs['MutexOffersSupported']}\t{attrs['DayAheadRedispatchBy']}\t"
                f"{attrs.get('IntradayRedispatchBy', _NULL)}\n"
            )
        return None

    return read
