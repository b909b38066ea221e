"""The journal on the page of a participant, a conflict or a contract, for staff in scope.

A page has `JOURNAL_PAGES` among its `pages`, adds `journal_of` to its context and includes
`admin/participants/journal.html`. Who may see the row may read its journal. Who may write journals, and acts for one of
the participants that the row concerns, may write in it.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, Prefetch
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import content_disposition_header
from django.utils.timezone import localdate

from common import clock
from participants.admin_base.html import moment
from participants.admin_base.pages import Page, may_read, may_view
from participants.admin_base.scoped import ScopedAdmin
from participants.journal import entries, follow_ups
from participants.journal.entries import MAX_FILE_BYTES, MAX_FILES, MAX_TEXT, File, size_in_words
from participants.models import Attachment, JournalEntry, Participant

READS, WRITES = "participants.view_journalentry", "participants.add_journalentry"
DENIED = "Writing in this journal needs the right to write journals, and to act for a participant that it concerns."
LATEST = 10
"""So many entries are on the page of the row itself."""
PER_PAGE = 50

SERVED_AS = {
    "Content-Type": "application/octet-stream",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, no-store",
}
"""An attachment is a download of unknown content, whatever it is: no browser shows it."""


class FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Several files, none of them empty or too large: the error says which."""

    widget = FilesInput

    def __init__(self, **kwargs: Any) -> None:
        # Django's own error for an empty file names none.
        super().__init__(allow_empty_file=True, **kwargs)

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        if not data:
            return []
        files = [super(FilesField, self).clean(each, initial) for each in data]
        for file in files:
            if not file.size:
                raise ValidationError(entries.is_empty(file.name))
            if file.size > MAX_FILE_BYTES:
                raise ValidationError(entries.too_large(file.name, file.size))
        return files


class CommentForm(forms.Form):
    """A comment, with files."""

    text = forms.CharField(
        label="Comment",
        max_length=MAX_TEXT,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
    )
    attachments = FilesField(
        required=False,
        label="Files",
        help_text=f"At most {MAX_FILES}, each of at most {size_in_words(MAX_FILE_BYTES)}",
    )


