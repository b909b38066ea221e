"""The message endpoint over real sockets: each status that protocol support promises; what is refused is not stored."""

import gzip
import http.client
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import connection
from django.test import Client
from psycopg import sql
from psycopg.conninfo import make_conninfo

from participants.keys import format_public_key
from participants.models import Participant, PublicKey
from tests.support import peer
from tests.support.peer import Peer, post
from tests.support.processes import Web, serving
from uftp.models import InboundMessage

pytestmark = pytest.mark.django_db(transaction=True)

LIMIT = 33_554_432


@pytest.fixture(scope="module")
def web(django_db_setup: None, django_db_blocker: object) -> Iterator[Web]:
    with serving("--workers", "1") as running:
        yield running


@pytest.fixture
def agr() -> Peer:
    sender = Peer("AGR")
    sender.register()
    return sender


def assert_refused(answer: peer.Answer, status: int, *words: str) -> None:
    """The status, and a body of one line in plain text that has all of `words`; nothing is stored."""
    assert answer.status == status, answer
    assert answer.headers["Content-Type"].startswith("text/plain"), answer
    assert answer.body.endswith(b"\n"), answer
    assert len(answer.body.decode().splitlines()) == 1, answer
    assert "Traceback" not in answer.line
    for word in words:
        assert word in answer.line, answer
    assert not InboundMessage.objects.exists()


def test_accepted_is_200_with_an_empty_body_after_the_commit(web: Web, agr: Peer) -> None:
    content = agr.xml(MessageID="AAAAAAAA-0000-0000-0000-00000000000b")
    answer = agr.post(web.port, content)
    assert (answer.status, answer.body) == (200, b"")
    stored = InboundMessage.objects.get()
    assert stored.content == content
    assert bytes(stored.sealed) == agr.seal(content)
    assert (stored.sender.role, stored.sender.domain) == ("AGR", agr.domain)
    assert stored.message_id == "aaaaaaaa-0000-0000-0000-00000000000b"
    assert (stored.message_type, stored.state, stored.major) == ("TestMessage", "received", 3)
    assert Participant.objects.get(domain=agr.domain).last_heard_at is not None


@pytest.mark.parametrize(
    "content_type",
    [
        "text/xml",
        "text/xml;charset=UTF-8",
        'Text/XML; charset="utf-8"',
        "text/xml; charset=UTF8",
        "text/xml; charset=US-ASCII",
        "application/xml",
        "application/xml;charset=utf-8",
    ],
)
def test_content_types_that_mean_utf8_xml(web: Web, agr: Peer, content_type: str) -> None:
    headers = {"Content-Type": content_type, "Accept": "application/json"}
    assert post(web.port, agr.envelope(agr.xml()), headers=headers).status == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/soap+xml",
        "application/xml; charset=utf-16",
        "text/plain",
        "",
        "text/xml; charset=utf-16",
        "text/xml; charset=latin-1",
    ],
)
def test_400_for_other_content_types(web: Web, agr: Peer, content_type: str) -> None:
    answer = post(web.port, agr.envelope(agr.xml()), headers={"Content-Type": content_type})
    assert_refused(answer, 400, "Content-Type")


@pytest.mark.parametrize(
    ("headers", "stated"),
    [
        ({"Content-Type": "application/x-www-form-urlencoded"}, "is application/x-www-form-urlencoded"),
        ({}, "is missing"),
    ],
    ids=["what curl sends by itself", "none"],
)
def test_400_for_a_content_type_names_both_that_are_accepted(
    web: Web, agr: Peer, headers: dict[str, str], stated: str
) -> None:
    body = agr.envelope(agr.xml())
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = [
        "POST /shapeshifter/api/v3/message HTTP/1.1",
        "Host: localhost",
        *lines,
        f"Content-Length: {len(body)}",
    ]
    answer = raw(web.port, "\r\n".join([*head, "Connection: close", "", ""]).encode() + body)
    assert_refused(answer, 400, f"Content-Type: must be text/xml or application/xml, and {stated}")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_405_for_other_methods(web: Web, agr: Peer, method: str) -> None:
    answer = post(web.port, agr.envelope(agr.xml()), method=method)
    assert_refused(answer, 405)
    assert answer.headers["Allow"] == "POST"


def test_411_without_content_length(web: Web, agr: Peer) -> None:
    """A chunked body of no stated length, as sent by clients that stream."""
    body = agr.envelope(agr.xml())
    request = (
        b"POST /shapeshifter/api/v3/message HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        + f"{len(body):x}\r\n".encode()
        + body
        + b"\r\n0\r\n\r\n"
    )
    assert_refused(raw(web.port, request), 411, "Content-Length")


