"""Read the lines of a file of contracts: one for each stretch of a profile (docs/operating.md, CSV files).

All lines of a contract repeat the contract's own columns with equal values. A value that cannot be read is noted with
its column. A harmless value takes its place, so that everything else can still be checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any

from common.csv import spreadsheets
from common.csv.reader import Fault, Row
from registry.models import Market
from reservations.contracts.profiles import FIRST_DAY, MOST_WATTS, WEEKDAYS, Profile, Stretch
from reservations.contracts.terms import Problem, Terms
from reservations.deadlines import Deadline
from reservations.isps import calendar
from reservations.models import ContractVersion

PARTIES = ("dso", "agr", "contract_id")
OWN = (
    "congestion_point",
    "start",
    "end",
    "isp_duration",
    "deadline_days",
    "deadline_time",
    "deadline_hours",
    "state",
)
STRETCH = ("days", "first_isp", "last_isp", "reserved_w")
COLUMNS = (*PARTIES, *OWN, *STRETCH)

EVERY_DAY = "every day"
State = ContractVersion.State

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?")
_WHOLE = re.compile(r"[+-]?[0-9]+")
_LONGEST_NUMBER = 18


class Unusable(ValueError):
    """A value is not allowed in its column. The text says what is allowed, and if a spreadsheet has rewritten it."""

    def __init__(self, value: str, expected: str) -> None:
        rewritten = spreadsheets.hint(value)
        not_expected = f"not {expected}{rewritten and f'; {rewritten}'}"
        super().__init__(not_expected if value else f"is empty: give {expected}")


class OutOfBounds(Unusable):
    """A number is too large or too small. The text says the bounds."""

    def __init__(self, bounds: str) -> None:
        ValueError.__init__(self, bounds)


@dataclass(slots=True)
class ProfilePart:
    """The profile of one kind of day: its stretches, and the line of each."""

    stretches: list[Stretch] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


@dataclass(slots=True)
class ContractLines:
    """The lines of one contract.

    Attributes:
        texts: The texts of the contract's own columns.
        values: The values of those columns that can be read.
        unusable: What is wrong with the other ones, by column.
        lines: The numbers of all its lines.
        parts: The profile: "every day", days of the week from 1 (Monday), and calendar days.
    """

    dso: str
    agr: str
    contract_id: str
    texts: dict[str, str]
    values: dict[str, Any] = field(default_factory=dict)
    unusable: dict[str, str] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)
    parts: dict[str | int | date, ProfilePart] = field(default_factory=dict)

    @property
    def state(self) -> ContractVersion.State:
        """Return the contract's state, in force if it is empty or unusable."""
        return State(self.values.get("state", State.IN_FORCE))

    def terms(self, market: Market) -> Terms:
        """Return the terms of the contract, with harmless values in the place of unusable ones."""

        def value(column: str, stand_in: Any = None) -> Any:
            return self.values.get(column, stand_in)

        readable = self.unusable.keys().isdisjoint(("deadline_days", "deadline_time", "deadline_hours"))
        deadline = Deadline(value("deadline_days"), value("deadline_time"), value("deadline_hours"))
        return Terms(
            congestion_point=value("congestion_point"),
            first=value("start", FIRST_DAY),
            last=value("end"),
            isp_minutes=value("isp_duration", calendar.minutes_of(market.isp_duration)),
            deadline=deadline if readable else Deadline(hours=0),
            profile=Profile(
                tuple(self.parts.get(EVERY_DAY, ProfilePart()).stretches),
                {key: tuple(part.stretches) for key, part in self.parts.items() if isinstance(key, int)},
                {key: tuple(part.stretches) for key, part in self.parts.items() if isinstance(key, date)},
            ),
        )

    def faults(self, problem: Problem) -> Iterator[Fault]:
        """Yield a problem of these terms as a fault of the line that it is about.

        Yield nothing if the problem comes from a harmless value in the place of an unusable one.
        """
        of_isps = problem.field in ("first_isp", "last_isp") and problem.other is None
        if problem.field in self.unusable or (of_isps and "isp_duration" in self.unusable):
            return
        if not problem.days:
            yield self.fault(problem.field, problem.text)
            return
        part = next(part for key, part in self.parts.items() if _name(key) == problem.days)
        text = problem.text
        if problem.other is not None:
            text = f"{text} The other is line {part.lines[problem.other]}."
        yield Fault(part.lines[problem.stretch or 0], problem.field, text)

    def fault(self, column: str, text: str) -> Fault:
        """Return a fault of the contract's own value in `column`, which all its lines repeat."""
        if other_lines := ", ".join(calendar.in_words(self.lines[1:])):
            same = f"he same on {_lines(other_lines)}"
            text = f"{text} T{same}." if text.endswith(".") else f"{text}; t{same}"
        return Fault(self.lines[0], column, text)


