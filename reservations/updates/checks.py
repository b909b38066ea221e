"""The checks of a FlexReservationUpdate (docs/rules.md F1 to F10, F20)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db.models import Exists, Max, OuterRef

from participants.admission import Admission, admit, current_mode
from participants.models import Participant
from registry.market import policies
from registry.market.market import zone_agrees
from registry.models import (
    ClaimStanding,
    CongestionPointConnection,
    CongestionPointTerms,
    Market,
    Representation,
)
from reservations.contracts.profiles import Profile
from reservations.isps import calendar
from reservations.models import Contract, ContractVersion, ReservationUpdate, UpdateState
from reservations.updates import isp_checks
from uftp.protocol.messages import FlexReservationUpdate
from uftp.protocol.reasons import Reason, named, of_odd_identifiers

STATES_IN_ORDER = (UpdateState.State.RECEIVED, *UpdateState.COUNTING)
"""After an update in one of these states, an older one is rejected (docs/rules.md F10)."""

_MAX_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What an update is checked against.

    Attributes:
        market: The market.
        received_at: The moment at which the update was received.
        unknown: Why there is no contract for the update. Then `version` is None, and the rest is not used.
        version: The contract's current version, in force on the update's Period.
        profile: The profile of `version`.
        active: Whether the AGR has an effective connection at the congestion point of the update on its Period.
        latest: The latest TimeStamp of the updates for this contract and Period in one of STATES_IN_ORDER.
    """

    market: Market
    received_at: datetime
    unknown: str = ""
    version: ContractVersion | None = None
    profile: Profile = field(default_factory=Profile)
    active: bool = False
    latest: datetime | None = None


def find_contract(dso: Participant, agr_domain: str | None, contract_id: str) -> tuple[Contract | None, str]:
    """Find the contract that a DSO's update is about; drafts are left out.

    F1: an update for an AGR's domain is about the contract of the two. F2: an update for the CRO (`agr_domain` is None)
    is about the DSO's only contract with that ContractID.

    Returns:
        The contract, or None; and the reason why there is none, or an empty text.
    """
    versions = ContractVersion.objects.current().exclude(state=ContractVersion.State.DRAFT)
    contracts = Contract.objects.filter(
        Exists(versions.filter(contract=OuterRef("pk"))), dso=dso, contract_id=contract_id
    ).select_related("agr")
    names = [_shortened(contract_id)]
    if agr_domain is not None:
        found = contracts.filter(agr__role="AGR", agr__domain=agr_domain).first()
        none = f"is no contract between you and {_shortened(agr_domain)}"
        return found, "" if found else named(Reason.UNKNOWN_CONTRACT, names, none)
    candidates = list(contracts[:2])
    if len(candidates) == 1:
        return candidates[0], ""
    none = "is a contract of yours with more than one AGR: address the AGR" if candidates else ""
    return None, named(Reason.UNKNOWN_CONTRACT, names, none or "is no contract of yours")


def not_in_force(contract: Contract, period: date) -> str:
    """Return the reason against an update for a day on which its contract is not in force (F1)."""
    return named(Reason.UNKNOWN_CONTRACT, [contract.contract_id], f"is not in force on {period}")


def is_active_at_point(agr: Participant, dso: Participant, address: str, day: date) -> bool:
    """Return whether `agr` has an effective connection at the congestion point `address` of `dso` on `day` (F3)."""
    known = CongestionPointTerms.objects.current().on(day)
    represented = Representation.objects.current().on(day).filter(agr=agr, standing=ClaimStanding.EFFECTIVE)
    memberships = CongestionPointConnection.objects.current().on(day).filter(standing=ClaimStanding.EFFECTIVE)
    return memberships.filter(
        Exists(known.filter(congestion_point=OuterRef("congestion_point"))),
        Exists(represented.filter(connection=OuterRef("connection"))),
        congestion_point__dso=dso,
        congestion_point__address=address,
    ).exists()


def latest_time_stamp(contract: Contract, period: date) -> datetime | None:
    """Return the latest TimeStamp of the updates for a contract and Period in one of STATES_IN_ORDER, or None (F10)."""
    in_place = UpdateState.objects.current().filter(update=OuterRef("pk"), state__in=STATES_IN_ORDER)
    updates = ReservationUpdate.objects.filter(Exists(in_place), contract=contract, period=period)
    latest: datetime | None = updates.aggregate(latest=Max("time_stamp"))["latest"]
    return latest


def reasons_against(update: FlexReservationUpdate, situation: Situation) -> list[str]:
    """Return all reasons to reject the update, in the order of the rules.

    Checks that need no contract are done even when there is none.
    """
    version = situation.version
    found: list[str] = []
    if version is None:
        # E1 is checked only without a contract: one that was recorded before this rule goes on under its ContractID.
        found += of_odd_identifiers(update.contract_id, update.congestion_point)
        found.append(situation.unknown)
    else:
        found += _check_point(update, version, active=situation.active)
    found += _check_market(update, situation.market, version)
    found += _check_day(update, situation)
    powers = _powers(update, situation)
    if version is not None and powers is not None:
        detail = f"outside {version.contract.contract_id} on {update.period}"
        found += _at_isps(Reason.ISPS, powers.outside_the_contract(), detail)
    found += _at_isps(Reason.ISP_CONFLICT, isp_checks.isps_named_twice(update.isps), "named more than once")
    if version is not None:
        found += _check_deadline(update, version, situation.received_at)
    if powers is not None:
        found += _at_isps(Reason.POWER, powers.of_the_other_direction(), "not in the direction contracted")
        found += _at_isps(Reason.POWER, powers.more_than_contracted(), "more than contracted")
    if version is not None:
        found += _check_order(update, situation.latest)
    return found


