"""The HTTP client on real sockets: connections that close, redirects, access tokens, certificates, the proxy."""

import base64
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.utils import timezone

from participants import credentials as participants_credentials
from participants.credentials import ClientCertificate, Credentials, OAuthClient
from participants.models import AuditEntry, Participant
from tests.support.peer import Peer
from tests.support.proxy import ConnectProxy, proxying
from tests.support.receiver import Posted, Receiver, Reply, receiving
from tests.support.tls import Authority, trusting
from uftp import connectivity
from uftp.delivery import deliver as delivery
from uftp.delivery import http_client, tokens
from uftp.delivery.http_client import NoReply
from uftp.models import CircuitBreaker, DeliveryAttempt, OutboundMessage

SECRET = "the-secret-of-the-client-8f3a"
KEYS = [base64.urlsafe_b64encode(bytes([number]) * 32).decode() for number in (1, 2)]
BODY = b"<SignedMessage/>"


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    with trusting(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture(autouse=True)
def _keys(settings: Any) -> None:
    settings.CREDENTIALS_KEY = [KEYS[0]]


def deliver(participant: Participant) -> DeliveryAttempt:
    """Send a message, deliver it, and give its latest attempt."""
    connectivity.send_test_message(participant, timezone.now())
    delivery.deliver_due(participant.role, participant.domain, wake=lambda role, domain: None)
    return DeliveryAttempt.objects.latest("pk")


class Closing:
    """A system that keeps connections open, and closes each when it gets a second request on it."""

    def __init__(self, *, begins: bytes = b"", closes_new_ones: bool = False) -> None:
        self.requests: list[tuple[int, bytes]] = []
        self.begins, self.closes_new_ones = begins, closes_new_ones
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/shapeshifter/api/v3/message"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        for number in range(100):
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client, number), daemon=True).start()

    def _serve(self, client: socket.socket, number: int) -> None:
        with client:
            for second in (self.closes_new_ones and number > 0, True):
                request = self._request(client)
                if not request:
                    return
                self.requests.append((number, request))
                if second:
                    client.sendall(self.begins)
                    return
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def _request(self, client: socket.socket) -> bytes:
        read = b""
        while b"</SignedMessage>" not in read and b"/>" not in read:
            piece = client.recv(65536)
            if not piece:
                return b""
            read += piece
        return read

    def stop(self) -> None:
        self._listening.close()


@contextmanager
def closing(**how: Any) -> Iterator[Closing]:
    server = Closing(**how)
    try:
        yield server
    finally:
        server.stop()


@pytest.mark.django_db(transaction=True)
def test_two_posts_to_a_participant_that_closes_idle_connections_are_both_delivered() -> None:
    """It closes the idle connection just as the second POST goes out: posted again at once, and no failure."""
    with closing() as server:
        agr = Peer("AGR").register(server.url)
        outcomes = [deliver(agr).outcome, deliver(agr).outcome]
        assert outcomes == ["delivered", "delivered"]
        assert DeliveryAttempt.objects.count() == 2
        assert sorted(OutboundMessage.objects.values_list("state", "attempts")) == [("delivered", 1)] * 2
        first, closed, again = server.requests
        assert [first[0], closed[0], again[0]] == [0, 0, 1], "the last one on a connection of its own"
        assert closed[1].partition(b"\r\n\r\n")[2] == again[1].partition(b"\r\n\r\n")[2]


def test_a_connection_that_closes_is_posted_on_once_more_and_not_more_often() -> None:
    with closing(closes_new_ones=True) as server:
        http_client.post(server.url, BODY, seconds=5)
        with pytest.raises(NoReply, match="RemoteProtocolError"):
            http_client.post(server.url, BODY, seconds=5)
        assert [number for number, _ in server.requests] == [0, 0, 1]


def test_a_connection_that_closes_after_the_first_byte_of_an_answer_is_not_posted_on_again() -> None:
    with closing(begins=b"H") as server:
        http_client.post(server.url, BODY, seconds=5)
        with pytest.raises(NoReply, match="RemoteProtocolError"):
            http_client.post(server.url, BODY, seconds=5)
        assert [number for number, _ in server.requests] == [0, 0]


def test_a_copy_that_the_participant_knows_already_is_delivered() -> None:
    """It took the message, and closed before it answered: its answer to the copy is no refusal."""
    reply = http_client.Reply(400, "Duplicate message", None, reposted=True)
    assert delivery.classify(reply, "https://a.example/", again=reply.reposted).outcome == "delivered"


