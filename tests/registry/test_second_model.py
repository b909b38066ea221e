"""Random histories, the registry beside the second model after each step.

`SECOND_MODEL_HISTORIES` sets how many histories run (60), `SECOND_MODEL_SEED` the number of the first (200). Each is
drawn from its number alone.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence

import pytest

from registry.updates import statements
from tests.registry.second_claims import MEMBERSHIP, REPRESENTATION
from tests.registry.second_course import Course
from tests.registry.second_histories import RARE, Draw, Step
from tests.registry.world import World, assert_sound

HISTORIES = int(os.environ.get("SECOND_MODEL_HISTORIES", "60"))
FIRST = int(os.environ.get("SECOND_MODEL_SEED", "200"))
REACHED = (
    *(
        f"{rule} {choice}"
        for rule in [f"P{n}" for n in range(1, 8)]
        for choice in ("reject", "adjust", "accept")
    ),
    *(
        f"{decision}, {kind}"
        for decision in ("keep", "give", "split")
        for kind in (REPRESENTATION, MEMBERSHIP)
    ),
    "EndPeriod today",
    "EndPeriod earlier",
    "ended at once where nothing was",
    "ended at once, again on a later day",
    "an ending is forgotten",
    "several blocks of a point",
    "a later block stays",
    "withdrawn",
    "omitted",
    "two DSOs hold a day",
    "a free day goes to who waited",
    "refused, and contested with another",
    "refused where several hold the day",
    "decided anew",
    "congestion point adjusted",
    "membership adjusted",
    "representation adjusted",
    "sent again on the same day",
    "sent again on a later day",
    "rejected for a conflict",
    "warned of a conflict",
    "clipped",
    "not brought back",
)
"""What the histories must meet."""


def run(world: World, steps: Sequence[Step], met: Counter[str] | None = None) -> int:
    """Take the steps of one history; returns how many there were."""
    course = Course(world)
    for number, step in enumerate(steps):
        try:
            course.take(step)
            assert_sound()
        except AssertionError as failed:
            failed.add_note(f"at step {number}, day {course.model.today}: {step}")
            raise
    if met is not None:
        met.update(course.met + course.model.met)
    return len(steps)


def shortest(world: World, steps: list[Step]) -> list[Step]:
    """A history that fails too, and that no single step can be left out of."""
    at = len(steps)
    while at:
        at -= 1
        fewer = steps[:at] + steps[at + 1 :]
        try:
            run(world, fewer)
        except AssertionError:
            steps = fewer
            at = min(at, len(steps))
    return steps


@pytest.mark.parametrize("history", RARE)
def test_registry_agrees_with_the_second_model_about(world: World, history: str) -> None:
    run(world, RARE[history])


def test_registry_agrees_with_the_second_model(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    few, rows = statements.FEW, statements.ROWS_PER_LOOKUP
    met: Counter[str] = Counter()
    taken = 0
    for number in range(FIRST, FIRST + HISTORIES):
        # Claims are found one way in small updates, and another in large ones: every other history takes the latter.
        joined = number % 2 == 1
        monkeypatch.setattr(statements, "FEW", 0 if joined else few)
        monkeypatch.setattr(statements, "ROWS_PER_LOOKUP", sys.maxsize if joined else rows)
        steps = Draw(number).history()
        try:
            taken += run(world, steps, met)
        except AssertionError:
            steps = shortest(world, steps)
            print(f"history {number}, as few steps as fail:", *steps, sep="\n  ")
            run(world, steps)
            raise
    print(f"{HISTORIES} histories from {FIRST} on, {taken} steps: {dict(sorted(met.items()))}")
    missed = [what for what in REACHED if not met[what]]
    assert not missed, f"{HISTORIES} histories did not meet {missed}"
