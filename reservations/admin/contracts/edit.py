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
from reservations.admin.contracts.forms import ContractForm, SavingForm, unvalidated
from reservations.admin.contracts.retroactive import retroactive_effects
from reservations.admin.contracts.submission import (
    NO_CHANGE,
    SubmittedContract,
    current_of,
    market_frame,
    stored,
)
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
    return _render(model_admin, request, None)


def edit_view(model_admin: ScopedAdmin, request: HttpRequest, contract: Contract) -> HttpResponse:
    """Return the form of a contract; with Save, record its next version."""
    return _edit(model_admin, request, contract)


def edit_preview(model_admin: ScopedAdmin, request: HttpRequest, contract: Contract) -> HttpResponse:
    """Return the charts of the profile in the form, and what is wrong with it, as a part of the page."""
    if request.method != "POST":
        return HttpResponseRedirect(model_admin.url_to("edit", contract.pk))
    return _render(model_admin, request, contract)


def _edit(model_admin: ScopedAdmin, request: HttpRequest, contract: Contract | None) -> HttpResponse:
    version = current_of(contract)
    if contract is not None and version is not None and version.profiles.count() > MAX_DAY_KINDS:
        text = (
            f"{version.profiles.count():,} kinds of day are too many to be changed here: import the contract."
        )
        model_admin.message_user(request, text, messages.WARNING)
        return HttpResponseRedirect(model_admin.url_to("change", contract.pk))
    if request.method != "POST":
        return _edit_page(model_admin, request, contract, version, _initial(model_admin, request, version))
    button = request.POST.get("do", CHECK)
    submitted = _submitted(model_admin, request, version, button)
    if button == SAVE and not submitted.wrong:
        saved = _save(model_admin, request, contract, version, submitted)
        if saved is not None:
            return saved
    elif button in (SAVE, CHECK):
        submitted.check(contract, actor(request))
        submitted.checked = not (submitted.wrong or submitted.changed_meanwhile)
    return _edit_page(model_admin, request, contract, current_of(contract), submitted)


def _initial(
    model_admin: ScopedAdmin, request: HttpRequest, version: ContractVersion | None
) -> SubmittedContract:
    """Return the form before anything is typed."""
    form = ContractForm(seen=model_admin.acted_for(request), version=version)
    return SubmittedContract(form, SavingForm(version=version), stored(version), Tools(), [])


def _submitted(
    model_admin: ScopedAdmin, request: HttpRequest, version: ContractVersion | None, button: str
) -> SubmittedContract:
    """Return the posted form after `button` has changed the profile; only Save and Check validate its fields."""
    editor = Editor.of_form(request.POST, *market_frame())
    tools = run_tool(button, editor, request.POST)
    form = ContractForm(request.POST, seen=model_admin.acted_for(request), version=version)
    saving = SavingForm(request.POST, version=version)
    if button not in (SAVE, CHECK):
        saving = unvalidated(SavingForm(version=version), request.POST)
        form = unvalidated(ContractForm(seen=model_admin.acted_for(request), version=version), request.POST)
    return SubmittedContract(form, saving, editor, tools, [])


def _save(
    model_admin: ScopedAdmin,
    request: HttpRequest,
    contract: Contract | None,
    version: ContractVersion | None,
    submitted: SubmittedContract,
) -> HttpResponse | None:
    """Record the contract and redirect to it; return None where it is refused, with the problems in the form."""
    values = submitted.form.cleaned_data
    terms = submitted.form.terms(submitted.editor.profile, submitted.editor.minutes)
    source = submitted.source(actor(request))
    parties = (contract.dso, contract.agr) if contract else (values["dso"], values["agr"])
    contract_id = contract.contract_id if contract else values["contract_id"]
    try:
        recorded = retried(lambda: _record(parties, contract_id, terms, source, submitted.saving_form))
    except ContractError as error:
        submitted.add_problems(contract, error.problems)
        return None
    if recorded is None:
        submitted.errors = [NO_CHANGE]
        return None
    words = "is entered" if recorded.number == 1 else f"is changed: this is version {recorded.number}"
    model_admin.message_user(request, f"Contract {contract_id} {words}.", messages.SUCCESS)
    if recorded.state != ContractVersion.State.DRAFT and submitted.reserves_nothing:
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


def _render(model_admin: ScopedAdmin, request: HttpRequest, contract: Contract | None) -> HttpResponse:
    version = current_of(contract)
    submitted = _submitted(model_admin, request, version, CHECK)
    submitted.editor.compare(stored(version))
    profiles = [each for each in contract_page.day_profiles(submitted.editor) if each.drawn]
    return TemplateResponse(
        request,
        "admin/reservations/contract_preview.html",
        {
            "editor": submitted.editor,
            "profiles": profiles,
            "retroactive": _retroactive_effects(request, version, submitted),
        },
    )


def _retroactive_effects(
    request: HttpRequest, version: ContractVersion | None, submitted: SubmittedContract
) -> list[str]:
    """Return the effects of saving on past days; nothing for a viewer without permission to view updates."""
    if version is None or not request.user.has_perm("reservations.view_reservationupdate"):
        return []
    return retroactive_effects(version, submitted.terms(version), submitted.editor.time_zone, market_today())


def _edit_page(
    model_admin: ScopedAdmin,
    request: HttpRequest,
    contract: Contract | None,
    version: ContractVersion | None,
    submitted: SubmittedContract,
) -> HttpResponse:
    editor, tools = submitted.editor, submitted.tools
    editor.compare(stored(version))
    profiles = {each.key: each for each in contract_page.day_profiles(editor)}
    return model_admin.page(
        request,
        "admin/reservations/contract_edit.html",
        f"Change contract {contract.contract_id}" if contract else "Add contract",
        row=contract,
        contract=contract,
        version=version,
        state=state_on(version, market_today())[1] if version else "",
        form=submitted.form,
        saving=submitted.saving_form,
        submitted=submitted,
        errors=submitted.wrong,
        retroactive=_retroactive_effects(request, version, submitted),
        reserves_nothing=NOTHING_RESERVED if submitted.reserves_nothing else "",
        editor=editor,
        parts=[(part, profiles[key]) for key, part in editor.parts.items()],
        tools=tools,
        kinds=[(key, name_of(key), key in tools.chosen) for key in DAY_KINDS],
        sources=[(key, part.name) for key, part in editor.parts.items()],
        market=market(),
        isps=calendar.usual_count(editor.minutes),
        folded=len(editor.parts) > MAX_OPEN_KINDS,
        preview=model_admin.url_to("edit_preview", contract.pk)
        if contract
        else model_admin.url_to("add_preview"),
        cancel=model_admin.url_to("change", contract.pk) if contract else model_admin.url_to("changelist"),
    )


DAY_KINDS = (EVERY_DAY, *(str(number) for number in range(1, len(WEEKDAYS) + 1)))
MAX_DAY_KINDS = 400
"""How many kinds of day a form can hold."""

MAX_OPEN_KINDS = 5
"""How many kinds of day the page shows open; of more, it opens only those that are unsaved or wrong."""

DENIED = "Changing a contract needs the permission to change contracts, and to act for both parties."
PAGES = (
    Page("add/", "add", add_view, may=may_add),
    Page("add/preview/", "add_preview", add_preview, may=may_add),
    Page("<path:object_id>/edit/", "edit", edit_view, may_change, DENIED),
    Page("<path:object_id>/edit/preview/", "edit_preview", edit_preview, may_change, DENIED),
)
