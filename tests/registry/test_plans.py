"""What a small update reads: the rows it is about, however much else there is and whenever its plans were made."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import connection

from participants.models import Participant
from registry.changes import Source
from registry.updates import publish_representations

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
