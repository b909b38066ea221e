"""The screens of sent messages, and the action to send messages again."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.text import Truncator

from common.display import PLACEHOLDER
from common.search import FieldCondition, by
from participants.admin_base.filters import DayRangeFilter
from participants.admin_base.html import link, list_link, moment, one_per_line, table
from participants.admin_base.search import parties
from participants.models import Participant
from participants.scope import Scope
from uftp import meanings
from uftp.admin import unverified
from uftp.admin.filters import (
    OutboundTypeFilter,
    PassedOnFilter,
    RecipientFilter,
    RecipientRoleFilter,
    ResultFilter,
)
from uftp.admin.messages import MessageAdmin
from uftp.admin.retry import RetryAction
from uftp.delivery import resending
from uftp.delivery.circuits import open_circuit
from uftp.models import DeliveryAttempt, InboundMessage, OutboundMessage, Sender
from uftp.wakeups import wakeups

MAX_ATTEMPTS = 40
MAX_DETAIL = 300


def _wake(done: list[OutboundMessage]) -> None:
    for role, domain in sorted({(message.recipient_role, message.recipient_domain) for message in done}):
        wakeups.wake_outbox(role, domain)


SEND_AGAIN = RetryAction(
    name="send_again",
    permission="uftp.change_outboundmessage",
    button="Send again",
    done="to be sent again",
    failed="It cannot be sent at this moment. Look at its page.",
    consequences=(
        "The message is sent at once, with the same MessageID and the same bytes. A participant that has it "
        "already recognizes the copy.",
        "If it cannot be delivered, it is tried again by itself like a new message, with growing pauses.",
        "A message that waits to be passed on is tried at once, until the same end as before. It goes after the "
        "earlier ones of its sender.",
    ),
    eligible=resending.sendable,
    run=resending.send_now,
    explain=resending.explanations,
    wake=_wake,
    party=lambda message: (message.recipient_role, message.recipient_domain),
    audited_as=lambda message: f"{message} to {message.recipient_role} {message.recipient_domain}",
    button_for=lambda message: "Send now" if message.state == OutboundMessage.State.WAITING else "Send again",
)


@admin.register(OutboundMessage)
class OutboundMessageAdmin(MessageAdmin):
    """The screens of sent messages."""

    list_display = (
        "created",
        "recipient_in_list",
        "message_type",
        "delivery",
        "result_badge",
        "short_reason",
    )
    export_display = (
        ("Created", "created_at"),
        ("Recipient's role", "recipient_role"),
        ("Recipient", "recipient_domain"),
        ("Passed on", lambda message: "no" if message.passes_on_id is None else "yes"),
        "message_type",
        "message_id",
        "conversation_id",
        "state",
        ("Next attempt", "next_attempt_at"),
        ("Finished", "finished_at"),
        "result",
        "reason",
        ("Size in bytes", "size"),
    )
    list_filter = (
        "state",
        ResultFilter,
        RecipientFilter,
        RecipientRoleFilter,
        OutboundTypeFilter,
        PassedOnFilter,
        ("created_at", DayRangeFilter),
    )
    search_fields = ("message_id__startswith", "conversation_id__startswith")
    search_help_text = (
        "The beginning of a MessageID or ConversationID, the recipient's domain, or an entity address that the"
        " answered message changed"
    )
    sortable_by = ("created",)
    retry_action = SEND_AGAIN
    pages = (*MessageAdmin.pages, SEND_AGAIN.page, unverified.PAGE)
    actions = ("send_again",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "sent_to",
                    "passed_on_for",
                    "message_type",
                    "version",
                    "created",
                    "result_badge",
                    "reason",
                )
            },
        ),
        ("Delivery", {"fields": ("state_badge", "next_step", "attempts_table")}),
        ("Where it belongs", {"fields": ("answered", "number", "identifier", "conversation")}),
        ("XML", {"fields": ("size_in_words", "xml")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[OutboundMessage]:
        return resending.with_earlier(super().get_queryset(request))

    def get_fieldsets(self, request: HttpRequest, obj: OutboundMessage | None = None) -> Any:
        """Leave out the field "passed on for" if the message is not passed on."""
        own = obj is not None and obj.passes_on_id is None
        return [
            (
                title,
                {
                    **options,
                    "fields": [name for name in options["fields"] if name != "passed_on_for" or not own],
                },
            )
            for title, options in super().get_fieldsets(request, obj)
        ]

    def in_scope(self, request: HttpRequest, rows: QuerySet[OutboundMessage]) -> QuerySet[OutboundMessage]:
        return self.seen(request).restrict_named(rows, "recipient_role", "recipient_domain")

    def acted_on(self, request: HttpRequest, rows: QuerySet[OutboundMessage]) -> QuerySet[OutboundMessage]:
        return self.acted_for(request).restrict_named(rows, "recipient_role", "recipient_domain")

    def party_conditions(self, text: str, seen: Scope) -> list[FieldCondition]:
        named = Q()
        for role, domain in Participant.objects.filter(pk__in=parties(text, seen)).values_list(
            "role", "domain"
        ):
            named |= Q(recipient_role=role, recipient_domain=domain)
        return by("recipient", named) if named else []

    def has_send_again_permission(self, request: HttpRequest) -> bool:
        return SEND_AGAIN.is_allowed(request)

    @admin.action(description="Send again, or now where it waits", permissions=["send_again"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[OutboundMessage]) -> HttpResponse | None:
        return SEND_AGAIN.ask(self, request, queryset)

    @admin.display(description="number")
    def number(self, message: OutboundMessage) -> str:
        return str(message.pk)

    @admin.display(description="created", ordering="created_at")
    def created(self, message: OutboundMessage) -> str:
        return moment(message.created_at)

    @admin.display(description="recipient")
    def recipient(self, message: OutboundMessage) -> str:
        return f"{message.recipient_role} {message.recipient_domain}"

    @admin.display(description="recipient")
    def recipient_in_list(self, message: OutboundMessage) -> str:
        return self.recipient(message) + ("" if message.passes_on_id is None else ", passed on")

    @admin.display(description="recipient")
    def sent_to(self, message: OutboundMessage) -> str:
        return self._party_link(message)

    @admin.display(description="passed on for")
    def passed_on_for(self, message: OutboundMessage) -> str:
        """Return the sender of the message that is passed on, with a link if it is in the viewer's scope."""
        if message.passes_on_id is None:
            return PLACEHOLDER
        inbound = InboundMessage.objects.select_related("sender").defer("sealed").get(pk=message.passes_on_id)
        sender = inbound.sender
        seen = self.link_scope(message).restrict_named(Sender.objects.all(), "role", "domain")
        whose = link(inbound, sender) if seen.filter(pk=sender.pk).exists() else sender
        return format_html("{}, as it signed it", whose)

    @admin.display(description="delivery")
    def delivery(self, message: OutboundMessage) -> str:
        """Return the state of a message, and when or after which message it is tried if it waits."""
        if message.state != OutboundMessage.State.WAITING:
            return self.state_badge(message)
        return format_html("{} {}", self.state_badge(message), self._when(message))

    def _when(self, message: Any) -> object:
        if message.earlier is not None:
            return format_html(
                "after {}", link(OutboundMessage(pk=message.earlier), f"message {message.earlier}")
            )
        if message.trial_at is not None:
            at = max(message.trial_at, message.next_attempt_at)
            return f"one at a time after a refusal, from {moment(at)} on"
        return moment(message.next_attempt_at)

    @admin.display(description="what happens next")
    def next_step(self, message: OutboundMessage) -> str:
        own = message.passes_on_id is None
        end = moment(message.give_up_at)
        match message.state:
            case OutboundMessage.State.DELIVERED:
                return f"Nothing: it was delivered at {moment(message.finished_at)}."
            case OutboundMessage.State.FAILED:
                given_up = f"it was given up at {moment(message.finished_at)}."
                if own:
                    return f"Nothing, unless you send it again: {given_up}"
                return f"Nothing: {given_up} Only its sender can send it again, as a message of its own."
        if message.earlier is not None:  # type: ignore[attr-defined]
            first = link(OutboundMessage(pk=message.earlier), f"message {message.earlier}")  # type: ignore[attr-defined]
            text = "It is delivered after {} of the same sender. It is not passed on any more from {} on."
            return format_html(text, first, end)
        circuit = open_circuit((message.recipient_role, message.recipient_domain))
        if circuit is not None:
            return format_html(
                "{} has refused a message, so one message at a time is tried: {}. This one ends at {}.",
                self.recipient(message),
                link(circuit, f"the next at {moment(circuit.next_trial_at)}"),
                end,
            )
        return f"Attempt {message.attempts + 1} is due at {moment(message.next_attempt_at)}. " + (
            f"It is given up at {end}." if own else f"It is not passed on any more from {end} on."
        )

    @staticmethod
    def _waits_for_others(message: Any) -> bool:
        return message.earlier is not None or message.trial_at is not None

    @admin.display(description="attempts")
    def attempts_table(self, message: OutboundMessage) -> str:
        """Return a table of the attempts and their meanings, the latest last, then the next attempt."""
        latest = list(message.delivery_attempts.order_by("-pk")[:MAX_ATTEMPTS])
        rows: list[Sequence[object]] = [_row(attempt) for attempt in reversed(latest)]
        if message.state == OutboundMessage.State.WAITING and not self._waits_for_others(message):
            rows.append(
                [
                    moment(message.next_attempt_at),
                    PLACEHOLDER,
                    "The next attempt is due.",
                    PLACEHOLDER,
                    PLACEHOLDER,
                ]
            )
        rendered = table(["At", "Time taken", "Result", "Reply", "Endpoint"], rows)
        if len(latest) < MAX_ATTEMPTS:
            return rendered if rows else "None yet."
        earlier = list_link(DeliveryAttempt, "all of them", q=message.message_id)
        return format_html("{}<p>The latest {}; here are {}.</p>", rendered, MAX_ATTEMPTS, earlier)

    @admin.display(description="answer to")
    def answered(self, message: OutboundMessage) -> str:
        if message.in_reply_to_id is None:
            return PLACEHOLDER
        request = InboundMessage.objects.defer("sealed").get(pk=message.in_reply_to_id)
        return one_per_line(filter(None, [link(request), meanings.of_rejected_test(request)]))


def _row(attempt: DeliveryAttempt) -> list[object]:
    seconds = (attempt.finished_at - attempt.started_at).total_seconds()
    return [
        moment(attempt.started_at),
        f"{max(seconds, 0.0):.1f} s",
        one_per_line(filter(None, meanings.of_attempt(attempt))),
        Truncator(attempt.detail or (f"HTTP {attempt.status}" if attempt.status else PLACEHOLDER)).chars(
            MAX_DETAIL
        ),
        attempt.endpoint or PLACEHOLDER,
    ]
