"""The cards about messages on the page of a participant, and the number of its waiting messages."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from common.display import PLACEHOLDER
from participants.admin_base.extensions import Card, badge, button
from participants.admin_base.html import count_link, link, list_link, moment
from participants.admin_base.pages import may_view_table
from participants.models import Participant
from uftp.delivery.circuits import open_circuit
from uftp.delivery.forwarding import result_in_words, with_passing
from uftp.models import InboundMessage, OutboundMessage, Sender


def waiting_counts(participants: Sequence[Participant]) -> dict[int, int]:
    """Return how many messages of each participant wait to be handled, by primary key. Zeros are left out."""
    keys = {(each.role, each.domain): each.pk for each in participants}
    rows = InboundMessage.objects.filter(state=InboundMessage.State.RECEIVED)
    if len(keys) == 1:
        rows = rows.filter(sender__in=list(_sender(participants[0]).values_list("pk", flat=True)))
    counted = rows.order_by().values_list("sender__role", "sender__domain").annotate(count=Count("pk"))
    return {keys[role, domain]: count for role, domain, count in counted if (role, domain) in keys}


def received_card(model_admin: Any, request: HttpRequest, participant: Participant) -> Card | None:
    """Return the card of messages received from the participant: the latest, waiting and set aside, with links."""
    if not may_view_table(request, InboundMessage):
        return None
    received = with_passing(
        InboundMessage.objects.filter(sender__in=list(_sender(participant).values_list("pk", flat=True)))
    )
    return Card(
        "Messages from it",
        [
            ("Latest", _latest(received)),
            (
                "Waiting to be handled",
                _count_link(received, participant, state=InboundMessage.State.RECEIVED),
            ),
            ("Set aside", _count_link(received, participant, state=InboundMessage.State.SET_ASIDE)),
            ("All", list_link(InboundMessage, "messages received", domain=participant.domain)),
        ],
    )


def sent_card(model_admin: Any, request: HttpRequest, participant: Participant) -> Card | None:
    """Return the card of messages sent to the participant: the latest, waiting and not delivered, with links.

    Messages that are passed on do not count as not delivered: staff cannot send them again.
    """
    if not may_view_table(request, OutboundMessage):
        return None
    sent = OutboundMessage.objects.filter(
        recipient_role=participant.role, recipient_domain=participant.domain
    )
    own = sent.filter(passes_on=None)
    circuit = open_circuit((participant.role, participant.domain))
    paused: list[tuple[str, object]] = []
    if circuit is not None:
        text = "one message at a time after a refusal; see why, or resume"
        paused = [("Deliveries", format_html("{} {}", badge("bad", "Paused"), link(circuit, text)))]
    tools = []
    if request.user.has_perm("uftp.change_outboundmessage") and model_admin.may_act(request, participant):
        page = reverse("admin:uftp_outboundmessage_unverified")
        tools = [button(f"{page}?participant={participant.pk}", "Send again what was refused with 401")]
    return Card(
        "Messages to it",
        [
            *paused,
            ("Latest", _latest(sent)),
            ("Waiting to be delivered", _count_link(sent, participant, state=OutboundMessage.State.WAITING)),
            (
                "Not delivered",
                _count_link(own, participant, state=OutboundMessage.State.FAILED, passed_on="no"),
            ),
            ("All", list_link(OutboundMessage, "messages sent", domain=participant.domain)),
        ],
        tools,
    )


def _sender(participant: Participant) -> QuerySet[Sender]:
    return Sender.objects.filter(role=participant.role, domain=participant.domain)


def _latest(rows: QuerySet[Any]) -> str:
    message = rows.order_by("-pk").defer("sealed").first()
    if message is None:
        return PLACEHOLDER
    at = message.received_at if isinstance(message, InboundMessage) else message.created_at
    words = result_in_words(message.result, getattr(message, "passing", None))
    result = f", {words}" if words else ""
    return link(message, f"{moment(at)}: {message.message_type}{result}")


def _count_link(
    rows: QuerySet[Any], participant: Participant, *, state: str, **query: str
) -> SafeString | str:
    """Return the number of rows in `state`, as a link to their list, which is also filtered by `query`."""
    return count_link(rows.filter(state=state), domain=participant.domain, state__exact=state, **query)
