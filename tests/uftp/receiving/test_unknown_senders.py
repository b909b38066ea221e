"""Senders of which this CRO has no key: counted within limits, and shown to staff who see every participant."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from procrastinate.contrib.django import app
from pytest_django import DjangoAssertNumQueries

from common import locks
from cro_project.staff.groups import AUDITOR, OPERATOR, PARTICIPANT_MANAGER
from participants.models import AuditEntry, Participant
from tests.support.peer import Peer
from tests.support.polling import wait_for
from tests.support.processes import serving
from uftp import tasks
from uftp.models import OtherUnknownSenders, UnknownSender
from uftp.receiving import unknown_senders
from uftp.receiving.unknown_senders import (
    KEEP_DAYS,
    MAX_ROWS,
    MAX_ROWS_PER_NETWORK,
    MAX_ROWS_PER_SITE,
    QUIET_DAYS,
    UnknownSenders,
)

ROUTE = "/shapeshifter/api/v3/message"
LIST = "/admin/uftp/unknownsender/"
CLEAR = f"{LIST}clear/"
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def knock(client: Client, stranger: Peer, address: str = "203.0.113.7") -> None:
    answer = client.post(
        ROUTE, stranger.envelope(stranger.xml()), content_type="text/xml", REMOTE_ADDR=address
    )
    assert answer.status_code == 419


def write() -> None:
    assert unknown_senders._unknown_senders.write()


@pytest.fixture
def counter() -> UnknownSenders:
    return UnknownSenders(later=lambda write: None)


def count(
    counter: UnknownSenders,
    domain: str,
    *,
    role: str = "AGR",
    address: str = "203.0.113.7",
    at: datetime = NOON,
) -> None:
    counter.record(role, domain, address=address, line="no public key", at=at)


def other_requests() -> int:
    return sum(OtherUnknownSenders.objects.values_list("requests", flat=True))


def address_of(number: int) -> str:
    """An address of a site of its own for each 50 numbers."""
    return f"198.51.{number // 50}.{number % 50}"


@pytest.mark.django_db
def test_each_is_listed_once_with_address_count_and_last_time(client: Client) -> None:
    stranger, other = Peer("AGR", "stranger.example"), Peer("DSO", "stranger.example")
    before = timezone.now()

    for address in ("203.0.113.7", "203.0.113.7", "203.0.113.8"):
        knock(client, stranger, address)
    knock(client, other)
    write()
    knock(client, other, "203.0.113.9")
    write()

    rows = UnknownSender.objects.order_by("role").values_list("role", "domain", "address", "requests")
    assert list(rows) == [
        ("AGR", "stranger.example", "203.0.113.8", 3),
        ("DSO", "stranger.example", "203.0.113.9", 2),
    ]
    agr = UnknownSender.objects.get(role="AGR")
    assert before <= agr.first_at <= agr.last_at <= timezone.now()
    assert agr.line == (
        "no public key of AGR stranger.example can be found: let the CRO's operator register it, and send this again"
    )
    assert not OtherUnknownSenders.objects.exists()


@pytest.mark.django_db
def test_a_registered_participant_without_a_key_is_no_unknown_sender(client: Client) -> None:
    Participant.objects.create(role="AGR", domain="agr.example")

    knock(client, Peer("AGR", "agr.example"))
    write()

    assert not UnknownSender.objects.exists()
    assert not OtherUnknownSenders.objects.exists()


@pytest.mark.django_db
def test_a_request_writes_nothing_by_itself(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    stranger = Peer()
    knock(client, stranger)
    with CaptureQueriesContext(connection) as captured:
        for _ in range(20):
            knock(client, stranger)
    assert not [query["sql"] for query in captured if query["sql"].lstrip()[:6] in ("INSERT", "UPDATE")]

    with CaptureQueriesContext(connection) as captured:
        write()
    assert UnknownSender.objects.get().requests == 21
    assert len(captured) <= 8


def test_one_write_is_scheduled_however_many_come() -> None:
    scheduled: list[Callable[[], None]] = []
    counter = UnknownSenders(later=scheduled.append)

    for number in range(5_000):
        count(counter, f"p{number}.example", address=address_of(number))

    assert len(scheduled) == 1
    assert len(counter._counts) == unknown_senders.MAX_PENDING
    assert counter._others == 5_000 - unknown_senders.MAX_PENDING


@pytest.mark.django_db
def test_1000_are_listed_and_the_rest_is_counted(counter: UnknownSenders) -> None:
    for number in range(MAX_ROWS + 200):
        count(counter, f"p{number}.example", address=address_of(number))
        if number == 600:
            assert counter.write()
    count(counter, "p0.example", address=address_of(0))
    assert counter.write()

    assert (UnknownSender.objects.count(), other_requests()) == (MAX_ROWS, 200)
    assert UnknownSender.objects.get(domain="p0.example").requests == 2
    late = NOON + timedelta(hours=1)
    for _ in range(3):
        count(counter, "late.example", at=late)
    assert counter.write()
    assert (UnknownSender.objects.count(), other_requests()) == (MAX_ROWS, 203)
    assert OtherUnknownSenders.objects.get().last_at == late


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address_of_one", [lambda number: "203.0.113.7", lambda number: f"2001:db8::{number:x}:1"]
)
def test_one_address_cannot_fill_the_list(
    counter: UnknownSenders, address_of_one: Callable[[int], str]
) -> None:
    """Of IPv6 a client has a network of 2^64 addresses."""
    for number in range(MAX_ROWS_PER_NETWORK + 30):
        count(counter, f"p{number}.example", address=address_of_one(number))
        if number in (10, MAX_ROWS_PER_NETWORK + 3):
            assert counter.write()
    count(counter, "honest.example", address="198.51.100.1")
    assert counter.write()

    assert (UnknownSender.objects.count(), other_requests()) == (MAX_ROWS_PER_NETWORK + 1, 30)
    assert UnknownSender.objects.filter(domain="honest.example").exists()


@pytest.mark.django_db
def test_a_flood_from_one_address_between_two_writes_hides_nobody(counter: UnknownSenders) -> None:
    for number in range(3 * unknown_senders.MAX_PENDING):
        count(counter, f"p{number}.example", address=f"2001:db8::{number:x}:1")
    count(counter, "honest.example", address="198.51.100.1")
    assert len(counter._counts) == MAX_ROWS_PER_NETWORK + 1
    assert counter.write()

    assert UnknownSender.objects.filter(domain="honest.example").exists()
    assert other_requests() == 3 * unknown_senders.MAX_PENDING - MAX_ROWS_PER_NETWORK
    # After the write there is room again, for senders that have a row.
    count(counter, "p0.example", address="2001:db8::1")
    assert counter.write()
    assert UnknownSender.objects.get(domain="p0.example").requests == 2


OF_A_SITE = [
    lambda number: f"2001:db8:7:{number // 40:x}::{number:x}",
    lambda number: f"203.0.113.{number % 250}",
]
"""Addresses of one site: 40 senders of each /64 of a /48, and 250 addresses of a /24."""


@pytest.mark.django_db
@pytest.mark.parametrize("address_of_site", OF_A_SITE, ids=["a /48", "a /24"])
@pytest.mark.parametrize("writes", [(), (10, 60, 110, 500)], ids=["one write", "many writes"])
def test_one_site_cannot_fill_the_list(
    counter: UnknownSenders, address_of_site: Callable[[int], str], writes: tuple[int, ...]
) -> None:
    for number in range(1_000):
        count(counter, f"p{number}.example", address=address_of_site(number))
        if number in writes:
            assert counter.write()
    count(counter, "honest.example", address="2001:db8:8::1")
    count(counter, "also-honest.example", address="203.0.114.1")
    assert counter.write()

    assert (UnknownSender.objects.count(), other_requests()) == (
        MAX_ROWS_PER_SITE + 2,
        1_000 - MAX_ROWS_PER_SITE,
    )
    assert UnknownSender.objects.filter(domain__endswith="honest.example").count() == 2


@pytest.mark.django_db
def test_of_a_full_list_those_go_that_were_quiet_for_longest(counter: UnknownSenders) -> None:
    late = NOON + timedelta(days=QUIET_DAYS)
    for number in range(MAX_ROWS):
        count(counter, f"p{number}.example", address=address_of(number), at=NOON + timedelta(seconds=number))
    assert counter.write()
    count(counter, "p0.example", address=address_of(0), at=late)

    # Two have not come for longer than that: the second and the third. One that comes again stays.
    for name in ("new1.example", "new2.example", "new3.example"):
        count(counter, name, address="203.0.113.7", at=late + timedelta(seconds=2, milliseconds=500))
    assert counter.write()

    listed = set(UnknownSender.objects.values_list("domain", flat=True))
    assert (len(listed), other_requests()) == (MAX_ROWS, 1)
    assert {"p0.example", "new1.example", "new2.example", "p3.example"} <= listed
    assert not {"p1.example", "p2.example", "new3.example"} & listed


@pytest.mark.django_db
def test_who_gets_no_row_anyway_displaces_nobody(counter: UnknownSenders) -> None:
    late = NOON + timedelta(days=KEEP_DAYS - 1)
    for number in range(MAX_ROWS - MAX_ROWS_PER_NETWORK):
        count(counter, f"p{number}.example", address=address_of(number))
    assert counter.write()
    for round in range(3):
        for number in range(MAX_ROWS_PER_NETWORK):
            count(counter, f"r{round}n{number}.example", address="203.0.113.7", at=late)
        assert counter.write()

    assert UnknownSender.objects.filter(domain__startswith="p").count() == MAX_ROWS - MAX_ROWS_PER_NETWORK
    assert UnknownSender.objects.count() == MAX_ROWS


@pytest.mark.django_db
def test_a_domain_that_is_no_name_of_dns_is_only_counted(client: Client) -> None:
    knock(client, Peer("AGR", "a." * 200 + "example"))
    write()

    assert (UnknownSender.objects.count(), other_requests()) == (0, 1)


@contextmanager
def another_process_writes() -> Iterator[None]:
    """Another connection that holds the lock."""
    begun, end = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [locks.UNKNOWN_SENDERS])
            begun.set()
            end.wait(20)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert begun.wait(20)
    try:
        yield
    finally:
        end.set()
        thread.join()


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_the_lock_and_nothing_is_lost(counter: UnknownSenders) -> None:
    for _ in range(3):
        count(counter, "stranger.example")
    with another_process_writes():
        assert not counter.write()
        count(counter, "stranger.example")
        count(counter, "another.example")
        assert not UnknownSender.objects.exists()

    assert counter.write()

    assert dict(UnknownSender.objects.values_list("domain", "requests")) == {
        "stranger.example": 4,
        "another.example": 1,
    }
    assert not counter._counts


@pytest.mark.django_db
def test_old_ones_and_registered_ones_are_deleted_every_hour(counter: UnknownSenders) -> None:
    now = timezone.now()
    for domain, days in (
        ("old.example", KEEP_DAYS + 1),
        ("new.example", KEEP_DAYS - 1),
        ("joined.example", 0),
    ):
        count(counter, domain, at=now - timedelta(days=days))
    assert counter.write()
    Participant.objects.create(role="AGR", domain="joined.example")

    tasks.forget_refusals(timestamp=0)

    assert list(UnknownSender.objects.values_list("domain", flat=True)) == ["new.example"]
    assert tasks.forget_refusals.name in {
        task.task.name for task in app.periodic_registry.periodic_tasks.values()
    }


@pytest.mark.django_db(transaction=True)
def test_a_web_process_writes_them_by_itself() -> None:
    stranger = Peer("DSO", "stranger.example")
    with serving("--workers", "1") as web:
        for _ in range(3):
            assert stranger.post(web.port, stranger.xml()).status == 419
        row = wait_for("the row", UnknownSender.objects.first)
        wait_for("the count", lambda: UnknownSender.objects.get(pk=row.pk).requests == 3)
    assert (row.role, row.domain, row.address) == ("DSO", "stranger.example", "127.0.0.1")


def staff(group: str) -> Client:
    user = User.objects.create_user("kim", password="right-kim-1", is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


def page(client: Client, path: str, **query: Any) -> str:
    answer = client.get(path, query)
    assert answer.status_code == 200, answer
    return unescape(answer.content.decode())


@pytest.fixture
def listed(client: Client, db: None) -> UnknownSender:
    knock(client, Peer("DSO", "stranger.example"))
    write()
    return UnknownSender.objects.get()


REGISTER = "/admin/participants/participant/add/?role=DSO&domain=stranger.example"


def test_an_operator_registers_one_by_role_and_domain_only(listed: UnknownSender) -> None:
    operator = staff(OPERATOR)

    shown = page(operator, LIST)
    assert all(text in shown for text in ("stranger.example", "DSO", "203.0.113.7", "Register this one"))
    assert f'href="{REGISTER}"' in shown
    assert f'href="{LIST}"' in page(operator, "/admin/uftp/inboundmessage/")
    assert f'href="{REGISTER}"' in page(operator, f"{LIST}{listed.pk}/change/")

    form = operator.get(REGISTER).context["adminform"].form
    assert {name for name in form.fields if form[name].value()} == {
        "role",
        "domain",
        "standing",
        "placeholders",
    }
    assert (form["role"].value(), form["domain"].value()) == ("DSO", "stranger.example")
    assert "The key" not in shown


def test_a_link_to_the_form_fills_in_no_key_and_no_endpoint(db: None) -> None:
    """A link that somebody sends to staff could hold anybody's key."""
    key = "cs1.11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    more = {"public_key": key, "endpoint": "https://evil.example/", "standing": "barred", "reason": "so"}

    form = staff(OPERATOR).get(f"{REGISTER}", {"domain": "x.example", **more}).context["adminform"].form

    assert not form["public_key"].value()
    assert not form["endpoint"].value()
    assert form["standing"].value() == "authorized"
    assert not form["reason"].value()


