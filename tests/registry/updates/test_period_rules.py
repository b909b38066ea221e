"""The period rules (docs/rules.md, P1 to P7) under each policy: what is registered, what the sender is told.

Day 0 is today. Told to the registry and to the time model alike.
"""

from __future__ import annotations

import pytest
from django.db import transaction

from registry.updates.publish import publish_representations
from tests.registry.dsl import Registry, Result, agr_publishes, days, dso_publishes, point, reply_text
from tests.registry.model_days import Terms
from tests.registry.world import ADDRESSES, Reply, World, as_date, last_date
from tests.support.eans import ean
from uftp.handlers import Rejection

REJECT, ADJUST, ACCEPT = "reject", "adjust", "accept"
OTHER_TERMS = Terms(True, "DSO", "AGR")


def under(rule: str) -> pytest.MarkDecorator:
    """A test of a rule under each of its policies."""
    return pytest.mark.parametrize(
        "policy", [pytest.param(p, id=f"{rule}-{p}") for p in (REJECT, ADJUST, ACCEPT)]
    )


def assert_answered(result: Result, policy: str, rule: str, name: str) -> None:
    """Rejected, or accepted with a warning; either way the entity is named."""
    assert result.accepted == (policy != REJECT), result
    if not isinstance(result, Reply):
        assert reply_text(result) == rule
    elif policy == REJECT:
        assert len(result.reasons) == 1, result
        assert result.reasons[0].startswith("Period out of bounds: "), result
        assert ADDRESSES[name] in result.reasons[0], result
    else:
        assert len(result.warnings) == 1, result
        assert ADDRESSES[name] in result.warnings[0], result


# P1


@under("P1")
def test_P1_ends_before_it_starts_with_nothing_to_withdraw(registry: Registry, policy: str) -> None:
    registry.set_policy("P1", policy)
    agr_publishes(registry, "agr-1", ("home-1", -5, 1))
    result = agr_publishes(registry, "agr-1", ("home-1", 5, 1), ("home-2", 0, None))
    assert_answered(result, policy, "P1", "home-1")
    assert days(registry, "agr-1", "home-1") == "effective -5..1"
    assert days(registry, "agr-1", "home-2") == ("" if policy == REJECT else "effective 0..")


@under("P1")
def test_P1_congestion_point_ends_before_it_starts(registry: Registry, policy: str) -> None:
    registry.set_policy("P1", policy)
    result = dso_publishes(registry, "dso-1", point("point-1", 5, 1))
    assert_answered(result, policy, "P1", "point-1")
    assert days(registry, "dso-1", "point-1") == ""


@under("P1")
def test_P1_connection_of_a_point_ends_before_it_starts(registry: Registry, policy: str) -> None:
    registry.set_policy("P1", policy)
    result = dso_publishes(registry, "dso-1", point("point-1", 0, None, ("home-1", 5, 1)))
    assert_answered(result, policy, "P1", "home-1")
    assert days(registry, "dso-1", "point-1") == ("" if policy == REJECT else "0..")
    assert days(registry, "dso-1", "point-1", "home-1") == ""


@under("P1")
def test_P1_a_withdrawal_is_not_strange(registry: Registry, policy: str) -> None:
    registry.set_policy("P1", policy)
    agr_publishes(registry, "agr-1", ("home-1", -5, 2))
    result = agr_publishes(registry, "agr-1", ("home-1", 5, 1))
    assert reply_text(result) == ""
    assert days(registry, "agr-1", "home-1") == "effective -5..1"


# P2


@under("P2")
def test_P2_ends_long_in_the_past(registry: Registry, policy: str) -> None:
    registry.set_policy("P2", policy)
    result = agr_publishes(registry, "agr-1", ("home-1", -35, -31))
    assert_answered(result, policy, "P2", "home-1")
    assert days(registry, "agr-1", "home-1") == ("" if policy == REJECT else "effective -35..-31")


@under("P2")
def test_P2_congestion_point_ends_long_in_the_past(registry: Registry, policy: str) -> None:
    registry.set_policy("P2", policy)
    registry.set_policy("P2 days", "3")
    result = dso_publishes(registry, "dso-1", point("point-1", -9, -4))
    assert_answered(result, policy, "P2", "point-1")
    assert days(registry, "dso-1", "point-1") == ("" if policy == REJECT else "-9..-4")


@under("P2")
def test_P2_as_many_days_ago_as_the_policy_says_is_not_strange(registry: Registry, policy: str) -> None:
    registry.set_policy("P2", policy)
    result = agr_publishes(registry, "agr-1", ("home-1", -35, -30))
    assert reply_text(result) == ""
    assert days(registry, "agr-1", "home-1") == "effective -35..-30"


