"""Edit a profile in the form of a contract: as typed, with what is wrong beside it.

All of it is in the form, so that every button may post it and bring the page back. Each kind of day has rows of first
ISP, last ISP and watts. Where the rows would be too many to look through, it has a text with a line for each.
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

EVERY_DAY = "every"
MAX_ROWS = 24
"""Rows of a kind of day; what has more is a text."""

MAX_ROWS_IN_ALL = 120
FIELDS = ("first", "last", "watts")
FIELD_OF_COLUMN = {"first_isp": "first", "last_isp": "last", "reserved_w": "watts"}
"""The fields of a row by the columns that faults name."""

INTEGER = re.compile(r"[+-]?\d{1,15}", re.ASCII)
LINE = re.compile(r"([\d:]+)(?:\s*[-–]\s*([\d:]+))?[\s;,=]+([+-]?\d{1,15})(?:\s*W)?")


@dataclass
class Row:
    """A stretch as typed; `wrong` has its mistakes by field. `changed`: a tool has written it."""

    first: str = ""
    last: str = ""
    watts: str = ""
    changed: bool = False
    wrong: dict[str, str] = field(default_factory=dict)
    span: str = ""

    @property
    def empty(self) -> bool:
        """Return whether nothing is typed in the row."""
        return not (self.first or self.last or self.watts)


@dataclass
class Part:
    """The stretches of a kind of day: `key` is `every`, the number of a day of the week, or a day as YYYY-MM-DD.

    `text` takes the place of the rows where it is not None. `stretches` are those without a mistake. `unsaved`: it
    differs from what is stored.
    """

    key: str
    rows: list[Row] = field(default_factory=list)
    text: str | None = None
    wrong: list[str] = field(default_factory=list)
    stretches: Stretches = ()
    unsaved: bool = False

    @property
    def day(self) -> date | None:
        """Return the single day; None for other kinds of day."""
        return day_of(self.key)

    @property
    def name(self) -> str:
        """Return the name of the kind of day."""
        return name_of(self.key)

    @property
    def right(self) -> bool:
        """Return whether nothing is wrong."""
        return not self.wrong and not any(row.wrong for row in self.rows)


def day_of(key: str) -> date | None:
    """Return the single day that a key names; None for other kinds of day."""
    return date.fromisoformat(key) if len(key) == 10 else None


def name_of(key: str) -> str:
    """Return the name of a kind of day: `Every day`, `Monday`, `2026-12-25 (Friday)`."""
    if key == EVERY_DAY:
        return "Every day"
    day = day_of(key)
    return f"{key} ({WEEKDAYS[day.weekday()]})" if day else WEEKDAYS[int(key) - 1]


def key_of(text: str) -> str | None:
    """Return `text` where it is a key; None for anything else."""
    if text == EVERY_DAY or re.fullmatch(r"[1-7]", text, re.ASCII):
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
        """Return the editor with a stored profile."""
        editor = cls(minutes, time_zone)
        editor.put(EVERY_DAY, profile.every_day, changed=False)
        for kind, stretches in (*profile.weekdays.items(), *profile.days.items()):
            editor.put(str(kind), stretches, changed=False)
        editor.arrange()
        return editor

    @classmethod
    def of_form(cls, sent: QueryDict, minutes: int, time_zone: str) -> Editor:
        """Return the editor with what a form sent, as it was typed."""
        editor = cls(minutes, time_zone)
        named = [EVERY_DAY, *sent.getlist("part"), *(name.removesuffix("-text") for name in sent)]
        for key in dict.fromkeys(filter(None, map(key_of, named))):
            columns = [map(str.strip, sent.getlist(f"{key}-{name}")) for name in FIELDS]
            rows = [Row(first, last, watts) for first, last, watts in zip_longest(*columns, fillvalue="")]
            editor.parts[key] = Part(key, rows, sent.get(f"{key}-text"))
            editor.read(editor.parts[key])
        editor.arrange()
        return editor

    def times(self, key: str) -> DayTimes:
        """Return the ISPs of a kind of day."""
        if day := day_of(key):
            return clock_times.of_day(day, self.minutes, self.time_zone)
        return clock_times.usual_day(self.minutes)

    @property
    def right(self) -> bool:
        return all(part.right for part in self.parts.values())

    @property
    def profile(self) -> Profile:
        """The profile in the editor, without what is wrong in it."""
        return profile_of({key: part.stretches for key, part in self.parts.items()})

    def put(self, key: str, stretches: Stretches, *, changed: bool = True) -> None:
        """Have the kind of day reserve `stretches`; with `changed`, mark those that are new to it."""
        before = self.parts[key].stretches if key in self.parts else ()
        part = self.parts[key] = Part(key)
        for each in stretches:
            is_new = changed and each not in before
            part.rows.append(Row(str(each.first), str(each.last), str(each.watts), is_new))
        self.read(part)

    def compare(self, stored: Editor) -> None:
        """Find which kinds of day are not as in `stored`."""
        for key, part in self.parts.items():
            before = stored.parts.get(key)
            part.unsaved = not (before and part.right and before.stretches == part.stretches)

    def arrange(self) -> None:
        """Sort the kinds of day: every day, days of the week, single days; and turn many rows into a text."""
        self.parts = dict(
            sorted(self.parts.items(), key=lambda item: (item[0] != EVERY_DAY, len(item[0]), item[0]))
        )
        budget = MAX_ROWS_IN_ALL
        for part in self.parts.values():
            fits = len(part.rows) <= min(MAX_ROWS, budget)
            if part.text is None and not fits and part.right:
                part.text, part.rows = as_text(part.stretches), []
            budget -= len(part.rows)

    def read(self, part: Part) -> None:
        """Find the stretches of a kind of day, and what is wrong with it."""
        times = self.times(part.key)
        part.wrong = []
        found: list[tuple[Row | None, Stretch]] = []
        if part.text is None:
            read = [(row, read_row(row, times)) for row in part.rows if not row.empty]
            found += [(row, stretch) for row, stretch in read if stretch]
        else:
            try:
                found += [(None, stretch) for stretch in read_lines(part.text, times)]
            except ValueError as error:
                part.wrong.append(str(error))
        for fault in self.faults(part.key, [stretch for _, stretch in found]):
            row = found[fault.stretch][0] if fault.stretch is not None else None
            if row is None:
                part.wrong.append(str(fault))
            else:
                row.wrong[FIELD_OF_COLUMN[fault.column]] = str(fault)
        part.stretches = profiles.normalised_stretches(
            stretch for row, stretch in found if not (row and row.wrong)
        )

    def faults(self, key: str, stretches: Sequence[Stretch]) -> list[ProfileError]:
        """Return what is wrong with stretches of a kind of day."""
        return list(profiles.faults(profile_of({key: tuple(stretches)}), self.minutes, self.time_zone))


def profile_of(stretches: Mapping[str, Stretches]) -> Profile:
    """Return the profile with the stretches of each kind of day, by its key."""
    return Profile(
        stretches.get(EVERY_DAY, ()),
        {int(key): found for key, found in stretches.items() if len(key) == 1},
        {day: found for key, found in stretches.items() if (day := day_of(key))},
    )


def as_text(stretches: Iterable[Stretch]) -> str:
    """Return a line for each stretch: `1-20 1000`."""
    return "\n".join(f"{each.first}-{each.last} {each.watts}" for each in stretches)


def read_isps(first: str, last: str, times: DayTimes, wrong: dict[str, str]) -> tuple[int, int]:
    """Return the first and the last ISP that were typed; they are the same where `last` is empty.

    Mistakes are added to `wrong`, by `first` and `last`.
    """
    start = end = 0
    try:
        start = end = times.first_isp(first)
    except ValueError as error:
        wrong["first"] = str(error) if first else "give an ISP, or a time such as 07:00"
    try:
        end = times.last_isp(last) if last else start
    except ValueError as error:
        wrong["last"] = str(error)
    if not wrong and start > end:
        wrong["last"] = f"ISP {end} comes before ISP {start}"
    return start, end


def read_row(row: Row, times: DayTimes) -> Stretch | None:
    """Return the stretch in a row, and give the row its times; None where something is wrong with it."""
    row.wrong, row.span = {}, ""
    first, last = read_isps(row.first, row.last or row.first, times, row.wrong)
    if not row.wrong:
        row.span = times.span(first, last)
    if not INTEGER.fullmatch(row.watts):
        row.wrong["watts"] = "give a whole number of watts" + (f", not “{row.watts}”" if row.watts else "")
    if row.wrong:
        return None
    row.first, row.last = str(first), str(last)
    return Stretch(first, last, int(row.watts))


def read_lines(text: str, times: DayTimes) -> Stretches:
    """Return the stretches in a text: lines such as `1-20 1000` or `07:00-22:00 1000`, or a value for each ISP.

    What no line names reserves nothing.

    Raises:
        ValueError: A line is wrong; the text names it.
    """
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if lines and all(INTEGER.fullmatch(line) for _, line in lines):
        if len(lines) != times.count:
            raise ValueError(
                f"a column needs {times.count} values, one for each ISP of the day: these are {len(lines)}"
            )
        return profiles.from_watts(int(line) for _, line in lines)
    line_of: dict[int, int] = {}
    found = []
    for number, line in lines:
        matched = LINE.fullmatch(line)
        if matched is None:
            raise ValueError(f"line {number}: “{line[:40]}” is not like 1-20 1000 or 07:00-22:00 1000")
        wrong: dict[str, str] = {}
        first, last = read_isps(matched[1], matched[2] or "", times, wrong)
        if wrong:
            raise ValueError(f"line {number}: {next(iter(wrong.values()))}")
        for isp in range(first, last + 1):
            if isp in line_of:
                raise ValueError(f"line {number}: ISP {isp} is named already, in line {line_of[isp]}")
            line_of[isp] = number
        found.append(Stretch(first, last, int(matched[3])))
    return profiles.normalised_stretches(found)
