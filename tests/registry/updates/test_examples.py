"""Updates, claims and conflicts as a careful reader of docs/rules.md would draw them on paper.

Day 0 is today. Every example is told to the registry and to the time model alike.
"""

from __future__ import annotations

import pytest

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
from tests.registry.model_days import Terms
from tests.registry.world import ADDRESSES, Reply, World, known_at, last_date, latest_moment

HOME = ADDRESSES["home-1"]


# Statements


def test_D3_an_earlier_last_day_shortens(registry: Registry) -> None:
    agr_publishes(registry, "agr-1", ("home-1", -5, None))
    assert agr_publishes(registry, "agr-1", ("home-1", -5, 3)).accepted
    assert days(registry, "agr-1", "home-1") == "effective -5..3"


def test_D2_what_lies_before_the_new_days_stays(registry: Registry) -> None:
    agr_publishes(registry, "agr-1", ("home-1", -5, None))
    agr_publishes(registry, "agr-1", ("home-1", 2, 3))
    assert days(registry, "agr-1", "home-1") == "effective -5..3"


def test_D2_an_end_in_the_future_leaves_the_days_until_then(registry: Registry) -> None:
    agr_publishes(registry, "agr-1", ("home-1", -5, 9))
    agr_publishes(registry, "agr-1", ("home-1", 0, 5))
    assert days(registry, "agr-1", "home-1") == "effective -5..5"


def test_D5_a_connection_that_ends_today_counts_today(registry: Registry) -> None:
    agr_publishes(registry, "agr-1", ("home-1", -5, None))
    agr_publishes(registry, "agr-1", ("home-1", -5, 0))
    assert days(registry, "agr-1", "home-1") == "effective -5..0"


def test_D3_an_end_before_the_start_withdraws_from_the_day_after_the_end(registry: Registry) -> None:
    agr_publishes(registry, "agr-1", ("home-1", -5, 3), ("home-1", 6, 9))
    assert agr_publishes(registry, "agr-1", ("home-1", 5, 1)).accepted
    assert days(registry, "agr-1", "home-1") == "effective -5..1"


def test_P1_withdrawing_what_was_never_registered_is_rejected(registry: Registry) -> None:
    agr_publishes(registry, "agr-1", ("home-1", -5, 1))
    result = agr_publishes(registry, "agr-1", ("home-2", 0, None), ("home-1", 5, 1))
    assert not result.accepted
    assert days(registry, "agr-1", "home-1") == "effective -5..1"
    assert days(registry, "agr-1", "home-2") == "", "a rejected message registers nothing at all"


def test_P7_a_separate_later_block_is_kept(registry: Registry) -> None:
    agr_publishes(registry, "agr-1", ("home-1", 6, 9))
    result = agr_publishes(registry, "agr-1", ("home-1", 0, 4))
    assert reply_text(result) == "", "kept without a warning"
    assert days(registry, "agr-1", "home-1") == "effective 0..4, effective 6..9"


def test_D3_a_later_block_that_touches_the_new_days_gives_way(registry: Registry) -> None:
    agr_publishes(registry, "agr-1", ("home-1", 5, 9))
    agr_publishes(registry, "agr-1", ("home-1", 0, 4))
    assert days(registry, "agr-1", "home-1") == "effective 0..4"


def test_D4_lines_about_the_same_connection_are_taken_together(registry: Registry) -> None:
    agr_publishes(registry, "agr-1", ("home-1", 0, None))
    agr_publishes(registry, "agr-1", ("home-1", 6, 9), ("home-1", 0, 3))
    assert days(registry, "agr-1", "home-1") == "effective 0..3, effective 6..9"


def test_connections_that_no_dso_has_declared_may_be_registered(registry: Registry) -> None:
    assert agr_publishes(registry, "agr-1", ("home-4", 0, None)).accepted
    assert days(registry, "agr-1", "home-4") == "effective 0.."


def test_D7_omitted_connections_stay(registry: Registry) -> None:
    agr_publishes(registry, "agr-1", ("home-1", 0, None), ("home-2", 0, None))
    agr_publishes(registry, "agr-1", ("home-1", 0, None))
    assert days(registry, "agr-1", "home-2") == "effective 0.."


