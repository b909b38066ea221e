"""What the message endpoint decides before it reads a body, and what REST framework must not add to a response."""

import gc
import io
from typing import Any

import pytest
from django.test import Client, RequestFactory

from tests.support.peer import Peer
from uftp.models import InboundMessage
from uftp.protocol.messages import SignedMessage
from uftp.receiving.requests import MessageRequest
from uftp.receiving.views import MessageView

ROUTE = "/shapeshifter/api/v3/message"
ENDS = 4096
LIMIT = 33_554_432


class CountedBody(io.BytesIO):
    """A body that keeps the size of each read."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.reads: list[int] = []

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(size)
        self.reads.append(len(piece))
        return piece


@pytest.fixture
def agr(db: None) -> Peer:
    peer = Peer()
    peer.register()
    return peer


def send(client: Client, body: CountedBody, method: str = "POST", **environment: str) -> Any:
    """The answer to a request with `body`, which is as long as Content-Length says unless `environment` differs."""
    length = str(len(body.getvalue()))
    environ: dict[str, Any] = {"CONTENT_LENGTH": length, "CONTENT_TYPE": "text/xml", **environment}
    return client.generic(method, ROUTE, b"", **environ, **{"wsgi.input": body})


def test_an_accepted_message_is_read_once_and_whole(client: Client, agr: Peer) -> None:
    envelope = agr.envelope(agr.xml())
    body = CountedBody(envelope)

    assert send(client, body).status_code == 200

    assert body.reads == [len(envelope)]


def test_of_a_throttled_request_nothing_is_read(client: Client, agr: Peer, settings: Any) -> None:
    settings.UFTP_REQUESTS_PER_MINUTE = 0
    body = CountedBody(agr.envelope(agr.xml()))

    answer = send(client, body)

    assert (answer.status_code, answer.content) == (429, b"too many requests from this address\n")
    assert body.reads == []
    assert not InboundMessage.objects.exists()


@pytest.mark.parametrize(
    ("status", "request_of"),
    [
        (405, {"method": "GET"}),
        (405, {"method": "OPTIONS"}),
        (411, {"CONTENT_LENGTH": ""}),
        (411, {"CONTENT_LENGTH": "-1"}),
        (413, {"CONTENT_LENGTH": str(LIMIT + 1)}),
    ],
)
def test_of_a_request_refused_for_its_headers_nothing_is_read_before_the_answer(
    client: Client, agr: Peer, status: int, request_of: dict[str, str]
) -> None:
    body = CountedBody(agr.envelope(agr.xml()))

    answer = send(client, body, **request_of)

    assert answer.status_code == status
    assert body.reads == []


@pytest.mark.parametrize(
    "header",
    [
        {"CONTENT_TYPE": "application/json"},
        {"CONTENT_TYPE": "text/xml; charset=latin-1"},
        {"HTTP_CONTENT_ENCODING": "gzip"},
    ],
)
def test_of_a_request_whose_headers_are_wrong_only_the_beginning_is_read(
    client: Client, agr: Peer, header: dict[str, str]
) -> None:
    """The beginning names the sender, for staff. See `uftp_refusal`."""
    body = CountedBody(agr.envelope(agr.xml()) + b" " * 100_000)

    answer = send(client, body, **header)

    assert answer.status_code == 400
    assert body.reads == [ENDS]


def test_application_xml_is_accepted_unless_it_is_switched_off(
    client: Client, agr: Peer, settings: Any
) -> None:
    body = agr.envelope(agr.xml())
    assert client.post(ROUTE, body, content_type="application/xml").status_code == 200

    settings.UFTP_ACCEPT_APPLICATION_XML = False
    refused = client.post(ROUTE, body, content_type="application/xml")

    assert (refused.status_code, refused.content) == (
        400,
        b"Content-Type: must be text/xml, and is application/xml\n",
    )
    assert client.post(ROUTE, body, content_type="text/xml").status_code == 200


def test_a_request_refused_for_its_headers_does_not_count_for_the_throttle(
    client: Client, agr: Peer, settings: Any
) -> None:
    settings.UFTP_REQUESTS_PER_MINUTE = 1
    address = {"REMOTE_ADDR": "198.51.100.78"}
    for _ in range(3):
        assert send(client, CountedBody(b"<x/>"), CONTENT_TYPE="text/plain", **address).status_code == 400

    assert send(client, CountedBody(agr.envelope(agr.xml())), **address).status_code == 200


@pytest.mark.parametrize("kind", ["accepted", "refused for its signature", "refused for its content"])
def test_nothing_of_a_request_waits_for_the_garbage_collector(client: Client, agr: Peer, kind: str) -> None:
    """Bodies of tens of megabytes in circles of references would fill the memory until it runs."""
    by = Peer(agr.role, agr.domain) if kind == "refused for its signature" else agr
    envelope = by.envelope(agr.xml(MessageID="no UUID") if kind == "refused for its content" else agr.xml())
    gc.collect()
    gc.disable()
    try:
        answer = MessageView.as_view()(
            RequestFactory().post(ROUTE, envelope, content_type="text/xml"), major=3
        )
        assert answer.status_code == {"accepted": 200, "refused for its signature": 401}.get(kind, 400)
        answer.close()
        del answer
        left = [each for each in gc.get_objects() if type(each) in (SignedMessage, MessageRequest)]
    finally:
        gc.enable()
    assert left == []


@pytest.mark.parametrize("accept", ["application/json", "text/html", "image/png;q=0", "not a media type"])
@pytest.mark.parametrize("query", ["", "?format=json", "?format=api", "?format=nothing"])
def test_no_content_is_negotiated(client: Client, agr: Peer, accept: str, query: str) -> None:
    def post(body: bytes) -> Any:
        return client.post(f"{ROUTE}{query}", body, content_type="text/xml", headers={"Accept": accept})

    accepted, refused = post(agr.envelope(agr.xml())), post(b"<Nothing/>")

    assert (accepted.status_code, accepted.content) == (200, b"")
    assert {"Allow", "Vary", "WWW-Authenticate"}.isdisjoint(accepted.headers)
    assert (refused.status_code, refused["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert refused.content.startswith(b"SignedMessage: ")
    assert {"Allow", "Vary", "WWW-Authenticate"}.isdisjoint(refused.headers)
