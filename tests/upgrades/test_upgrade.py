"""A database that the version before the squash made and filled is brought up by `migrate` without loss."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from psycopg import sql
from psycopg.rows import dict_row
from pytest_django.plugin import DjangoDbBlocker

from participants.models import AuditEntry
from tests.interop.running import fresh_database

DUMP = Path(__file__).with_name("database_924b9b9.sql")
ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.django_db

LIST = "/admin/participants/auditentry/"

Row = dict[str, Any]

FILLED = {
    "participants_auditentry": {"content_type_id", "object_pk", "participants"},
    "registry_change": {"kind", "reverses_id"},
    "registry_congestionpointconnection": {"given_to_id"},
    "registry_representation": {"given_to_id"},
    "registry_congestionpointcoverage": {"has_terms"},
    "registry_coveragestate": {"latest_change"},
    "uftp_outboundmessage": {"resent_at"},
}
"""The columns that migrations add or fill, by table; a test of its own says what with."""

GIVEN_BY_EACH_MIGRATE = {
    "auth_group_permissions",
    "auth_permission",
    "django_content_type",
    "django_migrations",
}

OBJECTS: dict[str, list[tuple[int, str, list[int]]]] = {
    "": [(2, "", [])],
    "participants.participant": [
        *((entry, "1", [1]) for entry in (3, 4, 21, 22, 24)),
        *((entry, "2", [2]) for entry in (5, 6, 11, 23)),
        *((entry, "3", [3]) for entry in (7, 8)),
        *((entry, "4", [4]) for entry in (12, 13, 42)),
        *((entry, "5", [5]) for entry in (14, 15, 20, 34)),
        *((entry, "6", [6]) for entry in (16, 17)),
        (25, "7", [7]),
        *((entry, "8", [8]) for entry in (45, 46)),
    ],
    "participants.mode": [(26, "1", []), (27, "1", [])],
    "registry.policy": [(1, "membership conflicts", []), (28, "P3", []), (29, "P3", [])],
    "registry.market": [(30, "1", []), (31, "1", [])],
    "registry.conflict": [(9, "2", [1, 2]), (18, "5", [4, 5]), (33, "2", [1, 2])],
    "registry.change": [
        (35, "22", [4, 5]),
        (37, "24", [1]),
        (39, "26", [3]),
        (41, "28", [3]),
        (43, "29", []),
        (44, "30", []),
        (47, "31", []),
        (51, "33", []),
    ],
    "registry.importrun": [(48, "6", []), (50, "6", []), (52, "7", []), (54, "7", [])],
    "reservations.contract": [(10, "1", [1, 3]), (19, "2", [4, 6]), (55, "1", [1, 3])],
    "reservations.reservationupdate": [(56, "1", [1, 3])],
    "uftp.inboundmessage": [(57, "8", [1])],
    "uftp.outboundmessage": [(58, "5", [2])],
    "auth.user": [(59, "2", []), (60, "2", []), (61, "2", []), (63, "1", [])],
    "auth.group": [(62, "4", [])],
}
"""By the object's model: the entry, the object's primary key, and the participants, as the writers name them."""


@dataclass(frozen=True)
class Upgraded:
    """The rows of each table before and after, and the address of the database."""

    before: dict[str, list[Row]]
    after: dict[str, list[Row]]
    url: str
    migrated: str


@pytest.fixture(scope="module")
def upgraded(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Upgraded]:
    """The database restored and migrated by the command; this process's Django works on it for the module."""
    # A fresh database needs a server that this process has joined.
    with django_db_blocker.unblock():
        connection.ensure_connection()
    with django_db_blocker.unblock(), fresh_database() as url:
        with psycopg.connect(url, autocommit=True) as restoring:
            restoring.execute(DUMP.read_text())
        before = rows(url)
        migrated = manage(url, "migrate", "--no-input")
        of_the_tests = connection.settings_dict["NAME"]
        connection.close()
        connection.settings_dict["NAME"] = urlsplit(url).path.removeprefix("/")
        ContentType.objects.clear_cache()
        try:
            yield Upgraded(before, rows(url), url, migrated)
        finally:
            connection.close()
            connection.settings_dict["NAME"] = of_the_tests
            ContentType.objects.clear_cache()


def manage(url: str, *arguments: str) -> str:
    """What a command of manage.py says, on this database."""
    ran = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def rows(url: str) -> dict[str, list[Row]]:
    """The rows of each table, in an order of their own."""
    with psycopg.connect(url, row_factory=dict_row) as reading:
        tables = reading.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return {
            table["tablename"]: sorted(
                reading.execute(
                    sql.SQL("SELECT * FROM public.{}").format(sql.Identifier(table["tablename"]))
                ).fetchall(),
                key=repr,
            )
            for table in tables
        }


def without(filled: set[str], found: list[Row]) -> list[Row]:
    return sorted(({name: row[name] for name in row if name not in filled} for row in found), key=repr)


