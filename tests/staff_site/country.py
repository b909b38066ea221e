"""A country's registry, put straight into the tables: what the console's figures are measured on.

Made by SQL from numbers alone, so that it is the same each time: connections with an earlier and a present
representation, in congestion points of many DSOs; a share of them contested; messages in and out, with their changes,
deliveries and audit entries. The rows keep every constraint of the tables, and the facts are as the verbs would have
left them.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection, transaction


@dataclass(frozen=True)
class Size:
    """How much of each there is; `representations` are two a connection, and one more where it is contested."""

    connections: int = 1_000_000
    points: int = 10_000
    messages: int = 200_000
    conflicts: int = 100_000
    participants: int = 200


PARTICIPANTS = """
INSERT INTO participants_participant (role, domain, name, endpoint, standing, placeholders, last_heard_at)
SELECT CASE WHEN n %% 4 = 0 THEN 'DSO' ELSE 'AGR' END,
    CASE WHEN n %% 4 = 0 THEN 'dso-' ELSE 'agr-' END || n || '.example', 'Participant ' || n, '',
    (ARRAY['authorized', 'authorized', 'authorized', 'known', 'suspended'])[1 + n %% 5], true,
    CASE WHEN n %% 7 > 0 THEN now() - n * interval '1 minute' END
FROM generate_series(1, %(participants)s) n
"""

SENDERS = """
INSERT INTO uftp_sender (role, domain) SELECT role, domain FROM participants_participant ORDER BY id
"""

INBOUND = """
-- Half of the messages come in: the latest now, one each four minutes before.
INSERT INTO uftp_inboundmessage (
    sender_id, message_type, version, major, message_id, conversation_id, content_hash, sealed, size, received_at,
    state, result, reason, attempts, last_error, processed_at
)
SELECT s.id, s.role || 'PortfolioUpdate', '3.1.0', 3, lpad(to_hex(n), 32, '0'), 'c' || lpad(to_hex(n), 31, '0'),
    sha256(n::text::bytea), convert_to(repeat('s', 64) || '<' || s.role || 'PortfolioUpdate Version="3.1.0"/>', 'UTF8'),
    38, now() - (%(messages)s / 2 - n) * interval '4 minutes',
    CASE WHEN n %% 5000 = 0 THEN 'set aside' ELSE 'processed' END,
    CASE WHEN n %% 5000 = 0 THEN '' WHEN n %% 50 = 0 THEN 'Rejected' ELSE 'Accepted' END,
    CASE WHEN n %% 50 = 0 AND n %% 5000 > 0 THEN 'Period out of bounds: ends before it starts' ELSE '' END,
    1, '', now() - (%(messages)s / 2 - n) * interval '4 minutes'
FROM generate_series(1, %(messages)s / 2) n
JOIN (SELECT id, role, row_number() OVER (ORDER BY id) AS place FROM uftp_sender) s
    ON s.place = 1 + n %% %(participants)s
"""

OUTBOUND = """
INSERT INTO uftp_outboundmessage (
    recipient_role, recipient_domain, in_reply_to_id, message_type, version, message_id, conversation_id,
    result, reason, sealed, size, created_at, state, attempts, next_attempt_at, give_up_at, finished_at
)
SELECT s.role, s.domain, m.id, m.message_type || 'Response', '3.1.0', 'f' || lpad(to_hex(m.id), 31, '0'),
    m.conversation_id, m.result, m.reason, m.sealed, m.size, m.received_at,
    CASE WHEN m.id %% 500 = 1 THEN 'failed' WHEN m.id %% 500 = 2 THEN 'waiting' ELSE 'delivered' END, 1,
    CASE WHEN m.id %% 500 = 2 THEN now() + interval '1 hour' END, m.received_at + interval '1 day',
    CASE WHEN m.id %% 500 <> 2 THEN m.received_at END
FROM uftp_inboundmessage m JOIN uftp_sender s ON s.id = m.sender_id
ORDER BY m.id
"""

ATTEMPTS = """
INSERT INTO uftp_deliveryattempt (message_id, started_at, endpoint, status, outcome, detail)
SELECT id, created_at, 'https://' || recipient_domain || '/shapeshifter/api/v3/message', 200, 'delivered', ''
FROM uftp_outboundmessage ORDER BY id
"""

CHANGES = """
-- Each fourth accepted message changed something.
INSERT INTO registry_change (kind, message_id, actor, reason, moment, participants)
SELECT 'message', m.id, '', '', m.received_at, ARRAY[p.id]
FROM uftp_inboundmessage m
JOIN uftp_sender s ON s.id = m.sender_id
JOIN participants_participant p ON p.role = s.role AND p.domain = s.domain
WHERE m.id %% 4 = 0 ORDER BY m.id
"""

POINTS = """
INSERT INTO registry_congestionpoint (dso_id, address)
SELECT d.id, 'ean.8715' || lpad(n::text, 14, '0')
FROM generate_series(1, %(points)s) n
JOIN (
    SELECT id, row_number() OVER (ORDER BY id) AS place, count(*) OVER () AS many
    FROM participants_participant WHERE role = 'DSO'
) d ON d.place = 1 + n %% d.many
"""

TERMS = """
INSERT INTO registry_congestionpointterms
    (congestion_point_id, period, mutex_offers_supported, day_ahead_redispatch_by, recorded_by_id)
