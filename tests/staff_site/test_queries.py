"""How many queries each page of the console takes: a table, and that no number grows with the data."""

import html
import re
from collections import Counter
from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.staff_site.country import STATEMENTS, Size

SMALL = Size(connections=8, points=4, messages=48, conflicts=6, participants=8)
TIMES = 3
SEARCHED = {
    "participants/auditentry": "kim",
    "participants/participant": "agr-",
    "registry/change": "1",
    "registry/importrun": "connections",
    "registry/notice": "0",
    "registry/revisionplace": "agr-",
    "reservations/contract": "C-",
    "reservations/reservationupdate": "needs less",
    "uftp/circuitbreaker": "agr-",
    "uftp/deliveryattempt": f"{1:032x}",
    "uftp/inboundmessage": f"{1:032x}",
    "uftp/outboundmessage": f"c{1:031x}",
    "uftp/refusal": "agr-",
    "uftp/sender": "agr-",
    "uftp/unknownsender": "p",
}
"""What is looked for in a table; in the others, the beginning of connections' addresses."""

QUERIES: dict[str, int] = {
    "/admin/": 25,
    "/admin/this-cro/": 5,
    "/admin/search/?q=agr-": 68,
    "/admin/participants/auditentry/": 11,
    "/admin/participants/auditentry/export/": 11,
    "/admin/participants/auditentry/?q=kim": 12,
    "/admin/participants/auditentry/#/change/": 6,
    "/admin/participants/mode/#/change/": 12,
    "/admin/participants/participant/": 8,
    "/admin/participants/participant/add/": 5,
    "/admin/participants/participant/export/": 11,
    "/admin/participants/participant/?q=agr-": 8,
    "/admin/participants/participant/#/change/": 35,
    "/admin/participants/participant/#/delivery-settings/": 7,
    "/admin/participants/participant/#/keys/rotate/": 7,
    "/admin/participants/participant/#/standing/barred/": 9,
    "/admin/participants/participant/#/standing/known/": 9,
    "/admin/participants/participant/#/standing/suspended/": 9,
    "/admin/participants/participant/follow-ups/": 12,
    "/admin/participants/participant/#/contacts/#/": 7,
    "/admin/participants/participant/#/contacts/add/": 6,
    "/admin/participants/participant/#/journal/file/#/": 7,
    "/admin/uftp/inboundmessage/": 9,
    "/admin/uftp/inboundmessage/export/": 11,
    "/admin/uftp/inboundmessage/?q=#": 16,
    "/admin/uftp/inboundmessage/#/change/": 34,
    "/admin/uftp/inboundmessage/#/xml/": 6,
    "/admin/uftp/sender/": 8,
    "/admin/uftp/sender/export/": 11,
    "/admin/uftp/sender/?q=agr-": 8,
    "/admin/uftp/sender/#/change/": 6,
    "/admin/uftp/messagesearch/": 8,
    "/admin/uftp/messagesearch/export/": 11,
    "/admin/uftp/messagesearch/start/": 6,
    "/admin/uftp/outboundmessage/": 9,
    "/admin/uftp/outboundmessage/export/": 11,
    "/admin/uftp/outboundmessage/?q=c0000000000000000000000000000001": 16,
    "/admin/uftp/outboundmessage/#/change/": 13,
    "/admin/uftp/outboundmessage/#/send-again/": 9,
    "/admin/uftp/outboundmessage/#/xml/": 6,
    "/admin/uftp/outboundmessage/refused-with-401/": 6,
    "/admin/uftp/circuitbreaker/": 8,
    "/admin/uftp/circuitbreaker/export/": 11,
    "/admin/uftp/circuitbreaker/?q=agr-": 6,
    "/admin/uftp/circuitbreaker/#/change/": 9,
    "/admin/uftp/circuitbreaker/#/resume/": 7,
    "/admin/uftp/deliveryattempt/": 9,
    "/admin/uftp/deliveryattempt/export/": 11,
    "/admin/uftp/deliveryattempt/?q=#": 8,
    "/admin/uftp/deliveryattempt/#/change/": 6,
    "/admin/uftp/refusal/": 9,
    "/admin/uftp/refusal/export/": 11,
    "/admin/uftp/refusal/?q=agr-": 9,
    "/admin/uftp/refusal/#/change/": 8,
    "/admin/uftp/unknownsender/": 8,
    "/admin/uftp/unknownsender/export/": 10,
    "/admin/uftp/unknownsender/?q=p": 9,
    "/admin/uftp/unknownsender/#/change/": 6,
    "/admin/uftp/unknownsender/clear/": 7,
    "/admin/registry/notice/": 9,
    "/admin/registry/notice/export/": 11,
    "/admin/registry/notice/?q=#": 7,
    "/admin/registry/notice/#/change/": 9,
    "/admin/registry/notice/#/told/": 10,
    "/admin/registry/conflict/": 9,
    "/admin/registry/conflict/export/": 10,
    "/admin/registry/conflict/?q=ean.8716": 15,
    "/admin/registry/conflict/groups/": 9,
    "/admin/registry/conflict/#/change/": 23,
    "/admin/registry/conflict/settle/?like=#": 11,
    "/admin/registry/conflict/#/journal/file/#/": 7,
    "/admin/registry/connection/": 12,
    "/admin/registry/connection/export/": 13,
    "/admin/registry/connection/?q=ean.8716": 15,
    "/admin/registry/connection/#/change/": 20,
    "/admin/registry/change/": 8,
    "/admin/registry/change/export/": 11,
    "/admin/registry/change/?q=#": 8,
    "/admin/registry/change/#/change/": 41,
    "/admin/registry/change/#/reverse/": 11,
    "/admin/registry/revisionplace/": 9,
    "/admin/registry/revisionplace/export/": 11,
    "/admin/registry/revisionplace/?q=agr-": 10,
    "/admin/registry/revisionplace/#/change/": 8,
    "/admin/registry/congestionpoint/": 11,
    "/admin/registry/congestionpoint/export/": 12,
    "/admin/registry/congestionpoint/?q=ean.8716": 10,
    "/admin/registry/congestionpoint/#/change/": 16,
    "/admin/registry/congestionpoint/#/aggregators.csv": 10,
    "/admin/registry/congestionpoint/#/connections.csv": 12,
    "/admin/registry/importrun/": 8,
    "/admin/registry/importrun/add/": 5,
    "/admin/registry/importrun/add/?again=#": 6,
    "/admin/registry/importrun/export/": 11,
    "/admin/registry/importrun/?q=connections": 8,
    "/admin/registry/importrun/#/change/": 8,
    "/admin/registry/importrun/#/rejects.csv": 7,
    "/admin/registry/market/#/change/": 7,
    "/admin/registry/policy/": 9,
    "/admin/registry/policy/export/": 12,
    "/admin/registry/policy/representation%20conflicts/change/": 8,
    "/admin/registry/policysetting/": 8,
    "/admin/registry/policysetting/export/": 11,
    "/admin/registry/congestionpointterms/": 8,
    "/admin/registry/congestionpointterms/export/": 10,
    "/admin/registry/congestionpointterms/?q=ean.8716": 9,
    "/admin/registry/congestionpointterms/#/change/": 7,
    "/admin/registry/congestionpointterms/#/adjust/": 8,
    "/admin/registry/congestionpointconnection/": 8,
    "/admin/registry/congestionpointconnection/export/": 10,
    "/admin/registry/congestionpointconnection/?q=ean.8716": 12,
    "/admin/registry/congestionpointconnection/#/change/": 7,
    "/admin/registry/congestionpointconnection/#/adjust/": 7,
    "/admin/registry/representation/": 8,
    "/admin/registry/representation/export/": 10,
    "/admin/registry/representation/?q=ean.8716": 11,
    "/admin/registry/representation/#/change/": 7,
    "/admin/registry/representation/#/adjust/": 7,
    "/admin/reservations/contract/": 12,
    "/admin/reservations/contract/add/": 9,
    "/admin/reservations/contract/overview/": 11,
    "/admin/reservations/contract/export/": 13,
    "/admin/reservations/contract/?q=C-": 13,
    "/admin/reservations/contract/#/change/": 19,
    "/admin/reservations/contract/#/day/#/": 13,
    "/admin/reservations/contract/#/edit/": 14,
    "/admin/reservations/contract/#/end/": 9,
    "/admin/reservations/contract/#/month/#/": 12,
    "/admin/reservations/contract/#/version/#/": 12,
    "/admin/reservations/contract/settlement/": 29,
    "/admin/reservations/contract/#/journal/file/#/": 9,
    "/admin/reservations/reservationupdate/": 12,
    "/admin/reservations/reservationupdate/export/": 12,
    "/admin/reservations/reservationupdate/?q=needs less": 14,
    "/admin/reservations/reservationupdate/#/change/": 21,
    "/admin/reservations/reservationupdate/#/outcome/": 7,
}
"""Page to its number of queries, on small data and for an operator; `#` stands for a row."""

