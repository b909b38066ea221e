"""The market's time zone and ISP duration.

From them follow the market's day at a moment, and whether a time zone agrees with the market's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from django.db import connection, transaction

from common import sql
from participants import audit
from registry.models import Market

_MARKET = "SELECT id, time_zone, isp_duration FROM registry_market"
LAST_MICROSECOND = 999_999
LAST_INSTANT = timedelta(days=1) - timedelta(microseconds=1)
UFTP_ZONES = re.compile(r"(Africa|America|Australia|Europe|Pacific)/[a-zA-Z0-9_/]{3,}")
ISP_DURATIONS = (*(f"PT{minutes}M" for minutes in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)), "PT1H")


class UnknownMarket(ValueError):
    """A market cannot have that time zone or ISP duration.

    The message says what a market can have.
    """


def market() -> Market:
    """Return the market's row, or one with the defaults while nobody has set the market."""
    row = sql.fetch(_MARKET, {})
    return (
        Market()
        if row is None
        else Market.from_db(connection.alias, ["id", "time_zone", "isp_duration"], row)
    )


def today_at(moment: datetime, time_zone: str) -> date:
    """Return the market's day at a moment (aware)."""
    return moment.astimezone(ZoneInfo(time_zone)).date()


def iso_text(moment: datetime, time_zone: str) -> str:
    """Return a moment in ISO 8601, with the offset of a time zone.

    A moment at the last microsecond of a second is written without a fraction. Commands
    (`registry.management.output.known_at`) and pages read that as the end of the second, so they get the same moment
    back.

    Args:
        moment: An aware moment.
        time_zone: A name of the IANA database.
    """
    with suppress(OverflowError):
        moment = moment.astimezone(ZoneInfo(time_zone))
    return moment.isoformat(timespec="seconds" if moment.microsecond == LAST_MICROSECOND else "microseconds")


def zone_agrees(name: str, market_zone: str, days: Iterable[date]) -> bool:
    """Return whether a time zone has the market's UTC offset on all days (docs/rules.md D9).

    The offsets are compared at the first and at the last instant of each day.

    Args:
        name: The zone to check. A name that the IANA database does not have agrees on no day.
        market_zone: The market's time zone.
        days: Days of the market.
    """
    if name == market_zone:
        return True
    if name not in known_zones():
        return False
    zone, reference_zone = ZoneInfo(name), ZoneInfo(market_zone)
    for day in days:
        first = datetime.combine(day, time(), reference_zone)
        for instant in (first, first + LAST_INSTANT):
            moment = _to_utc(instant)
            if moment.astimezone(zone).utcoffset() != moment.astimezone(reference_zone).utcoffset():
                return False
    return True


@transaction.atomic
def set_market(
    *, time_zone: str | None = None, isp_duration: str | None = None, actor: str, reason: str = ""
) -> Market:
    """Set the market's time zone, its ISP duration or both, with an audit entry.

    The market's row is locked, so two calls at the same time do not undo each other.

    Args:
        time_zone: A name of the IANA database, or None to leave the time zone.
        isp_duration: One of ISP_DURATIONS, or None to leave the duration.
        actor: Who sets it, for the audit entry.
        reason: Why, for the audit entry.

    Raises:
        UnknownMarket: A market cannot have the time zone or the ISP duration.
    """
    Market.objects.bulk_create([Market()], ignore_conflicts=True)
    row = Market.objects.select_for_update().get()
    before = {"time_zone": row.time_zone, "isp_duration": row.isp_duration}
    if time_zone is not None:
        if time_zone not in known_zones():
            raise UnknownMarket(
                f"{time_zone!r} is not in the IANA time zone database, as Europe/Amsterdam is."
            )
        if not UFTP_ZONES.fullmatch(time_zone):
            raise UnknownMarket(f"{time_zone!r} cannot be stated in a UFTP message: see docs/settings.md.")
        row.time_zone = time_zone
    if isp_duration is not None:
        if isp_duration not in ISP_DURATIONS:
            raise UnknownMarket(f"{isp_duration!r} is not one of {', '.join(ISP_DURATIONS)}.")
        row.isp_duration = isp_duration
    row.save()
    after = {"time_zone": row.time_zone, "isp_duration": row.isp_duration}
    if before != after:
        audit.record(actor, "set market", "market", before, after, reason, about=row)
    return row


@lru_cache(maxsize=1)
def known_zones() -> frozenset[str]:
    """Return the names in the IANA time zone database."""
    return frozenset(available_timezones())


def usable_zones() -> list[str]:
    """Return the time zones that a market can have, sorted: those that a UFTP message can name."""
    return sorted(zone for zone in known_zones() if UFTP_ZONES.fullmatch(zone))


def _to_utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        return instant.replace(tzinfo=UTC)
