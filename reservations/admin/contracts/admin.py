"""Show staff the contracts: the list, the page of a contract, and the page of each version."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import admin
from django.db.models import DateField, Prefetch, Q, QuerySet, Value
from django.http import Http404, HttpRequest, HttpResponse

from common.display import PLACEHOLDER
from common.search import FieldCondition, by
from participants.admin_base.html import party_link
from participants.admin_base.journal import JOURNAL_PAGES, journal_of
from participants.admin_base.pages import CHANGE, Page, may_read
from participants.admin_base.scalable import ScalableAdmin
from participants.admin_base.search import of_parties
from registry.admin.previewed_forms import market_today
from registry.periods import last_day
from registry.queries.addresses import SHORTEST_END
from registry.queries.change_sources import source_in_words
from reservations.admin.contracts import edit, state
from reservations.admin.contracts import page as contract_page
from reservations.admin.contracts.filters import ContractDaysFilter, PointFilter, StateFilter
from reservations.admin.contracts.texts import (
    days_in_words,
    greatest_in_words,
    most_watts,
    state_badge,
    state_on,
)
from reservations.admin.days import page as day_page
from reservations.admin.days import settlement, views
from reservations.admin.filters import AGRFilter, DSOFilter
from reservations.models import Contract, ContractVersion, VersionProfile

SEES_UPDATES = "reservations.view_reservationupdate"


def contract_view(model_admin: ScalableAdmin, request: HttpRequest, contract: Contract) -> HttpResponse:
    """Return the page of a contract, as its current version has it."""
    version = current(contract)
    if version is None:
        raise Http404
    today, seen = market_today(), model_admin.seen(request)
    sees_updates = request.user.has_perm(SEES_UPDATES)
    return model_admin.page(
        request,
        "admin/reservations/contract.html",
        f"Contract {contract.contract_id}",
        contract=contract,
        version=version,
        facts=contract_page.facts(contract, version, state_badge(version, today), seen),
        notices=contract_page.notices(contract, version, today, seen),
        profiles=contract_page.merged_day_profiles(contract_page.editor_of(version)),
        versions=contract_page.versions(contract),
        updates=contract_page.updates_by_state(contract) if sees_updates else None,
        days=_days(contract, version, today) if sees_updates else None,
        tools=_tools(model_admin, request, contract, version),
        **model_admin.page_context(request, contract),
        **journal_of(model_admin, request, contract),
    )


def version_view(
    model_admin: ScalableAdmin, request: HttpRequest, contract: Contract, number: int
) -> HttpResponse:
    """Return the page of one version of a contract, with its differences from the version before it."""
    version = contract.versions.filter(number=number).select_related("recorded_by", "superseded_by").first()
    if version is None:
        raise Http404
    version_rows = {each.number: each for each in contract_page.versions(contract)}
    return model_admin.page(
        request,
        "admin/reservations/contract_version.html",
        f"Version {number}",
        row=contract,
        contract=contract,
        version=version,
        version_row=version_rows.get(number),
        superseded=source_in_words(version.superseded_by) if version.superseded_by else "",
        facts=contract_page.facts(contract, version, version.get_state_display(), model_admin.seen(request)),
        profiles=contract_page.merged_day_profiles(contract_page.editor_of(version)),
    )


def _tools(
    model_admin: ScalableAdmin, request: HttpRequest, contract: Contract, version: ContractVersion
) -> list[tuple[str, str]]:
    """Return (URL, text) of each action that this member of staff may do with the contract."""
    if not model_admin.has_change_permission(request, contract):
        return []
    state = ContractVersion.State
    offered = [("edit", "Change …")]
    if version.state == state.DRAFT:
        offered.append(("put_in_force", "Put in force …"))
    elif version.state == state.IN_FORCE:
        offered.append(("end", "End …"))
    else:
        offered += [("end", "End earlier …"), ("put_in_force", "Put in force again …")]
    if version.state != state.DRAFT and not contract.updates.exists():
        offered.append(("back_to_draft", "Make a draft again …"))
    return [(model_admin.url_to(name, contract.pk), text) for name, text in offered]


def _days(contract: Contract, version: ContractVersion, today: date) -> dict[str, str]:
    """Return the links to the contract's day, month and settlement page."""
    day = contract_page.reference_day(version, today)
    return {
        "day": str(day),
        "is_today": "yes" if day == today else "",
        "day_url": day_page.day_url(contract.pk, day),
        "month": f"{day:%Y-%m}",
        "month_url": day_page.month_url(contract.pk, day),
        "settlement_url": day_page.settlement_url(contract, day.replace(day=1), day_page.last_of(day)),
    }