NUMBERED = (
    "participants_participant",
    "registry_change",
    "registry_congestionpoint",
    "registry_connection",
    "uftp_inboundmessage",
    "uftp_sender",
)
"""Tables whose rows the country's data tells apart by their numbers, from 1 on."""

MORE = """
-- So many times as much about each thing: what is settled, withdrawn, decided and tried.
INSERT INTO registry_conflict
    (kind, connection_id, holder_id, claimant_id, period, opened_by_id, closed_by_id, decision, decided_by, reason)
SELECT kind, connection_id, holder_id, claimant_id, daterange(current_date - 500, current_date - 400), opened_by_id,
    opened_by_id, 'keep', 'kim', 'as both said'
FROM registry_conflict, generate_series(1, %(times)s) WHERE closed_by_id IS NULL
"""
WITHDRAWN = """
INSERT INTO registry_representation
    (agr_id, connection_id, period, standing, recorded_by_id, superseded_by_id)
SELECT agr_id, connection_id, period, 'effective', recorded_by_id, recorded_by_id
FROM registry_representation, generate_series(1, %(times)s) WHERE standing = 'effective'
"""
MOVED = """
INSERT INTO registry_congestionpointconnection
    (congestion_point_id, dso_id, connection_id, period, standing, exclusive, recorded_by_id, superseded_by_id)
SELECT congestion_point_id, dso_id, connection_id, period, standing, exclusive, recorded_by_id, recorded_by_id
FROM registry_congestionpointconnection, generate_series(1, %(times)s)
"""
REVISED = """
INSERT INTO registry_congestionpointterms
    (congestion_point_id, period, mutex_offers_supported, day_ahead_redispatch_by, recorded_by_id, superseded_by_id)
SELECT congestion_point_id, period, mutex_offers_supported, 'DSO', recorded_by_id, recorded_by_id
FROM registry_congestionpointterms, generate_series(1, %(times)s)
"""
TRIED = """
INSERT INTO uftp_deliveryattempt (message_id, started_at, endpoint, status, outcome, detail)
SELECT id, created_at, 'https://uftp.agr.example/', 503, 'temporary', 'HTTP 503'
FROM uftp_outboundmessage, generate_series(1, %(times)s)
"""
DECIDED = """
INSERT INTO participants_auditentry (moment, actor, action, subject, before, after, reason, participants)
SELECT now(), 'kim', 'changed participant', role || ' ' || domain, '{}', '{}', 'so decided', ARRAY[id::int]
FROM participants_participant, generate_series(1, %(times)s)
"""
TOLD = """
INSERT INTO registry_notice (change_id, participant_id, state, tries, sent_to, refused, detail)
SELECT c.id, p.id, 'by hand', 0, '{}', '{}', 'no address'
FROM (SELECT id FROM registry_change ORDER BY id LIMIT 4 * %(times)s) c, participants_participant p
"""
CONTACTS = """
INSERT INTO participants_contact (participant_id, name, purpose, email, telephone, is_told)
SELECT id, 'Ann', 'conflicts', 'ann@' || domain, '', true
FROM participants_participant, generate_series(1, %(times)s)
"""
JOURNALS = """
-- Comments with a file each, and a follow-up, about every participant, conflict and contract.
WITH about AS (
    SELECT t.id AS kind, p.id FROM participants_participant p, django_content_type t WHERE t.model = 'participant'
    UNION ALL SELECT t.id, f.id FROM registry_conflict f, django_content_type t WHERE t.model = 'conflict'
    UNION ALL SELECT t.id, c.id FROM reservations_contract c, django_content_type t WHERE t.model = 'contract'
), followed AS (
    INSERT INTO participants_followup (content_type_id, object_pk, wait_until, participants)
    SELECT kind, id::text, current_date, '{}' FROM about
), written AS (
    INSERT INTO participants_journalentry (content_type_id, object_pk, author, text, participants, removed_by)
    SELECT kind, id::text, 'kim', 'called', '{}', '' FROM about, generate_series(1, %(times)s) RETURNING id
)
INSERT INTO participants_attachment (entry_id, name, size, content) SELECT id, 'letter.pdf', 1, 'x' FROM written
"""
REFUSED = """
INSERT INTO uftp_refusal (at, address, role, domain, major, status, line, size, verified)
SELECT now(), '127.0.0.1', role, domain, 3, 401, 'Body: the signature does not verify', 400, false
FROM participants_participant, generate_series(1, %(times)s)
"""
UNKNOWN = """
INSERT INTO uftp_unknownsender (role, domain, address, network, line, requests, first_at, last_at)
SELECT 'AGR', 'p' || number || '.example', '127.0.0.1', '127.0.0.1', 'no public key', number, now(), now()
FROM generate_series(1, 4 * %(times)s) number
"""
PAUSED = """
INSERT INTO uftp_circuitbreaker (role, domain, state, opened_at, refusals, next_trial_at, message_id, detail)
SELECT role, domain, 'open', now(), 1, now(), (SELECT max(id) FROM uftp_outboundmessage), 'HTTP 400: odd'
FROM participants_participant
"""
PLACES = """
INSERT INTO registry_revisionplace (sender_id, update_type, sequence, updated_at)
SELECT id, role || 'PortfolioUpdate', 1, now() FROM participants_participant
"""

