"""What staff do to the registry, in the tests' own names and day numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from registry.changes import Source
from registry.decisions.adjust import Row, adjust
from registry.decisions.settle import settle, settle_anew, settle_many
from registry.models import Conflict, CongestionPointConnection, CongestionPointTerms, Representation
from registry.previews.effects import Consequences, Line, preview
from tests.registry.dsl import in_words
from tests.registry.model_days import Day, Run
from tests.registry.world import (
    ADDRESSES,
    NAMES,
    World,
    as_date,
    as_day,
    last_date,
)

BY_KIM = Source.of_staff("kim", "agreed by telephone")


def decide(
    world: World,
    conflict: Conflict | int,
    decision: str,
    at: Day | None = None,
    *,
    anew: bool = False,
    expected: str | None = None,
    source: Source = BY_KIM,
) -> int:
    """Settle a conflict, or decide it anew; returns the change's number."""
    verb = settle_anew if anew else settle
    number = conflict if isinstance(conflict, int) else conflict.pk
    return verb(
        number, decision, at=last_date(at), source=source, today=as_date(world.today), expected=expected
    )


def decide_many(
    world: World,
    conflicts: QuerySet[Conflict],
    decision: str,
    at: Day | None = None,
    *,
    expected: str | None = None,
    source: Source = BY_KIM,
) -> int:
    return settle_many(
        conflicts, decision, at=last_date(at), source=source, today=as_date(world.today), expected=expected
    )


def move(
    world: World,
    row: Row,
    first: Day,
    last: Day | None,
    *,
    expected: str | None = None,
    source: Source = BY_KIM,
) -> int:
    """Adjust the days of a row; returns the change's number."""
    return adjust(
        row, as_date(first), last_date(last), source=source, today=as_date(world.today), expected=expected
    )


def representation(agr: str, home: str = "home-1", day: Day = 0) -> Representation:
    """The AGR's current row about the day."""
    return (
        Representation.objects.current()
        .on(as_date(day))
        .get(agr__domain=f"{agr}.example", connection__address=ADDRESSES[home])
    )


def membership(dso: str, point: str, home: str = "home-1", day: Day = 0) -> CongestionPointConnection:
    """The DSO's current row about the day."""
    return (
        CongestionPointConnection.objects.current()
        .on(as_date(day))
        .get(
            dso__domain=f"{dso}.example",
            congestion_point__address=ADDRESSES[point],
            connection__address=ADDRESSES[home],
        )
    )


def terms(dso: str, point: str, day: Day = 0) -> CongestionPointTerms:
    """The point's current row about the day."""
    return (
        CongestionPointTerms.objects.current()
        .on(as_date(day))
        .get(congestion_point__dso__domain=f"{dso}.example", congestion_point__address=ADDRESSES[point])
    )


def effect_lines(consequences: Consequences) -> list[str]:
    """The lines in the tests' words, such as `agr-2 home-1: gains 0..9, loses 10..`."""
    return [_effect_line(line) for line in consequences.lines]


def _effect_line(line: Line) -> str:
    place = f" {NAMES[line.congestion_point]}" if line.congestion_point else ""
    lines = []
    for word in ("gained", "lost", "contested", "refused", "withdrawn"):
        runs = [
            in_words(Run(as_day(days.lower), None if days.upper is None else as_day(days.upper) - 1, None))
            for days in getattr(line, word)
        ]
        lines += [f"{word} {', '.join(runs)}"] if runs else []
    return f"{line.participant.removesuffix('.example')}{place} {NAMES[line.connection]}: {'; '.join(lines)}"


def previewed(verb: Callable[[], Any]) -> Consequences:
    """What a verb would do, and that it leaves nothing behind."""
    with transaction.atomic():
        return preview(verb)
