"""The common parts of the screens of received and sent messages: XML, conversation and participant."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from common.search import FieldCondition, by
from participants.admin_base.html import link, list_link, moment
from participants.admin_base.pages import Page
from participants.admin_base.scalable import ReadOnlyAdmin, ScalableAdmin
from participants.models import Participant
from participants.scope import NOBODY, Scope
from uftp import stored_xml
from uftp.admin.retry import RetryAction
from uftp.delivery.forwarding import result_in_words, with_passing
from uftp.models import InboundMessage, OutboundMessage
from uftp.protocol.diagnostics.pretty_xml import NotPrintable, pretty_print

MAX_XML_BYTES = 200_000
MAX_REASON = 120
MAX_CONVERSATION = 20
"""Maximum number of messages of a conversation on a page, in each direction."""

Message = InboundMessage | OutboundMessage

TONES = {"Accepted": "ok", "Rejected": "bad", "delivered": "ok", "failed": "bad", "set aside": "bad"}
"""The state or result of a message to the colour of its badge."""


def badge(state: str, words: str) -> SafeString | str:
    """Return a state or result as a badge, or "" without `words`."""
    return format_html('<span class="badge {}">{}</span>', TONES.get(state, ""), words) if words else ""


def badge_of_result(message: Message) -> SafeString | str:
    """Return the result of a message as a badge.

    A received message must come from `uftp.delivery.forwarding.with_passing`.
    """
    words = result_in_words(message.result, getattr(message, "passing", None))
    return badge(words, words)


def xml_box(beginning: bytes, note: str, page: str, *, complete: bool) -> SafeString:
    """Return readable XML as HTML, or the unchanged XML if it cannot be made readable.

    Args:
        beginning: The XML or its beginning.
        note: A sentence before the link. May be empty.
        page: The URL of the complete XML.
        complete: Whether `beginning` is the complete XML.
    """
    try:
        rendered = pretty_print(beginning, complete=complete)
    except NotPrintable as wrong:
        rendered = beginning.decode(errors="replace")
        note += f"Unchanged, because it cannot be made readable: {wrong}. "
    return format_html(
        '<p>{}<a href="{}">Download it as it was signed</a></p>'
        '<pre class="xml" tabindex="0" role="region" aria-label="XML">{}</pre>',
        note,
        page,
        rendered,
    )


def download(model_admin: ScalableAdmin, request: HttpRequest, message: Message) -> HttpResponseBase:
    """Send the whole inner XML as a file, with the signed bytes unchanged."""
    return StreamingHttpResponse(
        stored_xml.pieces(message),
        content_type="application/xml",
        headers={
            "Content-Disposition": f'attachment; filename="{message.message_type}-{message.message_id}.xml"',
            "Content-Length": str(message.size),
        },
    )


class MessageAdmin(ReadOnlyAdmin, ScalableAdmin):
    """The screens of messages, which are never edited. Pages read only the beginning of the signed bytes."""

    change_form_template = "admin/uftp/message_change_form.html"
    pages: ClassVar[Sequence[Page]] = (Page("<path:object_id>/xml/", "xml", download),)
    retry_action: ClassVar[RetryAction]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("sealed")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return the message with the viewer's scope, so that its page links only to pages in this scope."""
        message = super().get_object(request, object_id, from_field)
        if message is not None:
            message._link_scope = self.seen(request)
        return message

    def link_scope(self, message: Message) -> Scope:
        """Return the participants to whose messages the page of `message` may link."""
        scope: Scope = getattr(message, "_link_scope", NOBODY)
        return scope

    def search_conditions(self, request: HttpRequest, text: str) -> list[FieldCondition]:
        """Return the conditions by MessageID, which is stored in lower case, ConversationID, party and reason."""
        seen = self.seen(request)
        return [
            *by("MessageID", Q(message_id__startswith=text.lower())),
            *by(
                "ConversationID",
                *(Q(conversation_id__startswith=each) for each in dict.fromkeys((text, text.lower()))),
            ),
            *self.party_conditions(text, seen),
        ]

    def party_conditions(self, text: str, seen: Scope) -> list[FieldCondition]:
        """Return the condition that the text names the participant that sent a message or is to get it."""
        raise NotImplementedError

    def page_context(self, request: HttpRequest, row: Message) -> dict[str, Any]:
        retry = self.retry_action
        offered = retry.is_offered(self, request, row)
        return {
            **super().page_context(request, row),
            "download": self.url_to("xml", row.pk),
            "retry_url": self.url_to(retry.name, row.pk) if offered else "",
            "retry_text": retry.text_for(row) if offered else "",
        }

    @admin.display(description="size")
    def size_in_words(self, message: Message) -> str:
        return filesizeformat(message.size)

    @admin.display(description="state")
    def state_badge(self, message: Message) -> str:
        return badge(message.state, message.get_state_display())

    @admin.display(description="result")
    def result_badge(self, message: Message) -> str:
        return badge_of_result(message)

    @admin.display(description="reason")
    def short_reason(self, message: Message) -> str:
        return Truncator(message.reason or getattr(message, "last_error", "")).chars(MAX_REASON)

    @admin.display(description="MessageID")
    def identifier(self, message: Message) -> str:
        return message.message_id

    @admin.display(description="conversation")
    def conversation(self, message: Message) -> str:
        """Return the messages of its conversation with the same participant, earliest first."""
        role, domain = self.retry_action.party(message)
        conversation_id = message.conversation_id
        received = with_passing(
            InboundMessage.objects.filter(
                conversation_id=conversation_id, sender__role=role, sender__domain=domain
            )
        )
        sent = OutboundMessage.objects.filter(
            conversation_id=conversation_id, recipient_role=role, recipient_domain=domain
        )
        rows = sorted(
            [*_conversation_rows(received, message), *_conversation_rows(sent, message)],
            key=lambda each: each[0],
        )
        items = format_html_join("", '<li class="{}"{}>{}</li>', (each[1:] for each in rows))
        return format_html(
            '<ol class="thread">{}</ol><p class="quiet">ConversationID {}: {}, {}</p>',
            items,
            conversation_id,
            list_link(InboundMessage, "all received in it", q=conversation_id),
            list_link(OutboundMessage, "all sent in it", q=conversation_id),
        )

    @admin.display(description="XML")
    def xml(self, message: Message) -> str:
        """Return the beginning of the inner XML in readable form."""
        complete = message.size <= MAX_XML_BYTES
        size, total = filesizeformat(MAX_XML_BYTES), filesizeformat(message.size)
        note = "" if complete else f"The first {size} of {total}. "
        page = self.url_to("xml", message.pk)
        return xml_box(stored_xml.read(message, 0, MAX_XML_BYTES), note, page, complete=complete)

    def _party_link(self, message: Message) -> str:
        """Return a link to the participant, or its role and domain if it is not registered."""
        role, domain = self.retry_action.party(message)
        participant = Participant.objects.filter(role=role, domain=domain).first()
        return link(participant) if participant else f"{role} {domain}"


def _conversation_rows(
    messages: QuerySet[Any], current: Message
) -> Iterator[tuple[datetime, str, SafeString | str, SafeString]]:
    """Yield moment, CSS class, HTML attribute and text of the latest `messages`, with `current` marked."""
    for message in messages.defer("sealed").order_by("-pk")[:MAX_CONVERSATION]:
        inward = isinstance(message, InboundMessage)
        at = message.received_at if inward else message.created_at
        is_this = type(message) is type(current) and message.pk == current.pk
        name = format_html("<strong>{}</strong>", message.message_type) if is_this else None
        yield (
            at,
            "received" if inward else "sent",
            SafeString(' aria-current="true"') if is_this else "",
            format_html(
                '<span class="quiet">{} {}</span> {} {} {}',
                moment(at),
                "received" if inward else "sent",
                name or link(message, message.message_type),
                badge_of_result(message),
                badge(message.state, message.get_state_display()),
            ),
        )
