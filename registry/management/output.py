"""How the registry's commands read days and moments, and print results."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import CommandParser

from common import clock
from common.commands import OperatorCommand
from registry.market.market import LAST_MICROSECOND, market, today_at


def day(text: str) -> date:
    """Read a day, written as YYYY-MM-DD; a type for argparse."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a day; write it as 2026-12-31") from None


def known_at(text: str) -> datetime | None:
    """Read a past moment, as the pages do; a type for argparse.

    Args:
        text: A day of the market, which means its end; or a moment in ISO 8601, in the market's time zone if it has no
            offset. A moment without a fraction of a second means the end of the second.

    Returns:
        The moment (aware); None for the present, which is what the market's today means.
    """
    try:
        return _end_of(date.fromisoformat(text))
    except ValueError:
        pass
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(
            f"{text!r} is not a moment; write it as 2026-12-31T12:00:00+01:00, or as 2026-12-31 for the end of that day"
        ) from None
    if not any(mark in text for mark in ".,"):
        parsed = parsed.replace(microsecond=LAST_MICROSECOND)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=ZoneInfo(market().time_zone))


def _end_of(day: date) -> datetime | None:
    """Return the end of a day of the market; None if the day is today."""
    time_zone = market().time_zone
    if day == today_at(clock.now(), time_zone):
        return None
    return datetime.combine(day, time.max, ZoneInfo(time_zone))


def add_known_at(parser: CommandParser) -> None:
    """Add the option `--known-at`."""
    parser.add_argument(
        "--known-at",
        type=known_at,
        metavar="MOMENT",
        help="what was known at this moment: a day, such as 2026-12-31, means its end in the market's time zone, or"
        " the present if it is today; a moment, such as 2026-12-31T12:00:00+01:00, is in the market's time zone if it"
        " has no offset; without --known-at: what is known at present",
    )


class PrintingCommand(OperatorCommand):
    """A command that prints what it found: as JSON with `--json`, else as lines for people."""

    def add_time_arguments(self, parser: CommandParser) -> None:
        """Add the options `--on`, `--known-at` and `--json`."""
        parser.add_argument("--on", type=day, metavar="DAY", help="only facts about this day")
        add_known_at(parser)
        parser.add_argument("--json", action="store_true", help="print JSON")

    def print_result(self, result: Any, *, as_json: bool) -> None:
        """Print a result.

        Args:
            result: A dictionary of values and lists of rows, or a list of rows; a row is a dictionary.
            as_json: Print JSON instead of lines.
        """
        if as_json:
            self.stdout.write(json.dumps(result, indent=2, ensure_ascii=False))
            return
        if isinstance(result, list):
            self._print_rows(result)
            if not result:
                self.stdout.write("none")
            return
        for name, value in result.items():
            if isinstance(value, list):
                self.stdout.write(f"{_words(name)}: {len(value) or 'none'}")
                self._print_rows(value, indent="  ")
            elif value is not None:
                self.stdout.write(f"{_words(name)}: {value}")

    def _print_rows(self, rows: list[dict[str, Any]], indent: str = "") -> None:
        for row in rows:
            values = [
                f"{_words(name)} {_value(name, value)}"
                for name, value in row.items()
                if _has_value(name, value)
            ]
            self.stdout.write(indent + " · ".join(values))


def _has_value(name: str, value: Any) -> bool:
    return value is not None or name == "end"


def _value(name: str, value: Any) -> str:
    if name == "end" and value is None:
        return "open"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _words(name: str) -> str:
    return name.replace("_", " ")