def test_D7_omitted_connections_end_today_under_the_policy(registry: Registry) -> None:
    registry.set_policy("omitted connections", "end")
    agr_publishes(registry, "agr-1", ("home-1", -2, None), ("home-2", -2, None), ("home-3", 4, 9))
    agr_publishes(registry, "agr-1", ("home-1", -2, None))
    assert days(registry, "agr-1", "home-2") == "effective -2..0"
    assert days(registry, "agr-1", "home-3") == ""
    agr_publishes(registry, "agr-1")
    assert days(registry, "agr-1", "home-1") == "effective -2..", "an empty update never ends anything"


def test_D7_omitted_connections_of_a_dso_end_only_in_points_that_list_some(registry: Registry) -> None:
    registry.set_policy("omitted connections", "end")
    home_1, home_2 = ("home-1", -2, None), ("home-2", -2, None)
    dso_publishes(
        registry, "dso-1", point("point-1", -2, None, home_1, home_2), point("point-2", -2, None, home_1)
    )
    dso_publishes(registry, "dso-1", point("point-1", -2, None, home_1))
    assert days(registry, "dso-1", "point-1", "home-1") == "effective -2.."
    assert days(registry, "dso-1", "point-1", "home-2") == "effective -2..0"
    assert days(registry, "dso-1", "point-2", "home-1") == "effective -2.."
    dso_publishes(registry, "dso-1", point("point-1", -2, None))
    assert days(registry, "dso-1", "point-1", "home-1") == "effective -2.."


# Congestion points


def test_D5_a_congestion_point_that_ends_today_ends_at_once(registry: Registry) -> None:
    home = ("home-1", -5, None)
    dso_publishes(registry, "dso-1", point("point-1", -5, None, home))
    assert dso_publishes(registry, "dso-1", point("point-1", -5, 0, home)).accepted
    assert days(registry, "dso-1", "point-1") == "-5..-1"
    assert days(registry, "dso-1", "point-1", "home-1") == "effective -5..-1"


def test_D5_a_congestion_point_that_starts_and_ends_today_is_withdrawn_from_today(registry: Registry) -> None:
    home = ("home-1", -5, None)
    dso_publishes(registry, "dso-1", point("point-1", -5, None, home))
    assert dso_publishes(registry, "dso-1", point("point-1", 0, 0, home)).accepted
    assert days(registry, "dso-1", "point-1") == "-5..-1"
    assert days(registry, "dso-1", "point-1", "home-1") == "effective -5..-1"


def test_D5_an_end_before_today_leaves_every_separate_later_block(registry: Registry) -> None:
    dso_publishes(registry, "dso-1", point("point-1", 0, 3))
    dso_publishes(registry, "dso-1", point("point-1", 6, 9))
    assert dso_publishes(registry, "dso-1", point("point-1", -5, -3)).accepted
    assert days(registry, "dso-1", "point-1") == "-5..-3, 0..3, 6..9", "also the one that covers today"


def test_D5_connections_listed_under_an_ended_point_are_ignored(registry: Registry) -> None:
    dso_publishes(registry, "dso-1", point("point-1", -5, None, ("home-1", -5, None)))
    result = dso_publishes(registry, "dso-1", point("point-1", -5, -1, ("home-2", 3, None), ("home-3", 9, 2)))
    assert result.accepted
    assert days(registry, "dso-1", "point-1", "home-2") == ""


def test_D6_a_later_last_day_of_a_point_brings_no_connections_back(registry: Registry) -> None:
    homes = ("home-1", -5, None), ("home-2", -5, None), ("home-3", -5, None)
    dso_publishes(registry, "dso-1", point("point-1", -5, None, *homes))
    dso_publishes(registry, "dso-1", point("point-1", -5, 0))
    result = dso_publishes(registry, "dso-1", point("point-1", 0, None, homes[0]))
    assert result.accepted
    assert days(registry, "dso-1", "point-1") == "-5.."
    assert days(registry, "dso-1", "point-1", "home-1") == "effective -5.."
    assert days(registry, "dso-1", "point-1", "home-2") == "effective -5..-1"
    if isinstance(result, Reply):
        assert "2 " in result.text, f"warned that two connections are not back, not {result.text!r}"