SELECT p.id, daterange(current_date - 700, NULL), p.id %% 2 = 0, 'AGR', c.first
FROM registry_congestionpoint p CROSS JOIN (SELECT min(id) AS first FROM registry_change) c
"""

CONNECTIONS = """
INSERT INTO registry_connection (address)
SELECT 'ean.8716' || lpad(n::text, 14, '0') FROM generate_series(1, %(connections)s) n
"""

MEMBERSHIPS = """
INSERT INTO registry_congestionpointconnection
    (congestion_point_id, dso_id, connection_id, period, standing, exclusive, recorded_by_id)
SELECT p.id, p.dso_id, n.id, daterange(current_date - 700, NULL), 'effective', true, c.first
FROM registry_connection n
JOIN (SELECT id, dso_id, row_number() OVER (ORDER BY id) AS place FROM registry_congestionpoint) p
    ON p.place = 1 + n.id * %(points)s / (%(connections)s + 1)
CROSS JOIN (SELECT min(id) AS first FROM registry_change) c
"""

REPRESENTATIONS = """
-- An AGR until half a year ago, and another one since; a connection's change is one of those there are.
INSERT INTO registry_representation (agr_id, connection_id, period, standing, recorded_by_id)
SELECT a.id, n.id,
    CASE WHEN half = 0 THEN daterange(current_date - 600, current_date - 180)
        ELSE daterange(current_date - 180, NULL)
    END,
    'effective', c.first + (n.id * 7919) %% c.many
FROM registry_connection n
CROSS JOIN generate_series(0, 1) half
JOIN (
    SELECT id, row_number() OVER (ORDER BY id) AS place, count(*) OVER () AS many
    FROM participants_participant WHERE role = 'AGR'
) a ON a.place = 1 + (n.id / 1000 + half) %% a.many
CROSS JOIN (SELECT min(id) AS first, count(*) AS many FROM registry_change) c
"""

CONTESTED = """
-- Claims of a third AGR on the days from today on, on the first connections: a conflict each.
INSERT INTO registry_representation (agr_id, connection_id, period, standing, waiting_since_id, recorded_by_id)
SELECT a.id, n.id, daterange(current_date, NULL), 'contested', c.last - n.id / 1000, c.last - n.id / 1000
FROM registry_connection n
JOIN (
    SELECT id, row_number() OVER (ORDER BY id) AS place, count(*) OVER () AS many
    FROM participants_participant WHERE role = 'AGR'
) a ON a.place = 1 + (n.id / 1000 + 2) %% a.many
CROSS JOIN (SELECT max(id) AS last FROM registry_change) c
WHERE n.id <= (SELECT min(id) FROM registry_connection) + %(conflicts)s - 1
"""

CONFLICTS = """
INSERT INTO registry_conflict
    (kind, connection_id, holder_id, claimant_id, period, opened_by_id, decision, decided_by, reason)
SELECT 'representation', claim.connection_id, holding.agr_id, claim.agr_id, claim.period, claim.recorded_by_id,
    '', '', ''
FROM registry_representation claim
JOIN registry_representation holding ON holding.connection_id = claim.connection_id
    AND holding.standing = 'effective' AND holding.period @> claim.period
WHERE claim.standing = 'contested'
ORDER BY claim.id
"""

SETTLED = """
-- As many conflicts of last year, settled.
INSERT INTO registry_conflict
    (kind, connection_id, holder_id, claimant_id, period, opened_by_id, closed_by_id, decision, decided_by, reason)
SELECT kind, connection_id, claimant_id, holder_id, daterange(current_date - 500, current_date - 400), opened_by_id,
    opened_by_id, 'keep', 'kim', 'as both said'
FROM registry_conflict ORDER BY id
"""

AUDIT = """
INSERT INTO participants_auditentry (moment, actor, action, subject, before, after, reason, participants)
SELECT now() - n * interval '3 minutes', 'kim', 'settle conflict', 'conflict ' || n, '{}', '{"decision": "keep"}',
    'as both said', ARRAY[1 + n %% %(participants)s]
FROM generate_series(1, %(messages)s / 4) n
"""

STATEMENTS = (
    PARTICIPANTS,
    SENDERS,
    INBOUND,
    OUTBOUND,
    ATTEMPTS,
    CHANGES,
    POINTS,
    TERMS,
    CONNECTIONS,
    MEMBERSHIPS,
    REPRESENTATIONS,
    CONTESTED,
    CONFLICTS,
    SETTLED,
    AUDIT,
)


def fill(size: Size) -> None:
    """Put a country of that `size` into empty tables, and have their statistics made."""
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in STATEMENTS:
            cursor.execute(statement, vars(size))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
