"""The operator's screens for messages in and out, their deliveries, and whether a participant can be reached."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from participants import journal
from participants.admin_html import NOTHING, lines, link, list_link, moment
from participants.list_filters import ChoiceFilter, DayRangeFilter, TextFilter
from participants.models import Participant
from participants.scalable_admin import ReadOnlyAdmin, ScalableAdmin
from participants.scope import Scope
from uftp import outbox, processing, tasks, test_message_action
from uftp.message_admin import MessageAdmin
from uftp.messages import HANDLED_REQUESTS, OTHER_REQUESTS, OTHER_RESPONSES
from uftp.models import DeliveryAttempt, InboundMessage, OutboundMessage, Sender

# Imported for the action that it adds to the list of participants.
__all__ = ["test_message_action"]

ANSWERS_SHOWN = 20
AT_ONCE = 1000
"""How many messages one action takes on."""


class SenderFilter(TextFilter):
    title = "sender's domain"
    parameter_name = "domain"

    def suggestions(self) -> Iterable[str]:
        known = self.seen.restrict_named(Sender.objects.all(), "role", "domain")
        return known.order_by("domain").values_list("domain", flat=True).distinct()[:500]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.text:
            return queryset
        meant = Sender.objects.filter(domain=self.text.lower()).values_list("pk", flat=True)
        return queryset.filter(sender__in=list(meant))


class RecipientFilter(TextFilter):
    title = "recipient's domain"
    parameter_name = "domain"

    def suggestions(self) -> Iterable[str]:
        known = self.seen.restrict(Participant.objects.all(), "pk")
        return known.order_by("domain").values_list("domain", flat=True).distinct()[:500]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.text:
            return queryset
        return queryset.filter(recipient_role__in=["AGR", "DSO"], recipient_domain=self.text.lower())


class ResultFilter(ChoiceFilter):
    title = parameter_name = field = "result"
    values = ("Accepted", "Rejected")


class TypeFilter(TextFilter):
    title = "message type"
    parameter_name = "type"
    known: Iterable[str] = ()

    def suggestions(self) -> Iterable[str]:
        return self.known

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(message_type=self.text) if self.text else queryset


class InboundTypeFilter(TypeFilter):
    known = (*sorted(HANDLED_REQUESTS), "TestMessageResponse", *sorted(OTHER_REQUESTS | OTHER_RESPONSES))


class OutboundTypeFilter(TypeFilter):
    known = (
        "TestMessage",
        *(f"{request}Response" for request in sorted(HANDLED_REQUESTS)),
        *sorted(OTHER_RESPONSES),
    )


def rows_of_senders(rows: QuerySet[InboundMessage], scope: Scope) -> QuerySet[InboundMessage]:
    """Those of `rows` that a participant of `scope` sent."""
    if scope.everyone:
        return rows
    senders = scope.restrict_named(Sender.objects.all(), "role", "domain")
    return rows.filter(sender__in=list(senders.values_list("pk", flat=True)))


@admin.register(InboundMessage)
class InboundMessageAdmin(MessageAdmin):
    list_display = (
        "received",
        "sender",
        "message_type",
        "state",
        "result",
        "reason_in_short",
        "version",
        "size_in_words",
    )
    list_select_related = ("sender",)
    list_filter = (
        "state",
        ResultFilter,
        SenderFilter,
        InboundTypeFilter,
        ("received_at", DayRangeFilter),
    )
    search_fields = ("message_id__exact", "conversation_id__exact")
    search_help_text = "The whole of a MessageID or ConversationID"
    actions = ("process_again",)
    fieldsets = (
        (None, {"fields": ("sent_by", "message_type", "version", "received", "state", "result", "reason")}),
        ("What came of it", {"fields": ("answers", "attempts", "setbacks", "last_error", "processed")}),
        ("Where it belongs", {"fields": ("message_id", "conversation", "major", "last_copy")}),
        ("XML", {"fields": ("size_in_words", "xml")}),
    )
    button_for = InboundMessage.State.SET_ASIDE
    button = ("process_again", "Process again")

    def in_scope(self, request: HttpRequest, rows: QuerySet[InboundMessage]) -> QuerySet[InboundMessage]:
        return rows_of_senders(rows, self.seen(request))

    def acted_on(self, request: HttpRequest, rows: QuerySet[InboundMessage]) -> QuerySet[InboundMessage]:
        return rows_of_senders(rows, self.acted_for(request))

    @admin.display(description="sender")
    def sent_by(self, message: InboundMessage) -> str:
        return self._party(message.sender.role, message.sender.domain)

    @admin.display(description="received")
    def received(self, message: InboundMessage) -> str:
        return moment(message.received_at)

    @admin.display(description="processed")
    def processed(self, message: InboundMessage) -> str:
        return moment(message.processed_at)

    @admin.display(description="last identical copy")
    def last_copy(self, message: InboundMessage) -> str:
        return moment(message.last_copy_at)

    @admin.display(description="answered by")
    def answers(self, message: InboundMessage) -> str:
        replies = message.replies.defer("sealed").order_by("pk")[:ANSWERS_SHOWN]
        return lines(
            link(reply, f"{reply.message_type}: {reply.result or 'sent'}, {reply.get_state_display()}")
            for reply in replies
        )

    def has_process_again_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("uftp.change_inboundmessage"))

    @admin.action(description="Process again what was set aside", permissions=["process_again"])
    def process_again(self, request: HttpRequest, queryset: QuerySet[InboundMessage]) -> None:
        set_aside = queryset.filter(state=InboundMessage.State.SET_ASIDE).select_related("sender")
        woken = []
        for message in set_aside.order_by("pk")[:AT_ONCE]:
            with transaction.atomic():
                if not processing.process_again(message):
                    continue
                journal.note(request.user.get_username(), "process again", f"{message} of {message.sender}")
            woken.append(message.sender_id)
        for sender_id in sorted(set(woken)):
            tasks.wake_inbox(sender_id)
        self._say(request, len(woken), "to be processed again", "Only messages that are set aside can be.")


class DeliveryAttemptInline(ReadOnlyAdmin, admin.TabularInline[DeliveryAttempt, OutboundMessage]):
    model = DeliveryAttempt
    template = "admin/shown_inline.html"
    without_rows = "None yet."
    extra = 0
    fields = readonly_fields = ("started", "outcome", "status", "detail", "endpoint")
    verbose_name_plural = "Delivery attempts"

    @admin.display(description="at")
    def started(self, attempt: DeliveryAttempt) -> str:
        return moment(attempt.started_at)


@admin.register(OutboundMessage)
class OutboundMessageAdmin(MessageAdmin):
    list_display = (
        "created",
        "recipient",
        "message_type",
        "state",
        "result",
        "reason_in_short",
        "attempts",
    )
    list_filter = (
        "state",
        ResultFilter,
        RecipientFilter,
        OutboundTypeFilter,
        ("created_at", DayRangeFilter),
    )
    search_fields = ("message_id__exact", "conversation_id__exact")
    search_help_text = "The whole of a MessageID or ConversationID"
    actions = ("send_again",)
    inlines = (DeliveryAttemptInline,)
    fieldsets = (
        (None, {"fields": ("sent_to", "message_type", "version", "created", "result", "reason")}),
        ("Delivery", {"fields": ("state", "attempts", "next_attempt", "gives_up", "finished")}),
        ("Where it belongs", {"fields": ("answered", "message_id", "conversation")}),
        ("XML", {"fields": ("size_in_words", "xml")}),
    )
    button_for = OutboundMessage.State.FAILED
    button = ("send_again", "Send again")

    def in_scope(self, request: HttpRequest, rows: QuerySet[OutboundMessage]) -> QuerySet[OutboundMessage]:
        return self.seen(request).restrict_named(rows, "recipient_role", "recipient_domain")

    def acted_on(self, request: HttpRequest, rows: QuerySet[OutboundMessage]) -> QuerySet[OutboundMessage]:
        return self.acted_for(request).restrict_named(rows, "recipient_role", "recipient_domain")

    @admin.display(description="created")
    def created(self, message: OutboundMessage) -> str:
        return moment(message.created_at)

    @admin.display(description="recipient")
    def recipient(self, message: OutboundMessage) -> str:
        return f"{message.recipient_role} {message.recipient_domain}"

    @admin.display(description="recipient")
    def sent_to(self, message: OutboundMessage) -> str:
        return self._party(message.recipient_role, message.recipient_domain)

    @admin.display(description="next attempt")
    def next_attempt(self, message: OutboundMessage) -> str:
        return moment(message.next_attempt_at)

    @admin.display(description="gives up")
    def gives_up(self, message: OutboundMessage) -> str:
        return moment(message.give_up_at)

    @admin.display(description="finished")
    def finished(self, message: OutboundMessage) -> str:
        return moment(message.finished_at)

    @admin.display(description="answer to")
    def answered(self, message: OutboundMessage) -> str:
        if message.in_reply_to_id is None:
            return NOTHING
        return link(InboundMessage.objects.defer("sealed").get(pk=message.in_reply_to_id))

    def has_send_again_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("uftp.change_outboundmessage"))

    @admin.action(description="Send again what could not be delivered", permissions=["send_again"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[OutboundMessage]) -> None:
        failed = list(queryset.filter(state=OutboundMessage.State.FAILED).order_by("pk")[:AT_ONCE])
        chosen = Q(pk__in=[message.pk for message in failed], state=OutboundMessage.State.FAILED)
        with transaction.atomic():
            woken = outbox.send_again(chosen)
            for message in failed:
                journal.note(
                    request.user.get_username(), "send again", f"{message} to {self.recipient(message)}"
                )
        for role, domain in woken:
            tasks.wake_outbox(role, domain)
        self._say(request, len(failed), "to be sent again", "Only messages that failed can be.")


@admin.register(DeliveryAttempt)
class DeliveryAttemptAdmin(ReadOnlyAdmin, ScalableAdmin):
    list_display = ("started", "message", "recipient", "outcome", "status", "detail", "endpoint")
    list_select_related = ("message",)
    list_filter = ("outcome",)
    search_fields = ("message__message_id__exact",)
    search_help_text = "The whole of a MessageID"
    fields = ("started", "finished", "message", "recipient", "endpoint", "status", "outcome", "detail")

    def in_scope(self, request: HttpRequest, rows: QuerySet[DeliveryAttempt]) -> QuerySet[DeliveryAttempt]:
        return self.seen(request).restrict_named(rows, "message__recipient_role", "message__recipient_domain")

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeliveryAttempt]:
        return super().get_queryset(request).select_related("message").defer("message__sealed")

    @admin.display(description="at")
    def started(self, attempt: DeliveryAttempt) -> str:
        return moment(attempt.started_at)

    @admin.display(description="finished")
    def finished(self, attempt: DeliveryAttempt) -> str:
        return moment(attempt.finished_at)

    @admin.display(description="recipient")
    def recipient(self, attempt: DeliveryAttempt) -> str:
        return f"{attempt.message.recipient_role} {attempt.message.recipient_domain}"


@admin.register(Sender)
class SenderAdmin(ReadOnlyAdmin, ScalableAdmin):
    list_display = ("domain", "role", "received")
    search_fields = ("domain__startswith",)
    search_help_text = "The beginning of a domain"
    fields = ("domain", "role", "received")

    def in_scope(self, request: HttpRequest, rows: QuerySet[Sender]) -> QuerySet[Sender]:
        return self.seen(request).restrict_named(rows, "role", "domain")

    @admin.display(description="messages")
    def received(self, sender: Sender) -> str:
        return list_link(InboundMessage, "messages from it", sender__id__exact=sender.pk)
