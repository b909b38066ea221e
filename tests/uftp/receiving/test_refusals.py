"""Refused requests that are stored for staff: which are, which are not, and for how long."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from procrastinate.contrib.django import app

from participants.models import Participant
from participants.scope import EVERYONE, NOBODY, Scope
from tests.support.peer import Peer, post
from tests.support.polling import wait_for
from tests.support.processes import serving
from uftp import tasks
from uftp.models import InboundMessage, Refusal
from uftp.receiving import refusals

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
ROUTE = "/shapeshifter/api/v3/message"
LIMIT = 33_554_432


@pytest.fixture
def agr(db: None) -> Peer:
    peer = Peer("AGR", "agr.example")
    peer.register()
    return peer


def assert_refused(
    client: Client, body: bytes, status: int, content_type: str = "text/xml", **headers: str
) -> None:
    answer = client.post(ROUTE, body, content_type=content_type, headers=headers)
    assert answer.status_code == status, answer.content
    assert not InboundMessage.objects.exists()


def stored_refusal() -> Refusal:
    return Refusal.objects.get()


def test_an_invalid_message_is_kept_with_its_xml(client: Client, agr: Peer) -> None:
    content = agr.xml(MessageID="no UUID")
    body = agr.envelope(content)

    assert_refused(client, body, 400)

    refusal = stored_refusal()
    assert (refusal.role, refusal.domain, refusal.major) == ("AGR", "agr.example", 3)
    assert (refusal.status, refusal.verified, refusal.address) == (400, True, "127.0.0.1")
    assert refusal.line.startswith("Body: line 1, column 1: ")
    assert (bytes(refusal.content or b""), refusal.content_size) == (content, len(content))
    assert refusal.size == len(body)
    assert abs(refusal.at - datetime.now(UTC)) < timedelta(minutes=1)


UNPROVEN: dict[str, tuple[int, Callable[[Peer], bytes]]] = {
    "a forged signature": (401, lambda agr: Peer("AGR", agr.domain).envelope(agr.xml())),
    "no key in that role": (419, lambda agr: Peer("DSO", agr.domain).envelope(agr.xml())),
    "a Body that is no Base64": (
        400,
        lambda agr: agr.envelope(agr.xml()).replace(b'Body="', b'Body="*' + b"x" * 10_000),
    ),
    "an envelope that says too much": (
        400,
        lambda agr: agr.envelope(agr.xml()).replace(b"Body=", b"Extra='' Body="),
    ),
    "the Body before the names": (
        400,
        lambda agr: (
            f'<SignedMessage Body="{"A" * 9_998}" SenderDomain="agr.example" SenderRole="AGR"/>'.encode()
        ),
    ),
}


@pytest.mark.parametrize("name", UNPROVEN)
def test_what_proves_nothing_is_kept_as_claimed_and_without_content(
    client: Client, agr: Peer, name: str
) -> None:
    status, body = UNPROVEN[name]
    Peer("DSO", "agr.example").register().keys.all().delete()

    assert_refused(client, body(agr), status)

    refusal = stored_refusal()
    assert (refusal.domain, refusal.status, refusal.verified) == ("agr.example", status, False)
    assert refusal.role == ("DSO" if status == 419 else "AGR")
    assert refusal.content is None


def test_a_wrong_header_is_kept_with_the_sender_that_the_body_names(client: Client, agr: Peer) -> None:
    assert_refused(client, agr.envelope(agr.xml()), 400, "application/json")

    assert (stored_refusal().domain, stored_refusal().line) == (
        "agr.example",
        "Content-Type: must be text/xml or application/xml, and is application/json",
    )


@pytest.mark.django_db(transaction=True)
def test_over_a_socket_too_what_is_too_large_is_kept_with_its_size(agr: Peer) -> None:
    body = agr.envelope(agr.xml()) + b" " * LIMIT
    with serving("--workers", "1") as web:
        assert post(web.port, body).status == 413
        assert post(web.port, agr.envelope(b"<x/>")).status == 400
        wait_for("both refusals", lambda: Refusal.objects.count() == 2)
    large = Refusal.objects.get(status=413)
    assert (large.domain, large.size, large.verified) == ("agr.example", len(body), False)
    assert Refusal.objects.get(status=400).verified


def test_what_names_nobody_on_record_is_in_the_log_alone(client: Client, agr: Peer) -> None:
    stranger = Peer("AGR", "stranger.example")
    assert_refused(client, stranger.envelope(stranger.xml()), 419)
    assert_refused(client, b"<Nothing/>", 400)
    assert_refused(client, b"", 411)
    assert_refused(client, b'<SignedMessage SenderDomain="agr.example" SenderRole="CRO" Body="QUJD"/>', 419)

    assert not Refusal.objects.exists()


def test_what_is_only_for_the_moment_is_in_the_log_alone(client: Client, agr: Peer, settings: object) -> None:
    settings.UFTP_REQUESTS_PER_MINUTE = 0  # type: ignore[attr-defined]
    assert_refused(client, agr.envelope(agr.xml()), 429)

    assert not Refusal.objects.exists()


def test_only_so_many_a_minute_are_looked_into(
    client: Client, agr: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond that, a refusal asks the database for nothing."""
    moment = datetime.now(UTC).replace(second=0)
    monkeypatch.setattr("common.clock.now", lambda: moment)
    body = agr.envelope(b"<x/>")
    for number in range(refusals.PER_MINUTE_AND_ADDRESS + 3):
        with CaptureQueriesContext(connection) as queries:
            assert_refused(client, body, 400)
        stored = [query["sql"] for query in queries if "uftp_refusal" in query["sql"]]
        assert bool(stored) == (number < refusals.PER_MINUTE_AND_ADDRESS), number
    for number in range(refusals.PER_MINUTE):
        client.post(ROUTE, body, content_type="text/xml", REMOTE_ADDR=f"192.0.2.{number}")

    assert Refusal.objects.count() == refusals.PER_MINUTE
    monkeypatch.setattr("common.clock.now", lambda: moment + timedelta(minutes=1))
    assert_refused(client, body, 400)
    assert Refusal.objects.count() == refusals.PER_MINUTE + 1


