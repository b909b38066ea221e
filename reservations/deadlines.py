"""Until when a DSO must release what it does not need of a reservation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Deadline:
    """`days` before the Period at `at`, a time of day in the contract's time zone, or `hours` before its first ISP.

    Exactly one of the two is given: `days` with `at`, or `hours`.
    """

    days: int | None = None
    at: time | None = None
    hours: int | None = None

    def moment(self, period: date, time_zone: str) -> datetime:
        """The deadline for `period`, in UTC; an update received at it is in time (docs/rules.md F18).

        A time of day that the change of the clock skips is read with the offset before the change; of one that comes
        twice, the first is meant. The Period's first ISP is that at midnight, whether it is in the contract or not.
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
