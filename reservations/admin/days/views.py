"""Show the power that contracts reserve: one contract on a day or in a month, and all contracts in a month."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.text import capfirst

from common import clock
from participants.admin_base.html import moment
from participants.admin_base.pages import Page, may_view
from participants.admin_base.scoped import ScopedAdmin
from registry.admin.time_forms import KnownForm
from registry.market.market import market, today_at
from registry.periods import DAY, half_open
from reservations.admin.days import chart as day_chart
from reservations.admin.days import month_chart
from reservations.admin.days import page as day_page
from reservations.admin.days.forms import (
    DayForm,
    MonthForm,
    OverviewForm,
    day_in,
    month_in,
    other_parameters,
    present_parameters,
)
from reservations.admin.days.month_chart import DayOfMonth, in_states
from reservations.contracts.stored_profiles import in_force
from reservations.models import Contract, UpdateState
from reservations.settlement import energy
from reservations.settlement.export import NoContractFound, select_contracts
from reservations.settlement.remaining import figures

PERMISSION = "reservations.view_reservationupdate"
"""The permission for these pages: what remains of a contract is known from its updates."""

PAGE_SIZE = 50
"""How many contracts a page of the overview shows."""

State = UpdateState.State
PATTERN = "overview"


def day_view(model_admin: ScopedAdmin, request: HttpRequest, contract: Contract, day: str) -> HttpResponse:
    """Return the page of a contract's day, with the updates for it."""
    pk, day_shown, now = contract.pk, day_in(day), clock.now()
    form = DayForm(request, today=day_shown, now=now)
    if form.day != day_shown:
        return HttpResponseRedirect(day_page.day_url(pk, form.day) + other_parameters(form))
    known_at = form.final_known_at()
    figure = next(figures([contract], day_shown, day_shown, known_at), None)
    held = in_force(known_at).filter(contract=contract).first()
    context: dict[str, Any] = {
        "title": f"{contract.contract_id} on {day_shown}",
        "day": day_shown,
        "updates": day_page.updates_on(contract, day_shown, known_at),
        "before": day_page.day_url(pk, day_shown - DAY) + other_parameters(form),
        "after": day_page.day_url(pk, day_shown + DAY) + other_parameters(form),
        "month_url": day_page.month_url(pk, day_shown) + other_parameters(form),
        "csv": _csv(contract, day_shown, day_shown, form),
        "held": held,
    }
    if figure is not None:
        totals, version = energy.of_day(figure), figure.version
        deadline = version.deadline.moment(day_shown, version.time_zone)
        context |= {
            "version": version,
            "deadline": moment(deadline),
            "deadline_in_words": version.deadline,
            "is_over": now > deadline,
            "totals": totals,
            "note": day_page.times_of(figure).note,
            "lines": day_page.lines(figure),
            "each_isp": day_page.each_isp(figure),
            "chart": day_chart.draw(
                f"Reserved power of {contract.contract_id} on {day_shown}",
                figure,
                totals,
                deadline=deadline,
                url_of=day_page.update_url,
            ),
        }
    return _page(model_admin, request, "contract_day", form, context, contract)


def month_view(
    model_admin: ScopedAdmin, request: HttpRequest, contract: Contract, month: str
) -> HttpResponse:
    """Return the page of a contract's month."""
    pk, first = contract.pk, month_in(month)
    form = MonthForm(request, month=first, now=clock.now())
    if form.chosen != first:
        return HttpResponseRedirect(day_page.month_url(pk, form.chosen) + other_parameters(form))
    known_at = form.final_known_at()
    parameters = other_parameters(form)
    days = day_page.month_of(
        [contract], first, known_at, url_of=lambda key, day: day_page.day_url(key, day) + parameters
    )[pk]
    totals, updates = day_page.sum_of(days)
    before, after = _neighbour_months(first)
    context = {
        "title": f"{contract.contract_id} in {first:%Y-%m}",
        "month": first,
        "days": days,
        "in_force": any(day.totals is not None for day in days),
        "totals": totals,
        "updates": in_states(updates),
        "before": day_page.month_url(pk, before) + parameters,
        "after": day_page.month_url(pk, after) + parameters,
        "overview": f"{reverse('admin:reservations_contract_overview')}?{urlencode({'month': f'{first:%Y-%m}'})}",
        "csv": _csv(contract, first, day_page.last_of(first), form),
        "chart": month_chart.draw(
            f"Energy reserved by {contract.contract_id} in {first:%Y-%m}",
            f"Contracted {totals.contracted}, remaining {totals.remaining}, released {totals.released}. "
            "Each day is a link. The table below says the same.",
            days,
        ),
    }
    return _page(model_admin, request, "contract_month", form, context, contract)


