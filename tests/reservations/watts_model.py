"""Reservations as a dictionary of watts by ISP: nothing but a list of what was said, gone through one by one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Amsterdam")
HOUR = timedelta(hours=1)

Isps = tuple[tuple[int, int, int], ...]
"""Start, Duration and Power of each."""

Watts = dict[int, int]
"""By ISP, from 1; those that are not in the contract are left out."""


@dataclass(frozen=True)
class Agreed:
    """Watts by hour of the clock on every day, in its place on Sundays, and in its place by ISP on single days."""

    every_day: Watts
    sundays: Watts | None = None
    days: dict[date, Watts] = field(default_factory=dict)

    def on(self, day: date) -> Watts:
        if day in self.days:
            return self.days[day]
        usual = self.sundays if self.sundays is not None and day.weekday() == 6 else self.every_day
        watts = {isp: usual.get(hour + 1, 0) for isp, hour in enumerate(hours_of(day), 1)}
        return {isp: power for isp, power in watts.items() if power}


@dataclass
class Update:
    contract: int
    day: date
    stamp: int
    isps: Isps
    agreed: Agreed
    state: str

    @property
    def counts(self) -> bool:
        return self.state in ("passed on", "accepted")


@dataclass
class WattsModel:
    """Two contracts: what each says at present, and the updates that were taken, in order of receipt."""

    agreed: list[Agreed]
    passes_on: list[bool]
    updates: list[Update] = field(default_factory=list)

    def say(self, contract: int, day: date, stamp: int, isps: Isps) -> Update | None:
        """Take an update, or None: it is refused."""
        watts = self.agreed[contract].on(day)
        named: set[int] = set()
        for start, duration, power in isps:
            for isp in range(start, start + duration):
                if isp in named or isp not in watts:
                    return None
                if power and (power * watts[isp] < 0 or abs(power) > abs(watts[isp])):
                    return None
                named.add(isp)
        before = [each for each in self.about(contract, day) if each.state not in ("rejected", "undone")]
        if any(stamp < each.stamp for each in before):
            return None
        state = "received" if self.passes_on[contract] else "accepted"
        self.updates.append(Update(contract, day, stamp, isps, self.agreed[contract], state))
        return self.updates[-1]

    def about(self, contract: int, day: date) -> list[Update]:
        return [each for each in self.updates if (each.contract, each.day) == (contract, day)]

    def figures(self, contract: int, day: date) -> dict[int, tuple[int, int]]:
        """Contracted and remaining watts of each ISP in the contract."""
        counting = [each for each in self.about(contract, day) if each.counts]
        counting.sort(key=lambda each: each.stamp)
        watts = counting[-1].agreed.on(day) if counting else self.agreed[contract].on(day)
        remaining = dict(watts)
        for update in counting:
            for start, duration, power in update.isps:
                for isp in range(start, start + duration):
                    if isp in remaining:
                        low, high = sorted((0, watts[isp]))
                        remaining[isp] = min(max(power, low), high)
        return {isp: (watts[isp], remaining[isp]) for isp in watts}


def hours_of(day: date) -> list[int]:
    """The hour on the wall at which each hour of the day begins."""
    at = datetime.combine(day, time(), ZONE).astimezone(UTC)
    hours = []
    while at.astimezone(ZONE).date() == day:
        hours.append(at.astimezone(ZONE).hour)
        at += HOUR
    return hours