def test_400_for_a_content_encoding(web: Web, agr: Peer) -> None:
    body = gzip.compress(agr.envelope(agr.xml()))
    assert_refused(post(web.port, body, headers={"Content-Encoding": "gzip"}), 400, "Content-Encoding")


def test_413_beyond_the_limit_before_the_body_is_read(web: Web) -> None:
    request = (
        b"POST /shapeshifter/api/v3/message HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\n"
        b"Content-Length: " + str(LIMIT + 1).encode() + b"\r\nConnection: close\r\n\r\n"
    )
    assert_refused(raw(web.port, request), 413, str(LIMIT))


def test_429_with_retry_after(agr: Peer) -> None:
    with serving(
        "--workers",
        "1",
        settings_module="cro_project.settings",
        **environment_with(UFTP_REQUESTS_PER_MINUTE="3"),
    ) as web:
        answers = [post(web.port, b"<x/>") for _ in range(8)]
        assert {answer.status for answer in answers} == {400, 429}
        assert_refused(answers[-1], 429, "too many")
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not XML",
        b'<SignedMessage SenderDomain="a.example" SenderRole="AGR" Body="QUJD">',
        b'<!DOCTYPE x><SignedMessage SenderDomain="a.example" SenderRole="AGR" Body="QUJD"/>',
        b'<SignedMessage SenderDomain="a.example" SenderRole="AGR"/>',
        b'<SignedMessage SenderDomain="a.example" SenderRole="XYZ" Body="QUJD"/>',
        b'<SignedMessage SenderDomain="A EXAMPLE" SenderRole="AGR" Body="QUJD"/>',
        b'<SignedMessage SenderDomain="a.example" SenderRole="AGR" Body="QUJ"/>',
        b'<SignedMessage SenderDomain="a.example" SenderRole="AGR" Body="QUJD!"/>',
        b'<SignedMessage SenderDomain="a.example" SenderRole="AGR" Body="QQ=="><x/></SignedMessage>',
        b"<TestMessage/>",
    ],
)
def test_400_for_an_envelope_that_is_none(web: Web, body: bytes) -> None:
    assert_refused(post(web.port, body), 400, "SignedMessage")


def test_419_for_a_sender_without_a_key(web: Web) -> None:
    stranger = Peer("AGR")
    assert_refused(stranger.post(web.port, stranger.xml()), 419, stranger.domain)


def test_419_for_a_known_domain_in_another_role(web: Web, agr: Peer) -> None:
    other = Peer("DSO", agr.domain, agr.seed)
    assert_refused(other.post(web.port, other.xml()), 419, agr.domain)


def test_401_for_a_signature_that_does_not_verify(web: Web, agr: Peer) -> None:
    sealed = bytearray(agr.seal(agr.xml()))
    sealed[70] ^= 1
    assert_refused(post(web.port, agr.envelope_of(bytes(sealed))), 401, "signature")
    impostor = Peer("AGR", agr.domain)
    assert_refused(impostor.post(web.port, impostor.xml()), 401, "signature")


def test_401_for_a_body_shorter_than_a_signature(web: Web, agr: Peer) -> None:
    assert_refused(post(web.port, agr.envelope_of(b"x" * 63)), 401)


def test_a_withdrawn_key_counts_no_longer(web: Web, agr: Peer) -> None:
    assert agr.post(web.port, agr.xml()).status == 200
    InboundMessage.objects.all().delete()
    PublicKey.objects.update(valid_until=datetime.now(UTC) - timedelta(seconds=1))
    assert_refused(agr.post(web.port, agr.xml()), 419)


def test_a_key_counts_from_the_moment_it_is_given_and_for_its_participant_alone(web: Web, agr: Peer) -> None:
    """The endpoint caches the key of a sender's last message; the cache decides nothing."""
    assert agr.post(web.port, agr.xml()).status == 200
    rotated = Peer("AGR", agr.domain)
    assert rotated.post(web.port, rotated.xml()).status == 401
    PublicKey.objects.create(
        participant=Participant.objects.get(domain=agr.domain), text=format_public_key(rotated.public_key)
    )
    assert rotated.post(web.port, rotated.xml()).status == 200
    assert agr.post(web.port, agr.xml()).status == 200
    InboundMessage.objects.all().delete()
    PublicKey.objects.filter(value=agr.public_key).delete()
    assert_refused(agr.post(web.port, agr.xml()), 401, "signature")
    assert rotated.post(web.port, rotated.xml()).status == 200
    InboundMessage.objects.all().delete()
    Participant.objects.filter(domain=agr.domain).delete()
    assert_refused(rotated.post(web.port, rotated.xml()), 419, agr.domain)


