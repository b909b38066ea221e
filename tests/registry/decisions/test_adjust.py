"""Staff adjust the days of a row: of a representation, a membership, or a congestion point's terms."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from common.previews import ConsequencesChanged
from participants.models import AuditEntry
from registry.changes import Source
from registry.decisions.adjust import AdjustmentError, adjust
from registry.models import Change, Conflict, CongestionPointConnection, Representation, RevisionPlace
from registry.previews.effects import of_change
from tests.registry.decisions.decisions import (
    BY_KIM,
    decide,
    effect_lines,
    membership,
    move,
    previewed,
    representation,
    terms,
)
from tests.registry.dsl import agr_publishes, conflicts, days, dso_publishes, point
from tests.registry.model_days import Terms
from tests.registry.world import World, as_date, assert_sound, open_conflicts


@pytest.fixture
def world(db: None) -> World:
    return World.start()


def written() -> tuple[int, ...]:
    """How many rows there are of what an adjustment writes."""
    return tuple(
        model.objects.count()
        for model in (Change, Conflict, Representation, CongestionPointConnection, AuditEntry)
    )


# Representations


def test_C13_a_representation_gets_other_days(world: World) -> None:
    agr_publishes(world, "agr-1", ("home-1", 0, 9))
    places = RevisionPlace.objects.count()
    change = move(world, representation("agr-1"), -3, None)
    assert days(world, "agr-1", "home-1") == "effective -3.."
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.reason) == ("kim", "adjust period", "agreed by telephone")
    assert entry.before == {"days": f"{as_date(0)} to {as_date(9)}"}
    assert entry.after == {"days": f"from {as_date(-3)}", "change": change}
    assert entry.participants == [world.participants["agr-1"].pk]
    assert Change.objects.get(pk=change).kind == "staff"
    assert RevisionPlace.objects.count() == places
    move(world, representation("agr-1"), 2, 4)
    assert days(world, "agr-1", "home-1") == "effective 2..4"


@pytest.mark.parametrize("policy", ["hold", "reject", "newest wins"])
def test_C13_days_that_another_holds_are_contested_whatever_the_policy(world: World, policy: str) -> None:
    agr_publishes(world, "agr-1", ("home-1", 5, None))
    agr_publishes(world, "agr-2", ("home-1", 0, 4))
    world.set_policy("representation conflicts", policy)
    shown = previewed(lambda: move(world, representation("agr-2"), 0, 9))
    assert effect_lines(shown) == ["agr-2 home-1: contested 5..9"]
    assert shown.opened == 1
    change = move(world, representation("agr-2"), 0, 9, expected=shown.fingerprint)
    assert of_change(change) == shown
    assert days(world, "agr-2", "home-1") == "effective 0..4, contested 5..9"
    assert conflicts(world) == ["home-1: agr-2 against agr-1, 5..9"]


def test_C13_days_set_free_go_to_who_has_waited_longest(world: World) -> None:
    agr_publishes(world, "agr-1", ("home-1", 0, None))
    agr_publishes(world, "agr-2", ("home-1", 2, None))
    agr_publishes(world, "agr-3", ("home-1", 0, None))
    shown = previewed(lambda: move(world, representation("agr-1"), 0, 4))
    assert effect_lines(shown) == [
        "agr-1 home-1: lost 5..; withdrawn 5..",
        "agr-2 home-1: gained 5..",
    ]
    move(world, representation("agr-1"), 0, 4)
    assert days(world, "agr-2", "home-1") == "contested 2..4, effective 5.."
    assert conflicts(world) == [
        "home-1: agr-2 against agr-1, 2..4",
        "home-1: agr-3 against agr-1, 0..4",
        "home-1: agr-3 against agr-2, 5..",
    ]
    assert_sound()


def test_C13_a_contested_row_can_be_shortened_to_end_its_conflict(world: World) -> None:
    agr_publishes(world, "agr-1", ("home-1", 0, None))
    agr_publishes(world, "agr-2", ("home-1", -5, 9))
    move(world, representation("agr-2", day=0), 0, 3)
    assert days(world, "agr-2", "home-1") == "effective -5..-1, contested 0..3"
    assert conflicts(world) == ["home-1: agr-2 against agr-1, 0..3"]


def test_C13_refused_days_stay_refused(world: World) -> None:
    agr_publishes(world, "agr-1", ("home-1", 0, None))
    agr_publishes(world, "agr-2", ("home-1", 0, 9))
    decide(world, open_conflicts().get(), "keep")
    move(world, representation("agr-2"), 0, 12)
    assert days(world, "agr-2", "home-1") == "refused 0..9, contested 10..12"


def test_C13_days_that_stay_refused_or_contested_are_said(world: World) -> None:
    agr_publishes(world, "agr-1", ("home-1", 5, 30))
    agr_publishes(world, "agr-2", ("home-1", 0, 20))
    refused = open_conflicts().get()
    decide(world, refused, "keep")
    agr_publishes(world, "agr-2", ("home-1", 0, 25))
    row = representation("agr-2")
    stays = (
        f"AGR agr-2.example stays refused {as_date(5)} to {as_date(20)}, by conflict {refused.pk}.",
        f"AGR agr-2.example stays contested {as_date(21)} to {as_date(25)}.",
    )
    shown = previewed(lambda: move(world, row, -5, 25))
    assert shown.warnings == stays
    assert effect_lines(shown) == ["agr-2 home-1: gained -5..-1"]
    with pytest.raises(AdjustmentError, match=f"already; it stays refused {as_date(5)}"):
        move(world, row, 0, 25)
    move(world, row, -5, 25, expected=shown.fingerprint)
    assert AuditEntry.objects.get(action="adjust period").after["of these"] == (
        f"{as_date(5)} to {as_date(20)} is refused, by conflict {refused.pk};"
        f" {as_date(21)} to {as_date(25)} is contested"
    )


def test_C13_days_that_a_policy_refused_stay_so(world: World) -> None:
    agr_publishes(world, "agr-1", ("home-1", 0, 20))
    world.set_policy("representation conflicts", "newest wins")
    agr_publishes(world, "agr-2", ("home-1", 5, 20))
    shown = previewed(lambda: move(world, representation("agr-1"), -5, 20))
    assert shown.warnings == (
        f"AGR agr-1.example stays refused {as_date(5)} to {as_date(20)}, by the policy “newest wins”.",
    )


def test_days_far_from_today_are_questioned_in_the_preview(world: World) -> None:
    agr_publishes(world, "agr-1", ("home-1", 0, 9))
    row, today = representation("agr-1"), as_date(world.today)

    def warned(first: date, last: date | None) -> tuple[str, ...]:
        return previewed(lambda: adjust(row, first, last, source=BY_KIM, today=today)).warnings

    far, ten = date(today.year - 1999, 1, 1), today.replace(year=today.year + 10)
    assert warned(far, as_date(9)) == (f"{far} is 1,999 years before today: is that meant?",)
    assert warned(as_date(0), ten) == ()
    late = ten + timedelta(days=1)
    assert warned(as_date(0), late) == (f"{late} is 10 years after today: is that meant?",)
    assert warned(as_date(0), date.max) == ()
    assert warned(as_date(1), None) == ()


def test_C13_what_cannot_be_adjusted_is_said_and_leaves_nothing(world: World) -> None:
    agr_publishes(world, "agr-1", ("home-1", 0, 9))
    row, before = representation("agr-1"), written()
    for first, last, said in (
        (5, 4, "lies before the first"),
        (0, 9, "Nothing changes"),
    ):
        with pytest.raises(AdjustmentError, match=said):
            move(world, row, first, last)
    with pytest.raises(AdjustmentError, match="needs a reason"):
        move(world, row, 0, 4, source=Source.of_staff("kim", "  "))
    assert written() == before


def test_C13_own_other_days_are_nothing_to_claim_again(world: World) -> None:
    agr_publishes(world, "agr-1", ("home-1", 5, None))
    agr_publishes(world, "agr-2", ("home-1", 0, None))
    with pytest.raises(AdjustmentError, match=r"Nothing changes: AGR agr-2\.example claims"):
        move(world, representation("agr-2"), 0, 8)


def test_C13_a_row_that_is_not_current_says_what_superseded_it(world: World) -> None:
    agr_publishes(world, "agr-1", ("home-1", 0, 9))
    row = representation("agr-1")
    agr_publishes(world, "agr-1", ("home-1", 0, 5))
    before = written()
    with pytest.raises(AdjustmentError) as refused:
        move(world, row, 0, 12)
    change = Change.objects.latest("pk")
    assert str(refused.value).startswith(
        f"This row was superseded by change {change.pk} by AGRPortfolioUpdate of AGR agr-1.example on 20"
    )
    row = representation("agr-1")
    move(world, row, 0, 12, source=Source.of_staff("lee", "the same call"))
    with pytest.raises(AdjustmentError, match="by lee on 20"):
        move(world, row, 0, 14)
    assert written() == (before[0] + 1, before[1], before[2] + 1, before[3], before[4] + 1)


def test_C14_an_adjustment_does_what_was_shown_or_nothing(world: World) -> None:
    agr_publishes(world, "agr-1", ("home-1", 0, None))
    row = representation("agr-1")
    shown = previewed(lambda: move(world, row, 0, 4))
    agr_publishes(world, "agr-2", ("home-1", 3, None))
    before = written()
    with pytest.raises(ConsequencesChanged, match="Look at the consequences again"):
        move(world, row, 0, 4, expected=shown.fingerprint)
    assert written() == before


# Memberships


def test_C13_a_membership_gets_other_days(world: World) -> None:
    dso_publishes(world, "dso-1", point("point-1", 0, None, ("home-1", 0, None)))
    dso_publishes(world, "dso-2", point("point-2", -9, None, ("home-1", 5, None)))
    shown = previewed(lambda: move(world, membership("dso-1", "point-1"), 2, 9))
    assert effect_lines(shown) == [
        "dso-1 point-1 home-1: lost 0..1, 10..; withdrawn 0..1, 10..",
        "dso-2 point-2 home-1: gained 10..",
    ]
    move(world, membership("dso-1", "point-1"), 2, 9)
    assert days(world, "dso-1", "point-1", "home-1") == "effective 2..9"
    assert conflicts(world) == ["home-1: dso-2 against dso-1, 5..9"]
    move(world, membership("dso-2", "point-2", day=5), 0, 9)
    assert days(world, "dso-2", "point-2", "home-1") == "effective 0..1, contested 2..9, effective 10.."
    assert AuditEntry.objects.filter(subject__startswith="membership of ean.").count() == 2


@pytest.mark.parametrize(
    ("first", "last", "rule", "adjusted", "accepted"),
    [(-4, 5, "P4", "effective 0..5", "effective -4..5"), (2, None, "P3", "effective 2..9", "effective 2..")],
)
def test_C13_a_membership_keeps_to_its_point_as_the_policies_say(
    world: World, first: int, last: int | None, rule: str, adjusted: str, accepted: str
) -> None:
    dso_publishes(world, "dso-1", point("point-1", 0, 9, ("home-1", 1, 8)))
    row = membership("dso-1", "point-1", day=3)
    world.set_policy(rule, "reject")
    with pytest.raises(AdjustmentError, match=f"the policy {rule} is to reject that"):
        move(world, row, first, last)
    world.set_policy(rule, "adjust")
    shown = previewed(lambda: move(world, row, first, last))
    assert len(shown.warnings) == 1
    assert f"by the policy {rule}" in shown.warnings[0]
    assert effect_lines(shown)
    world.set_policy(rule, "accept")
    assert previewed(lambda: move(world, row, first, last)).warnings == ()
    world.set_policy(rule, "adjust")
    move(world, row, first, last)
    assert days(world, "dso-1", "point-1", "home-1") == adjusted
    world.set_policy(rule, "accept")
    move(world, membership("dso-1", "point-1", day=3), first, last)
    assert days(world, "dso-1", "point-1", "home-1") == accepted


@pytest.mark.parametrize("policy", ["reject", "adjust", "accept"])
def test_C13_a_membership_is_not_moved_out_of_its_point(world: World, policy: str) -> None:
    world.set_policy("P5", policy)
    dso_publishes(world, "dso-1", point("point-1", 0, 9, ("home-1", 1, 8)))
    with pytest.raises(AdjustmentError, match="lie outside the congestion point's, which has"):
        move(world, membership("dso-1", "point-1", day=3), 12, 20)


# Terms


def test_C13_a_shortened_congestion_point_clips_its_connections(world: World) -> None:
    dso_publishes(world, "dso-1", point("point-1", 0, None, ("home-1", 0, None), ("home-2", 0, 4)))
    dso_publishes(world, "dso-2", point("point-2", 0, None, ("home-1", 0, None)))
    shown = previewed(lambda: move(world, terms("dso-1", "point-1"), 0, 9))
    assert effect_lines(shown) == [
        "dso-1 point-1 home-1: lost 10..; withdrawn 10..",
        "dso-2 point-2 home-1: gained 10..",
    ]
    assert shown.warnings == ("Connections that lose days with the congestion point: 1.",)
    assert [text.partition(": ")[2] for text in shown.terms] == [f"loses from {as_date(10)}"]
    change = move(world, terms("dso-1", "point-1"), 0, 9, expected=shown.fingerprint)
    assert of_change(change).lines == shown.lines
    assert days(world, "dso-1", "point-1") == "0..9"
    assert days(world, "dso-1", "point-1", "home-2") == "effective 0..4"
    assert conflicts(world) == ["home-1: dso-2 against dso-1, 0..9"]
    assert_sound()
    again = previewed(lambda: move(world, terms("dso-1", "point-1"), 0, 20))
    assert again.lines == ()
    assert len(again.warnings) == 1
    assert "not brought back" in again.warnings[0]
    move(world, terms("dso-1", "point-1"), 0, 20)
    assert days(world, "dso-1", "point-1") == "0..20"
    assert days(world, "dso-1", "point-1", "home-1") == "effective 0..9"


def test_C13_the_last_day_of_a_point_is_the_day_that_staff_say(world: World) -> None:
    dso_publishes(world, "dso-1", point("point-1", -5, None, ("home-1", -5, None)))
    move(world, terms("dso-1", "point-1"), -5, 0)
    assert days(world, "dso-1", "point-1") == "-5..0"
    assert days(world, "dso-1", "point-1", "home-1") == "effective -5..0"


def test_C13_days_that_staff_give_back_stay_when_the_dso_sends_its_message_again(world: World) -> None:
    ends = point("point-1", -5, 0)
    dso_publishes(world, "dso-1", point("point-1", -5, None))
    dso_publishes(world, "dso-1", ends)
    move(world, terms("dso-1", "point-1", day=-1), -5, 0)
    world.today += 1
    assert not dso_publishes(world, "dso-1", ends).text
    assert days(world, "dso-1", "point-1") == "-5..0"


def test_C13_terms_do_not_overlap_other_terms(world: World) -> None:
    dso_publishes(world, "dso-1", point("point-1", 0, 9))
    dso_publishes(world, "dso-1", point("point-1", 20, None, terms=Terms(True)))
    assert days(world, "dso-1", "point-1") == "0..9, 20.."
    with pytest.raises(
        AdjustmentError, match=f"Other terms of this congestion point hold on from {as_date(20)}"
    ):
        move(world, terms("dso-1", "point-1"), 0, 20)
    move(world, terms("dso-1", "point-1"), 0, 19)
    assert world.view().terms["dso-1", "point-1"] != ()
    with pytest.raises(AdjustmentError, match="Nothing changes"):
        move(world, terms("dso-1", "point-1"), 0, 19)


def test_C13_terms_that_come_to_touch_the_same_terms_become_one(world: World) -> None:
    dso_publishes(world, "dso-1", point("point-1", 0, 9))
    dso_publishes(world, "dso-1", point("point-1", 20, None))
    shown = previewed(lambda: move(world, terms("dso-1", "point-1"), 0, 19))
    assert [text.partition(": ")[2] for text in shown.terms] == [f"gains {as_date(10)} to {as_date(19)}"]
    move(world, terms("dso-1", "point-1"), 0, 19)
    assert terms("dso-1", "point-1").period == terms("dso-1", "point-1", day=40).period


def test_C13_terms_that_are_not_current_are_refused(world: World) -> None:
    dso_publishes(world, "dso-1", point("point-1", 0, 9))
    row = terms("dso-1", "point-1")
    dso_publishes(world, "dso-1", point("point-1", 0, 12))
    with pytest.raises(AdjustmentError, match=r"by DSOPortfolioUpdate of DSO dso-1\.example"):
        move(world, row, 0, 5)
