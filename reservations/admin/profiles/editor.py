"""A profile as the form of a contract has it while it is edited: as typed, with what is wrong beside it.

All of it is in the form, so that every button may post it and bring the page back. For each kind of day there are
rows of first ISP, last ISP and watts; where these would be too many to be looked through, a text with a line for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import zip_longest

from django.http import QueryDict

from reservations.contracts import profiles
from reservations.contracts.profiles import (
    FIRST_DAY,
    LAST_DAY,
    WEEKDAYS,
    Profile,
    ProfileError,
    Stretch,
    Stretches,
)
from reservations.isps import clock_times
from reservations.isps.clock_times import DayTimes

EVERY = "every"
MOST_ROWS = 24
"""Rows of a kind of day; what has more is a text."""

MOST_ROWS_IN_ALL = 120
FIELDS = ("first", "last", "watts")
COLUMNS = {"first_isp": "first", "last_isp": "last", "reserved_w": "watts"}
"""The fields of a row by the columns that faults name."""

WHOLE = re.compile(r"[+-]?\d{1,15}", re.ASCII)
LINE = re.compile(
    r"(?P<first>[\d:]+)(?:\s*[-–]\s*(?P<last>[\d:]+))?[\s;,=]+(?P<watts>[+-]?\d{1,15})(?:\s*W)?"
)


@dataclass
class Row:
    """A stretch as typed; `wrong` says by field what is wrong with it. `changed` marks what a button brought about."""

    first: str = ""
    last: str = ""
    watts: str = ""
    wrong: dict[str, str] = field(default_factory=dict)
    changed: bool = False
    span: str = ""

    @property
    def empty(self) -> bool:
        return not (self.first or self.last or self.watts)


@dataclass
class Part:
    """The stretches of a kind of day: `key` is `every`, the number of a day of the week, or a day as YYYY-MM-DD.

    `text` takes the place of the rows where it is not None. `unsaved`: it differs from what is
    stored. Once read, `stretches` are what they say, as far as nothing is wrong.
    """

    key: str
    rows: list[Row] = field(default_factory=list)
    text: str | None = None
    wrong: list[str] = field(default_factory=list)
    changed: bool = False
    unsaved: bool = False
    stretches: Stretches = ()

    @property
    def day(self) -> date | None:
        return date.fromisoformat(self.key) if len(self.key) == 10 else None

    @property
    def name(self) -> str:
        return name_of(self.key)

    @property
    def right(self) -> bool:
        return not self.wrong and not any(row.wrong for row in self.rows)


def name_of(key: str) -> str:
    """`Every day`, `Monday`, `2026-12-25 (Friday)`: the kind of day that a key names."""
    if key == EVERY:
        return "Every day"
    if len(key) == 1:
        return WEEKDAYS[int(key) - 1]
    return f"{key} ({WEEKDAYS[date.fromisoformat(key).weekday()]})"


def key_of(text: str) -> str | None:
    """`text` where it is a key; None for anything else."""
    if text == EVERY or re.fullmatch(r"[1-7]", text, re.ASCII):
        return text
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return text if day.isoformat() == text and FIRST_DAY <= day <= LAST_DAY else None


@dataclass
class Editor:
    """All kinds of day of a profile with ISPs of `minutes` in `time_zone`, that of every day always among them."""

    minutes: int
    time_zone: str
    parts: dict[str, Part] = field(default_factory=dict)

    @classmethod
    def of(cls, profile: Profile, minutes: int, time_zone: str) -> Editor:
        """The editor that shows `profile`."""
        editor = cls(minutes, time_zone)
        editor.put(EVERY, profile.every_day)
        for weekday, stretches in profile.weekdays.items():
            editor.put(str(weekday), stretches)
        for day, stretches in profile.days.items():
            editor.put(day.isoformat(), stretches)
        for part in editor.parts.values():
            part.changed = False
            for row in part.rows:
                row.changed = False
        editor.arrange()
        return editor

    @classmethod
    def of_form(cls, sent: QueryDict, minutes: int, time_zone: str) -> Editor:
        """What a form sent, as it was typed, and what is wrong with it."""
        editor = cls(minutes, time_zone)
        named = [EVERY, *sent.getlist("part"), *(name.removesuffix("-text") for name in sent)]
        for key in dict.fromkeys(filter(None, map(key_of, named))):
            part = editor.parts[key] = Part(key)
            if f"{key}-text" in sent:
                part.text = str(sent[f"{key}-text"])
            columns = [sent.getlist(f"{key}-{name}") for name in FIELDS]
            part.rows = [
                Row(first.strip(), last.strip(), watts.strip())
                for first, last, watts in zip_longest(*columns, fillvalue="")
            ]
            editor.read(part)
        editor.arrange()
        return editor

    def times(self, key: str) -> DayTimes:
        """The ISPs of the kind of day that `key` names."""
        if len(key) == 10:
            return clock_times.of_day(date.fromisoformat(key), self.minutes, self.time_zone)
        return clock_times.usual(self.minutes)

    @property
    def right(self) -> bool:
        return all(part.right for part in self.parts.values())

    @property
    def profile(self) -> Profile:
        """What the editor says; of what is wrong in it, nothing."""
        return profile_of({key: part.stretches for key, part in self.parts.items()})

    def put(self, key: str, stretches: Stretches) -> None:
        """Have the kind of day reserve `stretches`, and mark what differs from what stood there."""
        before = self.parts.get(key)
        stood = {(row.first, row.last, row.watts) for row in before.rows} if before else set()
        part = Part(key, [Row(str(each.first), str(each.last), str(each.watts)) for each in stretches])
        for row in part.rows:
            row.changed = (row.first, row.last, row.watts) not in stood
        part.changed = before is None or before.stretches != profiles.normal(stretches)
        self.parts[key] = part
        self.read(part)

    def compare(self, stored: Editor) -> None:
        """Find which kinds of day are not as in `stored`."""
        for key, part in self.parts.items():
            was = stored.parts.get(key)
            same = was is not None and was.stretches == part.stretches
            part.unsaved = not (same and part.right) if was or part.stretches else key != EVERY

    def arrange(self) -> None:
        """Put every day first, then days of the week, then single days; and what has many rows into a text."""
        self.parts = {
            key: self.parts[key] for key in sorted(self.parts, key=lambda key: (key != EVERY, len(key), key))
        }
        budget = MOST_ROWS_IN_ALL
        for part in self.parts.values():
            fits = len(part.rows) <= min(MOST_ROWS, budget)
            if part.text is None and not fits and part.right:
                part.text, part.rows = as_text(part.stretches), []
            budget -= len(part.rows)

    def read(self, part: Part) -> None:
        """Find what the part says, and what is wrong with it."""
        part.wrong = []
        if part.text is not None:
            try:
                part.stretches = read_lines(part.text, self.times(part.key))
            except ValueError as wrong:
                part.wrong, part.stretches = [str(wrong)], ()
            part.wrong += [str(fault) for fault in self._faults(part.key, part.stretches)]
            return
        said = [(row, self._stretch(part.key, row)) for row in part.rows if not row.empty]
        found = [(row, stretch) for row, stretch in said if stretch is not None]
        for fault in self._faults(part.key, [stretch for _, stretch in found]):
            if fault.stretch is None:
                part.wrong.append(str(fault))
            else:
                found[fault.stretch][0].wrong[COLUMNS[fault.column]] = str(fault)
        part.stretches = profiles.normal(stretch for row, stretch in found if not row.wrong)

    def _faults(self, key: str, stretches: Sequence[Stretch]) -> list[ProfileError]:
        """What is wrong with the stretches of the kind of day."""
        return list(profiles.faults(profile_of({key: tuple(stretches)}), self.minutes, self.time_zone))

    def _stretch(self, key: str, row: Row) -> Stretch | None:
        """The stretch that `row` says, and when it is; None where something is wrong with it."""
        row.wrong, row.span = {}, ""
        times = self.times(key)
        numbers = {}
        for name, value in (("first", row.first), ("last", row.last or row.first)):
            try:
                numbers[name] = (times.first_isp if name == "first" else times.last_isp)(value)
            except ValueError as wrong:
                row.wrong[name] = str(wrong) if value else "give an ISP, or a time such as 07:00"
        if not row.wrong:
            if numbers["first"] > numbers["last"]:
                row.wrong["last"] = f"ISP {numbers['last']} comes before ISP {numbers['first']}"
            else:
                row.span = times.span(numbers["first"], numbers["last"])
        if not WHOLE.fullmatch(row.watts):
            row.wrong["watts"] = "give a whole number of watts" + (
                f", not “{row.watts}”" if row.watts else ""
            )
        if row.wrong:
            return None
        row.first, row.last = str(numbers["first"]), str(numbers["last"])
        return Stretch(numbers["first"], numbers["last"], int(row.watts))


def profile_of(stretches: Mapping[str, Stretches]) -> Profile:
    """The profile with the stretches of each kind of day, by its key."""
    return Profile(
        stretches.get(EVERY, ()),
        {int(key): found for key, found in stretches.items() if len(key) == 1},
        {date.fromisoformat(key): found for key, found in stretches.items() if len(key) == 10},
    )


def converted(profile: Profile, minutes: int, to: int) -> Profile:
    """`profile`, which has ISPs of `minutes`, with ISPs of `to` minutes; as it is where it cannot be said in them."""
    parts = {EVERY: profile.every_day}
    parts |= {str(weekday): found for weekday, found in profile.weekdays.items()}
    parts |= {day.isoformat(): found for day, found in profile.days.items()}
    edges = [
        edge * minutes for found in parts.values() for each in found for edge in (each.first - 1, each.last)
    ]
    if any(edge % to for edge in edges):
        return profile
    return profile_of(
        {
            key: tuple(
                Stretch((each.first - 1) * minutes // to + 1, each.last * minutes // to, each.watts)
                for each in found
            )
            for key, found in parts.items()
        }
    )


def as_text(stretches: Iterable[Stretch]) -> str:
    """A line for each stretch: `1-20 1000`."""
    return "\n".join(f"{each.first}-{each.last} {each.watts}" for each in stretches)


def read_lines(text: str, times: DayTimes) -> Stretches:
    """What lines such as `1-20 1000` or `07:00-22:00 1000` say, or a column of as many watts as there are ISPs.

    What no line names reserves nothing. Raises ValueError, which names the line.
    """
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if lines and all(WHOLE.fullmatch(line) for _, line in lines):
        if len(lines) != times.count:
            raise ValueError(
                f"a column needs {times.count} values, one for each ISP of the day: these are {len(lines)}"
            )
        column = [int(line) for _, line in lines]
        return profiles.normal(Stretch(isp, isp, watts) for isp, watts in enumerate(column, start=1))
    named: dict[int, int] = {}
    found = []
    for number, line in lines:
        said = LINE.fullmatch(line)
        if said is None:
            raise ValueError(f"line {number}: “{line[:40]}” is not like 1-20 1000 or 07:00-22:00 1000")
        try:
            first = times.first_isp(said["first"])
            last = times.last_isp(said["last"]) if said["last"] else first
        except ValueError as wrong:
            raise ValueError(f"line {number}: {wrong}") from None
        if last < first:
            raise ValueError(f"line {number}: ISP {last} comes before ISP {first}")
        for isp in range(first, last + 1):
            if isp in named:
                raise ValueError(f"line {number}: ISP {isp} is named already, in line {named[isp]}")
            named[isp] = number
        found.append(Stretch(first, last, int(said["watts"])))
    return profiles.normal(found)
