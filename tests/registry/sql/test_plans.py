"""What a small update reads: the rows it is about, however much else there is and whenever its plans were made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from django.db import connection

from participants.models import Participant
from registry.changes import Source
from registry.sql import plans
from registry.sql.claim_kinds import MEMBERSHIP, REPRESENTATION, ClaimKind
from registry.sql.staging import make_tables
from registry.updates.publish import publish_representations
from registry.updates.standings import BY_CONNECTION, FIND_DISPUTED

TODAY = date(2026, 8, 4)
LINES = 100

pytestmark = pytest.mark.django_db


def publish(agr: Participant, first: int, many: int = LINES) -> None:
    publish_representations(
        agr,
        [(f"ean.8716{number:014}", TODAY, None) for number in range(first, first + many)],
        today=TODAY,
        source=Source.of_import("plans"),
    )


def read() -> tuple[int, int, int]:
    """Scans of whole tables of facts in this transaction, rows that they gave, and rows found by indexes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(seq_scan), sum(seq_tup_read), sum(coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
            " WHERE relname IN ('registry_connection', 'registry_representation')"
        )
        scans, rows, fetched = cursor.fetchone()
    return int(scans), int(rows), int(fetched)


def test_plans_made_in_an_empty_registry_look_up_by_index_from_the_first_day() -> None:
    one = Participant.objects.create(role="AGR", domain="one.example")
    two = Participant.objects.create(role="AGR", domain="two.example")
    for number in range(20):
        publish(one, number * LINES)
    publish(two, 100_000, 30_000)
    before = read()

    for number in range(20, 25):
        publish(one, number * LINES)

    scans, rows, fetched = (after - earlier for after, earlier in zip(read(), before, strict=True))
    assert (scans, rows) == (0, 0)
    assert fetched <= 5 * LINES * 10


@pytest.mark.parametrize("kind", [REPRESENTATION, MEMBERSHIP], ids=["representations", "memberships"])
def test_without_statistics_the_claims_on_a_connection_are_found_by_its_index(kind: ClaimKind) -> None:
    """Where nothing is known of a table, a partial index looks tiny: reading all of it, as cheap as a look-up."""
    unknown = replace(kind, table="claims_nobody_counted")
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE {unknown.table} (LIKE {kind.table} INCLUDING ALL)")
        make_tables(cursor)
        cursor.execute(f"SELECT {plans.LOOKED_UP}", {"looked_up": True})
        cursor.execute("EXPLAIN (FORMAT JSON) " + unknown.sql(FIND_DISPUTED, current=BY_CONNECTION))
        (plan,) = cursor.fetchone()
        text = plan if isinstance(plan, str) else json.dumps(plan)
        used = {node["Index Name"]: node["Index Cond"] for node in nodes(json.loads(text)[0]["Plan"])}
        cursor.execute(
            "SELECT relname, pg_get_indexdef(oid, 1, false) FROM pg_class JOIN pg_index ON indexrelid = oid"
            " WHERE indrelid = %s::regclass AND relname = ANY(%s)",
            [unknown.table, list(used)],
        )
        leading = [(column, used[index]) for index, column in cursor.fetchall()]

    assert leading == [("connection_id", "(connection_id = w.connection_id)")]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Those of a plan that read an index."""
    if "Index Name" in plan:
        yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)
