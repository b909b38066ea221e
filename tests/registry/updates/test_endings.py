"""How a congestion point ends, and what its connections lose with it (docs/rules.md D5 to D7, P7).

Day 0 is the day on which a test starts; tests move `today`. Told to the registry and to the time model alike.
"""

from __future__ import annotations

from registry.models import Change, CongestionPointEnding
from tests.registry.dsl import Registry, Result, agr_publishes, days, dso_publishes, point
from tests.registry.model_days import Point, Terms
from tests.registry.world import ADDRESSES, Reply, World, known_at, last_date, latest_moment

OTHER_TERMS = Terms(True, "DSO", "AGR")


def says(registry: Registry, *points: Point) -> Result:
    told = dso_publishes(registry, "dso-1", *points)
    assert told.accepted, told
    return told


def warned(told: Result, *texts: str) -> bool:
    """Whether the warnings are these, with the names of things in place of their addresses; in the model, of what."""
    if not isinstance(told, Reply):
        return bool(told.warned_of) == bool(texts)
    found = told.warnings
    for name, address in ADDRESSES.items():
        found = tuple(warning.replace(address, name) for warning in found)
    assert found == tuple(f"Period out of bounds: {text}" for text in texts), found
    return True


def stays(first: int, last: int | None = None) -> str:
    """The warning that a later block stays."""
    block = f"from {last_date(first)}" if last is None else f"{last_date(first)} to {last_date(last)}"
    return f"point-1 ({block}) has a separate, later period, which is kept"


def clipped(count: int = 1) -> str:
    return f"point-1 ({count} connection{'' if count == 1 else 's'}) clipped with the congestion point"


# An EndPeriod before today


def test_D5_correcting_an_old_block_leaves_the_current_one(registry: Registry) -> None:
    registry.today = -30
    says(registry, point("point-1", -50, -20, ("home-2", -50, -20)))
    registry.today = 0
    says(registry, point("point-1", -5, None, ("home-1", -5, None)))
    told = says(registry, point("point-1", -50, -21, ("home-1", -50, -21)))
    assert days(registry, "dso-1", "point-1") == "-50..-21, -5.."
    assert days(registry, "dso-1", "point-1", "home-1") == "effective -5.."
    assert days(registry, "dso-1", "point-1", "home-2") == "effective -50..-21"
    assert warned(told, stays(-5), clipped())


def test_D5_an_end_before_today_ends_the_block_that_it_touches_from_the_day_after(registry: Registry) -> None:
    says(registry, point("point-1", -50, None, ("home-1", -50, None), ("home-2", -50, -9)))
    told = says(registry, point("point-1", -50, -3))
    assert days(registry, "dso-1", "point-1") == "-50..-3"
    assert days(registry, "dso-1", "point-1", "home-1") == "effective -50..-3"
    assert warned(told, clipped())


def test_P7_a_later_block_is_dropped_under_accept_and_rejects_under_reject(registry: Registry) -> None:
    says(registry, point("point-1", -50, -20))
    says(registry, point("point-1", -5, None))
    registry.set_policy("P7", "reject")
    assert not dso_publishes(registry, "dso-1", point("point-1", -50, -21)).accepted
    registry.set_policy("P7", "accept")
    told = says(registry, point("point-1", -50, -21))
    assert warned(told, stays(-5).replace("kept", "dropped"))
    assert days(registry, "dso-1", "point-1") == "-50..-21"


# An EndPeriod of today


def test_D5_the_same_message_on_the_next_day_does_not_bring_the_ended_day_back(registry: Registry) -> None:
    says(registry, point("point-1", -5, None, ("home-1", -5, None)))
    ends = point("point-1", -5, 0, ("home-1", -5, 0))
    assert warned(says(registry, ends), clipped())
    assert days(registry, "dso-1", "point-1") == "-5..-1"
    for _ in range(2):
        registry.today += 1
        assert warned(says(registry, ends))
        assert days(registry, "dso-1", "point-1") == "-5..-1"
        assert days(registry, "dso-1", "point-1", "home-1") == "effective -5..-1"


def test_D5_a_point_that_never_was_and_ends_at_once_gets_no_day_on_the_next_day(registry: Registry) -> None:
    ends = point("point-2", 0, 0, ("home-1", 0, 0))
    for _ in range(3):
        says(registry, ends)
        assert days(registry, "dso-1", "point-2") == ""
        registry.today += 1


def test_D5_another_start_with_the_same_end_does_not_bring_the_ended_day_back(registry: Registry) -> None:
    says(registry, point("point-1", 0, 0))
    registry.today += 1
    says(registry, point("point-1", -5, 0))
    assert days(registry, "dso-1", "point-1") == "-5..-1"
    assert days(registry, "dso-2", "point-1") == ""


def test_D5_an_ending_at_once_is_forgotten_when_a_line_reaches_further(registry: Registry) -> None:
    says(registry, point("point-1", -5, None))
    says(registry, point("point-1", -5, 0))
    registry.today += 1
    says(registry, point("point-1", -5, 3))
    assert days(registry, "dso-1", "point-1") == "-5..3"
    registry.today += 1
    says(registry, point("point-1", -5, 0))
    assert days(registry, "dso-1", "point-1") == "-5..0", "a last day in the past is the last day"


