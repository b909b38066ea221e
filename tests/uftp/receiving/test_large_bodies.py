"""Large bodies: one at a time is received, and none waits for a slow sender or a slow name server of another."""

import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import dns.resolver
import pytest
from django.test import Client

from participants import discovery
from participants.keys import format_public_key
from participants.lookups import LookUps
from participants.models import Participant
from tests.support.peer import Answer, Peer
from tests.support.polling import wait_for
from tests.support.processes import serving as serving_web
from tests.support.zone import SILENT, Zone, serving
from uftp.models import InboundMessage
from uftp.receiving import large_bodies
from uftp.receiving.large_bodies import LARGE

ROUTE = "/shapeshifter/api/v3/message"
CONNECTIONS = 60_000


def large(sender: Peer) -> bytes:
    """A valid message whose envelope is large."""
    content = sender.update(f"ean.{number:018}" for number in range(CONNECTIONS))
    assert len(content) > LARGE
    return content


def name_of(sender: Peer) -> str:
    return f"_{sender.role.lower()}._usef.{sender.domain}"


def publish(zone: Zone, sender: Peer) -> None:
    zone.txt(name_of(sender), format_public_key(sender.public_key))


class WatchedResolver(dns.resolver.Resolver):
    """A resolver that keeps whether the lock for large bodies was held at each look-up."""

    locked: list[bool]

    def resolve(self, *args: Any, **kwargs: Any) -> Any:
        self.locked.append(large_bodies._large_body_lock.locked())
        return super().resolve(*args, **kwargs)


@pytest.fixture
def zone(settings: Any) -> Iterator[Zone]:
    with serving() as zone:
        settings.DISCOVERY_DNS = True
        yield zone


@pytest.fixture
def resolver(zone: Zone, monkeypatch: pytest.MonkeyPatch) -> WatchedResolver:
    resolver = WatchedResolver(configure=False)
    resolver.nameservers, resolver.port = zone.resolver.nameservers, zone.resolver.port
    resolver.locked = []
    monkeypatch.setattr(dns.resolver, "default_resolver", resolver)
    return resolver


def send(client: Client, body: bytes) -> tuple[int, str]:
    answer = client.post(ROUTE, body, content_type="text/xml")
    return answer.status_code, answer.content.decode().strip()


@pytest.mark.django_db(transaction=True)
def test_no_large_message_waits_for_a_slow_sender() -> None:
    honest, slow = Peer(), Peer()
    honest.register()
    slow.register()
    body = slow.envelope(large(slow))
    head = f"POST {ROUTE} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    with serving_web("--workers", "1") as web, ExitStack() as connections:
        for _ in range(3):
            connection = connections.enter_context(socket.create_connection(("127.0.0.1", web.port), 20))
            connection.sendall(head.encode() + body[: LARGE // 2])
        began = time.monotonic()

        answer = honest.post(web.port, large(honest))

        assert (answer.status, time.monotonic() - began < large_bodies.WAIT / 2) == (200, True)
        connection.sendall(body[LARGE // 2 :])
        assert connection.recv(12) == b"HTTP/1.1 200"


@pytest.mark.django_db(transaction=True)
def test_no_large_message_waits_for_the_name_server_of_another(zone: Zone) -> None:
    honest, stranger = Peer(), Peer()
    honest.register()
    zone.trouble[name_of(stranger)] = SILENT
    answers: list[Answer] = []
    with serving_web("--workers", "1", TEST_NAME_SERVER=str(zone.resolver.port)) as web:
        content = large(stranger)
        thread = threading.Thread(target=lambda: answers.append(stranger.post(web.port, content)))
        thread.start()
        wait_for("the look-up", lambda: name_of(stranger) in zone.asked)

        assert honest.post(web.port, large(honest)).status == 200

        assert not answers, "the name server is still waited for"
        thread.join()
    assert [answer.status for answer in answers] == [419]


@pytest.mark.django_db
def test_keys_are_looked_up_without_the_lock(
    client: Client, zone: Zone, resolver: WatchedResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the key was replaced, which is seen only when the signature is verified."""
    moment = 0.0
    monkeypatch.setattr(discovery, "_lookups", LookUps(lambda: moment))
    before = Peer()
    Participant.objects.create(role=before.role, domain=before.domain)
    after, forger = Peer(before.role, before.domain), Peer(before.role, before.domain)
    publish(zone, before)
    assert send(client, before.envelope(large(before)))[0] == 200
    publish(zone, after)
    moment = 31.0
    assert send(client, after.envelope(large(after)))[0] == 200
    moment = 62.0
    assert send(client, forger.envelope(large(forger)))[0] == 401

    assert resolver.locked == [False] * 3
    assert InboundMessage.objects.count() == 2


@pytest.mark.django_db
def test_a_sender_that_only_parsing_finds_is_looked_up_without_the_lock(
    client: Client, zone: Zone, resolver: WatchedResolver
) -> None:
    """Its envelope begins with a comment that names another sender, and ends with blanks."""
    sender = Peer()
    publish(zone, sender)
    comment = b"<!-- SenderRole='DSO' SenderDomain='other.example' " + b"x" * 5_000 + b" -->"
    envelope = sender.envelope(large(sender))
    declaration, _, rest = envelope.rpartition(b"<SignedMessage")

    status = send(client, declaration + comment + b"<SignedMessage" + rest + b" " * 5_000)[0]

    assert status == 200
    assert zone.asked == ["_dso._usef.other.example", name_of(sender)]
    assert resolver.locked == [False] * 2


@pytest.mark.django_db
def test_a_large_message_of_an_unknown_sender_is_419(
    client: Client, zone: Zone, resolver: WatchedResolver
) -> None:
    stranger = Peer()

    status, line = send(client, stranger.envelope(large(stranger)))

    whom = "let the CRO's operator register it, and send this again"
    assert (status, line) == (419, f"no public key of {stranger.role} {stranger.domain} can be found: {whom}")
    assert resolver.locked == [False]


@pytest.fixture
def agr(db: None) -> Peer:
    sender = Peer()
    sender.register()
    return sender


def test_a_large_body_that_comes_too_slowly_is_refused_for_the_moment(
    client: Client, agr: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_bodies, "READ_SECONDS", -1_000.0)
    answer = client.post(ROUTE, agr.envelope(large(agr)), content_type="text/xml")

    assert (answer.status_code, answer.content) == (503, b"the body came too slowly\n")
    assert answer["Retry-After"]
    assert not InboundMessage.objects.exists()


def test_a_large_body_that_is_short_is_refused(client: Client, agr: Peer) -> None:
    body = agr.envelope(large(agr))
    answer = client.generic(
        "POST",
        ROUTE,
        b"",
        CONTENT_LENGTH=str(len(body) + 7),
        CONTENT_TYPE="text/xml",
        **{"wsgi.input": io.BytesIO(body)},
    )

    assert answer.status_code == 400
    assert answer.content == b"the body ends 7 bytes before its Content-Length\n"


def test_a_copy_of_a_large_message_is_taken_once(client: Client, agr: Peer) -> None:
    body = agr.envelope(large(agr))

    assert [send(client, body)[0] for _ in range(2)] == [200, 200]
    assert InboundMessage.objects.count() == 1