def reasons_against_recipient(agr: Participant, received_at: datetime) -> list[str]:
    """Return why an update is not passed on to `agr`, which may not act, by the policy for that (docs/rules.md F20)."""
    policy = policies.in_force(received_at)["updates for AGRs that may not act"]
    if policy == policies.FORWARD or admit(agr, current_mode()) is Admission.ALLOWED:
        return []
    return [named(Reason.UNDELIVERABLE, [agr.domain], "may not act at present")]


def _check_point(update: FlexReservationUpdate, version: ContractVersion, *, active: bool) -> Iterator[str]:
    """Check F3: the congestion point is the contract's, and the AGR is active there."""
    point, contract = update.congestion_point, version.contract
    if point != version.congestion_point:
        yield from of_odd_identifiers(point)
        detail = f"is not the congestion point of {contract.contract_id}"
        yield named(Reason.INVALID_CONGESTION_POINT, [point], detail)
    elif not active:
        detail = f"has no connection of {contract.agr.domain} on {update.period}"
        yield named(Reason.INVALID_CONGESTION_POINT, [point], detail)


def _check_market(
    update: FlexReservationUpdate, market: Market, version: ContractVersion | None
) -> Iterator[str]:
    """Check F4 and F5: the update and the contract have the market's ISP duration and time zone."""
    minutes = calendar.minutes_of(market.isp_duration)
    if calendar.minutes_of(update.isp_duration) != minutes:
        yield named(
            Reason.ISP_DURATION,
            [_shortened(update.isp_duration)],
            f"is not the market's {market.isp_duration}",
        )
    if version is not None and version.isp_minutes != minutes:
        detail = f"of {version.contract.contract_id} is not the market's {market.isp_duration}"
        yield named(Reason.ISP_DURATION, [calendar.duration_of(version.isp_minutes)], detail)
    if not zone_agrees(update.time_zone, market.time_zone, [update.period]):
        yield named(Reason.TIME_ZONE, [_shortened(update.time_zone)], f"is not {market.time_zone}")
    if version is not None and not zone_agrees(version.time_zone, market.time_zone, [update.period]):
        detail = f"of {version.contract.contract_id} is not {market.time_zone}"
        yield named(Reason.TIME_ZONE, [version.time_zone], detail)


def _check_day(update: FlexReservationUpdate, situation: Situation) -> Iterator[str]:
    """Check F6: the day has the ISPs that are named, in the ISP duration of the update."""
    minutes = calendar.minutes_of(update.isp_duration)
    if minutes is not None:
        zone = (situation.version or situation.market).time_zone
        count = calendar.count(update.period, minutes, zone)
        detail = f"outside 1-{count} of {update.period}"
        yield from _at_isps(Reason.ISPS, isp_checks.isps_beyond_day(update.isps, count), detail)


def _powers(update: FlexReservationUpdate, situation: Situation) -> isp_checks.Powers | None:
    """Return the stated and the contracted power of each ISP; None when the ISP durations differ."""
    version = situation.version
    if version is None or version.isp_minutes != calendar.minutes_of(update.isp_duration):
        return None
    contracted = situation.profile.watts_on(update.period, version.isp_minutes, version.time_zone)
    return isp_checks.Powers(update.isps, contracted)


def _check_deadline(
    update: FlexReservationUpdate, version: ContractVersion, received_at: datetime
) -> Iterator[str]:
    """Check F8: the update is received before the deadline, or exactly at it."""
    deadline = version.deadline.moment(update.period, version.time_zone)
    if received_at > deadline:
        yield named(Reason.DEADLINE, [], f"{local(deadline, version.time_zone)} for {update.period}")


def _check_order(update: FlexReservationUpdate, latest: datetime | None) -> Iterator[str]:
    """Check F10: the update is not older than `latest`; an equal TimeStamp is allowed."""
    time_stamp = update.metadata.time_stamp
    if latest is not None and time_stamp < latest:
        detail = f"TimeStamp {time_stamp.isoformat()}, after {latest.isoformat()} for {update.period}"
        yield named(Reason.SUBORDINATE_SEQUENCE, [], detail)


def local(moment: datetime, time_zone: str) -> str:
    """Return a moment for participants: ISO 8601, with the offset of `time_zone` at that moment."""
    return moment.astimezone(ZoneInfo(time_zone)).isoformat()


def _at_isps(reason: Reason, ranges: Iterable[tuple[int, int]], detail: str) -> Iterator[str]:
    """Yield the reason with the ISPs that it is about; nothing if there are none."""
    words = calendar.ranges_in_words(ranges)
    if words:
        yield named(reason, words, detail)


def _shortened(text: str) -> str:
    """Return a participant's text, shortened when it is long."""
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