def test_every_table_of_ours_has_rows_to_lose(upgraded: Upgraded) -> None:
    ours = [
        table for table in upgraded.before if table.startswith(("participants_", "uftp_", "registry_", "res"))
    ]

    assert len(ours) >= 29
    assert [table for table in ours if not upgraded.before[table]] == []


def test_no_row_is_lost_and_none_is_changed(upgraded: Upgraded) -> None:
    for table in sorted(set(upgraded.before) - GIVEN_BY_EACH_MIGRATE):
        filled = FILLED.get(table, set())
        assert without(filled, upgraded.after[table]) == without(filled, upgraded.before[table]), table


def test_changes_by_staff_are_of_that_kind(upgraded: Upgraded) -> None:
    kinds = {row["id"]: row["kind"] for row in upgraded.before["registry_change"]}
    now = {row["id"]: row["kind"] for row in upgraded.after["registry_change"]}

    assert now == {number: "staff" if kind == "decision" else kind for number, kind in kinds.items()}
    assert "staff" in now.values()


def test_each_current_refused_claim_names_who_holds_its_days(upgraded: Upgraded) -> None:
    rows_after = {row["id"]: row["given_to_id"] for row in upgraded.after["registry_representation"]}

    assert {number: party for number, party in rows_after.items() if party} == {15: 4, 19: 2, 24: 4, 25: 4}


REFUSED = """
INSERT INTO participants_participant (id, role, domain, name, endpoint, standing, placeholders, created_at)
VALUES (90, 'DSO', 'third-dso.example', '', '', 'authorized', true, now());
INSERT INTO registry_congestionpoint (id, address, dso_id) VALUES (90, 'ea1.2026-01.example.third:point-1', 90);
-- Two AGRs, one after the other, hold what a third is refused.
INSERT INTO registry_representation
    (id, period, standing, agr_id, connection_id, recorded_by_id, superseded_by_id, waiting_since_id)
VALUES (90, '[2026-09-01,)', 'effective', 4, 3, 24, NULL, NULL),
    (91, '[2026-06-01,)', 'refused', 2, 3, 24, NULL, 20);
-- Two DSOs hold at the same time what a third is refused; about one of the two connections staff decided.
INSERT INTO registry_congestionpointconnection (id, period, standing, exclusive, congestion_point_id, dso_id,
    connection_id, recorded_by_id, superseded_by_id, waiting_since_id)
VALUES (90, '[2026-01-01,)', 'effective', true, 1, 3, 6, 9, NULL, NULL),
    (91, '[2026-01-01,)', 'effective', true, 1, 3, 7, 9, NULL, NULL),
    (92, '[2026-03-01,)', 'refused', true, 90, 90, 6, 22, NULL, 21),
    (93, '[2026-03-01,)', 'refused', true, 90, 90, 7, 22, NULL, 21);
INSERT INTO registry_conflict (id, kind, period, decision, decided_by, reason, claimant_id, closed_by_id, holder_id,
    opened_by_id, connection_id)
VALUES (90, 'membership', '[2026-03-01,)', 'keep', 'kim', 'as agreed', 90, 22, 6, 21, 6);
"""

REFUSED_AFTER = """
SELECT {party}, connection_id, period::text, given_to_id, recorded_by_id, waiting_since_id
FROM {table} WHERE standing = 'refused' AND {party} = %s AND connection_id = ANY(%s) ORDER BY 2, 3
"""


def test_a_claim_that_was_refused_for_several_parties_is_split() -> None:
    with fresh_database() as url:
        with psycopg.connect(url, autocommit=True) as restoring:
            restoring.execute(DUMP.read_text())
            restoring.execute("SET search_path = public; " + REFUSED)
        manage(url, "migrate", "--no-input")
        with psycopg.connect(url) as reading:
            query = REFUSED_AFTER.format(party="agr_id", table="registry_representation")
            representations = reading.execute(query, (2, [3])).fetchall()
            query = REFUSED_AFTER.format(party="dso_id", table="registry_congestionpointconnection")
            memberships = reading.execute(query, (90, [6, 7])).fetchall()

    assert representations == [
        (2, 3, "[2026-06-01,2026-09-01)", 1, 24, 20),
        (2, 3, "[2026-09-01,)", 4, 24, 20),
    ]
    assert memberships == [
        (90, 6, "[2026-03-01,)", 6, 22, 21),
        (90, 7, "[2026-03-01,)", 3, 22, 21),
    ], "to whom staff gave the days, else to whose claim is exclusive"


def test_what_each_migrate_gives_is_there(upgraded: Upgraded) -> None:
    """Content types and permissions keep their keys, which rows of ours and of django-guardian point to."""
    for table in ("auth_permission", "django_content_type"):
        kept = {row["id"]: row for row in upgraded.after[table]}
        expected = [renamed(row) for row in upgraded.before[table]]
        assert [row for row in expected if kept.get(row["id"]) != row] == [], table