def to(receiver: Receiver, status: int, location: str = "") -> None:
    """Have `receiver` answer every POST with a redirect."""
    headers = {"Location": location} if location else {}
    receiver.reply = lambda posted, before: (status, headers, b"")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("status", [307, 308])
def test_307_and_308_are_followed_with_the_same_body(receiver: Receiver, status: int) -> None:
    with receiving() as other:
        to(receiver, status, other.url)
        attempt = deliver(Peer("AGR").register(receiver.url))
        assert (attempt.outcome, attempt.status, attempt.endpoint) == ("delivered", 200, receiver.url)
        assert attempt.detail == f"HTTP 200, after a redirect to {other.url}"
        (first,), (second,) = receiver.posts, other.posts
        assert first.body == second.body
        assert second.headers["Content-Type"] == "text/xml; charset=utf-8"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("hops", "outcome"), [(1, "delivered"), (2, "delivered"), (3, "temporary")])
def test_two_redirects_are_followed_at_most(receiver: Receiver, hops: int, outcome: str) -> None:
    def reply(posted: Posted, before: int) -> Reply:
        return (307, {"Location": f"/hop/{before + 1}"}, b"") if before < hops else (200, {}, b"")

    receiver.reply = reply
    attempt = deliver(Peer("AGR").register(receiver.url))
    assert attempt.outcome == outcome
    assert len(receiver.posts) == min(hops, 2) + 1
    if outcome == "temporary":
        assert attempt.detail.endswith(": not followed: more than 2 redirects")


@pytest.mark.parametrize(
    "location", ["", "ftp://127.0.0.1/", "https://u:p@127.0.0.1/", "http://[/", "http://a b/"]
)
def test_a_redirect_to_no_endpoint_is_not_followed(receiver: Receiver, location: str) -> None:
    to(receiver, 307, location)
    reply = http_client.post(receiver.url, BODY, seconds=5)
    assert (reply.status, reply.text.startswith("not followed: ")) == (307, True)
    assert len(receiver.posts) == 1


def test_each_redirect_goes_through_the_address_guard(receiver: Receiver, settings: Any) -> None:
    """Here a target on this machine, of an endpoint that was public when it was posted to."""
    with receiving() as inside:

        def reply(posted: Posted, before: int) -> Reply:
            settings.UFTP_ALLOW_PRIVATE_ENDPOINTS = False
            return 307, {"Location": inside.url.replace("http:", "https:")}, b""

        receiver.reply = reply
        answer = http_client.post(receiver.url, BODY, seconds=5)
        assert answer.text.startswith("not followed: 127.0.0.1 is not a public address")
        assert inside.posts == []


