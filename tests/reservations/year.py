"""A year of reservations, put straight into the tables: what the figures of contracts and updates are measured on.

Made by SQL from numbers alone, so that it is the same each time but for the day it ends with: contracts with profiles
by weekday and days of their own, each with an update for every day of the last 365 and with a second one now and then;
half of them passed on to the AGR and mostly answered. The facts, messages, changes and deliveries are as the verbs
would have left them. Tables that are full of foreign keys are filled without checking these one by one, which takes
the rights of a superuser of the database.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection, transaction


@dataclass(frozen=True)
class Size:
    """How much of each there is; every DSO has contracts with every AGR, as far as they go."""

    contracts: int = 5_000
    days: int = 365
    dsos: int = 20
    agrs: int = 50


MARKET = "INSERT INTO registry_market (id, time_zone, isp_duration) VALUES (1, 'Europe/Amsterdam', 'PT15M')"

PARTICIPANTS = """
INSERT INTO participants_participant (id, role, domain, name, endpoint, standing, placeholders, last_heard_at)
SELECT n, role, lower(role) || '-' || n || '.example', 'Participant ' || n,
    'https://uftp.' || lower(role) || '-' || n || '.example/shapeshifter/api/v3/message', 'authorized', true, now()
FROM (
    SELECT n, CASE WHEN n <= %(dsos)s THEN 'DSO' ELSE 'AGR' END AS role
    FROM generate_series(1, %(dsos)s + %(agrs)s) n
) numbered
"""

SENDERS = """
INSERT INTO uftp_sender (id, role, domain) SELECT id, role, domain FROM participants_participant
"""

PLAN = """
-- The contracts: whose, how much, and on which point.
CREATE TEMPORARY TABLE contract_plan ON COMMIT DROP AS
SELECT n AS id, 1 + (n - 1) %% %(dsos)s AS dso_id, %(dsos)s + 1 + (n - 1) / %(dsos)s %% %(agrs)s AS agr_id,
    'FLEX-' || lpad(n::text, 5, '0') AS contract_id, 'ean.8715' || lpad(n::text, 14, '0') AS point,
    (n + (n - 1) / %(dsos)s) %% 2 = 0 AS to_agr,
    CASE WHEN n %% 3 = 0 THEN -1 ELSE 1 END * (100000 + n %% 50 * 10000) AS watts,
    CASE WHEN n %% 5 = 0 THEN current_date - %(days)s / 3 END AS changed_on
FROM generate_series(1, %(contracts)s) n
"""

CONTRACTS = """
INSERT INTO reservations_contract (id, dso_id, agr_id, contract_id)
SELECT id, dso_id, agr_id, contract_id FROM contract_plan ORDER BY id
"""

IMPORTS = """
-- A change for the first versions, and one for the congestion points and connections.
INSERT INTO registry_change (id, kind, actor, reason, moment, participants)
SELECT number, 'import', 'kim', 'contracts.csv', current_date - %(days)s - 30 + number * interval '1 minute',
    (SELECT array_agg(id ORDER BY id) FROM participants_participant)
FROM generate_series(1, 2) number
"""

SAID = """
-- Every update: one for each contract and day, a second one for each tenth, in the order of receipt. What became of it:
-- accepted at once where it is addressed to the CRO; else passed on, and answered by most AGRs.
CREATE TEMPORARY TABLE said ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY received_at) AS id, each.*,
    CASE
        WHEN NOT to_agr THEN 'accepted'
        WHEN chance = 0 THEN 'undone'
        WHEN chance = 1 THEN 'rejected'
        WHEN chance < 20 THEN 'passed on'
        ELSE 'accepted'
    END AS became,
    CASE
        WHEN contract %% 4 = 0 THEN (period::timestamp AT TIME ZONE 'Europe/Amsterdam') - interval '8 hours'
        ELSE (period - 1 + time '14:00') AT TIME ZONE 'Europe/Amsterdam'
    END AS deadline,
    CASE
        WHEN second THEN ARRAY[ARRAY[49, 8, watts / 4], ARRAY[61, 4, 0]]
        WHEN extract(isodow FROM period) > 5 THEN ARRAY[ARRAY[41, 8, watts / 4], ARRAY[57, 8, 0]]
        ELSE ARRAY[ARRAY[29, 12, watts / 2], ARRAY[45, 20, 0], ARRAY[69, 8, watts]]
    END AS isps
