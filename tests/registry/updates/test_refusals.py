"""Against whom a day is refused, and until when (docs/rules.md C2, C3, C7).

Told to the registry and to the time model alike.
"""

from __future__ import annotations

import pytest

from registry.models import CongestionPointConnection, Representation
from tests.registry.dsl import (
    Registry,
    agr_publishes,
    conflicts,
    days,
    dso_publishes,
    point,
    reply_text,
    settle,
)
from tests.registry.world import World

POLICY = "membership conflicts"
HOME = ("home-1", 0, None)
LEAVES = ("home-1", 9, -1)


def lists(
    registry: Registry, dso: str, name: str = "point-1", line: tuple[str, int, int | None] = HOME
) -> str:
    told = dso_publishes(registry, dso, point(name, 0, None, line))
    assert told.accepted, told
    return reply_text(told)


@pytest.mark.parametrize("policy", ["allow", "hold", "reject"])
def test_C3_a_dso_does_not_evade_a_refusal_at_another_point_under_any_policy(
    registry: Registry, policy: str
) -> None:
    lists(registry, "dso-1")
    lists(registry, "dso-3")
    settle(registry, "keep")
    registry.set_policy(POLICY, policy)
    assert lists(registry, "dso-3", "point-2") == "", "the day is not newly claimed"
    assert days(registry, "dso-3", "point-1", "home-1") == "refused 0.."
    assert days(registry, "dso-3", "point-2", "home-1") == "refused 0.."
    assert days(registry, "dso-1", "point-1", "home-1") == "effective 0.."
    assert conflicts(registry) == []


@pytest.mark.parametrize("policy", ["allow", "hold", "reject"])
def test_C2_a_day_that_a_dso_contests_is_not_newly_claimed_at_another_point(
    registry: Registry, policy: str
) -> None:
    lists(registry, "dso-1")
    lists(registry, "dso-3")
    registry.set_policy(POLICY, policy)
    assert lists(registry, "dso-3", "point-2") == ""
    assert days(registry, "dso-3", "point-2", "home-1") == "contested 0.."
    assert conflicts(registry) == ["home-1: dso-3 against dso-1, 0.."]


def test_C7_a_dso_that_moves_a_connection_between_its_points_waits_as_long(registry: Registry) -> None:
    for dso in ("dso-1", "dso-3", "dso-2"):
        lists(registry, dso)
    dso_publishes(registry, "dso-3", point("point-1", 0, None, LEAVES), point("point-2", 0, None, HOME))
    lists(registry, "dso-1", line=LEAVES)
    assert days(registry, "dso-3", "point-2", "home-1") == "effective 0.."
    assert days(registry, "dso-2", "point-1", "home-1") == "contested 0.."


def test_C3_a_refusal_ends_with_the_party_that_got_the_day_and_another_holder_is_contested(
    registry: Registry,
) -> None:
    lists(registry, "dso-1")
    lists(registry, "dso-3")
    settle(registry, "keep")
    registry.set_policy(POLICY, "allow")
    lists(registry, "dso-2")
    assert days(registry, "dso-3", "point-1", "home-1") == "refused 0..", "while dso-1 has the day"
    registry.set_policy(POLICY, "hold")
    lists(registry, "dso-1", line=LEAVES)
    assert days(registry, "dso-2", "point-1", "home-1") == "effective 0.."
    assert days(registry, "dso-3", "point-1", "home-1") == "contested 0.."
    assert conflicts(registry) == ["home-1: dso-3 against dso-2, 0.."]


def test_C3_a_refused_claim_that_is_withdrawn_and_stated_again_is_a_new_claim(registry: Registry) -> None:
    agr_publishes(registry, "agr-1", HOME)
    agr_publishes(registry, "agr-2", HOME)
    settle(registry, "keep")
    agr_publishes(registry, "agr-2", LEAVES, HOME)
    assert days(registry, "agr-2", "home-1") == "refused 0..", "one message is one statement"
    assert conflicts(registry) == []
    agr_publishes(registry, "agr-2", LEAVES)
    assert days(registry, "agr-2", "home-1") == ""
    told = agr_publishes(registry, "agr-2", HOME)
    assert reply_text(told) != "", "the claimant is warned, as of any claim"
    assert days(registry, "agr-2", "home-1") == "contested 0.."
    assert days(registry, "agr-1", "home-1") == "effective 0..", "the holder keeps it meanwhile"
    assert conflicts(registry) == ["home-1: agr-2 against agr-1, 0.."]


def test_C8_of_several_holders_the_exclusive_one_is_named(registry: Registry) -> None:
    lists(registry, "dso-2")
    registry.set_policy(POLICY, "allow")
    lists(registry, "dso-1")
    registry.set_policy(POLICY, "hold")
    lists(registry, "dso-3")
    assert conflicts(registry) == ["home-1: dso-3 against dso-2, 0.."]
    settle(registry, "give")
    assert days(registry, "dso-2", "point-1", "home-1") == "refused 0.."
    assert days(registry, "dso-1", "point-1", "home-1") == "effective 0..", "the decision is between two"
    assert days(registry, "dso-3", "point-1", "home-1") == "effective 0.."


def test_C3_the_facts_say_against_which_party_a_refusal_is(world: World) -> None:
    agr_publishes(world, "agr-1", HOME)
    agr_publishes(world, "agr-2", HOME)
    settle(world, "split", 4)
    given = {
        (row.agr.domain, row.given_to and row.given_to.domain)
        for row in Representation.objects.current().filter(standing="refused")
    }
    assert given == {("agr-1.example", "agr-2.example"), ("agr-2.example", "agr-1.example")}
    world.set_policy("representation conflicts", "newest wins")
    agr_publishes(world, "agr-3", ("home-1", 2, 5))
    given = {
        (row.agr.domain, row.given_to and row.given_to.domain)
        for row in Representation.objects.current().filter(standing="refused")
    }
    assert given == {
        ("agr-1.example", "agr-2.example"),
        ("agr-2.example", "agr-1.example"),
        ("agr-1.example", "agr-3.example"),
        ("agr-2.example", "agr-3.example"),
    }
    assert not CongestionPointConnection.objects.exists()