def read(rows: Iterable[Row], market: Market) -> tuple[list[ContractLines], list[Fault]]:
    """Return the contracts in the order of the file, and a fault for all that cannot be read or is contradictory."""
    contracts: dict[tuple[str, ...], ContractLines] = {}
    faults: list[Fault] = []
    for row in rows:
        dso, agr, contract_id = (row.values[column] for column in PARTIES)
        key = dso.lower(), agr.lower(), contract_id
        contract = contracts.get(key)
        if rewritten := spreadsheets.number_hint(contract_id):
            faults.append(Fault(row.line, "contract_id", rewritten))
        if contract is None:
            contract = contracts[key] = ContractLines(*key, texts=_own(row))
            contract.values, contract.unusable = _read_own(contract.texts)
        else:
            faults += _disagreements(contract, row)
        contract.lines.append(row.line)
        faults += _add_stretch(contract, row)
    for contract in contracts.values():
        faults += [contract.fault(column, text) for column, text in contract.unusable.items()]
    return list(contracts.values()), faults


def _own(row: Row) -> dict[str, str]:
    return {column: row.values[column] for column in OWN}


def _read_own(texts: dict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    values: dict[str, Any] = {}
    unusable: dict[str, str] = {}
    for column, text in texts.items():
        try:
            values[column] = READERS[column](text)
        except Unusable as error:
            unusable[column] = str(error)
    return values, unusable


def _disagreements(contract: ContractLines, row: Row) -> Iterator[Fault]:
    texts = _own(row)
    if texts == contract.texts:
        return
    values, unusable = _read_own(texts)
    for column in OWN:
        if column in unusable and texts[column] != contract.texts[column]:
            yield Fault(row.line, column, unusable[column])
        elif column in values and column in contract.values and values[column] != contract.values[column]:
            stated, first = texts[column] or "empty", contract.texts[column] or "empty"
            yield Fault(
                row.line,
                column,
                f"{stated} here, and {first} on line {contract.lines[0]} of the same contract.",
            )


def _add_stretch(contract: ContractLines, row: Row) -> Iterator[Fault]:
    values: dict[str, Any] = {}
    for column in STRETCH:
        try:
            values[column] = READERS[column](row.values[column])
        except Unusable as error:
            yield Fault(row.line, column, str(error))
    if len(values.keys() | {"reserved_w"}) == len(STRETCH):
        part = contract.parts.setdefault(values["days"], ProfilePart())
        part.stretches.append(Stretch(values["first_isp"], values["last_isp"], values.get("reserved_w", 0)))
        part.lines.append(row.line)


def _name(key: str | int | date) -> str:
    return WEEKDAYS[key - 1] if isinstance(key, int) else str(key)


def _lines(numbers: str) -> str:
    return f"{'line' if numbers.isdecimal() else 'lines'} {numbers}"


def _day(text: str, expected: str = "a day, such as 2026-12-31") -> date:
    if not _DAY.fullmatch(text):
        raise Unusable(text, expected)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Unusable(text, expected) from None


def _end(text: str) -> date | None:
    day = _day(text, "a day, such as 2026-12-31, or empty") if text else None
    return None if day == date.max else day


def _minutes(text: str) -> int:
    minutes = calendar.minutes_of(text)
    if minutes is None:
        raise Unusable(text, "a duration that divides an hour, such as PT15M")
    return minutes


def _time(text: str) -> time | None:
    if not text:
        return None
    if not _TIME.fullmatch(text):
        raise Unusable(text, "a time of day, such as 10:00")
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise Unusable(text, "a time of day, such as 10:00") from None


def _number(text: str) -> int | None:
    return _count(text, "a whole number", 0) if text else None


def _isp(text: str) -> int:
    return _count(text, "the number of an ISP, from 1", 1)


def _count(text: str, expected: str, least: int) -> int:
    if not _WHOLE.fullmatch(text) or text.startswith("+"):
        raise Unusable(text, expected)
    if text.startswith("-") or (len(text) <= _LONGEST_NUMBER and int(text) < least):
        raise OutOfBounds(f"must be {least} or more")
    if len(text) > _LONGEST_NUMBER:
        raise OutOfBounds("is too large")
    return int(text)


def _state(text: str) -> ContractVersion.State:
    value = text.lower() or State.IN_FORCE
    if value not in State.values:
        raise Unusable(text, f"one of {', '.join(State.values)}")
    return State(value)


def _days(text: str) -> str | int | date:
    value = text.lower()
    if value in ("", EVERY_DAY):
        return EVERY_DAY
    for number, name in enumerate(WEEKDAYS, start=1):
        if value in (name.lower(), str(number)):
            return number
    return _day(text, "every day, a day of the week such as Monday, or a day such as 2026-12-25")


def _watts(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise Unusable(text, "a whole number of watts, such as 500000 or -500000")
    if len(text) > _LONGEST_NUMBER:
        raise OutOfBounds(f"is too large: at most {MOST_WATTS} W either way")
    return int(text)


READERS: dict[str, Callable[[str], Any]] = {
    "congestion_point": str,
    "start": _day,
    "end": _end,
    "isp_duration": _minutes,
    "deadline_days": _number,
    "deadline_time": _time,
    "deadline_hours": _number,
    "state": _state,
    "days": _days,
    "first_isp": _isp,
    "last_isp": _isp,
    "reserved_w": _watts,
}
