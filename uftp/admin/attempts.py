"""The screens of delivery attempts."""

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from common.search import FieldCondition, by
from participants.admin_base.html import link, moment
from participants.admin_base.scalable import ReadOnlyAdmin, ScalableAdmin
from participants.admin_base.search import parties
from participants.models import Participant
from uftp import meanings
from uftp.admin.filters import RecipientOfAttemptFilter
from uftp.models import DeliveryAttempt


@admin.register(DeliveryAttempt)
class DeliveryAttemptAdmin(ReadOnlyAdmin, ScalableAdmin):
    """The screens of delivery attempts."""

    audited = False
    list_display = ("started", "message", "recipient", "outcome", "meaning", "detail")
    export_display = (
        ("Started", "started_at"),
        ("Finished", "finished_at"),
        ("Message type", "message.message_type"),
        ("MessageID", "message.message_id"),
        ("Recipient's role", "message.recipient_role"),
        ("Recipient", "message.recipient_domain"),
        "outcome",
        "status",
        "meaning",
        "detail",
        "endpoint",
    )
    list_select_related = ("message",)
    list_filter = ("outcome", RecipientOfAttemptFilter)
    search_fields = ("message__message_id__startswith",)
    search_help_text = "The beginning of a MessageID, or the recipient's domain"
    sortable_by = ("started",)
    fields = (
        "started",
        "finished",
        "about",
        "recipient",
        "endpoint",
        "status",
        "outcome",
        "meaning",
        "detail",
    )

    def in_scope(self, request: HttpRequest, rows: QuerySet[DeliveryAttempt]) -> QuerySet[DeliveryAttempt]:
        return self.seen(request).restrict_named(rows, "message__recipient_role", "message__recipient_domain")

    def search_conditions(self, request: HttpRequest, text: str) -> list[FieldCondition]:
        named = Participant.objects.filter(pk__in=parties(text, self.seen(request)))
        return [
            *by("MessageID", Q(message__message_id__startswith=text.lower())),
            *by(
                "recipient",
                *(
                    Q(message__recipient_role=role, message__recipient_domain=domain)
                    for role, domain in named.values_list("role", "domain")
                ),
            ),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeliveryAttempt]:
        return super().get_queryset(request).select_related("message").defer("message__sealed")

    @admin.display(description="at", ordering="pk")
    def started(self, attempt: DeliveryAttempt) -> str:
        return moment(attempt.started_at)

    @admin.display(description="finished")
    def finished(self, attempt: DeliveryAttempt) -> str:
        return moment(attempt.finished_at)

    @admin.display(description="message")
    def about(self, attempt: DeliveryAttempt) -> str:
        return link(attempt.message)

    @admin.display(description="recipient")
    def recipient(self, attempt: DeliveryAttempt) -> str:
        return f"{attempt.message.recipient_role} {attempt.message.recipient_domain}"

    @admin.display(description="what it means")
    def meaning(self, attempt: DeliveryAttempt) -> str:
        return " ".join(filter(None, meanings.of_attempt(attempt)))
