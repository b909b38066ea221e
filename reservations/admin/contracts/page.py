"""Collect what the page of a contract shows: its profile, versions, updates and notices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.conf import settings
from django.db.models import Count
from django.urls import reverse
from django.utils.safestring import SafeString

from participants.admin_base.html import link, moment
from participants.scope import Scope
from registry.market.market import market, zone_agrees
from registry.models import CongestionPoint
from registry.periods import last_day
from registry.queries.change_sources import source_name
from reservations.admin.contracts.texts import NOTHING_RESERVED, differences, most_watts
from reservations.admin.profiles.chart import draw, scale_of, stretches_of, summary
from reservations.admin.profiles.editor import EVERY_DAY, Editor, Part
from reservations.contracts.profiles import WEEKDAYS, Profile, Stretches, watts_per_isp
from reservations.contracts.stored_profiles import profiles_of
from reservations.isps import calendar
from reservations.isps.clock_times import DayTimes, in_watts
from reservations.models import Contract, ContractVersion, UpdateState
from reservations.updates.checks import is_active_at_point

MAX_NAMED = 7
"""How many kinds of day a sentence names at most."""

MAX_CHARTS = 20
"""How many kinds of day have a chart; unsaved ones have one in addition."""

MAX_VERSIONS = 50
"""How many versions the page lists, latest first."""


@dataclass(frozen=True, slots=True)
class DayProfile:
    """The power reserved on a kind of day.

    `lines` has (ISPs, times, watts) for each stretch. The chart is empty unless `drawn`.
    """

    key: str
    name: str
    note: str
    summary: str
    chart: SafeString
    drawn: bool
    lines: list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version: when, by whom and why it was recorded, and its differences from the version before it."""

    number: int
    url: str
    recorded: SafeString | str
    by: str
    why: str
    differs: list[tuple[str, str, str]]
    first: bool
    current: bool


def day_profiles(editor: Editor) -> list[DayProfile]:
    """Return every kind of day of a profile, all in the same scale.

    Only the first `MAX_CHARTS` kinds and the unsaved ones have a chart.
    """
    groups = [[part] for part in editor.parts.values()]
    return _day_profiles(editor, groups)


def merged_day_profiles(editor: Editor) -> list[DayProfile]:
    """Return the kinds of day of a profile, with days of the same kind and the same power merged into one.

    "Every day" is left out when each day of the week has power of its own.
    """
    found: dict[tuple[int, Stretches, DayTimes], list[Part]] = {}
    for part in editor.parts.values():
        kind = 0 if part.key == EVERY_DAY else len(part.key)
        found.setdefault((kind, part.stretches, editor.times(part.key)), []).append(part)
    groups = list(found.values())
    if all(str(number) in editor.parts for number in range(1, len(WEEKDAYS) + 1)):
        groups = groups[1:]
    return _day_profiles(editor, groups)


def _day_profiles(editor: Editor, groups: Sequence[Sequence[Part]]) -> list[DayProfile]:
    watts = [watts_per_isp(group[0].stretches, editor.times(group[0].key).count) for group in groups]
    scale = scale_of(power for each in watts for power in each)
    names = [_name(group) for group in groups]
    found = []
    for place, (group, name) in enumerate(zip(groups, names, strict=True)):
        part, times = group[0], editor.times(group[0].key)
        notes = [_exceptions(names[1:]) if part.key == EVERY_DAY else times.note]
        if len(group) > MAX_NAMED and part.day:
            notes.append(f"All of them: {', '.join(each.key for each in group)}.")
        drawn = place < MAX_CHARTS or part.unsaved
        title = f"Reserved power: {name}"
        found.append(
            DayProfile(
                key=part.key,
                name=name,
                note=" ".join(filter(None, notes)),
                summary=summary(watts[place], editor.minutes),
                chart=draw(f"drawn-{part.key}", title, watts[place], times, scale)
                if drawn
                else SafeString(""),
                drawn=drawn,
                lines=[
                    (calendar.in_words(range(first, last + 1))[0], times.span(first, last), in_watts(power))
                    for first, last, power in stretches_of(watts[place])
                ],
            )
        )
    return found


def _name(group: Sequence[Part]) -> str:
    """Return the name of merged kinds of day, for example `Monday to Friday` or `Saturday, Sunday`."""
    numbers = [int(part.key) for part in group if len(part.key) == 1]
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{group[0].name} to {group[-1].name}"
    return _first_names([part.name for part in group])


def _first_names(names: Sequence[str]) -> str:
    more = len(names) - MAX_NAMED
    return f"{', '.join(names[:MAX_NAMED])} and {more} more" if more > 0 else ", ".join(names)


def _exceptions(names: Sequence[str]) -> str:
    """Return a sentence that names the days with a profile of their own, which "every day" does not cover."""
    return f"But for {_first_names(names)}." if names else ""


