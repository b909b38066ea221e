"""The screens of searches in messages: start one, look on, and see what it found."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from itertools import zip_longest
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.timezone import localdate, make_aware

from common import clock
from common.display import PLACEHOLDER
from participants.admin_base.html import moment
from participants.admin_base.pages import CHANGE, Page, may_read, may_view
from participants.admin_base.scalable import ReadOnlyAdmin, ScalableAdmin
from participants.admin_base.scoped import ScopedAdmin
from uftp import message_search
from uftp.admin.messages import badge_of_result
from uftp.models import InboundMessage, MessageSearch, Sender

POLL_EVERY = 1000
"""Milliseconds between two looks at a search that is under way."""

MAX_SUGGESTED = 500


class SearchForm(forms.Form):
    """What to search for, in whose messages, and of which days."""

    text = forms.CharField(
        max_length=600, min_length=4, label="Text", help_text="Such as an entity address; in any case"
    )
    sender = forms.CharField(
        max_length=260, label="Sender", help_text="Role and domain, such as AGR agr.example"
    )
    first = forms.DateField(label="First day", widget=forms.DateInput(attrs={"type": "date"}))
    last = forms.DateField(
        label="Last day",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=f"At most {message_search.MAX_DAYS} days in all",
    )

    def __init__(self, senders: QuerySet[Sender], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.senders = senders
        self.fields["text"].widget.attrs |= {"size": 50, "spellcheck": "false", "autocapitalize": "none"}
        self.fields["sender"].widget.attrs |= {"size": 50, "list": "senders", "autocapitalize": "none"}

    def clean_text(self) -> str:
        """Return the text; none of the database or of XML has NUL."""
        text: str = self.cleaned_data["text"].strip()
        if "\x00" in text:
            raise forms.ValidationError("No message has such a character.")
        return text

    def clean_sender(self) -> Sender:
        """Return the sender that the text names, among those in scope."""
        role, _, domain = self.cleaned_data["sender"].strip().partition(" ")
        found = self.senders.filter(role=role.upper(), domain=domain.strip().lower()).first()
        if found is None:
            raise forms.ValidationError("No message of this participant has come. Give its role and domain.")
        return found


def start_view(model_admin: ScopedAdmin, request: HttpRequest) -> HttpResponse:
    """Show the form of a new search; a POST starts it."""
    senders = model_admin.seen(request).restrict_named(Sender.objects.all(), "role", "domain")
    form = SearchForm(senders, request.POST or None, initial=_initial(request))
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        first, last = said["first"], min(said["last"], date.max - timedelta(days=1))
        moments = _start_of(first), _start_of(last + timedelta(days=1))
        try:
            search = message_search.start(
                said["sender"],
                said["text"],
                (first, last),
                moments,
                actor=request.user.get_username(),
                now=clock.now(),
            )
        except message_search.SearchRefused as refused:
            form.add_error(None, str(refused))
        else:
            return HttpResponseRedirect(model_admin.url_to("change", search.pk))
    suggested = senders.order_by("domain")[:MAX_SUGGESTED]
    title = "Search in the messages of a sender"
    return model_admin.page(request, "admin/uftp/search_start.html", title, form=form, senders=suggested)


def search_view(model_admin: ScopedAdmin, request: HttpRequest, search: MessageSearch) -> HttpResponse:
    """Show a search: how far it is, and what it has found."""
    title = f"Search for {search.text}"
    context = _progress(model_admin, request, search)
    return model_admin.page(request, "admin/uftp/search.html", title, **context)


def progress_view(model_admin: ScopedAdmin, request: HttpRequest, search: MessageSearch) -> HttpResponse:
    """Return the part of the page that changes while the search is under way."""
    context = _progress(model_admin, request, search)
    return TemplateResponse(request, "admin/uftp/search_progress.html", context)


def _progress(model_admin: ScopedAdmin, request: HttpRequest, search: MessageSearch) -> dict[str, Any]:
    shown: Any = model_admin.admin_site.get_model_admin(InboundMessage)
    rows = []
    if shown.has_view_permission(request):
        in_scope = shown.get_queryset(request).in_bulk(search.found)
        rows = [
            (
                shown.url_to("change", row.pk),
                row.message_type,
                moment(row.received_at),
                badge_of_result(row),
                place or "the XML as it is written",
            )
            for pk, place in zip_longest(search.found, search.places, fillvalue=PLACEHOLDER)
            if (row := in_scope.get(pk))
        ]
    unfinished = search.state in message_search.UNFINISHED
    return {
        "search": search,
        "rows": rows,
        "percent": min(100 * search.read // search.total, 100) if search.total else 0,
        "reached": f"{search.read:,} of {search.total:,} messages read",
        "unfinished": unfinished,
        "poll": model_admin.url_to("progress", search.pk) if unfinished else "",
        "poll_every": POLL_EVERY,
        "is_cut": search.state == MessageSearch.State.CUT,
        "again": f"{model_admin.url_to('start')}?{urlencode({'text': search.text, 'sender': search.sender})}",
    }


def _initial(request: HttpRequest) -> dict[str, Any]:
    today = localdate(clock.now())
    asked = {name: request.GET.get(name, "").replace("\x00", "") for name in ("text", "sender")}
    return {**asked, "first": today - timedelta(days=6), "last": today}


def _start_of(day: date) -> datetime:
    return make_aware(datetime.combine(day, time()))


@admin.register(MessageSearch)
class MessageSearchAdmin(ReadOnlyAdmin, ScalableAdmin):
    """The list of searches, and their pages."""

    audited = False
    list_display = ("started", "sender", "text", "days", "state", "hits")
    export_display = (
        ("Started", "created_at"),
        ("Sender's role", "sender.role"),
        ("Sender", "sender.domain"),
        "text",
        "first_day",
        "last_day",
        "state",
        ("Found", lambda search: len(search.found)),
    )
    list_select_related = ("sender",)
    change_list_template = "admin/uftp/searches.html"
    pages = (
        Page("start/", "start", start_view, may=may_view),
        Page("<path:object_id>/progress/", "progress", progress_view, may=may_read),
        Page(CHANGE, "change", search_view, may=may_read),
    )

    def in_scope(self, request: HttpRequest, rows: QuerySet[MessageSearch]) -> QuerySet[MessageSearch]:
        return self.seen(request).restrict_named(rows, "sender__role", "sender__domain")

    def get_queryset(self, request: HttpRequest) -> QuerySet[MessageSearch]:
        return super().get_queryset(request).select_related("sender").defer("messages")

    @admin.display(description="started")
    def started(self, search: MessageSearch) -> str:
        return f"{moment(search.created_at)} by {search.actor}"

    @admin.display(description="days")
    def days(self, search: MessageSearch) -> str:
        return f"{search.first_day} to {search.last_day}"

    @admin.display(description="found")
    def hits(self, search: MessageSearch) -> str:
        return f"{len(search.found):,}"