CONTRACTS = """
-- Four contracts, so many times: the first version gave way to one that is in force.
INSERT INTO reservations_contract (dso_id, agr_id, contract_id)
SELECT d.id, a.id, 'C-' || n
FROM generate_series(1, 4 * %(times)s) n
JOIN (SELECT id, row_number() OVER (ORDER BY id) AS place FROM participants_participant WHERE role = 'DSO') d
    ON d.place = 1 + n %% 2
JOIN (SELECT id, row_number() OVER (ORDER BY id) AS place FROM participants_participant WHERE role = 'AGR') a
    ON a.place = 1 + n %% 3
"""
VERSIONS = """
INSERT INTO reservations_contractversion (
    contract_id, number, state, congestion_point, period, isp_minutes, time_zone, deadline_hours, recorded_by_id,
    superseded_by_id
)
SELECT c.id, number, 'in force', 'ean.8717' || lpad(c.id::text, 14, '0'), daterange(current_date - 100, NULL), 15,
    'Europe/Amsterdam', 4, h.first, CASE WHEN number <= %(times)s THEN h.first END
FROM reservations_contract c
CROSS JOIN generate_series(1, %(times)s + 1) number
CROSS JOIN (SELECT min(id) AS first FROM registry_change) h
"""
PROFILES = """
INSERT INTO reservations_versionprofile (version_id, weekday, day, stretches)
SELECT id, NULL::smallint, NULL::date, ARRAY[ARRAY[1, 96, 1000]] FROM reservations_contractversion
UNION ALL
SELECT id, NULL, current_date + day, ARRAY[ARRAY[1, 96, 2000]]
FROM reservations_contractversion, generate_series(1, %(times)s) day
"""
SAID = """
-- For each contract so many updates for tomorrow, a message each.
INSERT INTO uftp_inboundmessage (
    sender_id, message_type, version, major, message_id, conversation_id, content_hash, sealed, size, received_at,
    state, result, reason, attempts, last_error, processed_at
)
SELECT s.id, 'FlexReservationUpdate', '3.1.0', 3, 'a' || lpad(to_hex(c.id * 10 + n), 31, '0'), 'b' || c.id,
    sha256(n::text::bytea), convert_to(repeat('s', 64) || '<FlexReservationUpdate Version="3.1.0"/>', 'UTF8'), 40,
    now(), 'processed', 'Rejected', 'Undeliverable', 0, '', now()
FROM reservations_contract c
JOIN participants_participant d ON d.id = c.dso_id
JOIN uftp_sender s ON s.role = d.role AND s.domain = d.domain
CROSS JOIN generate_series(1, %(times)s) n
"""
RECORDED = """
-- Numbered before all others, so that the latest change is one of a portfolio.
INSERT INTO registry_change (id, kind, message_id, actor, reason, moment, participants)
SELECT -id, 'message', id, '', '', received_at, '{}' FROM uftp_inboundmessage
WHERE message_type = 'FlexReservationUpdate'
"""
UPDATES = """
INSERT INTO reservations_reservationupdate (
    contract_id, dso_id, agr_id, version_id, message_id, period, reference, addressed_to, time_stamp, received_at,
    deadline, isps, recorded_by_id
)
SELECT c.id, c.dso_id, c.agr_id, v.id, m.id, current_date + 1, 'needs less, ' || m.id, 'AGR', m.received_at,
    m.received_at, now(), ARRAY[ARRAY[1, 4, 0], ARRAY[5, 8, 500]], -m.id
FROM uftp_inboundmessage m
JOIN reservations_contract c ON m.conversation_id = 'b' || c.id
JOIN reservations_contractversion v ON v.contract_id = c.id AND v.superseded_by_id IS NULL
"""
STATES = """
-- Received, then undone.
INSERT INTO reservations_updatestate (update_id, state, recorded_by_id, superseded_by_id)
SELECT u.id, state, u.recorded_by_id, CASE state WHEN 'received' THEN u.recorded_by_id END
FROM reservations_reservationupdate u, unnest(ARRAY['received', 'undone']) state
"""
IMPORTED = """
-- Imports, the latest of them refused, with what is wrong with their files.
INSERT INTO registry_importrun (
    kind, state, uploaded, applies, "full", allow_shrink, skip_bad_lines, file_name, size, content_hash, actor, reason,
    created_at, started_at, finished_at, tries, step, lines, bad_lines, summary, message, fingerprint, change_id
)
SELECT 'connections', CASE WHEN n = many THEN 'refused' ELSE 'applied' END, true, n < many, false, false, false,
    'connections.csv', 1000, md5(n::text), 'kim', 'the yearly handover', now(), now(), now(), 1, '', 20, n %% 2,
    jsonb_build_object('counts', jsonb_build_array(jsonb_build_array('new', 3)), 'first_rejects', (
        SELECT jsonb_agg(jsonb_build_array(line, 'agr', 'participant: not registered as AGR', 'x.example'))
        FROM generate_series(2, 1 + %(times)s) line
    )),
    '', '', CASE WHEN n < many THEN (SELECT max(id) FROM registry_change) END
FROM generate_series(1, 2 * %(times)s) n, (SELECT 2 * %(times)s AS many) all_of_them
"""
KEPT = """
INSERT INTO registry_importfile (run_id, rejects)
SELECT id, decode('H4sIAAAAAAACA8vJzEvVSc7PKc3N0ykqzUnVKUvMKU3lAgCl+L0UFwAAAA==', 'base64') FROM registry_importrun
"""
PASSED_ON = """
-- Each with the answer to its DSO; numbered before all others, so that the latest message is one about a portfolio.
INSERT INTO uftp_outboundmessage (
    id, recipient_role, recipient_domain, passes_on_id, in_reply_to_id, message_type, version, message_id,
    conversation_id, result, reason, sealed, size, created_at, state, attempts, give_up_at, finished_at
)
SELECT -2 * m.id - (p.role = 'DSO')::int, p.role, p.domain, CASE p.role WHEN 'AGR' THEN m.id END,
    CASE p.role WHEN 'DSO' THEN m.id END, m.message_type, m.version, p.role || m.id, m.conversation_id, '', '',
    m.sealed, m.size, m.received_at, 'failed', 1, now(), now()
FROM reservations_reservationupdate u
JOIN uftp_inboundmessage m ON m.id = u.message_id
JOIN participants_participant p ON p.id IN (u.dso_id, u.agr_id)
"""
IMPORTS = (IMPORTED, KEPT)
RESERVED = (CONTRACTS, VERSIONS, PROFILES, SAID, RECORDED, UPDATES, STATES, PASSED_ON)