FROM (
    SELECT c.id AS contract, c.dso_id, c.agr_id, c.contract_id, c.point, c.to_agr, c.watts, c.changed_on, second,
        current_date - day AS period, (c.id * 31 + day * 17) %% 100 AS chance,
        (current_date - day - 1)::timestamp AT TIME ZONE 'UTC'
            + CASE WHEN second THEN interval '9 hours' + c.id * interval '0.5 seconds'
                ELSE interval '6 hours' + c.id * interval '2 seconds' END AS received_at
    FROM contract_plan c
    CROSS JOIN generate_series(0, %(days)s - 1) day
    CROSS JOIN (VALUES (false), (true)) twice (second)
    WHERE NOT second OR (c.id + day) %% 10 = 0
) each
"""

EVENTS = """
-- What happened to the updates, a change each: received, passed on or undone, answered. And the versions' own changes.
CREATE TEMPORARY TABLE event ON COMMIT DROP AS
SELECT 2 + row_number() OVER (ORDER BY moment) AS change, each.* FROM (
    SELECT id AS update, contract, dso_id, agr_id, 'received' AS what,
        CASE WHEN to_agr THEN 'received' ELSE 'accepted' END AS state, received_at + interval '0.2 seconds' AS moment
    FROM said
    UNION ALL
    SELECT id, contract, dso_id, agr_id, 'delivered', CASE became WHEN 'undone' THEN 'undone' ELSE 'passed on' END,
        received_at + interval '1.3 seconds'
    FROM said WHERE to_agr
    UNION ALL
    SELECT id, contract, dso_id, agr_id, 'answered', became, received_at + interval '5.1 seconds'
    FROM said WHERE to_agr AND became IN ('accepted', 'rejected')
    UNION ALL
    SELECT NULL, id, dso_id, agr_id, 'changed', NULL, changed_on - 2 + id * interval '0.7 seconds'
    FROM contract_plan WHERE changed_on IS NOT NULL
) each
"""

INBOX = """
-- The messages: the DSOs' updates, and the copies of the AGRs' answers.
CREATE TEMPORARY TABLE inbox ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY received_at) AS id, each.* FROM (
    SELECT id AS update, 'FlexReservationUpdate' AS message_type, dso_id AS sender_id, received_at FROM said
    UNION ALL
    SELECT id, 'FlexReservationUpdateResponse', agr_id, received_at + interval '5 seconds'
    FROM said WHERE to_agr AND became IN ('accepted', 'rejected')
) each
"""

ANALYZED = "ANALYZE contract_plan, said, event, inbox"

INBOUND = """
INSERT INTO uftp_inboundmessage (
    id, sender_id, message_type, version, major, message_id, conversation_id, content_hash, sealed, size, received_at,
    state, result, reason, attempts, holds_message_id, last_error, processed_at
)
SELECT id, sender_id, message_type, '3.1.0', 3, message_id, conversation_id, sha256(content),
    convert_to(repeat('s', 64), 'UTF8') || content, length(content), received_at, 'processed',
    CASE WHEN message_type = 'FlexReservationUpdate' THEN 'Accepted' ELSE '' END, '', 0, true, '',
    received_at + interval '0.2 seconds'
