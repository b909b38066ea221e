"""The seal as REST framework's authentication: who the user of a request is, and when a cached key is refused."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import RequestFactory
from rest_framework.request import Request

from participants.keys import format_public_key
from participants.models import Participant, PublicKey
from tests.support.peer import Peer
from uftp.models import InboundMessage
from uftp.receiving.authentication import AuthenticatedSender
from uftp.receiving.exceptions import Refused
from uftp.receiving.views import MessageView, receive

pytestmark = pytest.mark.django_db


@pytest.fixture
def agr() -> Peer:
    peer = Peer()
    peer.register()
    return peer


def request_of(peer: Peer, content: bytes) -> Request:
    """A request as the endpoint sees it, with nothing read yet."""
    plain = RequestFactory().post(
        "/shapeshifter/api/v3/message", peer.envelope(content), content_type="text/xml"
    )
    return MessageView().initialize_request(plain)


def key_text(peer: Peer) -> str:
    return format_public_key(peer.public_key)


def received(request: Request) -> AuthenticatedSender:
    """The sender of a request, whose message is stored."""
    sender = request.user
    receive(request.data, sender, request.auth, 3)
    return sender


def test_the_user_is_the_sender_and_the_auth_is_the_sealed_content(agr: Peer) -> None:
    content = agr.xml()

    request = request_of(agr, content)

    assert request.auth == content
    assert (request.user.role, request.user.domain) == ("AGR", agr.domain)
    assert request.user.key == agr.public_key
    assert request.user.participant == Participant.objects.get(domain=agr.domain)


def test_a_request_that_is_not_authenticated_has_no_user(agr: Peer) -> None:
    request = request_of(Peer(agr.role, agr.domain), agr.xml())

    with pytest.raises(Refused) as refused:
        _ = request.user

    assert refused.value.status_code == 401
    assert refused.value.claimed == ("AGR", agr.domain)
    assert request.user is None
    assert request.auth is None


def test_the_key_that_verified_is_the_user_s_key(agr: Peer) -> None:
    participant = Participant.objects.get(domain=agr.domain)
    for _ in range(2):
        PublicKey.objects.create(participant=participant, text=key_text(Peer()))

    assert request_of(agr, agr.xml()).user.key == agr.public_key


def test_the_key_of_the_last_message_is_tried_first_without_a_query(
    agr: Peer, django_assert_num_queries: object
) -> None:
    assert not received(request_of(agr, agr.xml())).cached

    request = request_of(agr, agr.xml())
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert request.user.cached


def test_a_cached_key_that_has_ended_stores_nothing(agr: Peer) -> None:
    """Authentication trusts the cached key; the statement that stores does not."""
    received(request_of(agr, agr.xml()))
    stored = InboundMessage.objects.count()
    PublicKey.objects.update(valid_until=datetime.now(UTC) - timedelta(seconds=1))

    request = request_of(agr, agr.xml())
    assert request.user.cached
    with pytest.raises(Refused) as refused:
        receive(request.data, request.user, request.auth, 3)

    assert refused.value.status_code == 419
    assert InboundMessage.objects.count() == stored


def test_a_cached_key_that_another_has_replaced_gives_way_to_it(agr: Peer) -> None:
    received(request_of(agr, agr.xml()))
    rotated = Peer(agr.role, agr.domain)
    PublicKey.objects.filter(value=agr.public_key).delete()
    PublicKey.objects.create(participant=Participant.objects.get(domain=agr.domain), text=key_text(rotated))

    assert received(request_of(rotated, rotated.xml())).key == rotated.public_key

    assert request_of(rotated, rotated.xml()).user.cached
    with pytest.raises(Refused) as refused:
        _ = request_of(agr, agr.xml()).user
    assert refused.value.status_code == 401


def test_an_invalid_message_by_a_cached_key_that_has_ended_is_not_called_verified(agr: Peer) -> None:
    received(request_of(agr, agr.xml()))
    PublicKey.objects.all().delete()

    request = request_of(agr, agr.xml(MessageID="no UUID"))
    assert request.user.cached
    with pytest.raises(Refused) as refused:
        receive(request.data, request.user, request.auth, 3)

    assert (refused.value.status_code, refused.value.content) == (419, None)