def test_what_is_registered_is_no_longer_listed(listed: UnknownSender) -> None:
    operator = staff(OPERATOR)
    Participant.objects.create(role="DSO", domain="stranger.example")

    assert "Register this one" not in page(operator, LIST)
    assert operator.get(f"{LIST}{listed.pk}/change/").status_code == 404


def test_the_others_are_said(counter: UnknownSenders, listed: UnknownSender) -> None:
    OtherUnknownSenders.objects.create(requests=12, last_at=NOON)

    shown = page(staff(OPERATOR), LIST)

    assert "12 more requests came from senders beyond that" in shown
    assert "2026-07-01 14:00:00 CEST" in shown


def test_who_only_looks_gets_no_link_to_register(listed: UnknownSender) -> None:
    shown = page(staff(AUDITOR), LIST)

    assert "stranger.example" in shown
    assert "Register this one" not in shown


def test_limited_staff_see_none_of_them(listed: UnknownSender) -> None:
    limited = staff(PARTICIPANT_MANAGER)
    assert Permission.objects.filter(group__name=PARTICIPANT_MANAGER, codename="view_unknownsender").exists()

    assert limited.get(LIST).status_code == 403
    assert limited.get(f"{LIST}export/").status_code == 403
    assert limited.get(f"{LIST}{listed.pk}/change/").status_code in (403, 404)
    assert LIST not in page(limited, "/admin/uftp/inboundmessage/")