def fill(times: int) -> None:
    """A small country, `times` as large, with `times` as much about each thing in it."""
    size = Size(**{name: value * times for name, value in vars(SMALL).items()})
    with connection.cursor() as cursor:
        for table in NUMBERED:
            cursor.execute(f"ALTER TABLE {table} ALTER COLUMN id RESTART")
        for statement in STATEMENTS:
            cursor.execute(statement, vars(size))
        for statement in (
            *RESERVED,
            MORE,
            WITHDRAWN,
            MOVED,
            REVISED,
            TRIED,
            DECIDED,
            REFUSED,
            UNKNOWN,
            PAUSED,
            PLACES,
            *IMPORTS,
            TOLD,
            CONTACTS,
            JOURNALS,
        ):
            cursor.execute(statement, {"times": times})


@pytest.fixture
def operator(db: None) -> Client:
    user = User.objects.create_user("kim", is_staff=True)
    user.groups.add(Group.objects.get(name="CRO operator"))
    client = Client()
    client.force_login(user)
    return client


def pages(client: Client) -> Iterator[str]:
    """The dashboard, and of every table its list, a search, its export, its first row, and what that links to here."""
    yield "/admin/"
    yield "/admin/this-cro/"
    yield "/admin/search/?q=agr-"
    for model, model_admin in admin.site._registry.items():
        name = f"{model._meta.app_label}/{model._meta.model_name}"
        base = f"/admin/{name}/"
        answer = client.get(base)
        if answer.status_code == 403:
            continue
        if answer.status_code == 302:
            yield answer.headers["Location"]
            continue
        yield base
        yield f"{base}export/"
        if model_admin.search_fields:
            yield f"{base}?q={SEARCHED.get(name, 'ean.8716')}"
        text = answer.content.decode()
        yield from sorted(beside(base, text))
        row = re.search(rf'href="({base}[^/"]+/)change/', text)
        if row:
            yield f"{row[1]}change/"
            text = client.get(f"{row[1]}change/").content.decode()
            below = {link.partition("?")[0] for link in re.findall(rf'href="({row[1]}[^"#]+)"', text)}
            yield from sorted(below | beside(base, text))