def test_of_a_large_message_the_beginning_is_kept(client: Client, agr: Peer) -> None:
    content = agr.update(f"ean.8716{number:014d}" for number in range(30_000)).replace(b"<Con", b"<con")
    assert_refused(client, agr.envelope(content), 400)

    assert bytes(stored_refusal().content or b"") == content[: refusals.CONTENT_BYTES]
    assert stored_refusal().content_size == len(content) > refusals.CONTENT_BYTES


def test_of_senders_not_on_record_little_is_kept(agr: Peer) -> None:
    """Whoever has a domain proves as many names in it as they like."""

    def proven(domain: str) -> None:
        refusals.record_refusal(
            refusals.RefusalRecord(
                at=NOON,
                address="192.0.2.1",
                role="AGR",
                domain=domain,
                major=3,
                status=400,
                line="Body: …",
                size=500_000,
                content=b"x" * 500_000,
            )
        )

    for number in range(refusals.UNREGISTERED_PER_MINUTE + 5):
        proven(f"a{number}.evil.example")
    proven("agr.example")

    strangers = Refusal.objects.exclude(domain="agr.example")
    assert strangers.count() == refusals.UNREGISTERED_PER_MINUTE
    assert {len(each.content or b"") for each in strangers} == {refusals.CONTENT_BYTES_UNREGISTERED}
    assert {each.content_size for each in strangers} == {500_000}
    assert len(Refusal.objects.get(domain="agr.example").content or b"") == 500_000


def row(at: datetime = NOON, **values: object) -> Refusal:
    data: dict[str, object] = {
        "role": "AGR",
        "domain": "agr.example",
        "major": 3,
        "status": 401,
        "line": "Body: …",
        "size": 1,
        "verified": False,
        **values,
    }
    return Refusal.objects.create(at=at, **data)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "MAX_ROWS", 10)
    monkeypatch.setattr(refusals, "MAX_ROWS_PER_SENDER", 4)
    monkeypatch.setattr(refusals, "MAX_CONTENTS_PER_SENDER", 2)


def registered(domain: str) -> str:
    Participant.objects.create(role="AGR", domain=domain)
    return domain


def remaining_ids() -> set[int]:
    return set(Refusal.objects.values_list("pk", flat=True))


def test_what_is_old_is_deleted_and_said_in_the_log(db: None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    row(NOON - timedelta(days=30, seconds=1))
    young = row(NOON - timedelta(days=30) + timedelta(seconds=1))

    assert refusals.prune(NOON) == (1, 0)

    assert remaining_ids() == {young.pk}
    assert "Deleted 1 old refused requests" in caplog.text
    caplog.clear()
    assert refusals.prune(NOON) == (0, 0)
    assert not caplog.text


def test_the_worker_forgets_what_is_old_each_hour(db: None) -> None:
    row(datetime.now(UTC) - timedelta(days=31))

    tasks.forget_refusals(0)

    assert remaining_ids() == set()
    periodic = {each.task.name: each.cron for each in app.periodic_registry.periodic_tasks.values()}
    assert periodic["uftp.forget_refusals"].split()[1:] == ["*"] * 4


def test_nobody_pushes_out_the_refusals_of_others(db: None, small: None) -> None:
    """Nor do forgeries in somebody's name push out their own."""
    registered("agr.example")
    own = [row(verified=True, content=b"<x/>", content_size=4) for _ in range(3)]
    other = row(domain=registered("other.example"))
    forged = [row() for _ in range(6)]

    assert refusals.prune(NOON) == (2, 1)

    assert remaining_ids() == {*(each.pk for each in own), other.pk, *(each.pk for each in forged[2:])}
    assert [each.content is None for each in Refusal.objects.filter(verified=True).order_by("pk")] == [
        True,
        False,
        False,
    ]


def test_in_all_only_so_many_are_left(db: None, small: None) -> None:
    rows = [row(domain=registered(f"a{number}.example")) for number in range(12)]

    assert refusals.prune(NOON) == (2, 0)

    assert remaining_ids() == {each.pk for each in rows[2:]}


def test_all_who_are_not_on_record_count_as_one_sender(db: None, small: None) -> None:
    registered("agr.example")
    own = row(verified=True, content=b"<x/>", content_size=4)
    strangers = [
        row(domain=f"a{number}.evil.example", verified=True, content=b"<x/>", content_size=4)
        for number in range(6)
    ]

    assert refusals.prune(NOON) == (2, 2)

    assert remaining_ids() == {own.pk, *(each.pk for each in strangers[2:])}
    assert set(Refusal.objects.filter(content__isnull=False)) == {own, *strangers[4:]}


def test_the_last_day_of_those_in_scope(agr: Peer) -> None:
    participant = Participant.objects.get(role="AGR", domain="agr.example")
    recent = row(NOON - timedelta(hours=23))
    elsewhere = row(NOON - timedelta(hours=1), domain="other.example")
    row(NOON - timedelta(hours=25))

    assert set(refusals.last_day(EVERYONE, NOON)) == {recent, elsewhere}
    assert set(refusals.last_day(Scope(ids=frozenset({participant.pk})), NOON)) == {recent}
    assert set(refusals.last_day(NOBODY, NOON)) == set()