def versions(contract: Contract) -> list[VersionRow]:
    """Return the versions of `contract`, latest first."""
    rows = list(
        contract.versions.order_by("-number")
        .select_related("recorded_by__message__sender")
        .defer("recorded_by__message__sealed")[: MAX_VERSIONS + 1]
    )
    profiles = profiles_of(rows)
    found = []
    for version, before in zip(rows, [*rows[1:], None], strict=True):
        earlier = (before, profiles[before.pk]) if before else None
        change = version.recorded_by
        found.append(
            VersionRow(
                number=version.number,
                url=reverse("admin:reservations_contract_version", args=[contract.pk, version.number]),
                recorded=link(change, moment(change.moment)),
                by=source_name(change),
                why=change.why,
                differs=differences(earlier, (version, profiles[version.pk])) if earlier else [],
                first=version.number == 1,
                current=version.superseded_by_id is None,
            )
        )
    return found[:MAX_VERSIONS]


def updates_by_state(contract: Contract) -> list[tuple[str, str, int]]:
    """Return (state, label, number of the contract's updates in it) for each state, in the order of a life cycle."""
    rows = UpdateState.objects.current().filter(update__contract=contract).order_by()
    counts = dict(rows.values_list("state").annotate(count=Count("pk")))
    return [(state.value, str(state.label), counts.get(state.value, 0)) for state in UpdateState.State]


def reference_day(version: ContractVersion, today: date) -> date:
    """Return the day of the contract that is nearest to today."""
    last = last_day(version.period)
    nearest: date = max(today, version.period.lower)
    return min(nearest, last) if last else nearest


def notices(contract: Contract, version: ContractVersion, today: date, seen: Scope) -> list[str]:
    """Return warnings: what makes updates be rejected, and what else staff may not expect."""
    found = []
    dso, agr, address = contract.dso, contract.agr, version.congestion_point
    rejected = "updates are rejected with “Invalid CongestionPoint”"
    last, day = last_day(version.period), reference_day(version, today)
    over = last is not None and last < today
    if dso in seen and not over:
        if not CongestionPoint.objects.filter(dso=dso, address=address).exists():
            found.append(
                f"{dso} has not registered the congestion point {address}: until it does, {rejected}."
            )
        elif agr in seen and not is_active_at_point(agr, dso, address, day):
            found.append(
                f"{agr} has no connection in force behind {address} on {day}: for such days {rejected}."
            )
    if agr in seen and not agr.endpoint and not over:
        found.append(
            f"{agr} has no endpoint configured: "
            + (
                "it is looked up in DNS; where none is published, this CRO accepts updates itself."
                if settings.DISCOVERY_DNS
                else "this CRO accepts updates itself, and passes none on."
            )
        )
    if not over and not most_watts(version.profiles.all()):
        found.append(NOTHING_RESERVED)
    return [*found, *_market_notices(version, day)]


def _market_notices(version: ContractVersion, day: date) -> list[str]:
    frame, found = market(), []
    change = "Change the contract, and look through its profile, to have it in the market’s."
    if calendar.minutes_of(frame.isp_duration) != version.isp_minutes:
        duration = calendar.duration_of(version.isp_minutes)
        found.append(
            f"This version has ISPs of {duration}, and the market has {frame.isp_duration}: updates are rejected with"
            f" “ISP duration rejected”. {change}"
        )
    if not zone_agrees(version.time_zone, frame.time_zone, [day]):
        found.append(
            f"This version is in the time zone {version.time_zone}, and the market in {frame.time_zone}: updates are"
            f" rejected with “TimeZone rejected”. {change}"
        )
    return found


def editor_of(version: ContractVersion, profile: Profile | None = None) -> Editor:
    """Return an editor with the profile of a version, or with `profile` where it is given."""
    found = profiles_of([version])[version.pk] if profile is None else profile
    return Editor.of(found, version.isp_minutes, version.time_zone)


def facts(contract: Contract, version: ContractVersion, state: str, seen: Scope) -> list[tuple[str, Any]]:
    """Return (term, value) for each fact of a version but its profile."""
    return [
        ("State", state),
        ("DSO", _party(contract.dso, seen)),
        ("AGR", _party(contract.agr, seen)),
        ("Congestion point", version.congestion_point),
        ("Days", days_of(version)),
        ("Deadline", f"{version.deadline}, {version.time_zone}"),
        (
            "ISPs",
            f"{calendar.duration_of(version.isp_minutes)}, {calendar.usual_count(version.isp_minutes)} a day",
        ),
    ]


def days_of(version: ContractVersion) -> str:
    """Return the days of a version in words, both inclusive."""
    last = last_day(version.period)
    return f"{version.period.lower} to {last}" if last else f"from {version.period.lower}, without an end"


def _party(participant: Any, seen: Scope) -> SafeString | str:
    return link(participant) if participant in seen else str(participant)