def overview_view(model_admin: ScopedAdmin, request: HttpRequest) -> HttpResponse:
    """Return the page of a month of all contracts in scope that are in force in it."""
    now = clock.now()
    form = OverviewForm(request, month=today_at(now, market().time_zone).replace(day=1), now=now)
    month, known_at = form.chosen, form.final_known_at()
    first, last = month, day_page.last_of(month)
    in_month = in_force(known_at).filter(contract=OuterRef("pk"), period__overlap=half_open(first, last))
    contracts = model_admin.get_queryset(request)
    try:
        values = form.cleaned_data if form.is_bound and form.is_valid() else {}
        contracts = select_contracts(
            contracts, dso=values.get("dso", "").lower(), agr=values.get("agr", "").lower()
        )
    except NoContractFound as error:
        form.add_error(error.field, str(error))
        contracts = contracts.none()
    rows = contracts.filter(Exists(in_month)).select_related("dso", "agr").prefetch_related(None)
    page = Paginator(rows.order_by("dso__domain", "agr__domain", "contract_id"), PAGE_SIZE).get_page(
        request.GET.get("page", "1")
    )
    contracts_on_page = list(page.object_list)
    months = day_page.month_of(contracts_on_page, month, known_at)
    before, after = _neighbour_months(month)
    any_undone = any(day.updates.get(State.UNDONE) for days in months.values() for day in days)
    context = {
        "title": f"Months: reservations in {month:%Y-%m}",
        "month": month,
        "contracts": [
            _of_contract(contract, months[contract.pk], month, form) for contract in contracts_on_page
        ],
        "pattern": day_chart.pattern(PATTERN),
        "legend": day_chart.legend(PATTERN),
        "marks": month_chart.marks_legend([State.UNDONE] if any_undone else []),
        "page": page,
        "parameters": f"{parameters[1:]}&"
        if (parameters := other_parameters(form, month=f"{month:%Y-%m}"))
        else "",
        "before": other_parameters(form, month=f"{before:%Y-%m}"),
        "after": other_parameters(form, month=f"{after:%Y-%m}"),
        "limited": not model_admin.seen(request).everyone,
    }
    return _page(model_admin, request, "contract_overview", form, context)


def _page(
    model_admin: ScopedAdmin,
    request: HttpRequest,
    name: str,
    form: KnownForm,
    context: dict[str, Any],
    contract: Contract | None = None,
) -> HttpResponse:
    trail = [(model_admin.url_to("changelist"), capfirst(str(model_admin.opts.verbose_name_plural)))]
    if contract is not None:
        trail.append((model_admin.url_to("change", contract.pk), contract.contract_id))
    return model_admin.page(
        request,
        f"admin/reservations/{name}.html",
        trail=trail,
        contract=contract,
        form=form,
        present_url=present_parameters(form),
        known_at=moment(form.known_at) if form.known_at else "",
        **context,
    )


def may_view_updates(
    model_admin: ScopedAdmin, request: HttpRequest, contract: Contract | None = None
) -> bool:
    """Return whether this member of staff may view contracts and their updates."""
    return request.user.has_perm(PERMISSION) and may_view(model_admin, request, contract)


def _of_contract(contract: Contract, days: list[DayOfMonth], month: date, form: KnownForm) -> dict[str, Any]:
    """Return a line of the overview."""
    totals, updates = day_page.sum_of(days)
    return {
        "contract": contract,
        "url": day_page.month_url(contract.pk, month) + other_parameters(form),
        "totals": totals,
        "updates": in_states({state: count for state, count in updates.items() if state != State.UNDONE}),
        "undone": updates.get(State.UNDONE, 0),
        "strip": month_chart.strip(_month_summary(days), days, PATTERN),
    }


def _month_summary(days: list[DayOfMonth]) -> str:
    days_in_force = [day for day in days if day.totals is not None]
    released = sum(1 for day in days_in_force if day.totals and day.totals.released)
    return f"In force on {len(days_in_force)} of {len(days)} days, with power released on {released}"


def _neighbour_months(month: date) -> tuple[date, date]:
    """Return the first days of the months before and after the month that begins with `month`."""
    return (month - DAY).replace(day=1), day_page.last_of(month) + DAY


def _csv(contract: Contract, first: date, last: date, form: KnownForm) -> str:
    """Return the URL of the contract's settlement for these days, known at the requested moment."""
    known = {name: form.data[name] for name in ("known_day", "known_time") if form.data.get(name)}
    return day_page.settlement_url(contract, first, last, **known)


PAGES = (
    Page("overview/", "overview", overview_view, may_view_updates),
    Page("<int:pk>/day/<str:day>/", "day", day_view, may_view_updates),
    Page("<int:pk>/month/<str:month>/", "month", month_view, may_view_updates),
)
