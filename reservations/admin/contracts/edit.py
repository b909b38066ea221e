"""Enter and change contracts: the terms in a form, the profile in an editor.

Every button of the editor posts the whole form. The page comes back with what the button did; nothing is saved yet.
"""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from common.retry import retried
from participants.admin_base.pages import Page, may_add, may_change
from participants.admin_base.reasons import actor
from participants.admin_base.scoped import ScopedAdmin
from participants.models import Participant
from registry.admin.previewed_forms import market_today
from registry.changes import Source
from registry.market.market import market
from reservations.admin.contracts import page as contract_page
from reservations.admin.contracts.forms import ContractForm, SavingForm, as_typed
from reservations.admin.contracts.retroactive import changes_past
from reservations.admin.contracts.submission import NO_CHANGE, Asked, current_of, of_the_market, stored
from reservations.admin.contracts.texts import NOTHING_RESERVED, state_on
from reservations.admin.profiles.editor import EVERY_DAY, Editor, name_of
from reservations.admin.profiles.tools import Tools, run_tool
from reservations.contracts import record as contracts
from reservations.contracts.profiles import WEEKDAYS
from reservations.contracts.terms import ContractError, Terms
from reservations.isps import calendar
from reservations.models import Contract, ContractVersion

SAVE, CHECK = "save", "check"


def add_view(model_admin: ScopedAdmin, request: HttpRequest) -> HttpResponse:
    """Return the form of a new contract; with Save, record the contract."""
    return _edit(model_admin, request, None)


def add_preview(model_admin: ScopedAdmin, request: HttpRequest) -> HttpResponse:
    """Return the charts of the profile in the form, and what is wrong with it, as a part of the page."""
    if request.method != "POST":
        return HttpResponseRedirect(model_admin.url_to("add"))
    return _shown(model_admin, request, None)


def edit_view(model_admin: ScopedAdmin, request: HttpRequest, contract: Contract) -> HttpResponse:
    """Return the form of a contract; with Save, record its next version."""
    return _edit(model_admin, request, contract)


def edit_preview(model_admin: ScopedAdmin, request: HttpRequest, contract: Contract) -> HttpResponse:
    """Return the charts of the profile in the form, and what is wrong with it, as a part of the page."""
    if request.method != "POST":
        return HttpResponseRedirect(model_admin.url_to("edit", contract.pk))
    return _shown(model_admin, request, contract)


def _edit(model_admin: ScopedAdmin, request: HttpRequest, contract: Contract | None) -> HttpResponse:
    version = current_of(contract)
    if contract is not None and version is not None and version.profiles.count() > MOST_KINDS:
        many = (
            f"{version.profiles.count():,} kinds of day are too many to be changed here: import the contract."
        )
        model_admin.message_user(request, many, messages.WARNING)
        return HttpResponseRedirect(model_admin.url_to("change", contract.pk))
    if request.method != "POST":
        return _edit_page(model_admin, request, contract, version, _opened(model_admin, request, version))
    button = request.POST.get("do", CHECK)
    asked = _sent(model_admin, request, version, button)
    if button == SAVE and not asked.wrong:
        saved = _save(model_admin, request, contract, version, asked)
        if saved is not None:
            return saved
    elif button in (SAVE, CHECK):
        asked.check(contract, actor(request))
        asked.checked = not (asked.wrong or asked.meanwhile)
    return _edit_page(model_admin, request, contract, current_of(contract), asked)


def _opened(model_admin: ScopedAdmin, request: HttpRequest, version: ContractVersion | None) -> Asked:
    """Return the form before anything is typed."""
    form = ContractForm(seen=model_admin.acted_for(request), version=version)
    return Asked(form, SavingForm(version=version), stored(version), Tools(), [])


def _sent(
    model_admin: ScopedAdmin, request: HttpRequest, version: ContractVersion | None, button: str
) -> Asked:
    """Return the posted form after `button` has changed the profile; only Save and Check validate its fields."""
    editor = Editor.of_form(request.POST, *of_the_market())
    tools = run_tool(button, editor, request.POST)
    form = ContractForm(request.POST, seen=model_admin.acted_for(request), version=version)
    saving = SavingForm(request.POST, version=version)
    if button not in (SAVE, CHECK):
        saving = as_typed(SavingForm(version=version), request.POST)
        form = as_typed(ContractForm(seen=model_admin.acted_for(request), version=version), request.POST)
    return Asked(form, saving, editor, tools, [])


