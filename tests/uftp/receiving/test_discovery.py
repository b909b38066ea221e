"""Senders whose keys are looked up in DNS: what they get, and that nobody else waits for their name servers."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import dns.resolver
import pytest
from django.db import connection
from django.test import Client

from participants import discovery
from participants.keys import format_public_key
from participants.lookups import LookUps
from participants.models import Participant
from tests.support.peer import Answer, Peer
from tests.support.processes import serving as serving_web
from tests.support.zone import SILENT, Zone, serving
from uftp.models import InboundMessage

ROUTE = "/shapeshifter/api/v3/message"
STRANGERS = 20


@pytest.fixture
def zone(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Zone]:
    """What senders publish, with discovery on."""
    with serving() as zone:
        monkeypatch.setattr(dns.resolver, "default_resolver", zone.resolver)
        settings.DISCOVERY_DNS = True
        yield zone


def name_of(sender: Peer) -> str:
    return f"_{sender.role.lower()}._usef.{sender.domain}"


def publish(zone: Zone, sender: Peer) -> None:
    zone.txt(name_of(sender), format_public_key(sender.public_key))


def send(client: Client, sender: Peer) -> tuple[int, str]:
    answer = client.post(ROUTE, sender.envelope(sender.xml()), content_type="text/xml")
    return answer.status_code, answer.content.decode().strip()


@pytest.mark.django_db(transaction=True)
def test_configured_participants_do_not_notice_strangers_whose_name_server_never_answers(
    zone: Zone,
) -> None:
    """One process with 8 threads. Each look-up would take 5 seconds, and 20 of them all threads for 12 seconds."""
    configured, strangers = Peer(), [Peer() for _ in range(STRANGERS)]
    configured.register()
    zone.trouble = {name_of(stranger): SILENT for stranger in strangers}
    answers: list[Answer] = []
    with serving_web("--workers", "1", TEST_NAME_SERVER=str(zone.resolver.port)) as web:

        def knock(stranger: Peer) -> None:
            answers.append(stranger.post(web.port, stranger.xml()))

        threads = [threading.Thread(target=knock, args=[stranger]) for stranger in strangers]
        for thread in threads:
            thread.start()
        longest = 0.0
        while any(thread.is_alive() for thread in threads):
            began = time.monotonic()
            assert configured.post(web.port, configured.xml()).status == 200
            longest = max(longest, time.monotonic() - began)
        for thread in threads:
            thread.join()

        assert longest < 2.0
        assert {answer.status for answer in answers} == {419}
        assert len(answers) == STRANGERS
        assert sum("too many other look-ups" in answer.line for answer in answers) >= STRANGERS // 2
        # The failures are kept: no name server is asked again at once.
        late = {name for name in zone.asked if zone.trouble.get(name)}
        asked = len(zone.asked)
        for stranger in strangers:
            if name_of(stranger) in late:
                assert stranger.post(web.port, stranger.xml()).status == 419
        assert len(zone.asked) == asked


class WatchedResolver(dns.resolver.Resolver):
    """A resolver that keeps whether each look-up was made in a transaction."""

    in_transaction: list[bool]

    def resolve(self, *args: Any, **kwargs: Any) -> Any:
        self.in_transaction.append(connection.in_atomic_block)
        return super().resolve(*args, **kwargs)


@pytest.mark.django_db(transaction=True)
def test_no_key_is_looked_up_in_a_transaction(
    client: Client, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver = WatchedResolver(configure=False)
    resolver.nameservers, resolver.port = zone.resolver.nameservers, zone.resolver.port
    resolver.in_transaction = []
    monkeypatch.setattr(dns.resolver, "default_resolver", resolver)
    known, new, unknown = Peer(), Peer(), Peer()
    Participant.objects.create(role=known.role, domain=known.domain)
    publish(zone, known)
    publish(zone, new)

    assert [send(client, sender)[0] for sender in (known, new, unknown)] == [200, 200, 419]

    assert resolver.in_transaction == [False] * 3


@pytest.mark.django_db
def test_the_key_of_a_sender_is_looked_up_once(client: Client, zone: Zone) -> None:
    sender = Peer()
    publish(zone, sender)

    assert [send(client, sender)[0] for _ in range(3)] == [200, 200, 200]

    assert zone.asked == [name_of(sender)]
    assert InboundMessage.objects.count() == 3


@pytest.mark.django_db
def test_a_replaced_key_counts_before_the_ttl_of_the_former_is_over(
    client: Client, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = 0.0
    monkeypatch.setattr(discovery, "_lookups", LookUps(lambda: moment))
    before = Peer()
    publish(zone, before)
    assert send(client, before)[0] == 200
    after = Peer(before.role, before.domain)
    publish(zone, after)

    # What was looked up a moment ago is not asked for again: a wrong signature costs no look-up each time.
    assert [send(client, after)[0] for _ in range(3)] == [401] * 3
    assert len(zone.asked) == 1
    moment = 31.0
    assert send(client, after)[0] == 200
    assert send(client, before)[0] == 401
    assert len(zone.asked) == 2
