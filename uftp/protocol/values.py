"""The values of schema-valid attributes: days, moments, numbers (docs/protocol-support.md, "Values")."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache

FIRST_DAY = date(1, 1, 2)
LAST_DAY = date(9999, 12, 30)
"""The first and the last day that can be registered: those that have a day before and a day after them."""

WHITE_SPACE = " \t\r\n"
"""The white space of XML. `str.strip` without an argument removes more characters."""

_BIGGEST = 2**63 - 1
_LONGEST_VALUE = 60
_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(?:Z|[+-]\d\d:\d\d)?", re.ASCII)
_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))?", re.ASCII
)


class UnusableValue(Exception):
    """A value is valid by the schema, but cannot be stored. The message is one line for `Invalid Message`."""


@lru_cache(maxsize=1 << 14)
def day(text: str) -> date:
    """Return the day of an xs:date. A time zone suffix is ignored.

    Raises:
        UnusableValue: It is not a day that can be registered.
    """
    match = _DAY.fullmatch(text.strip(WHITE_SPACE))
    try:
        named = date.fromisoformat(match.group(1) if match else "")
    except ValueError:
        raise _unusable("day", text) from None
    if not FIRST_DAY <= named <= LAST_DAY:
        raise _unusable("day", text)
    return named


def end_day(text: str | None) -> date | None:
    """Return the inclusive last day of an EndPeriod, or None if there is no EndPeriod.

    9999-12-31 becomes `date.max`.

    Raises:
        UnusableValue: It is not a day that can be registered.
    """
    if text is None:
        return None
    return date.max if text.strip(WHITE_SPACE)[:10] == "9999-12-31" else day(text)


def moment(text: str) -> datetime:
    """Return the moment of an xs:dateTime, aware and in UTC, to the microsecond. Without an offset it is UTC.

    Raises:
        UnusableValue: The calendar has no such moment.
    """
    match = _MOMENT.fullmatch(text.strip(WHITE_SPACE))
    if match is None:
        raise _unusable("point in time", text)
    year, month, day_of_month, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, sign, zone_hours, zone_minutes = match.groups()[6:]
    zone = UTC
    if sign is not None:
        offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
        zone = timezone(-offset if sign == "-" else offset)
    microsecond = int((fraction or "0")[:6].ljust(6, "0"))
    try:
        local = datetime(year, month, day_of_month, hour, minute, second, microsecond, tzinfo=zone)
        in_utc = local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _unusable("point in time", text) from None
    if not FIRST_DAY <= in_utc.date() <= LAST_DAY:
        raise _unusable("point in time", text)
    return in_utc


def has_offset(text: str) -> bool:
    """Return whether an xs:dateTime states its offset from UTC."""
    return re.search(r"(Z|[+-]\d\d:\d\d)[ \t\r\n]*\Z", text) is not None


def integer(text: str, what: str) -> int:
    """Return the number of an xs:integer. `what` is its name in an error.

    Raises:
        UnusableValue: The number needs more than 64 bits.
    """
    digits = text.strip(WHITE_SPACE)
    if len(digits.lstrip("+-0")) > len(str(_BIGGEST)):
        raise _unusable(what, text)
    number = int(digits)
    if abs(number) > _BIGGEST:
        raise _unusable(what, text)
    return number


def boolean(text: str) -> bool:
    """Return the value of an xs:boolean: `true`, `false`, `1` or `0`."""
    return text.strip(WHITE_SPACE) in ("true", "1")


def _unusable(what: str, text: str) -> UnusableValue:
    value = text.strip(WHITE_SPACE)
    if len(value) > _LONGEST_VALUE:
        value = f"{value[:_LONGEST_VALUE]}…"
    return UnusableValue(f"{value} is no {what} that can be kept")
