"""The steps of random histories, of both models of the registry: what is sent, settled and chosen."""

from __future__ import annotations

from dataclasses import dataclass

from tests.registry.model_days import Line, Point


@dataclass(frozen=True)
class DaysGoBy:
    days: int


@dataclass(frozen=True)
class SetPolicy:
    name: str
    value: str


@dataclass(frozen=True)
class AgrUpdate:
    """Days of the lines count from the day on which it is sent."""

    agr: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class DsoUpdate:
    """Days of the lines count from the day on which it is sent."""

    dso: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class SendAgain:
    """An earlier update, word for word: its days stay what they were. `which` chooses it."""

    which: int


@dataclass(frozen=True)
class Settle:
    """A decision on one of the open conflicts; `at` picks the day of a split."""

    which: int
    decision: str
    at: int


@dataclass(frozen=True)
class Adjust:
    """Staff move the first and the last day of a row; with None it has no last day."""

    which: int
    first: int
    last: int | None