def test_D6_a_shorter_point_clips_the_connections_that_are_not_listed(registry: Registry) -> None:
    homes = ("home-1", 0, 9), ("home-2", 0, 3), ("home-3", 0, 9)
    dso_publishes(registry, "dso-1", point("point-1", 0, 9, *homes))
    result = dso_publishes(registry, "dso-1", point("point-1", 0, 5, ("home-3", 0, 4)))
    assert result.accepted
    assert days(registry, "dso-1", "point-1", "home-1") == "effective 0..5"
    assert days(registry, "dso-1", "point-1", "home-2") == "effective 0..3"
    assert days(registry, "dso-1", "point-1", "home-3") == "effective 0..4"


def test_terms_change_from_the_day_on_which_they_start(registry: Registry) -> None:
    dso_publishes(registry, "dso-1", point("point-1", 0, None, ("home-1", 0, None)))
    dso_publishes(registry, "dso-1", point("point-1", 4, None, terms=Terms(True, "DSO", "AGR")))
    first, second = registry.view().terms["dso-1", "point-1"]
    assert (first.first, first.last, first.what) == (0, 3, Terms())
    assert (second.first, second.last, second.what) == (4, None, Terms(True, "DSO", "AGR"))
    assert days(registry, "dso-1", "point-1", "home-1") == "effective 0.."


def test_D8_one_address_at_two_dsos_is_two_points(registry: Registry) -> None:
    dso_publishes(registry, "dso-1", point("point-1", -5, None, ("home-1", -5, None)))
    result = dso_publishes(registry, "dso-2", point("point-1", 0, 5, ("home-2", 0, 5)))
    assert reply_text(result) == ""
    assert days(registry, "dso-1", "point-1") == "-5.."
    assert days(registry, "dso-2", "point-1") == "0..5"


def test_C7_a_connection_may_lie_in_several_points_of_one_dso(registry: Registry) -> None:
    home = ("home-1", 0, None)
    result = dso_publishes(
        registry, "dso-1", point("point-1", 0, None, home), point("point-2", 0, None, home)
    )
    assert reply_text(result) == ""
    assert days(registry, "dso-1", "point-1", "home-1") == "effective 0.."
    assert days(registry, "dso-1", "point-2", "home-1") == "effective 0.."
    assert conflicts(registry) == []


def test_C7_moving_a_connection_between_own_points_keeps_its_days(registry: Registry) -> None:
    dso_publishes(
        registry, "dso-1", point("point-1", 0, None, ("home-1", 0, None)), point("point-2", 0, None)
    )
    dso_publishes(registry, "dso-2", point("point-1", 0, None, ("home-1", 0, None)))
    dso_publishes(
        registry,
        "dso-1",
        point("point-1", 0, None, ("home-1", 5, -1)),
        point("point-2", 0, None, ("home-1", 0, None)),
    )
    assert days(registry, "dso-1", "point-1", "home-1") == ""
    assert days(registry, "dso-1", "point-2", "home-1") == "effective 0.."
    assert conflicts(registry) == ["home-1: dso-2 against dso-1, 0.."]


# Claims of AGRs


def test_C4_days_of_another_agr_are_contested_and_it_is_not_named(registry: Registry) -> None:
    agr_publishes(registry, "agr-1", ("home-1", -2, 5))
    result = agr_publishes(registry, "agr-2", ("home-1", 0, None), ("home-2", 0, None))
    assert result.accepted
    assert days(registry, "agr-1", "home-1") == "effective -2..5"
    assert days(registry, "agr-2", "home-1") == "contested 0..5, effective 6.."
    assert conflicts(registry) == ["home-1: agr-2 against agr-1, 0..5"]
    if isinstance(result, Reply):
        assert HOME in result.text
        assert str(last_date(0)) in result.text
        assert str(last_date(5)) in result.text
        assert ADDRESSES["home-2"] not in result.text
        assert "agr-1" not in result.text


