"""The page of a participant's delivery settings: secrets are typed in, tested, and never shown."""

import base64
import html
import json
import logging
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from participants import credentials, encryption
from participants.models import AuditEntry, DeliverySettings, Participant
from tests.support.peer import Peer
from tests.support.receiver import Receiver, receiving
from tests.support.tls import Authority, trusting
from uftp.delivery import probe, tokens

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "the-secret-of-the-client-8f3a"
OLD, NEW = (base64.urlsafe_b64encode(bytes([number]) * 32).decode() for number in (1, 2))


@pytest.fixture(autouse=True)
def _keys(settings: Any) -> None:
    settings.CREDENTIALS_KEY = [OLD]


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    with trusting(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def secure(authority: Authority) -> Iterator[Receiver]:
    tokens._entries.clear()
    with receiving(authority.server()) as running:
        yield running


@pytest.fixture
def agr() -> Participant:
    return Peer("AGR", "agr.example").register("https://localhost:9/x/api/v3/message")


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    return client


def page_of(agr: Participant) -> str:
    return f"/admin/participants/participant/{agr.pk}/delivery-settings/"


def shown(client: Client, page: str) -> str:
    answer = client.get(page)
    assert answer.status_code == 200, (page, answer.status_code)
    return html.unescape(answer.content.decode())


def filled(**values: str) -> dict[str, str]:
    return {
        "token_url": "https://id.agr.example.com/token",
        "client_id": "cro",
        "client_secret": SECRET,
        "scope": "",
        "client_certificate": "",
        "client_key": "",
        "version": "",
        "reason": "it demands a token",
        **values,
    }


def test_secrets_are_write_only(staff: Client, agr: Participant, authority: Authority, caplog: Any) -> None:
    """Not on a page, not after an error, in no file, log line or audit entry; a later change keeps what is stored."""
    caplog.set_level(logging.DEBUG)
    chain, key = authority.client()
    lines = key.split("\n")[1:-2]
    pages = [staff.post(page_of(agr), filled(client_key=key, client_certificate=chain, reason="")).content]
    assert b"Say why" in pages[0]
    assert not DeliverySettings.objects.exists()
    answer = staff.post(page_of(agr), filled(client_certificate=chain, client_key=key), follow=True)
    pages.append(answer.content)
    stored = DeliverySettings.objects.get()
    assert SECRET not in stored.client_secret + stored.client_key
    assert credentials.credentials_of(agr.pk) == credentials.Credentials(
        credentials.OAuthClient("https://id.agr.example.com/token", "cro", SECRET),
        credentials.ClientCertificate(chain.replace("\r\n", "\n").strip(), key.strip()),
    )
    form = shown(staff, page_of(agr))
    assert form.count("Stored; empty: it stays") == 2
    assert 'type="password" name="client_secret"' in form
    version = credentials.version_token(stored)
    kept = filled(client_id="cro-2", client_secret="", client_certificate=chain, version=version)
    pages.append(staff.post(page_of(agr), kept, follow=True).content)
    found = credentials.credentials_of(agr.pk)
    assert found is not None
    assert found.oauth is not None
    assert (found.oauth.client_id, found.oauth.secret) == ("cro-2", SECRET)
    texts = [page.decode() for page in pages] + [form, caplog.text]
    texts += [shown(staff, f"/admin/participants/participant/{agr.pk}/change/")]
    texts += [shown(staff, "/admin/participants/auditentry/")]
    texts += [staff.get(f"/admin/{table}/export/").getvalue().decode() for table in EXPORTS]
    out = StringIO()
    call_command("export_participants", stdout=out)
    texts += [out.getvalue(), *(json.dumps([each.before, each.after]) for each in AuditEntry.objects.all())]
    assert not [secret for secret in (SECRET, *lines) for text in texts if secret in text]
    latest = AuditEntry.objects.latest("pk")
    assert (latest.action, latest.before, latest.after) == (
        "changed delivery settings",
        {"client id": "cro"},
        {"client id": "cro-2"},
    )
    first = AuditEntry.objects.earliest("pk")
    assert first.after is not None
    assert (first.after["client secret"], first.after["client key"]) == ("stored", "stored")


EXPORTS = (
    "participants/participant",
    "participants/auditentry",
    "uftp/deliveryattempt",
    "uftp/circuitbreaker",
)


def test_a_new_secret_is_noted_and_cleared_fields_delete_it(staff: Client, agr: Participant) -> None:
    staff.post(page_of(agr), filled())
    version = credentials.version_token(DeliverySettings.objects.get())
    staff.post(page_of(agr), filled(client_secret="another", version=version))
    entry = AuditEntry.objects.latest("pk")
    assert (entry.before, entry.after) == ({}, {"client secret replaced": "yes"})
    version = credentials.version_token(DeliverySettings.objects.get())
    cleared = filled(token_url="", client_id="", client_secret="", version=version)
    staff.post(page_of(agr), cleared)
    assert not DeliverySettings.objects.exists()


WRONG = {
    "http": ({"token_url": "http://id.agr.example.com/token"}, "https"),
    "no secret": ({"client_secret": ""}, "Give the client secret."),
    "no id": ({"client_id": ""}, "Give the client id"),
    "no url": ({"token_url": ""}, "Give the token URL"),
    "no certificate": ({"client_certificate": "nothing"}, "not a certificate in PEM"),
    "no private key": ({"client_key": "nothing", "client_certificate": "PEM"}, "not a private key in PEM"),
    "another's key": (
        {"client_key": "OTHER", "client_certificate": "PEM"},
        "does not belong to the certificate",
    ),
    "changed meanwhile": ({"version": "2026-01-01T00:00:00+00:00"}, "somebody else has changed this"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_be_used_is_refused(
    staff: Client, agr: Participant, authority: Authority, wrong: str
) -> None:
    values, text = WRONG[wrong]
    files = {"PEM": authority.client()[0], "OTHER": authority.client()[1]}
    answer = staff.post(
        page_of(agr), filled(**{name: files.get(each, each) for name, each in values.items()})
    )
    assert text in html.unescape(answer.content.decode())
    assert not DeliverySettings.objects.exists()


def test_a_private_token_url_is_refused_by_the_address_guard(
    staff: Client, agr: Participant, settings: Any
) -> None:
    settings.UFTP_ALLOW_PRIVATE_ENDPOINTS = False
    answer = staff.post(page_of(agr), filled(token_url="https://169.254.169.254/token"))
    assert "is not a public address" in html.unescape(answer.content.decode())


def test_without_a_key_nothing_is_stored(staff: Client, agr: Participant, settings: Any) -> None:
    settings.CREDENTIALS_KEY = []
    answer = staff.post(page_of(agr), filled())
    assert "CREDENTIALS_KEY is not set" in html.unescape(answer.content.decode())
    assert not DeliverySettings.objects.exists()


def test_the_test_shows_status_and_time_and_never_a_body(
    staff: Client, agr: Participant, authority: Authority, secure: Receiver
) -> None:
    """Of the token, and of the endpoint with it; a wrong secret is told by the status alone."""
    answer = {"access_token": "token-1", "token_type": "Bearer", "expires_in": 60}
    secure.reply = lambda posted, before: (200, {}, json.dumps(answer).encode())
    with receiving(authority.server()) as endpoint:
        endpoint.reply = lambda posted, before: (405, {}, b"body of theirs")
        Participant.objects.update(endpoint=endpoint.url)
        staff.post(page_of(agr), filled(token_url=secure.url))
        said = staff.post(page_of(agr), {"test": "Test"}, follow=True).content.decode()
        assert "Access token: HTTP 200, after 0." in said
        assert "Endpoint: HTTP 405, after 0." in said
        (asked,) = endpoint.posts
        assert asked.headers["Authorization"] == "Bearer token-1"
        endpoint.reply = lambda posted, before: (200, {"no header": "Bearer token-1"}, b"")
        repeated = html.unescape(staff.post(page_of(agr), {"test": "Test"}, follow=True).content.decode())
        assert "illegal header line" in repeated
        assert "Bearer [credential]" in repeated
        secure.reply = lambda posted, before: (401, {}, b"body of theirs")
        refused = html.unescape(staff.post(page_of(agr), {"test": "Test"}, follow=True).content.decode())
        assert "Access token: no access token: the token URL answered HTTP 401, after 0." in refused
        assert len(endpoint.posts) == 2
    for text in ("body of theirs", "token-1", SECRET):
        assert text not in said + repeated + refused


def test_a_test_does_not_wait_for_others(staff: Client, agr: Participant) -> None:
    taken = [probe._slots.acquire(blocking=False) for _ in range(probe.MAX_CONCURRENT_PROBES)]
    try:
        assert all(taken)
        said = staff.post(page_of(agr), {"test": "Test"}, follow=True).content.decode()
        assert "Other tests run at present: try again." in said
    finally:
        for _ in taken:
            probe._slots.release()


def test_secrets_are_encrypted_anew_under_the_newest_key(
    staff: Client, agr: Participant, settings: Any
) -> None:
    staff.post(page_of(agr), filled())
    before = DeliverySettings.objects.get().client_secret
    settings.CREDENTIALS_KEY = [NEW, OLD]
    out = StringIO()
    call_command("reencrypt_credentials", stdout=out)
    assert out.getvalue() == "The secrets of 1 participant are encrypted anew.\n"
    stored = DeliverySettings.objects.get().client_secret
    assert stored != before
    settings.CREDENTIALS_KEY = [NEW]
    assert encryption.decrypt(stored) == SECRET
    settings.CREDENTIALS_KEY = [OLD]
    with pytest.raises(CommandError, match="add the former key at its end"):
        call_command("reencrypt_credentials")


def test_a_private_key_beside_the_certificate_is_neither_stored_nor_shown(
    staff: Client, agr: Participant, authority: Authority
) -> None:
    """A file with both is common, and the certificate is stored and shown as it is."""
    chain, key = authority.client()
    answer = staff.post(page_of(agr), filled(client_certificate=chain + key, client_key=key))
    assert "This holds a private key, too" in answer.content.decode()
    assert "BEGIN" not in answer.content.decode()
    assert not DeliverySettings.objects.exists()