def _save(
    model_admin: ScopedAdmin,
    request: HttpRequest,
    contract: Contract | None,
    version: ContractVersion | None,
    asked: Asked,
) -> HttpResponse | None:
    """Record the contract and redirect to it; return None where it is refused, with the problems in the form."""
    said = asked.form.cleaned_data
    terms = asked.form.terms(asked.editor.profile, asked.editor.minutes)
    source = asked.source(actor(request))
    parties = (contract.dso, contract.agr) if contract else (said["dso"], said["agr"])
    contract_id = contract.contract_id if contract else said["contract_id"]
    try:
        recorded = retried(lambda: _record(parties, contract_id, terms, source, asked.saving))
    except ContractError as error:
        asked.refuse(contract, error.problems)
        return None
    if recorded is None:
        asked.refused = [NO_CHANGE]
        return None
    words = "is entered" if recorded.number == 1 else f"is changed: this is version {recorded.number}"
    model_admin.message_user(request, f"Contract {contract_id} {words}.", messages.SUCCESS)
    if recorded.state != ContractVersion.State.DRAFT and asked.reserves_nothing:
        model_admin.message_user(request, NOTHING_RESERVED, messages.WARNING)
    return HttpResponseRedirect(model_admin.url_to("change", recorded.contract_id))


def _record(
    parties: tuple[Participant, Participant],
    contract_id: str,
    terms: Terms,
    source: Source,
    saving: SavingForm,
) -> ContractVersion | None:
    return contracts.record(
        *parties,
        contract_id,
        terms,
        state=saving.chosen,
        source=source,
        expected=saving.cleaned_data["expected"],
    )


def _shown(model_admin: ScopedAdmin, request: HttpRequest, contract: Contract | None) -> HttpResponse:
    version = current_of(contract)
    asked = _sent(model_admin, request, version, CHECK)
    asked.editor.compare(stored(version))
    drawn = [each for each in contract_page.drawn(asked.editor) if each.pictured]
    return TemplateResponse(
        request,
        "admin/reservations/contract_preview.html",
        {"editor": asked.editor, "drawn": drawn, "past": _past(request, version, asked)},
    )


def _past(request: HttpRequest, version: ContractVersion | None, asked: Asked) -> list[str]:
    """Return the effects of saving on past days; nothing for a viewer without permission to view updates."""
    if version is None or not request.user.has_perm("reservations.view_reservationupdate"):
        return []
    return changes_past(version, asked.terms(version), asked.editor.time_zone, market_today())


def _edit_page(
    model_admin: ScopedAdmin,
    request: HttpRequest,
    contract: Contract | None,
    version: ContractVersion | None,
    asked: Asked,
) -> HttpResponse:
    editor, tools = asked.editor, asked.tools
    editor.compare(stored(version))
    pictures = {each.key: each for each in contract_page.drawn(editor)}
    return model_admin.page(
        request,
        "admin/reservations/contract_edit.html",
        f"Change contract {contract.contract_id}" if contract else "Add contract",
        row=contract,
        contract=contract,
        version=version,
        state=state_on(version, market_today())[1] if version else "",
        form=asked.form,
        saving=asked.saving,
        asked=asked,
        errors=asked.wrong,
        past=_past(request, version, asked),
        reserves_nothing=NOTHING_RESERVED if asked.reserves_nothing else "",
        editor=editor,
        parts=[(part, pictures[key]) for key, part in editor.parts.items()],
        tools=tools,
        kinds=[(key, name_of(key), key in tools.chosen) for key in KINDS],
        sources=[(key, part.name) for key, part in editor.parts.items()],
        market=market(),
        isps=calendar.usual_count(editor.minutes),
        folded=len(editor.parts) > OPEN,
        preview=model_admin.url_to("edit_preview", contract.pk)
        if contract
        else model_admin.url_to("add_preview"),
        cancel=model_admin.url_to("change", contract.pk) if contract else model_admin.url_to("changelist"),
    )


KINDS = (EVERY_DAY, *(str(number) for number in range(1, len(WEEKDAYS) + 1)))
MOST_KINDS = 400
"""How many kinds of day a form can hold."""

OPEN = 5
"""How many kinds of day the page shows open; of more, it opens only those that are unsaved or wrong."""

DENIED = "Changing a contract needs the permission to change contracts, and to act for both parties."
PAGES = (
    Page("add/", "add", add_view, may=may_add),
    Page("add/preview/", "add_preview", add_preview, may=may_add),
    Page("<path:object_id>/edit/", "edit", edit_view, may_change, DENIED),
    Page("<path:object_id>/edit/preview/", "edit_preview", edit_preview, may_change, DENIED),
)