# P3


@under("P3")
@pytest.mark.parametrize("last", [9, None])
def test_P3_connection_ends_after_its_congestion_point(
    registry: Registry, policy: str, last: int | None
) -> None:
    registry.set_policy("P3", policy)
    result = dso_publishes(registry, "dso-1", point("point-1", 0, 5, ("home-1", 2, last)))
    assert_answered(result, policy, "P3", "home-1")
    as_said = "effective 2.." if last is None else "effective 2..9"
    expected = {REJECT: "", ADJUST: "effective 2..5", ACCEPT: as_said}
    assert days(registry, "dso-1", "point-1", "home-1") == expected[policy]


@under("P3")
def test_P3_is_about_all_days_that_the_point_has_after_the_message(registry: Registry, policy: str) -> None:
    registry.set_policy("P3", policy)
    dso_publishes(registry, "dso-1", point("point-1", -5, None))
    result = dso_publishes(
        registry, "dso-1", point("point-1", 3, None, ("home-1", -5, None), terms=OTHER_TERMS)
    )
    assert reply_text(result) == ""
    assert days(registry, "dso-1", "point-1", "home-1") == "effective -5.."


# P4


@under("P4")
def test_P4_connection_starts_before_its_congestion_point(registry: Registry, policy: str) -> None:
    registry.set_policy("P4", policy)
    result = dso_publishes(registry, "dso-1", point("point-1", 0, 5, ("home-1", -3, 4)))
    assert_answered(result, policy, "P4", "home-1")
    expected = {REJECT: "", ADJUST: "effective 0..4", ACCEPT: "effective -3..4"}
    assert days(registry, "dso-1", "point-1", "home-1") == expected[policy]


# P5


@under("P5")
@pytest.mark.parametrize(("first", "last"), [(7, 9), (6, None), (-4, -1)])
def test_P5_connection_lies_outside_its_congestion_point(
    registry: Registry, policy: str, first: int, last: int | None
) -> None:
    registry.set_policy("P5", policy)
    result = dso_publishes(
        registry, "dso-1", point("point-1", 0, 5, ("home-1", first, last), ("home-2", 0, 5))
    )
    assert_answered(result, policy, "P5", "home-1")
    assert days(registry, "dso-1", "point-1", "home-1") == ""
    assert days(registry, "dso-1", "point-1", "home-2") == ("" if policy == REJECT else "effective 0..5")


@under("P5")
def test_P5_leaves_what_is_registered_as_it_is(registry: Registry, policy: str) -> None:
    registry.set_policy("P5", policy)
    dso_publishes(registry, "dso-1", point("point-1", 0, 5, ("home-1", 2, 5)))
    dso_publishes(registry, "dso-1", point("point-1", 0, 5, ("home-1", 6, 9)))
    assert days(registry, "dso-1", "point-1", "home-1") == "effective 2..5"


@under("P5")
def test_P5_is_not_about_a_point_that_ends_at_once(registry: Registry, policy: str) -> None:
    for rule in ("P3", "P4", "P5"):
        registry.set_policy(rule, policy)
    dso_publishes(registry, "dso-1", point("point-1", -5, None, ("home-1", -5, None)))
    result = dso_publishes(registry, "dso-1", point("point-1", -5, 0, ("home-1", 3, None)))
    assert result.accepted
    assert days(registry, "dso-1", "point-1", "home-1") == "effective -5..-1"


# P6


@under("P6")
def test_P6_the_same_connection_twice_with_overlapping_periods(registry: Registry, policy: str) -> None:
    registry.set_policy("P6", policy)
    result = agr_publishes(registry, "agr-1", ("home-1", 3, 9), ("home-1", 0, 5))
    assert_answered(result, policy, "P6", "home-1")
    assert days(registry, "agr-1", "home-1") == ("" if policy == REJECT else "effective 0..9")


@under("P6")
def test_P6_the_same_connection_twice_in_one_point(registry: Registry, policy: str) -> None:
    registry.set_policy("P6", policy)
    result = dso_publishes(registry, "dso-1", point("point-1", 0, None, ("home-1", 0, 5), ("home-1", 0, 5)))
    assert_answered(result, policy, "P6", "home-1")
    assert days(registry, "dso-1", "point-1", "home-1") == ("" if policy == REJECT else "effective 0..5")


