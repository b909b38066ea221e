"""What the tests of the registry say and see: lines of updates, days, runs of days.

A day is a number: 0 is the day on which a test starts. Days past the last one that tests name are all alike,
so one day, FOREVER, stands for them: a period without an end covers it, and no other does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

Day = int
FOREVER: Day = 80
DAYS = range(-60, FOREVER + 1)

EFFECTIVE, CONTESTED, REFUSED = "effective", "contested", "refused"
REPRESENTATION, MEMBERSHIP = "representation", "membership"
PERIOD, CONFLICT = "Period out of bounds", "Connection conflict"

Place = str | None

DEFAULTS: dict[str, str] = {
    "representation conflicts": "hold",
    "membership conflicts": "hold",
    "omitted connections": "keep",
    "P1": "reject",
    "P2": "accept",
    "P3": "adjust",
    "P4": "adjust",
    "P5": "reject",
    "P6": "adjust",
    "P7": "adjust",
    "P2 days": "30",
}


class Line(NamedTuple):
    """A connection in an update: first and last day, both inclusive; `last` None is open-ended."""

    connection: str
    first: Day
    last: Day | None


class Terms(NamedTuple):
    mutex: bool = False
    day_ahead: str = "AGR"
    intraday: str | None = None


class Point(NamedTuple):
    """A congestion point in an update, with the connections listed under it."""

    point: str
    first: Day
    last: Day | None
    connections: tuple[Line, ...] = ()
    terms: Terms = Terms()


class Run(NamedTuple):
    """Consecutive days, both ends inclusive, of which the same is true; `last` None: for ever."""

    first: Day
    last: Day | None
    what: object


class ModelConflict(NamedTuple):
    """A conflict: a maximal run of days of one connection between one holder and one claimant."""

    kind: str
    connection: str
    holder: str
    claimant: str
    first: Day
    last: Day | None


@dataclass(frozen=True)
class View:
    """All that the registry holds for true, as runs of days; and who waits for which days, longest first."""

    terms: Mapping[tuple[str, str], tuple[Run, ...]]
    memberships: Mapping[tuple[str, str, str], tuple[Run, ...]]
    representations: Mapping[tuple[str, str], tuple[Run, ...]]
    waiting: Mapping[tuple[str, str], tuple[Run, ...]]
    conflicts: frozenset[ModelConflict]


@dataclass(frozen=True)
class Answer:
    """What the sender is told: the rules that reject its message, or those that it is warned of.

    `counted` are D6's numbers: the congestion point, how many of its connections, and words that the warning has.
    """

    rejected_for: frozenset[str] = frozenset()
    warned_of: frozenset[str] = frozenset()
    counted: tuple[tuple[str, int, str], ...] = ()

    @property
    def accepted(self) -> bool:
        return not self.rejected_for


def covered(first: Day, last: Day | None) -> frozenset[Day]:
    return frozenset(day for day in DAYS if first <= day and (last is None or day <= last))


def blocks(days: Iterable[Day]) -> list[frozenset[Day]]:
    """The maximal runs of consecutive days."""
    found: list[set[Day]] = []
    for day in sorted(days):
        if found and day - 1 in found[-1]:
            found[-1].add(day)
        else:
            found.append({day})
    return [frozenset(block) for block in found]


def runs(what: Mapping[Day, object]) -> tuple[Run, ...]:
    """The days of `what` as maximal runs on which its values are the same."""
    found: list[Run] = []
    for day, value in sorted(what.items()):
        if found and found[-1].last == day - 1 and found[-1].what == value:
            found[-1] = found[-1]._replace(last=day)
        else:
            found.append(Run(day, day, value))
    return tuple(run._replace(last=None) if run.last == FOREVER else run for run in found)


def touches(block: frozenset[Day], days: frozenset[Day]) -> bool:
    return any(day - 1 in days or day in days or day + 1 in days for day in block)


def overlap(periods: list[frozenset[Day]]) -> bool:
    return sum(map(len, periods)) > len(frozenset().union(*periods))