def test_the_resolved_address_of_a_redirect_is_judged(
    receiver: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is public, and its address is not."""
    with receiving() as inside:
        resolved = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", inside.port))]

        def reply(posted: Posted, before: int) -> Reply:
            settings.UFTP_ALLOW_PRIVATE_ENDPOINTS = False
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: resolved)
            return 307, {"Location": f"https://agr.example.com:{inside.port}/"}, b""

        receiver.reply = reply
        with pytest.raises(NoReply, match="not a public address"):
            http_client.post(receiver.url, BODY, seconds=5)
        assert inside.posts == []


def test_a_redirect_never_leads_from_https_to_http(receiver: Receiver, authority: Authority) -> None:
    with receiving(authority.server()) as secure:
        to(secure, 308, receiver.url)
        reply = http_client.post(secure.url, BODY, seconds=5)
        assert (reply.status, reply.text) == (308, "not followed: it leads from https to http")
        assert receiver.posts == []


@dataclass
class TokenServer:
    """An authorization server: each token is a new one, and what it was asked for is kept."""

    receiver: Receiver
    status: int = 200
    lifetime: float = 3600
    issued: list[str] = field(default_factory=list)

    def reply(self, posted: Posted, before: int) -> Reply:
        if self.status != 200:
            return self.status, {}, json.dumps({"error": "invalid_client", "hint": SECRET}).encode()
        self.issued.append(f"token-{before + 1}")
        answer = {"access_token": self.issued[-1], "token_type": "Bearer", "expires_in": self.lifetime}
        return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()


@pytest.fixture
def token_server(authority: Authority) -> Iterator[TokenServer]:
    with receiving(authority.server()) as running:
        made = TokenServer(running)
        running.reply = made.reply
        tokens._entries.clear()
        yield made


def client_of(token_server: TokenServer, **values: Any) -> Credentials:
    return Credentials(OAuthClient(token_server.receiver.url, "cro", SECRET, **values))


def bearers(receiver: Receiver) -> list[str | None]:
    return [posted.headers.get("Authorization") for posted in receiver.posts]


def test_a_token_is_requested_once_and_used_until_shortly_before_it_expires(
    receiver: Receiver, token_server: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = client_of(token_server, scope="uftp deliver")
    for _ in range(2):
        assert http_client.post(receiver.url, BODY, seconds=5, credentials=credentials).status == 200
    assert bearers(receiver) == ["Bearer token-1"] * 2
    (asked,) = token_server.receiver.posts
    assert parse_qs(asked.body.decode()) == {"grant_type": ["client_credentials"], "scope": ["uftp deliver"]}
    assert asked.headers["Authorization"] == "Basic " + base64.b64encode(f"cro:{SECRET}".encode()).decode()
    began = time.monotonic()
    monkeypatch.setattr(tokens.time, "monotonic", lambda: began + 3580)
    with monkeypatch.context() as later:
        later.setattr("uftp.delivery.connections.seconds_left", lambda: 5.0)
        later.setattr("uftp.delivery.connections._remaining", lambda timeout, error: timeout)
        http_client.post(receiver.url, BODY, seconds=5, credentials=credentials)
    assert bearers(receiver)[-1] == "Bearer token-2"


def test_the_secret_goes_into_the_body_where_the_participant_wants_it_there(
    receiver: Receiver, token_server: TokenServer
) -> None:
    credentials = client_of(token_server, secret_in_body=True)
    http_client.post(receiver.url, BODY, seconds=5, credentials=credentials)
    (asked,) = token_server.receiver.posts
    assert "Authorization" not in asked.headers
    assert parse_qs(asked.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["cro"],
        "client_secret": [SECRET],
    }


def test_a_401_has_the_token_renewed_once(receiver: Receiver, token_server: TokenServer) -> None:
    credentials = client_of(token_server)
    http_client.post(receiver.url, BODY, seconds=5, credentials=credentials)
    valid = {"Bearer token-2"}

    def reply(posted: Posted, before: int) -> Reply:
        return (200 if posted.headers.get("Authorization") in valid else 401), {}, b""

    receiver.reply = reply
    assert http_client.post(receiver.url, BODY, seconds=5, credentials=credentials).status == 200
    assert bearers(receiver) == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]
    valid.clear()
    assert http_client.post(receiver.url, BODY, seconds=5, credentials=credentials).status == 401
    assert bearers(receiver)[3:] == ["Bearer token-2", "Bearer token-3"]


@pytest.mark.django_db(transaction=True)
def test_a_failed_token_request_is_temporary(receiver: Receiver, token_server: TokenServer) -> None:
    token_server.status = 401
    agr = Peer("AGR").register(receiver.url)
    store(agr, token_server)
    attempt = deliver(agr)
    assert (attempt.outcome, attempt.status) == ("temporary", None)
    assert attempt.detail == "no access token: the token URL answered HTTP 401 (invalid_client)"
    assert (receiver.posts, OutboundMessage.objects.get().state) == ([], "waiting")


def test_a_token_url_is_https_and_goes_through_the_address_guard(receiver: Receiver, settings: Any) -> None:
    credentials = Credentials(OAuthClient(receiver.url, "cro", SECRET))
    with pytest.raises(NoReply, match="the token URL is not https"):
        http_client.post(receiver.url, BODY, seconds=5, credentials=credentials)
    settings.UFTP_ALLOW_PRIVATE_ENDPOINTS = False
    credentials = Credentials(OAuthClient("https://10.0.0.1/token", "cro", SECRET))
    with pytest.raises(NoReply, match=r"10\.0\.0\.1 is not a public address"):
        http_client.post("https://agr.example.com/", BODY, seconds=5, credentials=credentials)
    assert receiver.posts == []


def test_a_client_certificate_is_offered_where_it_is_demanded(authority: Authority) -> None:
    """By a real TLS server that checks it: with ours it takes the message, without or with a stranger's it does not."""
    chain, key = authority.client()
    stranger = authority.client(issuer=authority.root)
    with receiving(authority.server(demands_certificate=True)) as secure:
        ours = Credentials(certificate=ClientCertificate(chain, key))
        assert http_client.post(secure.url, BODY, seconds=5, credentials=ours).status == 200
        for wrong in (None, Credentials(certificate=ClientCertificate(*stranger))):
            with pytest.raises(NoReply):
                http_client.post(secure.url, BODY, seconds=5, credentials=wrong)
        assert len(secure.posts) == 1


def test_credentials_go_to_no_other_origin(
    receiver: Receiver, authority: Authority, token_server: TokenServer
) -> None:
    """Neither the token nor the certificate; a redirect within the origin keeps both."""
    client = client_of(token_server)
    credentials = Credentials(client.oauth, ClientCertificate(*authority.client()))
    with (
        receiving(authority.server(demands_certificate=True)) as own,
        receiving(authority.server()) as other,
        receiving(authority.server(demands_certificate=True)) as demanding,
    ):
        own.reply = lambda posted, before: (307, {"Location": "/b"}, b"") if before == 0 else (200, {}, b"")
        assert http_client.post(own.url, BODY, seconds=5, credentials=credentials).status == 200
        assert bearers(own) == ["Bearer token-1"] * 2
        to(own, 307, other.url)
        other.reply = lambda posted, before: (401, {}, b"")
        reply = http_client.post(own.url, BODY, seconds=5, credentials=credentials)
        assert (reply.status, bearers(other)) == (401, [None])
        assert len(token_server.issued) == 1, "no new token because of another's 401"
        to(own, 307, demanding.url)
        with pytest.raises(NoReply):
            http_client.post(own.url, BODY, seconds=5, credentials=credentials)
        assert demanding.posts == []


@pytest.fixture
def proxy() -> Iterator[ConnectProxy]:
    with proxying() as running:
        yield running


def test_everything_goes_through_the_outbound_proxy(
    authority: Authority, token_server: TokenServer, proxy: ConnectProxy, settings: Any
) -> None:
    settings.OUTBOUND_PROXY = f"http://us%40er:pass@127.0.0.1:{proxy.port}"
    with receiving(authority.server(demands_certificate=True)) as secure:
        credentials = Credentials(client_of(token_server).oauth, ClientCertificate(*authority.client()))
        assert http_client.post(secure.url, BODY, seconds=5, credentials=credentials).status == 200
        hosts = [f"CONNECT localhost:{port}" for port in (token_server.receiver.port, secure.port)]
        assert proxy.asked == hosts
        basic = base64.b64encode(b"us@er:pass").decode()
        assert proxy.authorizations == [f"Proxy-Authorization: Basic {basic}"] * 2


def test_a_host_is_resolved_and_judged_before_the_proxy_gets_it(
    proxy: ConnectProxy, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OUTBOUND_PROXY = f"http://127.0.0.1:{proxy.port}"
    settings.UFTP_ALLOW_PRIVATE_ENDPOINTS = False
    resolved = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.1.2.3", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: resolved)
    with pytest.raises(NoReply, match=r"10\.1\.2\.3 is not a public address"):
        http_client.post("https://agr.example.com/", BODY, seconds=5)
    assert proxy.asked == []


@pytest.mark.parametrize("refuses", ["407 Proxy Authentication Required", "403 Forbidden", "502 Bad Gateway"])
def test_a_proxy_that_refuses_is_a_temporary_failure(
    authority: Authority, proxy: ConnectProxy, settings: Any, refuses: str
) -> None:
    proxy.refuses = refuses
    settings.OUTBOUND_PROXY = f"http://127.0.0.1:{proxy.port}"
    with receiving(authority.server()) as secure:
        with pytest.raises(NoReply, match=f"the outbound proxy did not connect: {refuses}"):
            http_client.post(secure.url, BODY, seconds=5)
        assert secure.posts == []


def store(
    participant: Participant, token_server: TokenServer, certificate: tuple[str, str] = ("", "")
) -> None:
    participants_credentials.change_delivery_settings(
        participant,
        {
            "token_url": token_server.receiver.url,
            "client_id": "cro",
            "scope": "",
            "secret_in_body": False,
            "client_certificate": certificate[0],
        },
        secrets={"client_secret": SECRET, "client_key": certificate[1]},
        actor="kim",
        now=timezone.now(),
        reason="it demands a token",
    )


@pytest.mark.django_db(transaction=True)
def test_a_delivery_uses_the_stored_credentials_and_tells_no_secret(
    authority: Authority, token_server: TokenServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in the log, nor in the audit trail, nor in the record of an attempt, whatever comes back."""
    caplog.set_level(logging.DEBUG)
    with receiving(authority.server(demands_certificate=True)) as secure:
        agr = Peer("AGR").register(secure.url)
        chain, key = authority.client()
        store(agr, token_server, (chain, key))
        told = [deliver(agr)]
        assert (told[0].outcome, bearers(secure)) == ("delivered", ["Bearer token-1"])
        secure.reply = lambda posted, before: (500, {}, b"no")
        told.append(deliver(agr))
        tokens._entries.clear()
        token_server.status = 500
        OutboundMessage.objects.update(next_attempt_at=timezone.now())
        told.append(deliver(agr))
    secrets = [SECRET, "token-1", *key.split("\n")[1:-2]]
    texts = [
        caplog.text,
        repr(told[0].__dict__),
        *(attempt.detail for attempt in DeliveryAttempt.objects.all()),
        *(json.dumps([entry.before, entry.after, entry.reason]) for entry in AuditEntry.objects.all()),
        repr(participants_credentials.credentials_of(agr.pk)),
    ]
    assert not [secret for secret in secrets for text in texts if secret in text]
    assert not CircuitBreaker.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("status", [400, 401, 503])
def test_a_reply_that_repeats_our_credentials_is_kept_without_them(
    receiver: Receiver, token_server: TokenServer, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """Such as an error page with the headers of the request, or a log-in page that has the token in its address."""
    caplog.set_level(logging.DEBUG)

    def repeats(posted: Posted, before: int) -> Reply:
        return status, {}, f"no: {posted.headers['Authorization']} of {SECRET}, please".encode()

    receiver.reply = repeats
    agr = Peer("AGR").register(receiver.url)
    store(agr, token_server)
    attempt = deliver(agr)
    assert attempt.detail == f"HTTP {status}: no: Bearer [credential] of [credential], please"
    circuits = CircuitBreaker.objects.values_list("detail", flat=True)
    assert set(circuits) <= {attempt.detail}
    assert not [
        secret for secret in (SECRET, *token_server.issued) if secret in caplog.text + "".join(circuits)
    ]


def test_no_credential_comes_back_in_a_redirect_or_in_what_is_no_http(
    receiver: Receiver, token_server: TokenServer
) -> None:
    credentials = client_of(token_server)
    receiver.reply = lambda posted, before: (307, {"Location": f"ftp://{SECRET}.example/"}, b"")
    reply = http_client.post(receiver.url, BODY, seconds=5, credentials=credentials)
    assert (reply.status, SECRET in reply.text) == (307, False)
    receiver.reply = lambda posted, before: (
        (307, {"Location": f"{receiver.url}?token=token-1"}, b"")
        if "token" not in posted.path
        else (503, {}, b"")
    )
    reply = http_client.post(receiver.url, BODY, seconds=5, credentials=credentials)
    assert reply.redirected_to == f"{receiver.url}?token=[credential]"
    with closing(begins=b"Bearer token-1 of cro:" + SECRET.encode() + b"\r\n\r\n") as server:
        http_client.post(server.url, BODY, seconds=5)
        with pytest.raises(
            NoReply, match=r"illegal status line.*Bearer \[credential\] of cro:\[credential\]"
        ):
            http_client.post(server.url, BODY, seconds=5, credentials=credentials)


def test_the_answer_of_a_token_url_is_kept_without_our_secret(
    receiver: Receiver, token_server: TokenServer
) -> None:
    token_server.receiver.reply = lambda posted, before: (400, {}, b'{"error": "very_secret"}')
    client = OAuthClient(token_server.receiver.url, "cro", "very_secret")
    with pytest.raises(NoReply, match=r"answered HTTP 400 \(\[credential\]\)"):
        http_client.post(receiver.url, BODY, seconds=5, credentials=Credentials(client))


def test_the_answer_of_the_outbound_proxy_is_kept_without_its_password(
    authority: Authority, proxy: ConnectProxy, settings: Any
) -> None:
    pair = base64.b64encode(b"cro:p/w d").decode()
    proxy.refuses = f"407 not Basic {pair}, nor p/w d"
    settings.OUTBOUND_PROXY = f"http://cro:p%2Fw%20d@127.0.0.1:{proxy.port}"
    with (
        receiving(authority.server()) as secure,
        pytest.raises(NoReply, match=r"407 not Basic \[credential\], nor \[credential\]$"),
    ):
        http_client.post(secure.url, BODY, seconds=5)


@pytest.mark.django_db(transaction=True)
def test_credentials_that_cannot_be_decrypted_are_a_temporary_failure(
    receiver: Receiver, token_server: TokenServer, settings: Any
) -> None:
    agr = Peer("AGR").register(receiver.url)
    store(agr, token_server)
    settings.CREDENTIALS_KEY = [KEYS[1]]
    attempt = deliver(agr)
    assert (attempt.outcome, receiver.posts) == ("temporary", [])
    assert attempt.detail.startswith("no credentials: a stored secret is not encrypted under a key")
