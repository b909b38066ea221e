"""Put contracts in force, end them, and make them drafts again; each page shows the consequences first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from common.retry import retried
from participants.admin_base.html import count_in_words
from participants.admin_base.pages import Page, may_change
from participants.admin_base.reasons import ReasonForm, actor
from participants.admin_base.scoped import ScopedAdmin
from registry.admin.previewed_forms import DayInput, market_today
from registry.admin.time_forms import NO_DAY
from registry.changes import Source
from registry.periods import in_words, last_day
from reservations.admin.contracts import page as contract_page
from reservations.admin.contracts.texts import state_badge
from reservations.contracts import record as contracts
from reservations.contracts.terms import ContractError
from reservations.models import Contract, ContractVersion, ReservationUpdate, UpdateState

Verb = Callable[[Source], ContractVersion | None]
State = ContractVersion.State

VERBS = {
    State.IN_FORCE: (contracts.put_in_force, "Put in force", "in force", "contract_in_force.html"),
    State.DRAFT: (contracts.back_to_draft, "Make a draft again", "a draft", "contract_back_to_draft.html"),
}
"""By the new state: the verb, its title, the words for the state, and the template."""

MAX_NAMED = 10
"""How many days a sentence names at most."""


class StateForm(ReasonForm):
    """Ask for the reason; `expected` is the number of the version that the page was made from."""

    expected = forms.IntegerField(widget=forms.HiddenInput)


class EndForm(StateForm):
    """Ask for the last day, too; the page posts back as `seen` the last day that it showed the consequences of."""

    last = forms.DateField(
        widget=DayInput,
        label="Last day",
        help_text="It still counts.",
        error_messages={"required": "Give the last day.", "invalid": NO_DAY},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].widget.attrs["data-no-preview"] = ""


def put_in_force_view(model_admin: ScopedAdmin, request: HttpRequest, contract: Contract) -> HttpResponse:
    """Show what it means and ask for the reason; on a POST, put the contract in force."""
    return _change_state(model_admin, request, contract, State.IN_FORCE)


def back_to_draft_view(model_admin: ScopedAdmin, request: HttpRequest, contract: Contract) -> HttpResponse:
    """Show what it means and ask for the reason; on a POST, make the contract a draft again."""
    if contract.updates.exists():
        text = "Updates are about the contract: it cannot become a draft again. End it instead."
        model_admin.message_user(request, text, messages.WARNING)
        return HttpResponseRedirect(model_admin.url_to("change", contract.pk))
    return _change_state(model_admin, request, contract, State.DRAFT)


def _change_state(
    model_admin: ScopedAdmin, request: HttpRequest, contract: Contract, state: ContractVersion.State
) -> HttpResponse:
    version = contract.versions.current().get()
    verb, title, words, template = VERBS[state]
    if version.state == state:
        model_admin.message_user(request, f"The contract is {words} already.", messages.WARNING)
        return HttpResponseRedirect(model_admin.url_to("change", contract.pk))
    form = StateForm(request.POST or None, initial={"expected": version.number})
    if request.method == "POST" and form.is_valid():
        expected = form.cleaned_data["expected"]
        if _apply(request, form, lambda source: verb(contract, source=source, expected=expected)):
            again = "" if version.state == State.DRAFT else " again"
            model_admin.message_user(
                request, f"Contract {contract.contract_id} is {words}{again}.", messages.SUCCESS
            )
            return HttpResponseRedirect(model_admin.url_to("change", contract.pk))
    today, seen = market_today(), model_admin.seen(request)
    return model_admin.page(
        request,
        f"admin/reservations/{template}",
        title,
        row=contract,
        contract=contract,
        form=form,
        facts=contract_page.facts(contract, version, state_badge(version, today), seen),
        days=in_words(version.period),
        last=last_day(version.period) if version.state == State.ENDED else None,
        notices=contract_page.notices(contract, version, today, seen),
        submit=title,
        cancel=model_admin.url_to("change", contract.pk),
    )


def end_view(model_admin: ScopedAdmin, request: HttpRequest, contract: Contract) -> HttpResponse:
    """Ask for the last day and the reason; end the contract once its consequences were shown for the same day."""
    version = contract.versions.current().get()
    if version.state == State.DRAFT:
        model_admin.message_user(request, "A draft is not in force and cannot end.", messages.WARNING)
        return HttpResponseRedirect(model_admin.url_to("change", contract.pk))
    form = EndForm(request.POST or None, initial={"expected": version.number})
    hint = ""
    if request.method == "POST" and form.is_valid():
        last, expected = form.cleaned_data["last"], form.cleaned_data["expected"]
        if request.POST.get("seen") != str(last):
            hint = "Look at the consequences. If they are what you mean, press the button once more."
        elif _apply(
            request,
            form,
            lambda source: contracts.end(contract, last, source=source, expected=expected),
        ):
            text = f"Contract {contract.contract_id} ends with {last}."
            model_admin.message_user(request, text, messages.SUCCESS)
            return HttpResponseRedirect(model_admin.url_to("change", contract.pk))
    return model_admin.page(
        request,
        "admin/reservations/contract_end.html",
        "End contract",
        row=contract,
        contract=contract,
        form=form,
        facts=contract_page.facts(
            contract, version, state_badge(version, market_today()), model_admin.seen(request)
        ),
        hint=hint,
        consequences=_consequences(request, contract, version) if request.method == "POST" else None,
        preview=model_admin.url_to("end_preview", contract.pk),
        submit="End the contract",
        cancel=model_admin.url_to("change", contract.pk),
    )


def end_preview(model_admin: ScopedAdmin, request: HttpRequest, contract: Contract) -> HttpResponse:
    """Return the consequences of the last day in the form, as a part of the page."""
    version = contract.versions.current().get()
    if request.method != "POST":
        return HttpResponseRedirect(model_admin.url_to("end", contract.pk))
    return TemplateResponse(
        request,
        "admin/reservations/contract_end_meaning.html",
        {"consequences": _consequences(request, contract, version)},
    )


def _apply(request: HttpRequest, form: StateForm, verb: Verb) -> bool:
    """Do what the form asks for; return False where it is refused, after adding the problems to the form."""
    source = Source.of_staff(actor(request), form.cleaned_data["reason"])
    try:
        retried(lambda: verb(source))
    except ContractError as error:
        for name, text in error.errors:
            place = "last" if name == "end" else name
            form.add_error(place if place in form.fields else None, text)
        return False
    return True


def _consequences(
    request: HttpRequest, contract: Contract, version: ContractVersion
) -> dict[str, Any] | None:
    """Return the consequences of the last day in the form; None without a last day."""
    form = EndForm(request.POST)
    form.is_valid()
    last: date | None = form.cleaned_data.get("last")
    if last is None:
        return None
    sees = request.user.has_perm("reservations.view_reservationupdate")
    return {"last": last, "sentences": list(_end_consequences(contract, version, last, sees=sees))}


def _end_consequences(
    contract: Contract, version: ContractVersion, last: date, *, sees: bool
) -> list[SafeString | str]:
    """Return the consequences of ending the contract with `last`, in sentences."""
    before, today = last_day(version.period), market_today()
    if last < version.period.lower:
        return [
            f"The contract begins on {version.period.lower}: it cannot end before. If it never was in force, make it a"
            " draft again."
        ]
    if before is not None and last > before:
        return [f"The contract ends with {before} already: change its days to have it longer."]
    sentences: list[SafeString | str] = [
        f"Updates for days after {last} are rejected. The days up to {last} stay as they are, and count."
    ]
    if last < today:
        sentences.append(
            f"{last} is past: the days since then, today included, are no longer in the contract."
        )
    if sees:
        sentences.append(_updates_after(contract, last))
    days = [each for each in contract_page.editor_of(version).parts.values() if each.day and each.day > last]
    if days:
        names = ", ".join(each.key for each in days[:MAX_NAMED])
        more = f" and {len(days) - MAX_NAMED} more" if len(days) > MAX_NAMED else ""
        sentences.append(f"Single days of the profile after it are left out: {names}{more}.")
    return sentences


def _updates_after(contract: Contract, last: date) -> SafeString | str:
    """Return a sentence on the updates that count for days after `last`: their number and their days."""
    counting = UpdateState.objects.current().filter(state__in=UpdateState.COUNTING)
    updates: QuerySet[ReservationUpdate] = ReservationUpdate.objects.filter(
        contract=contract, period__gt=last, pk__in=counting.values("update")
    )
    days = list(updates.order_by("period").values_list("period", flat=True).distinct()[: MAX_NAMED + 1])
    if not days:
        return "No update that counts is about a day after it."
    names = ", ".join(map(str, days[:MAX_NAMED])) + (" and more" if len(days) > MAX_NAMED else "")
    return format_html(
        "<strong>Updates that count for days after it: {}</strong>, for {}. They are kept, and these days are no"
        " longer settled.",
        count_in_words(updates),
        names,
    )


DENIED = "Changing a contract's state needs the permission to change contracts, and to act for both parties."
PAGES = (
    Page("<path:object_id>/in-force/", "put_in_force", put_in_force_view, may_change, DENIED),
    Page("<path:object_id>/draft/", "back_to_draft", back_to_draft_view, may_change, DENIED),
    Page("<path:object_id>/end/", "end", end_view, may_change, DENIED),
    Page("<path:object_id>/end/preview/", "end_preview", end_preview, may_change, DENIED),
)
