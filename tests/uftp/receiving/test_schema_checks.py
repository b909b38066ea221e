"""What is to be passed on is held to the specification's own schema, as its recipient will."""

import codecs
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.peer import CRO, Peer
from uftp.models import InboundMessage, Refusal

pytestmark = pytest.mark.django_db

ROUTE = "/shapeshifter/api/v3/message"
ISP = '<ISP Power="0" Start="1" Duration="1"/>'
FOREIGN = b' xmlns:x="urn:else" x:note="1"'


def update(dso: Peer, recipient: str, isp: str = ISP) -> bytes:
    return dso.xml(
        "FlexReservationUpdate",
        isp,
        RecipientDomain=recipient,
        TimeZone="Europe/Amsterdam",
        Period="2026-03-01",
        CongestionPoint="ean.871685900000000002",
        ContractID="C",
        Reference="R",
        **{"ISP-Duration": "PT15M"},
    )


def with_attribute(content: bytes, attribute: bytes) -> bytes:
    return content.replace(b"<FlexReservationUpdate", b"<FlexReservationUpdate" + attribute, 1)


CHANGES = {
    "a byte order mark": (lambda content: codecs.BOM_UTF8 + content, "byte order mark"),
    "a foreign attribute": (lambda content: with_attribute(content, FOREIGN), "note"),
    "xml:lang": (lambda content: with_attribute(content, b' xml:lang="nl"'), "lang"),
    "a foreign element": (
        lambda content: content.replace(b"</Flex", b'<x:y xmlns:x="urn:else"/></Flex'),
        "urn:else",
    ),
    "a foreign attribute of an ISP": (
        lambda content: content.replace(b"<ISP ", b'<ISP xmlns:x="urn:else" x:note="1" '),
        "note",
    ),
}


@pytest.fixture
def dso() -> Peer:
    dso = Peer("DSO")
    dso.register()
    return dso


def send(client: Client, sender: Peer, content: bytes) -> tuple[int, str]:
    answer = client.post(ROUTE, sender.envelope(content), content_type="text/xml")
    return answer.status_code, answer.content.decode().strip()


@pytest.mark.parametrize(("change", "named"), CHANGES.values(), ids=CHANGES)
def test_an_update_for_an_agr_may_have_nothing_that_its_schema_lacks(
    client: Client, dso: Peer, change: object, named: str
) -> None:
    assert callable(change)
    for _ in range(2):  # also by the key of the last message
        status, line = send(client, dso, change(update(dso, "flex.example")))
        assert status == 400
        assert named in line
        assert "passed on" in line
        assert not InboundMessage.objects.filter(message_type="FlexReservationUpdate").exists()
        assert send(client, dso, dso.xml())[0] == 200


@pytest.mark.parametrize(("change", "named"), CHANGES.values(), ids=CHANGES)
def test_an_update_for_the_cro_may_have_it(client: Client, dso: Peer, change: object, named: str) -> None:
    assert callable(change)
    assert send(client, dso, change(update(dso, CRO))) == (200, "")


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content,
        lambda content: b'<?xml version="1.0" encoding="UTF8"?>' + content,
        lambda content: b'<?xml version="1.0" encoding="US-ASCII"?>' + content,
        lambda content: with_attribute(
            content,
            b' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="FlexReservationUpdateType"',
        ),
        lambda content: content.replace(b'"3.1.0"', b'"3.1.1"'),
        lambda content: content.replace(b"<ISP", b"<!-- a comment --><ISP"),
    ],
    ids=["as it is", "UTF8", "US-ASCII", "its type", "a patch", "a comment"],
)
def test_what_the_specification_allows_is_received_to_be_passed_on(
    client: Client, dso: Peer, change: object
) -> None:
    assert callable(change)
    assert send(client, dso, change(update(dso, "flex.example"))) == (200, "")


def test_staff_are_shown_the_place(client: Client, dso: Peer) -> None:
    send(client, dso, with_attribute(update(dso, "flex.example"), b' xml:lang="nl"'))
    refusal = Refusal.objects.get()
    client.force_login(User.objects.create_superuser("ann", last_login=datetime.now(UTC)))

    page = client.get(f"/admin/uftp/refusal/{refusal.pk}/change/").content.decode()

    assert "lang" in page.split("what is wrong", 1)[-1].lower()
    assert "This explanation finds no fault" not in page
