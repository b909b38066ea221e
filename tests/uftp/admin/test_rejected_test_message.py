"""A TestMessage that this CRO rejects looks accepted to its sender in 3.x, and staff are told so."""

from __future__ import annotations

import html
import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.exchange import exchange
from tests.support.peer import Peer
from uftp.admin.messages import badge
from uftp.meanings import LOOKS_ACCEPTED
from uftp.models import InboundMessage, OutboundMessage

AGR = Peer("AGR", "agr.example", bytes(32))


def shown(row: InboundMessage | OutboundMessage) -> str:
    client = Client()
    client.force_login(User.objects.get_or_create(username="kim", is_staff=True, is_superuser=True)[0])
    page = client.get(f"/admin/uftp/{row._meta.model_name}/{row.pk}/change/")
    return html.unescape(re.sub(r"<[^>]*>", " ", page.content.decode()))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("standing", "version", "said"),
    [
        ("suspended", "3.0.0", True),
        ("suspended", "3.1.0", True),
        ("suspended", "4.0.0", False),
        ("authorized", "3.1.0", False),
    ],
)
def test_the_page_says_that_a_rejected_test_message_looks_accepted(
    standing: str, version: str, said: bool
) -> None:
    AGR.register(standing=standing)
    answer = exchange(AGR, AGR.xml("TestMessage", Version=version), major=int(version[0]))
    request = InboundMessage.objects.get()
    assert request.result == ("Rejected" if standing == "suspended" else "Accepted")
    assert (LOOKS_ACCEPTED in shown(request)) == said
    assert (LOOKS_ACCEPTED in shown(answer)) == said


@pytest.mark.django_db
def test_the_answer_of_3x_holds_no_result() -> None:
    """This is why: what the participant gets is the same."""
    AGR.register(standing="suspended")
    answer = exchange(AGR, AGR.xml("TestMessage"))
    assert b"Result" not in bytes(answer.sealed)
    assert b"Unauthorized" not in bytes(answer.sealed)


def test_rejected_has_one_colour() -> None:
    assert badge("Rejected", "Rejected") == '<span class="badge bad">Rejected</span>'
