"""Endings at once as staff see them: on the page of the congestion point, of the change, and by command (D5)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from registry.models import Change, CongestionPoint
from registry.queries.snapshots import show_congestion_point
from tests.registry.admin.pages import (
    TODAY,
    declared,
    list_of,
    listed,
    of_point,
    page_of,
    page_text,
    point,
    visible_text,
)

DSO = "grid.example"


@pytest.fixture
def staff(client: Client, db: None, stop_clock: Callable[[datetime], None]) -> Client:
    stop_clock(datetime(2026, 6, 1, 12, tzinfo=UTC))
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    return client


def endings(client: Client) -> str:
    """What the page of the first congestion point says about endings at once; empty if it says nothing."""
    said = visible_text(client.get(page_of(of_point(1))))
    return said.partition("Ended at once")[2].partition("Connections on this day")[0]


def test_D5_the_page_of_a_congestion_point_has_its_endings_at_once(staff: Client) -> None:
    declared(DSO, 1, last=None)
    assert endings(staff) == ""
    declared(DSO, 1, last=TODAY)
    ended = Change.objects.latest("pk")

    assert re.search(r"Recorded Forgotten 2026-06-01 \S+ \S+ \S+ Remembered", endings(staff))
    assert f'href="{page_of(ended)}"' in page_text(staff, page_of(of_point(1))).partition("Ended at once")[2]

    declared(DSO, 1, last=date(2026, 6, 30))
    assert "Remembered" not in endings(staff), "the congestion point covers the day again"
    assert re.search(r"Forgotten 2026-06-01 \S+ \S+ \S+ \S+ \S+ \S+ *$", endings(staff))


def test_D5_the_page_of_a_change_counts_an_ending_where_there_was_nothing_to_end(staff: Client) -> None:
    declared(DSO, 1, last=TODAY)
    change = Change.objects.get()
    page = page_text(staff, page_of(change))

    assert "Endings at once:" in page
    assert "No day of anything changes" not in page
    link = re.search(r'href="([^"]*endings__recorded_by[^"]*)">1 recorded<', page)
    assert link
    assert listed(staff, link[1]) == {of_point(1).pk}
    by_hand = f"{list_of(CongestionPoint)}?endings__day=2026-06-01"
    assert staff.get(by_hand).status_code == 302, "no other lookup through endings is answered"


def test_D5_the_command_shows_endings_as_known_at_a_moment(staff: Client) -> None:
    declared(DSO, 1, last=TODAY)
    declared(DSO, 1, last=date(2026, 6, 30))
    ended, forgot = Change.objects.order_by("pk").values_list("moment", flat=True)

    def shown(**asked: Any) -> list[dict[str, str]]:
        found: list[dict[str, str]] = show_congestion_point(DSO, point(1), **asked)["ended_at_once"]
        return found

    assert shown() == shown(known_at=forgot) == []
    assert shown(known_at=ended) == [{"day": "2026-06-01"}]
    assert shown(known_at=ended, on=date(2026, 6, 2)) == []
    out = StringIO()
    call_command("show_congestion_point", DSO, point(1), "--known-at", ended.isoformat(), stdout=out)
    assert "ended at once: 1\n  day 2026-06-01" in out.getvalue()
    out = StringIO()
    call_command("show_congestion_point", DSO, point(1), "--json", stdout=out)
    assert json.loads(out.getvalue())["ended_at_once"] == []
