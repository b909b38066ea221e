"""Hostile input at the message endpoint: refused as promised, in one line, within a second and 200 MB, and not stored.

The second is the web process's own, on the processor: what else the machine is at does not count.
What the endpoint accepts although it is unusable is rejected in a response; that is in test_processing.
"""

import base64
import gzip
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.support.peer import Answer, Peer, post
from tests.support.processes import Web, serving
from uftp.models import InboundMessage

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 1.0
BYTES = 200_000_000
LIMIT = 33_554_432
MAX_GROWTH = 24_900_000
"""Bytes of inner message in an envelope just below the limit."""

LAUGHS = (
    b'<!DOCTYPE lolz [<!ENTITY lol "lol">'
    + b"".join(f'<!ENTITY lol{n} "{f"&lol{n - 1 or str()};" * 10}">'.encode() for n in range(1, 10))
    + b"]>"
)


@pytest.fixture(scope="module")
def web(django_db_setup: None, django_db_blocker: object) -> Iterator[Web]:
    with serving("--workers", "1") as running:
        yield running


@pytest.fixture
def agr(web: Web) -> Peer:
    sender = Peer("AGR")
    sender.register()
    assert post(web.port, sender.envelope(b"<x/>")).status == 400
    return sender


@dataclass
class Cost:
    seconds: float
    bytes: int


def measured(web: Web, call: Callable[[], Answer]) -> tuple[Answer, Cost]:
    """What `call` gives, how long the web process was busy with it, and by how much it grew at most."""
    before = peak = web.memory()
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.01):
            peak = max(peak, web.memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = web.busy()
    try:
        answer = call()
    finally:
        seconds = web.busy() - started
        done.set()
        watcher.join()
    return answer, Cost(seconds, peak - before)


INSIDE: dict[str, Callable[[Peer], bytes]] = {
    "DOCTYPE": lambda agr: b"<!DOCTYPE TestMessage>" + agr.xml(),
    "billion laughs": lambda agr: (
        LAUGHS + agr.xml("AGRPortfolioUpdate", "&lol9;", TimeZone="Europe/Amsterdam")
    ),
    "external entity": lambda agr: (
        b'<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + agr.xml("TestMessage", "&x;")
    ),
    "UTF-16": lambda agr: agr.xml().decode().encode("utf-16"),
    "UTF-7": lambda agr: b'<?xml version="1.0" encoding="UTF-7"?>' + agr.xml(),
    "UTF-16 as declared": lambda agr: b'<?xml version="1.0" encoding="UTF-16"?>' + agr.xml(),
    "100,000 schema errors": lambda agr: agr.xml(
        "AGRPortfolioUpdate", '<Connection EntityAddress="wrong"/>' * 100_000, TimeZone="Europe/Amsterdam"
    ),
    "300-deep nesting": lambda agr: agr.xml("TestMessage", "<x>" * 300 + "</x>" * 300),
    "truncated": lambda agr: agr.update(f"ean.{n:018}" for n in range(1000))[:-30],
    "gzip": lambda agr: gzip.compress(agr.xml()),
    "a comment inside a value": lambda agr: agr.xml("TestMessage", "a<!-- -->b"),
    "bytes that are no UTF-8": lambda agr: agr.xml().replace(b"3.1.0", b"3.1.\xff"),
    "a null character": lambda agr: agr.xml().replace(b"3.1.0", b"3.1.\x00"),
    "spaces": lambda agr: agr.xml()[:-14] + b" " * MAX_GROWTH,
    "spaces in a value": lambda agr: agr.xml(ConversationID=" " * MAX_GROWTH),
    "490,000 spaces in a value": lambda agr: agr.xml(ConversationID=" " * 490_000),
    "50,000 attributes": lambda agr: agr.xml(**{f"a{n}": "" for n in range(50_000)}),
    "200,000 attributes": lambda agr: agr.xml(**{f"a{n}": "" for n in range(200_000)}),
}


@pytest.mark.parametrize("name", INSIDE)
def test_hostile_inner_message(web: Web, agr: Peer, name: str) -> None:
    envelope = agr.envelope(INSIDE[name](agr))
    answer, cost = measured(web, lambda: post(web.port, envelope))
    assert_harmless(answer, cost, 400, len(envelope))


def outside(body: bytes) -> bytes:
    return b'<SignedMessage SenderDomain="a.example" SenderRole="AGR" Body="' + body + b'"/>'


ENVELOPES: dict[str, Callable[[], bytes]] = {
    "DOCTYPE": lambda: b"<!DOCTYPE x>" + outside(b"QUJD"),
    "billion laughs": lambda: LAUGHS + outside(b"&lol9;"),
    "external entity": lambda: b'<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + outside(b"&x;"),
    "UTF-16": lambda: outside(b"QUJD").decode().encode("utf-16"),
    "UTF-7": lambda: b'<?xml version="1.0" encoding="UTF-7"?>' + outside(b"QUJD"),
    "Base64 with junk": lambda: outside(base64.b64encode(b"x" * 200)[:-1] + b"*"),
    "Base64 that is not canonical": lambda: outside(b"QUJDRB=="),
    "Base64 without its end": lambda: outside(b"QUJDR"),
    "spaces": lambda: outside(b"QUJD") + b" " * (LIMIT - 100) + b"x",
    "spaces before anything": lambda: b" " * LIMIT,
    "spaces in the Base64": lambda: outside(b"QUJ" + b" " * (LIMIT - 100)),
    "100,000 schema errors": lambda: b"<SignedMessage>" + b"<x/>" * 100_000 + b"</SignedMessage>",
    "300-deep nesting": lambda: b"<SignedMessage>" * 300 + b"</SignedMessage>" * 300,
    "truncated": lambda: outside(base64.b64encode(b"x" * 100_000))[:-40],
    "gzip without saying so": lambda: gzip.compress(outside(b"QUJD")),
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_hostile_envelope(web: Web, agr: Peer, name: str) -> None:
    body = ENVELOPES[name]()
    answer, cost = measured(web, lambda: post(web.port, body))
    assert_harmless(answer, cost, 400, len(body))


def test_64_mb_of_spaces(web: Web) -> None:
    """Beyond the limit; the refusal arrives although its sender goes on sending."""
    answer, cost = measured(web, lambda: post(web.port, b" " * 64_000_000))
    assert_harmless(answer, cost, 413, 64_000_000)


def assert_harmless(answer: Answer, cost: Cost, status: int, sent: int) -> None:
    print(
        f"\n{sent} bytes: {answer.status} {answer.line!r} in {cost.seconds:.2f} s, {cost.bytes / 1e6:.0f} MB"
    )
    assert answer.status == status, answer
    assert len(answer.body.decode().splitlines()) == 1, answer
    assert cost.seconds < SECONDS, cost
    assert cost.bytes < BYTES, cost
    assert not InboundMessage.objects.exists()
