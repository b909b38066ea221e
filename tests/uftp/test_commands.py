"""The commands about messages, as scripts and operators call them."""

import json
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from participants.models import AuditEntry
from tests.support.exchange import exchange
from tests.support.peer import Peer
from uftp.models import InboundMessage, OutboundMessage

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def listed(*arguments: str) -> list[tuple[str, str]]:
    return [
        (row["direction"], row["message_type"])
        for row in json.loads(run("list_messages", "--json", *arguments))
    ]


@pytest.fixture
def agr() -> Peer:
    peer = Peer("AGR")
    peer.register()
    return peer


def test_messages_are_listed_newest_first(agr: Peer) -> None:
    assert listed() == []
    for _ in range(2):
        exchange(agr, agr.xml())
    assert listed() == [("out", "TestMessageResponse"), ("in", "TestMessage")] * 2
    assert listed("--in") == [("in", "TestMessage")] * 2
    assert listed("--out") == [("out", "TestMessageResponse")] * 2
    assert listed("--limit", "3") == [
        ("out", "TestMessageResponse"),
        ("in", "TestMessage"),
        ("out", "TestMessageResponse"),
    ]
    lines = run("list_messages").splitlines()
    assert len(lines) == 4
    assert f"out  AGR {agr.domain}" in lines[0]


def test_times_are_the_markets(agr: Peer) -> None:
    exchange(agr, agr.xml())
    received = InboundMessage.objects.get().received_at.astimezone(ZoneInfo("Europe/Amsterdam"))
    (line,) = run("list_messages", "--in").splitlines()
    assert line.startswith(received.isoformat(" ", "seconds"))
    (row,) = json.loads(run("list_messages", "--in", "--json"))
    assert row["received_at"] == received.isoformat()


def test_an_undelivered_message_is_listed_with_its_last_error(agr: Peer) -> None:
    exchange(agr, agr.xml())
    sent = OutboundMessage.objects.get()
    OutboundMessage.objects.update(state="waiting")
    for outcome, detail in [
        ("temporary", "ConnectError: refused"),
        ("temporary", "HTTP 401:\n\x1b[2Jwho is this?"),
    ]:
        sent.delivery_attempts.create(started_at=timezone.now(), outcome=outcome, detail=detail)
    (line,) = run("list_messages", "--out").splitlines()
    assert line.endswith("waiting Accepted (HTTP 401: [2Jwho is this?)")
    (row,) = json.loads(run("list_messages", "--out", "--json"))
    assert row["last_error"] == "HTTP 401:\n\x1b[2Jwho is this?"

    OutboundMessage.objects.update(state="delivered")
    (line,) = run("list_messages", "--out").splitlines()
    assert line.endswith("delivered Accepted")


@pytest.mark.parametrize("limit", ["-1", "0", "many"])
def test_a_limit_is_a_number_of_messages(limit: str) -> None:
    with pytest.raises(CommandError, match="is not a number of messages"):
        run("list_messages", "--limit", limit)


def test_a_test_message_to_nowhere_says_so(agr: Peer) -> None:
    errors = StringIO()
    call_command(
        "send_test_message", "--role", "AGR", "--domain", agr.domain, stdout=StringIO(), stderr=errors
    )
    assert f"AGR {agr.domain} has no endpoint" in errors.getvalue()
    assert AuditEntry.objects.get(action="sent TestMessage").reason == "connectivity test"
    assert listed("--out") == [("out", "TestMessage")]