def beside(base: str, text: str) -> set[str]:
    """What a page links to of the same table that is about no row of it; its export is asked for anyway."""
    links = set(map(html.unescape, re.findall(rf'href="({base}[a-z][^"#]+)"', text)))
    return {link for link in links if not re.search(r"/export/|/change/$", link)}


def name_of(page: str) -> str:
    """The page whatever row or day it is of, without what a form on it is filled in with."""
    return re.sub(r"(?<=[/=])\d[\d-]*(?=/|$)", "#", page.partition("?first=")[0])


def statements(client: Client) -> dict[str, list[str]]:
    """Each page's queries, without what they look for."""
    found = {}
    for page in pages(client):
        client.get(page)
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(page)
            if answer.streaming:
                b"".join(answer.streaming_content)  # type: ignore[arg-type]
        assert answer.status_code == 200, page
        found[name_of(page)] = [re.sub(r"\d+", "#", query["sql"]) for query in captured]
    return found


def test_each_page_takes_as_many_queries_as_before_however_much_there_is(operator: Client) -> None:
    found = []
    for times in (1, TIMES):
        with transaction.atomic():
            fill(times)
            found.append(statements(operator))
            transaction.set_rollback(True)
    small, large = found
    for page, queries in small.items():
        more = list((Counter(large[page]) - Counter(queries)).elements())
        less = list((Counter(queries) - Counter(large[page])).elements())
        assert len(large[page]) == len(queries), f"{page}: with more data more {more}, less {less}"
    assert {page: len(queries) for page, queries in small.items()} == QUERIES