def test_the_list_as_csv(listed: UnknownSender) -> None:
    answer = staff(OPERATOR).get(f"{LIST}export/")

    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    assert "stranger.example" in text
    assert "203.0.113.7" in text


def test_search(listed: UnknownSender) -> None:
    operator = staff(OPERATOR)

    assert "Register this one" in page(operator, LIST, q="strang")
    assert "Register this one" in page(operator, LIST, q="203.0.113.7")
    assert "Register this one" not in page(operator, LIST, q="nobody")


def test_an_operator_clears_the_list_with_a_reason(counter: UnknownSenders, listed: UnknownSender) -> None:
    OtherUnknownSenders.objects.create(requests=12, last_at=NOON)
    operator = staff(OPERATOR)
    assert f'href="{CLEAR}"' in page(operator, LIST)
    asked = page(operator, CLEAR)
    assert "1 unknown sender, and the count of 12 further requests" in asked

    assert operator.post(CLEAR, {"reason": ""}).status_code == 200
    assert UnknownSender.objects.exists()
    operator.post(CLEAR, {"reason": "a flood"})

    assert not UnknownSender.objects.exists()
    assert not OtherUnknownSenders.objects.exists()
    entry = AuditEntry.objects.get(action="clear unknown senders")
    assert (entry.actor, entry.reason) == ("kim", "a flood")
    assert entry.before == {"senders": 1, "further requests": 12}
    assert "1 unknown sender cleared." in page(operator, LIST)
    # One whose system still sends is listed again.
    count(counter, "stranger.example", role="DSO")
    assert counter.write()
    assert UnknownSender.objects.get().requests == 1


@pytest.mark.parametrize("group", [AUDITOR, PARTICIPANT_MANAGER])
def test_who_only_looks_or_is_limited_cannot_clear_the_list(listed: UnknownSender, group: str) -> None:
    client = staff(group)

    assert client.post(CLEAR, {"reason": "so"}).status_code == 403
    assert UnknownSender.objects.exists()
    if group == AUDITOR:
        assert f'href="{CLEAR}"' not in page(client, LIST)