def test_C2_a_repeated_claim_keeps_its_standing_and_is_not_warned_of(registry: Registry) -> None:
    agr_publishes(registry, "agr-1", ("home-1", 0, None))
    agr_publishes(registry, "agr-2", ("home-1", 0, None))
    result = agr_publishes(registry, "agr-2", ("home-1", 0, None))
    assert reply_text(result) == ""
    assert days(registry, "agr-2", "home-1") == "contested 0.."
    assert agr_publishes(registry, "agr-1", ("home-1", 0, None)).accepted
    assert days(registry, "agr-1", "home-1") == "effective 0.."


def test_C6_a_day_let_go_is_the_claimants(registry: Registry) -> None:
    agr_publishes(registry, "agr-1", ("home-1", 0, None))
    agr_publishes(registry, "agr-2", ("home-1", 0, None))
    agr_publishes(registry, "agr-1", ("home-1", 0, 3))
    assert days(registry, "agr-2", "home-1") == "contested 0..3, effective 4.."
    assert conflicts(registry) == ["home-1: agr-2 against agr-1, 0..3"]


def test_C6_of_three_the_longest_waiting_gets_the_day(registry: Registry) -> None:
    agr_publishes(registry, "agr-1", ("home-1", 0, None))
    agr_publishes(registry, "agr-3", ("home-1", 2, None))
    agr_publishes(registry, "agr-2", ("home-1", 0, None))
    agr_publishes(registry, "agr-1", ("home-1", 5, -1))
    assert days(registry, "agr-1", "home-1") == ""
    assert days(registry, "agr-2", "home-1") == "effective 0..1, contested 2.."
    assert days(registry, "agr-3", "home-1") == "effective 2.."
    assert conflicts(registry) == ["home-1: agr-2 against agr-3, 2.."]


def test_C8_withdrawing_contested_days_ends_their_part_of_the_conflict(registry: Registry) -> None:
    agr_publishes(registry, "agr-1", ("home-1", 0, 9))
    agr_publishes(registry, "agr-2", ("home-1", 0, 9))
    agr_publishes(registry, "agr-2", ("home-1", 0, 3))
    assert conflicts(registry) == ["home-1: agr-2 against agr-1, 0..3"]
    agr_publishes(registry, "agr-2", ("home-1", 0, -1))
    assert conflicts(registry) == []
    assert days(registry, "agr-1", "home-1") == "effective 0..9"


def test_C4_the_reject_policy_names_the_connection(registry: Registry) -> None:
    registry.set_policy("representation conflicts", "reject")
    agr_publishes(registry, "agr-1", ("home-1", 0, None))
    result = agr_publishes(registry, "agr-2", ("home-1", 3, None), ("home-2", 0, None))
    assert not result.accepted
    assert days(registry, "agr-2", "home-2") == ""
    if isinstance(result, Reply):
        assert result.reasons == (f"Connection conflict: [{HOME}]",)


def test_C5_the_newest_wins_from_today_on(registry: Registry) -> None:
    registry.set_policy("representation conflicts", "newest wins")
    agr_publishes(registry, "agr-1", ("home-1", -5, None))
    assert agr_publishes(registry, "agr-2", ("home-1", -2, 6)).accepted
    assert days(registry, "agr-1", "home-1") == "effective -5..-1, refused 0..6, effective 7.."
    assert days(registry, "agr-2", "home-1") == "contested -2..-1, effective 0..6"
    assert conflicts(registry) == ["home-1: agr-2 against agr-1, -2..-1"]
    agr_publishes(registry, "agr-1", ("home-1", -5, None))
    assert days(registry, "agr-1", "home-1") == "effective -5..-1, refused 0..6, effective 7..", (
        "the daily re-sending of a portfolio wins nothing back"
    )


def test_C10_a_policy_applies_only_to_later_messages(registry: Registry) -> None:
    agr_publishes(registry, "agr-1", ("home-1", 0, None))
    agr_publishes(registry, "agr-2", ("home-1", 0, 9))
    registry.set_policy("representation conflicts", "newest wins")
    assert days(registry, "agr-2", "home-1") == "contested 0..9"
    agr_publishes(registry, "agr-2", ("home-1", 0, 9))
    assert days(registry, "agr-2", "home-1") == "contested 0..9"
    agr_publishes(registry, "agr-2", ("home-1", 0, 12))
    assert days(registry, "agr-2", "home-1") == "contested 0..9, effective 10..12"