def test_D5_an_end_and_a_new_beginning_mean_the_same_when_they_are_sent_again(registry: Registry) -> None:
    says(registry, point("point-1", -50, None, ("home-1", -50, None)))
    both = (
        point("point-1", -50, 0, ("home-1", -50, 0)),
        point("point-1", 0, None, ("home-1", 0, None), terms=OTHER_TERMS),
    )
    for _ in range(3):
        assert warned(says(registry, *both))
        first, second = registry.view().terms["dso-1", "point-1"]
        assert (first.first, first.last, second.first, second.last) == (-50, -1, 0, None)
        assert days(registry, "dso-1", "point-1", "home-1") == "effective -50.."
        registry.today += 1


def test_D5_only_an_end_before_the_start_withdraws_a_later_block(registry: Registry) -> None:
    for start in (-50, 0):
        says(registry, point("point-1", -50, 10, ("home-2", -50, 10)))
        says(registry, point("point-1", 20, None, ("home-1", 20, None)))
        told = says(registry, point("point-1", start, 0))
        assert days(registry, "dso-1", "point-1") == "-50..-1, 20.."
        assert days(registry, "dso-1", "point-1", "home-1") == "effective 20.."
        assert warned(told, stays(20), clipped())
    says(registry, point("point-1", 1, 0))
    assert days(registry, "dso-1", "point-1") == "-50..-1"


def test_D5_what_was_remembered_at_a_moment_is_so_for_ever(world: World) -> None:
    ends = point("point-1", -5, 0)
    says(world, ends)
    moment = latest_moment()
    assert moment is not None
    says(world, ends)
    assert latest_moment() == moment, "the same again changes nothing"
    then = known_at(moment)
    assert len(then["CongestionPointEnding"]) == 1
    world.today += 1
    says(world, point("point-1", -5, None))
    assert not CongestionPointEnding.objects.current().exists()
    assert known_at(moment) == then
    assert Change.objects.count() == 2


# What a message says of connections


def test_D6_counts_whichever_line_clips(registry: Registry) -> None:
    says(registry, point("point-1", -50, None, ("home-1", -50, None), ("home-2", -50, None)))
    told = says(
        registry,
        point("point-1", -50, -1, ("home-1", -50, -1)),
        point("point-1", 0, 30, ("home-1", 0, 30), terms=OTHER_TERMS),
    )
    assert days(registry, "dso-1", "point-1", "home-2") == "effective -50..30"
    assert warned(told, clipped())


def test_D7_a_connection_that_is_named_under_a_line_that_ends_is_not_omitted(registry: Registry) -> None:
    registry.set_policy("omitted connections", "end")
    homes = [(home, -50, None) for home in ("home-1", "home-2", "home-3")]
    says(registry, point("point-1", -50, None, *homes))
    says(
        registry,
        point("point-1", -50, -1, ("home-2", -50, -1)),
        point("point-1", 0, None, ("home-1", 0, None)),
    )
    assert days(registry, "dso-1", "point-1", "home-1") == "effective -50.."
    assert days(registry, "dso-1", "point-1", "home-2") == "effective -50.."
    assert days(registry, "dso-1", "point-1", "home-3") == "effective -50..0"


# What docs/protocol-support.md tells participants


def test_D3_two_lines_let_an_item_begin_later(registry: Registry) -> None:
    agr_publishes(registry, "agr-1", ("home-1", -5, None))
    agr_publishes(registry, "agr-2", ("home-1", -5, None))
    assert agr_publishes(registry, "agr-1", ("home-1", -5, -6), ("home-1", 3, None)).accepted
    assert days(registry, "agr-1", "home-1") == "effective 3.."
    assert days(registry, "agr-2", "home-1") == "effective -5..2, contested 3.."


def test_D3_two_lines_let_a_congestion_point_begin_later_with_its_connections(registry: Registry) -> None:
    says(registry, point("point-1", -5, None, ("home-1", -5, None), ("home-2", -5, None)))
    told = says(registry, point("point-1", -5, -6), point("point-1", 3, None, ("home-1", 3, None)))
    assert days(registry, "dso-1", "point-1") == "3.."
    assert days(registry, "dso-1", "point-1", "home-1") == "effective 3.."
    assert days(registry, "dso-1", "point-1", "home-2") == "effective 3.."
    assert warned(told, clipped())


def test_D2_a_rolling_horizon_keeps_the_past_and_moves_the_end(registry: Registry) -> None:
    for _ in range(3):
        today, last = registry.today, registry.today + 30
        agr_publishes(registry, "agr-1", ("home-1", today, last))
        told = says(registry, point("point-1", today, last, ("home-1", today, last)))
        assert warned(told)
        registry.today += 1
    assert days(registry, "agr-1", "home-1") == "effective 0..32"
    assert days(registry, "dso-1", "point-1", "home-1") == "effective 0..32"
    told = says(registry, point("point-1", 3, 33))
    left = "point-1 (1 connection) clipped earlier with the congestion point and not brought back"
    assert warned(told, left)
    assert days(registry, "dso-1", "point-1", "home-1") == "effective 0..32"
