"""Senders whose keys are looked up in DNS: what they get, and that nobody else waits for their name servers."""

import itertools
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dns.resolver
import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from participants import admission, discovery
from participants.admission import HEARD_LATELY
from participants.keys import format_public_key
from participants.lookups import Asker, LookUps
from participants.models import Participant, PublicKey
from participants.registration import set_mode
from tests.support.peer import Answer, Peer
from tests.support.polling import wait_for
from tests.support.processes import serving as serving_web
from tests.support.zone import SILENT, Zone, serving
from uftp.models import InboundMessage, Sender, UnknownSender
from uftp.receiving import unknown_senders

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


def known(sender: Peer) -> None:
    """Register `sender` as discovery does."""
    Participant.objects.create(
        role=sender.role, domain=sender.domain, standing="known", last_heard_at=timezone.now()
    )


@pytest.mark.django_db(transaction=True)
def test_names_of_one_zone_take_no_slots_of_other_participants(zone: Zone) -> None:
    """Discovery recorded the names of a wildcard zone. Then its name server is silent, and all of them send."""
    attackers = [Peer("AGR", f"a{number}.attack.example") for number in range(12)]
    honest = [Peer() for _ in range(20)]
    for sender in (*attackers, *honest):
        known(sender)
    for sender in honest:
        publish(zone, sender)
    zone.trouble = {name_of(attacker): SILENT for attacker in attackers}
    over = threading.Event()
    with serving_web("--workers", "1", TEST_NAME_SERVER=str(zone.resolver.port)) as web:

        def attack(mine: list[Peer]) -> None:
            for attacker in itertools.cycle(mine):
                if over.is_set():
                    return
                assert attacker.post(web.port, attacker.xml()).status == 419

        threads = [threading.Thread(target=attack, args=[attackers[n::6]]) for n in range(6)]
        for thread in threads:
            thread.start()
        try:
            wait_for("an attacker's name is looked up", lambda: set(zone.asked) & set(zone.trouble))
            statuses = [sender.post(web.port, sender.xml()).status for sender in honest]
        finally:
            over.set()
            for thread in threads:
                thread.join()

    assert statuses == [200] * len(honest)


@pytest.mark.django_db(transaction=True)
def test_a_participant_that_was_not_heard_lately_has_the_slots_of_a_stranger(zone: Zone) -> None:
    """Also one that staff have suspended or barred. One that staff have authorized waits for none of them."""
    day = timedelta(days=1)
    for standing, heard in (("known", HEARD_LATELY + day), ("suspended", day), ("barred", day)):
        sender = Peer()
        Participant.objects.create(
            role=sender.role,
            domain=sender.domain,
            standing=standing,
            last_heard_at=timezone.now() - heard,
        )
        assert asker_of(sender) is Asker.UNREGISTERED
    recorded, authorized, former = Peer(), Peer(), Peer()
    known(recorded)
    Participant.objects.create(role=authorized.role, domain=authorized.domain, standing="authorized")
    former.register(standing="known")
    PublicKey.objects.update(valid_until=timezone.now())

    assert [asker_of(sender) for sender in (recorded, authorized, former, Peer())] == [
        Asker.DISCOVERED,
        Asker.REGISTERED,
        Asker.REGISTERED,
        Asker.UNREGISTERED,
    ]


class Watched(discovery.NoDiscovery):
    """A source that keeps on whose behalf it was asked."""

    def keys(
        self, role: str, domain: str, *, asker: Asker = Asker.REGISTERED, newer_than: float | None = None
    ) -> tuple[bytes, ...]:
        self.asker = asker
        return ()


def asker_of(sender: Peer) -> Asker:
    source = Watched()
    admission.find_keys(sender.role, sender.domain, timezone.now(), source)
    return source.asker


@pytest.mark.django_db
def test_discovery_records_a_limited_number_of_participants(
    client: Client, zone: Zone, settings: Any
) -> None:
    settings.DISCOVERY_MAX_PARTICIPANTS = 3
    senders = [Peer() for _ in range(5)]
    for sender in senders:
        publish(zone, sender)
    answers = [send(client, sender) for sender in senders]

    assert [status for status, _ in answers] == [200, 200, 200, 419, 419]
    late = senders[3]
    assert answers[3][1] == (
        "this CRO has recorded 3 senders by discovery, and records no more: "
        f"ask its staff to register {late.role} {late.domain}"
    )
    assert Participant.objects.count() == InboundMessage.objects.count() == 3
    assert send(client, senders[0])[0] == 200
    # Staff see who was refused, and make room by authorizing a participant.
    unknown_senders._unknown_senders.write()
    assert UnknownSender.objects.filter(role=late.role, domain=late.domain).exists()
    Participant.objects.filter(domain=senders[0].domain).update(standing="authorized")
    assert send(client, late)[0] == 200


@pytest.mark.django_db
@pytest.mark.parametrize("mode", ["open", "closed"])
def test_one_zone_has_a_share_of_what_discovery_records(
    client: Client, zone: Zone, settings: Any, mode: str
) -> None:
    """In closed mode a sender is not registered, but its messages are stored and answered."""
    set_mode(mode, actor="kim", reason="so")
    settings.DISCOVERY_MAX_PARTICIPANTS = 40
    senders = [Peer("AGR", domain) for domain in ("wild.example", "a.wild.example", "b.c.wild.example")]
    other = Peer("AGR", "notwild.example")
    for sender in (*senders, other):
        publish(zone, sender)

    assert [send(client, sender)[0] for sender in senders] == [200, 200, 419]
    assert send(client, other)[0] == 200
    assert Sender.objects.count() == 3
    # Names that staff have barred are not replaced by others.
    Participant.objects.filter(domain__endswith="wild.example").update(standing="barred")
    assert send(client, senders[2])[0] == 419
    assert send(client, senders[0])[0] == 200


@pytest.mark.django_db
def test_discovery_records_no_unlimited_number_of_senders_in_closed_mode(
    client: Client, zone: Zone, settings: Any
) -> None:
    set_mode("closed", actor="kim", reason="so")
    settings.DISCOVERY_MAX_PARTICIPANTS = 2
    senders = [Peer() for _ in range(3)]
    for sender in senders:
        publish(zone, sender)

    assert [send(client, sender)[0] for sender in (*senders, senders[0])] == [200, 200, 419, 200]

    assert (Sender.objects.count(), Participant.objects.count()) == (2, 0)
