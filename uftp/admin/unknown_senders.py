"""The screen of unknown senders: those of which this CRO has no key; to register one, and to clear the list."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from common.retry import retried
from participants import audit
from participants.admin_base.html import moment, one_per_line
from participants.admin_base.pages import Page
from participants.admin_base.reasons import ReasonForm, actor
from participants.admin_base.scalable import ReadOnlyAdmin, ScalableAdmin
from participants.models import Participant
from uftp import meanings
from uftp.models import OtherUnknownSenders, UnknownSender
from uftp.receiving.unknown_senders import (
    KEEP_DAYS,
    MAX_ROWS,
    MAX_ROWS_PER_NETWORK,
    MAX_ROWS_PER_SITE,
    QUIET_DAYS,
    clear,
)

PERMISSION = "uftp.delete_unknownsender"


def may_clear(model_admin: ScalableAdmin, request: HttpRequest) -> bool:
    """Return whether this member of staff may clear the list, which concerns every participant."""
    return model_admin.has_view_permission(request) and request.user.has_perm(PERMISSION)


def clear_list(model_admin: ScalableAdmin, request: HttpRequest) -> HttpResponse:
    """Ask why, and delete all unknown senders. Those that come again are listed again."""
    back = model_admin.url_to("changelist")
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():

        def do() -> dict[str, int]:
            deleted = clear()
            audit.record(
                actor(request),
                "clear unknown senders",
                f"{deleted['senders']} unknown senders",
                before=deleted,
                reason=form.cleaned_data["reason"],
                about=None,
            )
            return deleted

        before = retried(do)
        text = f"{before['senders']:,} unknown sender{'' if before['senders'] == 1 else 's'} cleared."
        model_admin.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(back)
    return model_admin.page(
        request,
        "admin/uftp/unknownsender/clear.html",
        "Clear the list of unknown senders",
        form=form,
        senders=UnknownSender.objects.count(),
        others=OtherUnknownSenders.objects.first(),
        submit="Clear the list",
        cancel=back,
    )


@admin.register(UnknownSender)
class UnknownSenderAdmin(ReadOnlyAdmin, ScalableAdmin):
    """The screens of unknown senders. They are no participants, so they are for staff who see every participant."""

    audited = False
    actions = None
    list_display = ("domain", "role_column", "address", "requests_in_words", "latest", "line")
    export_display = ("domain", "role", "address", "requests", "first_at", "last_at", "line")
    search_fields = ("domain__startswith", "address__exact")
    search_help_text = "The beginning of a domain, or the whole of a network address"
    sortable_by = ("requests_in_words", "latest")
    ordering = ("-last_at",)
    fields = ("domain", "role_column", "address", "requests_in_words", "first", "latest", "line", "meaning")
    pages = (Page("clear/", "clear", clear_list, may=may_clear),)

    def in_scope(self, request: HttpRequest, rows: QuerySet[UnknownSender]) -> QuerySet[UnknownSender]:
        """Return all senders that are not registered, or none."""
        if not self.seen(request).everyone:
            return rows.none()
        registered = Participant.objects.filter(role=OuterRef("role"), domain=OuterRef("domain"))
        return rows.filter(~Exists(registered))

    def has_view_permission(self, request: HttpRequest, obj: UnknownSender | None = None) -> bool:
        return bool(super().has_view_permission(request, obj)) and self.seen(request).everyone

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_list_display(self, request: HttpRequest) -> Any:
        return (*self.list_display, "register") if self._may_register(request) else self.list_display

    def get_fields(self, request: HttpRequest, obj: UnknownSender | None = None) -> Any:
        return (*self.fields, "register") if self._may_register(request) else self.fields

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        others = OtherUnknownSenders.objects.first()
        context = {
            "rows": f"{MAX_ROWS:,}",
            "rows_of_address": MAX_ROWS_PER_NETWORK,
            "rows_of_site": MAX_ROWS_PER_SITE,
            "days": KEEP_DAYS,
            "quiet_days": QUIET_DAYS,
            "clear": self.url_to("clear") if may_clear(self, request) else "",
            "others": others,
            "others_in_words": f"{others.requests:,}" if others else "",
            "others_at": moment(others.last_at) if others else "",
        }
        return super().changelist_view(request, {**(extra_context or {}), **context})

    def _may_register(self, request: HttpRequest) -> bool:
        return self.admin_site.get_model_admin(Participant).has_add_permission(request)

    @admin.display(description="role")
    def role_column(self, sender: UnknownSender) -> str:
        return sender.role

    @admin.display(description="requests", ordering="requests")
    def requests_in_words(self, sender: UnknownSender) -> str:
        return f"{sender.requests:,}"

    @admin.display(description="first request")
    def first(self, sender: UnknownSender) -> str:
        return moment(sender.first_at)

    @admin.display(description="latest request", ordering="last_at")
    def latest(self, sender: UnknownSender) -> str:
        return moment(sender.last_at)

    @admin.display(description="what this means")
    def meaning(self, sender: UnknownSender) -> str:
        return one_per_line(
            [
                meanings.of_refusal(419, sender.line).text,
                "Nothing of this is proven: anybody can write any role and domain into a request.",
                "To register it, get its public key through a channel that you trust, and type it in. Its system sends "
                "the message again by itself.",
            ]
        )

    @admin.display(description="register")
    def register(self, sender: UnknownSender) -> SafeString:
        """Return a link to the form of a new participant, with role and domain filled in and nothing else."""
        page = reverse("admin:participants_participant_add")
        query = urlencode({"role": sender.role, "domain": sender.domain})
        return format_html('<a href="{}?{}">Register this one</a>', page, query)