class FollowUpForm(forms.Form):
    """Who looks after the object, and until which day it waits."""

    assignee = forms.ModelChoiceField(
        queryset=User.objects.none(), required=False, label="Assigned to", empty_label="Nobody"
    )
    wait_until = forms.DateField(
        required=False,
        label="Wait until",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Give a day, such as 2026-12-31."},
    )

    def __init__(self, *args: Any, about: Model, participants: list[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        assignee = self.fields["assignee"]
        assert isinstance(assignee, forms.ModelChoiceField)
        assignee.queryset = follow_ups.may_be_assigned(about, participants)


def may_write(model_admin: Any, request: HttpRequest, row: Any) -> bool:
    """Return whether this member of staff may write in the journal of `row`."""
    return (
        may_view(model_admin, request, row)
        and request.user.has_perm(WRITES)
        and any(pk in model_admin.acted_for(request) for pk in _participants(model_admin, row))
    )


def journal_of(
    model_admin: ScopedAdmin, request: HttpRequest, row: Any, forms_with_errors: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the context of the journal on the page of `row`."""
    if not request.user.has_perm(READS):
        return {}
    writes, follow_up = may_write(model_admin, request, row), follow_ups.of(row)
    rows = JournalEntry.objects.about(row)
    latest = list(rows.prefetch_related(_attachments())[: LATEST + 1])
    context: dict[str, Any] = {
        "journal": {
            "entries": _shown(model_admin, request, row, latest[:LATEST]),
            "more": len(latest) > LATEST,
            "url": model_admin.url_to("journal", row.pk),
            "follow_up": follow_up,
            "follow_up_url": model_admin.url_to("journal_follow_up", row.pk),
            "is_due": bool(
                follow_up and follow_up.wait_until and follow_up.wait_until <= localdate(clock.now())
            ),
            "writes": writes,
        }
    }
    if writes:
        context["journal"] |= {
            "comment_form": CommentForm(prefix="journal"),
            "follow_up_form": FollowUpForm(
                about=row,
                participants=_participants(model_admin, row),
                prefix="follow_up",
                initial={
                    "assignee": follow_up.assignee_id if follow_up else None,
                    "wait_until": follow_up.wait_until if follow_up else None,
                },
            ),
        }
    context["journal"] |= forms_with_errors or {}
    return context


def journal_view(model_admin: ScopedAdmin, request: HttpRequest, row: Any) -> HttpResponse:
    """Show the whole journal of a row; a POST adds a comment to it."""
    if request.method != "POST":
        return _page(model_admin, request, row)
    if not may_write(model_admin, request, row):
        raise PermissionDenied(DENIED)
    form = CommentForm(request.POST, request.FILES, prefix="journal")
    if form.is_valid():
        try:
            entries.write(
                row,
                form.cleaned_data["text"],
                author=request.user.get_username(),
                participants=_participants(model_admin, row),
                files=[File(file.name, file.read()) for file in form.cleaned_data["attachments"]],
            )
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return _back(model_admin, request, row, "Your comment is in the journal.")
    return _page(model_admin, request, row, {"comment_form": form})


def follow_up_view(model_admin: ScopedAdmin, request: HttpRequest, row: Any) -> HttpResponse:
    """Assign the row, and set until which day it waits."""
    if request.method != "POST":
        return HttpResponseRedirect(model_admin.url_to("journal", row.pk))
    participants = _participants(model_admin, row)
    form = FollowUpForm(request.POST, about=row, participants=participants, prefix="follow_up")
    if not form.is_valid():
        return _page(model_admin, request, row, {"follow_up_form": form})
    changed = follow_ups.follow_up(
        row,
        assignee=form.cleaned_data["assignee"],
        wait_until=form.cleaned_data["wait_until"],
        by=request.user.get_username(),
        participants=participants,
    )
    return _back(model_admin, request, row, "Saved." if changed else "Nothing has changed.")


def remove_view(model_admin: ScopedAdmin, request: HttpRequest, row: Any, number: int) -> HttpResponse:
    """Remove a comment: by who wrote it, or by a superuser."""
    entry = JournalEntry.objects.about(row).filter(pk=number).first()
    if entry is None:
        raise Http404
    if request.method != "POST":
        return HttpResponseRedirect(model_admin.url_to("journal", row.pk))
    if not _may_remove(request, entry):
        raise PermissionDenied("An entry is removed by who wrote it, or by a superuser.")
    try:
        entries.remove(entry, by=request.user.get_username(), now=clock.now())
    except ValidationError as error:
        model_admin.message_user(request, " ".join(error.messages), messages.WARNING)
    return _back(model_admin, request, row, "")


def file_view(model_admin: ScopedAdmin, request: HttpRequest, row: Any, number: int) -> HttpResponse:
    """Send an attachment as a download."""
    file = Attachment.objects.filter(pk=number, entry__in=JournalEntry.objects.about(row)).first()
    if file is None or not request.user.has_perm(READS):
        raise Http404
    disposition = content_disposition_header(as_attachment=True, filename=file.name)
    return HttpResponse(
        bytes(file.content), headers={**SERVED_AS, "Content-Disposition": disposition or "attachment"}
    )


def _page(
    model_admin: ScopedAdmin, request: HttpRequest, row: Any, forms_with_errors: dict[str, Any] | None = None
) -> HttpResponse:
    """Return the page with the whole journal of a row."""
    context = journal_of(model_admin, request, row, forms_with_errors)
    if not context:
        raise PermissionDenied
    rows = JournalEntry.objects.about(row).prefetch_related(_attachments())
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context["journal"] |= {
        "entries": _shown(model_admin, request, row, list(page)),
        "more": False,
        "page": page,
    }
    return model_admin.page(
        request, "admin/participants/journal_page.html", "Journal", row=row, errors=None, **context
    )


def _shown(
    model_admin: ScopedAdmin, request: HttpRequest, row: Any, shown: list[JournalEntry]
) -> list[dict[str, Any]]:
    writes = may_write(model_admin, request, row)
    return [
        {
            "entry": entry,
            "moment": moment(entry.moment),
            "removed": moment(entry.removed_at) if entry.removed_at else "",
            "files": [
                (
                    model_admin.url_to("journal_file", row.pk, file.pk),
                    file.name,
                    size_in_words(file.size),
                )
                for file in entry.attachments.all()
            ],
            "remove_url": model_admin.url_to("journal_remove", row.pk, entry.pk)
            if writes and not entry.is_follow_up and not entry.removed_at and _may_remove(request, entry)
            else "",
        }
        for entry in shown
    ]


def _attachments() -> Any:
    return Prefetch("attachments", Attachment.objects.defer("content"))


def _may_remove(request: HttpRequest, entry: JournalEntry) -> bool:
    return bool(request.user.is_superuser) or entry.author == request.user.get_username()


def _participants(model_admin: ScopedAdmin, row: Any) -> list[int]:
    """Return the primary keys of the participants that a row concerns."""
    if isinstance(row, Participant):
        return [row.pk]
    return [getattr(row, f"{path}_id") for path in model_admin.scope_by]


def _back(model_admin: ScopedAdmin, request: HttpRequest, row: Any, said: str) -> HttpResponse:
    if said:
        model_admin.message_user(request, said, messages.SUCCESS)
    return HttpResponseRedirect(f"{model_admin.url_to('change', row.pk)}#journal")


JOURNAL_PAGES = (
    Page("<path:object_id>/journal/file/<int:number>/", "journal_file", file_view, may_read),
    Page("<path:object_id>/journal/remove/<int:number>/", "journal_remove", remove_view, may_write, DENIED),
    Page("<path:object_id>/journal/follow-up/", "journal_follow_up", follow_up_view, may_write, DENIED),
    Page("<path:object_id>/journal/", "journal", journal_view),
)
