"""Two updates at once, on connections of their own, one of them stopped wherever the other could come between.

Whatever the interleaving, the registry must end as if one had come after the other: the time model says how.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from registry.decisions.settle import DecisionError
from tests.registry.dsl import Registry, agr_publishes, dso_publishes, point
from tests.registry.model_days import ModelConflict
from tests.registry.racing import Runner, Step, interleave, outcome, reported
from tests.registry.time_model import TimeModel
from tests.registry.world import AGRS, CONNECTIONS, World, assert_sound


def settles(model_conflict: ModelConflict, decision: str) -> Step:
    """Staff decide a conflict, unless it is over by then."""

    def step(registry: Registry) -> None:
        if isinstance(registry, TimeModel):
            if model_conflict in registry.conflicts():
                registry.settle(model_conflict, decision)
            return
        try:
            registry.settle(model_conflict, decision)
        except (LookupError, DecisionError):
            return

    return step


def agr(name: str, *lines: tuple[str, int, int | None]) -> Step:
    return lambda registry: agr_publishes(registry, name, *lines)


def dso(name: str, *points: Any) -> Step:
    return lambda registry: dso_publishes(registry, name, *points)


def policy(name: str, value: str) -> Step:
    return lambda registry: registry.set_policy(name, value)


AT_POINT_1 = point("point-1", -5, None, ("home-1", -5, None))
AT_POINT_2 = point("point-2", -5, None, ("home-1", -5, None))

RACES: dict[str, tuple[list[Step], Step, Step]] = {
    "two claim a new connection": ([], agr("agr-1", ("home-1", 0, None)), agr("agr-2", ("home-1", 0, 9))),
    "two claim free days of a known connection": (
        [agr("agr-3", ("home-1", -9, -5))],
        agr("agr-1", ("home-1", 0, None)),
        agr("agr-2", ("home-1", -2, 9)),
    ),
    "the holder ends while another claims": (
        [agr("agr-1", ("home-1", -5, None))],
        agr("agr-1", ("home-1", 9, 1)),
        agr("agr-2", ("home-1", 0, None)),
    ),
    "the holder ends while another withdraws its claim": (
        [
            agr("agr-1", ("home-1", 0, None)),
            agr("agr-2", ("home-1", 0, None)),
            agr("agr-3", ("home-1", 0, 9)),
        ],
        agr("agr-1", ("home-1", 9, -1)),
        agr("agr-2", ("home-1", 9, -1)),
    ),
    "known connections in opposite order": (
        [agr("agr-3", *((home, -9, -5) for home in CONNECTIONS))],
        agr("agr-1", *((home, 0, None) for home in CONNECTIONS)),
        agr("agr-2", *((home, 0, None) for home in reversed(CONNECTIONS))),
    ),
    "new connections in opposite order": (
        [],
        agr("agr-1", *((home, 0, None) for home in CONNECTIONS)),
        agr("agr-2", *((home, 0, None) for home in reversed(CONNECTIONS))),
    ),
    "the newest wins from two at once": (
        [agr("agr-3", ("home-1", -5, None)), policy("representation conflicts", "newest wins")],
        agr("agr-1", ("home-1", -1, None)),
        agr("agr-2", ("home-1", 0, 9)),
    ),
    "two claim under the reject policy": (
        [policy("representation conflicts", "reject"), agr("agr-3", ("home-1", -9, -5))],
        agr("agr-1", ("home-1", 0, None)),
        agr("agr-2", ("home-1", 5, 9), ("home-2", 0, None)),
    ),
    "staff give the days while the holder ends": (
        [agr("agr-1", ("home-1", -5, None)), agr("agr-2", ("home-1", 0, 9))],
        settles(ModelConflict("representation", "home-1", "agr-1", "agr-2", 0, 9), "give"),
        agr("agr-1", ("home-1", 9, 1)),
    ),
    "staff refuse the days while the holder ends": (
        [agr("agr-1", ("home-1", -5, None)), agr("agr-2", ("home-1", 0, 9))],
        settles(ModelConflict("representation", "home-1", "agr-1", "agr-2", 0, 9), "keep"),
        agr("agr-1", ("home-1", 9, 1)),
    ),
    "two DSOs claim a new connection": ([], dso("dso-1", AT_POINT_1), dso("dso-2", AT_POINT_1)),
    "a point ends while another DSO claims": (
        [dso("dso-1", AT_POINT_1)],
        dso("dso-1", point("point-1", 0, 0)),
        dso("dso-2", AT_POINT_2),
    ),
    "an AGR and a DSO speak of one connection": (
        [],
        agr("agr-1", ("home-1", 0, None)),
        dso("dso-1", AT_POINT_1),
    ),
}


@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
@pytest.mark.parametrize("race", RACES)
def test_two_at_once_end_as_if_one_after_the_other(world: World, race: str, turned: bool) -> None:
    before, first, second = RACES[race]
    if turned:
        first, second = second, first
    outcomes = [outcome(before, first, second), outcome(before, second, first)]
    stop_before, reached = 0, True
    while reached:
        stop_before += 1
        world.clear()
        for step in before:
            step(world)
        with reported(f"{race}: the second came before statement {stop_before} of the first"):
            reached = interleave(world, first, second, stop_before)
            assert_sound()
            assert world.view() in outcomes
    assert stop_before > 3, "the first was never stopped"


def test_many_at_once_all_come_through(world: World) -> None:
    def storm(name: str, seed: int) -> Step:
        random_lines = random.Random(seed)

        def step(registry: Registry) -> None:
            homes = random_lines.sample(CONNECTIONS, 3)
            agr_publishes(registry, name, *((home, 0, random_lines.choice([None, 5])) for home in homes))

        return step

    registry_before = world.view()
    for turn in range(5):
        runners = [Runner(world, storm(name, 10 * turn + number)) for number, name in enumerate(AGRS)]
        for runner in runners:
            runner.start()
        for runner in runners:
            runner.finish()
        assert_sound()
    assert world.view() != registry_before
