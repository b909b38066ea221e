"""What follows is shown to staff without keeping web threads or other work waiting."""

from __future__ import annotations

import html
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import Group, User
from django.db import connection, connections
from django.test import Client

from common import locks
from registry.admin import previewed_forms
from registry.admin.conflicts import bulk as conflict_bulk
from registry.changes import Source
from registry.decisions import adjust as decisions_adjust
from registry.models import Conflict, CongestionPointConnection, CongestionPointTerms
from registry.previews import effects
from registry.previews.timeouts import Busy, TimeLimits
from registry.updates import claims
from tests.registry.admin.pages import TODAY, declared, list_of, page_of, page_text, represented

pytestmark = pytest.mark.django_db(transaction=True)

SOON = 8.0  # seconds: what an answer may take that gave up after two or four


@pytest.fixture
def kim(client: Client) -> User:
    user = User.objects.create_user("kim", password="kim", is_staff=True)
    user.groups.add(Group.objects.get(name="CRO operator"))
    client.force_login(user)
    return user


@pytest.fixture
def conflict(kim: User) -> Conflict:
    represented("one.example", 1)
    represented("two.example", 1)
    return Conflict.objects.get()


@contextmanager
def elsewhere(query: str, *parameters: object) -> Iterator[None]:
    """While this lasts, another transaction has done `query`."""
    said = connection.settings_dict
    with psycopg.connect(
        host=said["HOST"],
        port=said["PORT"],
        user=said["USER"],
        dbname=said["NAME"],
        password=said["PASSWORD"] or None,
    ) as other:
        other.execute(query.encode(), parameters)
        yield
        other.rollback()


def processing(conflict: Conflict) -> Any:
    """While a message about the conflict's connection is processed."""
    return elsewhere(
        "SELECT FROM registry_connection WHERE id = %s FOR NO KEY UPDATE", conflict.connection_id
    )


def words(answer: Any) -> str:
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", html.unescape(answer.content.decode()))


def preview(client: Client, conflict: Conflict) -> str:
    return words(client.post(f"{list_of(Conflict)}{conflict.pk}/preview/", {"decision": "keep"}))


def test_a_preview_gives_up_what_a_message_holds(client: Client, conflict: Conflict) -> None:
    with processing(conflict):
        began = time.monotonic()
        said = preview(client, conflict)
        assert time.monotonic() - began < SOON
    assert "Busy: a message about this is being processed" in said
    assert "Conflicts closed" in preview(client, conflict)


def test_several_previews_of_one_member_of_staff_give_up_soon(kim: User, conflict: Conflict) -> None:
    answers: list[str] = []

    def look() -> None:
        own = Client()
        own.force_login(kim)
        try:
            answers.append(preview(own, conflict))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=look) for _ in range(4)]
    with processing(conflict):
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert time.monotonic() - began < SOON
    assert len(answers) == 4
    assert all("Busy" in said for said in answers)


def test_a_member_of_staff_makes_one_preview_at_a_time(client: Client, kim: User, conflict: Conflict) -> None:
    with elsewhere("SELECT pg_advisory_xact_lock(%s::int, %s::int)", locks.PREVIEW, kim.pk):
        assert "another preview of yours" in preview(client, conflict)
    with elsewhere("SELECT pg_advisory_xact_lock(%s::int, %s::int)", locks.PREVIEW, kim.pk + 1):
        assert "Conflicts closed" in preview(client, conflict)


def test_a_preview_that_takes_too_long_is_given_up(conflict: Conflict) -> None:
    def slow() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(60)")

    with pytest.raises(Busy, match="took more than 1 seconds"):
        effects.preview(slow, limits=TimeLimits(lock=1, statement=1))
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')")
        assert cursor.fetchone() == ("0", "0")


def test_a_decision_gives_up_what_a_message_holds_and_does_nothing(
    client: Client, conflict: Conflict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previewed_forms, "APPLYING", TimeLimits(lock=1, statement=10))
    (expected,) = re.findall(r'name="expected" value="(\w+)"', preview(client, conflict))
    with processing(conflict):
        answer = client.post(
            page_of(conflict), {"decision": "keep", "reason": "because", "expected": expected}
        )
    assert "Busy: a message about this is being processed" in words(answer)
    conflict.refresh_from_db()
    assert conflict.closed_by is None


def test_above_the_limit_the_button_shows_what_follows_for_a_congestion_point(
    client: Client, kim: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared("grid.example", 7, 1, 2)
    terms = CongestionPointTerms.objects.get()
    page = f"{list_of(CongestionPointTerms)}{terms.pk}/adjust/"
    data = {"first": "2026-06-01", "last": "2026-08-31"}
    assert "data-preview" in page_text(client, page)
    assert "connections on which days change" in words(client.post(f"{page}preview/", data)).lower()

    monkeypatch.setattr("registry.admin.facts.adjust.MAX_LIVE_PREVIEW", 1)

    without = page_text(client, page)
    assert "data-preview" not in without
    assert "Show the consequences" in without
    assert "Too many to show while you fill in the form" in words(client.post(f"{page}preview/", data))
    assert 'name="expected"' not in words(client.post(page, data))
    asked = words(client.post(page, {**data, "reason": "because"}))
    assert 'name="expected"' in asked
    assert "Adjust the days" in asked


def test_above_the_limit_the_button_shows_what_follows_for_many_conflicts(
    client: Client, kim: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    represented("one.example", 1, 2)
    represented("two.example", 1, 2)
    ids = ",".join(str(row.pk) for row in Conflict.objects.all())
    page = f"{list_of(Conflict)}settle/preview/?ids={ids}"
    assert 'name="expected"' in words(client.post(page, {"decision": "keep"}))

    monkeypatch.setattr(conflict_bulk, "MAX_LIVE_PREVIEW", 1)

    assert "Too many to show while you fill in the form" in words(client.post(page, {"decision": "keep"}))


def test_a_preview_analyzes_no_table_of_facts(kim: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "ANALYZE_FROM_ROWS", 1)
    declared("grid.example", 7, 1)
    terms = CongestionPointTerms.objects.get()
    held: list[Any] = []

    def verb() -> int:
        change = decisions_adjust.adjust(
            terms, TODAY, date(2026, 8, 31), source=Source.of_staff("kim", "because"), today=TODAY
        )
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT relation::regclass::text FROM pg_locks"
                " WHERE pid = pg_backend_pid() AND mode = 'ShareUpdateExclusiveLock'"
            )
            held.append([name for (name,) in cursor.fetchall() if name.startswith("registry_")])
        return change

    effects.preview(verb)

    assert held == [[]]
    assert CongestionPointConnection.objects.current().get().period.upper is None
