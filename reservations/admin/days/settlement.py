"""Download the settlement of reservations."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from common import clock
from participants.admin_base.filters import MAX_SUGGESTIONS
from participants.admin_base.pages import Page
from participants.admin_base.scoped import ScopedAdmin
from participants.models import Participant
from registry.admin.previewed_forms import DayInput
from registry.admin.time_forms import NO_DAY, KnownForm
from registry.market.market import iso_text, market, today_at
from registry.periods import DAY
from reservations.admin.days.views import may_view_updates
from reservations.models import LONGEST_CONTRACT_ID, Contract
from reservations.settlement.export import NoContractFound, export, final_moment, is_final, select_contracts


class SettlementForm(KnownForm):
    """Ask for the days, the contracts and the past moment of a settlement; at first, offer the last month."""

    first = forms.DateField(
        label="First day",
        widget=DayInput,
        error_messages={"invalid": NO_DAY, "required": "Give the first day."},
    )
    last = forms.DateField(
        label="Last day",
        widget=DayInput,
        error_messages={"invalid": NO_DAY, "required": "Give the last day."},
        help_text="This day is included.",
    )
    dso = forms.CharField(label="DSO", required=False, help_text="Its domain. Empty: every DSO.")
    agr = forms.CharField(label="AGR", required=False, help_text="Its domain. Empty: every AGR.")
    contract = forms.CharField(
        label="ContractID", required=False, max_length=LONGEST_CONTRACT_ID, help_text="Empty: every contract."
    )
    field_order = ("first", "last", "dso", "agr", "contract", "known_day", "known_time")

    def __init__(self, request: HttpRequest, *, today: date, now: datetime) -> None:
        super().__init__(request, today=today, now=now)
        self.fields.pop("on")
        before = today.replace(day=1) - DAY
        self.initial = {"first": before.replace(day=1), "last": before}
        for party in ("dso", "agr"):
            self.fields[party].widget.attrs = {
                "list": f"{party}-suggestions",
                "autocapitalize": "none",
                "spellcheck": "false",
                "size": "30",
            }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and last < first:
            self.add_error("last", "The last day is before the first.")
        return cleaned

    @property
    def known_at(self) -> datetime | None:
        """Return the requested past moment; None for the present, also where the present is requested."""
        found = super().known_at
        return None if found == self.now else found

    def narrowed(self, contracts: QuerySet[Contract]) -> QuerySet[Contract] | None:
        """Return the requested contracts among `contracts`; None where the form is not valid, with its errors added."""
        if not self.is_bound or not self.is_valid():
            return None
        values = self.cleaned_data
        try:
            return select_contracts(
                contracts,
                dso=values["dso"].lower(),
                agr=values["agr"].lower(),
                contract_id=values["contract"],
            )
        except NoContractFound as error:
            self.add_error(error.field, str(error))
            return None


def settlement_view(model_admin: ScopedAdmin, request: HttpRequest) -> HttpResponseBase:
    """Return the form, or the requested file.

    The file is as `manage.py export_reservations` writes it, with the contracts in scope.
    """
    now = clock.now()
    form = SettlementForm(request, today=today_at(now, market().time_zone), now=now)
    contracts = model_admin.get_queryset(request)
    requested = form.narrowed(contracts)
    if requested is not None:
        return _file(requested, form.cleaned_data["first"], form.cleaned_data["last"], form.known_at)
    return model_admin.page(
        request,
        "admin/reservations/settlement.html",
        "Settlement",
        form=form,
        parties=[(party, _domains(contracts, party)) for party in ("dso", "agr")],
        limited=not model_admin.seen(request).everyone,
    )


def _file(
    contracts: QuerySet[Contract], first: date, last: date, known_at: datetime | None
) -> StreamingHttpResponse:
    """Return the settlement as a file named after its days and its moment; the name has no colons."""
    if known_at is None or not is_final(known_at):
        known_at = final_moment()
    known = f"-known-at-{iso_text(known_at, market().time_zone).replace(':', '')}" if known_at else ""
    return StreamingHttpResponse(
        export(contracts, first, last, known_at=known_at),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="reservations-{first}-{last}{known}.csv"'},
    )


def _domains(contracts: QuerySet[Contract], party: str) -> list[str]:
    """Return domains of a party of `contracts`, to suggest."""
    of_these = Participant.objects.filter(pk__in=contracts.order_by().values(party))
    return list(of_these.order_by("domain").values_list("domain", flat=True)[:MAX_SUGGESTIONS])


PAGE = Page("settlement/", "settlement", settlement_view, may_view_updates)
