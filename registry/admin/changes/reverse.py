"""The page that reverses an import, or a decision about several conflicts, by one change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html

from participants.admin_base.html import link, moment
from participants.admin_base.pages import Page, may_view
from participants.admin_base.scoped import ScopedAdmin
from participants.models import Participant
from registry.admin.conflicts.forms import DecisionForm, decided
from registry.admin.previewed_forms import (
    MAX_LIVE_PREVIEW,
    TOO_MANY,
    FormResult,
    PreviewedForm,
    Verb,
    preview_form,
    preview_fragment,
    submit_form,
)
from registry.changes import Source
from registry.decisions.reverse_import import reverse_import
from registry.decisions.reverse_many import settle_many_anew
from registry.models import Change, Conflict
from registry.models.imports import ImportRun

SETTLE, IMPORT = "registry.settle_conflict", "registry.add_importrun"
DENIED = "Reversing this needs the right to make such a decision, and to act for all whom it concerns."


@dataclass(frozen=True, slots=True)
class Reversible:
    """What can be reversed as one: the import of a change, or its decision about conflicts.

    Attributes:
        title: The title of the page.
        says: Terms and texts about it.
        explained: What a reversal does.
        parties: Whom the decision is between; None for an import, which may concern every participant.
        number: How many conflicts were decided; 0 for an import.
    """

    title: str
    says: tuple[tuple[str, object], ...]
    explained: str
    parties: tuple[Participant, Participant] | None
    number: int


def decided_conflicts(change: Change) -> Any:
    """Return the conflicts that staff decided by `change`."""
    return Conflict.objects.filter(closed_by=change).exclude(decision="")


def reversible(change: Change) -> Reversible | None:
    """Return what of `change` can be reversed as one; None when it is neither an import of days nor a decision."""
    if change.kind == Change.Kind.IMPORT:
        run = ImportRun.objects.filter(change=change).first()
        if run is not None and run.kind == ImportRun.Kind.CONTRACTS:
            return None
        return Reversible(
            f"Reverse the import of {change.file_name}",
            (
                ("Import", link(run, str(run)) if run else change.file_name),
                ("Imported", f"{moment(change.moment)}, by {change.actor}"),
            ),
            "Days that the import registered are no longer claimed. Days that it ended are claimed again, and"
            " congestion points get back the terms that they had. Days that were changed since stay as they are."
            " Days that another participant holds by now are contested.",
            None,
            0,
        )
    first = decided_conflicts(change).select_related("holder", "claimant").first()
    if first is None:
        return None
    number = decided_conflicts(change).count()
    conflicts = f"{number:,} conflict{'' if number == 1 else 's'}"
    return Reversible(
        f"Reverse the decision about {conflicts}",
        (
            ("Decision", f"{decided(first)}, for {conflicts}" if number > 1 else decided(first)),
            ("Decided", f"{moment(change.moment)}, by {change.actor}"),
            ("Reason", change.reason),
        ),
        "All of these conflicts are decided again, in one step. The decision above is kept; the new one takes its place"
        " for the days that both still claim and that were not decided since.",
        (first.holder, first.claimant),
        number,
    )


def may_reverse(model_admin: ScopedAdmin, request: HttpRequest, change: Change) -> bool:
    """Return whether this member of staff may reverse what `change` did."""
    return may_view(model_admin, request, change) and _is_allowed(model_admin, request, _found(change))


def _is_allowed(model_admin: ScopedAdmin, request: HttpRequest, found: Reversible) -> bool:
    if found.parties is None:
        return request.user.has_perm(IMPORT) and model_admin.acted_for(request).everyone
    return request.user.has_perm(SETTLE) and model_admin.may_act(request, *found.parties)


def reverse_url(model_admin: ScopedAdmin, request: HttpRequest, change: Change) -> str:
    """Return the address of the page that reverses `change`; empty where there is none for this member of staff."""
    found = reversible(change)
    if found is None or not _is_allowed(model_admin, request, found):
        return ""
    return str(model_admin.url_to("reverse", change.pk))


def reverse_view(model_admin: ScopedAdmin, request: HttpRequest, change: Change) -> HttpResponse:
    """Show what a reversal would do; a POST with a reason, and a decision for conflicts, does it."""
    found = _found(change)
    if request.method != "POST":
        return _page(model_admin, request, change, found, _form(found), FormResult())
    form = _form(found, request.POST)
    if not form.is_valid():
        result = _preview(request, change, found) if _is_live(found) else FormResult()
        return _page(model_admin, request, change, found, form, result)
    result = submit_form(request, _verb(change, found, form), form.why)
    if result.change is None:
        return _page(model_admin, request, change, found, form, result)
    said = "The import is reversed. {}" if found.parties is None else "The conflicts are decided again. {}"
    done = Change.objects.get(pk=result.change)
    model_admin.message_user(request, format_html(said, link(done, "See what changed")), messages.SUCCESS)
    return HttpResponseRedirect(model_admin.url_to("change", change.pk))


def preview_view(model_admin: ScopedAdmin, request: HttpRequest, change: Change) -> HttpResponse:
    """Return the consequences of the reversal in the form, as a part of the page."""
    if request.method != "POST":
        return HttpResponseRedirect(model_admin.url_to("reverse", change.pk))
    found = _found(change)
    if not _is_live(found):
        return preview_fragment(request, FormResult(hint=TOO_MANY))
    return preview_fragment(request, _preview(request, change, found))


def _found(change: Change) -> Reversible:
    found = reversible(change)
    if found is None:
        raise Http404
    return found


def _is_live(found: Reversible) -> bool:
    """Return whether the consequences follow while the form is filled in; an import may be of any size."""
    return found.parties is not None and found.number <= MAX_LIVE_PREVIEW


def _form(found: Reversible, *data: Any, previewing: bool = False) -> PreviewedForm:
    if found.parties is None:
        return PreviewedForm(*data, previewing=previewing)
    holder, claimant = found.parties
    return DecisionForm(*data, holder=holder, claimant=claimant, days=None, previewing=previewing)


def _verb(change: Change, found: Reversible, form: PreviewedForm) -> Verb:
    if not isinstance(form, DecisionForm):

        def undo(source: Source, today: date, expected: str | None) -> int:
            return reverse_import(change.pk, source=source, today=today, expected=expected)

        return undo
    decision, at = form.cleaned_data["decision"], form.day

    def decide(source: Source, today: date, expected: str | None) -> int:
        return settle_many_anew(change.pk, decision, at=at, source=source, today=today, expected=expected)

    return decide


def _preview(request: HttpRequest, change: Change, found: Reversible) -> FormResult:
    form = _form(found, request.POST, previewing=True)
    if not form.is_valid():
        return FormResult(hint=form.missing_fields_text)
    return preview_form(request, _verb(change, found, form), form.why)


def _page(
    model_admin: ScopedAdmin,
    request: HttpRequest,
    change: Change,
    found: Reversible,
    form: PreviewedForm,
    result: FormResult,
) -> HttpResponse:
    live = _is_live(found)
    show = "Give a reason" if found.parties is None else "Choose a decision and give a reason"
    return model_admin.page(
        request,
        "admin/registry/reverse.html",
        found.title,
        row=change,
        says=found.says,
        explained=found.explained,
        reversed_by=[link(each, f"change {each.pk}") for each in change.reversed_by.order_by("pk")],
        form=form,
        errors=None,
        result=result,
        live=live,
        decides=found.parties is not None,
        splits=found.parties is not None,
        before="Choose a decision to see the consequences."
        if live
        else f"{show}, then look at the consequences.",
        button=_button(found) if live or result.consequences else "Show the consequences",
        preview=model_admin.url_to("reverse_preview", change.pk),
        back=model_admin.url_to("change", change.pk),
    )


def _button(found: Reversible) -> str:
    if found.parties is None:
        return "Reverse the import"
    return f"Decide {found.number:,} conflict{'' if found.number == 1 else 's'} again"


PAGES = (
    Page("<path:object_id>/reverse/preview/", "reverse_preview", preview_view, may_reverse, DENIED),
    Page("<path:object_id>/reverse/", "reverse", reverse_view, may_reverse, DENIED),
)