def renamed(row: Row) -> Row:
    """The row with the label and the codename that later migrations give a permission."""
    if row.get("codename") == "settle_update":
        return {
            **row,
            "codename": "record_outcome",
            "name": "Can record the outcome of reservation updates",
        }
    if str(row.get("codename")).endswith("_refusal"):
        return {**row, "name": row["name"].replace("refusal at the door", "refused request")}
    if str(row.get("codename")).endswith("_auditentry"):
        return {**row, "name": row["name"].replace("decision", "audit entry")}
    if str(row.get("codename")).endswith(("_inboundmessage", "_outboundmessage")):
        named = row["name"].replace("inbound message", "received message")
        return {**row, "name": named.replace("outbound message", "sent message")}
    return row


def test_the_schema_is_that_of_a_new_database(upgraded: Upgraded) -> None:
    with fresh_database() as url:
        manage(url, "migrate", "--no-input", "--verbosity", "0")
        made, brought_up = schema(url), schema(upgraded.url)

    assert brought_up == made
    assert "No changes detected" in manage(upgraded.url, "makemigrations", "--check", "--dry-run")


SCHEMA = """
SELECT 'column' AS what, table_name::text AS of, column_name::text AS name,
    concat_ws(' ', data_type, character_maximum_length, is_nullable, column_default, collation_name,
        generation_expression) AS said
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) || tgenabled::text
FROM pg_trigger WHERE NOT tgisinternal
ORDER BY 1, 2, 3
"""


CASTS = re.compile(r"::(character varying|text)(\[\])?|[()]")
"""PostgreSQL writes a condition with other casts and parentheses once it has read it from a dump."""


def schema(url: str) -> list[tuple[str, ...]]:
    with psycopg.connect(url) as reading:
        found = reading.execute(SCHEMA).fetchall()
    return [(*named, CASTS.sub("", text)) for *named, text in found]


def test_no_change_of_an_earlier_version_is_a_reversal(upgraded: Upgraded) -> None:
    assert {row["reverses_id"] for row in upgraded.after["registry_change"]} == {None}


def test_each_entry_names_its_object_and_its_participants(upgraded: Upgraded) -> None:
    found = {
        entry.pk: (object_of(entry), entry.object_pk, entry.participants)
        for entry in AuditEntry.objects.all()
    }

    expected = {entry: (of, pk, ids) for of, named in OBJECTS.items() for entry, pk, ids in named}
    assert found == expected


def object_of(entry: AuditEntry) -> str:
    return f"{entry.content_type.app_label}.{entry.content_type.model}" if entry.content_type else ""


def listed(client: Client, page: str = "") -> dict[str, str]:
    """The links of the list of audit entries: what is linked, and where to."""
    answer = client.get(LIST + page)
    assert answer.status_code == 200
    column = re.findall(r'field-about">(?:<a href="([^"]*)">)?(.*?)<', answer.content.decode())
    return {html.unescape(subject): url for url, subject in column}


def client_of(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=name), "django.contrib.auth.backends.ModelBackend")
    return client


def test_the_list_leads_to_the_page_of_each_object(upgraded: Upgraded) -> None:
    kim = client_of("kim")
    links = listed(kim) | listed(kim, "?p=2")

    assert [subject for subject, url in links.items() if not url] == ["something of no participant's"]
    for subject, url in links.items():
        assert not url or kim.get(url).status_code == 200, (subject, url)


def test_limited_staff_find_the_entries_of_theirs_of_an_earlier_version(upgraded: Upgraded) -> None:
    """They act for the participants 1, 2 and 3."""
    limited = client_of("limited")
    theirs = [entry for named in OBJECTS.values() for entry, _, ids in named if {1, 2, 3} & set(ids)]

    links = listed(limited)

    assert set(links) == set(AuditEntry.objects.filter(pk__in=theirs).values_list("subject", flat=True))
    for subject, url in links.items():
        assert url, subject
        assert limited.get(url).status_code == 200, (subject, url)


@pytest.mark.parametrize(
    ("page", "entries"),
    [
        ("participants/mode/1", {26, 27}),
        ("registry/policy/P3", {28, 29}),
        ("registry/market/1", {30, 31}),
        ("registry/conflict/2", {9, 33}),
        ("registry/change/24", {37}),
        ("registry/importrun/6", {48, 50}),
        ("reservations/contract/1", {10, 55}),
        ("reservations/reservationupdate/1", {56}),
        ("uftp/inboundmessage/8", {57}),
        ("uftp/outboundmessage/5", {58}),
        ("auth/user/2", {59, 60, 61}),
        ("auth/group/4", {62}),
    ],
)
def test_the_page_of_an_object_leads_to_its_entries(upgraded: Upgraded, page: str, entries: set[int]) -> None:
    kim = client_of("kim")
    shown = kim.get(f"/admin/{page}/change/").content.decode()
    (url,) = re.findall(r'href="([^"]*auditentry/\?object=[^"]*)"', shown)

    found = kim.get(html.unescape(url)).content.decode()

    assert set(map(int, re.findall(r"auditentry/(\d+)/change/", found))) == entries