@admin.register(Contract)
class ContractAdmin(ScalableAdmin):
    """Show contracts; they are entered, changed and ended on pages of their own."""

    scope_by = ("dso", "agr")
    list_display = (
        "contract_id",
        "dso_domain",
        "agr_domain",
        "congestion_point",
        "days",
        "state",
        "deadline",
        "greatest_power",
    )
    export_display = (
        ("ContractID", "contract_id"),
        ("DSO", "dso.domain"),
        ("AGR", "agr.domain"),
        ("Congestion point", lambda row: _of(row, "congestion_point")),
        ("First day", lambda row: version.period.lower if (version := current(row)) else None),
        ("Last day", lambda row: last_day(version.period) if (version := current(row)) else None),
        ("State", lambda row: state_on(version, row.today)[1] if (version := current(row)) else None),
        ("Deadline", lambda row: _of(row, "deadline")),
        ("Greatest power (W)", lambda row: most_watts(_profiles(row)) or None),
        ("Version", lambda row: _of(row, "number")),
    )
    list_filter = (
        StateFilter,
        DSOFilter,
        AGRFilter,
        PointFilter,
        ("versions__period", ContractDaysFilter),
    )
    list_select_related = ("dso", "agr")
    search_fields = ("contract_id__startswith",)
    search_help_text = (
        "A ContractID or a part of it, a party's domain, or the congestion point's entity address"
    )
    sortable_by = ("contract_id", "dso_domain", "agr_domain")
    linked_lookups = ("versions__recorded_by__id__exact", "versions__superseded_by__id__exact")
    change_list_template = "admin/reservations/contracts.html"
    pages = (
        Page("<path:object_id>/version/<int:number>/", "version", version_view, may=may_read),
        *views.PAGES,
        settlement.PAGE,
        *edit.PAGES,
        *state.PAGES,
        *JOURNAL_PAGES,
        Page(CHANGE, "change", contract_view, may=may_read),
    )
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Contract]:
        """Return the contracts in scope, with what a line of the list needs.

        Each has its current version with the profiles as `current_versions`, and the market's day as `today`.
        """
        versions = ContractVersion.objects.current().prefetch_related("profiles")
        rows: QuerySet[Contract] = super().get_queryset(request).select_related("dso", "agr")
        listed = rows.prefetch_related(Prefetch("versions", versions, "current_versions"))
        return listed.annotate(today=Value(market_today(), DateField()))

    def search_conditions(self, request: HttpRequest, text: str) -> list[FieldCondition]:
        """Search anywhere in the text: there are only thousands of contracts."""
        point = Q(congestion_point__icontains=text) if len(text) >= SHORTEST_END else Q(congestion_point=text)
        at_point = ContractVersion.objects.current().filter(point)
        return [
            *by("ContractID", Q(contract_id=text), Q(contract_id__icontains=text)),
            *of_parties(text, self.seen(request), "dso", "agr", others=True),
            *by("congestion point", Q(pk__in=at_point.values("contract"))),
        ]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        return lookup in self.linked_lookups or super().lookup_allowed(lookup, value, request)

    def has_delete_permission(self, request: HttpRequest, obj: Contract | None = None) -> bool:
        """Return False: a contract is ended, never deleted."""
        return False

    @admin.display(description="DSO", ordering="dso__domain")
    def dso_domain(self, contract: Contract) -> str:
        return party_link(contract, contract.dso, contract.dso.domain)

    @admin.display(description="AGR", ordering="agr__domain")
    def agr_domain(self, contract: Contract) -> str:
        return party_link(contract, contract.agr, contract.agr.domain)

    @admin.display(description="congestion point")
    def congestion_point(self, contract: Contract) -> str:
        return _of(contract, "congestion_point")

    @admin.display(description="days")
    def days(self, contract: Contract) -> str:
        version = current(contract)
        return days_in_words(version) if version else PLACEHOLDER

    @admin.display(description="state")
    def state(self, contract: Contract) -> str:
        version, today = current(contract), contract.today  # type: ignore[attr-defined]
        return state_badge(version, today) if version else PLACEHOLDER

    @admin.display(description="deadline")
    def deadline(self, contract: Contract) -> str:
        return _of(contract, "deadline")

    @admin.display(description="greatest power")
    def greatest_power(self, contract: Contract) -> str:
        return greatest_in_words(_profiles(contract))


def current(contract: Contract) -> ContractVersion | None:
    """Return the current version of a contract of the list; None while the contract is being entered."""
    found: list[ContractVersion] = getattr(contract, "current_versions", [])
    return found[0] if found else None


def _profiles(contract: Contract) -> list[VersionProfile]:
    version = current(contract)
    return list(version.profiles.all()) if version else []


def _of(contract: Contract, name: str) -> str:
    version = current(contract)
    return str(getattr(version, name)) if version else PLACEHOLDER