@under("P6")
def test_P6_the_same_congestion_point_twice_on_the_same_terms(registry: Registry, policy: str) -> None:
    registry.set_policy("P6", policy)
    result = dso_publishes(registry, "dso-1", point("point-1", 0, 5), point("point-1", 3, None))
    assert_answered(result, policy, "P6", "point-1")
    assert days(registry, "dso-1", "point-1") == ("" if policy == REJECT else "0..")


@under("P6")
def test_P6_different_terms_on_one_day_are_always_rejected(registry: Registry, policy: str) -> None:
    registry.set_policy("P6", policy)
    result = dso_publishes(
        registry, "dso-1", point("point-1", 0, 5), point("point-1", 5, None, terms=OTHER_TERMS)
    )
    assert_answered(result, REJECT, "P6", "point-1")
    assert days(registry, "dso-1", "point-1") == ""


@under("P6")
def test_P6_periods_that_only_touch_are_not_strange(registry: Registry, policy: str) -> None:
    registry.set_policy("P6", policy)
    result = dso_publishes(
        registry, "dso-1", point("point-1", 0, 5), point("point-1", 6, None, terms=OTHER_TERMS)
    )
    assert reply_text(result) == ""
    assert days(registry, "dso-1", "point-1") == "0.."
    result = agr_publishes(registry, "agr-1", ("home-1", 0, 5), ("home-1", 6, None))
    assert reply_text(result) == ""
    assert days(registry, "agr-1", "home-1") == "effective 0.."


# P7


@under("P7")
def test_P7_the_sender_holds_a_separate_later_block(registry: Registry, policy: str) -> None:
    registry.set_policy("P7", policy)
    agr_publishes(registry, "agr-1", ("home-1", 6, 9))
    result = agr_publishes(registry, "agr-1", ("home-1", 0, 4))
    expected = {
        REJECT: "effective 6..9",
        ADJUST: "effective 0..4, effective 6..9",
        ACCEPT: "effective 0..4",
    }
    assert days(registry, "agr-1", "home-1") == expected[policy]
    if policy == ADJUST:
        assert reply_text(result) == "", "kept without a warning"
        return
    assert_answered(result, policy, "P7", "home-1")
    if policy == ACCEPT and isinstance(result, Reply):
        assert str(last_date(6)) in result.text, "the days that are dropped are named"
        assert str(last_date(9)) in result.text, "the days that are dropped are named"


@under("P7")
def test_P7_the_later_block_of_a_congestion_point(registry: Registry, policy: str) -> None:
    registry.set_policy("P7", policy)
    dso_publishes(registry, "dso-1", point("point-1", 6, 9, ("home-1", 6, 9)))
    result = dso_publishes(registry, "dso-1", point("point-1", 0, 4))
    expected = {REJECT: "6..9", ADJUST: "0..4, 6..9", ACCEPT: "0..4"}
    assert days(registry, "dso-1", "point-1") == expected[policy]
    assert result.accepted == (policy != REJECT)
    kept = "" if policy == ACCEPT else "effective 6..9"
    assert days(registry, "dso-1", "point-1", "home-1") == kept


@under("P7")
def test_P7_a_block_that_touches_or_overlaps_is_not_strange(registry: Registry, policy: str) -> None:
    registry.set_policy("P7", policy)
    agr_publishes(registry, "agr-1", ("home-1", 5, 9), ("home-2", 3, 9))
    result = agr_publishes(registry, "agr-1", ("home-1", 0, 4), ("home-2", 0, 4))
    assert reply_text(result) == ""
    assert days(registry, "agr-1", "home-1") == "effective 0..4"
    assert days(registry, "agr-1", "home-2") == "effective 0..4"


# What is named


def test_several_rules_are_each_told(registry: Registry) -> None:
    result = dso_publishes(registry, "dso-1", point("point-1", 0, 5, ("home-1", -3, 2), ("home-2", 2, 9)))
    assert result.accepted
    if isinstance(result, Reply):
        assert ADDRESSES["home-1"] in result.text
        assert ADDRESSES["home-2"] in result.text
    assert days(registry, "dso-1", "point-1", "home-1") == "effective 0..2"
    assert days(registry, "dso-1", "point-1", "home-2") == "effective 2..5"


def test_at_most_twenty_are_named(world: World) -> None:
    addresses = [ean(number) for number in range(25)]
    with pytest.raises(Rejection) as rejected, transaction.atomic():
        publish_representations(
            world.participants["agr-1"],
            [(address, as_date(5), as_date(1)) for address in addresses],
            today=as_date(0),
            source=world.source("agr-1"),
        )
    (reason,) = rejected.value.reasons
    assert sum(address in reason for address in addresses) == 20, reason
    assert "5 more" in reason, reason
