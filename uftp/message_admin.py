"""What the screens of messages in and out have in common: their XML, their conversation, their button."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.template.defaultfilters import filesizeformat
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.text import Truncator

from participants.admin_html import lines, link, list_link
from participants.models import Participant
from participants.scalable_admin import ReadOnlyAdmin, ScalableAdmin
from uftp import stored_xml
from uftp.laying_out import NotLaidOut, lay_out
from uftp.models import InboundMessage, OutboundMessage

SHOWN_BYTES = 200_000
REASON_IN_LIST = 120

Message = InboundMessage | OutboundMessage


class MessageAdmin(ReadOnlyAdmin, ScalableAdmin):
    """Messages are looked at, never edited. Their signed bytes stay in the database: pages read their beginning.

    `button` is an action, by name and label, that the page of a message in the state `button_for` offers.
    """

    change_form_template = "admin/uftp/message_change_form.html"
    button_for: str
    button: tuple[str, str]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("sealed")

    def audit_subject(self, row: Message) -> str:
        return str(row)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """MessageIDs are stored in lower case, ConversationIDs as they were written."""
        found, duplicates = super().get_search_results(request, queryset, search_term)
        if search_term != search_term.lower() and not found.exists():
            return super().get_search_results(request, queryset, search_term.lower())
        return found, duplicates

    def get_urls(self) -> list[Any]:
        download = path(
            "<path:object_id>/xml/", self.admin_site.admin_view(self.download), name=self._page("xml")
        )
        return [download, *super().get_urls()]

    def download(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The whole inner XML as a file, exactly as it was signed."""
        message = self.row_or_404(request, object_id)
        return StreamingHttpResponse(
            stored_xml.pieces(message),
            content_type="application/xml",
            headers={
                "Content-Disposition": f'attachment; filename="{message.message_type}-{message.message_id}.xml"',
                "Content-Length": str(message.size),
            },
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        message = self.get_object(request, unquote(object_id))
        action, label = self.button
        may = getattr(self, f"has_{action}_permission")(request)
        context = {
            "download": reverse(f"admin:{self._page('xml')}", args=[object_id]),
            "list": reverse(f"admin:{self._page('changelist')}"),
            "action": action if message and may and message.state == self.button_for else "",
            "label": label,
        }
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    @admin.display(description="size")
    def size_in_words(self, message: Message) -> str:
        return filesizeformat(message.size)

    @admin.display(description="reason")
    def reason_in_short(self, message: Message) -> str:
        return Truncator(message.reason or getattr(message, "last_error", "")).chars(REASON_IN_LIST)

    @admin.display(description="conversation")
    def conversation(self, message: Message) -> str:
        """Its ConversationID, and where the rest of the conversation is."""
        said = message.conversation_id
        return lines(
            [
                said,
                list_link(InboundMessage, "messages received in it", q=said),
                list_link(OutboundMessage, "messages sent in it", q=said),
            ]
        )

    @admin.display(description="laid out")
    def xml(self, message: Message) -> str:
        """The beginning of the inner XML, laid out; as it is where it cannot be."""
        whole = message.size <= SHOWN_BYTES
        beginning = stored_xml.read(message, 0, SHOWN_BYTES)
        note = "" if whole else f"The first {filesizeformat(SHOWN_BYTES)} of {filesizeformat(message.size)}. "
        try:
            shown = lay_out(beginning, whole=whole)
        except NotLaidOut as wrong:
            shown = beginning.decode(errors="replace")
            note += f"As it is, since it cannot be laid out: {wrong}. "
        page = reverse(f"admin:{self._page('xml')}", args=[message.pk])
        return format_html(
            '<p>{}<a href="{}">Download the whole, as it was signed</a></p>'
            '<pre class="xml" tabindex="0">{}</pre>',
            note,
            page,
            shown,
        )

    def _party(self, role: str, domain: str) -> str:
        """A link to the participant, or its name where staff have never been told of it."""
        participant = Participant.objects.filter(role=role, domain=domain).first()
        return link(participant) if participant else f"{role} {domain}"

    def _page(self, name: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{name}"

    def _say(self, request: HttpRequest, done: int, what: str, otherwise: str) -> None:
        if done:
            self.message_user(
                request, f"{done} {'message is' if done == 1 else 'messages are'} {what}.", messages.SUCCESS
            )
        else:
            self.message_user(request, otherwise, messages.WARNING)