def test_400_for_an_inner_message_that_is_not_valid(web: Web, agr: Peer) -> None:
    for content in (
        b"",
        b"nothing",
        b"<!DOCTYPE TestMessage>" + agr.xml(),
        agr.xml(MessageID=None),
        agr.xml(MessageID="no UUID"),
        agr.xml(Unknown="attribute"),
        agr.xml("UnknownMessage"),
        agr.xml("AGRPortfolioQuery", TimeZone="Europe/Amsterdam", Period="2026-02-30"),
        agr.xml().decode().encode("utf-16"),
    ):
        assert_refused(agr.post(web.port, content), 400, "Body")


def test_what_is_refused_is_logged_with_sender_and_reason(
    client: Client, agr: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    forged = Peer(agr.role, agr.domain)
    path = "/shapeshifter/api/v3/message"
    client.post(path, forged.envelope(forged.xml()), content_type="text/xml")
    client.post(path, b"<Nothing/>", content_type="text/xml")
    first, second = (
        record.getMessage() for record in caplog.records if record.name == "uftp.receiving.exceptions"
    )
    assert first.startswith(f"Refused with 401, from AGR {agr.domain} at 127.0.0.1: Body: ")
    assert second.startswith("Refused with 400, from an unknown sender at 127.0.0.1: SignedMessage: ")


def test_the_first_reason_of_the_table_is_given(web: Web) -> None:
    """Several things are wrong at once: what costs least to find is told."""
    stranger = Peer("AGR")
    both = {"Content-Type": "text/plain", "Content-Encoding": "gzip"}
    assert_refused(post(web.port, stranger.envelope(b"junk"), headers=both), 400, "Content-Type")
    assert_refused(stranger.post(web.port, b"junk"), 419)


def test_503_with_retry_after_while_the_database_is_away(agr: Peer) -> None:
    """The web process answers, and takes messages again once the database is there."""
    with serving("--workers", "1") as web:
        assert agr.post(web.port, agr.xml()).status == 200
        with block_connections():
            answer = agr.post(web.port, agr.xml())
            assert answer.status == 503, answer
            assert int(answer.headers["Retry-After"]) > 0
        assert agr.post(web.port, agr.xml()).status == 200


@pytest.mark.parametrize(
    "path", ["/shapeshifter/api/v3/message/", "/shapeshifter/api/v5/message", "/shapeshifter"]
)
def test_404_and_never_a_redirect_on_other_paths(web: Web, agr: Peer, path: str) -> None:
    assert post(web.port, agr.envelope(agr.xml()), path=path).status == 404


def test_the_route_is_not_redirected_to_https(client: Client, agr: Peer, settings: object) -> None:
    settings.SECURE_SSL_REDIRECT = True  # type: ignore[attr-defined]
    answer = client.post("/shapeshifter/api/v3/message", agr.envelope(agr.xml()), content_type="text/xml")
    assert answer.status_code == 200


def test_an_identical_copy_is_stored_once(web: Web, agr: Peer) -> None:
    content = agr.xml()
    assert [agr.post(web.port, content).status for _ in range(3)] == [200] * 3
    assert InboundMessage.objects.count() == 1


def test_the_same_id_with_other_content_is_stored_too(web: Web, agr: Peer) -> None:
    message_id = str(uuid.uuid4())
    assert agr.post(web.port, agr.xml(MessageID=message_id)).status == 200
    assert agr.post(web.port, agr.xml(MessageID=message_id.upper())).status == 200
    assert InboundMessage.objects.filter(message_id=message_id).count() == 2


def test_a_version_number_of_any_length_is_no_error_of_ours(web: Web, agr: Peer) -> None:
    assert agr.post(web.port, agr.xml(Version="3.1." + "9" * 300)).status == 200


@contextmanager
def block_connections() -> Iterator[None]:
    """The test's database ends every connection but the test's own, and takes none."""
    at = connection.settings_dict
    connection.ensure_connection()
    ours = connection.connection.info.backend_pid
    elsewhere = make_conninfo(
        host=at["HOST"], port=at["PORT"], user=at["USER"], password=at["PASSWORD"] or None, dbname="postgres"
    )
    with psycopg.connect(elsewhere, autocommit=True) as server:
        name = sql.Identifier(at["NAME"])
        server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        try:
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> %s",
                [at["NAME"], ours],
            )
            yield
        finally:
            server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))


def environment_with(**changed: str) -> dict[str, str]:
    """The environment of a web process with settings of its own, on the test's database."""
    at = connection.settings_dict
    return {
        "DATABASE_URL": f"postgres://{at['USER']}:{at['PASSWORD']}@:{at['PORT']}/{at['NAME']}?host={at['HOST']}",
        "ALLOWED_HOSTS": "*",
        **changed,
    }


def raw(port: int, request: bytes) -> peer.Answer:
    """What the server says to exactly these bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return peer.Answer(
            response.status, {name.title(): value for name, value in response.getheaders()}, response.read()
        )
