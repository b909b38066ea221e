"""How many queries each page of the console takes: a table, and that no number grows with the data."""

import re
from collections import Counter
from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.console.country import STATEMENTS, Size

SMALL = Size(connections=8, points=4, messages=48, conflicts=6, participants=8)
TIMES = 3
SEARCHED = {
    "participants/auditentry": "kim",
    "participants/participant": "agr-",
    "registry/change": "1",
    "registry/revisionplace": "agr-",
    "uftp/deliveryattempt": f"{1:032x}",
    "uftp/inboundmessage": f"{1:032x}",
    "uftp/outboundmessage": f"c{1:031x}",
    "uftp/refusal": "agr-",
    "uftp/sender": "agr-",
}
"""What is looked for in a table; in the others, the beginning of connections' addresses."""

QUERIES: dict[str, int] = {
    "/admin/": 19,
    "/admin/participants/auditentry/": 12,
    "/admin/participants/auditentry/export/": 12,
    "/admin/participants/auditentry/?q=kim": 12,
    "/admin/participants/auditentry/#/change/": 7,
    "/admin/participants/mode/#/change/": 13,
    "/admin/participants/participant/": 9,
    "/admin/participants/participant/export/": 12,
    "/admin/participants/participant/?q=agr-": 8,
    "/admin/participants/participant/#/change/": 23,
    "/admin/participants/participant/#/keys/rotate/": 8,
    "/admin/participants/participant/#/standing/barred/": 10,
    "/admin/participants/participant/#/standing/known/": 10,
    "/admin/participants/participant/#/standing/suspended/": 10,
    "/admin/uftp/inboundmessage/": 10,
    "/admin/uftp/inboundmessage/export/": 12,
    "/admin/uftp/inboundmessage/?q=#": 10,
    "/admin/uftp/inboundmessage/#/change/": 25,
    "/admin/uftp/inboundmessage/#/xml/": 7,
    "/admin/uftp/sender/": 9,
    "/admin/uftp/sender/export/": 12,
    "/admin/uftp/sender/?q=agr-": 9,
    "/admin/uftp/sender/#/change/": 7,
    "/admin/uftp/outboundmessage/": 10,
    "/admin/uftp/outboundmessage/export/": 12,
    "/admin/uftp/outboundmessage/?q=c0000000000000000000000000000001": 10,
    "/admin/uftp/outboundmessage/#/change/": 15,
    "/admin/uftp/outboundmessage/#/send-again/": 9,
    "/admin/uftp/outboundmessage/#/xml/": 7,
    "/admin/uftp/deliveryattempt/": 10,
    "/admin/uftp/deliveryattempt/export/": 12,
    "/admin/uftp/deliveryattempt/?q=#": 8,
    "/admin/uftp/deliveryattempt/#/change/": 7,
    "/admin/uftp/refusal/": 10,
    "/admin/uftp/refusal/export/": 12,
    "/admin/uftp/refusal/?q=agr-": 10,
    "/admin/uftp/refusal/#/change/": 9,
    "/admin/registry/conflict/": 9,
    "/admin/registry/conflict/export/": 11,
    "/admin/registry/conflict/?q=ean.8716": 10,
    "/admin/registry/conflict/#/change/": 20,
    "/admin/registry/conflict/settle/?like=#": 11,
    "/admin/registry/connection/": 12,
    "/admin/registry/connection/export/": 15,
    "/admin/registry/connection/?q=ean.8716": 13,
    "/admin/registry/connection/#/change/": 25,
    "/admin/registry/change/": 9,
    "/admin/registry/change/export/": 12,
    "/admin/registry/change/?q=#": 9,
    "/admin/registry/change/#/change/": 31,
    "/admin/registry/revisionplace/": 10,
    "/admin/registry/revisionplace/export/": 12,
    "/admin/registry/revisionplace/?q=agr-": 10,
    "/admin/registry/revisionplace/#/change/": 9,
    "/admin/registry/congestionpoint/": 12,
    "/admin/registry/congestionpoint/export/": 13,
    "/admin/registry/congestionpoint/?q=ean.8716": 9,
    "/admin/registry/congestionpoint/#/change/": 16,
    "/admin/registry/congestionpoint/#/aggregators.csv": 12,
    "/admin/registry/congestionpoint/#/connections.csv": 14,
    "/admin/registry/market/#/change/": 9,
    "/admin/registry/policy/": 12,
    "/admin/registry/policy/export/": 13,
    "/admin/registry/policy/representation%20conflicts/change/": 10,
    "/admin/registry/policysetting/": 9,
    "/admin/registry/policysetting/export/": 12,
    "/admin/registry/congestionpointterms/": 9,
    "/admin/registry/congestionpointterms/export/": 11,
    "/admin/registry/congestionpointterms/?q=ean.8716": 8,
    "/admin/registry/congestionpointterms/#/change/": 8,
    "/admin/registry/congestionpointterms/#/adjust/": 9,
    "/admin/registry/congestionpointconnection/": 9,
    "/admin/registry/congestionpointconnection/export/": 11,
    "/admin/registry/congestionpointconnection/?q=ean.8716": 10,
    "/admin/registry/congestionpointconnection/#/change/": 8,
    "/admin/registry/congestionpointconnection/#/adjust/": 8,
    "/admin/registry/representation/": 9,
    "/admin/registry/representation/export/": 11,
    "/admin/registry/representation/?q=ean.8716": 10,
    "/admin/registry/representation/#/change/": 8,
    "/admin/registry/representation/#/adjust/": 8,
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
REFUSED = """
INSERT INTO uftp_refusal (at, address, role, domain, major, status, line, size, verified)
SELECT now(), '127.0.0.1', role, domain, 3, 401, 'Body: the signature does not verify', 400, false
FROM participants_participant, generate_series(1, %(times)s)
"""
PLACES = """
INSERT INTO registry_revisionplace (sender_id, update_type, sequence, updated_at)
SELECT id, role || 'PortfolioUpdate', 1, now() FROM participants_participant
"""


def fill(times: int) -> None:
    """A small country, `times` as large, with `times` as much about each thing in it."""
    size = Size(**{name: value * times for name, value in vars(SMALL).items()})
    with connection.cursor() as cursor:
        for table in NUMBERED:
            cursor.execute(f"ALTER TABLE {table} ALTER COLUMN id RESTART")
        for statement in STATEMENTS:
            cursor.execute(statement, vars(size))
        for statement in (MORE, WITHDRAWN, MOVED, REVISED, TRIED, DECIDED, REFUSED, PLACES):
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
        row = re.search(rf'href="({base}[^/"]+/)change/', answer.content.decode())
        if row:
            yield f"{row[1]}change/"
            said = client.get(f"{row[1]}change/").content.decode()
            below = {link.partition("?")[0] for link in re.findall(rf'href="({row[1]}[^"#]+)"', said)}
            beside = set(re.findall(rf'href="({base}[a-z][^"#]+)"', said))
            yield from sorted(below | beside)


def name_of(page: str) -> str:
    """The page whatever row it is of."""
    return re.sub(r"(?<=[/=])\d+(?=/|$)", "#", page)


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
