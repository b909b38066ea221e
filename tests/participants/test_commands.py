"""The commands that let participants in and set the mode."""

import base64
import io

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from common import clock
from participants.admission import current_mode, find_keys
from participants.models import AuditEntry, Participant
from tests.participants.conftest import key_text, raw_key

pytestmark = pytest.mark.django_db

AGR = ["--role", "AGR", "--domain", "agr.example"]
ENDPOINT = "http://127.0.0.1:9001/shapeshifter/api/v3/message"


def run(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out, stderr=out)
    return out.getvalue()


def add(*words: str) -> str:
    return run("add_participant", *AGR, *words)


def keys_now() -> set[bytes]:
    return set(find_keys("AGR", "agr.example", clock.now()).keys)


def test_add_a_participant() -> None:
    text = add("--public-key", key_text(1), "--endpoint", ENDPOINT, "--name", "Agr B.V.")

    participant = Participant.objects.get()
    assert (participant.role, participant.domain, participant.name) == ("AGR", "agr.example", "Agr B.V.")
    assert (participant.endpoint, participant.standing) == (ENDPOINT, "authorized")
    assert keys_now() == {raw_key(1)}
    assert text == f"AGR agr.example added: authorized, 1 valid key, endpoint {ENDPOINT}\n"


def test_a_missing_endpoint_is_named_by_what_follows(settings: Settings) -> None:
    assert "1 valid key, endpoint none (DISCOVERY_DNS is off)\n" in add("--public-key", key_text(1))

    settings.DISCOVERY_DNS = True
    assert "endpoint by discovery\n" in add()


def test_add_with_a_standing() -> None:
    add("--public-key", key_text(1), "--standing", "known")

    assert Participant.objects.get().standing == "known"


def test_a_bare_key_is_kept_as_it_is_published() -> None:
    add("--public-key", base64.b64encode(raw_key(1)).decode())

    assert Participant.objects.get().keys.get().text == key_text(1)


def test_again_updates_and_leaves_the_rest() -> None:
    add("--public-key", key_text(1), "--endpoint", ENDPOINT, "--name", "Agr", "--standing", "known")

    assert "updated: known, 1 valid key" in add("--endpoint", "http://127.0.0.1:9002/")

    participant = Participant.objects.get()
    assert (participant.endpoint, participant.name, participant.standing) == (
        "http://127.0.0.1:9002/",
        "Agr",
        "known",
    )


def test_again_with_the_same_values_changes_nothing() -> None:
    words = ["--public-key", key_text(1), "--endpoint", ENDPOINT]
    add(*words)
    entries = AuditEntry.objects.count()

    add(*words)

    assert AuditEntry.objects.count() == entries == 2
    assert Participant.objects.get().keys.count() == 1


def test_another_key_stands_beside_the_first() -> None:
    add("--public-key", key_text(1))
    add("--public-key", key_text(2))

    assert keys_now() == {raw_key(1), raw_key(2)}


def test_another_key_replaces_the_others() -> None:
    add("--public-key", key_text(1))
    add("--public-key", key_text(2))
    add("--public-key", key_text(3), "--replace-keys")

    assert keys_now() == {raw_key(3)}
    assert Participant.objects.get().keys.count() == 3


def test_a_replaced_key_may_come_back() -> None:
    add("--public-key", key_text(1))
    add("--public-key", key_text(2), "--replace-keys")
    add("--public-key", key_text(1))

    assert keys_now() == {raw_key(1), raw_key(2)}


def test_a_participant_without_key_and_endpoint_is_pointed_out() -> None:
    text = add()

    assert "Give --public-key" in text
    assert "Give --endpoint" in text


def test_every_change_is_journaled_with_who_and_why() -> None:
    add("--public-key", key_text(1))
    add("--standing", "suspended", "--reason", "unpaid")

    entry = AuditEntry.objects.first()
    assert entry
    assert entry.actor.startswith("command line")
    assert (entry.action, entry.subject, entry.reason) == ("changed participant", "AGR agr.example", "unpaid")
    assert (entry.before, entry.after) == ({"standing": "authorized"}, {"standing": "suspended"})


REFUSED = {
    "domain in upper case": (["--domain", "AGR.example"], "lower-case"),
    "domain without a dot": (["--domain", "agr"], "lower-case"),
    "domain with a new line": (["--domain", "agr.example\n"], "lower-case"),
    "domain of 254 characters": (["--domain", "a." * 123 + "examples"], "253"),
    "the CRO's own domain": (["--domain", "cro.example"], "CRO's own domain"),
    "no URL": (["--endpoint", "agr.example"], "https"),
    "another scheme": (["--endpoint", "ftp://agr.example/"], "https"),
    "a weak key": (["--public-key", "cs1." + base64.b64encode(bytes(32)).decode()], "weak"),
    "no key": (["--public-key", "secret"], "Base64"),
    "nothing to replace by": (["--replace-keys"], "Give the key"),
    "unknown role": (["--role", "CRO"], "invalid choice"),
    "unknown standing": (["--standing", "fine"], "invalid choice"),
}


@pytest.mark.parametrize(("words", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_and_nothing_kept(words: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        add(*words)

    assert not Participant.objects.exists()
    assert not AuditEntry.objects.exists()


def test_a_private_endpoint_is_refused_where_not_allowed(settings: Settings) -> None:
    settings.UFTP_ALLOW_PRIVATE_ENDPOINTS = False

    with pytest.raises(CommandError, match="endpoint: An endpoint is https"):
        add("--endpoint", ENDPOINT)


def test_the_cros_own_key_is_refused(settings: Settings) -> None:
    settings.CRO_SIGNING_KEY = (1).to_bytes(32, "big")

    with pytest.raises(CommandError, match="this CRO's own public key"):
        add("--public-key", key_text(1))


def test_one_key_is_one_participants() -> None:
    add("--public-key", key_text(1))
    dso = ["add_participant", "--role", "DSO", "--domain", "agr.example", "--public-key", key_text(1)]

    with pytest.raises(
        CommandError, match=r"^public key: This is the key of another participant.*there first\.$"
    ):
        run(*dso)

    add("--public-key", key_text(2), "--replace-keys")
    assert "added" in run(*dso)


def test_set_mode() -> None:
    assert run("set_mode", "closed") == "The CRO is closed.\n"
    assert current_mode() == "closed"
    run("set_mode", "open", "--reason", "trial")
    assert current_mode() == "open"

    entry = AuditEntry.objects.first()
    assert entry
    assert (entry.before, entry.after, entry.reason) == ({"mode": "closed"}, {"mode": "open"}, "trial")


def test_set_mode_to_what_it_is_changes_nothing() -> None:
    run("set_mode", "open")

    assert not AuditEntry.objects.exists()


def test_set_mode_to_something_else_is_refused() -> None:
    with pytest.raises(CommandError, match="invalid choice"):
        run("set_mode", "ajar")


@pytest.mark.django_db
def test_why_is_what_was_given_and_nothing_else() -> None:
    run("add_participant", *AGR)
    run("add_participant", *AGR, "--name", "Zon", "--reason", "contract")

    assert list(AuditEntry.objects.order_by("id").values_list("action", "reason")) == [
        ("added participant", "–"),
        ("changed participant", "contract"),
    ]
