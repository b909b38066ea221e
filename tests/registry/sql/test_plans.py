"""What a small update reads: the rows that it is about, however many others there are and whenever plans were made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.backends.postgresql.psycopg_any import DateRange

from participants.models import Participant
from registry.changes import Recorder, Source
from registry.models import CongestionPoint, CongestionPointConnection, Connection
from registry.sql import plans
from registry.sql.claim_kinds import MEMBERSHIP, REPRESENTATION, ClaimKind
from registry.sql.staging import make_tables
from registry.updates.publish import publish_representations
from registry.updates.standings import CURRENT_BY_CONNECTION, FIND_OVERLAPPING

TODAY = date(2026, 8, 4)
LINES = 100

pytestmark = pytest.mark.django_db


def publish(agr: Participant, first: int, lines: int = LINES) -> None:
    publish_representations(
        agr,
        [(f"ean.8716{number:014}", TODAY, None) for number in range(first, first + lines)],
        today=TODAY,
        source=Source.of_import("plans"),
    )


def test_foreign_keys_are_checked_by_index_in_a_nearly_empty_registry_too() -> None:
    """PostgreSQL keeps the plan of a check. One that reads a whole table would take ever longer as that grows."""
    dso = Participant.objects.create(role="DSO", domain="one.example")
    point = CongestionPoint.objects.create(dso=dso, address="ea1.2026-01.example.one:feeder-1")
    connection_of_point = Connection.objects.create(address="ean.871685900000000011")
    recorder = Recorder(Source.of_import("plans"))
    referenced = ("registry_connection", "registry_congestionpoint", "participants_participant")

    def scans() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT sum(seq_scan) FROM pg_stat_xact_user_tables WHERE relname = ANY(%s)",
                [list(referenced)],
            )
            return int(cursor.fetchone()[0])

    with connection.cursor() as cursor:
        cursor.execute(f"SET CONSTRAINTS ALL IMMEDIATE; ANALYZE {', '.join(referenced)}; DISCARD PLANS")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    CongestionPointConnection.objects.create(
        congestion_point=point,
        dso=dso,
        connection=connection_of_point,
        period=DateRange(TODAY, None),
        standing="effective",
        recorded_by_id=recorder.change_id(),
    )
    before = scans()

    recorder.stamp([dso.pk])

    assert scans() == before


def reads() -> tuple[int, int, int]:
    """Return scans of whole tables of facts in this transaction, the rows of these, and the rows found by index."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(seq_scan), sum(seq_tup_read), sum(coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
            " WHERE relname IN ('registry_connection', 'registry_representation')"
        )
        scans, rows, fetched = cursor.fetchone()
    return int(scans), int(rows), int(fetched)


def test_plans_that_are_made_in_an_empty_registry_read_by_index_as_it_grows() -> None:
    one = Participant.objects.create(role="AGR", domain="one.example")
    two = Participant.objects.create(role="AGR", domain="two.example")
    for number in range(20):
        publish(one, number * LINES)
    publish(two, 100_000, 30_000)
    before = reads()

    for number in range(20, 25):
        publish(one, number * LINES)

    scans, rows, fetched = (after - earlier for after, earlier in zip(reads(), before, strict=True))
    assert (scans, rows) == (0, 0)
    assert fetched <= 5 * LINES * 10


@pytest.mark.parametrize("kind", [REPRESENTATION, MEMBERSHIP], ids=["representations", "memberships"])
def test_without_statistics_the_claims_on_a_connection_are_found_by_its_index(kind: ClaimKind) -> None:
    """Without statistics a partial index looks tiny, so reading all of it looks as cheap as a look-up."""
    unknown = replace(kind, table="claims_without_statistics")
    with plans.keeping_cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE {unknown.table} (LIKE {kind.table} INCLUDING ALL)")
        make_tables(cursor)
        plans.by_index(cursor)
        statement = unknown.sql(FIND_OVERLAPPING, current=CURRENT_BY_CONNECTION)
        cursor.execute("EXPLAIN (FORMAT JSON) " + statement, {"exclusive": True})
        (plan,) = cursor.fetchone()
        text = plan if isinstance(plan, str) else json.dumps(plan)
        used = {node["Index Name"]: node["Index Cond"] for node in index_nodes(json.loads(text)[0]["Plan"])}
        cursor.execute(
            "SELECT relname, pg_get_indexdef(oid, 1, false) FROM pg_class JOIN pg_index ON indexrelid = oid"
            " WHERE indrelid = %s::regclass AND relname = ANY(%s)",
            [unknown.table, list(used)],
        )
        leading = [(column, used[index]) for index, column in cursor.fetchall()]

    assert leading == [("connection_id", "(connection_id = w.connection_id)")]


def index_nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return the nodes of a plan that read an index."""
    if "Index Name" in plan:
        yield plan
    for part in plan.get("Plans", []):
        yield from index_nodes(part)


def test_reading_by_index_ends_with_the_transaction_or_before() -> None:
    def scans_allowed() -> str:
        with connection.cursor() as plain:
            plain.execute("SHOW enable_seqscan")
            (value,) = plain.fetchone()
        return str(value)

    with transaction.atomic(), plans.keeping_cursor() as cursor:
        plans.by_index(cursor)
        assert scans_allowed() == "off"
        assert plans.is_by_index(cursor)
        transaction.set_rollback(True)  # a test runs in a transaction, which this one is a part of
    assert scans_allowed() == "on"
    with plans.keeping_cursor() as cursor:
        plans.by_index(cursor)
        plans.as_usual(cursor)
        assert scans_allowed() == "on"
        assert not plans.is_by_index(cursor)
