"""The screen of refused requests: the meaning of each, and the faults of a message whose sender is proven."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html

from common.search import FieldCondition, by
from participants.admin_base.filters import DayRangeFilter
from participants.admin_base.html import link, moment, one_per_line
from participants.admin_base.pages import Page
from participants.admin_base.scalable import ReadOnlyAdmin, ScalableAdmin
from participants.models import Participant, Role
from uftp import meanings
from uftp.admin import explanation
from uftp.admin.filters import ClaimedRoleFilter, ClaimedSenderFilter, StatusFilter
from uftp.admin.messages import MAX_XML_BYTES, xml_box
from uftp.models import Refusal
from uftp.protocol.diagnostics.explanation import explain
from uftp.receiving.refusals import KEEP_DAYS
from uftp.receiving.schema_checks import schema_for


def download(model_admin: ScalableAdmin, request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """Send the stored part of the inner XML as a file."""
    if refusal.content is None:
        raise Http404
    return HttpResponse(
        bytes(refusal.content),
        content_type="application/xml",
        headers={"Content-Disposition": f'attachment; filename="refused-{refusal.pk}.xml"'},
    )


@admin.register(Refusal)
class RefusalAdmin(ReadOnlyAdmin, ScalableAdmin):
    """The screens of refused requests."""

    audited = False
    list_display = ("received", "claimed", "proven", "status", "line", "size_in_words", "address")
    export_display = (
        ("Refused", "at"),
        ("Claimed role", "role"),
        ("Claimed sender", "domain"),
        "verified",
        "status",
        "line",
        ("Size in bytes", "size"),
        "address",
    )
    list_filter = (
        StatusFilter,
        "verified",
        ClaimedSenderFilter,
        ClaimedRoleFilter,
        ("at", DayRangeFilter),
    )
    search_fields = ("domain__startswith", "address__exact")
    search_help_text = "The beginning of a domain, or the whole of a network address"
    sortable_by = ("received",)
    fields = ("received", "sender", "proven", "address", "answer", "meaning", "size_in_words")
    pages = (Page("<path:object_id>/xml/", "xml", download),)

    def search_conditions(self, request: HttpRequest, text: str) -> list[FieldCondition]:
        return [
            *by("sender", *(Q(role=role, domain__startswith=text.lower()) for role in Role.values)),
            *by("address", Q(address=text)),
        ]

    def in_scope(self, request: HttpRequest, rows: QuerySet[Refusal]) -> QuerySet[Refusal]:
        return self.seen(request).restrict_named(rows, "role", "domain")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Refusal]:
        return super().get_queryset(request).defer("content")

    def get_fieldsets(self, request: HttpRequest, obj: Refusal | None = None) -> Any:
        fieldsets: list[tuple[str | None, dict[str, Any]]] = [(None, {"fields": self.fields})]
        if obj is not None and obj.content is not None:
            fieldsets.append(("The message inside", {"fields": ("explained", "xml")}))
        return fieldsets

    @admin.display(description="refused", ordering="pk")
    def received(self, refusal: Refusal) -> str:
        return moment(refusal.at)

    @admin.display(description="claimed sender")
    def claimed(self, refusal: Refusal) -> str:
        return f"{refusal.role} {refusal.domain}"

    @admin.display(description="sender")
    def sender(self, refusal: Refusal) -> str:
        participant = Participant.objects.filter(role=refusal.role, domain=refusal.domain).first()
        return link(participant) if participant else self.claimed(refusal)

    @admin.display(description="signature")
    def proven(self, refusal: Refusal) -> str:
        if refusal.verified:
            return format_html('<span class="badge ok">{}</span>', "Verified")
        return format_html('<span class="badge warn">{}</span>', "Not verified")

    @admin.display(description="answer")
    def answer(self, refusal: Refusal) -> str:
        return f"{refusal.status}: {refusal.line}"

    @admin.display(description="what this means")
    def meaning(self, refusal: Refusal) -> str:
        sentences = [*meanings.of_refusal(refusal.status, refusal.line)]
        if not refusal.verified:
            sentences.append(
                "It is not proven that the request came from this participant: anybody can write its domain. "
                "The message in it is not stored."
            )
        elif refusal.content is None:
            sentences.append(
                "Its XML is no longer stored, because there have been many refused requests since."
            )
        sentences.append(f"Stored for {KEEP_DAYS} days.")
        return one_per_line(sentences)

    @admin.display(description="size")
    def size_in_words(self, refusal: Refusal) -> str:
        return filesizeformat(refusal.size)

    @admin.display(description="what is wrong")
    def explained(self, refusal: Refusal) -> str:
        content, complete = _stored_xml(refusal)
        if not complete:
            return "Only the beginning of this large message is stored. The answer says what is wrong first."
        return explanation.fault_list(
            explain(content, schema_for(content, refusal.major)),
            fallback="This explanation finds no fault. The answer says what the message endpoint found.",
        )

    @admin.display(description="XML")
    def xml(self, refusal: Refusal) -> str:
        content, complete = _stored_xml(refusal)
        complete = complete and len(content) <= MAX_XML_BYTES
        size, total = (
            filesizeformat(min(MAX_XML_BYTES, len(content))),
            filesizeformat(refusal.content_size or 0),
        )
        note = "" if complete else f"The first {size} of {total}. "
        page = reverse("admin:uftp_refusal_xml", args=[refusal.pk])
        return xml_box(content[:MAX_XML_BYTES], note, page, complete=complete)


def _stored_xml(refusal: Refusal) -> tuple[bytes, bool]:
    """Return the stored part of the inner XML, and whether it is complete."""
    content = bytes(refusal.content or b"")
    return content, len(content) == refusal.content_size
