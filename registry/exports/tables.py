"""Export participants, congestion points and connections as CSV files that imports can read (docs/operating.md).

PostgreSQL writes the CSV, so this process never has a whole file in memory. Each file is one snapshot of the database,
in a fixed order: the same facts make the same file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from common.identifiers import ODD_ADDRESS_SQL, with_odd_character
from participants.models import Participant, Role
from registry.periods import last_day_sql

PIECE = 1 << 16
"""The minimum size of a piece of a file, in bytes; the last piece may be smaller."""

SETTINGS = """
-- Days in ISO 8601, as in files. No JIT: compiling these queries takes longer than it saves.
SET LOCAL datestyle = 'ISO'; SET LOCAL jit = off; SET LOCAL work_mem = '64MB'
"""

LEFT_OUT = f"""
-- Addresses with current facts that no file holds, because an import would refuse them (docs/rules.md E1): how many
-- they are, and the first of them.
SELECT count(*) OVER (), address FROM (
    SELECT address FROM registry_connection n WHERE {ODD_ADDRESS_SQL.format("address")} AND (
        EXISTS (SELECT FROM registry_representation c WHERE c.connection_id = n.id AND c.superseded_by_id IS NULL)
        OR EXISTS (
            SELECT FROM registry_congestionpointconnection c
            WHERE c.connection_id = n.id AND c.superseded_by_id IS NULL
        )
    )
    UNION SELECT address FROM registry_congestionpoint p WHERE {ODD_ADDRESS_SQL.format("address")} AND EXISTS (
        SELECT FROM registry_congestionpointterms t WHERE t.congestion_point_id = p.id AND t.superseded_by_id IS NULL
    )
) odd
ORDER BY address LIMIT %(named)s
"""

PARTICIPANTS = r"""
-- Each participant, with its keys that have not ended. Control characters in its name, such as line breaks, become
-- blanks.
SELECT p.role, p.domain, k.texts AS public_key, nullif(p.endpoint, '') AS endpoint, p.standing,
    nullif(regexp_replace(p.name, '[\u0001-\u001f\u007f-\u009f\u2028\u2029]+', ' ', 'g'), '') AS name
FROM participants_participant p
LEFT JOIN (
    SELECT participant_id, string_agg(text, ' ' ORDER BY text COLLATE "C") AS texts
    FROM participants_publickey WHERE valid_until IS NULL OR valid_until > %(now)s
    GROUP BY participant_id
) k ON k.participant_id = p.id
ORDER BY p.role COLLATE "C", p.domain COLLATE "C"
"""

CONNECTIONS = f"""
-- Each block of days of a representation, of any standing.
SELECT agr, connection, lower(days) AS start, {last_day_sql("days")} AS "end"
FROM (
    SELECT p.domain COLLATE "C" AS agr, n.address AS connection, unnest(range_agg(c.period)) AS days
    FROM registry_representation c
    JOIN participants_participant p ON p.id = c.agr_id
    JOIN registry_connection n ON n.id = c.connection_id
    WHERE c.superseded_by_id IS NULL AND {{claims}} AND NOT {ODD_ADDRESS_SQL.format("n.address")}
    GROUP BY 1, 2
) block
ORDER BY agr, connection, start
"""

CONGESTION_POINTS = f"""
-- Each block of days of a congestion point on the same terms, with the blocks of days of its memberships, of any
-- standing. A membership is on the line of the terms on its first day; without these, of the next terms, or else of the
-- last terms.
WITH terms AS (
    SELECT t.congestion_point_id AS point_id, unnest(range_agg(t.period)) AS days, t.mutex_offers_supported AS mutex,
        t.day_ahead_redispatch_by AS day_ahead, t.intraday_redispatch_by AS intraday
    FROM registry_congestionpointterms t
    WHERE t.superseded_by_id IS NULL AND {{points}}
    GROUP BY t.congestion_point_id, t.mutex_offers_supported, t.day_ahead_redispatch_by, t.intraday_redispatch_by
), ordered AS (
    SELECT *, daterange(
        lag(upper(days)) OVER in_order,
        CASE WHEN lead(days) OVER in_order IS NOT NULL THEN upper(days) END
    ) AS begins
    FROM terms WINDOW in_order AS (PARTITION BY point_id ORDER BY lower(days))
), block AS (
    SELECT c.congestion_point_id AS point_id, c.connection_id, unnest(range_agg(c.period)) AS days
    FROM registry_congestionpointconnection c
    WHERE c.superseded_by_id IS NULL AND {{claims}}
        AND c.connection_id NOT IN (SELECT id FROM registry_connection WHERE {ODD_ADDRESS_SQL.format("address")})
    GROUP BY c.congestion_point_id, c.connection_id
)
SELECT p.domain AS dso, o.address AS congestion_point, lower(t.days) AS start, {last_day_sql("t.days")} AS "end",
    CASE WHEN t.mutex THEN 'true' ELSE 'false' END AS mutex_offers_supported,
    t.day_ahead AS day_ahead_redispatch_by, t.intraday AS intraday_redispatch_by,
    n.address AS connection, lower(b.days) AS connection_start, {last_day_sql("b.days")} AS connection_end
