"""What the page of a contract shows: its profile drawn, its versions, its updates, and what staff should notice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.conf import settings
from django.db.models import Count
from django.urls import reverse
from django.utils.safestring import SafeString

from participants.admin_html import link, moment
from participants.scope import Scope
from registry.market import market, zone_agrees
from registry.models import Change, CongestionPoint
from registry.periods import last_day
from registry.sources import maker
from reservations import isps
from reservations.checking import is_active_behind
from reservations.contract_words import differences
from reservations.isp_times import in_watts
from reservations.models import Contract, ContractVersion, UpdateState
from reservations.profile_editor import EVERY, Editor, Part
from reservations.profile_picture import Scale, draw, scale_of, stretches_of, summary
from reservations.profiles import Profile, laid_out
from reservations.remaining import profiles_of

PICTURES = 20
"""Kinds of day that are drawn, beside those that are not saved."""

VERSIONS = 50
"""Versions on the page, the latest."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A kind of day: what is reserved on it, in lines of (ISPs, times, watts), and drawn where it is `pictured`."""

    key: str
    name: str
    note: str
    summary: str
    picture: SafeString
    pictured: bool
    lines: list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Told:
    """A version: when it was recorded, by whom and why, and what differs from the one before."""

    number: int
    url: str
    recorded: SafeString | str
    by: str
    why: str
    differs: list[tuple[str, str, str]]
    first: bool
    current: bool


def drawn(editor: Editor) -> list[Drawn]:
    """Every kind of day of a profile, all in one scale; the first of them, and what is not saved, with a picture."""
    watts = {key: _watts(editor, part) for key, part in editor.parts.items()}
    scale = scale_of(power for found in watts.values() for power in found)
    own = [part.name for key, part in editor.parts.items() if key != EVERY]
    return [
        _drawn(editor, part, watts[key], scale if place < PICTURES or part.unsaved else None, own)
        for place, (key, part) in enumerate(editor.parts.items())
    ]


def _watts(editor: Editor, part: Part) -> list[int]:
    return laid_out(part.stretches, editor.times(part.key).count)


def _drawn(
    editor: Editor, part: Part, watts: Sequence[int], scale: Scale | None, own: Sequence[str]
) -> Drawn:
    times = editor.times(part.key)
    return Drawn(
        key=part.key,
        name=part.name,
        note=_but(own) if part.key == EVERY else times.note,
        summary=summary(watts, editor.minutes),
        picture=draw(f"drawn-{part.key}", f"Reserved power: {part.name}", watts, times, scale)
        if scale
        else SafeString(""),
        pictured=scale is not None,
        lines=[
            (isps.in_words(range(first, last + 1))[0], times.span(first, last), in_watts(power))
            for first, last, power in stretches_of(watts)
        ],
    )


def _but(own: Sequence[str]) -> str:
    """Which days are not meant by every day."""
    if not own:
        return ""
    said = ", ".join(own[:8])
    return f"But for {said}{f' and {len(own) - 8} more' if len(own) > 8 else ''}."


def versions(contract: Contract) -> list[Told]:
    """The versions of `contract`, the latest first."""
    rows = list(
        contract.versions.order_by("-number")
        .select_related("recorded_by__message__sender")
        .defer("recorded_by__message__sealed")[: VERSIONS + 1]
    )
    profiles = profiles_of(rows)
    found = []
    for version, before in zip(rows, [*rows[1:], None], strict=True):
        was = (before, profiles[before.pk]) if before else None
        change = version.recorded_by
        found.append(
            Told(
                number=version.number,
                url=reverse("admin:reservations_contract_version", args=[contract.pk, version.number]),
                recorded=link(change, moment(change.moment)),
                by=maker(change),
                why=change.reason if change.kind == Change.Kind.DECISION else "",
                differs=differences(was, (version, profiles[version.pk])) if was else [],
                first=version.number == 1,
                current=version.superseded_by_id is None,
            )
        )
    return found[:VERSIONS]


def updates_by_state(contract: Contract) -> list[tuple[str, str, int]]:
    """(state, its name, how many of the contract's updates are in it), in the order in which states follow."""
    rows = UpdateState.objects.current().filter(update__contract=contract).order_by()
    many = dict(rows.values_list("state").annotate(many=Count("pk")))
    return [(state.value, str(state.label), many.get(state.value, 0)) for state in UpdateState.State]


def looked_at(version: ContractVersion, today: date) -> date:
    """The day on which to look at a contract: today, or the nearest one of its days."""
    last = last_day(version.period)
    nearest: date = max(today, version.period.lower)
    return min(nearest, last) if last else nearest


def notices(contract: Contract, version: ContractVersion, today: date, seen: Scope) -> list[str]:
    """What keeps updates from being accepted, or has them treated otherwise than staff may expect."""
    found = []
    dso, agr, address = contract.dso, contract.agr, version.congestion_point
    rejected = "updates are rejected with “Invalid CongestionPoint”"
    last, day = last_day(version.period), looked_at(version, today)
    over = last is not None and last < today
    if dso in seen and not over:
        if not CongestionPoint.objects.filter(dso=dso, address=address).exists():
            found.append(
                f"{dso} has not registered the congestion point {address}: until it does, {rejected}."
            )
        elif agr in seen and not is_active_behind(agr, dso, address, day):
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
    return [*found, *_of_the_market(version, day)]


def _of_the_market(version: ContractVersion, day: date) -> list[str]:
    of, found = market(), []
    change = "Change the contract, and look through its profile, to have it in the market’s."
    if isps.minutes_of(of.isp_duration) != version.isp_minutes:
        said = isps.duration_of(version.isp_minutes)
        found.append(
            f"This version has ISPs of {said}, and the market has {of.isp_duration}: updates are rejected with"
            f" “ISP duration rejected”. {change}"
        )
    if not zone_agrees(version.time_zone, of.time_zone, [day]):
        found.append(
            f"This version is in the time zone {version.time_zone}, and the market in {of.time_zone}: updates are"
            f" rejected with “TimeZone rejected”. {change}"
        )
    return found


def editor_of(version: ContractVersion, profile: Profile | None = None) -> Editor:
    """The profile of a version, as it is drawn and edited."""
    found = profiles_of([version])[version.pk] if profile is None else profile
    return Editor.of(found, version.isp_minutes, version.time_zone)


def facts(contract: Contract, version: ContractVersion, state: str, seen: Scope) -> list[tuple[str, Any]]:
    """(term, what it is) of a version, but for its profile."""
    return [
        ("State", state),
        ("DSO", _party(contract.dso, seen)),
        ("AGR", _party(contract.agr, seen)),
        ("Congestion point", version.congestion_point),
        ("Days", days_of(version)),
        ("Deadline", f"{version.deadline}, {version.time_zone}"),
        ("ISPs", f"{isps.duration_of(version.isp_minutes)}, {isps.usual_count(version.isp_minutes)} a day"),
    ]


def days_of(version: ContractVersion) -> str:
    last = last_day(version.period)
    return f"{version.period.lower} to {last}" if last else f"from {version.period.lower}, without an end"


def _party(participant: Any, seen: Scope) -> SafeString | str:
    return link(participant) if participant in seen else str(participant)