def test_H1_known_as_it_was_for_ever(world: World) -> None:
    agr_publishes(world, "agr-1", ("home-1", 0, None))
    dso_publishes(world, "dso-1", point("point-1", 0, None, ("home-1", 0, None)))
    moment = latest_moment()
    assert moment is not None
    then = known_at(moment)
    agr_publishes(world, "agr-2", ("home-1", 0, None))
    settle(world, "split", 4)
    agr_publishes(world, "agr-1", ("home-1", 9, -1))
    dso_publishes(world, "dso-1", point("point-1", 0, 0))
    assert known_at(moment) == then
    assert len(then["Representation"]) == len(then["CongestionPointTerms"]) == 1
    later = latest_moment()
    assert later is not None
    assert known_at(later) != then


# Settlements


def test_C3_refused_days_stay_refused_when_the_portfolio_is_sent_again(registry: Registry) -> None:
    agr_publishes(registry, "agr-1", ("home-1", 0, None))
    agr_publishes(registry, "agr-2", ("home-1", 0, None))
    settle(registry, "keep")
    result = agr_publishes(registry, "agr-2", ("home-1", 0, None))
    assert reply_text(result) == ""
    assert days(registry, "agr-1", "home-1") == "effective 0.."
    assert days(registry, "agr-2", "home-1") == "refused 0.."
    assert conflicts(registry) == []


def test_C9_given_days_are_the_claimants_and_refused_to_the_holder(registry: Registry) -> None:
    agr_publishes(registry, "agr-1", ("home-1", -3, None))
    agr_publishes(registry, "agr-2", ("home-1", 0, 9))
    settle(registry, "give")
    agr_publishes(registry, "agr-1", ("home-1", -3, None))
    assert days(registry, "agr-1", "home-1") == "effective -3..-1, refused 0..9, effective 10.."
    assert days(registry, "agr-2", "home-1") == "effective 0..9"
    assert conflicts(registry) == []


def test_C9_a_split_leaves_the_earlier_days_with_the_holder(registry: Registry) -> None:
    agr_publishes(registry, "agr-1", ("home-1", 0, None))
    agr_publishes(registry, "agr-2", ("home-1", 0, None))
    settle(registry, "split", 4)
    assert days(registry, "agr-1", "home-1") == "effective 0..3, refused 4.."
    assert days(registry, "agr-2", "home-1") == "refused 0..3, effective 4.."
    assert conflicts(registry) == []


def test_C3_a_dso_does_not_evade_a_refusal_at_another_point(registry: Registry) -> None:
    dso_publishes(registry, "dso-1", point("point-1", 0, None, ("home-1", 0, None)))
    dso_publishes(registry, "dso-2", point("point-1", 0, None, ("home-1", 0, None)))
    settle(registry, "keep")
    assert dso_publishes(registry, "dso-2", point("point-2", 0, None, ("home-1", 0, None))).accepted
    assert days(registry, "dso-2", "point-2", "home-1") == "refused 0.."
    assert conflicts(registry) == []


def test_C3_refused_days_come_back_when_their_holder_leaves(registry: Registry) -> None:
    agr_publishes(registry, "agr-1", ("home-1", 0, None))
    agr_publishes(registry, "agr-2", ("home-1", 0, None))
    settle(registry, "keep")
    agr_publishes(registry, "agr-1", ("home-1", 9, 3))
    assert days(registry, "agr-2", "home-1") == "refused 0..3, effective 4.."


def test_C3_refused_days_are_contested_against_the_next_holder(registry: Registry) -> None:
    agr_publishes(registry, "agr-1", ("home-1", 0, None))
    agr_publishes(registry, "agr-2", ("home-1", 0, None))
    agr_publishes(registry, "agr-3", ("home-1", 0, None))
    (model_conflict,) = (d for d in registry.view().conflicts if d.claimant == "agr-3")
    registry.settle(model_conflict, "keep")
    agr_publishes(registry, "agr-1", ("home-1", 9, -1))
    assert days(registry, "agr-2", "home-1") == "effective 0.."
    assert days(registry, "agr-3", "home-1") == "contested 0.."
    assert conflicts(registry) == ["home-1: agr-3 against agr-2, 0.."]