FROM ordered t
JOIN registry_congestionpoint o ON o.id = t.point_id
JOIN participants_participant p ON p.id = o.dso_id
LEFT JOIN block b ON b.point_id = t.point_id AND t.begins @> lower(b.days)
LEFT JOIN registry_connection n ON n.id = b.connection_id
WHERE NOT {ODD_ADDRESS_SQL.format("o.address")}
ORDER BY p.domain COLLATE "C", o.address, start, n.address, connection_start
"""


POINTS_OF_DSO = (
    "t.congestion_point_id IN (SELECT id FROM registry_congestionpoint WHERE dso_id = %(participant)s)"
)


class NoParticipantFound(ValueError):
    """No participant has that role and domain.

    The message is for the operator.
    """


def export_participants(now: datetime) -> Iterator[bytes]:
    """Export every participant with its keys.

    The columns are `participants.imports.load.PARTICIPANT_COLUMNS`. A key that starts later is exported too.

    Args:
        now: An aware moment; keys that have ended by then are left out.

    Returns:
        The pieces of the CSV file.
    """
    return _pieces(PARTICIPANTS, {"now": now})


def export_congestion_points(dso: str | None = None) -> Iterator[bytes]:
    """Export the congestion points with their memberships.

    Args:
        dso: The domain of the DSO whose congestion points are exported; None for all DSOs.

    Returns:
        The pieces of the CSV file, with the columns that an import of congestion points reads.

    Raises:
        NoParticipantFound: No DSO has the domain.
    """
    participant = _participant_key(Role.DSO, dso)
    query = CONGESTION_POINTS.format(
        points=POINTS_OF_DSO if participant else "true",
        claims="c.dso_id = %(participant)s" if participant else "true",
    )
    return _pieces(query, {"participant": participant})


def export_connections(agr: str | None = None) -> Iterator[bytes]:
    """Export the representations.

    Args:
        agr: The domain of the AGR whose representations are exported; None for all AGRs.

    Returns:
        The pieces of the CSV file, with the columns that an import of connections reads.

    Raises:
        NoParticipantFound: No AGR has the domain.
    """
    participant = _participant_key(Role.AGR, agr)
    query = CONNECTIONS.format(claims="c.agr_id = %(participant)s" if participant else "true")
    return _pieces(query, {"participant": participant})


def left_out(named: int) -> tuple[list[str], int]:
    """Return the registered addresses that no exported file holds, each with its odd character named.

    Args:
        named: How many addresses are returned at most.

    Returns:
        The first of them, and how many there are.
    """
    with connection.cursor() as cursor:
        cursor.execute(LEFT_OUT, {"named": named})
        rows = cursor.fetchall()
    return [with_odd_character(address) for _, address in rows], rows[0][0] if rows else 0


def _participant_key(role: Role, domain: str | None) -> int | None:
    if domain is None:
        return None
    key = Participant.objects.filter(role=role, domain=domain).values_list("pk", flat=True).first()
    if key is None:
        raise NoParticipantFound(f"{domain or 'An empty domain'} is not registered as {role}.")
    return key


def _pieces(query: str, parameters: Mapping[str, Any]) -> Iterator[bytes]:
    lines, size = [], 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(SETTINGS)
        # The cursor of psycopg itself: with DEBUG on, Django's cursor does not take parameters for COPY.
        with cursor.cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT csv, HEADER)", parameters) as copy:
            for line in copy:
                lines.append(bytes(line))
                size += len(line)
                if size >= PIECE:
                    yield b"".join(lines)
                    lines, size = [], 0
    if lines:
        yield b"".join(lines)