FROM (
    SELECT i.id, i.sender_id, i.message_type, i.received_at, md5('message ' || i.id)::uuid::text AS message_id,
        md5('conversation ' || i.update)::uuid::text AS conversation_id,
        convert_to(
            format(
                '<?xml version="1.0" encoding="UTF-8"?>'
                '<%%s Version="3.1.0" SenderDomain="%%s" RecipientDomain="%%s" TimeStamp="%%s" MessageID="%%s" '
                'ConversationID="%%s" %%s',
                i.message_type, CASE WHEN i.sender_id = s.dso_id THEN d.domain ELSE a.domain END,
                CASE WHEN i.sender_id <> s.dso_id THEN d.domain WHEN s.to_agr THEN a.domain ELSE 'cro.example' END,
                to_char(i.received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                md5('message ' || i.id)::uuid, md5('conversation ' || i.update)::uuid,
                CASE
                    WHEN i.message_type = 'FlexReservationUpdate' THEN format(
                        'ISP-Duration="PT15M" TimeZone="Europe/Amsterdam" Period="%%s" CongestionPoint="%%s" '
                        'ContractID="%%s" Reference="%%s">%%s</FlexReservationUpdate>',
                        s.period, s.point, s.contract_id, 'R' || s.id, (
                            SELECT string_agg(format(
                                '<ISP Power="%%s" Start="%%s" Duration="%%s"/>', isps[n][3], isps[n][1], isps[n][2]
                            ), '' ORDER BY n)
                            FROM generate_subscripts(s.isps, 1) n
                        )
                    )
                    ELSE format(
                        'Result="%%s" FlexReservationUpdateMessageID="%%s"/>',
                        CASE s.became WHEN 'rejected' THEN 'Rejected' ELSE 'Accepted' END,
                        md5('message ' || asked.id)::uuid
                    )
                END
            ),
            'UTF8'
        ) AS content
    FROM inbox i
    JOIN said s ON s.id = i.update
    JOIN inbox asked ON asked.update = i.update AND asked.message_type = 'FlexReservationUpdate'
    JOIN participants_participant d ON d.id = s.dso_id
    JOIN participants_participant a ON a.id = s.agr_id
    ORDER BY i.id
) each
"""

OUTBOUND = """
-- What was passed on to the AGRs in the DSOs' own bytes, and the CRO's own answers.
INSERT INTO uftp_outboundmessage (
    id, recipient_role, recipient_domain, in_reply_to_id, passes_on_id, message_type, version, message_id,
    conversation_id, result, reason, sealed, size, created_at, state, attempts, give_up_at, finished_at
)
SELECT s.id, CASE WHEN s.to_agr THEN 'AGR' ELSE 'DSO' END, p.domain, CASE WHEN NOT s.to_agr THEN m.id END,
    CASE WHEN s.to_agr THEN m.id END,
    CASE WHEN s.to_agr THEN m.message_type ELSE 'FlexReservationUpdateResponse' END, '3.1.0',
    CASE WHEN s.to_agr THEN m.message_id ELSE md5('answer ' || m.id)::uuid::text END, m.conversation_id,
    CASE WHEN s.to_agr THEN '' ELSE 'Accepted' END, '', m.sealed, m.size, m.received_at,
    CASE s.became WHEN 'undone' THEN 'failed' ELSE 'delivered' END, 1,
    CASE WHEN s.to_agr THEN s.deadline ELSE m.received_at + interval '1 day' END, m.received_at + interval '1 second'
FROM said s
JOIN inbox i ON i.update = s.id AND i.message_type = 'FlexReservationUpdate'
JOIN uftp_inboundmessage m ON m.id = i.id
JOIN participants_participant p ON p.id = CASE WHEN s.to_agr THEN s.agr_id ELSE s.dso_id END
ORDER BY s.id
"""

ATTEMPTS = """
INSERT INTO uftp_deliveryattempt (message_id, started_at, finished_at, endpoint, status, outcome, detail)
SELECT id, finished_at, finished_at, 'https://uftp.' || recipient_domain || '/shapeshifter/api/v3/message',
    CASE state WHEN 'failed' THEN 400 ELSE 200 END, CASE state WHEN 'failed' THEN 'permanent' ELSE 'delivered' END, ''
FROM uftp_outboundmessage ORDER BY id
"""

CHANGES = """
INSERT INTO registry_change (id, kind, message_id, actor, reason, moment, participants)
SELECT e.change,
    CASE e.what WHEN 'delivered' THEN 'delivery' WHEN 'changed' THEN 'staff' ELSE 'message' END, i.id,
    CASE e.what WHEN 'changed' THEN 'kim' ELSE '' END,
    CASE WHEN e.what = 'changed' THEN 'more power' WHEN e.what <> 'delivered' THEN ''
        WHEN e.state = 'undone' THEN 'the AGR''s system answered 400' ELSE 'delivered' END,
    e.moment, ARRAY[e.dso_id, e.agr_id]
FROM event e
LEFT JOIN inbox i ON i.update = e.update
    AND i.message_type = 'FlexReservationUpdate' || CASE e.what WHEN 'answered' THEN 'Response' ELSE '' END
ORDER BY e.change
"""

VERSIONS = """
-- One version of each contract, and a second one where staff have changed it; the first reserves a tenth less.
INSERT INTO reservations_contractversion (
    id, contract_id, number, state, congestion_point, period, isp_minutes, time_zone, deadline_days, deadline_at,
    deadline_hours, recorded_by_id, superseded_by_id
)
SELECT c.id + CASE WHEN number = 1 THEN 0 ELSE %(contracts)s END, c.id, number,
    CASE WHEN c.id %% 50 = 0 AND number = 2 THEN 'ended' ELSE 'in force' END, c.point,
    daterange(current_date - %(days)s - 10,
        CASE WHEN c.id %% 50 = 0 AND number = 2 THEN current_date + 1 ELSE current_date + 700 END),
    15, 'Europe/Amsterdam', CASE WHEN c.id %% 4 > 0 THEN 1 END, CASE WHEN c.id %% 4 > 0 THEN time '14:00' END,
    CASE WHEN c.id %% 4 = 0 THEN 8 END, CASE WHEN number = 1 THEN 1 ELSE e.change END,
    CASE WHEN number = 1 THEN e.change END
FROM contract_plan c
LEFT JOIN event e ON e.contract = c.id AND e.what = 'changed'
CROSS JOIN generate_series(1, 2) number
WHERE number = 1 OR e.change IS NOT NULL
"""

PROFILES = """
INSERT INTO reservations_versionprofile (version_id, weekday, day, stretches)
SELECT v.id, weekday, NULL,
    CASE
        WHEN weekday > 5 THEN ARRAY[ARRAY[33, 80, c.watts / 2]]
        ELSE ARRAY[
            ARRAY[25, 36, c.watts], ARRAY[37, 72, c.watts + c.watts / 10 * (4 + v.number)], ARRAY[73, 88, c.watts]
        ]
    END
FROM reservations_contractversion v
JOIN contract_plan c ON c.id = v.contract_id
CROSS JOIN generate_series(1, 7) weekday
UNION ALL
SELECT v.id, NULL, current_date - day, ARRAY[ARRAY[1, 90, c.watts]]
FROM reservations_contractversion v
JOIN contract_plan c ON c.id = v.contract_id
CROSS JOIN (VALUES (40), (%(days)s / 2)) own (day)
"""

UPDATES = """
INSERT INTO reservations_reservationupdate (
    id, contract_id, dso_id, agr_id, version_id, message_id, period, reference, addressed_to, time_stamp, received_at,
    deadline, isps, recorded_by_id
)
SELECT s.id, s.contract, s.dso_id, s.agr_id,
    s.contract + CASE WHEN s.received_at > changed.moment THEN %(contracts)s ELSE 0 END, i.id, s.period, 'R' || s.id,
    CASE WHEN s.to_agr THEN 'AGR' ELSE 'CRO' END, s.received_at - interval '1 second', s.received_at, s.deadline,
    s.isps, e.change
FROM said s
JOIN inbox i ON i.update = s.id AND i.message_type = 'FlexReservationUpdate'
JOIN event e ON e.update = s.id AND e.what = 'received'
LEFT JOIN event changed ON changed.contract = s.contract AND changed.what = 'changed'
ORDER BY s.id
"""

STATES = """
INSERT INTO reservations_updatestate (update_id, state, recorded_by_id, superseded_by_id)
SELECT e.update, e.state, e.change, lead(e.change) OVER (PARTITION BY e.update ORDER BY e.change)
FROM event e WHERE e.what <> 'changed'
ORDER BY e.change
"""

POINTS = """
INSERT INTO registry_congestionpoint (id, dso_id, address) SELECT id, dso_id, point FROM contract_plan
"""

TERMS = """
INSERT INTO registry_congestionpointterms
    (congestion_point_id, period, mutex_offers_supported, day_ahead_redispatch_by, recorded_by_id)
SELECT id, daterange(current_date - 700, NULL), true, 'AGR', 2 FROM contract_plan
"""

CONNECTIONS = """
INSERT INTO registry_connection (id, address)
SELECT id, 'ean.8716' || lpad(id::text, 14, '0') FROM contract_plan
"""

MEMBERSHIPS = """
INSERT INTO registry_congestionpointconnection
    (congestion_point_id, dso_id, connection_id, period, standing, exclusive, recorded_by_id)
SELECT id, dso_id, id, daterange(current_date - 700, NULL), 'effective', true, 2 FROM contract_plan
"""

REPRESENTATIONS = """
INSERT INTO registry_representation (agr_id, connection_id, period, standing, recorded_by_id)
SELECT agr_id, id, daterange(current_date - 700, NULL), 'effective', 2 FROM contract_plan
"""

SEQUENCES = """
-- Rows whose numbers were given here: what is stored later follows them.
SELECT setval(pg_get_serial_sequence(name, 'id'), 1000000000)
FROM (VALUES
    ('participants_participant'), ('uftp_sender'), ('uftp_inboundmessage'), ('uftp_outboundmessage'),
    ('registry_change'), ('registry_congestionpoint'), ('registry_connection'), ('reservations_contract'),
    ('reservations_contractversion'), ('reservations_reservationupdate')
) tables (name)
"""

STATEMENTS = (
    MARKET,
    PARTICIPANTS,
    SENDERS,
    PLAN,
    CONTRACTS,
    IMPORTS,
    SAID,
    EVENTS,
    INBOX,
    ANALYZED,
    INBOUND,
    OUTBOUND,
    ATTEMPTS,
    CHANGES,
    VERSIONS,
    PROFILES,
    UPDATES,
    STATES,
    POINTS,
    TERMS,
    CONNECTIONS,
    MEMBERSHIPS,
    REPRESENTATIONS,
    SEQUENCES,
)


def fill(size: Size) -> None:
    """Put a year of that `size` into empty tables, and have their statistics made."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SET LOCAL work_mem = '256MB'")
        cursor.execute("SET LOCAL TIME ZONE 'UTC'")
        for statement in STATEMENTS:
            cursor.execute(statement, vars(size))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
