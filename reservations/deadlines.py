"""The deadline until which a DSO may release reserved power of a Period."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Deadline:
    """A deadline relative to a Period: either `days` with `at`, or `hours`.

    Attributes:
        days: Days before the Period; 0 is the day itself.
        at: Time of day on that day, in the contract's time zone.
        hours: Hours before the Period's first ISP.
    """

    days: int | None = None
    at: time | None = None
    hours: int | None = None

    def moment(self, period: date, time_zone: str) -> datetime:
        """Return the deadline for `period`, in UTC (docs/rules.md F18).

        An update received exactly at the deadline is in time. A time of day that a change of the clock skips is read
        with the offset before the change. A time of day that comes twice means the first of the two. `hours` count
        from the ISP at midnight, even when that ISP is not in the contract.
        """
        zone = ZoneInfo(time_zone)
        if self.hours is not None:
            return datetime.combine(period, time(), zone).astimezone(UTC) - timedelta(hours=self.hours)
        assert self.days is not None
        assert self.at is not None
        return datetime.combine(period - timedelta(days=self.days), self.at, zone).astimezone(UTC)

    def __str__(self) -> str:
        if self.hours is not None:
            return f"{self.hours} {'hour' if self.hours == 1 else 'hours'} before the day begins"
        assert self.at is not None
        at = f"{self.at:%H:%M:%S}".removesuffix(":00")
        if not self.days:
            return f"on the day at {at}"
        return f"the day before at {at}" if self.days == 1 else f"{self.days} days before at {at}"
