"""The screens of received messages and their senders, and the action to process messages again."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html

from common.display import PLACEHOLDER
from common.search import FieldCondition, by, words
from participants.admin_base.filters import DayRangeFilter
from participants.admin_base.html import link, list_link, moment, one_per_line
from participants.admin_base.scalable import ReadOnlyAdmin, ScalableAdmin
from participants.admin_base.search import parties
from participants.models import Participant
from participants.scope import Scope
from uftp import meanings, stored_xml
from uftp.admin import explanation as explanations
from uftp.admin.filters import InboundTypeFilter, ReceivedResultFilter, SenderFilter, SenderRoleFilter
from uftp.admin.messages import MessageAdmin, badge
from uftp.admin.retry import RetryAction
from uftp.delivery.forwarding import result_in_words, with_passing
from uftp.models import InboundMessage, OutboundMessage, Sender
from uftp.processing import dead_letters
from uftp.protocol.diagnostics.explanation import MAX_BYTES, explain
from uftp.protocol.reasons import Reason
from uftp.protocol.versions import for_major
from uftp.wakeups import wakeups

MAX_ANSWERS = 20


def rows_of_senders(rows: QuerySet[InboundMessage], scope: Scope) -> QuerySet[InboundMessage]:
    """Return the rows whose sender is a participant in `scope`."""
    if scope.everyone:
        return rows
    senders = scope.restrict_named(Sender.objects.all(), "role", "domain")
    return rows.filter(sender__in=list(senders.values_list("pk", flat=True)))


def _process_again(keys: list[int]) -> list[InboundMessage]:
    rows = InboundMessage.objects.filter(pk__in=keys).select_related("sender").defer("sealed")
    return [message for message in rows.order_by("pk") if dead_letters.process_again(message)]


def _wake(done: list[InboundMessage]) -> None:
    for sender_id in sorted({message.sender_id for message in done}):
        wakeups.wake_inbox(sender_id)


PROCESS_AGAIN = RetryAction(
    name="process_again",
    permission="uftp.change_inboundmessage",
    button="Process again",
    done="to be processed again",
    failed="Only messages that are set aside can be.",
    consequences=(
        "A message is set aside when handling it keeps failing for a reason of this CRO. "
        "Process it again once that reason is removed. The operator of this CRO finds it in the log.",
        "It is handled as if it had just come, after the sender's other waiting messages that came before it, "
        "and answered. Where it fails again, it is set aside again.",
    ),
    eligible=lambda rows: rows.filter(state=InboundMessage.State.SET_ASIDE),
    run=_process_again,
    wake=_wake,
    party=lambda message: (message.sender.role, message.sender.domain),
    audited_as=lambda message: f"{message} of {message.sender}",
)


@admin.register(InboundMessage)
class InboundMessageAdmin(MessageAdmin):
    """The screens of received messages."""

    list_display = (
        "received",
        "sender",
        "message_type",
        "state_badge",
        "result_badge",
        "short_reason",
        "size_in_words",
    )
    export_display = (
        ("Received", "received_at"),
        ("Sender's role", "sender.role"),
        ("Sender", "sender.domain"),
        "message_type",
        "message_id",
        "conversation_id",
        "state",
        ("Result", lambda message: result_in_words(message.result, message.passing)),
        "reason",
        "last_error",
        ("Processed", "processed_at"),
        ("Size in bytes", "size"),
    )
    list_select_related = ("sender",)
    linked_lookups = ("sender__id__exact",)
    list_filter = (
        "state",
        ReceivedResultFilter,
        SenderFilter,
        SenderRoleFilter,
        InboundTypeFilter,
        ("received_at", DayRangeFilter),
    )
    search_fields = ("message_id__startswith", "conversation_id__startswith")
    search_help_text = (
        "The beginning of a MessageID or ConversationID, the sender's domain, a word of the answer's reason, or an"
        " entity address that a message changed"
    )
    sortable_by = ("received",)
    retry_action = PROCESS_AGAIN
    pages = (*MessageAdmin.pages, PROCESS_AGAIN.page)
    actions = ("process_again",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "sent_by",
                    "message_type",
                    "version_and_path",
                    "received",
                    "state_badge",
                    "result_badge",
                    "reason",
                    "meaning",
                )
            },
        ),
        (
            "Result",
            {"fields": ("answers", "passed_on", "failures", "setbacks", "last_error", "processed")},
        ),
        ("Where it belongs", {"fields": ("identifier", "conversation", "last_copy")}),
        ("XML", {"fields": ("size_in_words", "explained", "xml")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboundMessage]:
        return with_passing(super().get_queryset(request))

    def in_scope(self, request: HttpRequest, rows: QuerySet[InboundMessage]) -> QuerySet[InboundMessage]:
        return rows_of_senders(rows, self.seen(request))

    def acted_on(self, request: HttpRequest, rows: QuerySet[InboundMessage]) -> QuerySet[InboundMessage]:
        return rows_of_senders(rows, self.acted_for(request))

    def party_conditions(self, text: str, seen: Scope) -> list[FieldCondition]:
        found = Participant.objects.filter(pk__in=parties(text, seen)).values_list("role", "domain")
        named = Sender.objects.none()
        for role, domain in found:
            named |= Sender.objects.filter(role=role, domain=domain)
        senders = list(named.values_list("pk", flat=True))
        return by("sender", Q(sender__in=senders)) if senders else []

    def search_conditions(self, request: HttpRequest, text: str) -> list[FieldCondition]:
        return [
            *super().search_conditions(request, text),
            *by("reason", words("reason", text) & ~Q(reason="")),
        ]

    def has_process_again_permission(self, request: HttpRequest) -> bool:
        return PROCESS_AGAIN.is_allowed(request)

    @admin.action(description="Process again what was set aside", permissions=["process_again"])
    def process_again(self, request: HttpRequest, queryset: QuerySet[InboundMessage]) -> HttpResponse | None:
        return PROCESS_AGAIN.ask(self, request, queryset)

    def get_fieldsets(self, request: HttpRequest, obj: InboundMessage | None = None) -> Any:
        """Leave out the fields that are empty for this message."""
        empty = set()
        if obj is not None:
            passed_on = obj.passings.exists()
            empty = {
                name
                for name, there in {
                    "result_badge": obj.result,
                    "reason": obj.reason,
                    "meaning": meanings.of_reason(obj.reason) if obj.result == "Rejected" else None,
                    "failures": obj.attempts,
                    "setbacks": obj.setbacks,
                    "last_error": obj.last_error,
                    "last_copy": obj.last_copy_at,
                    "explained": self._is_invalid(obj),
                    "passed_on": passed_on,
                    "answers": not passed_on or obj.result == "Rejected",
                }.items()
                if not there
            }
        return [
            (title, {**options, "fields": [name for name in options["fields"] if name not in empty]})
            for title, options in super().get_fieldsets(request, obj)
        ]

    @admin.display(description="sender")
    def sent_by(self, message: InboundMessage) -> str:
        return self._party_link(message)

    @admin.display(description="version")
    def version_and_path(self, message: InboundMessage) -> str:
        return f"{message.version}, posted to the path of version {message.major}"

    @admin.display(description="failed tries")
    def failures(self, message: InboundMessage) -> str:
        return str(message.attempts)

    @admin.display(description="received", ordering="received_at")
    def received(self, message: InboundMessage) -> str:
        return moment(message.received_at)

    @admin.display(description="processed")
    def processed(self, message: InboundMessage) -> str:
        return moment(message.processed_at)

    @admin.display(description="last identical copy")
    def last_copy(self, message: InboundMessage) -> str:
        return moment(message.last_copy_at)

    @admin.display(description="what this means")
    def meaning(self, message: InboundMessage) -> str:
        return one_per_line(" ".join(filter(None, each)) for each in meanings.of_reason(message.reason))

    @admin.display(description="answered by")
    def answers(self, message: InboundMessage) -> str:
        replies = message.replies.defer("sealed").order_by("pk")[:MAX_ANSWERS]
        said: list[object] = [
            link(reply, f"{reply.message_type}: {reply.result or 'sent'}, {reply.get_state_display()}")
            for reply in replies
        ]
        return one_per_line([*said, *filter(None, [meanings.of_rejected_test(message)])])

    @admin.display(description="passed on to")
    def passed_on(self, message: InboundMessage) -> str:
        """Return the recipients, each with the state of its delivery, and a link if the viewer may see it."""
        passings = message.passings.defer("sealed").order_by("pk")
        linked = self.link_scope(message).restrict_named(passings, "recipient_role", "recipient_domain")
        found = set(linked.values_list("pk", flat=True))
        return one_per_line(
            _passing(passing, linked=passing.pk in found) for passing in passings[:MAX_ANSWERS]
        )

    @admin.display(description="by the schema")
    def explained(self, message: InboundMessage) -> str:
        """Return the faults by the schema of a message that was rejected as invalid.

        There are hardly any: the message endpoint has validated the message by the same schema.
        """
        if message.size > MAX_BYTES:
            return PLACEHOLDER
        content = stored_xml.read(message, 0, MAX_BYTES)
        explanation = explain(content, for_major(message.major, "").schema)
        return explanations.fault_list(
            explanation,
            fallback=f"By the schema of version {message.major} nothing is wrong with it: the fault is in a value, and "
            "the reason names it.",
        )

    @staticmethod
    def _is_invalid(message: InboundMessage) -> bool:
        return message.result == "Rejected" and Reason.INVALID_MESSAGE in message.reason


def _passing(passing: OutboundMessage, *, linked: bool) -> str:
    recipient = f"{passing.recipient_role} {passing.recipient_domain}"
    delivered = passing.state == OutboundMessage.State.DELIVERED
    return format_html(
        "{} {}{}{}",
        link(passing, recipient) if linked else recipient,
        badge(passing.state, passing.get_state_display()),
        f" at {moment(passing.finished_at)}" if passing.finished_at else "",
        "; its answer goes to the sender directly" if delivered else "",
    )


@admin.register(Sender)
class SenderAdmin(ReadOnlyAdmin, ScalableAdmin):
    """The screens of senders, with a link to their messages."""

    audited = False
    list_display = ("domain", "role", "received")
    export_display = ("domain", "role")
    search_fields = ("domain__startswith",)
    search_help_text = "The beginning of a domain"
    fields = ("domain", "role", "received")

    def search_conditions(self, request: HttpRequest, text: str) -> list[FieldCondition]:
        return by("domain", Q(domain__startswith=text.lower()))

    def in_scope(self, request: HttpRequest, rows: QuerySet[Sender]) -> QuerySet[Sender]:
        return self.seen(request).restrict_named(rows, "role", "domain")

    @admin.display(description="messages")
    def received(self, sender: Sender) -> str:
        return list_link(InboundMessage, "messages from it", sender__id__exact=sender.pk)