def test_C9_a_conflict_remembers_who_decided_what_and_why(world: World) -> None:
    agr_publishes(world, "agr-1", ("home-1", 0, None))
    agr_publishes(world, "agr-2", ("home-1", 0, None))
    (model_conflict,) = world.view().conflicts
    row = world.conflict(model_conflict)
    world.settle(model_conflict, "split", 4)
    row.refresh_from_db()
    assert (row.decision, row.split_at) == ("split", last_date(4))
    assert (row.decided_by, row.reason) == ("clerk", "so decided")
    assert row.closed_by is not None


# Claims of DSOs


@pytest.mark.parametrize("sender_point", ["point-1", "point-2"])
def test_C4_days_of_another_dso_are_contested(registry: Registry, sender_point: str) -> None:
    dso_publishes(registry, "dso-1", point("point-1", 0, None, ("home-1", 0, None)))
    result = dso_publishes(
        registry, "dso-2", point(sender_point, 0, None, ("home-1", 2, 5), ("home-2", 0, None))
    )
    assert result.accepted
    assert days(registry, "dso-2", sender_point, "home-1") == "contested 2..5"
    assert days(registry, "dso-2", sender_point, "home-2") == "effective 0.."
    assert conflicts(registry) == ["home-1: dso-2 against dso-1, 2..5"]
    if isinstance(result, Reply):
        assert HOME in result.text
        assert "dso-1" not in result.text


def test_C7_the_allow_policy_lets_two_dsos_have_a_connection(registry: Registry) -> None:
    registry.set_policy("membership conflicts", "allow")
    dso_publishes(registry, "dso-1", point("point-1", 0, None, ("home-1", 0, None)))
    result = dso_publishes(registry, "dso-2", point("point-1", 0, None, ("home-1", 0, None)))
    assert reply_text(result) == ""
    assert days(registry, "dso-1", "point-1", "home-1") == "effective 0.."
    assert days(registry, "dso-2", "point-1", "home-1") == "effective 0.."
    assert conflicts(registry) == []


def test_C4_the_reject_policy_names_the_connection_and_the_senders_own_point(registry: Registry) -> None:
    registry.set_policy("membership conflicts", "reject")
    dso_publishes(registry, "dso-1", point("point-1", 0, None, ("home-1", 0, None)))
    result = dso_publishes(registry, "dso-2", point("point-2", 0, None, ("home-1", 0, None)))
    assert not result.accepted
    assert days(registry, "dso-2", "point-2") == ""
    if isinstance(result, Reply):
        assert result.reasons == (f"Connection conflict: [{HOME}] at [{ADDRESSES['point-2']}]",)


def test_C6_when_a_point_ends_its_connections_are_the_waiting_dsos(registry: Registry) -> None:
    dso_publishes(registry, "dso-1", point("point-1", -5, None, ("home-1", -5, None)))
    dso_publishes(registry, "dso-2", point("point-2", -5, None, ("home-1", -5, None)))
    dso_publishes(registry, "dso-1", point("point-1", 0, 0))
    assert days(registry, "dso-2", "point-2", "home-1") == "contested -5..-1, effective 0.."
    assert conflicts(registry) == ["home-1: dso-2 against dso-1, -5..-1"]


def test_C7_a_dso_that_holds_a_day_holds_it_for_all_its_points(registry: Registry) -> None:
    dso_publishes(
        registry, "dso-1", point("point-1", 0, None, ("home-1", 0, None)), point("point-2", 0, None)
    )
    dso_publishes(registry, "dso-2", point("point-1", 0, None, ("home-1", 0, None)))
    result = dso_publishes(registry, "dso-1", point("point-2", 0, None, ("home-1", 0, 5)))
    assert reply_text(result) == ""
    assert days(registry, "dso-1", "point-2", "home-1") == "effective 0..5"
